//! Removes characters that nobody sees, in which answers carry marks. One character for none, so no cut matters and nothing is held.

use witgate_policy::prelude::*;

/// The policy.
#[derive(Clone)]
pub struct Watermark;

impl Policy for Watermark {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Watermark)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        (*channel == Channel::Content).then(|| Box::new(Wash) as Box<_>)
    }
}

struct Wash;

impl Passage<Watermark> for Wash {
    fn on_delta(&mut self, _policy: &mut Watermark, text: &str) -> Edit {
        let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
        if !text.contains(hidden) {
            return Edit::Forward;
        }
        let found = text.matches(hidden).count();
        report("hidden-characters", found as u32);
        Edit::replace(text.replace(hidden, ""))
    }
}

witgate_policy::export!(Watermark);

#[cfg(test)]
mod tests {
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn what_nobody_sees_is_gone() {
        let policy = testing::configure::<super::Watermark>(json!({})).expect("there are none");
        assert_eq!(policy.every_chunking("a\u{200b}b\u{2060}\u{feff}").text, "ab");
        assert!(policy.every_chunking("ab").untouched);
    }
}
