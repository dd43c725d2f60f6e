//! The gateway, with policies and without, beside the bare proxy.

use std::net::SocketAddr;
use std::time::Duration;

use crate::connection::Connection;
use crate::load::{self, Streams, Traffic};
use crate::peers::{Peer, REUSED, THREE};
use crate::process::cpu;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
/// How long each is loaded in a round, with requests and then with streams.
const TIME: Duration = Duration::from_secs(3);
/// How long it is loaded before that.
const WARM: Duration = Duration::from_millis(500);
/// From one chunk of a stream to the next.
const PACE: Duration = Duration::from_millis(2);
/// Requests and streams for the times at one connection, in each round.
const TIMED: usize = 400;
const FIRST: usize = 50;

/// What is compared, in the order of the table.
struct Compared {
    name: &'static str,
    peer: Peer,
    /// For each round.
    request: Vec<Duration>,
    chunk: Vec<Duration>,
    delay: Vec<Duration>,
    times: Vec<Duration>,
    first: Vec<Duration>,
}

impl Compared {
    fn new(name: &'static str, peer: Peer) -> Self {
        Compared {
            name,
            peer,
            request: Vec::new(),
            chunk: Vec::new(),
            delay: Vec::new(),
            times: Vec::new(),
            first: Vec::new(),
        }
    }

    async fn round(&mut self, traffic: Traffic) {
        let (to, process) = (self.peer.address(), self.peer.id());
        load::requests(to, CONNECTIONS, &traffic.request(), WARM).await;
        let before = cpu(process);
        let answers = load::requests(to, CONNECTIONS, &traffic.request(), TIME).await;
        self.request
            .push((cpu(process) - before) / answers.max(1) as u32);
        let streams = Streams::open(to, CONNECTIONS, traffic.stream(PACE, 500)).await;
        streams.read(WARM).await;
        let before = cpu(process);
        let read = streams.read(TIME).await;
        self.chunk
            .push((cpu(process) - before) / read.chunks.max(1) as u32);
        streams.close().await;
        self.delay.push(at(&mut read.delays.clone(), 0.5));
    }
}

/// Prints the table. `peers`: what is to be said of upstream and clients.
pub async fn run(upstream: SocketAddr, traffic: Traffic, peers: &str) {
    let mut all = vec![
        Compared::new("hyper", Peer::hyper(upstream)),
        Compared::new("no policies", Peer::witgate(upstream, "[]", "").await),
        Compared::new("three policies", Peer::witgate(upstream, THREE, "").await),
        Compared::new("three, reused", Peer::witgate(upstream, REUSED, "").await),
    ];
    let mut direct = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for compared in &mut all {
            compared.round(traffic).await;
        }
        for _ in 0..8 {
            let (times, first) = alone(upstream, traffic).await;
            direct.0.extend(times);
            direct.1.extend(first);
            for compared in &mut all {
                let (times, first) = alone(compared.peer.address(), traffic).await;
                compared.times.extend(times);
                compared.first.extend(first);
            }
        }
    }
    let kind = match traffic {
        Traffic::Plain => "plain prose",
        Traffic::Hit => "something to redact in each request and answer",
    };
    println!(
        "CPU on one core, {CONNECTIONS} connections, {kind}, upstream and clients {peers}; medians of {ROUNDS} rounds, and as a multiple of hyper's in the same round\n"
    );
    println!("                 us/request  x hyper    us/chunk  x hyper   a chunk's way, us");
    let base = [all[0].request.clone(), all[0].chunk.clone()];
    for compared in &mut all {
        println!(
            "{:<15} {:>11.1} {:>8.2} {:>11.1} {:>8.2} {:>19.0}",
            compared.name,
            us(at(&mut compared.request.clone(), 0.5)),
            ratio(&compared.request, &base[0]),
            us(at(&mut compared.chunk.clone(), 0.5)),
            ratio(&compared.chunk, &base[1]),
            us(at(&mut compared.delay, 0.5)),
        );
    }
    println!(
        "\nOne connection, one request at a time: us, and us more than without anything between\n"
    );
    println!("                 p50            p99            first token p50   first token p99");
    let [p50, p99] = [0.5, 0.99].map(|part| at(&mut direct.0, part));
    let [first, last] = [0.5, 0.99].map(|part| at(&mut direct.1, part));
    let line = |name: &str, figures: [Duration; 4]| {
        let direct = [p50, p99, first, last];
        let cells: Vec<_> = figures
            .iter()
            .zip(direct)
            .map(|(it, direct)| format!("{:>6.0} {:>+7.0}", us(*it), us(*it) - us(direct)))
            .collect();
        println!("{name:<15} {}", cells.join(" "));
    };
    line("direct", [p50, p99, first, last]);
    for compared in &mut all {
        let [p50, p99] = [0.5, 0.99].map(|part| at(&mut compared.times, part));
        let [first, last] = [0.5, 0.99].map(|part| at(&mut compared.first, part));
        line(compared.name, [p50, p99, first, last]);
    }
}

/// Times on one connection, and of the first token.
async fn alone(to: SocketAddr, traffic: Traffic) -> (Vec<Duration>, Vec<Duration>) {
    let mut connection = Connection::open(to).await;
    load::times(&mut connection, &traffic.request(), 10).await;
    let times = load::times(&mut connection, &traffic.request(), TIMED / 8).await;
    let request = traffic.stream(PACE, 4);
    let mut first = Vec::with_capacity(FIRST / 8 + 1);
    for _ in 0..=FIRST / 8 {
        first.push(load::first_token(to, &request).await);
    }
    (times, first)
}

/// The median of the ratios of each round.
pub fn ratio(of: &[Duration], to: &[Duration]) -> f64 {
    let mut ratios: Vec<_> = of
        .iter()
        .zip(to)
        .map(|(of, to)| of.as_secs_f64() / to.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// The one below which this part of all lies.
pub fn at(times: &mut [Duration], part: f64) -> Duration {
    times.sort();
    let last = times.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    times.get(at).copied().unwrap_or_default()
}

pub fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
