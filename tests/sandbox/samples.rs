//! Samples on a hostile guest: they end with its limits, and together they have an end.

use std::sync::Arc;
use std::time::Duration;

use witgate::control::samples::{Counts, SampleError, Samples};

use crate::support::{Served, guest, guest_that, load, spec_of};

const SAMPLES: &str = "
- name: It behaves
  request: {messages: [{role: user, content: hi}]}
  answer: hello
- name: It behaves under other settings
  when: {misdeed: none}
  request: {messages: [{role: user, content: hi}]}
";

async fn tried(loaded: &Served) -> Result<Counts, SampleError> {
    Samples::parse(SAMPLES.as_bytes())
        .unwrap()
        .run(loaded.stage.loaded())
        .await
}

/// Samples run on stages of their own, which count nowhere: an instance that is left would hold what it was made of.
fn left(loaded: &Served) -> usize {
    Arc::strong_count(loaded.stage.loaded()) - 1
}

#[tokio::test]
async fn a_loop_ends_with_the_limit_of_the_call() {
    for hook in [
        "constructor",
        "on-request",
        "on-answer",
        "on-delta",
        "on-end",
        "on-complete",
    ] {
        let loaded = guest_that(&format!("loop-in-{hook}")).await;
        let error = tried(&loaded).await.unwrap_err().to_string();
        let step = match hook {
            "constructor" => "new",
            hook => hook,
        };
        let words =
            format!("sample \"It behaves\" (whole): the policy failed in {step} (deadline: ");
        assert!(error.contains(&words), "{error}");
        assert_eq!(left(&loaded), 0);
    }
}

/// The clock is paused: the wait is over as soon as nothing else can run.
#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_time_that_all_samples_have() {
    let mut spec = spec_of("sleep-in-on-delta");
    spec.limits.call_time = Duration::from_secs(600);
    let loaded = load(spec, guest::component()).await.unwrap();
    let error = tried(&loaded).await.unwrap_err();
    assert!(matches!(error, SampleError::Slow { .. }), "{error}");
    assert!(error.to_string().contains("\"It behaves\""), "{error}");
    assert_eq!(left(&loaded), 0);
}
