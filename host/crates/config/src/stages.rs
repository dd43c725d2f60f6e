//! `policies` and `policy`: the chain, and the settings of its policies.
//!
//! The file is long because an entry of the chain has many fields; each has its type and its reader here, beside the others.

use super::error::Position;
use super::fields::{Field, Fields};
use super::headers;
use super::http::{self, HttpConfig};
use super::isolation::{self, Isolation};
use super::limits::{self, Limits};
use super::nearest::suggestion;
use super::tree::{Node, NodePath};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The policies that come with the gateway.
pub const BUNDLED: &[&str] = &[
    "access",
    "prompt-injection",
    "pii-detector",
    "secrets",
    "tool-firewall",
    "dlp",
    "json-answer",
    "moderation",
    "pii-vault",
    "topics",
    "rate-limit",
    "budget",
    "data-routing",
    "cache",
    "audit-logger",
];

/// What other gateways call policies that are bundled here. A stage that is written so keeps that id.
const ALIASES: &[(&str, &str)] = &[
    ("agent-firewall", "tool-firewall"),
    ("data-routing-policy", "data-routing"),
    ("dlp-filter", "dlp"),
    ("external-moderation", "moderation"),
    ("rbac", "access"),
];

/// One stage: a policy placed in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct StageConfig {
    /// Unique in the chain; a-z, 0-9, `.`, `_` and `-`, at most 64.
    pub id: String,
    /// Where its component comes from.
    pub component: ComponentSource,
    /// The digest that the component must have: `sha256:` and 64 lowercase hex digits.
    pub digest: Option<String>,
    /// What happens to an exchange when the stage fails.
    pub on_error: OnError,
    /// Whether a stage that fails too often is no longer called for a while, so that its `on_error` applies without the
    /// call.
    pub breaker: bool,
    /// Whether its decisions are carried out.
    pub mode: Mode,
    /// How far apart its exchanges are kept.
    pub isolation: Isolation,
    /// The most that it may use.
    pub limits: Limits,
    /// The interfaces that it is granted besides those that every policy has.
    pub grants: Vec<Grant>,
    /// Whom it may ask, where it has the grant `http`.
    pub http: Option<HttpConfig>,
    /// Its settings from `policy.<id>`: a JSON object.
    pub settings: serde_json::Value,
    /// The place of its chain entry in the text.
    pub at: Position,
}

impl StageConfig {
    /// Whether the stage has this grant.
    pub fn has(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }
}

/// Where a component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ComponentSource {
    /// The component came with the gateway, under this name.
    Bundled(&'static str),
    /// A file. Its path has been resolved against the configuration's folder, but not checked for existence.
    File(PathBuf),
}

impl ComponentSource {
    /// The path of the samples of a component's file: beside it, under its name. The path isn't checked for existence.
    pub fn samples(&self) -> Option<PathBuf> {
        match self {
            ComponentSource::Bundled(_) => None,
            ComponentSource::File(path) => Some(path.with_extension("samples.yaml")),
        }
    }
}

impl fmt::Display for ComponentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComponentSource::Bundled(name) => write!(f, "{BUNDLED_PREFIX}{name}"),
            ComponentSource::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What happens to an exchange when a stage fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The exchange is denied.
    #[default]
    Deny,
    /// The exchange goes on without the stage.
    Skip,
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnError::Deny => "deny",
            OnError::Skip => "skip",
        })
    }
}

/// Whether a stage's decisions are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Its verdicts and edits are carried out.
    #[default]
    Enforce,
    /// It sees real traffic, but its decisions are only recorded.
    Shadow,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        })
    }
}

/// An interface that a stage can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// Appending to the journal.
    Journal,
    /// Sums in windows of time.
    Counters,
    /// Values that expire.
    Kv,
    /// Requests to hosts that the configuration names.
    Http,
}

impl Grant {
    /// Every grant that exists.
    pub const ALL: [Grant; 4] = [Grant::Journal, Grant::Counters, Grant::Kv, Grant::Http];

