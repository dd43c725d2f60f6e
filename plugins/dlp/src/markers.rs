//! What documents are classified by.

use crate::settings::Level;

/// Lists of words.
type Lists = &'static [&'static [&'static str]];

/// The phrases of a level, and the words that must stand in capitals.
pub(crate) fn of(level: Level) -> (Lists, Lists) {
    match level {
        Level::Standard => (&[], &[]),
        Level::High => (&[PHRASES_OF_HIGH], &[CAPITALS_OF_HIGH]),
        Level::Restricted => (
            &[PHRASES_OF_HIGH, PHRASES_OF_RESTRICTED],
            &[CAPITALS_OF_HIGH, CAPITALS_OF_RESTRICTED],
        ),
    }
}

/// Phrases that nobody writes but to classify, in any case.
const PHRASES_OF_HIGH: &[&str] = &[
    "strictly confidential",
    "highly confidential",
    "company confidential",
    "commercial in confidence",
    "confidential and proprietary",
    "proprietary and confidential",
    "privileged and confidential",
    "attorney client privileged",
    "internal use only",
    "internal only",
    "official use only",
    "official sensitive",
    "eyes only",
    "top secret",
    "streng vertraulich",
    "strictement confidentiel",
    "usage interne uniquement",
    "estrictamente confidencial",
    "tlp:red",
    "tlp:amber",
    "tlp:amber+strict",
];

/// Words of every day, which classify where they stand in capitals.
const CAPITALS_OF_HIGH: &[&str] = &[
    "CONFIDENTIAL",
    "SECRET",
    "RESTRICTED",
    "VERTRAULICH",
    "GEHEIM",
    "CONFIDENTIEL",
    "CONFIDENCIAL",
];

/// The same of those that are more often harmless: at the highest level alone.
const CAPITALS_OF_RESTRICTED: &[&str] = &[
    "INTERNAL",
    "SENSITIVE",
    "PROPRIETARY",
    "PRIVATE",
    "INTERN",
    "INTERNE",
];

/// The same, in any case.
const PHRASES_OF_RESTRICTED: &[&str] = &[
    "classification: confidential",
    "classification: secret",
    "classification: internal",
    "classification: restricted",
    "classified as confidential",
    "classified as internal",
    "classified as restricted",
    "classified as secret",
    "[confidential]",
    "[internal]",
    "[restricted]",
    "trade secret",
    "proprietary information",
    "tlp:green",
    "do not distribute",
    "not for distribution",
    "not for public release",
    "nur für den dienstgebrauch",
    "nur für den internen gebrauch",
    "solo para uso interno",
];
