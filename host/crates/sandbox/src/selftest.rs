//! An empty exchange on what was just loaded, on the very snapshot that will serve: what would trap on the first request is found
//! before the chain is swapped.

use std::sync::Arc;

use super::error::LoadError;
use super::failure::Failure;
use super::fixed_request::FixedRequest;
use super::instance::Instance;
use super::outcome::Outcome;
use super::stage::{Loaded, Stage};
use super::types::{Channel, Ending, Hooks};

pub(super) async fn run(loaded: &Arc<Loaded>) -> Result<(), LoadError> {
    let mut last = "start";
    exchange(&Stage::enforcing(loaded.clone()), &mut last)
        .await
        .map_err(|failure| LoadError::SelfTest {
            hook: last,
            failure,
        })
}

async fn exchange(stage: &Arc<Stage>, last: &mut &'static str) -> Result<(), Failure> {
    let mut instance = Instance::start(stage, Arc::new(FixedRequest::self_test())).await?;
    let hooks = stage.hooks();
    if hooks.contains(Hooks::ON_REQUEST) {
        *last = "on-request";
        instance.on_request().await?;
    }
    if hooks.contains(Hooks::ON_ANSWER) {
        *last = "on-answer";
        if let Some(passage) = instance.on_answer(0, &Channel::Content).await? {
            *last = "on-delta";
            instance.on_delta(&passage, ".").await?;
            *last = "on-end";
            instance.on_end(passage, "stop").await?;
        }
    }
    if hooks.contains(Hooks::ON_COMPLETE) {
        *last = "on-complete";
        instance.on_complete(Arc::new(outcome())).await?;
    }
    Ok(())
}

fn outcome() -> Outcome {
    Outcome {
        ended: Ending::Completed,
        model: None,
        target: None,
        status: Some(200),
        finish_reasons: vec!["stop".into()],
        tokens: None,
        cost_micros: None,
        stages: Vec::new(),
        tags: Vec::new(),
        deltas: 2,
        sent_bytes: 400,
        first_delta_us: None,
        total_us: 0,
    }
}