    /// The grant's name in the configuration, which is the name of its interface in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Grant::Journal => "journal",
            Grant::Counters => "counters",
            Grant::Kv => "kv",
            Grant::Http => "http",
        }
    }

    /// Whether what it keeps is in the file of `state.store`.
    pub fn keeps_state(self) -> bool {
        matches!(self, Grant::Counters | Grant::Kv)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const BUNDLED_PREFIX: &str = "bundled:";

/// The most stages that a chain may have.
const MOST: usize = 64;

/// What `policies` and `policy` say.
pub(super) struct Chain {
    pub(super) stages: Vec<StageConfig>,
    pub(super) answers: Option<Vec<String>>,
    pub(super) headers: Arc<[String]>,
}

/// Reads `policies` and `policy` out of the document. `position` finds a place in the text.
pub(super) fn read(
    document: &Fields<'_>,
    base: &Path,
    position: &dyn Fn(&NodePath) -> Position,
) -> Option<Chain> {
    let policies = document
        .required("policies")?
        .fields(&["chain", "answers", "headers"])?;
    let headers = match policies.get("headers") {
        Some(field) => headers::read(field),
        None => Some(headers::usual()),
    };
    let items = policies.required("chain")?.items_up_to(MOST)?;
    let mut stages: Vec<StageConfig> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        let Some(mut stage) = entry(item, base) else {
            complete = false;
            continue;
        };
        if let Some(first) = stages.iter().find(|known| known.id == stage.id) {
            item.problem(format!(
                "there is a stage `{}` already, on line {}; ids are unique. To have a bundled policy twice: \
                 `{{id: another, component: bundled:NAME}}`",
                stage.id, first.at.line
            ));
            complete = false;
            continue;
        }
        stage.at = position(&item.place());
        stages.push(stage);
    }
    if !complete {
        // The set of ids isn't known after an error, so references to ids can't be checked.
        return None;
    }
    let settled = settings(document, &mut stages);
    let answers = match policies.get("answers") {
        Some(field) => Some(answers(field, &stages)?),
        None => None,
    };
    settled?;
    if let Some(why) = keeps_what_a_vault_cannot(&stages, answers.as_deref()) {
        let place = policies.get("answers").or(policies.get("chain"))?;
        place.problem(why);
        return None;
    }
    Some(Chain {
        stages,
        answers,
        headers: headers?,
    })
}

/// Where a `cache` would keep what it mustn't of answers that a `pii-vault` restores; the sentence that says what to write.
///
/// Behind a vault, a request's key has placeholders, so it is equal for other people's data: with the data put back an answer would be given to them.
/// Before a vault, a hit ends the request's way, and the vault knows none of the placeholders in an answer that was kept with them.
fn keeps_what_a_vault_cannot(stages: &[StageConfig], answers: Option<&[String]>) -> Option<String> {
    let of = |name: &'static str| {
        let is = move |stage: &&StageConfig| stage.component == ComponentSource::Bundled(name);
        stages.iter().filter(is).map(|stage| &*stage.id)
    };
    let order: Vec<&str> = match answers {
        Some(ids) => ids.iter().map(String::as_str).collect(),
        None => stages.iter().map(|stage| &*stage.id).collect(),
    };
    let requests = |id: &str| stages.iter().position(|stage| stage.id == id);
    let answered = |id: &str| order.iter().position(|other| *other == id);
    for vault in of("pii-vault") {
        for cache in of("cache") {
            if requests(vault) < requests(cache) && answered(vault) < answered(cache) {
                let others = order.iter().copied().filter(|id| *id != vault);
                let order: Vec<&str> = others.chain([vault]).collect();
                return Some(format!(
                    "`{cache}` would keep answers into which `{vault}` has put personal data back, and give them to requests about somebody else, \
                     which are equal with placeholders. Let answers pass `{vault}` behind it: `answers: [{}]`",
                    order.join(", ")
                ));
            }
            if requests(cache) < requests(vault) && answered(cache) < answered(vault) {
                return Some(format!(
                    "`{cache}` would keep answers with the placeholders of `{vault}`, and give them to requests that `{vault}` doesn't see, whose \
                     placeholders nobody can put back. Put `{vault}` before `{cache}` in `chain`, and let answers pass it behind: `answers: [{}]`",
                    order.join(", ")
                ));
            }
        }
    }
    None
}

