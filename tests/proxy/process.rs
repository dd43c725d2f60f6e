//! What the kernel says of a process: the time that it ran, its memory, its wake-ups. And the core that it may run on.

use std::collections::HashMap;
use std::fs;
use std::iter::Sum;
use std::ops::Sub;
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
    ran(process).into_values().sum()
}

/// The time that each thread of a process ran so far.
pub fn ran(process: u32) -> HashMap<String, Duration> {
    of_each(process, "schedstat", |said| {
        let ran = said.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(ran))
    })
}

/// How often each thread of a process waited for something so far: as often it was woken.
pub fn waits(process: u32) -> HashMap<String, u64> {
    of_each(process, "status", |said| {
        let mut lines = said.lines();
        let waited = lines.find_map(|it| it.strip_prefix("voluntary_ctxt_switches:"))?;
        waited.trim().parse().ok()
    })
}

/// What came since, of those threads that are there now: one that has ended takes its figures along.
pub fn since<T: Copy + Default + Sub<Output = T> + Sum>(
    before: &HashMap<String, T>,
    now: HashMap<String, T>,
) -> T {
    let each = now.into_iter();
    each.map(|(thread, now)| now - before.get(&thread).copied().unwrap_or_default())
        .sum()
}

fn of_each<T>(process: u32, file: &str, read: impl Fn(&str) -> Option<T>) -> HashMap<String, T> {
    let threads = threads(process).into_iter();
    threads
        .filter_map(|it| {
            let said = fs::read_to_string(format!("/proc/{process}/task/{it}/{file}")).ok()?;
            Some((it, read(&said)?))
        })
        .collect()
}

fn threads(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .filter_map(|it| it.ok()?.file_name().into_string().ok())
        .collect()
}
