//! What more of something costs: open streams, stages, a long prompt. And what nothing costs.

use std::net::SocketAddr;
use std::time::Duration;

use crate::compare::{at, us};
use crate::connection::{Connection, post};
use crate::gauge::{memory as resident, mib};
use crate::load::{self, Streams, Traffic};
use crate::peers::{Peer, THREE};
use crate::process::{cpu, ran, since, waits};
use crate::support::{Value, ask};

const NONE: &str = "[]";

/// What a request costs, and a chunk, beside ever more open streams, which all together bring the same number of chunks a second.
pub async fn streams(upstream: SocketAddr, most: usize) {
    const CHUNKS_A_SECOND: usize = 1000;
    const TIME: Duration = Duration::from_secs(10);
    println!(
        "Beside open streams, which together bring {CHUNKS_A_SECOND} chunks a second: CPU, in us\n"
    );
    println!("chain            streams   us/request    us/chunk       memory");
    for (name, chain) in [("no policies", NONE), ("three policies", THREE)] {
        let mut many = 1;
        while many <= most {
            let peer = Peer::with_room(upstream, chain, "", most + 64).await;
            let (to, process) = (peer.address(), peer.id());
            load::requests(to, 1, &Traffic::Plain.request(), TIME / 10).await;
            let pace = Duration::from_secs(1) * many as u32 / CHUNKS_A_SECOND as u32;
            let stream = Traffic::Plain.stream(pace, 1_000_000);
            let streams = Streams::open(to, many, stream).await;
            let before = cpu(process);
            let read = streams.read(TIME).await;
            let chunk = (cpu(process) - before) / read.chunks.max(1) as u32;
            let before = cpu(process);
            let request = Traffic::Plain.request();
            let asking = load::requests(to, 1, &request, TIME / 2);
            let (answers, read) = tokio::join!(asking, streams.read(TIME / 2));
            let requests = (cpu(process) - before).saturating_sub(chunk * read.chunks as u32);
            println!(
                "{name:<15} {many:>8} {:>12.1} {:>11.1} {:>12}",
                us(requests / answers.max(1) as u32),
                us(chunk),
                mib(resident(process))
            );
            streams.close().await;
            many *= 10;
        }
    }
}

/// What a stream takes that is open and says something now and then.
pub async fn memory(upstream: SocketAddr, many: usize) {
    println!("{many} open streams, each with a chunk a second\n");
    println!("chain              before        with them    a stream, KiB");
    for (name, chain) in [("no policies", NONE), ("three policies", THREE)] {
        let peer = Peer::with_room(upstream, chain, "", many + 64).await;
        let (to, process) = (peer.address(), peer.id());
        load::requests(to, 8, &Traffic::Plain.request(), Duration::from_secs(2)).await;
        let before = resident(process);
        let stream = Traffic::Plain.stream(Duration::from_secs(1), 1_000_000);
        let streams = Streams::open(to, many, stream).await;
        streams.read(Duration::from_secs(5)).await;
        let after = resident(process);
        let each = after.saturating_sub(before) as f64 / many as f64 / 1024.0;
        println!(
            "{name:<15} {:>10} {:>16} {each:>16.1}",
            mib(before),
            mib(after)
        );
        streams.close().await;
    }
}

