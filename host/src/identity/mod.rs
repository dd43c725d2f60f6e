//! Who asks: by a key that the configuration knows, or by a token of an identity provider.
//!
//! - [`Door`]: finds who sent a request, and lets nobody in whom it doesn't know.
//! - [`Admins`]: who may use the admin listener, by tokens that have nothing to do with clients'.
//! - [`Tokens`]: checks tokens, and says which check failed.
//! - `jwks`: the provider's keys, kept, asked for anew, and never lost because asking fails.
//!
//! What must stay true: where anything is unclear the answer is no, and neither a key nor any part of a token is in an answer or a line of
//! the log.

mod admins;
mod door;
mod jwks;
mod ring_provider;
mod tokens;

pub use admins::Admins;
pub use door::{Door, IdentityError};
pub use tokens::Tokens;
