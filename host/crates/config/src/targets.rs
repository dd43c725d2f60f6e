//! `providers.targets`: the upstreams.

use super::data_policy::{self, DataPolicy};
use super::fields::{Field, Fields};
use super::health_check::{self, HealthCheckConfig};
use super::hedging::{self, HedgingConfig};
use super::nearest::suggestion;
use super::retries::{self, RetriesConfig};
use super::routing::{self, BreakerConfig, Strategy};
use super::secret::{self, SecretRef};
use super::tls::{self, TlsConfig};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// One upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// Unique; a-z, 0-9, `.`, `_` and `-`, at most 64.
    pub id: String,
    /// The provider's name alone: `cerebras`.
    pub provider: String,
    /// The model that the target is pinned to; `None` if it takes any model.
    pub model: Option<String>,
    /// The address, without a slash at its end, and without credentials, query and fragment.
    pub base_url: Url,
    /// The simulator stands in for it: what clients ask of that in headers goes on.
    pub simulated: bool,
    /// The keys to send to the target, one with each request. Empty: none is sent.
    pub keys: Vec<KeyConfig>,
    /// How often it is asked first beside others, where the strategy goes by weight. From 1.
    pub weight: u32,
    /// When it is asked last, because it fails.
    pub breaker: BreakerConfig,
    /// Whether it is looked after while nobody asks it.
    pub health_check: Option<HealthCheckConfig>,
    /// What is declared of its handling of data.
    pub data_policy: DataPolicy,
    /// How long to wait for the target.
    pub timeouts: Timeouts,
    /// What becomes of members of its answers that aren't known here, while a stage judges the answer.
    pub unknown_members: UnknownMembers,
    /// What becomes of a request's parameters that Cerebras doesn't take.
    pub parameters: Parameters,
    /// What TLS to the target needs, where the system's roots don't do.
    pub tls: TlsConfig,
    /// Whether HTTP/2 is spoken where the target offers it.
    pub http2: bool,
}

/// What becomes of what a request has and Cerebras would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parameters {
    /// It goes on as it came.
    Pass,
    /// It is left out, or gets the name that Cerebras has for it.
    Strip,
    /// The request is refused before it is sent, in Cerebras's words.
    Strict,
}

impl Parameters {
    /// What a provider's targets have that say nothing of it. What is refused elsewhere isn't known here.
    pub(super) fn usual(provider: &str) -> Parameters {
        match provider {
            "cerebras" => Parameters::Strip,
            _ => Parameters::Pass,
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Parameters::Pass => "pass",
            Parameters::Strip => "strip",
            Parameters::Strict => "strict",
        })
    }
}

/// One key of a target's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyConfig {
    /// Where it is to be found.
    pub secret: SecretRef,
    /// How often it is sent beside the others. From 1.
    pub weight: u32,
}

impl KeyConfig {
    fn only(secret: SecretRef) -> Vec<KeyConfig> {
        vec![KeyConfig { secret, weight: 1 }]
    }
}

/// What becomes of a member of an answer that no stage can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownMembers {
    /// It doesn't go on.
    #[default]
    Drop,
    /// The answer doesn't go on.
    Refuse,
    /// It goes on, unread.
    Pass,
}

impl fmt::Display for UnknownMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnknownMembers::Drop => "drop",
            UnknownMembers::Refuse => "refuse",
            UnknownMembers::Pass => "pass",
        })
    }
}

/// How long to wait for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// The longest wait for a connection, TLS included.
    pub connect: Duration,
    /// The longest time from sending the request to the answer's head.
    pub first_byte: Duration,
    /// The longest time from sending the request to the first piece of the answer's body.
    pub first_token: Duration,
    /// The longest time between two pieces of an answer.
    pub silence: Duration,
    /// The longest time from sending the request to the answer's end.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            first_token: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            total: Duration::from_secs(3600),
        }
    }
}

/// A provider whose address is known.
struct Known {
    name: &'static str,
    base_url: &'static str,
    key: &'static str,
}

const KNOWN: [Known; 2] = [
    Known {
        name: "cerebras",
        base_url: "https://api.cerebras.ai/v1",
        key: "CEREBRAS_API_KEY",
    },
    Known {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        key: "OPENAI_API_KEY",
    },
];

/// The most keys that a target may have.
const MOST_KEYS: usize = 64;

/// The most targets that there may be.
const MOST: usize = 256;

/// A model's name without the provider in front of it: `cerebras/NAME`, or that of any target.
pub(super) fn after_provider<'m>(model: &'m str, targets: &[TargetConfig]) -> &'m str {
    match model.split_once('/') {
        Some((provider, name))
            if provider == "cerebras"
                || targets.iter().any(|target| target.provider == provider) =>
        {
            name
        }
        _ => model,
    }
}

/// What stands under `providers`.
#[derive(Debug, Default)]
pub(super) struct Providers {
    pub(super) targets: Vec<TargetConfig>,
    pub(super) strategy: Strategy,
    pub(super) retries: RetriesConfig,
    pub(super) hedging: Option<HedgingConfig>,
}

