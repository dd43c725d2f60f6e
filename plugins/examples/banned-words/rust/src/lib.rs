//! Masks words in answers, counts them, and ends an answer that has too many.
//!
//! The same policy stands beside this in C, JavaScript and Python.

use std::rc::Rc;

use serde::Deserialize;
use witgate_policy::prelude::*;
use witgate_policy::redact::{Form, Redactor, Words};

const CODE: &str = "banned-words";

/// What the operator may set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    words: Vec<String>,
    #[serde(default = "mask")]
    mask: String,
    most: Option<u32>,
}

fn mask() -> String {
    "***".into()
}

/// The policy.
#[derive(Clone, Debug)]
pub struct BannedWords {
    words: Rc<Words>,
    most: Option<u32>,
    /// How many words were found, in all of the answer.
    found: u32,
}

impl Policy for BannedWords {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.words.is_empty() || settings.words.contains(&String::new()) {
            return Err("`words`: give a list of words, none of them empty".into());
        }
        Ok(BannedWords {
            words: Rc::new(Words::new(&settings.words, &settings.mask)),
            most: settings.most,
            found: 0,
        })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        // What a model gives to tools is JSON, and goes as it is.
        let said = !matches!(channel, Channel::ToolArguments(_));
        said.then(|| Box::new(Text(Redactor::new(self.words.clone(), Form::Text))) as Box<_>)
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

struct Text(Redactor<Rc<Words>>);

impl Passage<BannedWords> for Text {
    fn on_delta(&mut self, policy: &mut BannedWords, text: &str) -> Edit {
        let edit = self.0.push(text);
        self.judge(policy, edit)
    }

    fn on_end(&mut self, policy: &mut BannedWords, _finish: &str) -> Edit {
        let edit = self.0.finish();
        self.judge(policy, edit)
    }
}

impl Text {
    fn judge(&mut self, policy: &mut BannedWords, edit: Edit) -> Edit {
        let found = self.0.take_counts().iter().sum::<u32>();
        if found == 0 {
            return edit;
        }
        report(CODE, found);
        policy.found += found;
        match policy.most {
            Some(most) if policy.found > most => Edit::deny(
                CODE,
                format!("the answer has more than {most} banned words"),
            ),
            _ => edit,
        }
    }
}

witgate_policy::export!(BannedWords);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use witgate_policy::serde_json::json;
    use witgate_policy::testing;

    #[test]
    fn words_are_masked_at_every_cut_and_too_many_end_the_answer() {
        let settings = json!({"words": ["lynx", "Project X"], "most": 2});
        let policy = testing::configure::<BannedWords>(settings).unwrap();
        let answer = policy.every_chunking("The Lynx of project x, and lynxes.");
        assert_eq!(answer.text, "The *** of ***, and lynxes.");
        let denied = policy.every_chunking("lynx lynx lynx").denial.unwrap();
        assert_eq!(denied.code, CODE);
    }

    #[test]
    fn settings_without_words_are_refused() {
        for settings in [json!({"words": []}), json!({"words": [""]}), json!({})] {
            testing::configure::<BannedWords>(settings).unwrap_err();
        }
    }
}
