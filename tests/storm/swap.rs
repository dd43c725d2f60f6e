//! How long a swap takes, and what exchanges feel of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use witgate::generation::bundled;

use crate::connection::{Connection, post};
use crate::figures::{Times, ms, ratio};
use crate::files::replace;
use crate::support::process::witgate;
use crate::support::{Process, Value, ask_stream, bench, policies};
use crate::upstream;

/// Swaps that are timed of each kind.
const SWAPS: usize = 7;
/// Pairs of a quiet time and one full of compilations.
const ROUNDS: usize = 6;
/// How long each of the two is.
const LENGTH: Duration = Duration::from_secs(3);
/// Connections that ask, and how often each does: far from what the machine can do.
const CONNECTIONS: usize = 10;
const PERIOD: Duration = Duration::from_millis(100);

const STATUS: &[u8] = b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A component, and what its stage is told.
struct Subject {
    name: &'static str,
    bytes: Vec<u8>,
    settings: &'static str,
}

impl Subject {
    /// The component with other bytes in a section that means nothing: to every digest and cache it is another one.
    fn salted(&self, salt: u64) -> Vec<u8> {
        let section = [&[0, 13, 4][..], b"salt", &salt.to_le_bytes()].concat();
        [&self.bytes[..], &section].concat()
    }
}

/// Prints all figures: of the components that there are, or of the one in that file, with the settings `{}`.
pub async fn figures(file: Option<&Path>) {
    let subjects = match file {
        Some(file) => vec![Subject {
            name: "the file's",
            bytes: std::fs::read(file).unwrap(),
            settings: "{}",
        }],
        None => usual().await,
    };
    println!(
        "From the file's replacement to the new chain, in ms; the wait for quiet is in it, 200 ms.\n"
    );
    println!("component           bytes    cache   median  fastest  slowest");
    for subject in &subjects {
        let mut scene = Scene::of(subject).await;
        scene.time_swaps().await;
    }
    println!(
        "\nExchanges of the bundled policies and the swapped stage, {} a second, in ms; swaps by SIGHUP, one after the other.\n",
        CONNECTIONS as u128 * 1000 / PERIOD.as_millis()
    );
    println!("component         while      exchanges      p50      p99     most");
    // The smallest and the largest of them.
    let ends = [subjects.first(), subjects.get(1..).and_then(<[_]>::last)];
    for subject in ends.into_iter().flatten() {
        let mut scene = Scene::of(subject).await;
        scene.time_exchanges().await;
    }
}

async fn usual() -> Vec<Subject> {
    let stamp = || std::fs::read(policies::built("guests/stamp", "stamp.wasm")).unwrap();
    vec![
        Subject {
            name: "stamp",
            bytes: tokio::task::spawn_blocking(stamp).await.unwrap(),
            settings: "{mark: m, request: \"%\", answer: \"!\"}",
        },
        Subject {
            name: "pii-detector",
            bytes: bundled::component("pii-detector").unwrap().to_vec(),
            settings: "{}",
        },
        // The largest that there is.
        Subject {
            name: "prompt-injection",
            bytes: bundled::component("prompt-injection").unwrap().to_vec(),
            settings: "{}",
        },
    ]
}

/// A gateway with the component in its chain, and a compile cache of its own.
struct Scene<'a> {
    subject: &'a Subject,
    gateway: Process,
    /// To the admin listener.
    admin: Connection,
    file: PathBuf,
    generation: u64,
    salt: u64,
}

impl<'a> Scene<'a> {
    async fn of(subject: &'a Subject) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let at = folder.path();
        let file = at.join("swapped.wasm");
        replace(&file, &subject.bytes);
        let text = format!(
            "policies: {{chain: [prompt-injection, pii-detector, audit-logger, {{id: swapped, component: ./swapped.wasm}}]}}\n\
             policy: {{swapped: {}}}\n",
            subject.settings
        );
        let config = at.join("policy-config.yaml");
        let upstream = upstream::simulated(None).await;
        replace(&config, bench::complete(&text, &[upstream], at));
        let mut command = witgate(at);
        command.env("XDG_CACHE_HOME", at.join("cache"));
        let args = [
            "--policy-config",
            config.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
        ];
        let gateway = Process::start(command, folder.clone(), &args).await;
        Scene {
            subject,
            admin: Connection::open(gateway.admin).await,
            gateway,
            file,
            generation: 1,
            salt: 0,
        }
    }

