//! A whole exchange of one stage, up to the first failure.

use witgate::policy::types::Channel;
use witgate::policy::{Failure, Instance};

use super::{Served, is, outcome, request};
use crate::guests::list::Ends;

/// A call that failed, and the instance that it failed in, where there was one.
pub(crate) struct Fallen {
    pub(crate) hook: &'static str,
    pub(crate) failure: Failure,
    pub(crate) instance: Option<Instance>,
}

/// From the constructor to `on-complete`: a request, and an answer of some reasoning and some content.
pub(crate) async fn exchange(loaded: &Served) -> Result<(), Fallen> {
    let fallen = |hook, failure, instance| Fallen {
        hook,
        failure,
        instance,
    };
    let started = Instance::start(&loaded.stage, request::small()).await;
    let mut instance = started.map_err(|failure| fallen("constructor", failure, None))?;
    macro_rules! hook {
        ($hook:literal, $call:expr) => {
            match $call.await {
                Ok(value) => value,
                Err(failure) => return Err(fallen($hook, failure, Some(instance))),
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
    let Err(fallen) = exchange(loaded).await else {
        panic!("{misdeed}: nothing failed");
    };
    let Fallen {
        hook: at,
        failure,
        instance,
    } = fallen;
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
