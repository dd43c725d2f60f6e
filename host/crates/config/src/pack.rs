//! `pack`: the configuration's own name and version.

use super::fields::{Field, Fields};

/// The name and the version of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// 1 to 200 characters.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// Always true, because a configuration that is switched off is refused.
    pub enabled: bool,
    /// 1 to 200 characters.
    pub id: Option<String>,
    /// Up to 200 characters.
    pub author: Option<String>,
    /// Up to 2000 characters.
    pub description: Option<String>,
}

/// Reads `pack` out of the document.
pub(super) fn read(document: &Fields<'_>) -> Option<Pack> {
    let fields = document.required("pack")?.fields(&[
        "name",
        "version",
        "enabled",
        "id",
        "author",
        "description",
    ])?;
    let optional = |key, most| {
        let text = fields.get(key)?.text_within(0..=most)?;
        Some(text.to_owned())
    };
    let name = fields
        .required("name")
        .and_then(|name| name.text_within(1..=200));
    let version = fields.required("version").and_then(version);
    let enabled = fields.required("enabled").and_then(enabled);
    if let Some(id) = fields.get("id") {
        id.text_within(1..=200);
    }
    let (id, author, description) = (
        optional("id", 200),
        optional("author", 200),
        optional("description", 2000),
    );
    Some(Pack {
        name: name?.to_owned(),
        version: version?,
        enabled: enabled?,
        id,
        author,
        description,
    })
}

fn version(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    match semver::Version::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            field.problem(format!(
                "`{text}` is not a semantic version such as 1.0.0: {error}"
            ));
            None
        }
    }
}

fn enabled(field: &Field<'_>) -> Option<bool> {
    let enabled = field.boolean()?;
    if enabled {
        return Some(true);
    }
    // Serving on without the policies would be the worst way to obey this, and serving nothing is what not starting does.
    field.problem(
        "a configuration that is switched off is not served, with or without its policies. Set `enabled: true`; \
         to serve without policies, say so with `policies: {chain: []}`",
    );
    None
}
