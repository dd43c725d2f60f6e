//! `witgate policy bench`: what a policy costs, beside an empty one in the same run, so that a busy or a slow machine falsifies less.
//!
//! Both are measured in turns, round by round, and the median of the rounds is told. [`work`] is what is measured.

mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use self::work::{WORK, Work};
use super::component::{Component, alone, settings};
use crate::cli::{Format, Wrong};
use crate::config::Limits;
use crate::generation::bundled;
use crate::policy::engine::EngineSettings;
use crate::policy::{self, Instance, Instantiation, Making, Sandbox, Stage, hook_names};

/// Exchanges that live at once while their memory is measured.
const LIVE: u32 = 64;

/// The arguments of `witgate policy bench`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArgs {
    /// The component: a file, the folder of a project, or `bundled:NAME`
    #[arg(default_value = ".")]
    component: PathBuf,
    /// The policy's configuration, as JSON, or as @FILE with JSON in it [default: the project's, else none]
    #[arg(long, value_name = "JSON|@FILE", value_parser = settings)]
    settings: Option<Value>,
    /// Rounds, of which the median is told
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// End with 1 where anything takes more than so many times as long as with the empty policy
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    fail_above: Option<f64>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text
        .parse()
        .ok()
        .filter(|it: &f64| it.is_finite() && *it > 0.0);
    ratio.ok_or_else(|| "it must be a number above 0, such as 20".to_owned())
}

/// A policy, loaded.
struct Loaded {
    stage: Arc<Stage>,
    load: Duration,
    making: Making,
}

/// What one piece of work takes. `None`: the policy doesn't want that hook.
struct Figure {
    work: Work,
    took: Option<Duration>,
    empty: Duration,
}

impl Figure {
    /// How many times as long as the empty policy.
    fn ratio(&self) -> Option<f64> {
        let took = self.took?.as_secs_f64();
        Some(took / self.empty.as_secs_f64().max(1e-9))
    }

    fn is_above(&self, most: Option<f64>) -> bool {
        matches!((self.ratio(), most), (Some(ratio), Some(most)) if ratio > most)
    }
}

