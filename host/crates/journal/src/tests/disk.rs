//! A disk that fails, and one that works again.

use super::super::orders::Command;
use super::super::{JournalError, MAX_BODY};
use super::*;

/// An SQL limit of the writer's connection: to SQLite the disk is full.
fn limit_pages(journal: &Journal, pages: u32) {
    let sql = format!("PRAGMA max_page_count = {pages}");
    journal.commands.send(Command::Sql(sql)).unwrap();
}

fn big(n: u64) -> Entry {
    Entry {
        body: format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY - 8)),
        ..entry(n)
    }
}

#[tokio::test]
async fn a_full_disk_fails_appends_and_health_until_one_succeeds() {
    let scene = Scene::new();
    let journal = scene.open().await;
    journal.append(entry(1)).await.unwrap();
    journal.health().unwrap();
    limit_pages(&journal, 1);
    let error = journal.append(big(2)).await.unwrap_err();
    assert!(matches!(error, JournalError::Write { .. }), "{error:?}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(journal.health(), Err(error));
    assert_eq!(journal.stats().failures, 1);
    limit_pages(&journal, 1_000_000);
    journal.append(big(3)).await.unwrap();
    journal.health().unwrap();
    journal.close().await;
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.entries, 2);
}

#[tokio::test]
async fn without_traffic_a_probe_finds_that_the_disk_works_again() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let mut health = journal.shared.health.subscribe();
    limit_pages(&journal, 1);
    journal.append(big(1)).await.unwrap_err();
    // Probes fail as long as the disk does.
    while journal.stats().failures < 2 {
        health.changed().await.unwrap();
    }
    journal.health().unwrap_err();
    limit_pages(&journal, 1_000_000);
    health.wait_for(Option::is_none).await.unwrap();
    journal.append(entry(2)).await.unwrap();
    journal.close().await;
    assert_eq!(scene.seqs(), [1]);
}

#[tokio::test]
async fn a_configuration_that_could_not_be_written_is_until_it_is() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let mut health = journal.shared.health.subscribe();
    let other = Connection::open(&scene.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal.configure(Options {
        immutable: false,
        retention_days: None,
    });
    let failed = health.wait_for(Option::is_some).await.unwrap().clone();
    assert!(failed.unwrap().to_string().contains("has it locked"));
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    health.wait_for(Option::is_none).await.unwrap();
    let triggers: i64 = Connection::open(&scene.path)
        .unwrap()
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(triggers, 0);
    journal.close().await;
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_noticed() {
    let scene = Scene::new();
    let journal = scene.open().await;
    journal.append(entry(1)).await.unwrap();
    let elsewhere = scene.folder.path().join("elsewhere");
    std::fs::rename(&scene.path, &elsewhere).unwrap();
    let error = journal.append(entry(2)).await.unwrap_err();
    assert!(
        error.to_string().contains("moved, replaced or deleted"),
        "{error}"
    );
    journal.health().unwrap_err();
    std::fs::rename(&elsewhere, &scene.path).unwrap();
    journal.append(entry(3)).await.unwrap();
    journal.health().unwrap();
    journal.close().await;
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
}

#[tokio::test]
async fn an_entry_put_in_by_another_program_does_not_stop_the_journal() {
    let scene = Scene::new();
    let journal = scene.open().await;
    journal.append(entry(1)).await.unwrap();
    scene
        .sql("INSERT INTO entries VALUES (2, 0, 's', 'r', '{}', zeroblob(32), zeroblob(32))")
        .unwrap();
    journal.append(entry(2)).await.unwrap_err();
    journal.append(entry(3)).await.unwrap();
    journal.close().await;
    assert_eq!(scene.seqs(), [1, 2, 3]);
    assert_eq!(scene.reader().verify(None).unwrap().broken.unwrap().seq, 2);
}
