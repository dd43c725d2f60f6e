//! Secrets and the references to them.
//!
//! The configuration holds references alone. A secret is read when it is needed, and neither its text nor any part of it
//! is ever shown: not by `Debug`, not in an error.

use super::exec::{self, ExecRef};
use super::fields::{Field, Fields};
use super::kept::{self, Renewal, SecretState};
use super::vault::{self, VaultRef};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use subtle::ConstantTimeEq as _;

/// Where a secret is to be found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// In this environment variable.
    Env(String),
    /// In this file, all of it, without the line end at its end. Relative paths have been resolved.
    File(PathBuf),
    /// This executable prints it.
    Exec(ExecRef),
    /// A Vault has it.
    Vault(Box<VaultRef>),
}

/// The largest file of a secret, in bytes.
pub(super) const LARGEST: usize = 64 * 1024;

impl SecretRef {
    /// Reads the secret, now. A file may make it block for some seconds, an executable or a Vault for as long as it may take.
    ///
    /// # Errors
    /// When the variable or the file isn't there, is empty, or isn't one line of UTF-8 text.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.read_with(|name| std::env::var_os(name))
    }

    /// As [`SecretRef::read`], with the caller's own environment.
    ///
    /// # Errors
    /// As [`SecretRef::read`].
    pub fn read_with(&self, env: impl Fn(&str) -> Option<OsString>) -> Result<Secret, SecretError> {
        let text = match self {
            SecretRef::Env(name) => env(name)
                .ok_or_else(|| SecretError::Unset(name.clone()))?
                .into_string()
                .map_err(|_| self.unusable("is not UTF-8 text"))?,
            SecretRef::File(path) => self.read_file(path)?,
            SecretRef::Exec(_) | SecretRef::Vault(_) => return kept::secret(self),
        };
        Secret::checked(&text, self)
    }

    /// Where an executable or a Vault has the secret and it is time to: asks anew, and says what came of it. Where that fails the old
    /// secret stays. Blocks for as long as asking may take.
    pub fn renew(&self) -> Option<Renewal> {
        kept::renew(self)
    }

    /// When it is time to ask anew; nothing where nobody is asked, or was asked yet.
    pub fn due(&self) -> Option<Instant> {
        kept::due(self)
    }

    /// How it stands with a secret that an executable or a Vault has, once it was asked for.
    pub fn state(&self) -> Option<SecretState> {
        kept::state(self)
    }

    fn read_file(&self, path: &Path) -> Result<String, SecretError> {
        let failed = |source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let bytes = super::read_file(path, LARGEST).map_err(failed)?;
        if bytes.len() > LARGEST {
            return Err(self.unusable("is larger than any secret should be"));
        }
        String::from_utf8(bytes).map_err(|_| self.unusable("is not UTF-8 text"))
    }

    pub(super) fn unusable(&self, why: &'static str) -> SecretError {
        SecretError::Unusable {
            reference: self.clone(),
            why,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "the environment variable {name}"),
            SecretRef::File(path) => write!(f, "the file {}", path.display()),
            SecretRef::Exec(exec) => write!(f, "the executable {}", exec.program.display()),
            SecretRef::Vault(vault) => vault.fmt(f),
        }
    }
}

/// Why a secret could not be read. The error never contains any part of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no such environment variable.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// The file could not be read.
    #[error("the file {} can't be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The executable gave none.
    #[error("the executable {} {why}", program.display())]
    Helper {
        /// The executable.
        program: PathBuf,
        /// What it did instead. Nothing of its output.
        why: String,
    },
    /// The Vault gave none.
    #[error("Vault at {address} {why}")]
    Vault {
        /// Where it is.
        address: String,
        /// What it did instead. Nothing of what it has or was told.
        why: String,
    },
    /// The text was read, but can't be a secret.
    #[error("{reference} {why}")]
    Unusable {
        /// Where it was read from.
        reference: SecretRef,
        /// What is wrong with the text.
        why: &'static str,
    },
}

