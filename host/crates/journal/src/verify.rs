//! Walking the chain from the last checkpoint, or the beginning, to its end.
//!
//! What it proves: nothing between the checkpoint and the head was changed, put in or taken out since it was written, and the chain
//! itself says that what lay before the checkpoint was removed. The end is compared with the journal's note of it. What it can't
//! prove: that nobody changed the end and the note, or rewrote the whole. For that an operator keeps a head elsewhere and gives it.

use std::fmt;

use rusqlite::Row;

use super::chain::{Form, Hash, Link};
use super::own::{self, OwnEntry};
use super::{JournalError, Reader, note};

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Sound entries, up to the end or to the first broken link.
    pub entries: u64,
    /// Seq and time (milliseconds since 1970) of the first of them.
    pub first: Option<(i64, i64)>,
    /// Seq and time of the last of them.
    pub last: Option<(i64, i64)>,
    /// The last sound hash: the last entry's, else the checkpoint's, else the genesis.
    pub head: Hash,
    /// What retention removed, as of its last step.
    pub checkpoint: Option<Checkpoint>,
    /// An older release wrote all of it. Nothing vouches for its checkpoint, and nothing notes its end.
    pub old: bool,
    /// The first broken link.
    pub broken: Option<BrokenLink>,
    /// What became of the head that was given.
    pub given: Option<GivenHead>,
}

impl Verification {
    /// No link is broken, and the head that was given was found.
    pub fn is_sound(&self) -> bool {
        self.broken.is_none() && self.given != Some(GivenHead::NotFound)
    }
}

/// The end of what retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The seq of the last entry that was removed.
    pub seq: i64,
    /// Its hash.
    pub hash: Hash,
    /// When it was removed, in milliseconds since 1970. Nothing proves this.
    pub at: i64,
    /// Entries removed in all steps together.
    pub removed: i64,
    /// The entry of the chain that says so; in an old journal there is none.
    pub entry: Option<i64>,
}

/// A broken link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLink {
    /// The entry, or the checkpoint, by its seq.
    pub seq: i64,
    /// What is wrong there.
    pub fault: LinkFault,
}

