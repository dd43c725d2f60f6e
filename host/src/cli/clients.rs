//! `witgate clients new`: a key for a client, or a token for the admin listener.
//!
//! The entry for the configuration goes to standard output, and the key to standard error, so that `>> policy-config.yaml` doesn't take
//! the key along.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use super::Wrong;
use crate::config::{Config, parse_moment};

/// What every key begins with, so that scanners for secrets know one.
const PREFIX: &str = "wg_";
/// Random bytes in a key. Nobody guesses one, so its hash may be a fast one.
const RANDOM: usize = 32;

/// The arguments of `witgate clients new`.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The client's id: the principal of its requests; or a token's, by which the log names whoever shows it
    #[arg(long, value_name = "ID")]
    id: String,
    /// The team that it belongs to
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
    /// Its roles, with commas between
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    roles: Vec<String>,
    /// The models that it may ask for, with commas between; `*` stands for any characters [default: any]
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    models: Vec<String>,
    /// From when on the key isn't taken: a day, which begins at midnight UTC, or a time such as 2027-01-31T12:00:00Z [default: never]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires: Option<String>,
    /// Make a token for the admin listener instead, for one who reads (`viewer`) or also changes what runs (`operator`)
    #[arg(long, value_name = "ROLE", value_parser = ["viewer", "operator"], conflicts_with_all = ["team", "roles", "models"])]
    admin: Option<String>,
}

fn moment(text: &str) -> Result<String, String> {
    let read = parse_moment(text).map(|_| text.to_owned());
    read.ok_or_else(|| {
        "write a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z".to_owned()
    })
}

pub(super) fn new(args: &NewArgs) -> Result<ExitCode, Wrong> {
    let mut random = [0; RANDOM];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| "the system gives no random numbers, so there is no key")?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let entry = entry(args, &key);
    // What the configuration doesn't take is told now, not when the gateway reads it.
    let (section, list) = match args.admin {
        Some(_) => ("admin", "tokens"),
        None => ("clients", "keys"),
    };
    let whole = format!(
        "pack: {{name: new, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\n{section}:\n  {list}:\n{entry}"
    );
    Config::parse(&whole, "the new entry", std::path::Path::new("."))?;
    print!("{entry}");
    eprintln!(
        "\nThe key of `{}`, which is shown this once and kept nowhere:\n\n  {key}\n\nThe entry above goes below `{section}.{list}` in the \
         configuration; it has the key's hash alone.",
        args.id
    );
    Ok(ExitCode::SUCCESS)
}

/// The entry, as it stands below `clients.keys` or `admin.tokens`.
fn entry(args: &NewArgs, key: &str) -> String {
    // A text of JSON is one of YAML, whatever is in it.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let list = |texts: &[String]| serde_json::Value::from(texts.to_vec()).to_string();
    let digest = Sha256::digest(key);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut entry = format!(
        "    - id: {}\n      hash: sha256:{digest}\n",
        quoted(&args.id)
    );
    if let Some(role) = &args.admin {
        entry.push_str(&format!("      role: {role}\n"));
    }
    if let Some(team) = &args.team {
        entry.push_str(&format!("      team: {}\n", quoted(team)));
    }
    for (key, list_of) in [("roles", &args.roles), ("models", &args.models)] {
        if !list_of.is_empty() {
            entry.push_str(&format!("      {key}: {}\n", list(list_of)));
        }
    }
    if let Some(expires) = &args.expires {
        entry.push_str(&format!("      expires: {}\n", quoted(expires)));
    }
    entry
}
