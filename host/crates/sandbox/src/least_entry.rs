//! The least entry: what the host writes into the journal where a stage owed an entry that wasn't kept. Its format is in
//! `docs/journal.md`.
//!
//! What must stay true: it holds nothing that an exchange can make long, so it always fits; and no stage can have written it,
//! because no stage's id begins with `@`.

use serde_json::{Map, Value};

use super::outcome::Outcome;
use super::request::RequestView;
use super::text::cut;
use super::types::Ending;
use witgate_journal::Entry;

/// Who wrote it.
const HOST: &str = "@host";
/// What names in it may have, in bytes.
const NAME: usize = 512;
/// How many roles are in it.
const ROLES: usize = 16;

/// That `stage` owed an entry about an exchange. `outcome` where it has ended; `failed`: what failed, and the class of that.
pub(super) fn least_entry(
    stage: &str,
    request: &dyn RequestView,
    outcome: Option<&Outcome>,
    (what, class): (&str, &str),
) -> Entry {
    let name = |text: &str| {
        let mut text = text.to_owned();
        cut(&mut text, NAME);
        text
    };
    let id = name(request.id());
    let mut body = Map::new();
    let mut put =
        |key: &str, value: Option<Value>| value.map(|value| body.insert(key.into(), value));
    put("id", Some(id.clone().into()));
    put("principal", request.principal().map(|id| name(id).into()));
    put("team", request.team().map(|team| name(team).into()));
    let roles = request.roles().iter().take(ROLES);
    let roles: Vec<Value> = roles.map(|role| name(role).into()).collect();
    put("roles", (!roles.is_empty()).then(|| roles.into()));
    put("ended", outcome.map(|outcome| word(outcome.ended).into()));
    put("policy", Some(stage.into()));
    put("code", Some("unrecorded".into()));
    let unrecorded = [("failed", what), ("class", class)];
    let unrecorded = unrecorded.map(|(key, value)| (key.to_owned(), value.into()));
    put("unrecorded", Some(Map::from_iter(unrecorded).into()));
    Entry {
        stage: HOST.into(),
        request_id: id,
        body: Value::from(body).to_string(),
    }
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
