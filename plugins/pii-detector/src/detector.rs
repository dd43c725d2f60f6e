//! The finder of entities, which also writes the text that replaces a match.

use sha2::{Digest, Sha256};
use witgate_policy::redact::{Finder, Named, Scan, View};

use pii_entities::{Entity, Scope};

use crate::settings::Format;

/// Finds entities.
#[derive(Clone)]
pub struct Detector {
    scope: Scope,
    format: Format,
    salt: String,
}

impl Detector {
    /// A detector of these. The salt is for [`Format::Hash`].
    pub fn new(scope: Scope, format: Format, salt: String) -> Detector {
        Detector {
            scope,
            format,
            salt,
        }
    }
}

impl Named for Detector {
    fn kinds(&self) -> usize {
        Entity::ALL.len()
    }

    fn name(&self, kind: usize) -> &str {
        Entity::ALL[kind].name()
    }

    fn label(&self, kind: usize) -> &str {
        Entity::ALL[kind].label()
    }
}

impl Finder for Detector {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        pii_entities::scan(self.scope, view, from)
    }

    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        let entity = Entity::ALL[kind];
        match self.format {
            Format::Label => out.extend(["[", entity.label(), "]"]),
            Format::Mask => mask(entity, value, out),
            Format::Hash => {
                let hash = Sha256::new()
                    .chain_update(&self.salt)
                    .chain_update(value)
                    .finalize();
                out.extend(["[", entity.label(), ":"]);
                for half in hash[..4].iter().flat_map(|byte| [byte >> 4, byte & 15]) {
                    out.extend(char::from_digit(u32::from(half), 16));
                }
                out.push(']');
            }
        }
    }
}

fn mask(entity: Entity, value: &str, out: &mut String) {
    let shown = match entity {
        Entity::Card | Entity::Iban | Entity::Ssn | Entity::Phone => 4,
        _ => 0,
    };
    let mut hidden = value.chars().filter(|c| c.is_alphanumeric()).count();
    hidden = hidden.saturating_sub(shown);
    for c in value.chars() {
        if c.is_alphanumeric() && hidden > 0 {
            hidden -= 1;
            out.push('*');
        } else {
            out.push(c);
        }
    }
}