fn entry(field: &Field<'_>, base: &Path) -> Option<StageConfig> {
    if let Node::Text(name) = field.node {
        let component = ComponentSource::Bundled(bundled(field, name, true)?);
        return Some(stage(name.clone(), component));
    }
    if !matches!(field.node, Node::Map(_)) {
        field.problem(format!(
            "expected the name of a bundled policy or a mapping with `id` and `component`, found {}",
            field.node.kind()
        ));
        return None;
    }
    let fields = field.fields(&[
        "id",
        "component",
        "digest",
        "on_error",
        "breaker",
        "mode",
        "isolation",
        "limits",
        "grants",
    ])?;
    let id = fields.required("id").and_then(Field::id);
    let component = match (fields.get("component"), id) {
        (Some(component), _) => source(component, base),
        (None, Some(id)) => match bundled_as(id) {
            Some(name) => Some(ComponentSource::Bundled(name)),
            None if fields.misspelt("component") => None,
            None => {
                field.problem(format!(
                    "stage `{id}` has no `component`; give the path of its .wasm file. Only a bundled policy needs none{}",
                    suggestion(id, BUNDLED)
                ));
                None
            }
        },
        (None, None) => None,
    };
    let digest = optional(&fields, "digest", digest);
    let on_error = optional(&fields, "on_error", |field| {
        field.one_of(&[("deny", OnError::Deny), ("skip", OnError::Skip)], &[])
    });
    let breaker = breaker(&fields, on_error.flatten().unwrap_or_default());
    let mode = optional(&fields, "mode", |field| {
        field.one_of(&[("enforce", Mode::Enforce), ("shadow", Mode::Shadow)], &[])
    });
    let isolation = optional(&fields, "isolation", isolation::read);
    let limits = optional(&fields, "limits", limits::read);
    let grants = optional(&fields, "grants", |field| grants(field, base));
    let mut stage = stage(id?.to_owned(), component?);
    stage.digest = digest?;
    stage.on_error = on_error?.unwrap_or_default();
    stage.breaker = breaker?;
    stage.mode = mode?.unwrap_or_default();
    stage.isolation = isolation?.unwrap_or_default();
    stage.limits = limits?.unwrap_or_default();
    if let Some((grants, http)) = grants? {
        (stage.grants, stage.http) = (grants, http);
    }
    Some(stage)
}

/// A stage with every default.
fn stage(id: String, component: ComponentSource) -> StageConfig {
    // A bundled policy that exists to write the journal, to count, or to keep answers has the grant without asking.
    let grants = match component {
        ComponentSource::Bundled("audit-logger") => vec![Grant::Journal],
        ComponentSource::Bundled("rate-limit" | "budget") => vec![Grant::Counters],
        ComponentSource::Bundled("cache") => vec![Grant::Kv],
        _ => Vec::new(),
    };
    StageConfig {
        id,
        component,
        digest: None,
        on_error: OnError::default(),
        breaker: false,
        mode: Mode::default(),
        isolation: Isolation::default(),
        limits: Limits::default(),
        grants,
        http: None,
        settings: serde_json::Value::Object(serde_json::Map::new()),
        at: Position::default(),
    }
}

/// The value of `breaker` names what an open breaker does, and must agree with `on_error`. So an operator has to write
/// `skip` before a policy that guards can be switched off by callers.
fn breaker(fields: &Fields<'_>, on_error: OnError) -> Option<bool> {
    let Some(field) = fields.get("breaker") else {
        return Some(false);
    };
    let said = field.one_of(
        &[
            ("off", None),
            ("deny", Some(OnError::Deny)),
            ("skip", Some(OnError::Skip)),
        ],
        &[],
    )?;
    match said {
        Some(said) if said != on_error => {
            field.problem(format!(
                "an open breaker does what `on_error` says, which is `{on_error}` here; write `breaker: {on_error}` if that is meant"
            ));
            None
        }
        said => Some(said.is_some()),
    }
}

/// Returns `Some(None)` if the key isn't there, and `None` if its value is wrong.
fn optional<'a, T>(
    fields: &Fields<'a>,
    key: &str,
    read: impl FnOnce(&Field<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match fields.get(key) {
        Some(field) => read(field).map(Some),
        None => Some(None),
    }
}

fn bundled(field: &Field<'_>, name: &str, alone: bool) -> Option<&'static str> {
    let known = bundled_as(name);
    if known.is_none() {
        let advice = if alone {
            ". A policy of your own is a mapping: `{id: NAME, component: ./NAME.wasm}`"
        } else {
            ""
        };
        let elsewhere = ELSEWHERE.iter().find(|(kinds, _)| kinds.contains(&name));
        field.problem(match elsewhere {
            Some((_, instead)) => {
                format!("`{name}` is a policy of Keeptrusts that isn't here: {instead}")
            }
            None => format!(
                "unknown bundled policy `{name}`{}{advice}",
                suggestion(name, BUNDLED)
            ),
        });
    }
    known
}

/// Kinds of Keeptrusts' that aren't here, and what to use.
const ELSEWHERE: [(&[&str], &str); 5] = [
    (
        &["hipaa-phi-detector", "student-privacy", "case-privacy"],
        "use `pii-detector`, and `dlp` for terms and patterns of your own",
    ),
    (
        &[
            "cjis-mode",
            "itar-ear-filter",
            "entity-list-filter",
            "dual-use-filter",
        ],
        "use `dlp` with the terms that it is about, and `data-routing` for where a request may go",
    ),
    (
        &["safety-filter", "embedding-detector", "language-validator"],
        "use `topics`, with terms and example sentences, or `moderation`",
    ),
    (
        &["quality-scorer", "citation-verifier"],
        "no policy here judges how good an answer is; `json-answer` holds it to a schema, and `moderation` asks a service of yours",
    ),
    (
        &[
            "human-oversight",
            "flagged-review",
            "financial-compliance",
            "healthcare-compliance",
            "bot-detector",
        ],
        "nobody is waited for here; `topics`, `dlp` and `moderation` report (`action: report`) or deny, and findings are in the journal",
    ),
];

/// The bundled policy of this name, or of this other name for it.
fn bundled_as(name: &str) -> Option<&'static str> {
    let meant = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = meant.map_or(name, |(_, name)| name);
    BUNDLED.iter().find(|known| **known == name).copied()
}

