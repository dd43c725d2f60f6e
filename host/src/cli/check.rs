//! `witgate check`: what would happen, stage by stage and target by target, before it happens.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::run::stand_in;
use super::{Format, Wrong, setup};
use crate::config::{Config, HttpHost, Manifest, StageConfig};
use crate::control::{BuildError, VerifiedStage};
use crate::generation::BuildInputs;
use crate::identity::Door;
use crate::metrics::{Metrics, StageMetrics};
use crate::policy::{Instantiation, Outbound, Sandbox, StageSpec, hook_names};
use crate::upstream::Targets;

/// The arguments of `witgate check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The configuration [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    policy_config: Option<PathBuf>,
    /// Don't ask the targets
    #[arg(long)]
    offline: bool,
    /// Stand a Cerebras simulator in for every target, as `run --simulate` does; no key is needed
    #[arg(long)]
    simulate: bool,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The whole result, and whether nothing is wrong.
struct Findings {
    stages: Vec<Value>,
    targets: Vec<Value>,
    well: bool,
}

pub(super) async fn check(args: CheckArgs) -> Result<ExitCode, Wrong> {
    let source = setup::source(args.policy_config);
    let mut config = match source.load() {
        Ok(config) => config,
        Err(error) if args.format == Format::Json => {
            println!(
                "{}",
                json!({"source": source.to_string(), "ok": false, "error": error.to_string()})
            );
            return Ok(ExitCode::from(1));
        }
        Err(error) => return Err(error.into()),
    };
    if args.simulate {
        config.stand_in(&stand_in(0.0).await?);
    }
    let mut found = Findings {
        stages: Vec::new(),
        targets: Vec::new(),
        well: true,
    };
    let sandbox = setup::sandbox(&config, 1)?;
    for stage in &config.stages {
        let loaded = load(&sandbox, &config, stage).await;
        found.well &= loaded.is_ok();
        found.stages.push(match loaded {
            Ok(loaded) => shown(stage, &loaded),
            Err(error) => json!({"id": stage.id, "component": stage.component.to_string(), "ok": false, "error": error}),
        });
    }
    targets(&config, args.offline, &mut found).await;
    let tokens = tokens(&config, args.offline, &mut found).await;
    match args.format {
        Format::Json => println!(
            "{}",
            json!({
                "source": source.to_string(), "ok": found.well,
                "stages": found.stages, "targets": found.targets, "clients": config.clients.len(),
                "tokens": tokens,
            })
        ),
        Format::Text => print(&source.to_string(), &config, &found, tokens.as_ref()),
    }
    Ok(if found.well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Builds the stage as `run` does, and tests it with its samples. The stage isn't attached to a chain, so its calls are
/// counted nowhere.
async fn load(
    sandbox: &Sandbox,
    config: &Config,
    stage: &StageConfig,
) -> Result<VerifiedStage, String> {
    let alone = Config {
        stages: vec![stage.clone()],
        ..config.clone()
    };
    let inputs = BuildInputs::read(alone).map_err(|error| error.to_string())?;
    if let Some(http) = &stage.http {
        // Nobody is asked: this is whether its secrets can be had.
        let metrics = Arc::new(StageMetrics::unregistered());
        Outbound::new(http, metrics).map_err(|error| error.to_string())?;
    }
    let verified = VerifiedStage::load(sandbox, &inputs, stage, StageSpec::from(stage)).await;
    verified.map_err(|error| match error {
        // The stage and its component are printed before the sentence.
        BuildError::Load { cause, .. } => cause.to_string(),
        BuildError::Samples { file, cause, .. } => format!("{file}: {cause}"),
        error => error.to_string(),
    })
}

fn shown(config: &StageConfig, verified: &VerifiedStage) -> Value {
    let VerifiedStage { loaded, samples } = verified;
    let spec = loaded.spec();
    let (name, version) = loaded.policy();
    let (instances, why) = match loaded.instantiation() {
        Instantiation::Snapshot => ("snapshot", None),
        Instantiation::PerInstance(why) => ("configured per instance", Some(why)),
    };
    json!({
        "id": config.id, "component": config.component.to_string(), "ok": true,
        "policy": name, "version": version, "digest": loaded.digest(),
        "hooks": hook_names(loaded.hooks()), "instances": instances, "why": why,
        "isolation": spec.isolation.to_string(), "isolation_means": spec.isolation.meaning(),
        "on_error": spec.on_error.to_string(),
        "mode": spec.mode.to_string(),
        "grants": spec.grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "manifest": loaded.manifest().map(Manifest::to_json),
        "asks": spec.http.iter().flat_map(|http| &http.hosts).map(asked).collect::<Vec<_>>(),
        "samples": {"ran": samples.ran, "skipped": samples.skipped},
    })
}

/// Whether the keys can be had that tokens are checked with.
async fn tokens(config: &Config, offline: bool, found: &mut Findings) -> Option<Value> {
    let jwt = config.jwt.as_ref()?;
    if offline {
        return Some(json!({"issuer": jwt.issuer, "error": null}));
    }
    // Without the keys of clients and of the admin side, which may not be here.
    let tokens_alone = Config {
        clients: Vec::new(),
        admin: Vec::new(),
        ..config.clone()
    };
    let door = Door::build(&tokens_alone, None).await;
    let state = match door {
        Ok(door) => door.tokens()?.state(),
        Err(error) => json!({"issuer": jwt.issuer, "error": error.to_string()}),
    };
    found.well &= state["error"].is_null();
    Some(state)
}

/// Whom a stage may ask, and with what.
fn asked(host: &HttpHost) -> String {
    let secret = host.secret.as_ref().map(|secret| format!(" with {secret}"));
    let private = if host.private {
        ", private addresses too"
    } else {
        ""
    };
    format!("{}{}{private}", host.url, secret.unwrap_or_default())
}

async fn targets(config: &Config, offline: bool, found: &mut Findings) {
    let targets = match Targets::build(config, None, &Metrics::new()) {
        Ok(targets) => targets,
        Err(error) => {
            found.well = false;
            found
                .targets
                .push(json!({"ok": false, "error": error.to_string()}));
            return;
        }
    };
    for warning in targets.warnings() {
        found.targets.push(json!({"ok": true, "warning": warning}));
    }
    if offline {
        let shown = targets.iter().map(|target| {
            let mut shown = target.to_json();
            shown["ok"] = json!(true);
            shown
        });
        found.targets.extend(shown);
        return;
    }
    for check in targets.check().await {
        found.well &= check.ok();
        found.targets.push(check.to_json());
    }
}

fn print(source: &str, config: &Config, found: &Findings, tokens: Option<&Value>) {
    println!("{source}: {} {}", config.pack.name, config.pack.version);
    println!("\nrequests and answers pass");
    for stage in &found.stages {
        print_stage(stage);
    }
    if found.stages.is_empty() {
        println!("  no policies: everything goes through as it comes");
    }
    if let Some(order) = &config.answers {
        println!("  answers pass in the order {}", order.join(", "));
    }
    println!("\nrequests go to");
    for target in &found.targets {
        print_target(target);
    }
    if let Some(error) = tokens.and_then(|tokens| tokens["error"].as_str()) {
        println!("\n✗ clients.jwt: {error}");
    }
    match (config.clients.len(), &config.jwt) {
        (0, None) => println!("\nclients: anyone who can reach the listener"),
        (some, None) => println!("\nclients: {some}, by key"),
        (0, Some(jwt)) => println!("\nclients: by tokens of {}", jwt.issuer),
        (some, Some(jwt)) => println!(
            "\nclients: {some}, by key; others by tokens of {}",
            jwt.issuer
        ),
    }
    println!(
        "\n{}",
        if found.well {
            "all well"
        } else {
            "something is wrong: see ✗ above"
        }
    );
}

fn print_stage(stage: &Value) {
    let text = |key: &str| stage[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| {
        let words = stage[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(", ")
    };
    if let Some(error) = stage["error"].as_str() {
        println!("  ✗ {} ({})\n      {error}", text("id"), text("component"));
        return;
    }
    println!(
        "  ✓ {}: {} {} ({})",
        text("id"),
        text("policy"),
        text("version"),
        text("component")
    );
    let manifest = |key: &str| stage["manifest"][key].as_str().unwrap_or_default();
    let said = [manifest("description"), manifest("license")];
    let said: Vec<_> = said.into_iter().filter(|text| !text.is_empty()).collect();
    if !said.is_empty() {
        // Of an author's text nothing is an order to a terminal.
        let said = said.join("; ").replace(char::is_control, " ");
        println!("      by its author: {said}");
    }
    println!(
        "      hooks: {}; if it fails: {}; instances: {}",
        list("hooks"),
        text("on_error"),
        text("instances")
    );
    if stage["isolation"] == "reused" {
        println!("      isolation: {}", text("isolation_means"));
    }
    if stage["mode"] == "shadow" {
        println!("      in shadow: what it says is recorded, and nothing of it is done");
    }
    if let Some(why) = stage["why"].as_str() {
        println!("      it can't be snapshotted: {why}");
    }
    if !list("grants").is_empty() {
        println!("      grants: {}", list("grants"));
    }
    if !list("asks").is_empty() {
        println!("      asks: {}", list("asks"));
    }
    let samples = |key: &str| stage["samples"][key].as_u64().unwrap_or_default();
    match (samples("ran"), samples("skipped")) {
        (0, 0) => {}
        (ran, 0) => println!("      samples: {ran} ran"),
        (ran, skipped) => println!("      samples: {ran} ran, {skipped} for other settings"),
    }
    println!("      {}", text("digest"));
}

fn print_target(target: &Value) {
    let text = |key: &str| target[key].as_str();
    let id = text("id").unwrap_or_default();
    if let Some(error) = text("error") {
        println!("  ✗ {error}");
        return;
    }
    if !id.is_empty() {
        let model = text("model").unwrap_or("any model");
        let listed = target["models"]
            .as_array()
            .map(|models| format!("; it lists {} models", models.len()));
        println!(
            "  {} {id}: {model} at {}{}",
            mark(target["ok"] == true),
            text("base_url").unwrap_or_default(),
            listed.unwrap_or_default()
        );
    }
    let keys = target["keys"].as_array().map_or(&[][..], |keys| keys);
    for key in keys {
        let why = key["why"].as_str();
        // Of a single key nothing is worth saying but what is wrong with it.
        if keys.len() > 1 || why.is_some() {
            println!(
                "      {} with {}: {}{}",
                mark(why.is_none()),
                key["key"].as_str().unwrap_or_default(),
                key["result"].as_str().unwrap_or_default(),
                why.map(|why| format!(", {why}")).unwrap_or_default()
            );
        }
    }
    if let Some(warning) = text("warning") {
        println!("  ! {warning}");
    }
}

fn mark(well: bool) -> char {
    if well { '✓' } else { '✗' }
}
