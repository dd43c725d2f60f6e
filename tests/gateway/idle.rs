//! A gateway that nobody asks anything sleeps, and wakes in time for what runs in it.

use crate::support::*;

const CHAIN: &str = "policies: {chain: [{id: puppet, component: '@puppet'}]}";

/// How often the process's thread of that name has gone to sleep so far.
fn slept(gateway: &Process, thread: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap();
    let task = tasks
        .map(|task| task.unwrap().path())
        .find(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|it| it.trim() == thread))
        .unwrap_or_else(|| panic!("there is no thread {thread}"));
    let status = std::fs::read_to_string(task.join("status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

/// Waits until that thread sleeps and goes on sleeping.
async fn rests(gateway: &Process, thread: &str) {
    let (mut before, mut same) = (u64::MAX, 0);
    until("the thread sleeps on", async || {
        let now = slept(gateway, thread);
        same = if now == before { same + 1 } else { 0 };
        before = now;
        (same == 100).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_rests_in_an_idle_gateway_and_cuts_a_guest_that_spins_all_the_same() {
    let upstream = Upstream::simulated().await;
    let gateway = Process::run(CHAIN, &[upstream.address]).await;
    let url = format!("http://{}/v1/chat/completions", gateway.traffic);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..3 {
        rests(&gateway, "epoch").await;
        let before = slept(&gateway, "epoch");
        let request = client
            .post(&url)
            .header("content-type", "application/json")
            .header("x-puppet", json!({"request": "spin"}).to_string())
            .body(ask("say: hi").to_string());
        let reply = soon("it is cut", async {
            Reply::read(request.send().await.unwrap()).await
        });
        let reply = reply.await;
        assert!(
            reply.header("x-witgate-policies").contains("deadline"),
            "{}: {}",
            reply.header("x-witgate-policies"),
            reply.text()
        );
        assert!(slept(&gateway, "epoch") > before);
    }
}