fn source(field: &Field<'_>, base: &Path) -> Option<ComponentSource> {
    let text = field.text_within(1..=4096)?;
    if let Some(name) = text.strip_prefix(BUNDLED_PREFIX) {
        return bundled(field, name, false).map(ComponentSource::Bundled);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        field.problem(format!(
            "components from `{scheme}://` are not offered in this release; give the path of a .wasm file, relative to \
             this file, or `bundled:NAME`"
        ));
        return None;
    }
    Some(ComponentSource::File(base.join(text)))
}

fn digest(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let hex = text
        .strip_prefix("sha256:")
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if hex.is_none() {
        field.problem(
            "this is no digest; expected `sha256:` and 64 hex digits, as `witgate policy inspect` shows them",
        );
    }
    hex.map(|hex| format!("sha256:{}", hex.to_ascii_lowercase()))
}

/// Reads the names of grants; `http` is a mapping, and says whom it may ask.
fn grants(field: &Field<'_>, base: &Path) -> Option<(Vec<Grant>, Option<HttpConfig>)> {
    let offered = Grant::ALL.map(|grant| (grant.as_str(), grant));
    let (mut grants, mut asks) = (Vec::new(), None);
    let mut complete = true;
    for item in field.items()? {
        let grant = if matches!(item.node, Node::Map(_)) {
            let config = http::entry(&item, base);
            let read = config.is_some();
            asks = asks.or(config);
            read.then_some(Grant::Http)
        } else {
            let grant = item.one_of(&offered, &[]);
            if grant == Some(Grant::Http) {
                http::needs_hosts(&item);
            }
            grant.filter(|grant| *grant != Grant::Http)
        };
        match grant {
            Some(grant) if grants.contains(&grant) => {
                item.problem(format!("`{grant}` is granted already"));
                complete = false;
            }
            Some(grant) => grants.push(grant),
            None => complete = false,
        }
    }
    complete.then_some((grants, asks))
}

/// Gives every stage its settings from `policy.<id>`.
fn settings(document: &Fields<'_>, stages: &mut [StageConfig]) -> Option<()> {
    let Some(policy) = document.get("policy") else {
        return Some(());
    };
    let mut complete = true;
    for (id, field) in policy.entries()? {
        let Some(stage) = stages.iter_mut().find(|stage| stage.id == id) else {
            let ids: Vec<&str> = stages.iter().map(|stage| stage.id.as_str()).collect();
            field.problem_at_key(format!(
                "there is no stage `{id}` in policies.chain to tell this to{}",
                suggestion(id, &ids)
            ));
            complete = false;
            continue;
        };
        match field.node {
            Node::Map(_) => stage.settings = field.node.to_json(),
            Node::Null => {}
            _ => {
                field.problem(format!("expected a mapping, found {}", field.node.kind()));
                complete = false;
            }
        }
    }
    complete.then_some(())
}

/// Reads the order of the stages for answers, which must name every stage of the chain once.
fn answers(field: &Field<'_>, stages: &[StageConfig]) -> Option<Vec<String>> {
    let ids: Vec<&str> = stages.iter().map(|stage| stage.id.as_str()).collect();
    let mut order: Vec<String> = Vec::with_capacity(ids.len());
    let mut complete = true;
    for item in field.items()? {
        let Some(id) = item.text() else {
            complete = false;
            continue;
        };
        if !ids.contains(&id) {
            item.problem(format!(
                "there is no stage `{id}` in policies.chain{}",
                suggestion(id, &ids)
            ));
            complete = false;
        } else if order.iter().any(|known| known == id) {
            item.problem(format!(
                "stage `{id}` stands here already; every stage stands here once"
            ));
            complete = false;
        } else {
            order.push(id.to_owned());
        }
    }
    let missing: Vec<String> = ids
        .iter()
        .filter(|id| !order.iter().any(|known| known == *id))
        .map(|id| format!("`{id}`"))
        .collect();
    if complete && !missing.is_empty() {
        field.problem_at_key(format!(
            "{} missing; `answers` gives every stage of the chain its place",
            missing.join(", ")
        ));
        complete = false;
    }
    complete.then_some(order)
}
