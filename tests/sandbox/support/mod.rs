//! What every test needs: the guest, a sandbox to run it in, a request to show it.

pub(crate) mod appending;
pub(crate) mod exchange;
pub(crate) mod guest;
pub(crate) mod log;
pub(crate) mod request;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use witgate::config::{Isolation, Limits, Mode, OnError};
use witgate::metrics::Metrics;
use witgate::policy::engine::EngineSettings;
use witgate::policy::types::{Channel, Ending};
use witgate::policy::{
    self, Class, Failure, GrantBackends, Instance, LoadError, Outcome, Passage, Sandbox, Stage,
    StageSpec,
};

/// Where this binary's files may go; cargo keeps it between runs.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Small, so that a test can use up its slots.
pub(crate) fn settings() -> EngineSettings {
    EngineSettings {
        exchanges: 16,
        stages: 2,
        cache: Some(compiled()),
        ..EngineSettings::default()
    }
}

/// Compiled components, kept between runs.
fn compiled() -> PathBuf {
    folder().join("compiled")
}

/// The engine that tests share. What has to count its slots makes one of its own.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(settings()).unwrap())
}

/// A configuration with default limits.
pub(crate) fn spec(settings: &Value) -> StageSpec {
    StageSpec {
        id: "tested".into(),
        on_error: OnError::Deny,
        breaker: false,
        mode: Mode::Enforce,
        isolation: Isolation::default(),
        limits: Limits::default(),
        grants: Vec::new(),
        http: None,
        settings: settings.to_string(),
        pinned: None,
    }
}

/// The configuration that makes the guest do that.
pub(crate) fn spec_of(misdeed: &str) -> StageSpec {
    spec(&json!({ "misdeed": misdeed }))
}

/// A stage that serves, with counters of its own.
pub(crate) struct Served {
    pub(crate) stage: Arc<Stage>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Loads a component in the shared sandbox.
pub(crate) async fn load(spec: StageSpec, component: &[u8]) -> Result<Served, LoadError> {
    load_in(sandbox(), spec, component).await
}

/// Loads a component in a sandbox of the test's own.
pub(crate) async fn load_in(
    sandbox: &Sandbox,
    spec: StageSpec,
    component: &[u8],
) -> Result<Served, LoadError> {
    let metrics = Arc::new(Metrics::new());
    let loaded = policy::load(sandbox, spec, component).await?;
    let stage = Stage::attached(loaded, &GrantBackends::default(), &metrics, None);
    Ok(Served { stage, metrics })
}

/// The hostile guest, told to do that; it loads, since it behaves in the self-test.
pub(crate) async fn guest_that(misdeed: &str) -> Served {
    load(spec_of(misdeed), guest::component()).await.unwrap()
}

/// Why the hostile guest can't be loaded, told to do that.
pub(crate) async fn refusal_of(spec: StageSpec) -> LoadError {
    refused(spec, guest::component()).await
}

/// Why that component can't be loaded.
pub(crate) async fn refused(spec: StageSpec, component: &[u8]) -> LoadError {
    match load(spec, component).await {
        Ok(_) => panic!("it loaded"),
        Err(error) => error,
    }
}

impl Served {
    /// An exchange with an ordinary request.
    pub(crate) async fn start(&self) -> Result<Instance, Failure> {
        Instance::start(&self.stage, request::small()).await
    }

    /// An exchange that begins well.
    pub(crate) async fn started(&self) -> Instance {
        self.start().await.unwrap()
    }

    /// An exchange whose answer has begun.
    pub(crate) async fn answering(&self) -> (Instance, Passage) {
        let mut instance = self.started().await;
        let passage = instance
            .on_answer(0, &Channel::Content)
            .await
            .unwrap()
            .unwrap();
        (instance, passage)
    }

    /// Instances that are alive.
    pub(crate) fn live(&self) -> i64 {
        self.metrics.instances_live.get()
    }

    /// After a failed call: the instance is lost and says so, `on-complete` runs on a fresh one, and nothing is left.
    pub(crate) async fn recovers(&self, mut failed: Instance) {
        assert!(failed.is_lost(), "the instance counts as lost");
        let again = failed.on_complete(outcome()).await.unwrap_err();
        assert_eq!(
            again.class,
            Class::Host,
            "a lost instance is not entered: {again}"
        );
        drop(failed);
        assert_eq!(self.live(), 0);
        let mut fresh = self.started().await;
        fresh.on_complete(outcome()).await.unwrap();
        drop(fresh);
        assert_eq!(self.live(), 0);
    }
}

/// A failure of that class, whose sentence has those words.
#[track_caller]
pub(crate) fn is(failure: &Failure, class: Class, words: &str) {
    assert_eq!(failure.class, class, "{failure}");
    assert!(
        failure.message.contains(words),
        "«{}» lacks «{words}»",
        failure.message
    );
}

/// A load error at that step, of that class, whose sentence has those words.
#[track_caller]
pub(crate) fn failed_in(error: &LoadError, expected: &str, class: Class, words: &str) {
    match error {
        LoadError::Failed { step, failure } => {
            assert_eq!(*step, expected, "{error}");
            is(failure, class, words);
        }
        LoadError::SelfTest { hook, failure } => {
            assert_eq!(format!("self-test {hook}"), expected, "{error}");
            is(failure, class, words);
        }
        other => panic!("another error: {other}"),
    }
}

/// How an ordinary exchange ended.
pub(crate) fn outcome() -> Arc<Outcome> {
    Arc::new(Outcome {
        ended: Ending::Completed,
        model: Some("llama".into()),
        target: Some("cerebras".into()),
        status: Some(200),
        finish_reasons: vec!["stop".into()],
        tokens: None,
        cost_micros: None,
        stages: Vec::new(),
        tags: Vec::new(),
        deltas: 2,
        sent_bytes: 400,
        first_delta_us: Some(1),
        total_us: 2,
    })
}

/// The tests of this binary in the modules below that one, as misdeeds are named.
pub(crate) fn tests_below(module: &str) -> BTreeSet<String> {
    let listed = Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tests = listed.lines().filter_map(|line| {
        line.strip_prefix(module)?
            .strip_suffix(": test")?
            .split_once("::")
    });
    tests.map(|(_, test)| test.replace('_', "-")).collect()
}

/// The names as a set; none comes twice.
pub(crate) fn once_each<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut set = BTreeSet::new();
    for name in names {
        assert!(set.insert(name.to_owned()), "{name} is listed twice");
    }
    set
}