/// Reads `providers` out of the document. Without it there are no targets.
pub(super) fn read(document: &Fields<'_>, base: &Path) -> Option<Providers> {
    let Some(providers) = document.get("providers") else {
        return Some(Providers::default());
    };
    let fields = providers.fields(&["targets", "routing", "retries", "hedging"])?;
    let (strategy, retries) = (routing::strategy(&fields), retries::read(&fields));
    let hedging = hedging::read(&fields);
    let list = fields.required("targets").cloned()?;
    let items = list.items_up_to(MOST)?;
    if items.is_empty() {
        list.problem("there is no target in it to send a request to; name one, such as `{id: cerebras, provider: cerebras}`");
        return None;
    }
    let mut targets: Vec<TargetConfig> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        let Some(target) = target(item, base) else {
            complete = false;
            continue;
        };
        if targets.iter().any(|known| known.id == target.id) {
            item.problem(format!(
                "there is a target `{}` already; ids are unique",
                target.id
            ));
            complete = false;
        }
        targets.push(target);
    }
    let providers = Providers {
        targets,
        strategy: strategy?,
        retries: retries?,
        hedging: hedging?,
    };
    complete.then_some(providers)
}

fn target(field: &Field<'_>, base: &Path) -> Option<TargetConfig> {
    let fields = field.fields(&[
        "id",
        "provider",
        "model",
        "base_url",
        "secret_key_ref",
        "secret_key_refs",
        "weight",
        "breaker",
        "health_check",
        "data_policy",
        "zdr",
        "data_collection",
        "timeouts",
        "unknown_members",
        "parameters",
        "tls",
        "http2",
    ])?;
    let id = fields.required("id").and_then(Field::id);
    let provider = fields.required("provider").and_then(provider);
    let pinned = match fields.get("model") {
        Some(field) => field.text_within(1..=200).map(Some),
        None => Some(None),
    };
    let named = provider.as_ref().and_then(|(_, model)| *model);
    if let (Some(named), Some(Some(pinned)), Some(field)) = (named, pinned, fields.get("model"))
        && named != pinned
    {
        field.problem(format!(
            "`provider` says the model is `{named}`, this says `{pinned}`; say it in one place"
        ));
        return None;
    }
    let given = fields.get("base_url");
    let base_url = match (given, &provider) {
        (Some(field), _) => address(field),
        (None, Some((name, _))) => standard(&fields, name),
        (None, None) => None,
    };
    let pool = fields.get("secret_key_refs");
    if let (Some(_), Some(pool)) = (fields.get("secret_key_ref"), pool) {
        pool.problem("give one of `secret_key_ref` and `secret_key_refs`, not both");
        return None;
    }
    let keys = match (fields.get("secret_key_ref"), pool, &provider) {
        (Some(field), ..) => secret::reference(field, "secret_key_ref", base).map(KeyConfig::only),
        (None, Some(pool), _) => key_pool(pool, base),
        // The usual key goes to the provider's own address alone. To send it to another address, the configuration must
        // name the key.
        (None, None, Some((name, _))) if given.is_none() => {
            Some(usual_key(name).map(KeyConfig::only).unwrap_or_default())
        }
        (None, None, _) => Some(Vec::new()),
    };
    let weight = match fields.get("weight") {
        Some(field) => field.integer(1..=1000),
        None => Some(1),
    };
    let breaker = match fields.get("breaker") {
        Some(field) => routing::breaker(field),
        None => Some(BreakerConfig::default()),
    };
    let health_check = match fields.get("health_check") {
        Some(field) => {
            // A server that wants no key may well not list models, and what it says tells nothing of a key.
            if keys.as_ref().is_some_and(Vec::is_empty) {
                field.problem(
                    "the target is asked for its models with a key, and it has none; give it a `secret_key_ref`, or leave this out",
                );
                return None;
            }
            health_check::read(field).map(Some)
        }
        None => Some(None),
    };
    let data_policy = data_policy::read(&fields);
    let timeouts = match fields.get("timeouts") {
        Some(field) => timeouts(field),
        None => Some(Timeouts::default()),
    };
    let unknown_members = match fields.get("unknown_members") {
        Some(field) => field.one_of(
            &[
                ("drop", UnknownMembers::Drop),
                ("refuse", UnknownMembers::Refuse),
                ("pass", UnknownMembers::Pass),
            ],
            &[],
        ),
        None => Some(UnknownMembers::default()),
    };
    let parameters = match (fields.get("parameters"), &provider) {
        (Some(field), _) => field.one_of(
            &[
                ("pass", Parameters::Pass),
                ("strip", Parameters::Strip),
                ("strict", Parameters::Strict),
            ],
            &[],
        ),
        (None, Some((name, _))) => Some(Parameters::usual(name)),
        (None, None) => None,
    };
    // Where the address is wrong, that is said alone.
    let https = base_url.as_ref().is_none_or(|url| url.scheme() == "https");
    let tls = tls::read(&fields, base, https);
    let http2 = match fields.get("http2") {
        Some(field) => field.boolean(),
        None => Some(true),
    };
    Some(TargetConfig {
        id: id?.to_owned(),
        provider: provider?.0.to_owned(),
        model: pinned?.or(named).map(str::to_owned),
        base_url: base_url?,
        simulated: false,
        keys: keys?,
        weight: u32::try_from(weight?).ok()?,
        breaker: breaker?,
        health_check: health_check?,
        data_policy: data_policy?,
        timeouts: timeouts?,
        unknown_members: unknown_members?,
        parameters: parameters?,
        tls: tls?,
        http2: http2?,
    })
}

