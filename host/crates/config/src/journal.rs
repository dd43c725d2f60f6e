//! `journal`: where entries are kept, and for how long.

use super::fields::{Field, Fields};
use super::stages::{ComponentSource, Grant, StageConfig};
use super::store;
use std::path::Path;

/// The journal's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalConfig {
    /// `sqlite:` and an absolute path. `None` stands for `journal.db` in the state directory.
    pub store: Option<String>,
    /// Whether entries can't be deleted before their time.
    pub immutable: bool,
    /// How many days an entry is kept. `None` keeps entries for ever.
    pub retention_days: Option<u32>,
}

impl JournalConfig {
    /// The path in `store`.
    pub fn path(&self) -> Option<&Path> {
        self.store.as_deref().map(store::path)
    }
}

const LONGEST: u64 = 36_500;

/// Reads `journal` out of the document. Without it the default holds.
pub(super) fn read(document: &Fields<'_>, base: &Path) -> Option<JournalConfig> {
    let Some(field) = document.get("journal") else {
        return Some(JournalConfig::default());
    };
    let fields = field.fields(&["store", "immutable", "retention_days"])?;
    let store = match fields.get("store") {
        Some(field) => store::read(field, base, "a journal").map(Some),
        None => Some(None),
    };
    let (immutable, retention_days) = keeping(&fields)?;
    Some(JournalConfig {
        store: store?,
        immutable: immutable.unwrap_or(false),
        retention_days,
    })
}

/// Takes over the settings of a bundled audit-logger that has the grant. This is the only case in which the gateway itself
/// reads `policy.<id>`.
pub(super) fn take_over(
    journal: &mut JournalConfig,
    document: &Fields<'_>,
    stages: &[StageConfig],
) -> Option<()> {
    let said_in_journal = document.get("journal").and_then(|field| field.entries());
    let said = |key: &str| {
        said_in_journal
            .as_ref()
            .is_some_and(|entries| entries.iter().any(|(known, _)| *known == key))
    };
    let (mut immutable, mut retention) = (
        said("immutable").then_some(journal.immutable),
        said("retention_days")
            .then_some(journal.retention_days)
            .flatten(),
    );
    let Some(policies) = document.get("policy").and_then(|field| field.entries()) else {
        return Some(());
    };
    for (id, field) in &policies {
        let audits = stages.iter().any(|stage| {
            stage.id == *id
                && stage.component == ComponentSource::Bundled("audit-logger")
                && stage.has(Grant::Journal)
        });
        let Some(entries) = audits.then(|| field.entries()).flatten() else {
            continue;
        };
        for (key, value) in entries {
            match key {
                "immutable" => agree(&mut immutable, value.boolean()?, &value)?,
                "retention_days" => agree(&mut retention, days(&value)?, &value)?,
                _ => {}
            }
        }
    }
    journal.immutable = immutable.unwrap_or(false);
    journal.retention_days = retention;
    Some(())
}

fn agree<T: PartialEq + Copy>(known: &mut Option<T>, value: T, field: &Field<'_>) -> Option<()> {
    if known.is_some_and(|known| known != value) {
        field.problem(
            "this applies to the journal too, which is told otherwise in another place; there is one journal: say it once",
        );
        return None;
    }
    *known = Some(value);
    Some(())
}

fn keeping(fields: &Fields<'_>) -> Option<(Option<bool>, Option<u32>)> {
    let immutable = match fields.get("immutable") {
        Some(field) => field.boolean().map(Some),
        None => Some(None),
    };
    let retention = match fields.get("retention_days") {
        Some(field) => days(field).map(Some),
        None => Some(None),
    };
    Some((immutable?, retention?))
}

fn days(field: &Field<'_>) -> Option<u32> {
    field
        .integer(1..=LONGEST)
        .and_then(|days| u32::try_from(days).ok())
}
