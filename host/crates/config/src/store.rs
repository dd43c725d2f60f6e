//! Where something is kept: `sqlite:` and the path of a file.

use super::fields::Field;
use std::path::Path;

const SCHEME: &str = "sqlite:";

/// The path in what was read.
pub(super) fn path(store: &str) -> &Path {
    Path::new(store.strip_prefix(SCHEME).unwrap_or(store))
}

/// Reads the field. `what` it is for stands in the sentences.
pub(super) fn read(field: &Field<'_>, base: &Path, what: &str) -> Option<String> {
    let text = field.text()?;
    let Some(path) = text.strip_prefix(SCHEME) else {
        let sentence = match text.split_once(':') {
            Some((scheme @ ("postgres" | "postgresql" | "mysql" | "redis"), _)) => {
                format!("{what} in `{scheme}` is not offered in this release; write `sqlite:` and the path of a file")
            }
            _ => "expected `sqlite:` and the path of a file, such as sqlite:/var/lib/witgate/witgate.db".to_owned(),
        };
        field.problem(sentence);
        return None;
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(':') || path.contains('?') {
        field.problem(format!(
            "expected the path of a file after `sqlite:`, without options; {what} in memory would keep nothing"
        ));
        return None;
    }
    match base.join(path).to_str() {
        Some(path) => Some(format!("{SCHEME}{path}")),
        None => {
            field.problem(
                "the folder of this file has a name that is not UTF-8; write an absolute path",
            );
            None
        }
    }
}
