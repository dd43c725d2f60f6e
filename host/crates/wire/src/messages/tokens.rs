//! How many tokens a request has, nearly. Nobody behind the gateway counts tokens of a request that isn't to be answered, so this is a rule by
//! bytes, and is told as an estimate.

use bytes::Bytes;

use super::request::read;
use crate::index::A_TEXT;
use crate::json::BadRequest;

/// Bytes of text for a token.
const BYTES: u64 = 4;
/// Tokens around each message.
const MESSAGE: u64 = 4;
/// Tokens of a picture: as many as Cerebras reckons for a large one.
const PICTURE: u64 = 280;

/// An estimate of the tokens of a request for a message: one for each four bytes of every string that a model would be shown, four for each
/// message of the chat that it becomes, 280 for each picture.
///
/// # Errors
/// [`BadRequest`] where it is no request for a message. It needn't say how long the answer may be.
pub fn count(body: Bytes) -> Result<u64, BadRequest> {
    let (request, pictures) = read(body, false)?;
    let index = request.index();
    let bytes = index.shown - A_TEXT * index.texts.len() as u64;
    let messages = index.roles.len() as u64;
    Ok(bytes.div_ceil(BYTES) + MESSAGE * messages + PICTURE * pictures)
}
