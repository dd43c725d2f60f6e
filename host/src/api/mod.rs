//! What every client reads and shows, whichever listener it talks to: errors, headers, a request's id, its caller, and the room
//! that an exchange takes.
//!
//! What must stay true: this is the ground, and imports nothing of the gateway's. So the exchange speaks to clients without knowing
//! the server, and the server without knowing the exchange.

mod caller;
mod error;
pub mod headers;
mod permits;
mod request_id;

pub use caller::{Caller, Keys, Unauthorized};
pub use error::ApiError;
pub use permits::{Permit, Permits};
pub use request_id::RequestId;
