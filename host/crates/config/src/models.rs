//! `models`: what models are called here, beside their own names.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::nearest::suggestion;
use super::targets::{TargetConfig, after_provider};

/// The most aliases that there may be.
const MOST: usize = 1024;

/// What models are called here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelsConfig {
    /// Other names of models, and the names that they stand for. None of them stands for another alias.
    pub aliases: BTreeMap<String, String>,
}

/// Reads `models` out of the document. Without it there are no aliases.
pub(super) fn read(
    document: &Fields<'_>,
    targets: Option<&[TargetConfig]>,
) -> Option<ModelsConfig> {
    let Some(field) = document.get("models") else {
        return Some(ModelsConfig::default());
    };
    let fields = field.fields(&["aliases"])?;
    let Some(aliases) = fields.get("aliases") else {
        return Some(ModelsConfig::default());
    };
    let entries = aliases.entries()?;
    if entries.len() > MOST {
        aliases.problem(format!(
            "expected at most {MOST} entries, found {}",
            entries.len()
        ));
        return None;
    }
    let targets = targets.unwrap_or_default();
    let mut found = BTreeMap::new();
    let mut complete = true;
    for (alias, field) in &entries {
        let Some(model) = field.text_within(1..=200) else {
            complete = false;
            continue;
        };
        let is_alias = |name: &str| entries.iter().any(|(alias, _)| *alias == name);
        let chained = [model, after_provider(model, targets)]
            .into_iter()
            .find(|name| is_alias(name));
        let taken = targets.is_empty()
            || targets.iter().any(|target| {
                let pinned = target.model.as_deref();
                pinned
                    .is_none_or(|pinned| [model, after_provider(model, targets)].contains(&pinned))
            });
        let pinned = targets
            .iter()
            .find(|target| target.model.as_deref() == Some(*alias));
        if !is_name(alias) {
            field.problem_at_key(
                "an alias is a text of 1 to 200 characters, none of them a control character",
            );
        } else if let Some(chained) = chained {
            field.problem(format!(
                "`{chained}` is an alias itself; write the name of the model that is meant"
            ));
        } else if !is_name(model) {
            field.problem("a model's name has no control characters");
        } else if let Some(target) = pinned {
            field.problem_at_key(format!(
                "`{alias}` is the model of the target `{}`, which this alias would hide; give the alias another name",
                target.id
            ));
        } else if !taken {
            let models: Vec<&str> = targets
                .iter()
                .filter_map(|target| target.model.as_deref())
                .collect();
            field.problem(format!(
                "no target takes `{model}`, for each is pinned to another model{}",
                suggestion(model, &models)
            ));
        } else {
            found.insert((*alias).to_owned(), model.to_owned());
            continue;
        }
        complete = false;
    }
    complete.then_some(ModelsConfig { aliases: found })
}

/// Whether a text may name a model.
fn is_name(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control)
}
