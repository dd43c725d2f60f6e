//! The imports, as a native test sees them: one exchange's state, in this thread, for the time of a call.
//!
//! The signatures are those of the generated bindings, so that the modules at the crate's root read the same on both.

use std::cell::RefCell;

use super::body::Change;
use super::{Outcome, Request};
use crate::{Finding, Level};

/// Which call is being made: the host answers some imports in some hooks only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Configure,
    Request,
    Answer,
    Complete,
}

/// What the host would hold for one exchange.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) request: Request,
    pub(super) changes: Vec<Change>,
    pub(super) targets: Option<Vec<String>>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) outcome: Option<Outcome>,
    pub(super) findings: Vec<Finding>,
    pub(super) log: Vec<(Level, String)>,
    pub(super) journal: Vec<String>,
    pub(super) journal_error: Option<String>,
}

thread_local! {
    static CURRENT: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Makes a call with this state behind the imports. The state comes back also when the call panics.
pub(super) fn within<R>(state: &mut State, phase: Phase, call: impl FnOnce() -> R) -> R {
    struct Back<'a>(&'a mut State, Option<State>);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            if let Some(state) = CURRENT.replace(self.1.take()) {
                *self.0 = state;
            }
        }
    }
    let mut current = std::mem::take(state);
    current.phase = phase;
    let before = CURRENT.replace(Some(current));
    let _back = Back(state, before);
    call()
}

/// What a call logs.
#[cfg(test)]
pub(crate) fn logged(call: impl FnOnce()) -> Vec<(Level, String)> {
    let mut state = State::default();
    within(&mut state, Phase::Configure, call);
    state.log
}

fn with<R>(import: &str, may: &[Phase], read: impl FnOnce(&mut State) -> R) -> R {
    CURRENT.with_borrow_mut(|current| {
        let Some(state) = current else {
            panic!("{import}: no exchange. Drive the policy through witgate_policy::testing");
        };
        assert!(
            may.contains(&state.phase),
            "{import}: the host refuses this in {:?}; it may be called in {may:?}",
            state.phase
        );
        read(state)
    })
}

/// Panics where the host would find a fault: ids, codes and tags go into headers and metrics.
pub(super) fn check_code(what: &str, code: &str) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=64).contains(&code.len())
        && code.bytes().next().is_some_and(plain)
        && code
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
    assert!(
        fits,
        "{what} `{code}` must match [a-z0-9][a-z0-9._-]{{0,63}}"
    );
}

pub(crate) mod host {
    use super::{CURRENT, check_code};
    use crate::{Finding, Level};

    /// Outside an exchange (a unit test of a helper) the line goes to the test's own output.
    pub(crate) fn log(level: Level, message: &str) {
        CURRENT.with_borrow_mut(|current| match current {
            Some(state) => state.log.push((level, message.into())),
            None => std::eprintln!("{level:?}: {message}"),
        });
    }

    pub(crate) fn report(finding: &Finding) {
        check_code("the finding's code", &finding.code);
        CURRENT.with_borrow_mut(|current| {
            if let Some(state) = current {
                // As the host does: the same code and detail is one finding.
                let known = |known: &&mut Finding| {
                    known.code == finding.code && known.detail == finding.detail
                };
                match state.findings.iter_mut().find(known) {
                    Some(known) => known.count = known.count.saturating_add(finding.count),
                    None => state.findings.push(finding.clone()),
                }
            }
        });
    }
}

pub(crate) mod journal {
    use super::{Phase::*, with};

    pub(crate) fn append(entry: &str) -> Result<(), String> {
        with("journal::append", &[Request, Answer, Complete], |state| {
            if let Some(error) = &state.journal_error {
                return Err(error.clone());
            }
            match serde_json::from_str(entry) {
                Ok(serde_json::Value::Object(_)) => {
                    state.journal.push(entry.into());
                    Ok(())
                }
                _ => Err(format!("the entry is not a JSON object: {entry}")),
            }
        })
    }
}

pub(crate) mod outcome {
    use super::{Phase::Complete, with};
    use crate::testing::Outcome;
    use crate::{Account, Ending, Usage};

    fn of<R>(name: &str, read: impl FnOnce(&Outcome) -> R) -> R {
        with(name, &[Complete], |state| {
            read(state.outcome.as_ref().expect("complete() puts it there"))
        })
    }

    pub(crate) fn ended() -> Ending {
        of("outcome::ended", |outcome| outcome.ended)
    }
    pub(crate) fn model() -> Option<String> {
        of("outcome::model", |outcome| outcome.model.clone())
    }
    pub(crate) fn target() -> Option<String> {
        of("outcome::target", |outcome| outcome.target.clone())
    }
    pub(crate) fn status() -> Option<u16> {
        of("outcome::status", |outcome| outcome.status)
    }
    pub(crate) fn finish_reasons() -> Vec<String> {
        of("outcome::finish_reasons", |outcome| {
            outcome.finish_reasons.clone()
        })
    }
    pub(crate) fn tokens() -> Option<Usage> {
        of("outcome::tokens", |outcome| outcome.tokens)
    }
    pub(crate) fn stages() -> Vec<Account> {
        of("outcome::stages", |outcome| outcome.stages.clone())
    }
    pub(crate) fn tags() -> Vec<(String, String)> {
        of("outcome::tags", |outcome| outcome.tags.clone())
    }
    pub(crate) fn first_delta_us() -> Option<u64> {
        of("outcome::first_delta_us", |outcome| outcome.first_delta_us)
    }
    pub(crate) fn total_us() -> u64 {
        of("outcome::total_us", |outcome| outcome.total_us)
    }
}

