//! The error body: one shape that every client reads.
//!
//! Cerebras clients read a flat object and want four strings in it; OpenAI clients read the same four under `error`. So both
//! are there, and every value is a string: a `null` makes some clients lose the message.

use bytes::Bytes;
use serde::Serialize;

/// What went wrong, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    message: &'a str,
    kind: &'a str,
    param: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct Four<'a> {
    message: &'a str,
    r#type: &'a str,
    param: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct Both<'a> {
    #[serde(flatten)]
    flat: Four<'a>,
    error: Four<'a>,
}

impl<'a> ErrorBody<'a> {
    /// `message` is a sentence for a person; `kind` goes out as `type`. What there is nothing to say for is the empty string.
    pub fn new(message: &'a str, kind: &'a str, param: &'a str, code: &'a str) -> ErrorBody<'a> {
        ErrorBody {
            message,
            kind,
            param,
            code,
        }
    }

    /// The body as JSON.
    pub fn to_bytes(&self) -> Bytes {
        let four = || Four {
            message: self.message,
            r#type: self.kind,
            param: self.param,
            code: self.code,
        };
        let both = Both {
            flat: four(),
            error: four(),
        };
        Bytes::from(serde_json::to_vec(&both).expect("strings always make JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_and_nested_clients_both_find_the_four_strings() {
        let body = ErrorBody::new(
            "no \"such\" model",
            "not_found_error",
            "model",
            "model_not_found",
        )
        .to_bytes();
        let four = r#""message":"no \"such\" model","type":"not_found_error","param":"model","code":"model_not_found""#;
        assert_eq!(body, format!("{{{four},\"error\":{{{four}}}}}"));
    }
}