/// A secret's text.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// A text that was found there, without the line end at its end.
    pub(super) fn checked(text: &str, from: &SecretRef) -> Result<Secret, SecretError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            return Err(from.unusable("is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(from.unusable("has more than one line, or control characters in it"));
        }
        Ok(Secret(text.into()))
    }

    /// The text. The caller is responsible for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether these bytes are the secret. The time that this takes depends on the lengths alone.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(bytes).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads `{env: NAME}`, `{file: PATH}`, `{exec: {command: [PROGRAM]}}` or `{vault: ...}`. `key` is the name of the key it stands under.
pub(super) fn reference(field: &Field<'_>, key: &str, base: &Path) -> Option<SecretRef> {
    let fields = fields(field, key, &["env", "file", "exec", "vault"])?;
    referred(&fields, base)
}

/// Reads the same with a `weight` beside it, from 1 to 1,000; else it is 1.
pub(super) fn weighted(field: &Field<'_>, key: &str, base: &Path) -> Option<(SecretRef, u32)> {
    let fields = fields(field, key, &["env", "file", "exec", "vault", "weight"])?;
    let weight = match fields.get("weight") {
        Some(field) => field.integer(1..=1000),
        None => Some(1),
    };
    Some((referred(&fields, base)?, u32::try_from(weight?).ok()?))
}

fn fields<'a>(field: &Field<'a>, key: &str, valid: &'static [&'static str]) -> Option<Fields<'a>> {
    if matches!(field.node, super::tree::Node::Text(_)) {
        // The value isn't repeated, not even in part, because it is most likely the secret itself.
        field.problem(format!(
            "a secret is given by reference, never as text: `{key}: {{env: NAME}}` or `{{file: PATH}}`"
        ));
        return None;
    }
    field.fields(valid)
}

fn referred(fields: &Fields<'_>, base: &Path) -> Option<SecretRef> {
    let kinds = ["env", "file", "exec", "vault"];
    let mut given = kinds
        .into_iter()
        .filter_map(|kind| Some((kind, fields.get(kind)?)));
    match (given.next(), given.next()) {
        (Some(("env", env)), None) => {
            let name = env.text()?;
            let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !valid {
                env.problem(
                    "this is not the name of an environment variable (letters, digits and `_`). It isn't shown, \
                     in case it is the secret itself",
                );
                return None;
            }
            Some(SecretRef::Env(name.to_owned()))
        }
        (Some(("file", file)), None) => {
            Some(SecretRef::File(base.join(file.text_within(1..=4096)?)))
        }
        (Some(("exec", exec)), None) => Some(SecretRef::Exec(exec::read(exec, base)?)),
        (Some((_, vault)), None) => Some(SecretRef::Vault(Box::new(vault::read(vault, base)?))),
        (None, _) => {
            fields.problem(
                "expected `{env: NAME}`, `{file: PATH}`, `{exec: {command: [PROGRAM]}}` or `{vault: {address: URL, path: PATH, field: NAME, auth: ...}}`",
            );
            None
        }
        _ => {
            fields.problem("give one of `env`, `file`, `exec` and `vault`, not more");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn from_env(value: Option<&str>) -> Result<Secret, SecretError> {
        SecretRef::Env("NAME".to_owned()).read_with(|_| value.map(OsString::from))
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = from_env(Some("csk-1234")).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    Secret(…),\n)");
        assert_eq!(secret.expose(), "csk-1234");
    }

    #[test]
    fn only_the_same_bytes_match() {
        let secret = from_env(Some("csk-1234")).unwrap();
        assert!(secret.matches(b"csk-1234"));
        for other in ["", "csk-123", "csk-12345", "csk-1235", "CSK-1234"] {
            assert!(!secret.matches(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_line_end_of_a_file_is_not_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "csk-1234\r\n").unwrap();
        let reference = SecretRef::File(path);
        assert_eq!(reference.read().unwrap().expose(), "csk-1234");
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_showing_it() {
        let unset = from_env(None).unwrap_err().to_string();
        assert_eq!(unset, "the environment variable NAME is not set");
        for bad in ["", "  ", "top\nsecret", "top\u{7}secret"] {
            let error = from_env(Some(bad)).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("the environment variable NAME")
            );
            assert!(
                !format!("{error} {error:?}").contains("secret\""),
                "{error:?}"
            );
            assert!(!format!("{error} {error:?}").contains("top"), "{error:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let missing = SecretRef::File(folder.path().join("none")).read();
        assert!(missing.unwrap_err().to_string().contains("can't be read"));
    }
}
