//! The least entry: what the host writes into the journal where a stage owed an entry that wasn't kept. Its format is in
//! `docs/journal.md`.
//!
//! What must stay true: it holds nothing that an exchange can make long, so it always fits; and no stage can have written it,
//! because no stage's id begins with `@`.

use serde::Serialize;

use super::outcome::Outcome;
use super::request::RequestView;
use super::types::Ending;
use witgate_journal::Entry;

/// Who wrote it.
const HOST: &str = "@host";
/// What names in it may have, in bytes.
const NAME: usize = 512;
/// How many roles are in it.
const ROLES: usize = 16;

/// What it says, in the order of its format.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
    policy: &'a str,
    code: &'static str,
    unrecorded: Unrecorded<'a>,
}

#[derive(Serialize)]
struct Unrecorded<'a> {
    failed: &'a str,
    class: &'a str,
}

/// That `stage` owed an entry about an exchange. `outcome` where it has ended; `failed`: what failed, and the class of that.
///
/// One is made beside each entry that a stage writes, in case the disk doesn't take that, so it is made with few allocations.
pub(super) fn least_entry(
    stage: &str,
    request: &dyn RequestView,
    outcome: Option<&Outcome>,
    (failed, class): (&str, &str),
) -> Entry {
    let id = name(request.id());
    let body = Body {
        id,
        principal: request.principal().map(name),
        team: request.team().map(name),
        roles: request
            .roles()
            .iter()
            .take(ROLES)
            .map(|role| name(role))
            .collect(),
        ended: outcome.map(|outcome| word(outcome.ended)),
        policy: stage,
        code: "unrecorded",
        unrecorded: Unrecorded { failed, class },
    };
    Entry {
        stage: HOST.into(),
        request_id: id.to_owned(),
        body: serde_json::to_string(&body).expect("it is made of words"),
    }
}

/// As much of a name as fits.
fn name(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME)]
}

/// How the exchange ended, in the words of the audit-logger's entries.
fn word(ended: Ending) -> &'static str {
    match ended {
        Ending::Completed => "completed",
        Ending::Responded => "responded",
        Ending::Denied => "denied",
        Ending::Faulted => "faulted",
        Ending::UpstreamFailed => "upstream-failed",
        Ending::Disconnected => "disconnected",
    }
}
