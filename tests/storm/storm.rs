//! Streams and requests, while everything that can change does.
//!
//! What must be true of each answer is in [`answers`](crate::answers), what changes in [`changes`](crate::changes). Here both run
//! side by side, and what is left afterwards is counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::answers::Answers;
use crate::changes::{Change, Files, ROTATION};
use crate::clients::{self, Client, Clients};
use crate::gauge::{self, Counts, descriptors, ends, mib, settled};
use crate::support::{Process, until};
use crate::upstream;

/// How hard it blows.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Streams that are open at any time.
    pub streams: usize,
    /// Lines of each, of a dozen tokens.
    pub lines: usize,
    /// Tokens a second, of each.
    pub pace: f64,
    /// Requests a second beside them.
    pub requests: u32,
    /// The time from change to change.
    pub every: Duration,
    /// Times that the rotation of changes comes round.
    pub rotations: usize,
}

/// How much of the memory of its first rotations a gateway may have when a storm is over and nothing runs. While it blows, memory comes and
/// goes with how much runs at once. A chain that stays adds 2 MiB each time, and its images are counted one by one.
const FLAT: f64 = 1.25;

impl Storm {
    pub async fn blow(&self) -> Report {
        let upstream = upstream::simulated(Some(self.pace)).await;
        let mut files = Files::before(upstream).await;
        let client = Client {
            gateway: Arc::new(files.run().await),
            answers: Arc::new(Answers::default()),
            counts: Arc::new(clients::Counts::default()),
        };
        let gateway = &client.gateway;
        let clients = Clients::start(&client, self.streams, self.lines, self.requests);
        until("every stream is open", async || {
            (running(gateway).await >= self.streams as u64).then_some(())
        })
        .await;
        let (mut fewest, mut memory) = (u64::MAX, Vec::new());
        let mut tick = tokio::time::interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        for _ in 0..self.rotations {
            for change in ROTATION {
                tick.tick().await;
                files.apply(*change, gateway).await;
                fewest = fewest.min(running(gateway).await);
            }
            // Some of these came too soon after another to be seen alone. The last two are waited for.
            tick.tick().await;
            refuse(&client, &mut files).await;
            tick.tick().await;
            mend(&client, &mut files).await;
            memory.push(gauge::memory(gateway.id()));
        }
        let lasted = began.elapsed();
        clients.stop().await;
        settled(gateway, client.counts.all()).await;
        let counts = Counts::of(gateway).await;
        Report {
            lasted,
            changes: self.rotations * (ROTATION.len() + 2),
            streams: client.counts.streams.load(Ordering::Relaxed),
            left: client.counts.left.load(Ordering::Relaxed),
            requests: client.counts.requests.load(Ordering::Relaxed),
            generations: client.answers.generations(),
            swapped: counts.swapped(),
            refused: counts.refused(),
            fewest,
            memory,
            after: gauge::memory(gateway.id()),
            descriptors: descriptors(gateway.id()),
            faults: client.answers.faults(),
        }
    }
}

/// Changes to something bad, and waits until that is refused.
async fn refuse(client: &Client, files: &mut Files) {
    let refused = Counts::of(&client.gateway).await.refused();
    files.apply(Change::Trap, &client.gateway).await;
    until("what is bad is refused", async || {
        let counts = Counts::of(&client.gateway).await;
        (counts.refused() > refused).then_some(())
    })
    .await;
}

/// Puts that right, and waits until answers show the files as they are now.
async fn mend(client: &Client, files: &mut Files) {
    files.apply(Change::Component, &client.gateway).await;
    until("answers show what is written", async || {
        (client.ask().await == Some(files.shown())).then_some(())
    })
    .await;
}

async fn running(gateway: &Process) -> u64 {
    Counts::of(gateway).await.get("witgate_exchanges_running")
}

/// What a storm came to.
#[derive(Debug)]
pub struct Report {
    lasted: Duration,
    changes: usize,
    /// Streams read to their end.
    streams: u64,
    /// Streams left in the middle.
    left: u64,
    requests: u64,
    /// Generations that answered.
    pub generations: usize,
    /// Swaps, and changes that were refused, as the gateway counts them.
    pub swapped: u64,
    pub refused: u64,
    /// The fewest exchanges that ran at any change.
    fewest: u64,
    /// Resident memory at the end of each rotation, and with nothing running afterwards.
    memory: Vec<u64>,
    after: u64,
    descriptors: u64,
    faults: Vec<String>,
}

impl Report {
    /// What must not have happened.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.faults.clone();
        if self.after as f64 > ends(&self.memory).0 as f64 * FLAT {
            let series: Vec<_> = self.memory.iter().map(|it| mib(*it)).collect();
            let (series, after) = (series.join(", "), mib(self.after));
            faults.push(format!("memory grew: {series}, {after} afterwards"));
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} changes in {:.0} s",
            self.changes,
            self.lasted.as_secs_f64()
        )?;
        writeln!(
            f,
            "streams complete {}, left {}; requests {}; exchanges at any change {} and more",
            self.streams, self.left, self.requests, self.fewest
        )?;
        writeln!(
            f,
            "swaps {}, refused changes {}, generations seen {}",
            self.swapped, self.refused, self.generations
        )?;
        writeln!(
            f,
            "resident memory {} in the first rotations, {} in the last, {} afterwards; {} descriptors",
            mib(ends(&self.memory).0),
            mib(ends(&self.memory).1),
            mib(self.after),
            self.descriptors
        )?;
        let faults = self.faults();
        writeln!(f, "faults {}", faults.len())?;
        faults
            .iter()
            .take(5)
            .try_for_each(|fault| writeln!(f, "  {fault}"))
    }
}
