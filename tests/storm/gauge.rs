//! What is measured of the program from outside: what the kernel says of its process, and what it counts itself.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{DEADLINE, Process};

/// Resident memory of a process, in bytes.
pub fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    line.unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// The time for which a process has had a processor, in its own code and in the system's.
pub fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The program's name is in brackets, and may have any character in it.
    let after = &stat[stat.rfind(')').unwrap() + 1..];
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|it| it.parse::<u64>().unwrap()).sum();
    // Towards programs Linux counts a hundred a second, whatever it does itself.
    Duration::from_millis(ticks * 10)
}

/// File descriptors that a process has open.
pub fn descriptors(process: u32) -> u64 {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as u64
}

/// Memory images that a process keeps, of which each snapshot of a policy is one.
fn images(process: u32) -> u64 {
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    // A file may be closed meanwhile.
    let links = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    let is_image = |link: &PathBuf| link.to_string_lossy().contains("memfd:");
    links.filter(is_image).count() as u64
}

/// The most of what was measured in the first quarter, and in the last.
pub fn ends(series: &[u64]) -> (u64, u64) {
    let quarter = series.len().div_ceil(4);
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
    (
        most(&series[..quarter]),
        most(&series[series.len() - quarter..]),
    )
}

/// Bytes as people read them.
pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// All that the gateway counts, at one moment.
pub struct Counts(String);

impl Counts {
    pub async fn of(gateway: &Process) -> Self {
        let metrics = gateway.ask_admin("/metrics").await;
        Counts(metrics.unwrap().text().to_owned())
    }

    /// The value of the metric of this name, labels and all; 0 where there was none yet.
    pub fn get(&self, name: &str) -> u64 {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(value).unwrap_or(0)
    }

    pub fn swapped(&self) -> u64 {
        self.get("witgate_reloads_total{result=\"ok\"}")
    }

    pub fn refused(&self) -> u64 {
        self.get("witgate_reloads_total{result=\"failed\"}")
    }
}

/// Waits until of so many exchanges nothing is left but an entry in the journal for each.
pub async fn settled(gateway: &Process, exchanges: u64) {
    let mut left = Vec::new();
    let waited = tokio::time::timeout(DEADLINE, async {
        loop {
            left = leftovers(gateway, exchanges).await;
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    if waited.await.is_err() {
        let log = gateway.log();
        let last: Vec<_> = log.lines().rev().take(20).collect();
        panic!("there is something left: {left:?}; the log, from its end: {last:#?}");
    }
}

/// What there is more, or less, of than when nothing runs.
async fn leftovers(gateway: &Process, exchanges: u64) -> Vec<(&'static str, u64)> {
    let counts = Counts::of(gateway).await;
    let status = gateway.ask_admin("/status").await.unwrap().json();
    let length = |list: &str| status[list].as_array().map_or(0, Vec::len) as u64;
    let entries = counts.get("witgate_journal_entries_total");
    let left = [
        ("exchanges", counts.get("witgate_exchanges_running")),
        ("instances", counts.get("witgate_instances_live")),
        ("tasks", status["tasks"].as_u64().unwrap()),
        ("generations that drain", length("draining")),
        // A chain that is gone has given its memory back.
        (
            "images",
            images(gateway.id()).saturating_sub(length("stages")),
        ),
        ("entries that wait", counts.get("witgate_journal_queue")),
        ("entries too few or too many", entries.abs_diff(exchanges)),
    ];
    left.into_iter().filter(|(_, count)| *count > 0).collect()
}
