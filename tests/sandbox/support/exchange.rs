//! A whole exchange of one stage, up to the first failure.

use std::fmt;

use witgate::policy::types::Channel;
use witgate::policy::{Failure, Instance};

use super::{Served, is, outcome, request};
use crate::guests::list::Ends;

/// A call that failed, and the instance that it failed in, where there was one.
pub(crate) struct FailedCall {
    pub(crate) hook: &'static str,
    pub(crate) failure: Failure,
    pub(crate) instance: Option<Instance>,
}

impl fmt::Debug for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.hook, self.failure)
    }
}

/// From the constructor to `on-complete`: a request, and an answer of some reasoning and some content.
pub(crate) async fn exchange(loaded: &Served) -> Result<(), FailedCall> {
    let failed = |hook, failure, instance| FailedCall {
        hook,
        failure,
        instance,
    };
    let started = Instance::start(&loaded.stage, request::small()).await;
    let mut instance = started.map_err(|failure| failed("constructor", failure, None))?;
    macro_rules! hook {
        ($hook:literal, $call:expr) => {
            match $call.await {
                Ok(value) => value,
                Err(failure) => return Err(failed($hook, failure, Some(instance))),
            }
        };
    }
    hook!("on-request", instance.on_request());
    for channel in [Channel::Reasoning, Channel::Content] {
        if let Some(passage) = hook!("on-answer", instance.on_answer(0, &channel)) {
            hook!("on-delta", instance.on_delta(&passage, "hello!"));
            hook!("on-end", instance.on_end(passage, "stop"));
        }
    }
    hook!("on-complete", instance.on_complete(outcome()));
    Ok(())
}

/// An exchange fails as the list says, and with those words; nothing is left of it, and the next gets a fresh instance.
pub(crate) async fn fails(misdeed: &str, ends: &Ends, loaded: &Served, words: &str) {
    let Ends::In(hook, class) = ends else {
        panic!("{misdeed} fails in no exchange");
    };
    let Err(failed) = exchange(loaded).await else {
        panic!("{misdeed}: nothing failed");
    };
    let FailedCall {
        hook: at,
        failure,
        instance,
    } = failed;
    assert_eq!(
        (at, failure.class.as_str()),
        (*hook, *class),
        "{misdeed}: {failure}"
    );
    is(&failure, failure.class, words);
    match instance {
        // The fresh one would do the same.
        Some(instance) if at == "on-complete" => assert!(instance.is_lost()),
        Some(instance) => loaded.recovers(instance).await,
        None => {}
    }
    assert_eq!(loaded.live(), 0);
}
