//! Retention removes a prefix and nothing else; immutability lets nobody else remove or change anything.

use super::super::{GivenHead, Hash};
use super::*;

async fn opened(scene: &Scene, immutable: bool, retention_days: Option<u32>) -> Journal {
    let options = Options {
        immutable,
        retention_days,
    };
    Journal::open(&scene.path, options).await.unwrap()
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as i64
}

/// Two entries of ten days ago, one of today, one that a clock put ten days ago again, one of today.
fn old_and_new() -> Scene {
    let now = now_ms();
    let old = now - 10 * DAY_MS;
    Scene::with_entries([old, old, now, old, now])
}

#[tokio::test]
async fn retention_at_the_start_removes_the_old_prefix_of_an_immutable_journal() {
    let scene = old_and_new();
    let journal = opened(&scene, true, Some(7)).await;
    // The sixth says so.
    assert_eq!(scene.seqs(), [3, 4, 5, 6]);
    journal.append(entry(7)).await.unwrap();
    journal.close().await;
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    let checkpoint = found.checkpoint.unwrap();
    assert_eq!((checkpoint.removed, checkpoint.entry), (2, Some(6)));
    assert_eq!(found.entries, 5);
    let body = scene.body(6);
    let expected = format!(
        r#"{{"journal":"retention","to_seq":2,"to_hash":"{}","removed":2}}"#,
        checkpoint.hash
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn retention_can_be_turned_on_while_open() {
    let scene = old_and_new();
    let journal = opened(&scene, true, None).await;
    assert_eq!(scene.seqs().len(), 5);
    journal.configure(Options {
        immutable: true,
        retention_days: Some(7),
    });
    // What is configured holds before what is appended after it.
    journal.append(entry(7)).await.unwrap();
    assert_eq!(scene.seqs(), [3, 4, 5, 6, 7]);
    journal.close().await;
}

#[test]
fn a_journal_whose_entries_are_all_removed_goes_on_where_it_was() {
    let scene = Scene::with_entries([1, 2, 3]);
    let head = scene.reader().verify(None).unwrap().head;
    let mut log = Log::open(&scene.path).unwrap();
    assert_eq!(log.remove_before(100, 100).unwrap().count, 3);
    assert_eq!(log.remove_before(100, 100).unwrap().count, 0);
    log.close();
    let found = scene.reader().verify(Some(head)).unwrap();
    assert_eq!(
        (found.entries, found.given),
        (1, Some(GivenHead::Removed(3)))
    );
    let mut log = Log::open(&scene.path).unwrap();
    log.append(200, [entry(5)].iter()).unwrap();
    log.close();
    assert_eq!(scene.seqs(), [4, 5]);
    let found = scene.reader().verify(Some(head)).unwrap();
    assert!(found.is_sound(), "{found:?}");
}

#[test]
fn much_is_removed_in_steps_that_each_leave_a_sound_chain() {
    let scene = Scene::new();
    let mut log = Log::open(&scene.path).unwrap();
    let many = super::super::log::REMOVED_AT_ONCE + 10;
    let entries: Vec<_> = (0..many as u64).map(entry).collect();
    log.append(1, entries.iter()).unwrap();
    let first = log.remove_before(100, 100).unwrap();
    assert!(first.more);
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    let second = log.remove_before(100, 101).unwrap();
    assert_eq!((first.count + second.count, second.more), (many, false));
    let found = scene.reader().verify(None).unwrap();
    assert_eq!(found.checkpoint.unwrap().removed, many as i64);
    log.close();
}

#[test]
fn what_was_removed_is_gone_from_the_file() {
    let scene = Scene::new();
    let mut log = Log::open(&scene.path).unwrap();
    let secret = Entry {
        body: r#"{"note":"a-text-to-be-forgotten"}"#.to_owned(),
        ..entry(1)
    };
    log.append(1, [secret].iter()).unwrap();
    log.append(200, [entry(2)].iter()).unwrap();
    let holds = || {
        ["journal.db", "journal.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(scene.folder.path().join(name)).unwrap_or_default();
            memchr::memmem::find(&bytes, b"a-text-to-be-forgotten").is_some()
        })
    };
    assert!(holds());
    log.remove_before(100, 200).unwrap();
    assert!(!holds());
    log.close();
}

/// What the clock says is nothing that a journal of yesterday knew of.
#[tokio::test]
async fn a_clock_far_ahead_of_the_newest_entry_removes_nothing() {
    let long_ago = now_ms() - 400 * DAY_MS;
    let scene = Scene::with_entries([long_ago, long_ago + 300 * DAY_MS]);
    let journal = opened(&scene, true, Some(7)).await;
    journal.append(entry(3)).await.unwrap();
    assert_eq!(scene.seqs(), [1, 2, 3]);
    journal.close().await;
    // Nor at the next start, though there is an entry of that time now.
    let journal = opened(&scene, true, Some(7)).await;
    assert_eq!(scene.seqs(), [1, 2, 3]);
    journal.close().await;
}

#[tokio::test]
async fn an_immutable_journal_refuses_changes_by_any_program() {
    let scene = old_and_new();
    let journal = opened(&scene, true, Some(7)).await;
    let before = scene.reader().verify(None).unwrap();
    for sql in [
        "UPDATE entries SET body = '{}' WHERE seq = 4",
        "UPDATE entries SET seq = 99 WHERE seq = 5",
        "DELETE FROM entries WHERE seq = 4",
        "DELETE FROM entries WHERE seq = 3",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries SELECT seq, 0, '', '', '{}', prev, hash FROM entries WHERE seq = 4",
        "INSERT INTO entries SELECT 1, 0, '', '', '{}', prev, hash FROM entries WHERE seq = 4",
        "UPDATE checkpoint SET hash = zeroblob(32)",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint VALUES (2, zeroblob(32), 0, 2)",
        "INSERT INTO checkpoint VALUES (99, zeroblob(32), 0, 97)",
        "INSERT INTO checkpoint SELECT seq, hash, at, seq FROM entries WHERE seq = 4",
    ] {
        let error = scene.sql(sql).unwrap_err().to_string();
        assert!(
            error.starts_with("the journal is immutable"),
            "{sql}: {error}"
        );
    }
    assert_eq!(scene.reader().verify(None).unwrap(), before);
    journal.close().await;
}

#[tokio::test]
async fn immutability_can_be_turned_off_and_on_while_open() {
    let scene = old_and_new();
    let journal = opened(&scene, true, None).await;
    let delete = "DELETE FROM entries WHERE seq = 5";
    scene.sql(delete).unwrap_err();
    journal.configure(Options {
        immutable: false,
        retention_days: None,
    });
    journal.append(entry(6)).await.unwrap();
    scene
        .sql("UPDATE entries SET at = at WHERE seq = 5")
        .unwrap();
    journal.configure(Options::default());
    journal.append(entry(7)).await.unwrap();
    scene.sql(delete).unwrap_err();
    journal.close().await;
    assert_ne!(scene.reader().verify(None).unwrap().head, Hash::GENESIS);
}
