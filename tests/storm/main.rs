//! Everything changes while exchanges run, in short. The long versions are in `bench.rs`.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unreachable_pub, reason = "nothing is reached from outside a test")]

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
mod upstream;

use std::time::Duration;

use failover::Failover;
use overload::Overload;
use slow::Slow;
use soak::Soak;
use storm::Storm;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_changes_loses_nothing_and_leaves_nothing() {
    let storm = Storm {
        streams: 24,
        lines: 6,
        pace: 40.0,
        requests: 20,
        every: Duration::from_millis(300),
        rotations: 1,
    };
    let report = storm.blow().await;
    assert!(report.faults().is_empty(), "{report}");
    // A rotation ends with a change that must be refused and one that must run.
    assert!(report.swapped >= 1 && report.refused >= 1, "{report}");
    assert!(report.generations >= 2, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soak_leaves_an_entry_for_every_exchange_and_nothing_else() {
    let soak = Soak {
        exchanges: 400,
        connections: 8,
    };
    let report = soak.run(|_| ()).await;
    assert!(report.faults().is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads_take_little_and_keep_nobody_out() {
    let slow = Slow {
        streams: 40,
        every: Duration::from_secs(1),
        time: Duration::ZERO,
        requests: 20,
    };
    let report = slow.run().await;
    assert!(report.faults().is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_killed_and_comes_back_costs_nobody_an_answer_but_streams_that_had_begun()
{
    let failover = Failover {
        streams: 10,
        requests: 20,
        pace: 100.0,
        before: Duration::from_millis(300),
        away: Duration::from_millis(300),
        after: Duration::from_millis(300),
    };
    let report = failover.run().await;
    assert!(report.faults().is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_the_cap_some_are_refused_and_the_others_served() {
    let overload = Overload {
        cap: 8,
        time: Duration::from_secs(2),
    };
    let report = overload.run().await;
    assert!(report.faults().is_empty(), "{report}");
}
