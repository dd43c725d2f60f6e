//! Thousands of exchanges that fail in every way leave nothing behind in a gateway that is a process of its own.

use futures_util::{StreamExt, stream};

use super::*;

/// So small that a misdeed doesn't take long.
const LIMITS: &str =
    "request_cpu: 1ms, delta_cpu: 1ms, exchange_cpu: 10ms, call_time: 10ms, held_text: 16B";
const AT_ONCE: usize = 16;
/// Bytes by which the process may be larger: what the pool keeps warm, and some. Of all the memory that was wanted it is a small
/// part.
const ROOM: u64 = (256 + 64) << 20;

/// What the kernel says of a process.
struct Seen {
    descriptors: usize,
    resident: u64,
}

#[cfg(target_os = "linux")]
fn look_at(process: &Process) -> Seen {
    let proc = std::path::PathBuf::from(format!("/proc/{}", process.id()));
    let status = std::fs::read_to_string(proc.join("status")).unwrap();
    let resident = status.lines().find_map(|line| {
        let line = line.strip_prefix("VmRSS:")?.strip_suffix("kB")?;
        line.trim().parse::<u64>().ok()
    });
    Seen {
        descriptors: std::fs::read_dir(proc.join("fd")).unwrap().count(),
        resident: resident.unwrap() << 10,
    }
}

/// Every misdeed so many times, streamed and whole.
async fn storm(process: &Process, rounds: usize) -> usize {
    // Its connections end with it.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/v1/chat/completions", process.traffic);
    let round = || failing().flat_map(|(name, ..)| [(name, false), (name, true)]);
    let all: Vec<_> = (0..rounds).flat_map(|_| round()).collect();
    stream::iter(&all)
        .for_each_concurrent(AT_ONCE, async |(name, streamed)| {
            let body = with(ask("say: hello! hello!"), json!({"stream": streamed}));
            let request = http
                .post(&url)
                .header(MISDEED, *name)
                .header("content-type", "application/json")
                .body(body.to_string());
            let reply = Reply::read(request.send().await.unwrap()).await;
            assert!(
                matches!(reply.status, 200 | 500),
                "{name}: {}",
                reply.text()
            );
        })
        .await;
    all.len()
}

/// Waits until nothing runs.
async fn settled(process: &Process) -> Seen {
    until("nothing runs any more", async || {
        let metrics = process.ask_admin("/metrics").await?;
        let gone = |name: &str| metrics.text().contains(&format!("\n{name} 0\n"));
        assert!(gone("witgate_panics_total"), "a handler panicked");
        (gone("witgate_instances_live") && gone("witgate_exchanges_running")).then_some(())
    })
    .await;
    look_at(process)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_hostile_exchanges_leave_nothing_behind() {
    let upstream = Upstream::simulated().await;
    let process = Process::run(&chain("deny", LIMITS), &[upstream.address]).await;
    storm(&process, 2).await;
    let before = settled(&process).await;
    let exchanges = storm(&process, 20).await;
    assert!(exchanges > 2_000, "{exchanges}");
    let after = settled(&process).await;
    // Connections upstream are kept for the next exchange, so there may be as many as there were exchanges at once.
    let descriptors = before.descriptors + AT_ONCE;
    until("descriptors are given back", async || {
        (look_at(&process).descriptors <= descriptors).then_some(())
    })
    .await;
    assert!(
        after.resident < before.resident + ROOM,
        "{} bytes became {}",
        before.resident,
        after.resident
    );
}
