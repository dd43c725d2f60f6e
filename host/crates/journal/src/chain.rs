//! The chain: each entry's hash covers the entry and the hash before it.
//!
//! The canonical form is documented in `docs/journal.md`. It must never change for a schema version that was released:
//! somebody keeps a head elsewhere and will compare it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Which canonical form an entry was hashed in. An entry of the newer form can't be passed off as one of the older: what only
/// journals of the older form may lack is told by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// Of schema version 1, in which a checkpoint had no entry.
    One,
    /// Of schema version 2.
    Two,
}

impl Form {
    /// The first field of the canonical form, and all in which the forms differ.
    fn name(self) -> &'static [u8] {
        match self {
            Form::One => b"witgate-journal/1",
            Form::Two => b"witgate-journal/2",
        }
    }
}

/// A SHA-256 hash; 64 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands for the hash before the very first entry: all zeros.
    pub const GENESIS: Hash = Hash([0; 32]);

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text isn't a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits, as `witgate audit verify` prints it")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Hash, NotAHash> {
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAHash);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte =
                u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| NotAHash)?;
        }
        Ok(Hash(bytes))
    }
}

/// Everything that an entry's hash covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) form: Form,
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) stage: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) body: &'a str,
    pub(crate) prev: &'a Hash,
}

impl Link<'_> {
    /// SHA-256 over the fields in order, each after its length: no field's end can be taken for the next one's start.
    pub(crate) fn hash(&self) -> Hash {
        let mut sha = Sha256::new();
        for field in [
            self.form.name(),
            &self.seq.to_be_bytes(),
            &self.at.to_be_bytes(),
            self.stage.as_bytes(),
            self.request_id.as_bytes(),
            self.body.as_bytes(),
            self.prev.as_bytes(),
        ] {
            sha.update((field.len() as u64).to_be_bytes());
            sha.update(field);
        }
        Hash(sha.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const LINK: Link<'_> = Link {
        form: Form::One,
        seq: 1,
        at: 1_700_000_000_000,
        stage: "audit-logger",
        request_id: "r-1",
        body: "{}",
        prev: &Hash::GENESIS,
    };

    /// Worked out apart from this code, from the form in `docs/journal.md`.
    #[test]
    fn the_canonical_form_is_the_documented_one() {
        assert_eq!(
            LINK.hash().to_string(),
            "2d51297542fa392438dd89d0b8a54ee5ea794a18eec7f4bb8b20f25d4621e14f"
        );
        let newer = Link {
            form: Form::Two,
            ..LINK
        };
        assert_eq!(
            newer.hash().to_string(),
            "ac563811448b321990514eb91ca499be3a510d8eda3d2d88bd62e23a2e95aa78"
        );
    }

    #[test]
    fn text_moved_from_one_field_to_the_next_changes_the_hash() {
        let moved = Link {
            stage: "audit-loggerr",
            request_id: "-1",
            ..LINK
        };
        assert_ne!(moved.hash(), LINK.hash());
    }

    #[test]
    fn a_hash_reads_back_from_its_text_and_nothing_else_does() {
        let hash = LINK.hash();
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        assert_eq!("ab".parse::<Hash>(), Err(NotAHash));
        assert_eq!("+f".repeat(32).parse::<Hash>(), Err(NotAHash));
        assert_eq!("é".repeat(32).parse::<Hash>(), Err(NotAHash));
    }
}
