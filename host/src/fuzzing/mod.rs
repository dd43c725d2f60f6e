//! What must hold for any bytes: a function for each target of `cargo fuzz`.
//!
//! Each takes bytes as they come and panics where a promise of the module that it is about is broken. `fuzz/` runs them on bytes
//! that it makes up; the tests here run them on the corpora that were kept, so that what was found once stays found.

mod component;
mod configuration;
mod messages;
mod packed;
mod request;
mod response;
mod responses;
mod sse;

pub use component::component;
pub use configuration::configuration;
pub use messages::{messages_request, messages_stream};
pub use packed::packed;
pub use request::request;
pub use response::response;
pub use responses::responses;
pub use sse::sse;

use crate::wire::Dialect;

/// The dialects that requests come in and answers are read in. The others go by way of chat.
pub(crate) const DIALECTS: [Dialect; 2] = [Dialect::Chat, Dialect::Completions];

/// The way of an answer's text through the stages: text goes in, each stage edits as the bytes say, and what comes out is compared
/// with what must.
pub fn hold_back(data: &[u8]) {
    crate::exchange::hold_back(data);
}

/// A whole answer's way, from the upstream's bytes through stages to the client's: every text is accounted for, and what the client
/// reads is the same at every cut.
pub fn answer(data: &[u8]) {
    crate::exchange::answer(data);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    fn replay(target: &str, check: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let inputs = fs::read_dir(corpus.join(target)).expect("every target has a corpus");
        let mut seen = 0;
        for input in inputs {
            let path = input.expect("the corpus can be listed").path();
            let data = fs::read(&path).expect("the input can be read");
            // Shown only when the test fails, and then the last one is the culprit.
            println!("{}", path.display());
            check(&data);
            seen += 1;
        }
        assert!(seen > 0, "the corpus of {target} is empty");
    }

    #[test]
    fn every_stream_that_was_kept_is_framed_as_promised() {
        replay("sse", super::sse);
    }

    #[test]
    fn every_request_that_was_kept_is_read_and_edited_as_promised() {
        replay("request", super::request);
    }

    #[test]
    fn every_packed_body_that_was_kept_is_unpacked_as_promised() {
        replay("packed", super::packed);
    }

    #[test]
    fn every_response_that_was_kept_is_read_and_cut_as_promised() {
        replay("response", super::response);
    }

    #[test]
    fn every_request_for_a_message_that_was_kept_becomes_a_chat_as_promised() {
        replay("messages_request", super::messages_request);
    }

    #[test]
    fn every_stream_that_was_kept_becomes_a_message_as_promised() {
        replay("messages_stream", super::messages_stream);
    }

    #[test]
    fn every_response_api_exchange_that_was_kept_is_written_as_promised() {
        replay("responses", super::responses);
    }

    #[test]
    fn every_configuration_that_was_kept_is_read_as_promised() {
        replay("configuration", super::configuration);
    }

    #[test]
    fn every_component_that_was_kept_is_judged_as_promised() {
        replay("component", super::component);
    }

    #[test]
    fn every_answer_that_was_kept_reaches_the_client_as_promised() {
        replay("answer", super::answer);
    }

    #[test]
    fn every_script_that_was_kept_keeps_the_promises_of_holding_back() {
        replay("hold_back", super::hold_back);
    }
}
