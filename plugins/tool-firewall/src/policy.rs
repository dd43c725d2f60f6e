//! The policy: what happens to a request that offers tools, and to calls in an answer.
//!
//! A call's name goes out with its opening delta, so a call whose arguments are looked at is held from its opening to its end.

use std::collections::BTreeSet;
use std::rc::Rc;

use witgate_policy::prelude::*;

use crate::request as tools;
use crate::rules::{Refusal, Rules};
use crate::settings::{History, Offered, Settings};

/// Of a call that is only reported so many bytes are kept to be looked at; a longer one counts as one that can't be read.
const LONGEST: usize = 256 * 1024;

/// Says which tools a model may be offered and may call, and with which arguments.
#[derive(Clone)]
pub struct ToolFirewall {
    rules: Rc<Rules>,
    action: Sanction,
    offered: Offered,
    history: History,
    /// The caller's roles, once they were asked for.
    roles: Option<Rc<[String]>>,
    /// The calls that were made: choice, index, and the rule that counts them; `None` counts all.
    made: BTreeSet<(u32, Option<usize>, u32)>,
}

impl Policy for ToolFirewall {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.action == Sanction::Report && settings.history == History::Deny {
            return Err(
                "`action: report` denies nothing, and `history: deny` does; leave one of them out"
                    .into(),
            );
        }
        let changes = matches!(settings.offered, Some(Offered::Deny | Offered::Remove));
        if settings.action == Sanction::Report && changes {
            return Err(
                "`action: report` changes nothing, and `offered` does; write `offered: keep`, or leave it out"
                    .into(),
            );
        }
        Ok(ToolFirewall {
            rules: Rc::new(Rules::new(&settings)?),
            action: settings.action,
            offered: settings.offered.unwrap_or_default(),
            history: settings.history,
            roles: None,
            made: BTreeSet::new(),
        })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_ANSWER
    }

    fn on_request(&mut self) -> Verdict {
        let roles = self.roles();
        let offered = tools::offered();
        let gone: Vec<_> = offered
            .iter()
            .filter(|tool| !self.rules.may_call(&tool.name, &roles))
            .collect();
        for tool in &gone {
            found("tools.offered", &tool.name);
        }
        if self.action == Sanction::Deny && !gone.is_empty() {
            match self.offered {
                Offered::Deny => {
                    return denial(&gone[0].name, &Refusal::Tool, "the request offers").into();
                }
                Offered::Remove => {
                    if let Err(why) = tools::remove(&gone, offered.len()) {
                        host::log(Level::Warn, &format!("a tool can't be taken out: {why}"));
                        return denial(&gone[0].name, &Refusal::Tool, "the request offers").into();
                    }
                }
                Offered::Keep => {}
            }
        }
        if self.history == History::Deny
            && let Err((name, refusal)) = tools::history(&self.rules, &roles)
        {
            found(refusal.code(), &name);
            return denial(&name, &refusal, "the request has").into();
        }
        Verdict::Proceed
    }

    fn on_answer(&mut self, choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        // A text of a call for which there is no word yet is judged as its arguments are: where a rule reads these, what can't be read is denied.
        let call = channel.tool_call()?;
        let refusal = self.refuses(choice, call);
        if refusal.is_none() && !self.rules.reads_arguments(&call.name) {
            return None;
        }
        Some(Box::new(Call {
            name: call.name.clone(),
            refusal,
            arguments: String::new(),
        }))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl ToolFirewall {
    /// The caller's roles. An answer may come without a request before it.
    fn roles(&mut self) -> Rc<[String]> {
        if !self.rules.has_roles() {
            return Rc::from([]);
        }
        Rc::clone(self.roles.get_or_insert_with(|| request::roles().into()))
    }

    /// What is wrong with a call before its arguments have come.
    fn refuses(&mut self, choice: u32, call: &ToolCall) -> Option<Refusal> {
        let roles = self.roles();
        if !self.rules.may_call(&call.name, &roles) {
            return Some(Refusal::Tool);
        }
        let of_rules = self.rules.of(&call.name);
        let bounds = of_rules.filter_map(|(n, rule)| Some((Some(n), rule.max_calls?)));
        let bounds = bounds.chain(self.rules.max_calls.map(|most| (None, most)));
        let mut too_many = false;
        for (rule, most) in bounds {
            self.made.insert((choice, rule, call.index));
            let made = self
                .made
                .range((choice, rule, 0)..=(choice, rule, u32::MAX));
            too_many |= made.count() > most as usize;
        }
        too_many.then_some(Refusal::TooMany)
    }
}

/// A call in an answer that may not be made, or whose arguments are looked at.
struct Call {
    name: String,
    refusal: Option<Refusal>,
    arguments: String,
}

impl Passage<ToolFirewall> for Call {
    fn on_delta(&mut self, policy: &mut ToolFirewall, text: &str) -> Edit {
        match policy.action {
            Sanction::Deny => {
                if let Some(refusal) = &self.refusal {
                    return self.denied(refusal);
                }
                self.arguments.push_str(text);
                Edit::Hold
            }
            Sanction::Report => {
                if self.arguments.len() <= LONGEST {
                    self.arguments.push_str(text);
                }
                Edit::Forward
            }
        }
    }

    /// Also, with no finish, where the gateway wants the last word because too much is held: what follows would pass unread.
    fn on_end(&mut self, policy: &mut ToolFirewall, finish: &str) -> Edit {
        let checked = match &self.refusal {
            Some(refusal) => Err(refusal.clone()),
            None if self.arguments.len() > LONGEST && policy.action == Sanction::Report => {
                Err(Refusal::NoJson)
            }
            None if finish.is_empty() && policy.action == Sanction::Deny => Err(Refusal::NoJson),
            None => policy.rules.check_arguments(&self.name, &self.arguments),
        };
        match (checked, policy.action) {
            (Ok(()), _) => Edit::Forward,
            (Err(refusal), Sanction::Deny) => self.denied(&refusal),
            (Err(refusal), Sanction::Report) => {
                found(refusal.code(), &self.name);
                Edit::Forward
            }
        }
    }
}

impl Call {
    fn denied(&self, refusal: &Refusal) -> Edit {
        found(refusal.code(), &self.name);
        denial(&self.name, refusal, "the answer has").into()
    }
}

impl Refusal {
    /// The finding's code.
    fn code(&self) -> &'static str {
        match self {
            Refusal::Tool => "tools.denied",
            Refusal::NoJson | Refusal::Schema(_) | Refusal::Forbidden => "tools.arguments",
            Refusal::Result => "tools.result",
            Refusal::TooMany => "tools.calls",
        }
    }
}

