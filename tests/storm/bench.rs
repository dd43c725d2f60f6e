//! `cargo bench -p witgate --bench storm`: what the tests in `main.rs` do in short, and figures that take a quiet machine.
//!
//! - without arguments: a storm of a minute;
//! - `-- --soak N`: N exchanges, one like the other;
//! - `-- --failover [--seconds N]`: a hundred streams and two hundred requests a second, and the first of two targets killed, and back;
//! - `-- --overload [--seconds N]`: three times as many clients as may be served, for a minute or so long;
//! - `-- --slow N`: N streams whose clients read a byte a second, and another caller beside them;
//! - `-- --swap [FILE]`: how long a swap takes, and what exchanges feel of it; with a component of yours.
//!
//! Ends with 1 if something was found that must not be.
#![expect(clippy::unwrap_used, reason = "a benchmark")]
#![expect(unreachable_pub, reason = "nothing is reached from outside")]

mod answers;
mod changes;
mod clients;
mod connection;
mod failover;
mod figures;
mod files;
mod gauge;
mod overload;
mod slow;
mod soak;
mod storm;
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the gateway's tests, which use the rest"
)]
#[path = "../gateway/support/mod.rs"]
mod support;
mod swap;
mod upstream;

use std::process::ExitCode;
use std::time::Duration;

use failover::Failover;
use overload::Overload;
use slow::Slow;
use soak::Soak;
use storm::Storm;

/// As the docs name it: two hundred streams, fifty requests a second, two changes a second, for a minute.
const STORM: Storm = Storm {
    streams: 200,
    lines: 8,
    pace: 20.0,
    requests: 50,
    every: Duration::from_millis(500),
    rotations: 8,
};

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo says `--bench` to every benchmark.
    let args: Vec<_> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let faults = match args[..] {
        [] => {
            let report = STORM.blow().await;
            print!("{report}");
            report.faults()
        }
        ["--swap"] => {
            swap::figures(None).await;
            Vec::new()
        }
        ["--swap", file] => {
            swap::figures(Some(file.as_ref())).await;
            Vec::new()
        }
        ["--failover", ref rest @ ..] if let Some(seconds) = seconds(rest, 10) => {
            let failover = Failover {
                streams: 100,
                requests: 200,
                pace: 40.0,
                before: seconds,
                away: seconds,
                after: seconds * 2,
            };
            let report = failover.run().await;
            println!("{report}");
            report.faults()
        }
        ["--overload", ref rest @ ..] if let Some(time) = seconds(rest, 60) => {
            let report = Overload { cap: 64, time }.run().await;
            println!("{report}");
            report.faults()
        }
        ["--slow", streams] if streams.parse::<usize>().is_ok() => {
            let slow = Slow {
                streams: streams.parse().unwrap(),
                every: Duration::from_secs(1),
                time: Duration::from_secs(30),
                requests: 1000,
            };
            let report = slow.run().await;
            println!("{report}");
            report.faults()
        }
        ["--soak", exchanges] if exchanges.parse::<u64>().is_ok() => {
            let soak = Soak {
                exchanges: exchanges.parse().unwrap(),
                connections: 64,
            };
            let report = soak.run(|line| println!("{line}")).await;
            println!("{report}");
            report.faults()
        }
        _ => {
            eprintln!(
                "it takes nothing, --failover [--seconds N], --overload [--seconds N], --slow STREAMS, --soak EXCHANGES, or --swap"
            );
            return ExitCode::from(2);
        }
    };
    match faults.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// How long it is to take, unless told otherwise.
fn seconds(args: &[&str], usual: u64) -> Option<Duration> {
    match args {
        [] => Some(Duration::from_secs(usual)),
        ["--seconds", seconds] => seconds.parse().ok().map(Duration::from_secs),
        _ => None,
    }
}
