//! The entry about an exchange. Readers of the journal rely on its fields: fields may be added, but not renamed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use witgate_policy::{Account, Ending, Role, Usage, outcome, request};

use crate::capture::{Capture, Captured};
use crate::clock;
use crate::room::{Cut, MARK, Room};

/// What a name takes in JSON, at most: of a model, a stage, a client.
pub(crate) const NAME: usize = 512;
/// What one of the answer's short words takes, at most: a finish reason, a tag.
const WORD: usize = 256;
/// How many of the client's roles are told.
const ROLES: usize = 64;
/// What a denial's message takes, at most.
const MESSAGE: usize = 8 << 10;
/// What a finding's detail takes, at most.
const DETAIL: usize = 2 << 10;

// The parts of an entry, each with its room. With what stands around them they make less than the mebibyte that the journal takes.
const HEAD: usize = 32 << 10;
const WORDS: usize = 64 << 10;
const STAGES: usize = 320 << 10;
const CAPTURE: usize = 512 << 10;

/// One line of the audit log. Fields that aren't known are left out.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    id: Cow<'a, str>,
    /// When the request came.
    at: String,
    endpoint: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Cow<'a, str>>,
    /// The model asked for.
    model: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_by: Option<AnsweredBy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    ended: &'static str,
    /// The chain's verdict on the exchange as a whole.
    verdict: &'static str,
    /// The stage that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Cow<'a, str>>,
    stages: Vec<Stage<'a>>,
    finish_reasons: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
    /// In millionths of the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<u64>,
    /// Pieces of the answer's text that came, and bytes of it that were sent: known also where the client left.
    deltas: u64,
    sent_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_delta_us: Option<u64>,
    total_us: u64,
    tags: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<Captured<'a>>,
    /// What isn't here as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cut: Vec<Cut>,
}

#[derive(Serialize)]
struct AnsweredBy<'a> {
    target: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Stage<'a> {
    policy: Cow<'a, str>,
    verdict: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<Denial<'a>>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Denial<'a> {
    code: Cow<'a, str>,
    message: Cow<'a, str>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: Cow<'a, str>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Tokens {
    prompt_tokens: u32,
    completion_tokens: u32,
    cached_tokens: u32,
    reasoning_tokens: u32,
}

impl<'a> Entry<'a> {
    /// The entry for the exchange that has just ended.
    pub(crate) fn of(ended: Ending, accounts: &'a [Account], capture: Capture) -> Self {
        let (word, verdict) = words(ended);
        let decided = decided(ended, accounts);
        let denial = decided.and_then(|account| account.denial.as_ref());
        let mut cut = Vec::new();
        let mut head = Room::new(HEAD, &mut cut);
        let mut entry = Self {
            id: head.text("/id", request::id(), NAME),
            at: clock::rfc3339(request::received_at()),
            endpoint: head.text("/endpoint", request::endpoint(), NAME),
            principal: request::principal().map(|id| head.text("/principal", id, NAME)),
            team: request::team().map(|team| head.text("/team", team, NAME)),
            roles: Vec::new(),
            model: head.text("/model", request::model(), NAME),
            answered_by: outcome::target().map(|target| AnsweredBy {
                target: head.text("/answered_by/target", target, NAME),
                model: outcome::model().map(|model| head.text("/answered_by/model", model, NAME)),
            }),
            status: outcome::status(),
            ended: word,
            verdict,
            policy: decided.map(|account| head.text("/policy", &*account.stage, NAME)),
            code: denial.map(|denial| head.text("/code", &*denial.code, NAME)),
            stages: Vec::new(),
            finish_reasons: Vec::new(),
            usage: outcome::tokens().map(Tokens::of),
            cost_micros: outcome::cost_micros(),
            deltas: outcome::deltas(),
            sent_bytes: outcome::sent_bytes(),
            first_delta_us: outcome::first_delta_us(),
            total_us: outcome::total_us(),
            tags: BTreeMap::new(),
            capture: None,
            cut: Vec::new(),
        };
        let mut room = Room::new(WORDS, &mut cut);
        entry.roles = roles(&mut room);
        entry.finish_reasons = finish_reasons(&mut room);
        entry.tags = tags(&mut room);
        entry.stages = stages(accounts, &mut Room::new(STAGES, &mut cut));
        entry.capture = capture.take(accounts, &mut Room::new(CAPTURE, &mut cut));
        entry.cut = cut;
        entry
    }
}

fn roles<'a>(room: &mut Room<'_>) -> Vec<Cow<'a, str>> {
    let all = request::roles();
    let (count, mut kept) = (all.len(), Vec::new());
    for role in all.into_iter().take(ROLES) {
        if !room.item(8) {
            break;
        }
        let at = format_args!("/roles/{}", kept.len());
        kept.push(room.text(at, role, WORD));
    }
    room.more("/roles", count - kept.len(), None);
    kept
}

