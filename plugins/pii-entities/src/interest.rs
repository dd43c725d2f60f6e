//! What a word must have in it for a value to be in a text: an expression for single words, which the host looks for.
//!
//! Nearly every value has a digit or an `@`. Beside these, what begins a key; the words that announce a number, or say that the next one is
//! a version; and where JSON begins, since what is put into it is written as it stands there.

use crate::entity::Entity;
use crate::find::announced_by;
use crate::scope::Set;

/// The expression.
pub fn expression(entities: Set) -> String {
    use Entity::{ApiKey, Email, Ip, Ssn};
    let any = |some: &[Entity]| some.iter().any(|entity| entities.has(*entity));
    let keys = secret_rules::expression(secret_rules::Scope::PREFIXED);
    let announced = announced_by(|topic| entities.has(topic.entity()));
    // An escape may stand for an `@`, and for the space before a word that announces a number: `\nSSN: ...`.
    let mut parts = vec![r"[{\[]", r"\\"];
    if Entity::ALL
        .iter()
        .any(|one| *one != Email && entities.has(*one))
    {
        parts.push("[0-9]");
    }
    if any(&[Email]) {
        parts.push("@|%40");
    }
    if any(&[ApiKey]) {
        parts.push(&keys);
    }
    if any(&[Ssn]) {
        parts.push(r"(?i-u:\b(?:ssn|security|social_security_number)\b)");
    }
    if any(&[Ip]) {
        parts.push(r"(?i-u:\b(?:versions?|ver|release|build)\b)");
    }
    if !announced.is_empty() {
        parts.push(&announced);
    }
    parts.join("|")
}
