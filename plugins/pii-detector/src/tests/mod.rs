#![expect(clippy::unwrap_used, reason = "a test")]

mod chunking;
mod entities;
mod interest;
mod json;
mod linear;
mod policy;
mod streams;

use witgate_policy::redact::{Form, Redactor, redact_all};

use crate::{Detector, Format, Set};

fn detector() -> Detector {
    Detector::new(Set::default(), Format::Label, String::new())
}

fn redacted(text: &str) -> String {
    redact_all(detector(), Form::Text, text).unwrap_or_else(|| text.into())
}

fn passage(form: Form) -> Redactor<Detector> {
    Redactor::new(detector(), form)
}
