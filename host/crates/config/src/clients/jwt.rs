//! `clients.jwt`: tokens of an identity provider, in the place of keys.

use super::optional;
use crate::fields::{Field, Fields};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::{Host, Url};

/// Whose tokens let in, and what is read from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtConfig {
    /// What `iss` must be.
    pub issuer: String,
    /// One of these `aud` must be or have.
    pub audience: Vec<String>,
    /// How a token may be signed.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where the keys are that tokens are signed with.
    pub jwks: JwksSource,
    /// Certificates of those whom the provider's must be signed by, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// How often the keys are asked for.
    pub refresh: Duration,
    /// The least time between two askings because of a key that isn't known.
    pub refetch: Duration,
    /// Which claims say who asks.
    pub claims: Claims,
}

/// Where the keys of an identity provider are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// At this address.
    Url(Url),
    /// In this file.
    File(PathBuf),
    /// The issuer's discovery document says where.
    Discovery(Url),
}

/// Where in a token it stands who asks: the name of a claim, names joined by dots, or a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The principal's. A token without it lets nobody in.
    pub principal: String,
    /// The team's.
    pub team: Option<String>,
    /// The roles': a list of texts, or one text of words.
    pub roles: Option<String>,
}

/// How a token is signed. There are no symmetric algorithms among them: whoever can check such a token could make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of RFC 7518 and RFC 8037")]
pub enum JwtAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl JwtAlgorithm {
    /// All, by the names that tokens have for them.
    pub const ALL: [(&'static str, JwtAlgorithm); 9] = [
        ("RS256", JwtAlgorithm::RS256),
        ("RS384", JwtAlgorithm::RS384),
        ("RS512", JwtAlgorithm::RS512),
        ("PS256", JwtAlgorithm::PS256),
        ("PS384", JwtAlgorithm::PS384),
        ("PS512", JwtAlgorithm::PS512),
        ("ES256", JwtAlgorithm::ES256),
        ("ES384", JwtAlgorithm::ES384),
        ("EdDSA", JwtAlgorithm::EdDSA),
    ];
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// The most audiences.
const MOST_AUDIENCES: usize = 16;

pub(super) fn read(field: &Field<'_>, base: &Path) -> Option<JwtConfig> {
    let fields = field.fields(&[
        "issuer",
        "audience",
        "algorithms",
        "jwks_url",
        "jwks_file",
        "ca_file",
        "leeway",
        "refresh",
        "refetch",
        "claims",
    ])?;
    let issuer = fields
        .required("issuer")
        .and_then(|it| it.text_within(1..=1024));
    let audience = fields.required("audience").and_then(audiences);
    let algorithms = match fields.get("algorithms") {
        Some(field) => algorithms(field),
        None => Some(vec![JwtAlgorithm::RS256, JwtAlgorithm::ES256]),
    };
    let jwks = issuer.and_then(|issuer| source(&fields, issuer, base));
    let ca_file = optional(&fields, "ca_file", |it| path(it, base));
    let time = |key, usual: Duration, least: Duration, most: Duration| {
        optional(&fields, key, |it| it.duration(least..=most)).map(|it| it.unwrap_or(usual))
    };
    let leeway = time("leeway", 30 * SECOND, Duration::ZERO, 5 * MINUTE);
    let refresh = time("refresh", 10 * MINUTE, SECOND, 24 * 60 * MINUTE);
    let refetch = time("refetch", 10 * SECOND, SECOND / 10, 60 * MINUTE);
    let claims = claims(&fields);
    Some(JwtConfig {
        issuer: issuer?.to_owned(),
        audience: audience?,
        algorithms: algorithms?,
        jwks: jwks?,
        ca_file: ca_file?,
        leeway: leeway?,
        refresh: refresh?,
        refetch: refetch?,
        claims: claims?,
    })
}

fn path(field: &Field<'_>, base: &Path) -> Option<PathBuf> {
    Some(base.join(field.text_within(1..=4096)?))
}

/// One text, or a list of some.
fn audiences(field: &Field<'_>) -> Option<Vec<String>> {
    let one = |field: &Field<'_>| Some(field.text_within(1..=1024)?.to_owned());
    if !matches!(field.node, crate::tree::Node::List(_)) {
        return Some(vec![one(field)?]);
    }
    let items = field.items_up_to(MOST_AUDIENCES)?;
    if items.is_empty() {
        field.problem("name the audience that tokens for this gateway have: without one every token of the provider's would do");
        return None;
    }
    items.iter().map(one).collect()
}

fn algorithms(field: &Field<'_>) -> Option<Vec<JwtAlgorithm>> {
    let items = field.items_up_to(JwtAlgorithm::ALL.len())?;
    if items.is_empty() {
        field.problem(
            "with no algorithm no token could be checked; name one, or leave `algorithms` out",
        );
        return None;
    }
    let mut found = Vec::with_capacity(items.len());
    for item in &items {
        let text = item.text()?;
        if text.eq_ignore_ascii_case("none") {
            item.problem("a token that isn't signed can be made by anyone; `none` is never taken");
            return None;
        }
        if ["HS256", "HS384", "HS512"].contains(&text) {
            item.problem(format!(
                "`{text}` is symmetric: with it whoever knows the provider's public keys could make tokens; name one that signs, such as RS256 or ES256"
            ));
            return None;
        }
        found.push(item.one_of(&JwtAlgorithm::ALL, &[])?);
    }
    Some(found)
}

fn source(fields: &Fields<'_>, issuer: &str, base: &Path) -> Option<JwksSource> {
    match (fields.get("jwks_url"), fields.get("jwks_file")) {
        (Some(_), Some(file)) => {
            file.problem_at_key("give `jwks_url` or `jwks_file`, not both");
            None
        }
        (None, Some(file)) => Some(JwksSource::File(path(file, base)?)),
        (Some(url), None) => match address(url.text()?) {
            Ok(url) => Some(JwksSource::Url(url)),
            Err(why) => {
                url.problem(why);
                None
            }
        },
        (None, None) => {
            let document = format!(
                "{}/.well-known/openid-configuration",
                issuer.trim_end_matches('/')
            );
            match address(&document) {
                Ok(url) => Some(JwksSource::Discovery(url)),
                Err(_) => {
                    fields.problem(
                        "`issuer` isn't an address that begins with https://, so it can't be asked where its keys are; name them by `jwks_url` or `jwks_file`",
                    );
                    None
                }
            }
        }
    }
}

/// Where keys are had from, by an address that nobody in between can change. Also for what a discovery document names.
pub(super) fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "this is no address such as https://id.example/keys")?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err("this is no address such as https://id.example/keys"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address here has no user and no password in it");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(
            "keys that tokens are checked with come over https:// alone; http:// is for this machine",
        ),
    }
}

impl JwksSource {
    /// Reads the address of keys that a discovery document names, by the rules of the configuration.
    ///
    /// # Errors
    /// Why it can't be one.
    pub fn address(text: &str) -> Result<Url, &'static str> {
        address(text)
    }
}

fn claims(fields: &Fields<'_>) -> Option<Claims> {
    let usual = || Claims {
        principal: "sub".to_owned(),
        team: None,
        roles: None,
    };
    let Some(field) = fields.get("claims") else {
        return Some(usual());
    };
    let fields = field.fields(&["principal", "team", "roles"])?;
    let claim = |key| optional(&fields, key, |it| Some(it.text_within(1..=256)?.to_owned()));
    let (principal, team, roles) = (claim("principal"), claim("team"), claim("roles"));
    Some(Claims {
        principal: principal?.unwrap_or_else(|| usual().principal),
        team: team?,
        roles: roles?,
    })
}
