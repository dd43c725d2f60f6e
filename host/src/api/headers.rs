//! The names of the headers that this gateway itself speaks.

use http::HeaderName;

/// Carries a [`super::RequestId`] on every answer; the OpenAI SDKs show it beside their errors.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The same id, under the name that Anthropic's SDKs read.
pub const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Tells the official SDKs whether to try again, whatever the status.
pub const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A client's key, for clients that don't send it as `authorization`.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Names what an answer doesn't know but reckons.
pub const ESTIMATED: HeaderName = HeaderName::from_static("x-witgate-estimated");

/// The chain that an exchange ran on: its generation and short digest.
pub const CHAIN: HeaderName = HeaderName::from_static("x-witgate-chain");

/// The target that answered, or `policy` where a stage did.
pub const TARGET: HeaderName = HeaderName::from_static("x-witgate-target");

/// What the stages decided.
pub const POLICIES: HeaderName = HeaderName::from_static("x-witgate-policies");

/// The tags that the stages set.
pub const TAGS: HeaderName = HeaderName::from_static("x-witgate-tags");

/// What of the request didn't go to the target, or under another name.
pub const DROPPED: HeaderName = HeaderName::from_static("x-witgate-dropped");
/// With any value on a request: its answer is to carry a header of the same name, or end in a comment of
/// that name where it is a stream, with the tokens that it took and what they cost.
pub const USAGE: HeaderName = HeaderName::from_static("x-witgate-usage");
