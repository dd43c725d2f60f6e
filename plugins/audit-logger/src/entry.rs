//! The entry about an exchange. Readers of the journal rely on its fields: fields may be added, but not renamed.

use std::collections::BTreeMap;

use serde::Serialize;
use witgate_policy::{Account, Ending, Role, Usage, outcome, request};

use crate::capture::{Capture, Captured};
use crate::clock;

/// One line of the audit log. Fields that aren't known are left out.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    id: String,
    /// When the request came.
    at: String,
    endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    /// The model asked for.
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_by: Option<AnsweredBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    ended: &'static str,
    /// The chain's verdict on the exchange as a whole.
    verdict: &'static str,
    /// The stage that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    stages: Vec<Stage<'a>>,
    finish_reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_delta_us: Option<u64>,
    total_us: u64,
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<Captured>,
}

#[derive(Serialize)]
struct AnsweredBy {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

#[derive(Serialize)]
struct Stage<'a> {
    policy: &'a str,
    verdict: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<Denial<'a>>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Denial<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'a str,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct Tokens {
    prompt_tokens: u32,
    completion_tokens: u32,
    cached_tokens: u32,
    reasoning_tokens: u32,
}

impl<'a> Entry<'a> {
    /// The entry for the exchange that has just ended.
    pub(crate) fn of(ended: Ending, stages: &'a [Account], capture: Capture) -> Self {
        let (word, verdict) = words(ended);
        let decided = decided(ended, stages);
        Self {
            id: request::id(),
            at: clock::rfc3339(request::received_at()),
            endpoint: request::endpoint(),
            principal: request::principal(),
            model: request::model(),
            answered_by: outcome::target().map(|target| AnsweredBy {
                target,
                model: outcome::model(),
            }),
            status: outcome::status(),
            ended: word,
            verdict,
            policy: decided.map(|account| account.stage.as_str()),
            code: decided
                .and_then(|account| account.denial.as_ref())
                .map(|denial| denial.code.as_str()),
            stages: stages.iter().map(Stage::of).collect(),
            finish_reasons: outcome::finish_reasons(),
            usage: outcome::tokens().map(Tokens::of),
            first_delta_us: outcome::first_delta_us(),
            total_us: outcome::total_us(),
            tags: outcome::tags().into_iter().collect(),
            capture: capture.take(),
        }
    }
}

impl<'a> Stage<'a> {
    fn of(account: &'a Account) -> Self {
        let findings = account.findings.iter().map(|finding| Finding {
            code: &finding.code,
            count: finding.count,
            detail: finding.detail.as_deref(),
        });
        Self {
            policy: &account.stage,
            verdict: &account.verdict,
            denial: account.denial.as_ref().map(|denial| Denial {
                code: &denial.code,
                message: &denial.message,
            }),
            findings: findings.collect(),
        }
    }
}

impl Tokens {
    fn of(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: usage.cached_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

/// Whether nothing happened: the chain let everything through unchanged and found nothing, and nothing failed. A client
/// that went away counts as no failure.
pub(crate) fn is_plain(ended: Ending, stages: &[Account]) -> bool {
    matches!(ended, Ending::Completed | Ending::Disconnected)
        && stages.iter().all(|account| {
            matches!(account.verdict.as_str(), "proceed" | "unreached")
                && account.findings.is_empty()
        })
}

/// The stage that made the exchange end as it did.
fn decided(ended: Ending, stages: &[Account]) -> Option<&Account> {
    let decides: fn(&str) -> bool = match ended {
        Ending::Denied => |verdict| verdict == "deny",
        Ending::Responded => |verdict| verdict == "respond",
        Ending::Faulted => |verdict| verdict.starts_with("error:"),
        Ending::Completed | Ending::UpstreamFailed | Ending::Disconnected => return None,
    };
    stages.iter().find(|account| decides(&account.verdict))
}

/// How the exchange ended, and the chain's verdict that follows from it.
fn words(ended: Ending) -> (&'static str, &'static str) {
    match ended {
        Ending::Completed => ("completed", "proceed"),
        Ending::Responded => ("responded", "respond"),
        Ending::Denied => ("denied", "deny"),
        Ending::Faulted => ("faulted", "fault"),
        Ending::UpstreamFailed => ("upstream-failed", "proceed"),
        Ending::Disconnected => ("disconnected", "proceed"),
    }
}

pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}
