//! `admin`: who may use the admin listener.

use super::clients::{ClientKey, key, moment, optional};
use super::fields::{Field, Fields};
use std::fmt;
use std::path::Path;

/// A token of the admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// Unique among the tokens; the log names whoever changes something by it.
    pub id: String,
    /// How the token is known.
    pub key: ClientKey,
    /// What whoever shows it may do.
    pub role: AdminRole,
    /// From when on it isn't taken, in seconds since 1970.
    pub expires: Option<u64>,
}

/// What somebody may do at the admin listener. Each may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminRole {
    /// Reads state and metrics.
    Viewer,
    /// Reloads, rolls back, and has the targets asked.
    Operator,
}

impl AdminRole {
    /// Both, by the words of the configuration.
    const WORDS: [(&'static str, AdminRole); 2] = [
        ("viewer", AdminRole::Viewer),
        ("operator", AdminRole::Operator),
    ];
}

impl fmt::Display for AdminRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdminRole::Viewer => "viewer",
            AdminRole::Operator => "operator",
        })
    }
}

/// The most tokens that there may be.
const MOST: usize = 256;

/// Reads `admin` out of the document. Without it there are no tokens.
pub(super) fn read(document: &Fields<'_>, base: &Path) -> Option<Vec<AdminToken>> {
    let Some(field) = document.get("admin") else {
        return Some(Vec::new());
    };
    let fields = field.fields(&["tokens"])?;
    let field = fields.required("tokens")?;
    let items = field.items_up_to(MOST)?;
    if items.is_empty() {
        field.problem(
            "with no token in it nobody could use the admin listener; name one, or leave `admin` out",
        );
        return None;
    }
    let mut tokens: Vec<AdminToken> = Vec::new();
    let mut complete = true;
    for item in &items {
        match token(item, &tokens, base) {
            Some(token) => tokens.push(token),
            None => complete = false,
        }
    }
    complete.then_some(tokens)
}

fn token(item: &Field<'_>, before: &[AdminToken], base: &Path) -> Option<AdminToken> {
    let fields = item.fields(&["id", "secret_ref", "hash", "role", "expires"])?;
    let id = fields.required("id").and_then(|id| {
        let text = id.id()?;
        if before.iter().any(|token| token.id == text) {
            id.problem(format!("there is a token `{text}` already; ids are unique"));
            return None;
        }
        Some(text.to_owned())
    });
    let known = before.iter().map(|token| (&*token.id, &token.key));
    let key = key(&fields, "token", known, base);
    let role = fields.required("role");
    let role = role.and_then(|role| role.one_of(&AdminRole::WORDS, &[]));
    let expires = optional(&fields, "expires", moment);
    Some(AdminToken {
        id: id?,
        key: key?,
        role: role?,
        expires: expires?,
    })
}
