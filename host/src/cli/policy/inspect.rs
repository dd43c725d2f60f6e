//! `witgate policy inspect`: what a component is.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::component::{Component, alone, settings};
use crate::cli::{Format, Wrong};
use crate::config::Manifest;
use crate::policy::engine::EngineSettings;
use crate::policy::types::Description;
use crate::policy::{self, Producer, Sandbox, hook_names, inspect as read};

/// The arguments of `witgate policy inspect`.
#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The component: a file, the folder of a project, or `bundled:NAME`
    #[arg(default_value = ".")]
    file: PathBuf,
    /// The policy's configuration, as JSON, or as @FILE with JSON in it: its hooks may depend on it [default: the project's, else none]
    #[arg(long, value_name = "JSON|@FILE", value_parser = settings)]
    settings: Option<Value>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn inspect(args: InspectArgs) -> Result<ExitCode, Wrong> {
    let component = Component::named(&args.file)?;
    let name = component.to_string();
    let wrong = |error: &dyn std::fmt::Display| -> Wrong { format!("{name}: {error}").into() };
    let bytes = component.bytes()?;
    let inspection = read(&bytes).map_err(|error| wrong(&error))?;
    let sandbox = Sandbox::new(EngineSettings {
        exchanges: 1,
        ..EngineSettings::default()
    })?;
    let settings = component.settings(args.settings);
    let spec = alone(&settings, &bytes);
    let (described, hooked) = match policy::ask(&sandbox, &spec, &bytes).await {
        Ok((description, Ok(wanted))) => (Some(description), Ok(hook_names(wanted))),
        Ok((description, Err(error))) => (Some(description), Err(error.to_string())),
        Err(error) => (None, Err(error.to_string())),
    };
    let well = hooked.is_ok();
    match args.format {
        Format::Json => println!(
            "{}",
            json!({
                "file": name, "size": inspection.size, "digest": inspection.digest, "contract": inspection.contract,
                "name": described.as_ref().map(|it| &it.name), "version": described.as_ref().map(|it| &it.version),
                "config_schema": schema(inspection.manifest.as_ref(), described.as_ref()),
                "hooks": hooked.as_ref().ok(), "error": hooked.as_ref().err(),
                "grants": inspection.grants, "imports": inspection.imports,
                "manifest": inspection.manifest.as_ref().map(Manifest::to_json),
                "producers": inspection.producers.iter().map(producer).collect::<Vec<_>>(),
            })
        ),
        Format::Text => {
            let manifest = inspection.manifest.clone().unwrap_or_default();
            if let Some(it) = &described {
                println!("policy    {} {}", it.name, it.version);
            }
            println!("contract  witgate:policy {}", inspection.contract);
            match &hooked {
                Ok(hooks) => println!("hooks     {}", hooks.join(", ")),
                Err(error) => println!("hooks     unknown: {error}"),
            }
            let grants: Vec<String> = inspection
                .grants
                .iter()
                .map(|grant| match manifest.why(grant) {
                    Some(why) => format!("{grant}: {}", readable(why)),
                    None => grant.clone(),
                })
                .collect();
            match grants.is_empty() {
                true => println!("grants    none"),
                false => println!("grants    {}", grants.join("\n          ")),
            }
            let limits = manifest.limits.named();
            let limits: Vec<_> = limits.map(|(name, it)| format!("{name}: {it}")).collect();
            if !limits.is_empty() {
                println!("needs     limits: {{{}}}", limits.join(", "));
            }
            for (what, text) in [
                ("does", &manifest.description),
                ("license", &manifest.license),
                ("homepage", &manifest.homepage),
            ] {
                if let Some(text) = text {
                    println!("{what:<10}{}", readable(text));
                }
            }
            let made = inspection.producers.iter().map(|it| {
                let version = Some(&it.version).filter(|version| !version.is_empty());
                let version = version.map(|version| format!(" {version}"));
                format!("{}: {}{}", it.field, it.name, version.unwrap_or_default())
            });
            let made: Vec<_> = made.collect();
            if !made.is_empty() {
                println!("made by   {}", made.join("\n          "));
            }
            println!("size      {} bytes", inspection.size);
            println!("digest    {}", inspection.digest);
            println!("imports   {}", inspection.imports.join("\n          "));
            if let Some(schema) = schema(inspection.manifest.as_ref(), described.as_ref()) {
                let read = serde_json::from_str::<Value>(&schema);
                let shown = read.and_then(|schema| serde_json::to_string_pretty(&schema));
                let shown = shown.unwrap_or(schema);
                println!("settings  {}", shown.replace('\n', "\n          "));
            }
        }
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// The schema of its settings: that of its manifest, else its own words.
fn schema(manifest: Option<&Manifest>, described: Option<&Description>) -> Option<String> {
    let own = manifest.and_then(|it| it.schema.as_ref());
    own.map(Value::to_string)
        .or_else(|| described?.config_schema.clone())
}

fn producer(it: &Producer) -> Value {
    json!({"field": it.field, "name": it.name, "version": it.version})
}

/// An author's text for a terminal, on which nothing of it is an order.
pub(super) fn readable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
