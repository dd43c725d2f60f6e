//! `clients`: who may send requests.

use super::fields::{Field, Fields};
use super::secret::{self, SecretRef};
use std::path::Path;

/// One client: its id is the principal of its exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Unique among the clients.
    pub id: String,
    /// The key that the client shows.
    pub secret: SecretRef,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// Its roles, each once.
    pub roles: Vec<String>,
}

/// The most clients that there may be.
const MOST: usize = 4096;
/// The most roles of one client.
const MOST_ROLES: usize = 64;
/// The longest name of a team or a role, in characters.
const LONGEST_NAME: usize = 128;

/// Reads `clients` out of the document. Without it there are no clients.
pub(super) fn read(document: &Fields<'_>, base: &Path) -> Option<Vec<ClientConfig>> {
    let Some(field) = document.get("clients") else {
        return Some(Vec::new());
    };
    let keys = field.fields(&["keys"])?.required("keys").cloned()?;
    let items = keys.items_up_to(MOST)?;
    if items.is_empty() {
        keys.problem(
            "with no client in it nobody could send a request; name one, or leave `clients` out",
        );
        return None;
    }
    let mut clients: Vec<ClientConfig> = Vec::new();
    let mut complete = true;
    for item in &items {
        let Some(fields) = item.fields(&["id", "secret_ref", "team", "roles"]) else {
            complete = false;
            continue;
        };
        let id = fields.required("id").and_then(|id| {
            let text = id.id()?;
            if clients.iter().any(|client| client.id == text) {
                id.problem(format!(
                    "there is a client `{text}` already; ids are unique"
                ));
                return None;
            }
            Some(text)
        });
        let reference = fields.required("secret_ref");
        let secret = reference.and_then(|field| secret::reference(field, "secret_ref", base));
        let team = fields.get("team").map(name);
        let roles = fields.get("roles").map(roles);
        if team == Some(None) || roles == Some(None) {
            complete = false;
        }
        match (id, secret) {
            (Some(id), Some(secret)) => {
                if let (Some(other), Some(field)) = (
                    clients.iter().find(|client| client.secret == secret),
                    reference,
                ) {
                    field.problem(format!(
                        "client `{}` has the same key; with one key the two can't be told apart",
                        other.id
                    ));
                    complete = false;
                }
                clients.push(ClientConfig {
                    id: id.to_owned(),
                    secret,
                    team: team.flatten(),
                    roles: roles.flatten().unwrap_or_default(),
                });
            }
            _ => complete = false,
        }
    }
    complete.then_some(clients)
}

/// The name of a team or a role.
fn name(field: &Field<'_>) -> Option<String> {
    let text = field.text_within(1..=LONGEST_NAME)?;
    if text.chars().any(char::is_control) || text.trim() != text {
        field.problem("a team's or role's name has no control characters, and no space around it");
        return None;
    }
    Some(text.to_owned())
}

fn roles(field: &Field<'_>) -> Option<Vec<String>> {
    let items = field.items_up_to(MOST_ROLES)?;
    let mut roles: Vec<String> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        match name(item) {
            Some(role) if roles.contains(&role) => {
                item.problem(format!("the role `{role}` stands here already"));
                complete = false;
            }
            Some(role) => roles.push(role),
            None => complete = false,
        }
    }
    complete.then_some(roles)
}
