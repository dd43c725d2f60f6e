//! Checks tokens. The checks go from the cheap to the dear, and the first that fails is told.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jwks::{Held, Jwks, JwksError, Key};
use super::ring_provider;
use crate::api::{BadToken, Caller, Keys};
use crate::config::{JwtAlgorithm, JwtConfig};

/// The largest token, in bytes.
const LARGEST: usize = 16 << 10;
/// The longest name that a claim may give, in characters.
const LONGEST_NAME: usize = 128;
/// The most roles that a token may give.
const MOST_ROLES: usize = 256;

/// What a token is checked by, and how it is read.
#[derive(Debug)]
pub struct Tokens {
    config: JwtConfig,
    jwks: Arc<Jwks>,
}

/// What a token's head says, of which nothing is trusted.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Whether it has the form of a token: three parts, of which the first begins an object of JSON.
pub(super) fn looks_like_one(shown: &[u8]) -> bool {
    shown.starts_with(b"ey") && shown.iter().filter(|byte| **byte == b'.').count() == 2
}

impl Tokens {
    /// Has the provider's keys, unless `previous` has them.
    pub(super) async fn build(
        config: &JwtConfig,
        previous: Option<&Tokens>,
    ) -> Result<Self, JwksError> {
        ring_provider::install();
        let jwks = Jwks::of(config, previous.map(|previous| &previous.jwks)).await?;
        Ok(Tokens {
            config: config.clone(),
            jwks,
        })
    }

    /// How it stands with the keys that tokens are checked with.
    pub fn state(&self) -> Value {
        let held = self.jwks.held();
        let seconds = held.since.and_then(|since| since.elapsed().ok());
        json!({
            "issuer": self.config.issuer,
            "keys": held.keys.len(),
            "age_s": seconds.map(|age| age.as_secs()),
            "error": held.trouble.as_ref().map(ToString::to_string),
        })
    }

    /// Why the keys can't be had, where they can't.
    pub fn trouble(&self) -> Option<String> {
        self.jwks.held().trouble.as_ref().map(ToString::to_string)
    }

    /// Who shows that token. `keys` are those of clients, whose ids no token may claim.
    pub(super) async fn caller(&self, token: &[u8], keys: &Keys) -> Result<Caller, BadToken> {
        if token.len() > LARGEST {
            return Err(BadToken::TooLarge);
        }
        let head = head(token)?;
        let algorithm = self.algorithm(&head.alg)?;
        // Nothing that a token calls critical is understood here.
        if head.crit.is_some() {
            return Err(BadToken::Malformed);
        }
        let mut held = self.jwks.held();
        let kid = head.kid.as_deref();
        if let Err(BadToken::UnknownKey | BadToken::NoKeys) = find(&held, kid, algorithm) {
            self.jwks.ask_for_unknown().await;
            held = self.jwks.held();
        }
        let claims = self.claims(token, find(&held, kid, algorithm)?, algorithm)?;
        self.read(&claims, keys)
    }

    fn algorithm(&self, name: &str) -> Result<JwtAlgorithm, BadToken> {
        let mut all = JwtAlgorithm::ALL.into_iter();
        let known = all.find(|(known, _)| *known == name);
        let known = known.map(|(_, algorithm)| algorithm);
        let taken = known.filter(|it| self.config.algorithms.contains(it));
        taken.ok_or(BadToken::Algorithm)
    }

