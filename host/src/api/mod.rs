//! What every client reads and shows, whichever listener it talks to: errors, headers, a request's id, its caller, and the room
//! that an exchange takes.
//!
//! What must stay true: this is the ground, and imports nothing of the gateway's. So the exchange speaks to clients without knowing
//! the server, and the server without knowing the exchange.

mod admin;
mod anthropic;
mod budget;
mod caller;
mod error;
pub mod glob;
pub mod headers;
mod memory;
mod models;
mod permits;
mod request_id;
mod turns;

pub use admin::NotAdmitted;
pub use anthropic::speak_anthropic;
pub use budget::{Budget, Part, Party, Share, Short};
pub use caller::{BadToken, Caller, Client, Keys, Unauthorized, presented};
pub use error::ApiError;
pub use memory::{Charge, Memory};
pub use models::{Catalog, ModelsAsked};
pub use permits::{Permit, Permits, ROOM_WAIT, Waits};
pub use request_id::RequestId;
pub use turns::{Turn, Turns};
