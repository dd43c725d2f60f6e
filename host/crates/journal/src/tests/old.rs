//! Journals of schema version 1: they open, verify, and are brought up to date.

use super::super::chain::{Form, Hash, Link};
use super::super::{LinkFault, schema};
use super::*;

/// A journal as the release before wrote it, whose retention has removed the first `removed` entries.
fn old(entries: i64, removed: i64) -> Scene {
    let scene = Scene::with_entries([]);
    let mut sql = String::from(
        "UPDATE meta SET value = 1 WHERE key = 'schema'; DELETE FROM meta WHERE key <> 'schema';",
    );
    let mut prev = Hash::GENESIS;
    for seq in 1..=entries {
        let entry = entry(seq as u64);
        let link = Link {
            form: Form::One,
            seq,
            at: seq * 1_000,
            stage: &entry.stage,
            request_id: &entry.request_id,
            body: &entry.body,
            prev: &prev,
        };
        let hash = link.hash();
        sql += &format!(
            "INSERT INTO entries VALUES ({seq}, {}, '{}', '{}', '{}', x'{prev}', x'{hash}');",
            link.at, link.stage, link.request_id, link.body
        );
        prev = hash;
    }
    if removed > 0 {
        sql += &format!(
            "INSERT INTO checkpoint SELECT seq, hash, 9000, seq FROM entries WHERE seq = {removed};
             DELETE FROM entries WHERE seq <= {removed};"
        );
    }
    scene.sql(&sql).unwrap();
    scene
}

#[test]
fn an_old_journal_verifies_and_is_known_as_one() {
    for removed in [0, 2, 5] {
        let found = old(5, removed).reader().verify(None).unwrap();
        assert!(found.is_sound() && found.old, "{found:?}");
        assert_eq!(found.entries, 5 - removed as u64);
    }
}

#[tokio::test]
async fn opening_an_old_journal_vouches_for_what_was_removed_before() {
    for removed in [0, 2, 5] {
        let scene = old(5, removed);
        let head = scene.reader().verify(None).unwrap().head;
        let journal = scene.open().await;
        journal.append(entry(7)).await.unwrap();
        journal.close().await;
        let found = scene.reader().verify(Some(head)).unwrap();
        assert!(found.is_sound() && !found.old, "{found:?}");
        assert_eq!(
            found.checkpoint.map(|it| it.entry),
            (removed > 0).then_some(Some(6))
        );
        assert!(
            scene
                .body(6)
                .starts_with(r#"{"journal":"upgrade","to_seq":"#)
        );
        // Only once.
        scene.open().await.close().await;
        assert_eq!(scene.seqs().last(), Some(&7));
    }
}

/// It may be the clock that is wrong: the old journal's own entries are the time that is known.
#[tokio::test]
async fn opening_an_old_journal_after_a_long_time_removes_nothing_at_once() {
    let scene = old(3, 0);
    for _ in 0..2 {
        let options = Options {
            retention_days: Some(7),
            ..Options::default()
        };
        let journal = Journal::open(&scene.path, options).await.unwrap();
        assert_eq!(scene.seqs(), [1, 2, 3, 4]);
        journal.close().await;
    }
}

#[tokio::test]
async fn a_newer_journal_can_not_be_passed_off_as_an_old_one() {
    let scene = Scene::with_entries([1_000, 2_000, 3_000]);
    let older = format!(
        "UPDATE meta SET value = {} WHERE key = 'schema'; DELETE FROM meta WHERE key = 'head';",
        schema::BEFORE
    );
    scene.sql(&older).unwrap();
    let found = scene.reader().verify(None).unwrap();
    assert!(!found.is_sound() && !found.old, "{found:?}");
    scene
        .sql(
            "INSERT INTO checkpoint SELECT seq, hash, at, seq FROM entries WHERE seq = 2;
             DELETE FROM entries WHERE seq <= 2",
        )
        .unwrap();
    let fault = scene.reader().verify(None).unwrap().broken.unwrap().fault;
    assert!(matches!(fault, LinkFault::Checkpoint(_)), "{fault:?}");
}

#[test]
fn an_entry_of_the_old_form_can_not_follow_one_of_the_new() {
    let scene = Scene::with_entries([1_000]);
    let prev = scene.reader().verify(None).unwrap().head;
    let link = Link {
        form: Form::One,
        seq: 2,
        at: 9_000,
        stage: "s",
        request_id: "r",
        body: "{}",
        prev: &prev,
    };
    let hash = link.hash();
    scene
        .sql(&format!(
            "INSERT INTO entries VALUES (2, 9000, 's', 'r', '{{}}', x'{prev}', x'{hash}');
             UPDATE meta SET value = '2 {hash}' WHERE key = 'head'"
        ))
        .unwrap();
    let broken = scene.reader().verify(None).unwrap().broken.unwrap();
    assert_eq!((broken.seq, broken.fault), (2, LinkFault::Hash));
}
