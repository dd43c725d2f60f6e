//! What a word must have in it for a value to be in a text: an expression for single words, which the host looks for.
//!
//! Nearly every value has a digit or an `@`. Beside these, what begins a key; the words that announce a number, or say that the next one is
//! a version; and where JSON begins, since what is put into it is written as it stands there.

use crate::entity::Entity;
use crate::settings::Set;

/// The expression.
pub(crate) fn expression(entities: Set) -> String {
    use Entity::{ApiKey, Card, Email, Iban, Ip, Phone, Ssn};
    let any = |some: &[Entity]| some.iter().any(|entity| entities.has(*entity));
    // An escape may stand for an `@`.
    let mut parts = vec![r"[{\[]", r"\\u"];
    if any(&[Card, Iban, Ssn, Ip, Phone, ApiKey]) {
        parts.push("[0-9]");
    }
    if any(&[Email, ApiKey]) {
        parts.push("@");
    }
    if any(&[ApiKey]) {
        parts.push("-----BEGIN|eyJ|A[KS]IA|AIza|gh[pousr]_|github_pat_");
    }
    if any(&[Ssn]) {
        parts.push(r"(?i-u:\b(?:ssn|security|social_security_number)\b)");
    }
    if any(&[Ip]) {
        parts.push(r"(?i-u:\b(?:versions?|ver|release|build)\b)");
    }
    parts.join("|")
}