    /// The claims of a token whose signature is that key's, and that is for this gateway and for now.
    fn claims(
        &self,
        token: &[u8],
        key: &Key,
        algorithm: JwtAlgorithm,
    ) -> Result<Map<String, Value>, BadToken> {
        let mut validation = Validation::new(named(algorithm));
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&self.config.audience);
        validation.leeway = self.config.leeway.as_secs();
        validation.validate_nbf = true;
        let decoded = decode::<Map<String, Value>>(token, &key.key, &validation);
        decoded.map(|it| it.claims).map_err(|error| why(&error))
    }

    fn read(&self, claims: &Map<String, Value>, keys: &Keys) -> Result<Caller, BadToken> {
        let paths = &self.config.claims;
        let principal = match claim(claims, &paths.principal) {
            None | Some(Value::Null) => return Err(BadToken::MissingClaim("the principal")),
            Some(Value::Number(number)) => number.to_string(),
            Some(value) => name(value, "the principal")?,
        };
        if keys.has(&principal) {
            return Err(BadToken::Taken);
        }
        let team = match paths.team.as_deref().and_then(|path| claim(claims, path)) {
            None | Some(Value::Null) => None,
            Some(value) => Some(name(value, "the team")?),
        };
        let roles = match paths.roles.as_deref().and_then(|path| claim(claims, path)) {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => roles(value)?,
        };
        Ok(Caller {
            team: team.map(Arc::from),
            roles: roles.into(),
            ..Caller::named(&principal)
        })
    }
}

fn head(token: &[u8]) -> Result<Head, BadToken> {
    let head = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).ok();
    let head = head.and_then(|head| serde_json::from_slice(&head).ok());
    head.ok_or(BadToken::Malformed)
}

/// The key that a token is to be checked with.
fn find<'a>(
    held: &'a Held,
    kid: Option<&str>,
    algorithm: JwtAlgorithm,
) -> Result<&'a Key, BadToken> {
    if held.keys.is_empty() {
        return Err(BadToken::NoKeys);
    }
    let Some(kid) = kid else {
        let mut fitting = held.keys.iter().filter(|key| key.fits(algorithm));
        return match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(BadToken::KeyAlgorithm),
            _ => Err(BadToken::NoKey),
        };
    };
    // A provider may have one of each kind by the same name.
    let named = || {
        held.keys
            .iter()
            .filter(|key| key.id.as_deref() == Some(kid))
    };
    match named().find(|key| key.fits(algorithm)) {
        Some(key) => Ok(key),
        None if named().next().is_some() => Err(BadToken::KeyAlgorithm),
        None => Err(BadToken::UnknownKey),
    }
}

fn named(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::RS256 => Algorithm::RS256,
        JwtAlgorithm::RS384 => Algorithm::RS384,
        JwtAlgorithm::RS512 => Algorithm::RS512,
        JwtAlgorithm::PS256 => Algorithm::PS256,
        JwtAlgorithm::PS384 => Algorithm::PS384,
        JwtAlgorithm::PS512 => Algorithm::PS512,
        JwtAlgorithm::ES256 => Algorithm::ES256,
        JwtAlgorithm::ES384 => Algorithm::ES384,
        JwtAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

fn why(error: &Error) -> BadToken {
    match error.kind() {
        ErrorKind::ExpiredSignature => BadToken::Expired,
        ErrorKind::ImmatureSignature => BadToken::NotYet,
        ErrorKind::InvalidIssuer => BadToken::Issuer,
        ErrorKind::InvalidAudience => BadToken::Audience,
        ErrorKind::InvalidAlgorithm => BadToken::KeyAlgorithm,
        ErrorKind::InvalidSignature
        | ErrorKind::InvalidKeyFormat
        | ErrorKind::InvalidRsaKey(_)
        | ErrorKind::InvalidEcdsaKey
        | ErrorKind::InvalidEddsaKey => BadToken::Signature,
        ErrorKind::MissingRequiredClaim(claim) => BadToken::MissingClaim(spec(claim)),
        ErrorKind::InvalidClaimFormat(claim) => BadToken::WrongClaim(spec(claim)),
        _ => BadToken::Malformed,
    }
}

fn spec(claim: &str) -> &'static str {
    match claim {
        "exp" => "the end of its time (`exp`)",
        "nbf" => "the beginning of its time (`nbf`)",
        "iss" => "its issuer (`iss`)",
        "aud" => "its audience (`aud`)",
        _ => "what the standard asks for",
    }
}