/// What is wrong with a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFault {
    /// The entries from this seq to `to` are not there.
    Missing {
        /// The last seq that is missing.
        to: i64,
    },
    /// `prev` is not the hash of the entry before.
    Prev,
    /// The hash is not that of the entry's fields.
    Hash,
    /// The checkpoint and the entries don't fit.
    Checkpoint(&'static str),
    /// The entries from this seq to `to` were the newest ones, and are not there.
    CutOff {
        /// The newest entry, as it was noted.
        to: i64,
    },
    /// The end of the chain and the journal's note of it don't fit.
    End(&'static str),
    /// A field can't be what a journal writes.
    Unreadable(&'static str),
}

impl LinkFault {
    /// A name for machines.
    pub fn name(&self) -> &'static str {
        match self {
            LinkFault::Missing { .. } => "missing_seq",
            LinkFault::Prev => "prev_mismatch",
            LinkFault::Hash => "hash_mismatch",
            LinkFault::Checkpoint(_) => "checkpoint_mismatch",
            LinkFault::CutOff { .. } => "cut_off",
            LinkFault::End(_) => "end_mismatch",
            LinkFault::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for BrokenLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq;
        match &self.fault {
            LinkFault::Missing { to } if *to == seq => {
                write!(f, "entry {seq} is missing (missing seq): it was removed")
            }
            LinkFault::Missing { to } => {
                write!(
                    f,
                    "entries {seq} to {to} are missing (missing seq): they were removed"
                )
            }
            LinkFault::Prev => write!(
                f,
                "entry {seq} does not follow the entry before it (prev mismatch): one of the two was changed or put in"
            ),
            LinkFault::Hash => write!(
                f,
                "entry {seq} is not what was written (hash mismatch): a field or the hash was changed"
            ),
            LinkFault::Checkpoint(what) => {
                write!(
                    f,
                    "the checkpoint at {seq} does not fit (checkpoint mismatch): {what}"
                )
            }
            LinkFault::CutOff { to } if *to == seq => write!(
                f,
                "entry {seq} is missing (cut off): it was the newest, and was removed"
            ),
            LinkFault::CutOff { to } => write!(
                f,
                "entries {seq} to {to} are missing (cut off): they were the newest, and were removed"
            ),
            LinkFault::End(what) => {
                write!(f, "the end at {seq} does not fit (end mismatch): {what}")
            }
            LinkFault::Unreadable(what) => write!(f, "entry {seq} can't be read: {what}"),
        }
    }
}

/// What became of a head that was kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenHead {
    /// It is the hash of this entry: all up to it is as it was then.
    Entry(i64),
    /// It is the hash of the last entry that retention removed: all up to it is gone.
    Removed(i64),
    /// It is in no sound part of the chain: the end was cut off, the chain was rewritten, or retention has removed it.
    NotFound,
}

/// The state of a walk along the chain.
struct Walk {
    found: Verification,
    given: Option<Hash>,
    seq: i64,
    /// The form of the last entry: one of the older form can't follow one of the newer.
    form: Form,
}

impl Reader {
    /// Verifies the chain, and finds `head` in it if one is given. Everything is read from one snapshot.
    ///
    /// # Errors
    ///
    /// Where the file can't be read to the end. A broken chain is no error: it is in the answer.
    pub fn verify(&self, head: Option<Hash>) -> Result<Verification, JournalError> {
        let found = self.walk(head, || false);
        let found = found.map_err(|error| JournalError::read(&self.path, &error))?;
        Ok(found.expect("nothing stops it"))
    }

    /// The same, until `stop`: then `None`.
    pub(super) fn verify_until(
        &self,
        stop: impl Fn() -> bool,
    ) -> Result<Option<Verification>, JournalError> {
        self.walk(None, stop)
            .map_err(|error| JournalError::read(&self.path, &error))
    }

    fn walk(
        &self,
        given: Option<Hash>,
        stop: impl Fn() -> bool,
    ) -> rusqlite::Result<Option<Verification>> {
        let snapshot = self.conn.unchecked_transaction()?;
        let mut walk = Walk {
            found: Verification {
                entries: 0,
                first: None,
                last: None,
                head: Hash::GENESIS,
                checkpoint: None,
                old: false,
                broken: None,
                given: given.map(|_| GivenHead::NotFound),
            },
            given,
            seq: 0,
            form: Form::One,
        };
        let mut checkpoints =
            snapshot.prepare("SELECT seq, hash, at, count FROM checkpoint ORDER BY seq")?;
        let mut rows = checkpoints.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(broken) = walk.checkpoint(row)? {
                walk.found.broken = Some(broken);
                return Ok(Some(walk.found));
            }
        }
        walk.recognise_start();
        let mut entries = snapshot.prepare(
            "SELECT seq, at, stage, request_id, body, prev, hash FROM entries ORDER BY seq",
        )?;
        let mut rows = entries.query([])?;
        while let Some(row) = rows.next()? {
            if stop() {
                return Ok(None);
            }
            if let Err(broken) = walk.entry(row)? {
                walk.found.broken = Some(broken);
                return Ok(Some(walk.found));
            }
        }
        walk.found.old = self.old && walk.form == Form::One;
        if !walk.found.old {
            walk.found.broken = walk.end(note::read(&snapshot)?).err();
        }
        Ok(Some(walk.found))
    }
}

