//! The finder of secrets, which also writes the text that replaces one.

use secret_rules::{GENERIC, MARKS, Scope};
use sha2::{Digest, Sha256};
use witgate_policy::patterns::{self, At, Bytes, Cursor, More, Recognisers, Word};
use witgate_policy::redact::{Finder, Named, Scan, View};

use crate::policy::{Format, Generic, Settings};

/// Finds secrets. The kind of a match is its rule's number.
#[derive(Clone, Debug)]
pub struct SecretFinder {
    scope: Scope,
    keeps_generic: bool,
    /// Rules that aren't looked for, by number.
    ignored: Vec<usize>,
    /// Values that may pass.
    allowed: Vec<String>,
    format: Format,
    salt: String,
}

impl SecretFinder {
    pub(crate) fn new(settings: &Settings) -> SecretFinder {
        let is_ignored = |rule: &usize| {
            let name = secret_rules::name(*rule);
            settings.ignore.iter().any(|ignored| ignored == name)
        };
        SecretFinder {
            scope: Scope {
                named: true,
                generic: settings.generic != Generic::Off,
            },
            keeps_generic: settings.generic == Generic::Report,
            ignored: (0..secret_rules::RULES).filter(is_ignored).collect(),
            allowed: settings.allow.clone(),
            format: settings.format,
            salt: settings.salt.clone(),
        }
    }

    /// A finder of whatever there are rules for.
    #[must_use]
    pub fn of_all() -> SecretFinder {
        SecretFinder::new(&Settings {
            generic: Generic::Report,
            ..Settings::default()
        })
    }

    /// What a word has in it where a secret may be.
    pub(crate) fn interest(&self) -> String {
        // JSON begins at a bracket, and an escape may stand for any letter.
        format!(r"[{{\[]|\\u|{}", secret_rules::expression(self.scope))
    }
}

impl Recognisers for SecretFinder {
    type Memory = ();
    const MARKS: Bytes = MARKS;

    fn at(&self, cursor: &Cursor<'_>, word: &Word, _: &mut ()) -> Result<Option<At>, More> {
        let Some(found) = secret_rules::find(cursor, word, self.scope)? else {
            return Ok(None);
        };
        let value = cursor.from(found.start).text_to(found.end);
        if self.ignored.contains(&found.rule) || self.allowed.iter().any(|one| one == value) {
            return Ok(None);
        }
        Ok(Some(At::Found {
            start: found.start,
            end: found.end,
            kind: found.rule,
        }))
    }
}

impl Finder for SecretFinder {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        patterns::scan(self, view, from)
    }

    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        out.push_str("[SECRET:");
        match self.format {
            Format::Label => out.push_str(secret_rules::name(kind)),
            Format::Hash => {
                let hash = Sha256::new()
                    .chain_update(&self.salt)
                    .chain_update(value)
                    .finalize();
                for half in hash[..4].iter().flat_map(|byte| [byte >> 4, byte & 15]) {
                    out.extend(char::from_digit(u32::from(half), 16));
                }
            }
        }
        out.push(']');
    }

    fn keeps(&self, kind: usize) -> bool {
        self.keeps_generic && kind == GENERIC
    }
}

impl Named for SecretFinder {
    fn kinds(&self) -> usize {
        secret_rules::RULES
    }

    fn name(&self, kind: usize) -> &str {
        secret_rules::name(kind)
    }

    fn label(&self, _kind: usize) -> &str {
        "SECRET"
    }
}
