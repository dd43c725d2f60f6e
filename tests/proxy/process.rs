//! What the kernel says of a process: the time that it ran, its memory, its wake-ups. And the core that it may run on.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// The core of what is measured, and that of everything else: so neither takes the other's time.
const MEASURED: &str = "0";
const OTHERS: &str = "1";

/// A core of the machine's.
#[derive(Clone, Copy)]
pub enum Core {
    Measured,
    Others,
}

impl Core {
    fn number(self) -> &'static str {
        match self {
            Core::Measured => MEASURED,
            Core::Others => OTHERS,
        }
    }

    /// The command, on that core.
    pub fn runs(self, command: &Command) -> Command {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", self.number()]);
        pinned.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => pinned.env(name, value),
                None => pinned.env_remove(name),
            };
        }
        pinned
    }

    /// This process, on that core from now on.
    pub fn take(self) {
        let this = std::process::id().to_string();
        let mut taskset = Command::new("taskset");
        let done = taskset.args(["-acp", self.number(), &this]).output();
        let done = done.is_ok_and(|done| done.status.success());
        assert!(done, "taskset (of util-linux) and two cores are needed");
    }
}

/// The time that all threads of a process ran so far.
pub fn cpu(process: u32) -> Duration {
    let ran = |thread: &str| {
        let said = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok()?;
        said.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads(process).iter().filter_map(|it| ran(it)).sum())
}

/// How often a thread of a process waited for something so far: as often it was woken.
pub fn waits(process: u32) -> u64 {
    let waited = |thread: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/task/{thread}/status")).ok()?;
        let mut lines = status.lines();
        lines.find_map(|it| {
            it.strip_prefix("voluntary_ctxt_switches:")?
                .trim()
                .parse::<u64>()
                .ok()
        })
    };
    threads(process).iter().filter_map(|it| waited(it)).sum()
}

fn threads(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .filter_map(|it| it.ok()?.file_name().into_string().ok())
        .collect()
}