impl Walk {
    /// Whether the chain says where its checkpoint comes from, and ends where the journal noted it.
    fn end(&self, noted: Option<(i64, Hash)>) -> Result<(), BrokenLink> {
        let broken = |seq, fault| Err(BrokenLink { seq, fault });
        if let Some(checkpoint) = self.found.checkpoint
            && checkpoint.entry.is_none()
        {
            let what = "no entry of the chain says that retention removed what lay before it";
            return broken(checkpoint.seq, LinkFault::Checkpoint(what));
        }
        match noted {
            None => broken(self.seq, LinkFault::End("its note is gone")),
            Some((to, _)) if to > self.seq => broken(self.seq + 1, LinkFault::CutOff { to }),
            Some((seq, _)) if seq < self.seq => {
                let what = "it was the newest entry that the journal wrote, and others follow";
                broken(seq, LinkFault::End(what))
            }
            Some((seq, hash)) if hash != self.found.head => {
                broken(seq, LinkFault::End("it is not the entry that was noted"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Each checkpoint's count leads from the one before: together they removed the entries from 1 on.
    fn checkpoint(&mut self, row: &Row<'_>) -> rusqlite::Result<Result<(), BrokenLink>> {
        let (seq, at, count): (i64, i64, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
        let broken = |what| {
            Ok(Err(BrokenLink {
                seq,
                fault: LinkFault::Checkpoint(what),
            }))
        };
        let Some(hash) = row.get_ref(1)?.as_blob().ok().and_then(Hash::from_slice) else {
            return broken("its hash is not 32 bytes long");
        };
        if count < 1 || self.seq.checked_add(count) != Some(seq) {
            return broken("its count is not the number of entries since the checkpoint before it");
        }
        self.seq = seq;
        self.found.head = hash;
        self.found.checkpoint = Some(Checkpoint {
            seq,
            hash,
            at,
            removed: seq,
            entry: None,
        });
        Ok(Ok(()))
    }

    fn recognise_start(&mut self) {
        if let Some(checkpoint) = self.found.checkpoint
            && self.given == Some(checkpoint.hash)
        {
            self.found.given = Some(GivenHead::Removed(checkpoint.seq));
        } else if self.given == Some(self.found.head) {
            // The head of a journal that had no entry yet.
            self.found.given = Some(GivenHead::Entry(0));
        }
    }

    fn entry(&mut self, row: &Row<'_>) -> rusqlite::Result<Result<(), BrokenLink>> {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let broken = |seq, fault| Ok(Err(BrokenLink { seq, fault }));
        let expected = self.seq.saturating_add(1);
        if seq < expected {
            return match self.found.checkpoint {
                Some(checkpoint) if seq > 0 => broken(
                    checkpoint.seq,
                    LinkFault::Checkpoint("an entry that it says was removed is there"),
                ),
                _ => broken(seq, LinkFault::Unreadable("entries count from 1")),
            };
        }
        if seq > expected {
            return broken(expected, LinkFault::Missing { to: seq - 1 });
        }
        let text = |column| row.get_ref(column).map(|value| value.as_str().ok());
        let hash = |column| {
            row.get_ref(column)
                .map(|value| value.as_blob().ok().and_then(Hash::from_slice))
        };
        let (Some(stage), Some(request_id), Some(body)) = (text(2)?, text(3)?, text(4)?) else {
            return broken(seq, LinkFault::Unreadable("a text in it is not UTF-8"));
        };
        let (Some(prev), Some(hash)) = (hash(5)?, hash(6)?) else {
            return broken(
                seq,
                LinkFault::Unreadable("a hash in it is not 32 bytes long"),
            );
        };
        if prev != self.found.head {
            return match self.found.checkpoint {
                Some(checkpoint) if self.found.entries == 0 => broken(
                    checkpoint.seq,
                    LinkFault::Checkpoint(
                        "the first entry after it does not follow the hash that it keeps",
                    ),
                ),
                _ => broken(seq, LinkFault::Prev),
            };
        }
        let mut link = Link {
            form: Form::Two,
            seq,
            at,
            stage,
            request_id,
            body,
            prev: &prev,
        };
        if link.hash() != hash {
            link.form = Form::One;
            if self.form > link.form || link.hash() != hash {
                return broken(seq, LinkFault::Hash);
            }
        }
        self.form = link.form;
        if stage == own::STAGE
            && link.form == Form::Two
            && let Some(checkpoint) = &mut self.found.checkpoint
            && serde_json::from_str::<OwnEntry>(body)
                .is_ok_and(|own| own.vouches_for(checkpoint.seq, &checkpoint.hash))
        {
            checkpoint.entry = Some(seq);
        }
        self.seq = seq;
        self.found.entries += 1;
        self.found.first.get_or_insert((seq, at));
        self.found.last = Some((seq, at));
        self.found.head = hash;
        if self.given == Some(hash) {
            self.found.given = Some(GivenHead::Entry(seq));
        }
        Ok(Ok(()))
    }
}
