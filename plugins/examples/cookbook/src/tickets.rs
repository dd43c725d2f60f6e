//! Finds by a function what no expression tells: here `T-` and five digits, wherever the answer is cut.

use witgate_policy::patterns::{self, At, Cursor, More, Recognisers, Word};
use witgate_policy::prelude::*;
use witgate_policy::redact::{Finder, Form, Redactor, Scan, View};

/// The policy, and its finder.
#[derive(Clone)]
pub struct Tickets;

impl Policy for Tickets {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Tickets)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let redactor = Redactor::new(Tickets, Form::of(channel));
        Some(Box::new(redactor.telling(|_: &mut Tickets, counts| {
            report("ticket", counts.iter().sum());
            None
        })))
    }
}

impl Recognisers for Tickets {
    type Memory = ();

    fn at(&self, cursor: &Cursor<'_>, _: &Word, _: &mut ()) -> Result<Option<At>, More> {
        // Each `?` says: if the text hasn't come so far, it is undecided from here.
        if !cursor.has(cursor.start, "T-")? {
            return Ok(None);
        }
        let end = cursor.start + 7;
        for at in cursor.start + 2..end {
            if !cursor.is_digit(at)? {
                return Ok(None);
            }
        }
        let found = At::Found { start: cursor.start, end, kind: 0 };
        Ok((!cursor.is_word(end)?).then_some(found))
    }
}

impl Finder for Tickets {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        patterns::scan(self, view, from)
    }

    fn replace(&self, _kind: usize, _value: &str, out: &mut String) {
        out.push_str("[TICKET]");
    }
}

witgate_policy::export!(Tickets);

#[cfg(test)]
mod tests {
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn a_ticket_is_replaced_and_nothing_else() {
        let policy = testing::configure::<super::Tickets>(json!({})).expect("there are none");
        let answer = policy.every_chunking("See T-12345, not T-123456 or T-1.");
        assert_eq!(answer.text, "See [TICKET], not T-123456 or T-1.");
    }
}