/// A claim by its path: a JSON pointer, the claim's whole name, or names joined by dots.
fn claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let at = |value: &'a Value, rest: &str| -> Option<&'a Value> {
        rest.split('.')
            .try_fold(value, |value, name| value.get(name))
    };
    if let Some(pointer) = path.strip_prefix('/') {
        let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
        let first = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
        return match rest {
            "" => Some(first),
            rest => first.pointer(&format!("/{rest}")),
        };
    }
    let whole = claims.get(path);
    whole.or_else(|| {
        let (first, rest) = path.split_once('.')?;
        at(claims.get(first)?, rest)
    })
}

fn name(value: &Value, of: &'static str) -> Result<String, BadToken> {
    let text = value.as_str().ok_or(BadToken::WrongClaim(of))?;
    let fine = (1..=LONGEST_NAME).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text;
    fine.then(|| text.to_owned())
        .ok_or(BadToken::WrongClaim(of))
}

fn roles(value: &Value) -> Result<Vec<String>, BadToken> {
    const OF: &str = "the roles";
    let mut roles: Vec<String> = match value {
        Value::String(words) => words.split_ascii_whitespace().map(str::to_owned).collect(),
        Value::Array(items) if items.len() <= MOST_ROLES => {
            let items = items.iter().map(|item| name(item, OF));
            items.collect::<Result<_, _>>()?
        }
        _ => return Err(BadToken::WrongClaim(OF)),
    };
    let mut seen = std::collections::HashSet::new();
    roles.retain(|role| seen.insert(role.clone()));
    if roles.len() > MOST_ROLES || roles.iter().any(|role| role.chars().count() > LONGEST_NAME) {
        return Err(BadToken::WrongClaim(OF));
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_by_name_by_names_and_by_pointer() {
        let claims = json!({
            "sub": "ann",
            "realm": {"roles": ["a"]},
            "https://me.example/team": "blue",
            "a.b": "whole",
            "a": {"b": "parts"},
        });
        let claims = claims.as_object().cloned().unwrap_or_default();
        let at = |path: &str| claim(&claims, path).cloned().unwrap_or_default();
        assert_eq!(at("sub"), "ann");
        assert_eq!(at("realm.roles"), json!(["a"]));
        assert_eq!(at("/realm/roles"), json!(["a"]));
        assert_eq!(at("https://me.example/team"), "blue");
        assert_eq!(at("/https:~1~1me.example~1team"), "blue");
        assert_eq!(at("a.b"), "whole");
        assert_eq!(at("/a/b"), "parts");
        for nothing in [
            "",
            "/",
            "realm.role",
            "sub.x",
            "/realm/roles/9",
            "none.of.it",
        ] {
            assert_eq!(at(nothing), Value::Null, "{nothing}");
        }
    }

    #[test]
    fn roles_are_a_list_or_words_and_each_stands_once() {
        let read = |value: Value| roles(&value);
        let both = Ok(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(read(json!(["a", "b", "a"])), both);
        assert_eq!(read(json!("a  b a")), both);
        assert_eq!(read(json!([])), Ok(Vec::new()));
        let long = "x".repeat(LONGEST_NAME + 1);
        for bad in [
            json!(1),
            json!({"a": true}),
            json!([1]),
            json!([""]),
            json!([" a"]),
            json!(["a\n"]),
            json!([long]),
            json!(long),
            json!(vec!["a"; MOST_ROLES + 1]),
        ] {
            assert_eq!(
                read(bad.clone()),
                Err(BadToken::WrongClaim("the roles")),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_has_not_three_parts_and_a_beginning_is_no_token() {
        assert!(looks_like_one(b"eyJhbGciOiJub25lIn0.e30."));
        for other in ["", "wg_abc", "a.b.c", "ey.a", "ey.a.b.c", "csk-ey.a.b"] {
            assert!(!looks_like_one(other.as_bytes()), "{other}");
        }
    }
}
