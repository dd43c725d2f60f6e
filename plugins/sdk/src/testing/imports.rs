//! The imports, as a native test sees them: one exchange's state, in this thread, for the time of a call.
//!
//! The signatures are those of the generated bindings, so that the modules at the crate's root read the same on both.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::draft::Draft;
use super::http::Replier;
use super::{Outcome, Request, StageState};
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
    /// What `on_request` changed so far.
    pub(super) draft: Option<Draft>,
    /// The targets that it allowed.
    pub(super) targets: Option<Vec<String>>,
    pub(super) tags: Vec<(String, String)>,
    /// Tags that there were when they were last collected.
    pub(super) tagged: usize,
    /// Headers for the client, each name once.
    pub(super) answer_headers: Vec<(String, String)>,
    /// Why choices of its response end.
    pub(super) response_finishes: Vec<(u32, String)>,
    pub(super) outcome: Option<Outcome>,
    pub(super) findings: Vec<Finding>,
    /// Findings that there were when they were last collected.
    pub(super) found: usize,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) log: Vec<(Level, String)>,
    pub(super) journal: Vec<String>,
    /// Entries that it wrote or tried to.
    pub(super) journal_entries: usize,
    pub(super) journal_error: Option<String>,
    /// What outlives the exchange.
    pub(super) kept: StageState,
    /// Calls of `counters` and of `kv`.
    pub(super) counter_calls: usize,
    pub(super) kv_calls: usize,
    /// Who replies to what it asks, and how often it asked.
    pub(super) replier: Replier,
    pub(super) http_calls: usize,
}

/// What a policy may say in one exchange: the host cuts what is more, or refuses it.
mod limits {
    /// Tags between two collections, of which one is after `on_request` and one at the end.
    pub(super) const TAGS: usize = 16;
    /// Headers on what the client gets.
    pub(super) const ANSWER_HEADERS: usize = 16;
    /// Findings between two collections.
    pub(super) const FINDINGS: usize = 64;
    /// Bytes of a finding's detail.
    pub(super) const DETAIL: usize = 1 << 10;
    /// Lines of the log.
    pub(super) const LOG_LINES: usize = 100;
    /// Bytes of one.
    pub(super) const LOG_LINE: usize = 8 << 10;
    /// Entries of the journal.
    pub(super) const JOURNAL_ENTRIES: usize = 64;
    /// Bytes of one.
    pub(super) const JOURNAL_ENTRY: usize = 1 << 20;
    /// Calls of `counters`.
    pub(super) const COUNTER_CALLS: usize = 256;
    /// Calls of `kv`.
    pub(super) const KV_CALLS: usize = 64;
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

impl State {
    /// The host takes what was found and tagged so far.
    pub(super) fn collect(&mut self) {
        self.found = self.findings.len();
        self.tagged = self.tags.len();
    }
}

fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].into()
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
    use super::limits::{DETAIL, FINDINGS, LOG_LINE, LOG_LINES};
    use super::{CURRENT, Phase, check_code, cut};
    use crate::{Finding, Level};

    /// Outside an exchange (a unit test of a helper) the line goes to the test's own output.
    pub(crate) fn log(level: Level, message: &str) {
        CURRENT.with_borrow_mut(|current| match current {
            Some(state) if state.log.len() < LOG_LINES => {
                state.log.push((level, cut(message, LOG_LINE)));
            }
            Some(_) => {}
            None => std::eprintln!("{level:?}: {message}"),
        });
    }

    /// Outside an exchange there is nobody to tell.
    pub(crate) fn count(name: &str, n: u64) {
        check_code("the counter's name", name);
        CURRENT.with_borrow_mut(|current| {
            let Some(state) = current else {
                return;
            };
            assert_ne!(
                state.phase,
                Phase::Configure,
                "count: the host refuses this while configuring"
            );
            let counter = state.counts.entry(name.into()).or_default();
            *counter = counter.saturating_add(n);
        });
    }

    /// The limit of a stage that names none, in bytes.
    pub(crate) fn held_text() -> u64 {
        16 << 10
    }

    /// The limit of a stage that names none, in milliseconds.
    pub(crate) fn held_time() -> u64 {
        2000
    }

    /// Outside an exchange there is nobody to tell.
    pub(crate) fn report(finding: &Finding) {
        check_code("the finding's code", &finding.code);
        CURRENT.with_borrow_mut(|current| {
            let Some(state) = current else {
                return;
            };
            assert_ne!(
                state.phase,
                Phase::Configure,
                "report: the host refuses this while configuring"
            );
            let mut finding = finding.clone();
            finding.detail = finding.detail.map(|detail| cut(&detail, DETAIL));
            // The same code and detail is one finding.
            let known =
                |known: &&mut Finding| known.code == finding.code && known.detail == finding.detail;
            if let Some(known) = state.findings.iter_mut().find(known) {
                known.count = known.count.saturating_add(finding.count);
            } else if state.findings.len() - state.found < FINDINGS {
                state.findings.push(finding);
            }
        });
    }
}

