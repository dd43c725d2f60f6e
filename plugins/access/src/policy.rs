//! What is done with a request.

use std::collections::BTreeMap;
use std::rc::Rc;

use witgate_policy::prelude::*;

use crate::rules::{About, Asked, Rules};
use crate::settings::Settings;

/// The policy.
#[derive(Clone, Debug)]
pub struct Access {
    rules: Rc<Rules>,
}

impl Policy for Access {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let rules = Rc::new(settings.rules()?);
        Ok(Access { rules })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let asked = Asked {
            principal: request::principal(),
            team: request::team(),
            roles: request::roles(),
            written: request::model(),
            endpoint: request::endpoint(),
            at: request::received_at(),
        };
        let rules = self.rules.of(&asked);
        let targets = request::targets();
        let model_of = |target: &Target| target.model.clone();
        let first = targets.first().and_then(model_of);
        let model = first.unwrap_or_else(request::model);
        if let Some(rule) = rules.denies(About::Request, &model) {
            return denied(rule, "you may not use this model in this way now");
        }
        let tools = request::tools();
        let tool_denied = |model: &str| {
            let each = tools.iter().map(|tool| &*tool.name);
            each.filter_map(|name| Some((rules.denies(About::Tool(name), model)?, name)))
                .next()
        };
        if let Some((rule, name)) = tool_denied(&model) {
            let what = format!("you may not use the tool `{}` here", shown(name));
            return denied(rule, &what);
        }
        // A fallback may be asked for another model, which has rules of its own.
        let mut by_model = BTreeMap::from([(&*model, None)]);
        let mut first = None;
        let mut left = Vec::with_capacity(targets.len());
        // Fallbacks to another model alone would give it in the place of the one that is asked for, whenever it is asked for.
        let mut has_model = false;
        let asked = &*model;
        for target in &targets {
            let model = target.model.as_deref().unwrap_or(asked);
            let tools = || {
                *by_model
                    .entry(model)
                    .or_insert_with(|| tool_denied(model).map(|(rule, _)| rule))
            };
            match rules
                .denies(About::Target(&target.id), model)
                .or_else(tools)
            {
                None => {
                    has_model |= model == asked;
                    left.push(&*target.id);
                }
                Some(rule) => first = first.or(Some(rule)),
            }
        }
        match first {
            None => Verdict::Proceed,
            Some(_) if has_model && request::restrict_targets(&left).is_ok() => Verdict::Proceed,
            Some(rule) => denied(rule, "you may use none of the targets that have this model"),
        }
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").to_owned())
    }
}

/// Denied, by the rule of that name.
fn denied(rule: &str, what: &str) -> Verdict {
    let message = format!("Denied by the rule `{rule}` of this gateway's operator: {what}.");
    Verdict::deny(format!("access.{rule}"), message)
}

/// A name of the client's own, at a length that suits a sentence.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
