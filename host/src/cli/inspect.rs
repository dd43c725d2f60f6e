//! `witgate policy inspect`: what a component is.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Format, Wrong};
use crate::config::{BUNDLED, Grant, Isolation, Limits, Mode, OnError, read_file_within};
use crate::generation::bundled;
use crate::policy::engine::EngineSettings;
use crate::policy::{self, MAX_SIZE, Sandbox, StageSpec, hook_names, inspect as read};

/// The arguments of `witgate policy inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The component: a file, or `bundled:NAME`
    file: PathBuf,
    /// The policy's configuration, as JSON: its hooks may depend on it
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn inspect(args: InspectArgs) -> Result<ExitCode, Wrong> {
    let name = args.file.display().to_string();
    let wrong = |error: &dyn std::fmt::Display| -> Wrong { format!("{name}: {error}").into() };
    let bytes = match name.strip_prefix("bundled:") {
        Some(bundled) => {
            let known = bundled::component(bundled);
            let names = BUNDLED.join(", ");
            known
                .ok_or_else(|| {
                    wrong(&format!(
                        "no policy is bundled by that name (valid: {names})"
                    ))
                })?
                .to_vec()
        }
        None => read_file_within(&args.file, MAX_SIZE).map_err(|error| wrong(&error))?,
    };
    let inspection = read(&bytes).map_err(|error| wrong(&error))?;
    let sandbox = Sandbox::new(EngineSettings {
        exchanges: 1,
        ..EngineSettings::default()
    })?;
    let spec = StageSpec {
        id: "inspected".into(),
        on_error: OnError::Deny,
        breaker: false,
        mode: Mode::Enforce,
        isolation: Isolation::default(),
        limits: Limits::default(),
        grants: Grant::ALL.to_vec(),
        http: None,
        settings: args.settings,
        pinned: None,
    };
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
                "config_schema": described.as_ref().and_then(|it| it.config_schema.as_ref()),
                "hooks": hooked.as_ref().ok(), "error": hooked.as_ref().err(),
                "grants": inspection.grants, "imports": inspection.imports,
            })
        ),
        Format::Text => {
            if let Some(it) = &described {
                println!("policy    {} {}", it.name, it.version);
            }
            println!("contract  witgate:policy {}", inspection.contract);
            match &hooked {
                Ok(hooks) => println!("hooks     {}", hooks.join(", ")),
                Err(error) => println!("hooks     unknown: {error}"),
            }
            println!(
                "grants    {}",
                if inspection.grants.is_empty() {
                    "none".into()
                } else {
                    inspection.grants.join(", ")
                }
            );
            println!("size      {} bytes", inspection.size);
            println!("digest    {}", inspection.digest);
            println!("imports   {}", inspection.imports.join("\n          "));
            if let Some(schema) = described.and_then(|it| it.config_schema) {
                let read = serde_json::from_str::<serde_json::Value>(&schema);
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