    /// Swaps, and returns how long that took.
    async fn swap(&mut self, salt: u64, signal: bool) -> Duration {
        let bytes = self.subject.salted(salt);
        self.generation += 1;
        replace(&self.file, bytes);
        let written = Instant::now();
        if signal {
            self.gateway.signal("HUP");
        }
        loop {
            let (_, status) = self.admin.ask(STATUS).await;
            let status: Value = serde_json::from_slice(status).unwrap();
            if status["generation"] == self.generation {
                return written.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn time_swaps(&mut self) {
        // One that nobody has compiled, and then the same two in turn.
        let mut cold = Vec::new();
        for salt in 0..SWAPS {
            cold.push(self.swap(salt as u64, false).await);
        }
        let mut warm = Vec::new();
        for number in 0..SWAPS {
            warm.push(self.swap(number as u64 % 2, false).await);
        }
        for (cache, mut times) in [("cold", cold), ("warm", warm)] {
            times.sort();
            println!(
                "{:<17} {:>7} {cache:>8} {:>8.1} {:>8.1} {:>8.1}",
                self.subject.name,
                self.subject.bytes.len(),
                ms(times[times.len() / 2]),
                ms(times[0]),
                ms(times[times.len() - 1]),
            );
        }
    }

    async fn time_exchanges(&mut self) {
        let felt = Arc::new(Mutex::new(Vec::new()));
        let mut asking = JoinSet::new();
        for number in 0..CONNECTIONS {
            let connection = Connection::open(self.gateway.traffic).await;
            let first = PERIOD * number as u32 / CONNECTIONS as u32;
            asking.spawn(keep_asking(connection, first, felt.clone()));
        }
        let (mut quiet, mut compiling) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            tokio::time::sleep(LENGTH).await;
            quiet.push((began, Instant::now()));
            let mut spent = Duration::ZERO;
            while spent < LENGTH {
                let began = Instant::now();
                self.salt += 1;
                self.swap(self.salt, true).await;
                compiling.push((began, Instant::now()));
                spent += began.elapsed();
            }
        }
        asking.shutdown().await;
        let felt = felt.lock();
        let quiet = within(&felt, &quiet);
        let compiling = within(&felt, &compiling);
        println!("{:<17} quiet      {}", self.subject.name, shown(&quiet));
        println!("{:<17} compiling  {}", "", shown(&compiling));
        println!(
            "{:<17} ratio      {:>9} {:>8.2} {:>8.2} {:>8.2}",
            "",
            "",
            ratio(compiling.at(0.5), quiet.at(0.5)),
            ratio(compiling.at(0.99), quiet.at(0.99)),
            ratio(compiling.at(1.0), quiet.at(1.0)),
        );
    }
}

/// An exchange: when it began, and what it took.
type Felt = (Instant, Duration);

async fn keep_asking(mut connection: Connection, first: Duration, felt: Arc<Mutex<Vec<Felt>>>) {
    let request = post(&ask_stream(
        "say: The cat sat on the mat, and nobody minded.",
    ));
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + first, PERIOD);
    loop {
        tick.tick().await;
        let began = Instant::now();
        let (status, _) = connection.ask(&request).await;
        assert_eq!(status, 200);
        felt.lock().push((began, began.elapsed()));
    }
}

/// Of what ran at some time within one of these spans.
fn within(felt: &[Felt], spans: &[(Instant, Instant)]) -> Times {
    let ran = |&&(began, took): &&Felt| {
        let mut spans = spans.iter();
        spans.any(|(start, end)| began < *end && began + took > *start)
    };
    felt.iter().filter(ran).map(|(_, took)| *took).collect()
}

/// As a line of the table has them.
fn shown(times: &Times) -> String {
    let [half, most, all] = [0.5, 0.99, 1.0].map(|part| ms(times.at(part)));
    format!("{:>9} {half:>8.2} {most:>8.2} {all:>8.2}", times.len())
}
