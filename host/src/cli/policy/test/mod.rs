//! `witgate policy test`: a policy's samples at every cut of their answers, without a configuration, for whoever writes it; or the cases
//! of a configuration through its whole chain.

mod report;
mod update;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::report::{Case, Report};
use super::build;
use super::component::{Component, alone, settings};
use super::project::Project;
use crate::cli::{Wrong, setup};
use crate::config::{ComponentSource, Config, Mode, read_file_within};
use crate::control::samples::{MAX_SIZE as MAX_SAMPLES_SIZE, Samples, suites};
use crate::control::watch_files;
use crate::generation::{BuildInputs, bundled};
use crate::policy::{self, StageSpec};

/// The arguments of `witgate policy test`.
#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    /// The component: a file, the folder of a project, or `bundled:NAME` [default: the project in this folder]
    #[arg(conflicts_with = "policy_config")]
    component: Option<PathBuf>,
    /// Test the whole chain of this configuration with its `testing.suites`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["settings", "samples", "update"])]
    policy_config: Option<PathBuf>,
    /// The policy's configuration, as JSON, or as @FILE with JSON in it [default: the project's, else none]
    #[arg(long, value_name = "JSON|@FILE", value_parser = settings)]
    settings: Option<Value>,
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
    /// Go on, and test again whenever the samples, or the component or its project's sources, change
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

pub(super) async fn test(args: TestArgs) -> Result<ExitCode, Wrong> {
    let subject = match (&args.policy_config, &args.component) {
        (Some(file), _) => Subject::Chain(file.clone()),
        (None, component) => {
            let here = PathBuf::from(".");
            let component = Component::named(component.as_ref().unwrap_or(&here))?;
            let samples = args.samples.clone().or_else(|| component.samples());
            if args.update && samples.is_none() {
                return Ok(misused(
                    "--update has no file to write to: a bundled policy's samples are part of this program; name others with --samples",
                ));
            }
            Subject::Policy(component, samples)
        }
    };
    if !args.watch {
        return once(&args, &subject).await;
    }
    let watched = tokio::sync::watch::Sender::new(subject.files());
    let again = || async {
        // A chain's components may be others now.
        watched.send_if_modified(|known| {
            let files = subject.files();
            let other = *known != files;
            *known = files;
            other
        });
        match once(&args, &subject).await {
            Ok(_) => {}
            Err(wrong) => eprintln!("witgate: {wrong}"),
        }
        eprintln!("\nwaiting for a change; stop with Ctrl-C\n");
    };
    watch_files(watched.subscribe(), again, CancellationToken::new()).await;
    Err("the files aren't watched any more".into())
}

