//! The policy: values leave a request, and come back into its answer.

use std::cell::RefCell;
use std::rc::Rc;

use pii_entities::{Entity, Scope};
use witgate_policy::prelude::*;
use witgate_policy::redact::{Form, Redactor, redact_request};

use crate::placeholder;
use crate::settings::Settings;
use crate::vault::{Giver, Keeper, Vault};

/// Shows the model placeholders for personal data, and the client the data.
#[derive(Clone)]
pub struct PiiVault {
    scope: Scope,
    lenient: bool,
    hint: bool,
    /// The values of this exchange, once there are any.
    vault: Option<Rc<Vault>>,
}

impl Policy for PiiVault {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(PiiVault {
            scope: settings.scope()?,
            lenient: settings.lenient,
            hint: settings.hint,
            vault: None,
        })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_ANSWER
    }

    fn interest(&self) -> Option<String> {
        let values = pii_entities::expression(self.scope.entities);
        Some(format!("{values}|{}", placeholder::expression()))
    }

    fn on_request(&mut self) -> Verdict {
        let mut vault = Vault::default();
        for text in request::texts() {
            vault.spare(&text.text);
        }
        let keeper = Keeper {
            scope: self.scope,
            vault: RefCell::new(vault),
        };
        let done = redact_request(&keeper, true, &|kind| Entity::ALL[kind].label());
        for (kind, times) in done
            .counts
            .iter()
            .enumerate()
            .filter(|(_, times)| **times > 0)
        {
            let code = format!("vault.{}", Entity::ALL[kind].name());
            host::report(&Finding::new(code, *times).with_detail("in the request"));
        }
        if done.is_stuck {
            return Verdict::deny(
                "pii",
                "in a place where nothing else can be put, the request contains personal data or secrets",
            );
        }
        let vault = keeper.vault.into_inner();
        let Some(first) = vault.first() else {
            return Verdict::Proceed;
        };
        if self.hint {
            let mut example = String::new();
            placeholder::write(first, &mut example);
            let hint = format!(
                "Texts such as {example} stand for values that you are not shown. Where you need such a value, write its text exactly as it stands."
            );
            if let Err(why) = request::insert_message(0, Role::System, &hint) {
                host::log(Level::Debug, &format!("the hint can't be put: {why}"));
            }
        }
        self.vault = Some(Rc::new(vault));
        Verdict::Proceed
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let giver = Giver {
            vault: Rc::clone(self.vault.as_ref()?),
            lenient: self.lenient,
        };
        let redactor = Redactor::new(giver, Form::of(channel)).with_interest();
        Some(Box::new(Restoring(redactor)))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

/// One passage of an answer.
struct Restoring(Redactor<Giver>);

impl Passage<PiiVault> for Restoring {
    fn on_delta(&mut self, _policy: &mut PiiVault, text: &str) -> Edit {
        let edit = self.0.push(text);
        self.told(edit)
    }

    fn on_end(&mut self, _policy: &mut PiiVault, _finish: &str) -> Edit {
        let edit = self.0.finish();
        self.told(edit)
    }
}

impl Restoring {
    fn told(&mut self, edit: Edit) -> Edit {
        let restored = self.0.take_counts().iter().sum();
        if restored > 0 {
            host::report(&Finding::new("vault.restored", restored));
        }
        edit
    }
}
