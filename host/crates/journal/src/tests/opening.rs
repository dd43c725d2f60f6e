//! Opening: what is made, and what is refused before it is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::JournalError;
use super::*;

async fn refusal(scene: &Scene) -> JournalError {
    Journal::open(&scene.path, Options::default())
        .await
        .unwrap_err()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn folders_and_files_are_their_owners_alone() {
    let mut scene = Scene::new();
    scene.path = scene.folder.path().join("a/b/journal.db");
    let journal = scene.open().await;
    journal.append(entry(1)).await.unwrap();
    assert_eq!(mode(&scene.folder.path().join("a")), 0o700);
    assert_eq!(mode(&scene.folder.path().join("a/b")), 0o700);
    let mut files = 0;
    for file in fs::read_dir(scene.folder.path().join("a/b")).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        files += 1;
    }
    assert_eq!(
        files, 4,
        "the database, its log and shared memory, the lock"
    );
    journal.close().await;
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_has_closed() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let error = refusal(&scene).await;
    let by = format!("process {}", std::process::id());
    assert!(
        matches!(&error, JournalError::InUse { by: who, .. } if *who == by),
        "{error}"
    );
    // Also by another name.
    let other = Scene::new();
    std::os::unix::fs::symlink(&scene.path, &other.path).unwrap();
    let error = refusal(&other).await;
    assert!(matches!(error, JournalError::InUse { .. }), "{error:?}");
    journal.close().await;
    other.open().await.close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_its_number() {
    let scene = Scene::with_entries([1]);
    scene
        .sql("UPDATE meta SET value = 7 WHERE key = 'schema'")
        .unwrap();
    for error in [
        refusal(&scene).await,
        Reader::open(&scene.path).unwrap_err(),
    ] {
        assert!(
            matches!(
                error,
                JournalError::NewerSchema {
                    found: 7,
                    known: 2,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_no_journal_is_refused_and_left_alone() {
    let text = Scene::new();
    fs::write(&text.path, "Dear diary, ".repeat(100)).unwrap();
    let other = Scene::new();
    other
        .sql("CREATE TABLE meta(key, value); CREATE TABLE entries(seq)")
        .unwrap();
    for scene in [text, other] {
        let before = fs::read(&scene.path).unwrap();
        let error = refusal(&scene).await;
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
        let error = Reader::open(&scene.path).unwrap_err();
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
        assert_eq!(fs::read(&scene.path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_folder_or_no_path_at_all_is_refused_in_a_sentence() {
    let mut scene = Scene::new();
    scene.path = scene.folder.path().to_owned();
    let error = refusal(&scene).await;
    assert!(matches!(error, JournalError::Open { .. }), "{error:?}");
    scene.path = scene.folder.path().join("absent.db");
    let error = Reader::open(&scene.path).unwrap_err();
    assert!(matches!(error, JournalError::Missing { .. }), "{error:?}");
    assert!(!scene.path.exists());
}

#[tokio::test]
async fn a_head_that_can_not_be_chained_to_is_refused() {
    let scene = Scene::with_entries([1, 2]);
    scene
        .sql("UPDATE entries SET hash = x'00' WHERE seq = 2")
        .unwrap();
    let error = refusal(&scene).await;
    assert!(matches!(error, JournalError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_journal_goes_on_where_it_was_closed() {
    let scene = Scene::new();
    for n in 1..=3 {
        let journal = scene.open().await;
        journal.append(entry(n)).await.unwrap();
        journal.close().await;
    }
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.entries, 3);
}

/// As on a read-only disk: the file of shared memory can't be made.
#[test]
fn a_copy_beside_which_nothing_can_be_made_is_read() {
    let scene = Scene::with_entries([1, 2]);
    let shared_memory = scene.folder.path().join("journal.db-shm");
    std::os::unix::fs::symlink("/nowhere/at/all", shared_memory).unwrap();
    Connection::open(&scene.path)
        .unwrap()
        .execute_batch("SELECT * FROM entries")
        .unwrap_err();
    assert_eq!(scene.reader().verify(None).unwrap().entries, 2);
}