fn finish_reasons<'a>(room: &mut Room<'_>) -> Vec<Cow<'a, str>> {
    let all = outcome::finish_reasons();
    let (count, mut kept) = (all.len(), Vec::new());
    for reason in all {
        if !room.item(8) {
            break;
        }
        let at = format_args!("/finish_reasons/{}", kept.len());
        kept.push(room.text(at, reason, WORD));
    }
    room.more("/finish_reasons", count - kept.len(), None);
    kept
}

fn tags<'a>(room: &mut Room<'_>) -> BTreeMap<Cow<'a, str>, Cow<'a, str>> {
    let all = outcome::tags();
    let (mut left, mut kept) = (all.len(), BTreeMap::new());
    for (key, value) in all {
        if !room.item(8) {
            break;
        }
        left -= 1;
        let key = room.text("/tags", key, WORD);
        let value = room.text(format_args!("/tags/{key}"), value, WORD);
        kept.insert(key, value);
    }
    room.more("/tags", left, None);
    kept
}

/// What each stage did. Every stage's verdict comes before any stage's denial, and that before any finding: what is told at length
/// doesn't push out what is told in a word.
fn stages<'a>(accounts: &'a [Account], room: &mut Room<'_>) -> Vec<Stage<'a>> {
    let mut kept: Vec<Stage<'a>> = Vec::new();
    for (at, account) in accounts.iter().enumerate() {
        // With the marks for a denial and for findings that find no room later.
        if !room.item(64 + 2 * MARK) {
            break;
        }
        kept.push(Stage {
            policy: room.text(format_args!("/stages/{at}/policy"), &*account.stage, NAME),
            verdict: room.text(
                format_args!("/stages/{at}/verdict"),
                &*account.verdict,
                WORD,
            ),
            denial: None,
            findings: Vec::new(),
        });
    }
    room.more("/stages", accounts.len() - kept.len(), None);
    for ((at, account), stage) in accounts.iter().enumerate().zip(&mut kept) {
        let Some(denial) = &account.denial else {
            continue;
        };
        if room.item(64) {
            let path = format!("/stages/{at}/denial");
            stage.denial = Some(Denial {
                code: room.text(format_args!("{path}/code"), &*denial.code, WORD),
                message: room.text(format_args!("{path}/message"), &*denial.message, MESSAGE),
            });
        } else {
            room.more(format_args!("/stages/{at}/denial"), 1, None);
        }
    }
    for ((at, account), stage) in accounts.iter().enumerate().zip(&mut kept) {
        for (number, finding) in account.findings.iter().enumerate() {
            if !room.item(64) {
                break;
            }
            let path = format_args!("/stages/{at}/findings/{number}");
            stage.findings.push(Finding {
                code: room.text(format_args!("{path}/code"), &*finding.code, WORD),
                count: finding.count,
                detail: finding
                    .detail
                    .as_deref()
                    .map(|detail| room.text(format_args!("{path}/detail"), detail, DETAIL)),
            });
        }
        let more = account.findings.len() - stage.findings.len();
        room.more(format_args!("/stages/{at}/findings"), more, None);
    }
    kept
}

impl Tokens {
    fn of(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: usage.cached_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

/// Whether nothing happened: the chain let everything through unchanged and found nothing, and nothing failed. A client
/// that went away counts as no failure.
pub(crate) fn is_plain(ended: Ending, stages: &[Account]) -> bool {
    matches!(ended, Ending::Completed | Ending::Disconnected)
        && stages.iter().all(|account| {
            matches!(account.verdict.as_str(), "proceed" | "clear" | "unreached")
                && account.findings.is_empty()
        })
}

/// The stage that made the exchange end as it did.
fn decided(ended: Ending, stages: &[Account]) -> Option<&Account> {
    let decides: fn(&str) -> bool = match ended {
        Ending::Denied => |verdict| verdict == "deny",
        Ending::Responded => |verdict| verdict == "respond",
        Ending::Faulted => |verdict| verdict.starts_with("error:"),
        Ending::Completed | Ending::UpstreamFailed | Ending::Disconnected => return None,
    };
    stages.iter().find(|account| decides(&account.verdict))
}

/// How the exchange ended, and the chain's verdict that follows from it.
fn words(ended: Ending) -> (&'static str, &'static str) {
    match ended {
        Ending::Completed => ("completed", "proceed"),
        Ending::Responded => ("responded", "respond"),
        Ending::Denied => ("denied", "deny"),
        Ending::Faulted => ("faulted", "fault"),
        Ending::UpstreamFailed => ("upstream-failed", "proceed"),
        Ending::Disconnected => ("disconnected", "proceed"),
    }
}

pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Other => "other",
    }
}
