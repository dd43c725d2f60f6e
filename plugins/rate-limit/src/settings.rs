//! What the operator says.

use std::fmt;

use metering::keys::{self, Elsewhere, none_of};
use metering::{By, Estimate, Who};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::Checked;
use crate::limit::{Kind, LONGEST, Limit, What};

/// The most limits: each takes up to six calls of `counters`, of which an exchange may make 256.
const MOST: usize = 32;

/// The settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    limits: Vec<Said>,
    #[serde(default)]
    estimate: Estimate,
    /// Whether clients are told their limits.
    #[serde(default = "yes")]
    headers: bool,
    // As Keeptrusts has them.
    global_rate_limit: Option<Requests>,
    user_rate_limit: Option<Requests>,
    token_rate_limit: Option<TokenLimit>,
    #[serde(default)]
    ip_rate_limit: Elsewhere,
    #[serde(default)]
    size_limits: Elsewhere,
    #[serde(default)]
    rate_limits: Elsewhere,
    #[serde(default)]
    rate_limit_defaults: Elsewhere,
    #[serde(default)]
    consumer_groups: Elsewhere,
}

fn yes() -> bool {
    true
}

/// One limit, as it is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    name: Option<String>,
    requests: Option<u64>,
    tokens: Option<u64>,
    per: Per,
    #[serde(default)]
    by: Vec<By>,
    #[serde(default)]
    principals: Vec<String>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    kind: Kind,
    burst: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    max_requests: u64,
    window_seconds: u32,
    #[serde(default)]
    header_names: Elsewhere,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenLimit {
    max_tokens: u64,
    window_seconds: u32,
    #[serde(default)]
    scope: Scope,
}

/// For each of what tokens are counted, in Keeptrusts' words.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    #[default]
    Global,
    User,
    Team,
    Model,
}

/// A window's length: `minute`, or seconds.
#[derive(Clone, Copy, Debug)]
struct Per(u32);

impl<'de> Deserialize<'de> for Per {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Length;
        impl Visitor<'_> for Length {
            type Value = Per;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`second`, `minute`, `hour`, `day`, or a number of seconds")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Per, E> {
                match u32::try_from(seconds) {
                    Ok(seconds @ 1..=LONGEST) => Ok(Per(seconds)),
                    _ => Err(E::custom(format_args!(
                        "{seconds} seconds are no window; it has 1 to {LONGEST} (366 days)"
                    ))),
                }
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Per, E> {
                match name {
                    "second" => Ok(Per(1)),
                    "minute" => Ok(Per(60)),
                    "hour" => Ok(Per(3_600)),
                    "day" => Ok(Per(86_400)),
                    "week" | "month" => Err(E::custom(format_args!(
                        "a {name} is a time for the policy `budget`; here it is `second`, `minute`, `hour`, `day`, or a number of seconds"
                    ))),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Length)
    }
}