fn key_pool(pool: &Field<'_>, base: &Path) -> Option<Vec<KeyConfig>> {
    let items = pool.items_up_to(MOST_KEYS)?;
    if items.is_empty() {
        pool.problem("there is no key in it; name one, such as `{env: CEREBRAS_API_KEY}`");
        return None;
    }
    let mut keys: Vec<KeyConfig> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        let Some((secret, weight)) = secret::weighted(item, "secret_key_refs", base) else {
            complete = false;
            continue;
        };
        if keys.iter().any(|known| known.secret == secret) {
            item.problem(format!(
                "{secret} is named twice; give it a `weight` instead"
            ));
            complete = false;
        }
        keys.push(KeyConfig { secret, weight });
    }
    complete.then_some(keys)
}

/// `cerebras`, or `cerebras:chat:MODEL`.
fn provider<'a>(field: &Field<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let text = field.text()?;
    let (name, rest) = match text.split_once(':') {
        Some((name, rest)) => (name, Some(rest)),
        None => (text, None),
    };
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c));
    let model = match rest {
        None => Some(None),
        Some(rest) => match rest.split_once(':') {
            Some(("chat", model)) if !model.is_empty() && model.len() <= 200 => Some(Some(model)),
            _ => None,
        },
    };
    match (valid, model) {
        (true, Some(model)) => Some((name, model)),
        _ => {
            field.problem(format!(
                "`{text}` is no provider; write its name, such as `cerebras`, or `cerebras:chat:MODEL` to pin a model"
            ));
            None
        }
    }
}

fn standard(fields: &Fields<'_>, provider: &str) -> Option<Url> {
    let names = KNOWN.map(|known| known.name);
    let known = KNOWN.iter().find(|known| known.name == provider);
    match (known, fields.get("provider")) {
        (Some(known), _) => Url::parse(known.base_url).ok(),
        (None, Some(field)) => {
            field.problem(format!(
                "provider `{provider}` has no known address; give its `base_url`{}",
                suggestion(provider, &names)
            ));
            None
        }
        (None, None) => None,
    }
}

fn usual_key(provider: &str) -> Option<SecretRef> {
    KNOWN
        .iter()
        .find(|known| known.name == provider)
        .map(|known| SecretRef::Env(known.key.to_owned()))
}

/// An address to send requests to. Messages never repeat its text, because it may contain a password.
pub(super) fn address(field: &Field<'_>) -> Option<Url> {
    let mut url = plain_address(field)?;
    let own = KNOWN.iter().any(|known| {
        Url::parse(known.base_url).is_ok_and(|known| known.host_str() == url.host_str())
    });
    // The Cerebras SDKs take the address without `/v1`, and Cerebras serves nothing else there.
    if own && url.path() == "/" {
        url.set_path("/v1");
    }
    Some(url)
}

/// An address as it is written, without the slash at its end.
pub(super) fn plain_address(field: &Field<'_>) -> Option<Url> {
    let text = field.text()?;
    let mut url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            field.problem(format!(
                "this is no address: {error}; expected one such as https://api.cerebras.ai/v1"
            ));
            return None;
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        field.problem("expected an address that begins with https:// or http://");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        field.problem(
            "a name or a password never stands in an address; the key is given by reference: \
             `secret_key_ref: {env: NAME}` or `{file: PATH}`",
        );
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        field.problem("expected an address without `?` and `#`");
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

fn timeouts(field: &Field<'_>) -> Option<Timeouts> {
    let fields = field.fields(&["connect", "first_byte", "first_token", "silence", "total"])?;
    let standard = Timeouts::default();
    let read = |key, default, most| match fields.get(key) {
        Some(field) => field.duration(Duration::from_millis(1)..=Duration::from_secs(most)),
        None => Some(default),
    };
    let connect = read("connect", standard.connect, 300);
    let first_byte = read("first_byte", standard.first_byte, 3600);
    let first_token = read("first_token", first_byte.unwrap_or_default(), 3600);
    let silence = read("silence", standard.silence, 3600);
    let total = read("total", standard.total, 86_400);
    Some(Timeouts {
        connect: connect?,
        first_byte: first_byte?,
        first_token: first_token?,
        silence: silence?,
        total: total?,
    })
}
