//! What the operator writes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::hours::HoursSettings;
use crate::rules::{Effect, Rule, Rules, Who};

/// The settings of `access`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What becomes of what no rule speaks of.
    default: Option<Effect>,
    /// The first that speaks of something decides it.
    #[serde(default)]
    rules: Vec<RuleSettings>,
    /// Whether a request must be a known client's.
    #[serde(default)]
    require_auth: bool,
    /// Tools by role, as Keeptrusts' `rbac` has them.
    #[serde(default)]
    roles: BTreeMap<String, RoleSettings>,
    deny_if_missing: Option<IgnoredAny>,
    data_access: Option<IgnoredAny>,
    minimum_necessary: Option<IgnoredAny>,
}

/// One rule. What it doesn't name, it is for all of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSettings {
    name: String,
    effect: Effect,
    #[serde(default)]
    principals: Option<Vec<String>>,
    #[serde(default)]
    teams: Option<Vec<String>>,
    #[serde(default)]
    roles: Option<Vec<String>>,
    models: Option<Vec<String>>,
    endpoints: Option<Vec<String>>,
    hours: Option<HoursSettings>,
    targets: Option<Vec<String>>,
    tools: Option<Vec<String>>,
}

/// Keeptrusts' tools of one role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleSettings {
    allowed_tools: Option<Vec<String>>,
    #[serde(default)]
    denied_tools: Vec<String>,
}

/// The name of what decides where no rule does.
pub(crate) const DEFAULT: &str = "default";
/// The name of what denies where nobody is known.
pub(crate) const REQUIRE_AUTH: &str = "require_auth";
/// The longest name of a rule: with `access.` before it, it is a denial's code.
const LONGEST_NAME: usize = 64 - "access.".len();

impl Settings {
    /// The rules that these settings are.
    pub(crate) fn rules(self) -> Result<Rules, String> {
        let elsewhere = [
            (
                self.deny_if_missing.is_some(),
                "`deny_if_missing` is not taken: a header that clients set says nothing of who they are. Name them in `clients`, and use \
                 `require_auth: true`",
            ),
            (
                self.data_access.is_some(),
                "`data_access` is not offered: use the policy `data-routing`, which restricts targets by what was found in a request",
            ),
            (
                self.minimum_necessary.is_some(),
                "`minimum_necessary` is not offered: use `pii-detector`, which takes out what a model needn't see, and a rule here for the \
                 roles that may ask at all",
            ),
        ];
        if let Some((_, why)) = elsewhere.iter().find(|(is, _)| *is) {
            return Err((*why).to_owned());
        }
        let nothing_said = self.rules.is_empty() && self.roles.is_empty() && !self.require_auth;
        // Keeptrusts' keys speak of tools alone, and let pass what they don't speak of.
        let default = match self.default {
            Some(default) => default,
            None if nothing_said || !self.rules.is_empty() => {
                return Err(
                    "`default` is missing: say `deny` or `allow`, for what no rule speaks of"
                        .to_owned(),
                );
            }
            None => Effect::Allow,
        };
        let mut rules: Vec<Rule> = Vec::new();
        for written in self.rules {
            let rule = written.read()?;
            if rules.iter().any(|known| known.name == rule.name) {
                return Err(format!(
                    "there are two rules `{}`; a denial names the rule, so each has its own name",
                    rule.name
                ));
            }
            rules.push(rule);
        }
        rules.extend(of_roles(self.roles)?);
        Ok(Rules {
            default,
            require_auth: self.require_auth,
            rules,
        })
    }
}

impl RuleSettings {
    fn read(self) -> Result<Rule, String> {
        let name = self.name;
        let in_rule = |why: String| format!("rule `{name}`: {why}");
        if !is_name(&name) || [DEFAULT, REQUIRE_AUTH].contains(&&*name) {
            return Err(format!(
                "`{name}` can't be a rule's name, which a denial's code ends with: up to {LONGEST_NAME} of a-z, 0-9, `.`, `_` and `-`, \
                 beginning with a letter or a digit, and neither `{DEFAULT}` nor `{REQUIRE_AUTH}`"
            ));
        }
        let lists = [
            ("principals", &self.principals),
            ("teams", &self.teams),
            ("roles", &self.roles),
            ("models", &self.models),
            ("endpoints", &self.endpoints),
            ("targets", &self.targets),
            ("tools", &self.tools),
        ];
        for (key, list) in lists {
            if list.as_ref().is_some_and(Vec::is_empty) {
                return Err(in_rule(format!(
                    "`{key}` is empty, so the rule would be for nothing; leave `{key}` out for all, or the rule"
                )));
            }
        }
        const ENDPOINTS: [&str; 5] = ["chat", "completions", "responses", "messages", "action"];
        for endpoint in self.endpoints.iter().flatten() {
            if !ENDPOINTS.contains(&&**endpoint) {
                return Err(in_rule(format!(
                    "`{endpoint}` is no endpoint; they are {}",
                    ENDPOINTS.join(", ")
                )));
            }
        }
        if self.effect == Effect::Deny && self.targets.is_some() && self.tools.is_some() {
            return Err(in_rule(
                "a rule that denies names `targets` or `tools`, not both: write two".to_owned(),
            ));
        }
        let hours = self.hours.map(|hours| hours.read()).transpose();
        let hours = hours.map_err(in_rule)?;
        Ok(Rule {
            effect: self.effect,
            who: Who {
                principals: self.principals,
                teams: self.teams,
                roles: self.roles,
            },
            models: self.models,
            endpoints: self.endpoints,
            hours,
            targets: self.targets,
            tools: self.tools,
            name,
        })
    }
}

/// Rules of Keeptrusts' tools by role. What one of a client's roles may use is allowed though another has it not in its list, and what one is
/// denied is denied.
fn of_roles(roles: BTreeMap<String, RoleSettings>) -> Result<Vec<Rule>, String> {
    let (mut denied, mut allowed, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (role, settings)) in (1..).zip(roles) {
        let lower = role.to_ascii_lowercase();
        let name = match is_name(&format!("roles.{lower}.denied")) {
            true => format!("roles.{lower}"),
            // One that can't stand in a code goes by its place, in the order of the alphabet.
            false => format!("roles.{number}"),
        };
        let rule = |suffix: &str, effect, tools| Rule {
            name: format!("{name}.{suffix}"),
            effect,
            who: Who {
                principals: None,
                teams: None,
                roles: Some(vec![role.clone()]),
            },
            models: None,
            endpoints: None,
            hours: None,
            targets: None,
            tools: Some(tools),
        };
        if settings.allowed_tools.is_none() && settings.denied_tools.is_empty() {
            return Err(format!(
                "roles.{role}: name its `allowed_tools` or its `denied_tools`"
            ));
        }
        if !settings.denied_tools.is_empty() {
            denied.push(rule("denied", Effect::Deny, settings.denied_tools));
        }
        if let Some(tools) = settings.allowed_tools {
            rest.push(rule("others", Effect::Deny, vec!["*".to_owned()]));
            if !tools.is_empty() {
                allowed.push(rule("allowed", Effect::Allow, tools));
            }
        }
    }
    Ok([denied, allowed, rest].concat())
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST_NAME
        && name.starts_with(first)
        && name
            .chars()
            .all(|c| first(c) || matches!(c, '.' | '_' | '-'))
}
