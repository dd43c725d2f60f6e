//! `witgate policy test`: a policy's samples at every cut of their answers, without a configuration, for whoever writes it.

mod report;
mod update;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::report::{Case, Report};
use super::{Wrong, setup};
use crate::config::{BUNDLED, Config, Grant, Limits, Mode, OnError, read_file_within};
use crate::control::samples::{MAX_SIZE as MAX_SAMPLES_SIZE, Samples};
use crate::control::watch_files;
use crate::generation::bundled;
use crate::policy::{self, MAX_SIZE, Sandbox, StageSpec};

/// The arguments of `witgate policy test`.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The component: a file, or `bundled:NAME`
    component: PathBuf,
    /// The policy's configuration, as JSON, or as @FILE with JSON in it
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}", value_parser = settings)]
    settings: Value,
    /// The samples [default: those beside the component, NAME.samples.yaml]
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// Where the random cuts begin: the same seed makes the same cuts [default: another one each time, and it is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: TestFormat,
    /// Write what came into the samples, where it isn't what they expect
    #[arg(long)]
    update: bool,
    /// Go on, and test again whenever the component or the samples change
    #[arg(long)]
    watch: bool,
}

/// How the results of tests are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For build servers: JUnit's XML
    Junit,
}

fn settings(text: &str) -> Result<Value, String> {
    let from_file = text.strip_prefix('@').map(std::fs::read_to_string);
    let json = match from_file {
        Some(read) => read.map_err(|error| format!("the file can't be read: {error}"))?,
        None => text.to_owned(),
    };
    let read: Result<Value, _> = serde_json::from_str(&json);
    let settings = read.map_err(|error| format!("they aren't JSON: {error}"))?;
    if settings.is_object() {
        Ok(settings)
    } else {
        Err("they must be an object, such as {\"limit\": 3}".to_owned())
    }
}

pub(super) async fn test(args: TestArgs) -> Result<ExitCode, Wrong> {
    let sandbox = setup::sandbox(&Config::embedded()?, 1)?;
    let Some(samples) = args.samples_file() else {
        return Ok(misused(
            "--update has no file to write to: a bundled policy's samples are part of this program; name others with --samples",
        ));
    };
    if !args.watch {
        return once(&args, &sandbox, samples.as_deref()).await;
    }
    let files: BTreeSet<PathBuf> = [Some(args.component.clone()), samples.clone()]
        .into_iter()
        .flatten()
        .collect();
    let absolute = files
        .into_iter()
        .map(|file| std::path::absolute(&file).unwrap_or(file))
        .collect();
    let watched = tokio::sync::watch::Sender::new(absolute);
    let again = || async {
        match once(&args, &sandbox, samples.as_deref()).await {
            Ok(_) => {}
            Err(wrong) => eprintln!("witgate: {wrong}"),
        }
        eprintln!("\nwaiting for a change; stop with Ctrl-C\n");
    };
    watch_files(watched.subscribe(), again, CancellationToken::new()).await;
    Err("the files aren't watched any more".into())
}

/// Tests once, prints what came, and writes it where that is wanted.
async fn once(args: &TestArgs, sandbox: &Sandbox, file: Option<&Path>) -> Result<ExitCode, Wrong> {
    let component = args.component()?;
    let text = match (file, args.bundled()) {
        (Some(file), _) if !file.exists() => {
            return Ok(misused(&format!(
                "{}: there are no samples; write some, or name them with --samples",
                file.display()
            )));
        }
        (Some(file), _) => read_file_within(file, MAX_SAMPLES_SIZE)
            .map_err(|error| format!("{}: {error}", file.display()))?,
        (None, name) => name.and_then(bundled::samples).unwrap_or_default().to_vec(),
    };
    let named = file.map_or_else(
        || format!("the samples of {}", args.component.display()),
        |file| file.display().to_string(),
    );
    let samples = Samples::parse(&text).map_err(|error| format!("{named}: {error}"))?;
    let spec = StageSpec {
        id: "tested".into(),
        on_error: OnError::Deny,
        breaker: false,
        mode: Mode::Enforce,
        limits: Limits::default(),
        grants: Grant::ALL.to_vec(),
        settings: args.settings.to_string(),
        pinned: None,
    };
    let loaded = policy::load(sandbox, spec, &component).await;
    let loaded = loaded.map_err(|error| format!("{}: {error}", args.component.display()))?;
    let mut report = Report {
        component: args.component.display().to_string(),
        samples: named,
        seed: args.seed.unwrap_or_else(|| fastrand::u64(..1 << 32)),
        cases: Vec::new(),
    };
    for sample in samples.iter() {
        let outcome = if sample.is_for(&args.settings) {
            Some(sample.test(&loaded, report.seed).await)
        } else {
            None
        };
        report.cases.push(Case {
            name: sample.name().to_owned(),
            outcome,
        });
    }
    match args.format {
        TestFormat::Text => report.print(),
        TestFormat::Json => println!("{}", report.to_json()),
        TestFormat::Junit => println!("{}", report.to_junit()),
    }
    if args.update
        && let Some(file) = file
    {
        return update::write(file, &text, &report);
    }
    Ok(if report.well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn misused(why: &str) -> ExitCode {
    eprintln!("witgate: {why}");
    ExitCode::from(2)
}

impl TestArgs {
    fn bundled(&self) -> Option<&str> {
        self.component.to_str()?.strip_prefix("bundled:")
    }

    fn component(&self) -> Result<Vec<u8>, Wrong> {
        let name = self.component.display();
        let Some(bundled) = self.bundled() else {
            let read = read_file_within(&self.component, MAX_SIZE);
            return read.map_err(|error| format!("{name}: {error}").into());
        };
        let known = bundled::component(bundled).map(<[u8]>::to_vec);
        known.ok_or_else(|| {
            format!(
                "{name}: no policy is bundled by that name (valid: {})",
                BUNDLED.join(", ")
            )
            .into()
        })
    }

    /// The file with the samples; `Some(None)` where they are part of the program. `None`: one must be written to, and there is none.
    fn samples_file(&self) -> Option<Option<PathBuf>> {
        let beside = || match self.bundled() {
            Some(_) => None,
            None => Some(self.component.with_extension("samples.yaml")),
        };
        let file = self.samples.clone().or_else(beside);
        (file.is_some() || !self.update).then_some(file)
    }
}
