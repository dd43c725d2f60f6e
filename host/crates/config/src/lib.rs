//! `policy-config.yaml`: from text to a checked [`Config`].
//!
//! Reading is strict: an unknown key, an unknown value or a reference to nothing is an error that says where it is and what
//! was most likely meant. Nothing is substituted and no secret is read here: the text says where a secret is, and
//! [`SecretRef::read`] reads it when it is needed. What must stay true: a `Config` that exists is complete, and every id
//! that it refers to exists in it.

mod admin;
mod clients;
mod data_policy;
mod error;
mod exec;
mod fields;
mod file;
mod headers;
mod health_check;
mod hedging;
mod http;
mod isolation;
mod journal;
mod kept;
mod limits;
mod manifest;
mod models;
mod nearest;
mod pack;
mod pem;
mod places;
mod pricing;
mod reload;
mod requests;
mod retries;
mod routing;
mod schema;
mod secret;
mod stages;
mod state;
mod store;
mod targets;
mod tls;
mod tree;
mod units;
mod usable;
mod vault;

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

pub use admin::{AdminRole, AdminToken};
pub use clients::{
    Claims, ClientConfig, ClientKey, ClientMetrics, JwksSource, JwtAlgorithm, JwtConfig,
    parse_moment,
};
pub use data_policy::DataPolicy;
pub use error::{ConfigError, Position, Problem};
pub use exec::ExecRef;
pub use file::{FileStamp, read_file, read_file_within};
pub use health_check::HealthCheckConfig;
pub use hedging::HedgingConfig;
pub use http::{HttpConfig, HttpHost};
pub use isolation::{Isolation, Reuse};
pub use journal::JournalConfig;
pub use kept::{Renewal, SecretState};
pub use limits::{LeastLimits, Limits};
pub use manifest::{Manifest, NeededGrant, PolicyFile};
pub use models::ModelsConfig;
pub use pack::Pack;
pub use pem::{PemError, PemFile};
pub use places::Places;
pub use pricing::{Price, PricingConfig};
pub use reload::ReloadConfig;
pub use requests::{OpaqueParts, RequestsConfig};
pub use retries::RetriesConfig;
pub use routing::{BreakerConfig, Strategy};
pub use schema::{Mismatch, Part, mismatches};
pub use secret::{Secret, SecretError, SecretRef};
pub use stages::{BUNDLED, ComponentSource, Grant, Mode, OnError, StageConfig};
pub use state::StateConfig;
pub use targets::{KeyConfig, Parameters, TargetConfig, Timeouts, UnknownMembers};
pub use tls::{IdentityFiles, TlsConfig};
pub use units::size as parse_size;
pub use usable::{NoUsableTarget, Usable, UsableTarget};
pub use vault::{VaultAuth, VaultRef, VaultServer};

use fields::{Field, Report};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use tree::{Locator, NodePath, TreeError};

/// The text of the built-in default.
pub const EMBEDDED: &str = include_str!("../../../../policy-config.yaml");

/// The largest configuration file, in bytes.
const LARGEST: usize = 4 << 20;

/// A whole configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The configuration's own name and version.
    pub pack: Pack,
    /// The chain, in order.
    pub stages: Vec<StageConfig>,
    /// The order of the stages for answers, where it differs from the chain's: the ids of all stages.
    pub answers: Option<Vec<String>>,
    /// The client's headers that policies may read, in small letters.
    pub headers: Arc<[String]>,
    /// The upstreams, in order. The list may be empty, because a simulated upstream needs none.
    pub targets: Vec<TargetConfig>,
    /// Which of those that take a model is asked first.
    pub strategy: Strategy,
    /// When a request that got no answer from them is sent again.
    pub retries: RetriesConfig,
    /// When a request whose answer is late is sent to another one as well. `None`: never.
    pub hedging: Option<HedgingConfig>,
    /// Who may send requests, by key. Without any, and without `jwt`, anyone who can reach the listener may.
    pub clients: Vec<ClientConfig>,
    /// Who may send requests, by a token of an identity provider.
    pub jwt: Option<JwtConfig>,
    /// By how many names of who asked requests are counted.
    pub client_metrics: ClientMetrics,
    /// Who may use the admin listener. Without any, whoever reaches it.
    pub admin: Vec<AdminToken>,
    /// Where journal entries are kept, and for how long.
    pub journal: JournalConfig,
    /// Where what policies keep from one exchange to the next is.
    pub state: StateConfig,
    /// How a new chain replaces a running one.
    pub reload: ReloadConfig,
    /// What of a request goes on, beside what the stages say of it.
    pub requests: RequestsConfig,
    /// What models are called here, beside their own names.
    pub models: ModelsConfig,
    /// What tokens cost.
    pub pricing: PricingConfig,
    /// Exchanges to test the chain with, as they stand in the file. Nothing that serves reads them.
    pub testing: Option<serde_json::Value>,
    /// Where its parts stand.
    pub places: Places,
}

