//! Whose a sum is.

use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use witgate_policy::request;

/// What a sum is kept for each of.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Each client.
    Principal,
    /// Each team.
    Team,
    /// Each model.
    Model,
}

/// Who asks, and for what: read once in an exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The client.
    pub principal: Option<String>,
    /// Its team.
    pub team: Option<String>,
    /// The model that will be asked first, whatever the client calls it; empty where no target takes the request.
    pub model: String,
    /// The operator is known to have named that model: it has a sum of its own. Where a target takes any model, clients make names up, and
    /// each would be a sum in the store.
    pub listed: bool,
}

impl Asked {
    /// Of this exchange.
    #[must_use]
    pub fn read() -> Asked {
        let first = request::targets().into_iter().next();
        // What no target takes is refused later.
        let model = first.map(|target| target.model.unwrap_or_else(request::model));
        let model = model.unwrap_or_default();
        Asked {
            principal: request::principal(),
            team: request::team(),
            listed: !is_clients_word(&model) || request::cost_of(&model, 0, 0).is_some(),
            model,
        }
    }
}

/// Whether it is nothing but what the client wrote, with or without a provider before it. What an alias or a target put in its place isn't.
fn is_clients_word(model: &str) -> bool {
    let written = request::model();
    let before = written.strip_suffix(model);
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// For whom a limit is, and for each of what it counts apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Who {
    /// A sum for each of these; one for all where it is empty.
    pub by: Vec<By>,
    /// Of these clients alone; of all where it is empty.
    pub principals: Vec<String>,
    /// Of these teams alone.
    pub teams: Vec<String>,
    /// Of these models alone.
    pub models: Vec<String>,
}

impl Who {
    /// Whether it is about this exchange.
    #[must_use]
    pub fn concerns(&self, asked: &Asked) -> bool {
        let named = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|one| one == value))
        };
        named(&self.principals, asked.principal.as_deref())
            && named(&self.teams, asked.team.as_deref())
            && named(&self.models, Some(&asked.model))
    }

    /// Whether the model, which it is about, has a sum of its own.
    fn lists(&self, asked: &Asked) -> bool {
        asked.listed || !self.models.is_empty()
    }

    /// The key of this exchange's sum. Those who have no principal, or no team, share one, and so do models that nobody listed.
    #[must_use]
    pub fn key(&self, name: &str, asked: &Asked) -> String {
        let mut key = name.to_owned();
        for by in &self.by {
            let (letter, value) = match by {
                By::Principal => ('p', asked.principal.as_deref()),
                By::Team => ('t', asked.team.as_deref()),
                By::Model => ('m', self.lists(asked).then_some(&*asked.model)),
            };
            key.push('/');
            key.push(letter);
            if let Some(value) = value {
                key.push('=');
                push(&mut key, value);
            }
        }
        key
    }

    /// For people: `this client and model`.
    #[must_use]
    pub fn named(&self, asked: &Asked) -> String {
        let mut words = Vec::new();
        for by in &self.by {
            words.push(match (by, &asked.principal, &asked.team) {
                (By::Principal, Some(_), _) => "this client",
                (By::Principal, None, _) => "clients without a name",
                (By::Team, _, Some(_)) => "this team",
                (By::Team, _, None) => "clients without a team",
                (By::Model, ..) if self.lists(asked) => "this model",
                (By::Model, ..) => "all other models",
            });
        }
        if words.is_empty() {
            return "all clients together".into();
        }
        words.join(" and ")
    }

    /// # Errors
    ///
    /// What can't be: the same twice, an empty name.
    pub fn check(&self, at: &str) -> Result<(), String> {
        for (index, by) in self.by.iter().enumerate() {
            if self.by[..index].contains(by) {
                return Err(format!("`{at}.by`: it names the same twice; leave one out"));
            }
        }
        for (key, list) in [
            ("principals", &self.principals),
            ("teams", &self.teams),
            ("models", &self.models),
        ] {
            if list.iter().any(String::is_empty) {
                return Err(format!(
                    "`{at}.{key}`: an empty name is nobody's; leave it out"
                ));
            }
        }
        Ok(())
    }
}

/// The most bytes that a name takes in a key, of which there may be three in the 256 of one.
const LONGEST: usize = 56;

/// Writes a name so that no two come to the same. What is long, or isn't made of the letters of ids, is told by its hash.
fn push(key: &mut String, value: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:+".contains(&byte);
    if value.len() <= LONGEST && value.bytes().all(plain) {
        key.push_str(value);
        return;
    }
    key.push('#');
    for byte in Sha256::digest(value) {
        let _ = write!(key, "{byte:02x}");
    }
}
