//! What of the machine the gateway takes for exchanges, and the options that say so.

use std::path::{Path, PathBuf};

use http::HeaderValue;

use crate::config::parse_size;

/// The least memory that is of use: one body of the largest size, and some small ones beside it.
const LEAST: u64 = 64 << 20;

/// What part of the process's memory is for bodies, where nobody says. Beside them there are instances of policies, and the rest.
const PART: u64 = 4;

/// Where it can't be known how much the process may have.
const UNKNOWN: u64 = 1 << 30;

/// The size of an option.
pub(super) fn size(text: &str) -> Result<u64, String> {
    match parse_size(text) {
        Some(size) if size >= LEAST => Ok(size),
        Some(_) => Err("it is less than 64MiB, with which no large body could be taken".to_owned()),
        None => Err(
            "it is no size; write a whole number of bytes, or one with KiB, MiB or GiB".to_owned(),
        ),
    }
}

/// An origin as browsers write it: scheme, host and perhaps a port, and nothing behind them.
pub(super) fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || {
        format!(
            "`{text}` is no origin; write scheme, host and port alone, such as https://app.example"
        )
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    // A browser writes it this way and no other, so any other would never be met.
    if url.host().is_none() || url.origin().ascii_serialization() != text {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}

/// The memory for exchanges where nobody says.
pub(super) fn usual_memory() -> u64 {
    let may_have = [cgroup(), machine()].into_iter().flatten().min();
    (may_have.map_or(UNKNOWN, |bytes| bytes / PART)).max(LEAST)
}

/// What the machine has.
fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let number = line.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// The least of what the process's control group and those around it may have. A container has a limit of this kind.
fn cgroup() -> Option<u64> {
    let root = Path::new("/sys/fs/cgroup");
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = Path::new(own).ancestors();
    let folders = folders.map(|folder| root.join(folder));
    folders.filter_map(limit).min()
}

fn limit(folder: PathBuf) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join("memory.max")).ok()?;
    // Without a limit it says `max`.
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for good in [
            "https://app.example",
            "http://localhost:3000",
            "https://[2001:db8::1]:8443",
        ] {
            assert_eq!(origin(good).map(|it| it == good), Ok(true), "{good}");
        }
        for bad in [
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "https://app.example:443",
            "https://App.example",
            "https://user@app.example",
            "file:///a",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_leaves_room_for_a_large_body() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert!(size("63MiB").is_err());
        assert!(size("lots").is_err());
        assert!(usual_memory() >= LEAST);
    }
}