pub(crate) mod journal {
    use super::limits::{JOURNAL_ENTRIES, JOURNAL_ENTRY};
    use super::{Phase::*, with};

    pub(crate) fn append(entry: &str) -> Result<(), String> {
        with("journal::append", &[Request, Answer, Complete], |state| {
            state.journal_entries += 1;
            if state.journal_entries > JOURNAL_ENTRIES {
                return Err(format!(
                    "an exchange takes no more than {JOURNAL_ENTRIES} journal entries of one stage"
                ));
            }
            if let Some(error) = &state.journal_error {
                return Err(error.clone());
            }
            if entry.len() > JOURNAL_ENTRY {
                return Err(format!("the entry has more than {JOURNAL_ENTRY} bytes"));
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

pub(crate) mod counters {
    use super::limits::COUNTER_CALLS;
    use super::{Phase::*, with};

    pub(crate) fn add(key: &str, amount: i64, window_seconds: u32) -> Result<i64, String> {
        let taken = take_of("counters::add", key, amount, window_seconds, i64::MAX)?;
        taken.ok_or_else(|| "the sum would be more than 64 bits can hold".into())
    }

    pub(crate) fn take(
        key: &str,
        amount: i64,
        window_seconds: u32,
        most: i64,
    ) -> Result<Option<i64>, String> {
        take_of("counters::take", key, amount, window_seconds, most)
    }

    fn take_of(
        name: &str,
        key: &str,
        amount: i64,
        window_seconds: u32,
        most: i64,
    ) -> Result<Option<i64>, String> {
        with(name, &[Request, Answer, Complete], |state| {
            state.counter_calls += 1;
            if state.counter_calls > COUNTER_CALLS {
                return Err(format!(
                    "an exchange takes no more than {COUNTER_CALLS} calls of `counters` of one stage"
                ));
            }
            let at = state.request.received_at;
            state.kept.take(key, amount, window_seconds, most, at)
        })
    }
}

pub(crate) mod kv {
    use super::limits::KV_CALLS;
    use super::{Phase::*, State, with};

    fn of<R>(name: &str, call: impl FnOnce(&mut State) -> Result<R, String>) -> Result<R, String> {
        with(name, &[Request, Answer, Complete], |state| {
            state.kv_calls += 1;
            if state.kv_calls > KV_CALLS {
                return Err(format!(
                    "an exchange takes no more than {KV_CALLS} calls of `kv` of one stage"
                ));
            }
            call(state)
        })
    }

    pub(crate) fn get(key: &str) -> Result<Option<String>, String> {
        of("kv::get", |state| {
            state.kept.get(key, state.request.received_at)
        })
    }

    pub(crate) fn put_new(key: &str, value: &str, ttl_seconds: u32) -> Result<bool, String> {
        of("kv::put_new", |state| {
            let at = state.request.received_at;
            state.kept.put_new(key, value, ttl_seconds, at)
        })
    }

    pub(crate) fn put(key: &str, value: &str, ttl_seconds: u32) -> Result<(), String> {
        of("kv::put", |state| {
            let at = state.request.received_at;
            state.kept.put(key, value, ttl_seconds, at)
        })
    }
}

pub(crate) mod http {
    use super::{Phase::*, with};
    use crate::http::{Call, Reply};

    pub(crate) fn send(call: &Call) -> Result<Reply, String> {
        let (replier, number) = with("http::send", &[Request, Answer, Complete], |state| {
            state.http_calls += 1;
            (state.replier.clone(), state.http_calls)
        });
        replier.send(call, number)
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
    pub(crate) fn cost_micros() -> Option<u64> {
        of("outcome::cost_micros", |outcome| outcome.cost_micros)
    }
    pub(crate) fn stages() -> Vec<Account> {
        of("outcome::stages", |outcome| outcome.stages.clone())
    }
    pub(crate) fn tags() -> Vec<(String, String)> {
        of("outcome::tags", |outcome| outcome.tags.clone())
    }
    pub(crate) fn deltas() -> u64 {
        of("outcome::deltas", |outcome| outcome.deltas)
    }
    pub(crate) fn sent_bytes() -> u64 {
        of("outcome::sent_bytes", |outcome| outcome.sent_bytes)
    }
    pub(crate) fn first_delta_us() -> Option<u64> {
        of("outcome::first_delta_us", |outcome| outcome.first_delta_us)
    }
    pub(crate) fn total_us() -> u64 {
        of("outcome::total_us", |outcome| outcome.total_us)
    }
}

pub(crate) mod request {
    use super::super::answer_header::checked;
    use super::limits::{ANSWER_HEADERS, TAGS};
    use super::{Draft, Phase, Phase::*, check_code, with};
    use crate::testing;
    use crate::{Role, Segment, Target, Text, Tool};

    const READ: &[Phase] = &[Request, Answer, Complete];
    const WRITE: &[Phase] = &[Request];

    fn of<R>(name: &str, read: impl FnOnce(&testing::Request) -> R) -> R {
        with(name, READ, |state| read(&state.request))
    }

    /// The changes under way, begun by the first.
    fn draft<R>(name: &str, change: impl FnOnce(&mut Draft) -> R) -> R {
        with(name, WRITE, |state| {
            let body = &state.request.body;
            change(state.draft.get_or_insert_with(|| Draft::new(body)))
        })
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
    pub(crate) fn team() -> Option<String> {
        of("request::team", |request| request.team.clone())
    }
    pub(crate) fn roles() -> Vec<String> {
        of("request::roles", |request| request.roles.clone())
    }
    pub(crate) fn tags() -> Vec<(String, String)> {
        of("request::tags", |request| request.tags.clone())
    }
    pub(crate) fn received_at() -> u64 {
        of("request::received_at", |request| request.received_at)
    }
    pub(crate) fn header(name: &str) -> Option<String> {
        of("request::header", |request| request.shown_header(name))
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
    /// Fewer than the host does, so that tests of a policy need not many texts to ask twice.
    const A_PAGE: usize = 8;

    pub(crate) fn texts(first: u32) -> Vec<Text> {
        of("request::texts", |request| {
            let texts = request.texts().into_iter();
            texts.skip(first as usize).take(A_PAGE).collect()
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
        of("request::targets", |request| {
            let mut targets = request.targets.clone();
            for target in &mut targets {
                // One that is pinned to no model is asked for the request's.
                target.model.get_or_insert_with(|| request.body.model());
            }
            targets
        })
    }

    pub(crate) fn cost_of(model: &str, prompt_tokens: u32, completion_tokens: u32) -> Option<u64> {
        of("request::cost_of", |request| {
            let (input, output) = request.prices.get(model)?;
            let sum = input * u64::from(prompt_tokens) + output * u64::from(completion_tokens);
            Some((sum + 500_000) / 1_000_000)
        })
    }

    pub(crate) fn replace_segment(index: u32, text: &str) {
        let replaced = draft("request::replace_segment", |draft| {
            draft.replace_segment(index, text)
        });
        if let Err(why) = replaced {
            panic!("request::replace_segment: {why}");
        }
    }
    pub(crate) fn replace_text(index: u32, text: &str) -> Result<(), String> {
        draft("request::replace_text", |draft| {
            draft.replace_text(index, text)
        })
        .unwrap_or_else(|| panic!("request::replace_text: there is no text {index}"))
    }
    pub(crate) fn insert_message(before: u32, role: Role, text: &str) -> Result<(), String> {
        draft("request::insert_message", |draft| {
            draft.insert_message(before, role, text)
        })
    }
    pub(crate) fn set(pointer: &str, json: Option<&str>) -> Result<(), String> {
        draft("request::set", |draft| draft.set(pointer, json))
    }
    pub(crate) fn restrict_targets(ids: &[String]) -> Result<(), String> {
        with("request::restrict_targets", WRITE, |state| {
            let known = |id: &&String| {
                let mut targets = state.request.targets.iter();
                targets.any(|target| target.id == **id)
            };
            let left: Vec<String> = ids.iter().filter(known).cloned().collect();
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
            if state.tags.len() - state.tagged >= TAGS {
                return Err(format!(
                    "an exchange takes no more than {TAGS} tags of one stage"
                ));
            }
            state.tags.push((key.into(), value.into()));
            Ok(())
        })
    }
    pub(crate) fn answer_header(name: &str, value: &str) -> Result<(), String> {
        with("request::answer_header", WRITE, |state| {
            let name = checked(name, value)?;
            let headers = &mut state.answer_headers;
            if let Some((_, known)) = headers.iter_mut().find(|(known, _)| *known == name) {
                *known = value.into();
            } else if headers.len() < ANSWER_HEADERS {
                headers.push((name, value.into()));
            } else {
                return Err(format!(
                    "an answer takes no more than {ANSWER_HEADERS} headers of one stage"
                ));
            }
            Ok(())
        })
    }
    pub(crate) fn tool_of(message: u32) -> Option<String> {
        of("request::tool_of", |request| request.body.tool_of(message))
    }
    pub(crate) fn respond_finish(choice: u32, reason: &str) -> Result<(), String> {
        with("request::respond_finish", WRITE, |state| {
            let word = |c: char| c.is_ascii_lowercase() || c == '_';
            if !(1..=32).contains(&reason.len()) || !reason.chars().all(word) {
                return Err("a finish has 1 to 32 of a-z and `_`".into());
            }
            if choice >= 128 {
                return Err("a response has choices 0 to 127".into());
            }
            state.response_finishes.retain(|(of, _)| *of != choice);
            state.response_finishes.push((choice, reason.to_owned()));
            Ok(())
        })
    }
}