impl Config {
    /// Reads and checks the file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// When the file can't be read, or has problems.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let origin = path.display().to_string();
        let bytes = read_text(path, &origin)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let byte = error.valid_up_to();
            let line = bytes[..byte].iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::NotUtf8 {
                origin: origin.clone(),
                line,
                byte,
            }
        })?;
        let unreadable = |source| ConfigError::Unreadable {
            origin: origin.clone(),
            source,
        };
        let path = std::path::absolute(path).map_err(unreadable)?;
        let base = path.parent().unwrap_or(&path);
        Config::parse(text, &origin, base)
    }

    /// Checks a text. Messages call it `origin`; relative paths in it start at `base`.
    ///
    /// # Errors
    /// When the text has problems; the error lists all of them.
    pub fn parse(text: &str, origin: &str, base: &Path) -> Result<Config, ConfigError> {
        let config = checked(text, origin, |document, position| {
            read(document, base, position)
        })?;
        let places = Places::new(origin, text);
        Ok(Config { places, ..config })
    }

    /// The built-in default: every bundled policy in front of Cerebras.
    ///
    /// # Errors
    /// Never, as a test holds; the text is checked like any other.
    pub fn embedded() -> Result<Config, ConfigError> {
        Config::parse(EMBEDDED, "the built-in default", Path::new("."))
    }

    /// Replaces the address of every target by a simulator's, and removes the keys, those too that are shown for policies. Without any target, one is added.
    pub fn stand_in(&mut self, base_url: &url::Url) {
        for target in &mut self.targets {
            target.base_url = base_url.clone();
            target.simulated = true;
            target.keys.clear();
            target.tls = TlsConfig::default();
        }
        for stage in &mut self.stages {
            for host in stage.http.iter_mut().flat_map(|http| &mut http.hosts) {
                (host.secret, host.secret_header) = (None, None);
            }
        }
        if self.targets.is_empty() {
            self.targets.push(TargetConfig {
                id: "simulator".to_owned(),
                provider: "cerebras".to_owned(),
                model: None,
                base_url: base_url.clone(),
                simulated: true,
                keys: Vec::new(),
                weight: 1,
                breaker: BreakerConfig::default(),
                health_check: None,
                data_policy: DataPolicy::default(),
                timeouts: Timeouts::default(),
                unknown_members: UnknownMembers::default(),
                parameters: Parameters::usual("cerebras"),
                tls: TlsConfig::default(),
                http2: true,
            });
        }
    }

    /// Whether it says who may send requests.
    pub fn knows_clients(&self) -> bool {
        !self.clients.is_empty() || self.jwt.is_some()
    }

    /// Where its secrets are to be found: those of targets, then those of clients and of the admin listener, then those that are shown for policies.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let keys = self.targets.iter().flat_map(|target| &target.keys);
        let clients = self.clients.iter().map(|client| &client.key);
        let admin = self.admin.iter().map(|token| &token.key);
        let clients = clients.chain(admin).filter_map(|key| match key {
            ClientKey::Secret(secret) => Some(secret),
            ClientKey::Hash(_) => None,
        });
        let asked = self.stages.iter().flat_map(|stage| &stage.http);
        let shown = asked.flat_map(|http| &http.hosts);
        let shown = shown.filter_map(|host| host.secret.as_ref());
        keys.map(|key| &key.secret).chain(clients).chain(shown)
    }

    /// Sentences about the differences between two configurations that can't take effect while the gateway runs.
    pub fn changes_needing_restart(old: &Config, new: &Config) -> Vec<String> {
        let mut changes = Vec::new();
        let stores = [
            (
                "journal.store",
                &old.journal.store,
                &new.journal.store,
                "the journal",
            ),
            (
                "state.store",
                &old.state.store,
                &new.state.store,
                "the state",
            ),
        ];
        for (key, old, new, what) in stores {
            let name = |store: &Option<String>| match store {
                Some(store) => format!("`{store}`"),
                None => "the default".to_owned(),
            };
            if old != new {
                changes.push(format!(
                    "{key} changed from {} to {}; restart witgate to move {what}",
                    name(old),
                    name(new)
                ));
            }
        }
        changes
    }
}