pub(super) async fn bench(args: BenchArgs) -> Result<ExitCode, Wrong> {
    let component = Component::named(&args.component)?;
    let bytes = component.bytes()?;
    let settings = component.settings(args.settings);
    // Nothing that was compiled before is taken: what loading costs is what a gateway pays for a new component.
    let sandbox = Sandbox::new(EngineSettings {
        exchanges: 2 * LIVE,
        ..EngineSettings::default()
    })?;
    let empty = load(&sandbox, bundled::empty(), &json!({})).await;
    let empty = empty.map_err(|error| format!("the empty policy: {error}"))?;
    let subject = load(&sandbox, &bytes, &settings).await;
    let subject = subject.map_err(|error| format!("{component}: {error}"))?;
    let mut figures = Vec::new();
    for work in WORK {
        let measured = figure(work, &subject.stage, &empty.stage, args.rounds).await;
        figures.push(measured.map_err(|why| format!("{component}: {work}: {why}"))?);
    }
    let memory = (memory(&subject.stage).await?, memory(&empty.stage).await?);
    let above = figures.iter().any(|it| it.is_above(args.fail_above));
    match args.format {
        Format::Json => println!(
            "{}",
            to_json(
                &component.to_string(),
                (&subject, &empty),
                &figures,
                memory,
                args.fail_above
            )
        ),
        Format::Text => {
            print((&subject, &empty), &figures, memory, args.fail_above);
        }
    }
    Ok(if above {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

async fn load(sandbox: &Sandbox, bytes: &[u8], settings: &Value) -> Result<Loaded, Wrong> {
    let mut spec = alone(settings, bytes);
    // What takes long is to be measured, and not to be cut.
    let minute = Duration::from_secs(60);
    spec.limits = Limits {
        request_cpu: minute,
        delta_cpu: minute,
        exchange_cpu: 10 * minute,
        ..spec.limits
    };
    let began = Instant::now();
    let loaded = policy::load(sandbox, spec, bytes).await?;
    Ok(Loaded {
        load: began.elapsed(),
        making: *loaded.making(),
        stage: Stage::enforcing(loaded),
    })
}

/// The median of the rounds, of both.
async fn figure(
    work: Work,
    subject: &Arc<Stage>,
    empty: &Arc<Stage>,
    rounds: u32,
) -> Result<Figure, policy::Failure> {
    let wanted = work.is_wanted(subject.hooks());
    let (mut took, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        beside.push(work.time(empty).await?);
        if wanted {
            took.push(work.time(subject).await?);
        }
    }
    Ok(Figure {
        work,
        took: median(took),
        empty: median(beside).unwrap_or_default(),
    })
}

fn median(mut all: Vec<Duration>) -> Option<Duration> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

/// Bytes that an exchange takes while it lives, by what the process takes. `None` where the system doesn't tell.
async fn memory(stage: &Arc<Stage>) -> Result<Option<u64>, Wrong> {
    let before = resident();
    let mut live = Vec::new();
    for _ in 0..LIVE {
        let begun: Result<Instance, policy::Failure> = work::begun(stage).await;
        live.push(begun.map_err(|why| why.to_string())?);
    }
    let after = resident();
    drop(live);
    let grown = after
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    Ok(grown.map(|bytes| bytes / u64::from(LIVE)))
}

/// Bytes of memory that this process takes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn to_json(
    component: &str,
    (subject, empty): (&Loaded, &Loaded),
    figures: &[Figure],
    memory: (Option<u64>, Option<u64>),
    most: Option<f64>,
) -> Value {
    let nanos = |took: Duration| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let made = |it: &Loaded, memory: Option<u64>| {
        json!({
            "load_ns": nanos(it.load), "configure_ns": nanos(it.making.configure),
            "snapshot_ns": nanos(it.making.snapshot), "snapshot_bytes": it.making.snapshot_size,
            "live_exchange_bytes": memory,
        })
    };
    let figure = |it: &Figure| {
        json!({
            "what": it.work.name(), "bytes": it.work.bytes(), "ns": it.took.map(nanos), "empty_ns": nanos(it.empty),
            "ratio": it.ratio(), "ok": !it.is_above(most),
        })
    };
    let loaded = subject.stage.loaded();
    json!({
        "component": component, "digest": loaded.digest(), "hooks": hook_names(subject.stage.hooks()),
        "made": made(subject, memory.0), "empty": made(empty, memory.1),
        "figures": figures.iter().map(figure).collect::<Vec<_>>(), "fail_above": most,
        "ok": !figures.iter().any(|it| it.is_above(most)),
    })
}

fn print(
    (subject, empty): (&Loaded, &Loaded),
    figures: &[Figure],
    memory: (Option<u64>, Option<u64>),
    most: Option<f64>,
) {
    let row = |what: &str, mine: String, empty: String, times: String| {
        println!("{what:<24}{mine:>12}{empty:>12}{times:>9}");
    };
    row("", "policy".into(), "empty".into(), "times".into());
    let times = |mine: f64, empty: f64| format!("{:.1}", mine / empty.max(1e-9));
    let made = [
        ("load, nothing cached", subject.load, empty.load),
        (
            "configure",
            subject.making.configure,
            empty.making.configure,
        ),
        ("snapshot", subject.making.snapshot, empty.making.snapshot),
    ];
    for (what, mine, empty) in made {
        let times = times(mine.as_secs_f64(), empty.as_secs_f64());
        row(what, shown(mine), shown(empty), times);
    }
    let sizes = [
        (
            "snapshot's size",
            subject.making.snapshot_size.map(|it| it as u64),
            empty.making.snapshot_size.map(|it| it as u64),
        ),
        ("memory of an exchange", memory.0, memory.1),
    ];
    for (what, mine, empty) in sizes {
        if let (Some(mine), Some(empty)) = (mine, empty) {
            let times = times(mine as f64, empty as f64);
            row(what, kib(mine), kib(empty), times);
        }
    }
    for it in figures {
        let Some(took) = it.took else {
            row(
                &it.work.to_string(),
                "-".into(),
                shown(it.empty),
                String::new(),
            );
            continue;
        };
        let mark = if it.is_above(most) { " ✗" } else { "" };
        let ratio = it.ratio().unwrap_or_default();
        row(
            &it.work.to_string(),
            shown(took),
            shown(it.empty),
            format!("{ratio:.1}{mark}"),
        );
    }
    if let Instantiation::PerInstance(why) = subject.stage.loaded().instantiation() {
        println!("\nit can't be snapshotted, so each instance is configured anew: {why}");
    }
    if subject.stage.interest().is_some() {
        println!("\nit declares an interest: an exchange without a word of it costs none of this");
    }
    let above = figures.iter().filter(|it| it.is_above(most)).count();
    if let (Some(most), 1..) = (most, above) {
        println!(
            "\n{above} take more than {most} times as long as with the empty policy: see ✗ above"
        );
    }
}

/// Three digits are enough.
fn shown(took: Duration) -> String {
    let nanos = took.as_nanos() as f64;
    match nanos {
        ..1e3 => format!("{nanos:.0} ns"),
        ..1e6 => format!("{:.1} µs", nanos / 1e3),
        ..1e9 => format!("{:.1} ms", nanos / 1e6),
        _ => format!("{:.1} s", nanos / 1e9),
    }
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_round_is_no_median() {
        let all = [9, 1, 2, 900, 3].map(Duration::from_nanos).to_vec();
        assert_eq!(median(all), Some(Duration::from_nanos(3)));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_ratio_is_above_only_what_was_asked_for() {
        let figure = |took: Option<u64>| Figure {
            work: Work::Instantiate,
            took: took.map(Duration::from_nanos),
            empty: Duration::from_nanos(10),
        };
        assert!(figure(Some(31)).is_above(Some(3.0)));
        assert!(!figure(Some(30)).is_above(Some(3.0)));
        assert!(!figure(Some(31)).is_above(None));
        assert!(!figure(None).is_above(Some(0.1)));
    }
}