/// What a request costs, and a chunk, with ever more stages that have something to do.
pub async fn stages(upstream: SocketAddr) {
    const ROUNDS: usize = 3;
    const TIME: Duration = Duration::from_secs(2);
    const PACE: Duration = Duration::from_millis(2);
    let component = witgate::generation::bundled::component("pii-detector").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("redactor.wasm");
    std::fs::write(&file, component).unwrap();
    let mut peers = Vec::new();
    for many in [0, 1, 2, 4, 6, 8, 10] {
        let stages: Vec<_> = (0..many)
            .map(|number| format!("{{id: redactor-{number}, component: {}}}", file.display()))
            .collect();
        let chain = format!("[{}]", stages.join(", "));
        let peer = Peer::witgate(upstream, &chain, "").await;
        peers.push((many, peer, Vec::new(), Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (_, peer, request, chunk) in &mut peers {
            let (to, process) = (peer.address(), peer.id());
            let asked = Traffic::Hit.request();
            load::requests(to, 32, &asked, TIME / 4).await;
            let before = cpu(process);
            let answers = load::requests(to, 32, &asked, TIME).await;
            request.push((cpu(process) - before) / answers.max(1) as u32);
            let streams = Streams::open(to, 32, Traffic::Hit.stream(PACE, 500)).await;
            let before = cpu(process);
            let read = streams.read(TIME).await;
            chunk.push((cpu(process) - before) / read.chunks.max(1) as u32);
            streams.close().await;
        }
    }
    println!(
        "Stages that redact, each in a sandbox of its own, with something to redact: CPU, in us; medians of {ROUNDS} rounds\n"
    );
    println!("stages   us/request   more, a stage   us/chunk   more, a stage");
    let mut none = None;
    for (many, _, mut request, mut chunk) in peers {
        let (request, chunk) = (us(at(&mut request, 0.5)), us(at(&mut chunk, 0.5)));
        let (first, second) = *none.get_or_insert((request, chunk));
        let each = |now: f64, none: f64| (now - none) / f64::from(many.max(1));
        println!(
            "{many:>6} {request:>12.1} {:>15.1} {chunk:>10.1} {:>15.1}",
            each(request, first),
            each(chunk, second)
        );
    }
}

/// What a prompt of 200 KB costs, in prose and in a conversation of many turns.
pub async fn prompt(upstream: SocketAddr) {
    const ROUNDS: usize = 40;
    let sentence = "The river runs past the old mill, and in spring it carries leaves and small branches down to the sea. ";
    let prose = sentence.repeat(200_000 / sentence.len());
    let turn = |number: usize| {
        let role = ["user", "assistant"][number % 2];
        serde_json::json!({"role": role, "content": sentence})
    };
    let turns: Vec<Value> = (0..=200_000 / 140).map(turn).collect();
    let mut talk = ask("");
    talk["messages"] = turns.into();
    println!("A prompt of 200 KB, one at a time: CPU and time, in us; medians of {ROUNDS}\n");
    println!("prompt           chain                 us CPU  x none        us  x none");
    let mut peers = Vec::new();
    for (name, chain) in [
        ("none", NONE),
        ("prompt-injection", "[prompt-injection]"),
        ("pii-detector", "[pii-detector]"),
        ("audit-logger", "[audit-logger]"),
        ("all three", THREE),
    ] {
        peers.push((name, Peer::witgate(upstream, chain, "").await));
    }
    for (kind, body) in [("one message", ask(&prose)), ("1,400 messages", talk)] {
        let request = post(&body);
        let mut all: Vec<_> = peers.iter().map(|_| (Vec::new(), Vec::new())).collect();
        for round in 0..=ROUNDS {
            for ((_, peer), (ran, took)) in peers.iter().zip(&mut all) {
                let mut connection = Connection::open(peer.address()).await;
                let before = cpu(peer.id());
                let times = load::times(&mut connection, &request, 1).await;
                // The first finds nothing warm.
                if round > 0 {
                    ran.push(cpu(peer.id()) - before);
                    took.extend(times);
                }
            }
        }
        let figures = |(ran, took): &mut (Vec<_>, Vec<_>)| (us(at(ran, 0.5)), us(at(took, 0.5)));
        let none = figures(&mut all[0]);
        for ((name, _), figures) in peers.iter().zip(all.iter_mut().map(figures)) {
            let (ran, took) = figures;
            println!(
                "{kind:<16} {name:<17} {ran:>10.0} {:>7.2} {took:>9.0} {:>7.2}",
                ran / none.0,
                took / none.1
            );
        }
    }
}

/// What a gateway takes that nobody asks.
pub async fn idle(upstream: SocketAddr) {
    const TIME: Duration = Duration::from_secs(10);
    println!("Idle, after a hundred requests\n");
    println!("chain                memory   CPU, us a second   wake-ups a second");
    for (name, chain) in [("no policies", NONE), ("three policies", THREE)] {
        let peer = Peer::witgate(upstream, chain, "").await;
        let process = peer.id();
        let mut connection = Connection::open(peer.address()).await;
        load::times(&mut connection, &Traffic::Plain.request(), 100).await;
        // Kept connections end, and what the last exchanges left is cleared.
        tokio::time::sleep(TIME).await;
        let before = (ran(process), waits(process));
        tokio::time::sleep(TIME).await;
        let seconds = TIME.as_secs_f64();
        println!(
            "{name:<15} {:>11} {:>18.0} {:>19.1}",
            mib(resident(process)),
            us(since(&before.0, ran(process))) / seconds,
            since(&before.1, waits(process)) as f64 / seconds
        );
    }
}
