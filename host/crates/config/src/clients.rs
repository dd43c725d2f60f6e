//! `clients`: who may send requests.

use super::fields::Fields;
use super::secret::{self, SecretRef};
use std::path::Path;

/// One client: its id is the principal of its exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Unique among the clients.
    pub id: String,
    /// The key that the client shows.
    pub secret: SecretRef,
}

/// The most clients that there may be.
const MOST: usize = 4096;

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
        let Some(fields) = item.fields(&["id", "secret_ref"]) else {
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
                });
            }
            _ => complete = false,
        }
    }
    complete.then_some(clients)
}