/// Reads a document into a tree, and the tree by `read`, which is given a way to find places in the text.
fn checked<T>(
    text: &str,
    origin: &str,
    read: impl FnOnce(&Field<'_>, &dyn Fn(&NodePath) -> Position) -> Option<T>,
) -> Result<T, ConfigError> {
    let root = tree::read(text).map_err(|error| match error {
        TreeError::Empty => ConfigError::Empty {
            origin: origin.to_owned(),
        },
        TreeError::Yaml(at, message) => ConfigError::Invalid {
            origin: origin.to_owned(),
            problems: vec![Problem {
                at,
                path: String::new(),
                message,
            }],
        },
    })?;
    let report = Report::default();
    let document = Field::root(&root, &report);
    fields::check_everywhere(&document);
    let places = RefCell::new(Locator::new(text, LARGEST));
    let done = read(&document, &|place| places.borrow_mut().locate(place));
    // The largest configuration is read once more, and usual ones as often as there are problems.
    let mut locator = Locator::new(text, LARGEST);
    let mut problems: Vec<Problem> = report
        .into_problems()
        .into_iter()
        .map(|(place, message)| problem(&mut locator, place, message))
        .collect();
    problems.sort_by_key(|problem| (problem.at == Position::default(), problem.at));
    match done {
        Some(done) if problems.is_empty() => Ok(done),
        _ => {
            debug_assert!(!problems.is_empty(), "a part refused without a word");
            Err(ConfigError::Invalid {
                origin: origin.to_owned(),
                problems,
            })
        }
    }
}

fn read_text(path: &Path, origin: &str) -> Result<Vec<u8>, ConfigError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Missing {
            origin: origin.to_owned(),
        },
        std::io::ErrorKind::IsADirectory => ConfigError::Folder {
            origin: origin.to_owned(),
        },
        _ => ConfigError::Unreadable {
            origin: origin.to_owned(),
            source,
        },
    };
    let bytes = read_file(path, LARGEST).map_err(failed)?;
    if bytes.len() > LARGEST {
        return Err(ConfigError::TooLarge {
            origin: origin.to_owned(),
            limit: LARGEST as u64,
        });
    }
    Ok(bytes)
}

fn read(
    document: &Field<'_>,
    base: &Path,
    position: &dyn Fn(&NodePath) -> Position,
) -> Option<Config> {
    let fields = document.fields(&[
        "pack",
        "policies",
        "policy",
        "providers",
        "clients",
        "admin",
        "journal",
        "state",
        "reload",
        "requests",
        "models",
        "pricing",
        "testing",
    ])?;
    // Every part is read before the first failure counts, so that all problems are reported at once.
    let pack = pack::read(&fields);
    let chain = stages::read(&fields, base, position);
    let targets = targets::read(&fields, base);
    let clients = clients::read(&fields, base);
    let admin = admin::read(&fields, base);
    let journal = journal::read(&fields, base);
    let state = state::read(&fields, base);
    let reload = reload::read(&fields);
    let requests = requests::read(&fields);
    let models = models::read(&fields, targets.as_ref().map(|it| &*it.targets));
    let pricing = pricing::read(&fields);
    let testing = fields.get("testing").map(|field| field.node.to_json());
    let stages::Chain {
        stages,
        answers,
        headers,
    } = chain?;
    let targets::Providers {
        targets,
        strategy,
        retries,
        hedging,
    } = targets?;
    let clients::Clients {
        keys: clients,
        jwt,
        metrics: client_metrics,
    } = clients?;
    let mut journal = journal?;
    journal::take_over(&mut journal, &fields, &stages)?;
    Some(Config {
        pack: pack?,
        stages,
        answers,
        headers,
        targets,
        strategy,
        retries,
        hedging,
        clients,
        jwt,
        client_metrics,
        admin: admin?,
        journal,
        state: state?,
        reload: reload?,
        requests: requests?,
        models: models?,
        pricing: pricing?,
        testing,
        places: Places::default(),
    })
}

fn problem(locator: &mut Locator<'_>, place: NodePath, message: String) -> Problem {
    let at = locator.locate(&place);
    // The sentence names an unknown key, so the path is that of the mapping around it.
    let mut shown = place;
    if shown.on_key {
        shown.steps.pop();
    }
    Problem {
        at,
        path: shown.to_string(),
        message,
    }
}
