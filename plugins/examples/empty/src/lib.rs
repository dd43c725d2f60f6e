//! Does nothing, in every hook: what `witgate policy bench` measures others against.

use witgate_policy::prelude::*;

/// The policy.
#[derive(Clone, Debug)]
pub struct Empty;

impl Policy for Empty {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Empty)
    }

    fn on_answer(&mut self, _choice: u32, _channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        Some(Box::new(Empty))
    }
}

impl Passage<Empty> for Empty {
    fn on_delta(&mut self, _policy: &mut Empty, _text: &str) -> Edit {
        Edit::Forward
    }
}

witgate_policy::export!(Empty);

#[cfg(test)]
mod tests {
    use super::*;
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn it_changes_nothing() {
        let policy = testing::configure::<Empty>(json!({})).expect("there are no settings");
        assert!(policy.every_chunking("as it came").untouched);
    }
}
