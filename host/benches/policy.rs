//! What the sandbox costs, with the bundled policies: an instance, each hook, and an exchange of three stages and a hundred deltas.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::sync::{Arc, LazyLock};

use tokio::runtime::Runtime;
use witgate::config::{Config, StageConfig};
use witgate::generation::bundled;
use witgate::policy::engine::EngineSettings;
use witgate::policy::types::{Channel, Ending, Hooks, Verdict};
use witgate::policy::{self, FixedRequest, Instance, Outcome, Sandbox, Stage, StageSpec};

fn main() {
    divan::main();
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
});

/// The bundled policies with their defaults, loaded as a gateway would.
static STAGES: LazyLock<Vec<Arc<Stage>>> = LazyLock::new(|| {
    let sandbox = Sandbox::new(EngineSettings {
        exchanges: 64,
        ..EngineSettings::default()
    })
    .unwrap();
    let load = |stage: &StageConfig| {
        let component = bundled::component(&stage.id).unwrap();
        let loaded = policy::load(&sandbox, StageSpec::from(stage), component);
        Stage::enforcing(RUNTIME.block_on(loaded).unwrap())
    };
    Config::embedded()
        .unwrap()
        .stages
        .iter()
        .map(load)
        .collect()
});

fn stage(id: &str) -> &'static Arc<Stage> {
    STAGES.iter().find(|stage| **stage.id() == *id).unwrap()
}

const ASKED: &str = "Explain WebAssembly and its use cases in three sentences, please.";

fn outcome() -> Arc<Outcome> {
    Arc::new(Outcome {
        ended: Ending::Completed,
        model: Some("gpt-oss-120b".into()),
        target: Some("cerebras".into()),
        status: Some(200),
        finish_reasons: vec!["stop".into()],
        tokens: None,
        cost_micros: None,
        stages: Vec::new(),
        tags: Vec::new(),
        deltas: 2,
        sent_bytes: 400,
        first_delta_us: Some(10_000),
        total_us: 200_000,
    })
}

async fn start(stage: &Arc<Stage>) -> Instance {
    let request = FixedRequest::saying(ASKED);
    Instance::start(stage, Arc::new(request)).await.unwrap()
}

#[divan::bench(args = ["prompt-injection", "pii-detector", "audit-logger"])]
fn fresh_instance(bencher: divan::Bencher<'_, '_>, id: &str) {
    let stage = stage(id);
    bencher.bench(|| RUNTIME.block_on(async { drop(start(stage).await) }));
}

/// The same after other work: under load the caches hold something else each time.
#[divan::bench(args = ["prompt-injection", "pii-detector", "audit-logger"], sample_count = 500, sample_size = 1)]
fn fresh_instance_between_other_work(bencher: divan::Bencher<'_, '_>, id: &str) {
    let stage = stage(id);
    let mut other = vec![0_u8; 4 << 20];
    bencher
        .with_inputs(|| {
            for line in other.chunks_mut(64) {
                line[0] = line[0].wrapping_add(1);
            }
            divan::black_box(&other);
        })
        .bench_local_values(|()| RUNTIME.block_on(async { drop(start(stage).await) }));
}

#[divan::bench(args = ["prompt-injection", "pii-detector"])]
fn fresh_instance_and_on_request(bencher: divan::Bencher<'_, '_>, id: &str) {
    let stage = stage(id);
    bencher.bench(|| {
        RUNTIME.block_on(async {
            let verdict = start(stage).await.on_request().await.unwrap().verdict;
            assert!(matches!(verdict, Verdict::Proceed), "{verdict:?}");
        });
    });
}

/// One delta of 16 bytes of English; the figure is for a hundred.
#[divan::bench]
fn pii_detector_100_deltas(bencher: divan::Bencher<'_, '_>) {
    let stage = stage("pii-detector");
    bencher
        .with_inputs(|| {
            RUNTIME.block_on(async {
                let mut instance = start(stage).await;
                let passage = instance
                    .on_answer(0, &Channel::Content)
                    .await
                    .unwrap()
                    .unwrap();
                (instance, passage)
            })
        })
        .bench_refs(|(instance, passage)| {
            RUNTIME.block_on(async {
                for _ in 0..100 {
                    divan::black_box(
                        instance
                            .on_delta(passage, " hello world and")
                            .await
                            .unwrap(),
                    );
                }
            });
        });
}

#[divan::bench]
fn audit_logger_on_complete(bencher: divan::Bencher<'_, '_>) {
    let stage = stage("audit-logger");
    let outcome = outcome();
    bencher
        .with_inputs(|| RUNTIME.block_on(start(stage)))
        .bench_values(|mut instance| {
            RUNTIME
                .block_on(instance.on_complete(outcome.clone()))
                .unwrap()
        });
}

/// All three stages, each in an instance of its own: request, an answer of a hundred deltas, completion. No wire, no journal.
#[divan::bench]
fn exchange_of_3_stages_and_100_deltas(bencher: divan::Bencher<'_, '_>) {
    let outcome = outcome();
    bencher.bench(|| {
        RUNTIME.block_on(async {
            let mut passing = Vec::new();
            for stage in STAGES.iter() {
                let hooks = stage.hooks();
                let mut instance = None;
                if hooks.contains(Hooks::ON_REQUEST) {
                    instance
                        .insert(start(stage).await)
                        .on_request()
                        .await
                        .unwrap();
                }
                if !hooks.intersects(Hooks::ON_ANSWER | Hooks::ON_COMPLETE) {
                    instance = None;
                }
                if hooks.contains(Hooks::ON_ANSWER) {
                    let live = instance.as_mut().unwrap();
                    let passage = live.on_answer(0, &Channel::Content).await.unwrap().unwrap();
                    for _ in 0..100 {
                        divan::black_box(
                            live.on_delta(&passage, " hello world and").await.unwrap(),
                        );
                    }
                    live.on_end(passage, "stop").await.unwrap();
                }
                passing.push((stage, instance));
            }
            for (stage, instance) in passing {
                if stage.hooks().contains(Hooks::ON_COMPLETE) {
                    let mut instance = match instance {
                        Some(instance) => instance,
                        None => start(stage).await,
                    };
                    instance.on_complete(outcome.clone()).await.unwrap();
                }
            }
        });
    });
}
