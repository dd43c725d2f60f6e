//! Which calls may be made, for one caller.

use std::collections::BTreeMap;

use json_schema::{Schema, Unread};
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use crate::globs::Globs;
use crate::settings::Settings;

/// The most memory that an expression may take, in bytes.
const EXPRESSION: usize = 64 * 1024;

/// The settings, compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    everyone: List,
    roles: BTreeMap<String, List>,
    /// Some list says what is allowed, so that nothing else is.
    lists_allowed: bool,
    pub(crate) rules: Vec<Rule>,
    pub(crate) max_calls: Option<u32>,
}

#[derive(Debug)]
struct List {
    allowed: Option<Globs>,
    denied: Globs,
}

/// What is asked of calls of some tools.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) tools: Globs,
    schema: Option<Schema>,
    forbid: Vec<Regex>,
    forbid_results: Vec<Regex>,
    pub(crate) max_calls: Option<u32>,
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The tool may not be called by this caller.
    Tool,
    /// Its arguments are no JSON, or some key stands twice in them.
    NoJson,
    /// They don't match the schema, at this place of it.
    Schema(String),
    /// Something in them is forbidden.
    Forbidden,
    /// Something in the result is.
    Result,
    /// There were as many calls as there may be.
    TooMany,
}

impl Rules {
    pub(crate) fn new(settings: &Settings) -> Result<Rules, String> {
        let everyone = List::new(&settings.allowed_tools, &settings.blocked_tools)
            .map_err(|both| contradiction("allowed_tools", "blocked_tools", &both))?;
        let mut roles = BTreeMap::new();
        for (name, role) in &settings.tools.roles {
            let place = format!("tools.roles.{name}");
            if role.allowed.is_none() && role.denied.is_empty() {
                return Err(format!(
                    "{place}: neither `allowed` nor `denied` is there; the role would change nothing"
                ));
            }
            let list = List::new(&role.allowed, &role.denied).map_err(|both| {
                contradiction(
                    &format!("{place}.allowed"),
                    &format!("{place}.denied"),
                    &both,
                )
            })?;
            roles.insert(name.clone(), list);
        }
        let mut rules = Vec::with_capacity(settings.rules.len());
        for (n, rule) in settings.rules.iter().enumerate() {
            let rule = Rule::new(rule).map_err(|why| format!("rules[{n}].{why}"))?;
            if !rule.forbid_results.is_empty()
                && settings.history == crate::settings::History::Ignore
            {
                return Err(format!(
                    "rules[{n}].forbid_results: results stand in the history, which isn't looked at; write `history: deny`"
                ));
            }
            rules.push(rule);
        }
        let lists_allowed =
            everyone.allowed.is_some() || roles.values().any(|list| list.allowed.is_some());
        let lists = lists_allowed || !settings.blocked_tools.is_empty() || !roles.is_empty();
        if !lists && rules.is_empty() && settings.max_calls.is_none() {
            return Err(
                "nothing is said of any tool: write `allowed_tools`, `blocked_tools`, `tools.roles`, `rules` or `max_calls`"
                    .into(),
            );
        }
        Ok(Rules {
            everyone,
            roles,
            lists_allowed,
            rules,
            max_calls: settings.max_calls,
        })
    }

    pub(crate) fn has_roles(&self) -> bool {
        !self.roles.is_empty()
    }

    /// Whether somebody with these roles may call this tool.
    pub(crate) fn may_call(&self, name: &str, roles: &[String]) -> bool {
        let of_roles = roles.iter().filter_map(|role| self.roles.get(role));
        let mut lists = std::iter::once(&self.everyone).chain(of_roles.clone());
        if lists.any(|list| list.denied.match_name(name)) {
            return false;
        }
        let mut lists = std::iter::once(&self.everyone).chain(of_roles);
        let allows = |list: &List| {
            let allowed = list.allowed.as_ref();
            allowed.is_some_and(|allowed| allowed.match_name(name))
        };
        !self.lists_allowed || lists.any(allows)
    }

