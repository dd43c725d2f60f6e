//! What a hostile exchange costs the others: how long well-behaved exchanges take, beside neighbours that use up all their time
//! again and again and beside none.
//!
//! A gateway with two workers, and on threads of their own a simulator and the clients. A well-behaved exchange of a hundred
//! deltas begins every so many milliseconds, whether or not the others are done. Every kind of neighbour has its turn in every
//! round, with quiet in between; what is printed are medians over the rounds. `--rounds N` and `--seconds N` (of each turn).
//!
//! It prints, too, how long filling memory takes, which is the longest that a guest can keep a thread without a break.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../../tests/guests/build.rs"]
mod build;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use witgate::app::App;
use witgate::config::Config;
use witgate::control::{CliOverrides, Controller, Services, Source};
use witgate::journal::{self, Journal};
use witgate::metrics::Metrics;
use witgate::policy::Sandbox;
use witgate::policy::engine::EngineSettings;
use witgate::server::{ServerSettings, serve_traffic};
use witgate::simulator;
use witgate::state::StateStore;

/// The gateway's threads.
const WORKERS: usize = 2;
/// A well-behaved exchange begins this often.
const EVERY: Duration = Duration::from_millis(20);

/// How many neighbours, and what they do. The first is the measure of the others.
const TURNS: [(usize, &str); 7] = [
    (0, "quiet"),
    (1, "loop-in-on-request"),
    (4, "loop-in-on-request"),
    (1, "gets-in-on-request"),
    (4, "gets-in-on-request"),
    (1, "fills-in-on-request"),
    (4, "fills-in-on-request"),
];

fn main() {
    let (rounds, seconds) = (argument("--rounds", 3), argument("--seconds", 5));
    let turn = Duration::from_secs(seconds as u64);
    let (gateway, outside) = (runtime("gateway"), runtime("outside"));
    let folder = tempfile::tempdir().unwrap();
    let upstream = outside.block_on(simulator());
    let address = gateway.block_on(start(folder.path(), upstream));
    let url = format!("http://{address}/v1/chat/completions");

    let mut took = vec![Vec::new(); TURNS.len()];
    outside.block_on(round(&url, Duration::from_millis(500)));
    for _ in 0..rounds {
        for (turn, times) in outside.block_on(round(&url, turn)).into_iter().enumerate() {
            took[turn].push(times);
        }
    }
    println!(
        "{WORKERS} workers, an exchange of 100 deltas every {EVERY:?}; medians of {rounds} rounds of {turn:?}"
    );
    println!(
        "{:<26} {:>10} {:>10} {:>8} {:>8}",
        "neighbours", "p50", "p99", "p50 x", "p99 x"
    );
    let quiet = [50, 99].map(|percent| median(&took[0], percent));
    for ((count, action), rounds) in TURNS.iter().zip(&took) {
        let [p50, p99] = [50, 99].map(|percent| median(rounds, percent));
        println!(
            "{:<26} {:>7.2} ms {:>7.2} ms {:>8.2} {:>8.2}",
            format!("{count} {action}"),
            p50 * 1e3,
            p99 * 1e3,
            p50 / quiet[0],
            p99 / quiet[1]
        );
    }
    fill();
}

fn argument(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments
        .nth(1)
        .map_or(default, |number| number.parse().unwrap())
}

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name(name)
        .enable_all()
        .build()
        .unwrap()
}

async fn simulator() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = simulator::Options {
        keyless: true,
        ..simulator::Options::default()
    };
    tokio::spawn(simulator::serve(listener, options, std::future::pending()));
    address
}

/// A gateway whose first stage does what each request asks for.
async fn start(folder: &std::path::Path, upstream: SocketAddr) -> SocketAddr {
    let file = folder.join("policy-config.yaml");
    let text = format!(
        "pack: {{name: neighbours, version: 1.0.0, enabled: true}}\n\
         policies: {{chain: [{{id: hostile, component: {}}}, pii-detector]}}\n\
         policy: {{hostile: {{asked: true}}}}\n\
         providers: {{targets: [{{id: sim, provider: cerebras, base_url: \"http://{upstream}/v1\"}}]}}\n\
         journal: {{store: \"sqlite:{}/journal.db\"}}\n",
        build::hostile().display(),
        folder.display()
    );
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    let metrics = Arc::new(Metrics::new());
    let services = Services {
        sandbox: Arc::new(Sandbox::new(EngineSettings::default()).unwrap()),
        journal: Journal::open(config.journal.path().unwrap(), journal::Options::default())
            .await
            .unwrap(),
        state: StateStore::at(folder.join("state.db")),
        metrics: metrics.clone(),
    };
    let source = Source::File(file);
    let controller = Controller::start(source, CliOverrides::default(), config, services).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Arc::new(App(controller.unwrap()));
    let stop = CancellationToken::new();
    tokio::spawn(serve_traffic(
        listener,
        app,
        metrics,
        ServerSettings::default(),
        stop,
    ));
    address
}

/// Every turn once: how long each well-behaved exchange of it took, in seconds, shortest first.
async fn round(url: &str, turn: Duration) -> Vec<Vec<f64>> {
    let mut all = Vec::new();
    for (count, action) in TURNS {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut neighbours = JoinSet::new();
        for _ in 0..count {
            let (http, url) = (http.clone(), url.to_owned());
            neighbours.spawn(async move {
                loop {
                    assert_eq!(exchange(&http, &url, Some(action)).await, 500);
                }
            });
        }
        all.push(well_behaved(&http, url, turn).await);
        neighbours.shutdown().await;
    }
    all
}

async fn well_behaved(http: &reqwest::Client, url: &str, turn: Duration) -> Vec<f64> {
    let mut exchanges = JoinSet::new();
    let mut due = tokio::time::interval(EVERY);
    let until = Instant::now() + turn;
    while Instant::now() < until {
        due.tick().await;
        let (http, url) = (http.clone(), url.to_owned());
        exchanges.spawn(async move {
            let began = Instant::now();
            assert_eq!(exchange(&http, &url, None).await, 200);
            began.elapsed().as_secs_f64()
        });
    }
    let mut took = exchanges.join_all().await;
    took.sort_by(f64::total_cmp);
    took
}

/// From the request to the answer's last byte; its status.
async fn exchange(http: &reqwest::Client, url: &str, misdeed: Option<&str>) -> u16 {
    let body = json!({
        "model": "llama3.1-8b",
        "stream": true,
        "messages": [{"role": "user", "content": format!("chunk: 6 | say: {}", "hello ".repeat(100))}],
    });
    let mut request = http.post(url).body(body.to_string());
    if let Some(misdeed) = misdeed {
        request = request.header("x-misdeed", misdeed);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    response.bytes().await.unwrap();
    status
}

/// The median over rounds of a percentile.
fn median(rounds: &[Vec<f64>], percent: usize) -> f64 {
    let mut all: Vec<f64> = rounds
        .iter()
        .map(|took| took[(took.len() - 1) * percent / 100])
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// How long one step of a guest's can be: all of a default memory filled, for the first time and again.
fn fill() {
    const BYTES: usize = 64 << 20;
    let mut memory = vec![0; BYTES];
    let mut took = Vec::new();
    for value in 1..=5_u8 {
        let began = Instant::now();
        memory.fill(value);
        std::hint::black_box(&memory);
        took.push(began.elapsed());
    }
    println!(
        "64 MiB are filled in {:.1?} the first time, then in {:.1?}",
        took[0],
        took[1..].iter().min().unwrap()
    );
}
