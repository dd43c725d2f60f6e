//! An empty exchange on a stage that was just built, on the very snapshot that will serve: what would trap on the first request
//! is found before the chain is swapped.

use std::sync::Arc;

use super::failure::Failure;
use super::instance::Instance;
use super::load::LoadError;
use super::outcome::Outcome;
use super::request::{Draft, RequestView};
use super::stage::Stage;
use super::types::{Channel, Ending, Hooks, Role, Segment, Target, Tool};

pub(super) async fn run(stage: &Arc<Stage>) -> Result<(), LoadError> {
    let mut last = "start";
    exchange(stage, &mut last)
        .await
        .map_err(|failure| LoadError::SelfTest {
            hook: last,
            failure,
        })
}

async fn exchange(stage: &Arc<Stage>, last: &mut &'static str) -> Result<(), Failure> {
    let mut instance = Instance::start(stage, Arc::new(Empty)).await?;
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
        stages: Vec::new(),
        tags: Vec::new(),
        first_delta_us: None,
        total_us: 0,
    }
}

/// A request with one message that says nothing.
struct Empty;

impl RequestView for Empty {
    fn id(&self) -> &str {
        "00000000-0000-4000-8000-000000000000"
    }

    fn endpoint(&self) -> &str {
        "chat"
    }

    fn model(&self) -> &str {
        "self-test"
    }

    fn principal(&self) -> Option<&str> {
        None
    }

    fn received_at(&self) -> u64 {
        0
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn messages(&self) -> Vec<Role> {
        vec![Role::User]
    }

    fn size(&self) -> u64 {
        0
    }

    fn segments(&self, first_message: u32) -> Vec<Segment> {
        let only = Segment {
            message: 0,
            role: Role::User,
            channel: Channel::Content,
            text: String::new(),
        };
        if first_message == 0 {
            vec![only]
        } else {
            Vec::new()
        }
    }

    fn tools(&self) -> Vec<Tool> {
        Vec::new()
    }

    fn get(&self, pointer: &str) -> Option<String> {
        pointer
            .is_empty()
            .then(|| r#"{"model":"self-test","messages":[{"role":"user","content":""}]}"#.into())
    }

    fn targets(&self) -> Vec<Target> {
        Vec::new()
    }

    fn draft(&self) -> Box<dyn Draft> {
        Box::new(Empty)
    }
}

/// Takes every change and makes none.
impl Draft for Empty {
    fn replace_segment(&mut self, index: u32, _: String) -> Result<(), String> {
        if index == 0 {
            Ok(())
        } else {
            Err(format!("there is no segment {index}"))
        }
    }

    fn insert_message(&mut self, _: u32, _: Role, _: String) -> Result<(), String> {
        Ok(())
    }

    fn set(&mut self, _: &str, _: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn restrict_targets(&mut self, _: &[String]) -> Result<(), String> {
        Err("there are no targets".into())
    }

    fn commit(self: Box<Self>) -> Arc<dyn RequestView> {
        Arc::new(Empty)
    }
}