    /// The rules for this tool's calls.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = (usize, &Rule)> {
        let rules = self.rules.iter().enumerate();
        rules.filter(move |(_, rule)| rule.tools.match_name(name))
    }

    /// Whether this tool's arguments are to be looked at.
    pub(crate) fn reads_arguments(&self, name: &str) -> bool {
        self.of(name).any(|(_, rule)| rule.reads_arguments())
    }

    /// Whether a call with these arguments may be made.
    pub(crate) fn check_arguments(&self, name: &str, arguments: &str) -> Result<(), Refusal> {
        let mut rules = self.of(name).filter(|(_, rule)| rule.reads_arguments());
        let Some(first) = rules.next() else {
            return Ok(());
        };
        // Without parameters a model may send nothing.
        let arguments = match arguments.trim() {
            "" => "{}",
            arguments => arguments,
        };
        let value: Value = json_schema::read(arguments).map_err(|_| Refusal::NoJson)?;
        for (_, rule) in std::iter::once(first).chain(rules) {
            if let Some(schema) = &rule.schema {
                let checked = schema.check(&value);
                checked.map_err(|violation| Refusal::Schema(violation.pointer))?;
            }
            if any_text(&value, &|text| found(&rule.forbid, text)) {
                return Err(Refusal::Forbidden);
            }
        }
        Ok(())
    }

    /// Whether a result of this tool may be shown to the model. One that is JSON is read as such and as it stands.
    pub(crate) fn check_result(&self, name: Option<&str>, result: &str) -> Result<(), Refusal> {
        // A result that belongs to no call is held to all rules.
        let of_tool = |rule: &&Rule| name.is_none_or(|name| rule.tools.match_name(name));
        for rule in self.rules.iter().filter(of_tool) {
            if rule.forbid_results.is_empty() {
                continue;
            }
            let forbidden = |text: &str| found(&rule.forbid_results, text);
            let hides = match json_schema::read(result) {
                Ok(value) => any_text(&value, &forbidden),
                // Nobody knows which of the values counts.
                Err(Unread::Repeated) => true,
                Err(Unread::Syntax) => false,
            };
            if hides || forbidden(result) {
                return Err(Refusal::Result);
            }
        }
        Ok(())
    }
}

impl List {
    fn new(allowed: &Option<Vec<String>>, denied: &[String]) -> Result<List, String> {
        let list = List {
            allowed: allowed.clone().map(Globs::new),
            denied: Globs::new(denied.to_vec()),
        };
        let shared = list.allowed.as_ref().and_then(|it| it.shared(&list.denied));
        match shared.map(str::to_owned) {
            Some(both) => Err(both),
            None => Ok(list),
        }
    }
}

impl Rule {
    fn new(rule: &crate::settings::Rule) -> Result<Rule, String> {
        if rule.tools.is_empty() {
            return Err("tools: name at least one, or `*` for all".into());
        }
        let says_nothing = rule.schema.is_none()
            && rule.forbid.is_empty()
            && rule.forbid_results.is_empty()
            && rule.max_calls.is_none();
        if says_nothing {
            return Err(
                "tools: nothing is said of them; write `schema`, `forbid`, `forbid_results` or `max_calls`"
                    .into(),
            );
        }
        let schema = rule.schema.as_ref().map(Schema::new).transpose();
        Ok(Rule {
            tools: Globs::new(rule.tools.clone()),
            schema: schema.map_err(|why| format!("schema: {why}"))?,
            forbid: expressions("forbid", &rule.forbid)?,
            forbid_results: expressions("forbid_results", &rule.forbid_results)?,
            max_calls: rule.max_calls,
        })
    }

    fn reads_arguments(&self) -> bool {
        self.schema.is_some() || !self.forbid.is_empty()
    }
}

fn contradiction(allowed: &str, denied: &str, both: &str) -> String {
    format!(
        "`{both}` stands in {allowed} and in {denied}. What is denied counts; take it out of one of them"
    )
}

fn expressions(key: &str, sources: &[String]) -> Result<Vec<Regex>, String> {
    let compiled = sources.iter().enumerate().map(|(n, source)| {
        let expression = RegexBuilder::new(source).size_limit(EXPRESSION).build();
        expression.map_err(|error| format!("{key}[{n}]: {error}"))
    });
    compiled.collect()
}

fn found(expressions: &[Regex], text: &str) -> bool {
    expressions.iter().any(|one| one.is_match(text))
}

/// Whether this holds for some string, key or number, without JSON's escapes.
fn any_text(value: &Value, holds: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Number(number) => holds(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| any_text(item, holds)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| holds(name) || any_text(value, holds)),
        Value::Null | Value::Bool(_) => false,
    }
}