fn denial(name: &str, refusal: &Refusal, place: &str) -> Denial {
    let name = shown(name);
    match refusal {
        Refusal::Tool => Denial::new(
            "tool_denied",
            format!("{place} the tool {name}, which may not be called"),
        ),
        Refusal::NoJson => Denial::new(
            "tool_arguments_denied",
            format!(
                "{place} a call of {name} whose arguments are no JSON, have a key twice, or are too long"
            ),
        ),
        Refusal::Schema(pointer) => Denial::new(
            "tool_arguments_denied",
            format!("{place} a call of {name} whose arguments don't match its schema: {pointer}"),
        ),
        Refusal::Forbidden => Denial::new(
            "tool_arguments_denied",
            format!("{place} a call of {name} with something in its arguments that is forbidden"),
        ),
        Refusal::Result => Denial::new(
            "tool_result_denied",
            format!("{place} a result of {name} with something in it that is forbidden"),
        ),
        Refusal::TooMany => Denial::new(
            "too_many_tool_calls",
            format!("{place} more calls of tools than there may be, the last of {name}"),
        ),
    }
}

fn found(code: &str, name: &str) {
    host::report(&Finding::new(code, 1).with_detail(shown(name)));
}

/// A tool's name, if it looks like one: what a model wrote in its place isn't repeated.
fn shown(name: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    match (1..=64).contains(&name.len()) && name.chars().all(is_name) {
        true => format!("`{name}`"),
        false => "of an odd name".into(),
    }
}
