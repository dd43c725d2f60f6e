//! What the operator says.

use std::collections::BTreeMap;

use metering::keys::{Elsewhere, none_of};
use regex_lite::Regex;
use serde::Deserialize;

use crate::Checked;
use crate::class::Class;
use crate::needs::Needs;

/// The settings. Where Keeptrusts' `data-routing-policy` has a key, it is called so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    require_zero_data_retention: bool,
    #[serde(default)]
    require_no_training: bool,
    max_retention_days: Option<u32>,
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    undeclared: Undeclared,
    #[serde(default)]
    classes: Vec<SaidClass>,
    #[serde(default)]
    on_no_compliant_provider: NoneLeft,
    #[serde(default)]
    log_provider_selection: bool,
    #[serde(default)]
    zdr: Elsewhere,
    #[serde(default)]
    data_collection: Elsewhere,
    #[serde(default)]
    data_policy: Elsewhere,
    #[serde(default)]
    allowed_regions: Elsewhere,
}

/// Whether a target that says nothing may be sent what needs a promise.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Undeclared {
    #[default]
    Deny,
    Allow,
}

/// What becomes of a request that no target may be sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum NoneLeft {
    #[default]
    Block,
    Warn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidClass {
    name: String,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    require_zero_data_retention: bool,
    #[serde(default)]
    require_no_training: bool,
    max_retention_days: Option<u32>,
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
}

impl Settings {
    pub(crate) fn check(self) -> Result<Checked, String> {
        none_of(&[
            (
                "zdr",
                self.zdr,
                "a target declares that, under `providers.targets`; here it is `require_zero_data_retention`",
            ),
            (
                "data_collection",
                self.data_collection,
                "a target declares that, under `providers.targets`; here it is `require_no_training`",
            ),
            (
                "data_policy",
                self.data_policy,
                "a target declares it, under `providers.targets`; here is what is asked of one",
            ),
            ("allowed_regions", self.allowed_regions, "say `regions`"),
        ])?;
        let needs = needs(
            "",
            self.require_zero_data_retention,
            self.max_retention_days,
            self.require_no_training,
            self.regions,
            self.targets,
        )?;
        let mut classes: Vec<Class> = Vec::new();
        for (index, said) in self.classes.into_iter().enumerate() {
            let class = said.check(&format!("classes[{index}]"))?;
            if classes.iter().any(|other| other.name == class.name) {
                return Err(format!(
                    "`classes[{index}].name`: there is a class `{}` already; put its signs together",
                    class.name
                ));
            }
            classes.push(class);
        }
        if needs.is_none() && classes.is_empty() {
            return Err(
                "nothing is asked of any target; say `require_no_training: true`, `max_retention_days: N`, `regions: [...]` or `classes`, or take \
                 the stage out of the chain"
                    .into(),
            );
        }
        Ok(Checked {
            needs,
            classes,
            trusts_silence: self.undeclared == Undeclared::Allow,
            warns: self.on_no_compliant_provider == NoneLeft::Warn,
            logs: self.log_provider_selection,
        })
    }
}

fn needs(
    at: &str,
    zero: bool,
    most_days: Option<u32>,
    no_training: bool,
    regions: Vec<String>,
    targets: Vec<String>,
) -> Result<Needs, String> {
    let most_days = match (zero, most_days) {
        (true, Some(days)) if days > 0 => {
            return Err(format!(
                "`{at}max_retention_days`: {days} days aren't none, which `require_zero_data_retention` asks for; leave one of them out"
            ));
        }
        (true, _) => Some(0),
        (false, days) => days,
    };
    for (key, list) in [("regions", &regions), ("targets", &targets)] {
        if list.iter().any(String::is_empty) {
            return Err(format!(
                "`{at}{key}`: an empty name is nobody's; leave it out"
            ));
        }
    }
    Ok(Needs {
        most_days,
        no_training,
        regions,
        targets,
    })
}

impl SaidClass {
    fn check(self, at: &str) -> Result<Class, String> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let begins = self.name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !(1..=40).contains(&self.name.len()) || !begins || !self.name.bytes().all(plain) {
            return Err(format!(
                "`{at}.name`: `{}` can't be a part of a finding's code; it has 1 to 40 of a-z, 0-9, `.`, `_` and `-`",
                self.name
            ));
        }
        let signs = self.keywords.len()
            + self.patterns.len()
            + self.headers.len()
            + self.tags.len()
            + self.teams.len();
        if signs == 0 {
            return Err(format!(
                "`{at}`: nothing tells it; say `keywords`, `patterns`, `headers`, `tags` or `teams`"
            ));
        }
        if self
            .keywords
            .iter()
            .any(|keyword| keyword.trim().is_empty())
        {
            return Err(format!(
                "`{at}.keywords`: every text has an empty one in it; leave it out"
            ));
        }
        let mut patterns = Vec::new();
        for (index, pattern) in self.patterns.iter().enumerate() {
            let place = format!("{at}.patterns[{index}]");
            let compiled = Regex::new(pattern).map_err(|why| format!("`{place}`: {why}"))?;
            if compiled.is_match("") {
                return Err(format!(
                    "`{place}`: it matches every text; let it need a character"
                ));
            }
            patterns.push(compiled);
        }
        let needs = needs(
            &format!("{at}."),
            self.require_zero_data_retention,
            self.max_retention_days,
            self.require_no_training,
            self.regions,
            self.targets,
        )?;
        if needs.is_none() {
            return Err(format!(
                "`{at}`: nothing is asked of a target for it; say `require_zero_data_retention`, `max_retention_days`, `require_no_training`, \
                 `regions` or `targets`"
            ));
        }
        Ok(Class {
            name: self.name,
            keywords: self
                .keywords
                .iter()
                .map(|word| word.to_lowercase())
                .collect(),
            patterns,
            headers: self.headers.into_iter().collect(),
            tags: self.tags.into_iter().collect(),
            teams: self.teams,
            needs,
        })
    }
}
