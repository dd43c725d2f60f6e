//! The id of a request: made here, on every answer as `x-request-id`, and given on to whoever serves the request.

use http::HeaderValue;
use uuid::Uuid;

/// A request's id: a random UUID, so that it is unique and can't be guessed. It stands in the request's extensions.
/// Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A new id. What a client sends as its own is not taken: it could be guessed or repeated.
    pub fn random() -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = Uuid::new_v4().hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).expect("a UUID is a header value"))
    }

    /// Its text: 36 characters.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("made from a UUID's text")
    }

    /// Its text as a header's value.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_random_uuid() {
        let id = RequestId::random();
        let uuid = Uuid::parse_str(id.as_str()).map(|uuid| uuid.get_version_num());
        assert_eq!(uuid, Ok(4));
        assert_ne!(id, RequestId::random());
    }
}