/// Tests once, prints what came, and writes it where that is wanted.
async fn once(args: &TestArgs, subject: &Subject) -> Result<ExitCode, Wrong> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let (report, file) = match subject {
        Subject::Chain(file) => (chain(file, seed).await?, None),
        Subject::Policy(_, Some(file)) if !file.exists() => {
            return Ok(misused(&format!(
                "{}: there are no samples; write some, or name them with --samples",
                file.display()
            )));
        }
        Subject::Policy(component, file) => {
            let text = match file {
                Some(file) => read_file_within(file, MAX_SAMPLES_SIZE)
                    .map_err(|error| format!("{}: {error}", file.display()))?,
                None => component
                    .bundled()
                    .and_then(bundled::samples)
                    .unwrap_or_default()
                    .to_vec(),
            };
            let named = match file {
                Some(file) => file.display().to_string(),
                None => format!("the samples of {component}"),
            };
            fresh(component).await?;
            let settings = component.settings(args.settings.clone());
            let report = policy(component, &settings, named, &text, seed).await?;
            (report, file.as_ref().map(|file| (file, text)))
        }
    };
    match args.format {
        TestFormat::Text => report.print(),
        TestFormat::Json => println!("{}", report.to_json()),
        TestFormat::Junit => println!("{}", report.to_junit()),
    }
    if args.update
        && let Some((file, text)) = file
    {
        return update::write(file, &text, &report);
    }
    Ok(if report.well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Builds the component of a project whose sources are newer: samples of what was written before say nothing of what is.
async fn fresh(component: &Component) -> Result<(), Wrong> {
    let Some(project) = component.project().filter(|project| project.is_stale()) else {
        return Ok(());
    };
    eprintln!("witgate: the sources are newer than {component}, so it is built");
    build::make(&Project::read(&project.folder)?).await?;
    Ok(())
}

/// A policy's samples, through a chain of the one stage.
async fn policy(
    component: &Component,
    settings: &Value,
    named: String,
    samples: &[u8],
    seed: u64,
) -> Result<Report, Wrong> {
    let bytes = component.bytes()?;
    let samples = Samples::parse(samples).map_err(|error| format!("{named}: {error}"))?;
    let sandbox = setup::sandbox(&Config::embedded()?, 1)?;
    let spec = alone(settings, &bytes);
    let loaded = policy::load(&sandbox, spec, &bytes).await;
    let stages = [loaded.map_err(|error| format!("{component}: {error}"))?];
    let mut report = Report::new(component.to_string(), named, seed);
    for sample in samples.iter() {
        let outcome = if sample.is_for(settings) {
            Some(sample.test(&stages, None, seed).await)
        } else {
            None
        };
        let name = sample.name().to_owned();
        report.cases.push(Case { name, outcome });
    }
    Ok(report)
}

/// A configuration's cases, through its chain.
async fn chain(file: &Path, seed: u64) -> Result<Report, Wrong> {
    let name = file.display().to_string();
    let config = Config::load(file)?;
    let Some(testing) = config.testing.clone() else {
        return Err(format!(
            "{name}: there is nothing to test with; write cases under `testing.suites`"
        )
        .into());
    };
    let suites = suites(&testing).map_err(|error| format!("{name}: {error}"))?;
    let sandbox = setup::sandbox(&config, 1)?;
    let inputs = BuildInputs::read(config)?;
    let mut stages = Vec::new();
    // In shadow a stage changes nothing that a case could expect.
    for stage in inputs
        .config
        .stages
        .iter()
        .filter(|stage| stage.mode == Mode::Enforce)
    {
        let loaded = policy::load(&sandbox, StageSpec::from(stage), inputs.component(stage)).await;
        stages.push(loaded.map_err(|error| format!("{name}: stage `{}`: {error}", stage.id))?);
    }
    let mut report = Report::new(name.clone(), name, seed);
    for (suite, samples) in &suites {
        for sample in samples.iter() {
            let outcome = sample
                .test(&stages, inputs.config.answers.as_deref(), seed)
                .await;
            report.cases.push(Case {
                name: format!("{suite}: {}", sample.name()),
                outcome: Some(outcome),
            });
        }
    }
    Ok(report)
}

fn misused(why: &str) -> ExitCode {
    eprintln!("witgate: {why}");
    ExitCode::from(2)
}

/// What is tested.
enum Subject {
    /// One policy, and the file of its samples; none where they are part of the program.
    Policy(Component, Option<PathBuf>),
    /// The chain of this configuration.
    Chain(PathBuf),
}

impl Subject {
    /// The files whose change matters.
    fn files(&self) -> BTreeSet<PathBuf> {
        let files = match self {
            Subject::Policy(component, samples) => {
                let mut files: Vec<_> = samples.clone().into_iter().collect();
                match component.project() {
                    Some(project) => files.extend(project.sources()),
                    None => files.extend(component.file().map(Path::to_owned)),
                }
                files
            }
            Subject::Chain(file) => {
                // One that can't be read has no components yet.
                let stages = Config::load(file)
                    .map(|config| config.stages)
                    .unwrap_or_default();
                let components = stages
                    .into_iter()
                    .filter_map(|stage| match stage.component {
                        ComponentSource::File(path) => Some(path),
                        ComponentSource::Bundled(_) => None,
                    });
                components.chain([file.clone()]).collect::<Vec<_>>()
            }
        };
        files
            .into_iter()
            .map(|file| std::path::absolute(&file).unwrap_or(file))
            .collect()
    }
}
