#![expect(clippy::unwrap_used, reason = "a test")]

mod chunking;
mod entities;
mod interest;
mod json;
mod linear;
mod policy;
mod streams;

use witgate_policy::redact::{Form, Redactor, redact_all};

use crate::{Detector, Entity, Format, Scope, Set};

/// All there is, so that streams and cuts are tried with it.
fn scope() -> Scope {
    Scope {
        entities: Set::from_iter(Entity::ALL),
        private_ips: true,
        ..Scope::default()
    }
}

fn detector() -> Detector {
    Detector::new(scope(), Format::Label, String::new())
}

fn redacted(text: &str) -> String {
    redact_all(detector(), Form::Text, text).unwrap_or_else(|| text.into())
}

fn passage(form: Form) -> Redactor<Detector> {
    Redactor::new(detector(), form)
}
