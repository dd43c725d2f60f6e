//! What the journal promises, held against real files.

#![expect(clippy::unwrap_used, reason = "tests")]

mod disk;
mod kill;
mod old;
mod opening;
mod owed;
mod retention;
mod tamper;
mod writing;

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::log::Log;
use super::{Entry, Journal, Options, Reader, Span};

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A folder of its own and a journal's path in it.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) path: PathBuf,
}

impl Scene {
    pub(super) fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        Scene { folder, path }
    }

    pub(super) async fn open(&self) -> Journal {
        Journal::open(&self.path, Options::default()).await.unwrap()
    }

    /// A closed journal, its entries `n` = 1, 2 ... with these times, in one batch each.
    pub(super) fn with_entries(times: impl IntoIterator<Item = i64>) -> Scene {
        let scene = Scene::new();
        let mut log = Log::open(&scene.path).unwrap();
        for (index, at) in times.into_iter().enumerate() {
            log.append(at, [entry(index as u64 + 1)].iter()).unwrap();
        }
        log.close();
        scene
    }

    /// Another program, with SQL of its own.
    pub(super) fn sql(&self, sql: &str) -> rusqlite::Result<()> {
        Connection::open(&self.path)?.execute_batch(sql)
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(&self.path).unwrap()
    }

    pub(super) fn body(&self, seq: i64) -> String {
        let conn = Connection::open(&self.path).unwrap();
        let sql = "SELECT body FROM entries WHERE seq = ?1";
        conn.query_row(sql, [seq], |row| row.get(0)).unwrap()
    }

    pub(super) fn seqs(&self) -> Vec<i64> {
        let mut seqs = Vec::new();
        let _ = self
            .reader()
            .records(Span::default(), super::Order::OldestFirst, |record| {
                seqs.push(record.seq);
                std::ops::ControlFlow::<()>::Continue(())
            })
            .unwrap();
        seqs
    }
}

pub(super) fn entry(n: u64) -> Entry {
    Entry {
        stage: "audit-logger".to_owned(),
        request_id: format!("r-{n}"),
        body: format!(r#"{{"id":"r-{n}","verdict":"proceed"}}"#),
    }
}
