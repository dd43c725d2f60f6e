//! Where a client asks: which of the shapes that requests come in, those included that no upstream speaks.

use bytes::Bytes;

use crate::action;
use crate::json::BadRequest;
use crate::messages;
use crate::responses;
use crate::{Dialect, Request};

/// A place for requests of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/actions/text-completion`.
    Action,
    /// `POST /anthropic/v1/messages`.
    Messages,
    /// `POST /v1/responses`.
    Responses,
}

impl Endpoint {
    /// Reads a request. Of one that no upstream would take, it makes the chat request that stands for it.
    ///
    /// # Errors
    /// [`BadRequest`] where it is no request of that shape.
    pub fn read(self, body: Bytes) -> Result<Request, BadRequest> {
        match self {
            Endpoint::Chat => Request::parse(Dialect::Chat, body),
            Endpoint::Completions => Request::parse(Dialect::Completions, body),
            Endpoint::Action => action::request(&body),
            Endpoint::Messages => messages::request(body),
            Endpoint::Responses => responses::request(&body),
        }
    }
}
