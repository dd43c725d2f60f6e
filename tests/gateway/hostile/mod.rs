//! Every misdeed of `tests/guests` in whole exchanges: each ends as its stage's `on_error` says, with the class of the failure; the
//! other stage and the exchanges beside it come out right to the byte; and nothing is left of it.

mod forged;
mod leaks;
mod loading;
mod midstream;
mod whole;

use crate::guests::list::{Ends, MISDEEDS};
use crate::support::*;

/// What a client says that its exchange is to suffer from.
const MISDEED: &str = "x-misdeed";

/// Two stages of the hostile guest: one does what each request asks for, the other makes shouts calm and behaves.
fn chain(on_error: &str, limits: &str) -> String {
    format!(
        "policies: {{chain: [{{id: hostile, component: @hostile, on_error: {on_error}, limits: {{{limits}}}}}, \
         {{id: calm, component: @hostile}}, audit-logger]}}\n\
         policy: {{hostile: {{asked: true}}}}"
    )
}

/// The hook in which an exchange with that misdeed fails, and the class; `None` where it doesn't.
fn failure(ends: &Ends) -> Option<(&'static str, &'static str)> {
    match ends {
        Ends::In(hook, class) => Some((hook, class)),
        Ends::Held => Some(("on-delta", "output")),
        Ends::Well | Ends::Unloaded => None,
    }
}

/// The misdeeds that fail in an exchange: name, hook, class.
fn failing() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    MISDEEDS.iter().filter_map(|(name, ends)| {
        let (hook, class) = failure(ends)?;
        Some((*name, hook, class))
    })
}

/// The answer is the error of that stage's failure: in its place, or at the end of a stream that had begun.
#[track_caller]
fn is_failure(reply: &Reply, what: &str, stage: &str, class: &str) {
    let error = match reply.status {
        200 => {
            let event = reply.said().error;
            let event = event.unwrap_or_else(|| panic!("{what}: {}", reply.text()));
            assert_eq!(event["status_code"], 500, "{what}");
            assert!(!reply.is_done(), "{what}");
            event["error"].clone()
        }
        _ => {
            assert_eq!(
                reply.error(),
                (500, class.into()),
                "{what}: {}",
                reply.text()
            );
            assert_eq!(reply.header("x-should-retry"), "false", "{what}");
            let verdicts = reply.header("x-witgate-policies");
            let verdict = format!("{stage}=error:{class}");
            assert!(
                verdicts.split(", ").any(|one| one == verdict),
                "{what}: {verdicts}"
            );
            reply.json()
        }
    };
    assert_eq!(
        (&error["type"], &error["code"], &error["param"]),
        (&json!("policy_failed"), &json!(class), &json!(stage)),
        "{what}"
    );
}

/// The answer is what it is when everyone behaves.
#[track_caller]
fn is_right(reply: &Reply, what: &str, right: &Reply) {
    assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    assert_eq!(reply.broken, None, "{what}");
    assert_eq!(reply.text(), right.text(), "{what}");
}

/// How often stages of that name failed in that hook with that class, by the metrics.
fn counted(metrics: &str, stage: &str, hook: &str, class: &str) -> u64 {
    let hook = if hook == "constructor" { "new" } else { hook };
    let name = format!(
        r#"witgate_stage_failures_total{{stage="{stage}",hook="{hook}",class="{class}"}} "#
    );
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().unwrap())
}
