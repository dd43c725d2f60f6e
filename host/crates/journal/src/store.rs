//! Where a journal is kept, as an operator writes it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::JournalError;

/// A journal's place: the path of its SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store(PathBuf);

impl Store {
    /// Reads `sqlite:PATH`; `sqlite:///PATH` means the same absolute path. A relative path stays relative.
    ///
    /// # Errors
    ///
    /// [`JournalError::Store`] for any other form, for no path, and for `:memory:`, which keeps nothing.
    pub fn parse(text: &str) -> Result<Store, JournalError> {
        let wrong = |reason| JournalError::Store {
            given: text.to_owned(),
            reason,
        };
        let Some(path) = text.strip_prefix("sqlite:") else {
            return Err(wrong("it must be written as sqlite:PATH"));
        };
        let path = match path.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => absolute,
            Some(_) => return Err(wrong("an absolute path is sqlite:/PATH or sqlite:///PATH")),
            None => path,
        };
        if path.is_empty() || path.ends_with('/') {
            return Err(wrong("sqlite: is followed by the path of a file"));
        }
        if path == ":memory:" {
            return Err(wrong("a journal in memory keeps nothing"));
        }
        if path.contains('\0') {
            return Err(wrong("a path holds no NUL"));
        }
        Ok(Store(PathBuf::from(path)))
    }

    /// `$XDG_STATE_HOME/witgate/journal.db`, or `$HOME/.local/state/witgate/journal.db`.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoStateFolder`] where neither is an absolute path.
    pub fn default_path() -> Result<PathBuf, JournalError> {
        default_path(|name| std::env::var_os(name))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of the file, owned.
    pub fn into_path(self) -> PathBuf {
        self.0
    }
}

fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, JournalError> {
    // The XDG rules say that a relative path there is to be ignored.
    let folder = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
        .ok_or(JournalError::NoStateFolder)?;
    Ok(state.join("witgate/journal.db"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_store_is_sqlite_and_a_path() {
        for (text, path) in [
            ("sqlite:/var/lib/j.db", "/var/lib/j.db"),
            ("sqlite:///var/lib/j.db", "/var/lib/j.db"),
            ("sqlite:j.db", "j.db"),
            ("sqlite:./a b/j.db", "./a b/j.db"),
        ] {
            assert_eq!(Store::parse(text).unwrap().path(), Path::new(path));
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_form_that_is_wanted() {
        for text in [
            "",
            "j.db",
            "postgres://x/y",
            "sqlite:",
            "sqlite:dir/",
            "sqlite://j.db",
            "sqlite::memory:",
        ] {
            let error = Store::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no journal store")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_default_is_in_the_state_folder() {
        let path = |xdg: Option<&str>, home: Option<&str>| {
            default_path(|name| match name {
                "XDG_STATE_HOME" => xdg.map(OsString::from),
                _ => home.map(OsString::from),
            })
        };
        let at = |path: &str| Ok(PathBuf::from(path));
        assert_eq!(path(Some("/s"), Some("/h")), at("/s/witgate/journal.db"));
        let in_home = at("/h/.local/state/witgate/journal.db");
        assert_eq!(path(None, Some("/h")), in_home);
        assert_eq!(path(Some("relative"), Some("/h")), in_home);
        assert_eq!(path(Some(""), Some("/h")), in_home);
        assert_eq!(path(None, None), Err(JournalError::NoStateFolder));
    }
}