impl Settings {
    pub(crate) fn check(self) -> Result<Checked, String> {
        none_of(&[
            (
                "ip_rate_limit",
                self.ip_rate_limit,
                "no policy sees addresses; give clients keys (`clients`), and limit `by: [principal]`",
            ),
            (
                "size_limits",
                self.size_limits,
                "the gateway bounds every body by itself",
            ),
            (
                "rate_limits",
                self.rate_limits,
                "say `limits: [{requests: N, per: minute, by: [principal]}]`, and `tokens` for tpm",
            ),
            (
                "rate_limit_defaults",
                self.rate_limit_defaults,
                "`headers: true`, which is the default, tells clients their limits",
            ),
            (
                "consumer_groups",
                self.consumer_groups,
                "say `limits: [{requests: N, per: minute, teams: [TEAM]}]`",
            ),
        ])?;
        self.estimate.check()?;
        let mut limits = Vec::new();
        for (index, said) in self.limits.into_iter().enumerate() {
            limits.push(said.check(&format!("limits[{index}]"))?);
        }
        for (key, said, by) in [
            ("global_rate_limit", self.global_rate_limit, &[][..]),
            ("user_rate_limit", self.user_rate_limit, &[By::Principal]),
        ] {
            if let Some(said) = said {
                none_of(&[(
                    "header_names",
                    said.header_names,
                    "who asks is told by `clients`, for a header could be anybody's",
                )])
                .map_err(|why| format!("`{key}`: {why}"))?;
                limits.push(known(
                    key,
                    What::Requests,
                    said.max_requests,
                    said.window_seconds,
                    by,
                )?);
            }
        }
        if let Some(said) = self.token_rate_limit {
            let by = match said.scope {
                Scope::Global => &[][..],
                Scope::User => &[By::Principal],
                Scope::Team => &[By::Team],
                Scope::Model => &[By::Model],
            };
            limits.push(known(
                "token_rate_limit",
                What::Tokens,
                said.max_tokens,
                said.window_seconds,
                by,
            )?);
        }
        if limits.is_empty() {
            return Err(
                "`limits`: there is none, so nothing would be limited; say `limits: [{requests: 100, per: minute, by: [principal]}]`, or take \
                 the stage out of the chain"
                    .into(),
            );
        }
        if limits.len() > MOST {
            return Err(format!(
                "`limits`: {} are more than the {MOST} that one stage counts; put some into a second one",
                limits.len()
            ));
        }
        for (index, limit) in limits.iter().enumerate() {
            let same = |other: &&Limit| {
                other.name == limit.name && other.who.by == limit.who.by && other.kind == limit.kind
            };
            if let Some(other) = limits[..index].iter().find(same) {
                return Err(format!(
                    "`limits[{index}]`: another limit keeps the same sums, those of `{}`; give each of the two a `name` of its own",
                    other.name
                ));
            }
        }
        Ok(Checked {
            limits,
            estimate: self.estimate,
            headers: self.headers,
        })
    }
}

/// One of Keeptrusts' limits.
fn known(key: &str, what: What, most: u64, seconds: u32, by: &[By]) -> Result<Limit, String> {
    let (requests, tokens) = match what {
        What::Requests => (Some(most), None),
        What::Tokens => (None, Some(most)),
    };
    if !(1..=LONGEST).contains(&seconds) {
        return Err(format!(
            "`{key}.window_seconds`: {seconds} seconds are no window; it has 1 to {LONGEST} (366 days)"
        ));
    }
    let said = Said {
        name: Some(key.replace('_', "-")),
        requests,
        tokens,
        per: Per(seconds),
        by: by.to_vec(),
        principals: Vec::new(),
        teams: Vec::new(),
        models: Vec::new(),
        kind: Kind::Window,
        burst: None,
    };
    said.check(key)
}

impl Said {
    fn check(self, at: &str) -> Result<Limit, String> {
        let (what, most) = match (self.requests, self.tokens) {
            (Some(most), None) => (What::Requests, most),
            (None, Some(most)) => (What::Tokens, most),
            (Some(_), Some(_)) => {
                return Err(format!(
                    "`{at}`: a limit counts `requests` or `tokens`; make two of it"
                ));
            }
            (None, None) => {
                return Err(format!(
                    "`{at}`: it limits nothing; say `requests: N` or `tokens: N`"
                ));
            }
        };
        let Some(most) = i64::try_from(most).ok().filter(|most| *most > 0) else {
            return Err(format!(
                "`{at}`: {most} {what} is no limit; it is 1 or more. To let nobody ask, take the policy `access`"
            ));
        };
        let burst = match (self.kind, self.burst) {
            (Kind::Window, Some(_)) => {
                return Err(format!(
                    "`{at}.burst`: only a bucket has one; say `kind: bucket`, or leave it out"
                ));
            }
            (_, Some(0)) => {
                return Err(format!("`{at}.burst`: nothing fits into 0; say 1 or more"));
            }
            (_, burst) => burst.map_or(most, |burst| i64::try_from(burst).unwrap_or(i64::MAX)),
        };
        let who = Who {
            by: self.by,
            principals: self.principals,
            teams: self.teams,
            models: self.models,
        };
        who.check(at)?;
        if let Some(name) = &self.name {
            keys::name(name).map_err(|why| format!("`{at}.name`: {why}"))?;
        }
        Limit::new(self.name, what, most, self.per.0, who, self.kind, burst)
            .map_err(|why| format!("`{at}`: {why}"))
    }
}
