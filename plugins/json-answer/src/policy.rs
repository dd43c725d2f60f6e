//! The policy: what happens to an answer that isn't what it must be.

use std::rc::Rc;

use json_schema::Schema;
use witgate_policy::prelude::*;

use crate::answer::{Fault, JsonText, LONGEST, Part};
use crate::settings::Settings;

/// Lets only answers through that are JSON, and match a schema.
#[derive(Clone)]
pub struct JsonAnswer {
    schema: Option<Rc<Schema>>,
    action: Sanction,
    strip_fences: bool,
    hold: bool,
}

impl Policy for JsonAnswer {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.action == Sanction::Report {
            if settings.strip_fences == Some(true) {
                return Err(
                    "`action: report` changes nothing, and `strip_fences: true` does; leave one of them out"
                        .into(),
                );
            }
            if settings.hold {
                return Err(
                    "`action: report` delays nothing, and `hold: true` does; leave one of them out"
                        .into(),
                );
            }
        }
        let schema = settings.schema.as_ref().map(Schema::new).transpose();
        Ok(JsonAnswer {
            schema: schema.map_err(|why| format!("schema: {why}"))?.map(Rc::new),
            action: settings.action,
            strip_fences: settings.strip_fences.unwrap_or(true),
            hold: settings.hold,
        })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        if *channel != Channel::Content {
            return None;
        }
        Some(Box::new(Reading {
            text: JsonText::new(self.schema.as_deref(), self.strip_fences),
            kept: String::new(),
            told: false,
        }))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

/// The content of one choice.
struct Reading {
    text: JsonText,
    /// What is to go out at the end, where all is held and a fence was taken off.
    kept: String,
    /// A fault was reported, and the rest passes.
    told: bool,
}

impl Passage<JsonAnswer> for Reading {
    fn on_delta(&mut self, policy: &mut JsonAnswer, text: &str) -> Edit {
        if self.told {
            return Edit::Forward;
        }
        let part = match self.text.push(text, policy.schema.as_deref()) {
            Ok(part) => part,
            Err(fault) => return self.fault(policy, &fault),
        };
        if policy.action == Sanction::Report {
            return Edit::Forward;
        }
        match part {
            Part::Undecided => Edit::Hold,
            Part::Range(range) if policy.hold => {
                self.kept.push_str(&text[range]);
                Edit::Hold
            }
            Part::All if policy.hold => Edit::Hold,
            Part::All => Edit::Forward,
            Part::Range(range) if range == (0..text.len()) => Edit::Forward,
            Part::Range(range) => Edit::replace(&text[range]),
        }
    }

    fn on_end(&mut self, policy: &mut JsonAnswer, finish: &str) -> Edit {
        if self.told {
            return Edit::Forward;
        }
        // Where no finish is told, the host asks for a last word because more is held than may be: what is whole so far need not be the end.
        if policy.hold && finish.is_empty() && self.text.has_come() {
            return self.fault(policy, &Fault::Held);
        }
        if let Err(fault) = self.text.end(finish, policy.schema.as_deref()) {
            // An answer that calls tools has nothing else to say.
            if fault == Fault::Empty && matches!(finish, "tool_calls" | "function_call") {
                return Edit::Forward;
            }
            return self.fault(policy, &fault);
        }
        match policy.hold && self.text.is_fenced() {
            true => Edit::replace(std::mem::take(&mut self.kept)),
            false => Edit::Forward,
        }
    }
}

impl Reading {
    fn fault(&mut self, policy: &JsonAnswer, fault: &Fault) -> Edit {
        self.told = true;
        let (code, message) = fault.said();
        // What the schema says is the operator's, and may be told; of the answer nothing is.
        let finding = Finding::new(code.replace('_', "."), 1);
        host::report(&match fault {
            Fault::Schema(pointer) => finding.with_detail(pointer.clone()),
            _ => finding,
        });
        match policy.action {
            Sanction::Report => Edit::Forward,
            Sanction::Deny => Denial::new(code, message).with_status(422).into(),
        }
    }
}

impl Fault {
    /// The denial's code, and the sentence.
    fn said(&self) -> (&'static str, String) {
        match self {
            Fault::Empty => (
                "json_empty",
                "the model answered nothing, where JSON is wanted".into(),
            ),
            Fault::Truncated => (
                "json_truncated",
                "the answer was cut off at the most tokens, and is no whole JSON; ask for more tokens".into(),
            ),
            Fault::Held => (
                "json_held",
                "the answer is longer, or comes more slowly, than what may be held back until all of it matches (the stage's held_text and \
                 held_time); or its upstream doesn't say why it ended"
                    .into(),
            ),
            Fault::Syntax(at) => (
                "json_syntax",
                format!("the answer is no JSON, from its byte {at} on"),
            ),
            Fault::Depth => (
                "json_syntax",
                "arrays and objects lie more than 127 deep in the answer".into(),
            ),
            Fault::Length => (
                "json_schema",
                format!("the answer has more than {LONGEST} bytes, too many to be held to the schema"),
            ),
            Fault::Repeated => (
                "json_schema",
                "an object in the answer has a key twice, and can't be held to the schema".into(),
            ),
            Fault::Schema(pointer) => (
                "json_schema",
                format!("the answer doesn't match the schema: {pointer}"),
            ),
        }
    }
}