pub(crate) mod request {
    use super::{Change, Phase, Phase::*, check_code, with};
    use crate::testing;
    use crate::{Role, Segment, Target, Tool};

    const READ: &[Phase] = &[Request, Answer, Complete];
    const WRITE: &[Phase] = &[Request];

    fn of<R>(name: &str, read: impl FnOnce(&testing::Request) -> R) -> R {
        with(name, READ, |state| read(&state.request))
    }

    pub(crate) fn id() -> String {
        of("request::id", |request| request.id.clone())
    }
    pub(crate) fn endpoint() -> String {
        of("request::endpoint", |request| request.endpoint.clone())
    }
    pub(crate) fn model() -> String {
        of("request::model", |request| request.body.model())
    }
    pub(crate) fn principal() -> Option<String> {
        of("request::principal", |request| request.principal.clone())
    }
    pub(crate) fn received_at() -> u64 {
        of("request::received_at", |request| request.received_at)
    }
    pub(crate) fn header(name: &str) -> Option<String> {
        of("request::header", |request| {
            let mut headers = request.headers.iter();
            headers
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        })
    }
    pub(crate) fn messages() -> Vec<Role> {
        of("request::messages", |request| request.body.roles())
    }
    pub(crate) fn size() -> u64 {
        of("request::size", |request| {
            let segments = request.segments();
            segments
                .iter()
                .map(|segment| segment.text.len() as u64)
                .sum()
        })
    }
    pub(crate) fn segments(first_message: u32) -> Vec<Segment> {
        of("request::segments", |request| {
            let mut segments = request.segments();
            segments.retain(|segment| segment.message >= first_message);
            segments
        })
    }
    pub(crate) fn tools() -> Vec<Tool> {
        of("request::tools", |request| request.body.tools())
    }
    pub(crate) fn get(pointer: &str) -> Option<String> {
        of("request::get", |request| {
            request.body().pointer(pointer).map(ToString::to_string)
        })
    }
    pub(crate) fn targets() -> Vec<Target> {
        of("request::targets", |request| request.targets.clone())
    }

    pub(crate) fn replace_segment(index: u32, text: &str) {
        with("request::replace_segment", WRITE, |state| {
            let (index, all) = (index as usize, state.request.segments().len());
            assert!(
                index < all,
                "request::replace_segment: no segment {index}, there are {all}"
            );
            state.changes.push(Change::Replace(index, text.into()));
        });
    }
    pub(crate) fn insert_message(before: u32, role: Role, text: &str) -> Result<(), String> {
        with("request::insert_message", WRITE, |state| {
            if !state.request.body()["messages"].is_array() {
                return Err("this endpoint takes no messages".into());
            }
            let insert = Change::Insert(before as usize, role, text.into());
            state.changes.push(insert);
            Ok(())
        })
    }
    pub(crate) fn set(pointer: &str, json: Option<&str>) -> Result<(), String> {
        with("request::set", WRITE, |state| {
            if matches!(pointer, "" | "/stream" | "/n") {
                return Err(format!("`{pointer}` can't be changed"));
            }
            let value = json
                .map(serde_json::from_str)
                .transpose()
                .map_err(|error| format!("not JSON: {error}"))?;
            let change = Change::Set(pointer.into(), value.clone());
            let mut trial = state.request.body.clone();
            trial.apply(state.changes.clone());
            if !trial.set(pointer, value) {
                return Err(format!("there is no place `{pointer}`"));
            }
            state.changes.push(change);
            Ok(())
        })
    }
    pub(crate) fn restrict_targets(ids: &[String]) -> Result<(), String> {
        with("request::restrict_targets", WRITE, |state| {
            let allowed = state.targets.as_ref();
            let known = |id: &String| {
                state.request.targets.iter().any(|target| target.id == *id)
                    && allowed.is_none_or(|allowed| allowed.contains(id))
            };
            let left: Vec<String> = ids.iter().filter(|id| known(id)).cloned().collect();
            if left.is_empty() {
                return Err("none of these targets is left".into());
            }
            state.targets = Some(left);
            Ok(())
        })
    }
    pub(crate) fn tag(key: &str, value: &str) -> Result<(), String> {
        check_code("the tag's key", key);
        check_code("the tag's value", value);
        with("request::tag", READ, |state| {
            state.tags.retain(|(known, _)| known != key);
            state.tags.push((key.into(), value.into()));
            Ok(())
        })
    }
}
