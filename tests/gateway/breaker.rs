//! Stages that fail too often: the breaker, and a new chain on probation.

use crate::support::*;

fn chain(on_error: &str, more: &str) -> String {
    format!(
        "policies: {{chain: [{{id: puppet, component: @puppet, on_error: {on_error}{more}}}, audit-logger]}}"
    )
}

/// Twenty exchanges that trap.
async fn trap(bench: &Bench) {
    for _ in 0..20 {
        bench
            .puppet(&ask("say: hi"), json!({"request": "trap"}))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_takes_on_error_without_the_call_until_a_probe_goes_well() {
    for on_error in ["deny", "skip"] {
        let bench = Bench::of(&chain(on_error, &format!(", breaker: {on_error}"))).await;
        assert_eq!(bench.status().await["stages"][0]["breaker"], "closed");
        trap(&bench).await;
        let status = bench.status().await;
        assert_eq!(status["stages"][0]["breaker"], "open", "{status}");

        // It would deny, if it were called.
        let why = json!({"request": {"deny": {"code": "no", "message": "no"}}});
        let reply = bench.puppet(&ask("say: hi"), why.clone()).await;
        let policies = reply.header("x-witgate-policies").to_owned();
        match on_error {
            "deny" => {
                assert_eq!(reply.error(), (500, "breaker".into()));
                assert_eq!(policies, "puppet=error:breaker, audit-logger=unreached");
            }
            _ => {
                assert_eq!(reply.said().content(), "hi");
                assert_eq!(policies, "puppet=skip:breaker, audit-logger=proceed");
            }
        }
        let metrics = bench.ask_admin("/metrics").await;
        for counted in [
            "witgate_breaker_trips_total{stage=\"puppet\"} 1",
            "witgate_breakers_open{stage=\"puppet\"} 1",
            "hook=\"new\",class=\"breaker\"} ",
        ] {
            assert!(
                metrics.text().contains(counted),
                "no {counted} in {}",
                metrics.text()
            );
        }

        until("a probe is let in, and closes it", async || {
            let reply = bench.puppet(&ask("say: hi"), why.clone()).await;
            (reply.status == 403).then_some(())
        })
        .await;
        bench.settled().await;
        assert_eq!(bench.status().await["stages"][0]["breaker"], "closed");
        let metrics = bench.ask_admin("/metrics").await;
        assert!(
            metrics
                .text()
                .contains("witgate_breakers_open{stage=\"puppet\"} 0")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_with_one_trapping_input_can_not_switch_a_stage_off() {
    let bench = Bench::of(&chain("skip", ", breaker: skip")).await;
    let why = json!({"request": {"deny": {"code": "no", "message": "no"}}});
    for _ in 0..30 {
        bench
            .puppet(&ask("say: hi"), json!({"request": "trap"}))
            .await;
        for _ in 0..2 {
            let reply = bench.puppet(&ask("say: hi"), why.clone()).await;
            assert_eq!(reply.error(), (403, "no".into()));
        }
    }
    assert_eq!(bench.status().await["stages"][0]["breaker"], "closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_breaker_every_exchange_calls_the_stage() {
    let bench = Bench::of(&chain("deny", "")).await;
    trap(&bench).await;
    trap(&bench).await;
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
    assert!(bench.status().await["stages"][0]["breaker"].is_null());
}

const PROBATION: &str = "\nreload: {probation: 1m}";

/// The same guard as before, changed.
fn changed() -> String {
    chain("deny", ", limits: {memory: 32MiB}") + PROBATION
}

async fn runs(bench: &Bench, generation: u64) {
    bench
        .reloaded("it is there", |last| last["generation"] == generation)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_chain_that_fails_on_probation_is_rolled_back_once() {
    let bench = Bench::of(&(chain("deny", "") + PROBATION)).await;
    bench.configure(&changed());
    runs(&bench, 2).await;
    trap(&bench).await;
    let status = until("the chain before is back", async || {
        let status = bench.status().await;
        (status["generation"] == 3).then_some(status)
    })
    .await;
    let why = status["last_rollback"]["why"].as_str().unwrap();
    assert!(why.contains("`puppet` failed in at least half"), "{why}");
    assert_eq!(status["last_probation"]["rolled_back"], true, "{status}");
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);

    // These files are bad: nobody loads them again as they are, and there is nothing further back.
    let again = bench.tell_admin("/reload").await;
    assert_eq!(again.error(), (409, "failed_before".into()));
    assert!(again.text().contains("rolled back"), "{}", again.text());
    assert_eq!(
        bench.tell_admin("/rollback").await.error(),
        (409, "nothing_before".into())
    );
    let metrics = bench.ask_admin("/metrics").await;
    assert!(
        metrics
            .text()
            .contains("witgate_rollbacks_total{cause=\"probation\"} 1")
    );

    // Changed, they have another chance. The chain that came back isn't on probation, however often it fails.
    trap(&bench).await;
    bench.configure(&changed().replace("on_error: deny", "on_error: skip"));
    runs(&bench, 4).await;
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_on_complete_count_on_probation_too() {
    let bench = Bench::of(&chain("skip", "")).await;
    bench.configure(&(chain("skip", ", limits: {memory: 32MiB}") + PROBATION));
    runs(&bench, 2).await;
    for _ in 0..20 {
        let reply = bench
            .puppet(&ask("say: hi"), json!({"complete": "trap"}))
            .await;
        assert_eq!(reply.status, 200);
    }
    until("the chain before is back", async || {
        (bench.status().await["generation"] == 3).then_some(())
    })
    .await;
}

/// Waits until the last probation has ended with the chain in place.
async fn kept(bench: &Bench) -> Value {
    let status = until("its probation has ended", async || {
        let status = bench.status().await;
        (!status["last_probation"].is_null()).then_some(status)
    })
    .await;
    assert_eq!(status["last_probation"]["rolled_back"], false, "{status}");
    assert_eq!(status["generation"], 2, "{status}");
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_takes_a_new_guard_out_of_the_chain() {
    for before in [
        "policies: {chain: [audit-logger]}".to_owned(),
        chain("deny", ", mode: shadow"),
        chain("skip", ""),
    ] {
        let bench = Bench::of(&before).await;
        bench.configure(&(chain("deny", "") + PROBATION));
        runs(&bench, 2).await;
        trap(&bench).await;
        let status = kept(&bench).await;
        let why = status["last_probation"]["why"].as_str().unwrap();
        assert!(why.contains("the guard `puppet`"), "{why}");
        // An operator may.
        assert_eq!(bench.tell_admin("/rollback").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_ran_before_and_what_grows_with_requests_roll_nothing_back() {
    let bench = Bench::of(&chain("deny", "")).await;
    // The chain gets another stage, and the one that fails is the old one.
    let more = chain("deny", "").replace("audit-logger", "{id: more, component: @puppet}");
    bench.configure(&(more + PROBATION));
    runs(&bench, 2).await;
    trap(&bench).await;
    // The old one again, changed now, fails by its time.
    bench.configure(&changed());
    runs(&bench, 3).await;
    for _ in 0..20 {
        let spins = json!({"request": "spin"});
        let reply = bench.puppet(&ask("say: hi"), spins).await;
        assert_eq!(reply.error(), (500, "deadline".into()));
    }
    bench.settled().await;
    let status = bench.status().await;
    assert_eq!(status["generation"], 3, "{status}");
    assert!(status["last_probation"].is_null(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_of_several_rolls_nothing_back_and_two_do() {
    let folder = tempfile::tempdir().unwrap();
    let clients = ["a", "b"].map(|id| {
        let file = folder.path().join(id);
        std::fs::write(&file, id).unwrap();
        format!("{{id: {id}, secret_ref: {{file: {}}}}}", file.display())
    });
    let clients = format!("\nclients: {{keys: [{}]}}", clients.join(", "));
    let bench = Bench::of(&(chain("deny", "") + &clients)).await;
    bench.configure(&(changed() + &clients));
    runs(&bench, 2).await;
    let traps = async |key: &str| {
        let key = format!("Bearer {key}");
        let orders = json!({"request": "trap"}).to_string();
        let headers = [("authorization", &*key), ("x-puppet", &*orders)];
        let reply = bench.send(ask("say: hi").to_string(), &headers).await;
        assert_eq!(reply.error(), (500, "trap".into()));
    };
    for _ in 0..30 {
        traps("a").await;
    }
    bench.settled().await;
    assert_eq!(bench.status().await["generation"], 2);
    traps("b").await;
    until("the chain before is back", async || {
        (bench.status().await["generation"] == 3).then_some(())
    })
    .await;
}
