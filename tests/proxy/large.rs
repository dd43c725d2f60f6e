//! What requests of 10 MiB cost those who ask little beside them: how long small requests take, in quiet and while four large ones are always
//! taken in.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::compare::{at, us};
use crate::connection::{Connection, post};
use crate::load::{self, Traffic};
use crate::peers::{Peer, Role, THREE};
use crate::process::Core;
use crate::support::ask;

const ROUNDS: usize = 5;
/// How long small requests are sent in each half of a round.
const TIME: Duration = Duration::from_secs(5);
/// From one small request of a connection to the next, and how many connections there are.
const EVERY: Duration = Duration::from_millis(10);
const CONNECTIONS: usize = 4;
/// How many large requests there are at any time, and how many bytes each has.
const LARGE: usize = 4;
const BYTES: usize = (10 << 20) - (4 << 10);

struct Row {
    name: &'static str,
    peer: Peer,
    /// For each round.
    quiet: Vec<Times>,
    beside: Vec<Times>,
}

#[derive(Clone, Copy)]
struct Times {
    p50: Duration,
    p99: Duration,
}

impl Times {
    /// Of small requests, for so long.
    async fn of(to: SocketAddr) -> Times {
        let mut clients = JoinSet::new();
        let end = Instant::now() + TIME;
        for _ in 0..CONNECTIONS {
            clients.spawn(async move {
                let (mut connection, request) =
                    (Connection::open(to).await, Traffic::Plain.request());
                let mut due = interval(EVERY);
                due.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let mut took = Vec::new();
                while Instant::now() < end {
                    due.tick().await;
                    took.extend(load::times(&mut connection, &request, 1).await);
                }
                took
            });
        }
        let mut all = clients.join_all().await.concat();
        Times {
            p50: at(&mut all, 0.5),
            p99: at(&mut all, 0.99),
        }
    }
}

/// Prints the table.
pub async fn run(upstream: SocketAddr) {
    let row = |name, peer| Row {
        name,
        peer,
        quiet: Vec::new(),
        beside: Vec::new(),
    };
    let mut rows = [
        row("hyper", Peer::hyper(upstream)),
        row("no policies", Peer::witgate(upstream, "[]", "").await),
        row("three policies", Peer::witgate(upstream, THREE, "").await),
    ];
    for _ in 0..ROUNDS {
        for row in &mut rows {
            let to = row.peer.address();
            row.quiet.push(Times::of(to).await);
            let large = Role::start(Core::Others, &["--role", "large", &to.to_string()]);
            // They have filled what there is to fill.
            tokio::time::sleep(TIME / 5).await;
            row.beside.push(Times::of(to).await);
            drop(large);
        }
    }
    println!(
        "Small requests in quiet, and while {LARGE} requests of 10 MiB are always taken in; medians of {ROUNDS} rounds, us\n"
    );
    println!("                 quiet p50      p99   beside p50      p99   x p50   x p99");
    for row in &rows {
        let quiet = [
            median(&row.quiet, |it| it.p50),
            median(&row.quiet, |it| it.p99),
        ];
        let beside = [
            median(&row.beside, |it| it.p50),
            median(&row.beside, |it| it.p99),
        ];
        println!(
            "{:<15} {:>10.0} {:>8.0} {:>12.0} {:>8.0} {:>7.2} {:>7.2}",
            row.name,
            quiet[0],
            quiet[1],
            beside[0],
            beside[1],
            beside[0] / quiet[0],
            beside[1] / quiet[1]
        );
    }
}

/// The median of rounds, in microseconds.
fn median(rounds: &[Times], of: impl Fn(&Times) -> Duration) -> f64 {
    let mut all: Vec<_> = rounds.iter().map(of).collect();
    us(at(&mut all, 0.5))
}

/// Sends large requests to the end of the process. It runs with little right to its core, which it shares with those whose time is taken.
pub async fn send(to: SocketAddr) {
    let this = std::process::id().to_string();
    let renice = ["-n", "19", "-p", &this];
    std::process::Command::new("renice")
        .args(renice)
        .output()
        .ok();
    let sentence = "The river runs past the old mill, and in spring it carries leaves and small branches down to the sea. ";
    let request = post(&ask(&sentence.repeat(BYTES / sentence.len())));
    let mut clients = JoinSet::new();
    for _ in 0..LARGE {
        let request = request.clone();
        clients.spawn(async move {
            let mut connection = Connection::open(to).await;
            loop {
                let (status, answer) = connection.ask(&request).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));
            }
        });
    }
    clients.join_all().await;
}
