//! `requests`: what of a request goes on, beside what the stages say of it.

use super::fields::Fields;

/// What of a request goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestsConfig {
    /// Content parts that no policy can read: pictures, sounds, files, and parts of a type that nobody knows.
    pub opaque_parts: OpaqueParts,
}

/// What becomes of a request that has such a part while a stage judges requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpaqueParts {
    /// It is refused: what nobody read may say anything.
    #[default]
    Refuse,
    /// It goes on, unread.
    Pass,
}

/// Reads `requests` out of the document. A key that isn't there keeps its default.
pub(super) fn read(document: &Fields<'_>) -> Option<RequestsConfig> {
    let Some(field) = document.get("requests") else {
        return Some(RequestsConfig::default());
    };
    let fields = field.fields(&["opaque_parts"])?;
    let opaque_parts = match fields.get("opaque_parts") {
        Some(field) => field.one_of(
            &[("refuse", OpaqueParts::Refuse), ("pass", OpaqueParts::Pass)],
            &[],
        )?,
        None => OpaqueParts::default(),
    };
    Some(RequestsConfig { opaque_parts })
}
