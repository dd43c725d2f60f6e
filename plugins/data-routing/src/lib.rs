//! Requests go to those targets alone that promise to handle their data as it must be handled: every request, and more so what something
//! was found in.
//!
//! What must stay true: what isn't declared isn't promised, unless the settings say so by name; and a request that no target may be sent isn't
//! sent.
//!
//! - `needs` is what a target must promise.
//! - `class` is what tells that a request is of a kind.
//! - `settings` is what the operator says, and what is wrong with it.

mod class;
mod needs;
mod settings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::rc::Rc;

use witgate_policy::prelude::*;
use witgate_policy::redact;

use class::Class;
use needs::Needs;
pub use settings::Settings;

/// The policy.
#[derive(Clone, Debug)]
pub struct DataRouting(Rc<Checked>);

/// The settings, checked.
#[derive(Debug)]
struct Checked {
    /// Of every request.
    needs: Needs,
    classes: Vec<Class>,
    /// A target that says nothing of what is asked may be sent it all the same.
    trusts_silence: bool,
    /// A request that no target may be sent goes on, and it is told.
    warns: bool,
    logs: bool,
}

impl Policy for DataRouting {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(DataRouting(Rc::new(settings.check()?)))
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let settings = &*self.0;
        let found = settings.classes_of();
        for class in &found {
            report(format!("data-routing.{}", class.name), 1);
            // There may be too many tags, which changes nothing of where it goes.
            let _ = request::tag("data-class", &class.name);
        }
        let targets = request::targets();
        if targets.is_empty() {
            // No target takes the model, which is told later.
            return Verdict::Proceed;
        }
        let kept: Vec<&Target> = settings.kept(&targets, &settings.needs);
        // Fallbacks to another model alone would give it in the place of the one that is asked for.
        let model = targets.first().and_then(|first| first.model.as_ref());
        let has_model = |target: &&&Target| target.model.as_ref() == model;
        let kept = match kept.iter().any(|target| has_model(&target)) {
            true => kept,
            false => Vec::new(),
        };
        let kept_by_all: Vec<&Target> = kept
            .iter()
            .copied()
            .filter(|target| {
                let promises =
                    |class: &&Class| class.needs.unmet(target, settings.trusts_silence).is_none();
                found.iter().all(promises)
            })
            .collect();
        if settings.logs {
            settings.log(&targets, &found);
        }
        if !kept_by_all.iter().any(|target| has_model(&target)) {
            return settings.none_left(&kept, &found);
        }
        if kept_by_all.len() == targets.len() {
            return Verdict::Proceed;
        }
        match request::restrict_targets(kept_by_all.iter().map(|target| &target.id)) {
            Ok(()) => Verdict::Proceed,
            Err(_) => settings.none_left(&kept, &found),
        }
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Checked {
    /// The kinds that this request is of.
    fn classes_of(&self) -> Vec<&Class> {
        if self.classes.is_empty() {
            return Vec::new();
        }
        let reads = self.classes.iter().any(Class::reads_texts);
        let texts = if reads { readings() } else { Vec::new() };
        let is_one = |class: &&Class| class.is_of(&texts);
        self.classes.iter().filter(is_one).collect()
    }

    fn kept<'a>(&self, targets: &'a [Target], needs: &Needs) -> Vec<&'a Target> {
        let promises = |target: &&Target| needs.unmet(target, self.trusts_silence).is_none();
        targets.iter().filter(promises).collect()
    }

    /// `kept`: what is left by what every request needs.
    fn none_left(&self, kept: &[&Target], found: &[&Class]) -> Verdict {
        if self.warns {
            report("data-routing.no-target", 1);
            log::warn!("no target may be sent this request, and it goes on, as `warn` says");
            return Verdict::Proceed;
        }
        if kept.is_empty() {
            // Nothing that the client asks would be sent.
            let why = format!(
                "no target of this model may be sent data: {}",
                self.needs.sentence()
            );
            let denial = Denial::new("data-routing.no-target", why);
            return denial.with_status(503).into();
        }
        let needs: Vec<String> = found
            .iter()
            .map(|class| format!("{} ({})", class.name, class.needs.sentence()))
            .collect();
        let why = format!(
            "no target of this model may be sent what is {}",
            needs.join(" and ")
        );
        Denial::new("data-routing.denied", why).into()
    }

    fn log(&self, targets: &[Target], found: &[&Class]) {
        for target in targets {
            let needs = [&self.needs]
                .into_iter()
                .chain(found.iter().map(|class| &class.needs));
            let unmet = needs
                .filter_map(|needs| needs.unmet(target, self.trusts_silence))
                .next();
            match unmet {
                None => log::info!("target `{}` may be sent it", target.id),
                Some(why) => log::info!("target `{}` may not be sent it: {why}", target.id),
            }
        }
    }
}

/// Every string of the request in each way in which a model may read it: as it stands, joined to the parts of the message beside it, and as the JSON
/// that may be in it.
fn readings() -> Vec<String> {
    let texts = request::texts();
    let mut all = redact::joined_parts(&texts);
    all.extend(texts.into_iter().map(|text| text.text));
    let decoded = all.iter().filter_map(|text| match redact::unescaped(text) {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    });
    let decoded: Vec<String> = decoded.collect();
    all.extend(decoded);
    all
}

witgate_policy::export!(DataRouting);
