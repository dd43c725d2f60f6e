//! What several commands need: the runtime, the configuration, the engine.

use std::path::PathBuf;

use tokio::runtime::Runtime;

use super::Wrong;
use crate::config::Config;
use crate::control::Source;
use crate::policy::Sandbox;
use crate::policy::engine::EngineSettings;

/// The asynchronous runtime: a worker for each core. On a single core it is the thread that is there already: nobody would share the
/// work, and what is ready is done in the order in which it came, so that what goes to many clients goes out together.
pub(super) fn runtime() -> Result<Runtime, Wrong> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| format!("the runtime can't be started: {error}").into())
}

/// Which configuration.
pub(super) fn source(file: Option<PathBuf>) -> Source {
    file.map_or(Source::Embedded, Source::File)
}

/// The sandbox's engine, with room for this configuration's instances and for some growth.
pub(super) fn sandbox(config: &Config, exchanges: u32) -> Result<Sandbox, Wrong> {
    let usual = EngineSettings::default();
    let stages = u32::try_from(config.stages.len()).unwrap_or(u32::MAX);
    let memory = config.stages.iter().map(|stage| stage.limits.memory).max();
    let settings = EngineSettings {
        exchanges,
        stages: stages.max(usual.stages),
        memory: memory.unwrap_or_default().max(usual.memory),
        cache: cache(),
        compiler: itself(),
        ..usual
    };
    Ok(Sandbox::new(settings)?)
}

/// The program that runs, to be run once more. On Linux this is the file that was started, also where a new release has taken its place: both
/// must be the same, or what one compiles isn't what the other reads.
fn itself() -> Option<PathBuf> {
    if cfg!(target_os = "linux") {
        Some("/proc/self/exe".into())
    } else {
        std::env::current_exe().ok()
    }
}

/// `$XDG_CACHE_HOME/witgate/compiled`, or below `~/.cache`.
fn cache() -> Option<PathBuf> {
    let from_home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = named
        .filter(|folder| folder.is_absolute())
        .or_else(from_home)?;
    Some(folder.join("witgate").join("compiled"))
}
