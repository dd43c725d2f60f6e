//! What is owed is written, whatever the disk does meanwhile; and what a walk at the start finds.

use std::time::Duration;

use super::super::orders::Command;
use super::super::owed::MOST;
use super::super::{Chain, MAX_BODY};
use super::*;

fn least(n: u64) -> Entry {
    Entry {
        stage: "@host".to_owned(),
        ..entry(n)
    }
}

#[tokio::test]
async fn what_is_owed_is_written_without_anybody_waiting_for_it() {
    let scene = Scene::new();
    let journal = scene.open().await;
    for n in 0..300 {
        journal.owe(least(n));
    }
    assert_eq!(journal.stats().failures, 300);
    journal.close().await;
    assert_eq!(scene.seqs().len(), 300);
    assert!(scene.reader().verify(None).unwrap().is_sound());
}

#[tokio::test]
async fn what_is_owed_while_the_disk_is_full_is_written_when_it_has_room() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let mut health = journal.shared.health.subscribe();
    let limit = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        journal.commands.send(Command::Sql(sql)).unwrap();
    };
    limit(1);
    let big = Entry {
        body: format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY - 8)),
        ..entry(1)
    };
    journal.append(big).await.unwrap_err();
    // More than the free space of the pages that are there.
    journal.owe(Entry {
        body: format!("{{\"a\":\"{}\"}}", "x".repeat(100_000)),
        ..least(1)
    });
    // The probes of a second have been, and it is owed still.
    while journal.stats().failures < 4 {
        health.changed().await.unwrap();
    }
    assert_eq!((journal.stats().owed, journal.stats().entries), (1, 0));
    limit(1_000_000);
    health.wait_for(Option::is_none).await.unwrap();
    assert_eq!((journal.stats().owed, journal.stats().entries), (0, 1));
    journal.close().await;
    assert_eq!(scene.seqs(), [1]);
}

#[tokio::test]
async fn an_entry_is_accepted_before_it_is_written_and_keeps_its_place() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let (go, wait) = std::sync::mpsc::channel();
    journal.commands.send(Command::Wait(wait)).unwrap();
    let first = journal.accept(entry(1), None).await.unwrap();
    let second = journal.accept(entry(2), Some(least(2))).await.unwrap();
    drop(go);
    second.written().await.unwrap();
    first.written().await.unwrap();
    assert_eq!(journal.stats().failures, 0);
    journal.close().await;
    assert!(scene.body(1).contains("r-1") && scene.body(2).contains("r-2"));
    assert_eq!(scene.seqs(), [1, 2]);
}

#[tokio::test]
async fn what_the_disk_did_not_take_has_its_least_entry_when_it_has_room() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let mut health = journal.shared.health.subscribe();
    let limit = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        journal.commands.send(Command::Sql(sql)).unwrap();
    };
    limit(1);
    let big = Entry {
        body: format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY - 8)),
        ..entry(1)
    };
    let accepted = journal.accept(big, Some(least(1))).await.unwrap();
    accepted.written().await.unwrap_err();
    limit(1_000_000);
    health.wait_for(Option::is_none).await.unwrap();
    journal.close().await;
    assert_eq!(scene.seqs(), [1]);
    assert_eq!(scene.body(1), least(1).body);
}

/// Room for small entries says nothing about one that didn't fit.
#[tokio::test]
async fn a_disk_has_room_again_once_as_much_fits_as_failed() {
    let scene = Scene::new();
    let journal = scene.open().await;
    journal.append(entry(1)).await.unwrap();
    let mut health = journal.shared.health.subscribe();
    let page = |sql: &str| {
        let conn = Connection::open(&scene.path).unwrap();
        conn.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    let limit = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        journal.commands.send(Command::Sql(sql)).unwrap();
    };
    // Room for the least probe, and not for this entry.
    limit(page("PRAGMA page_count") + 64);
    let big = Entry {
        body: format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY - 8)),
        ..entry(2)
    };
    let error = journal.append(big).await.unwrap_err();
    let failures = journal.stats().failures;
    journal.append(entry(3)).await.unwrap();
    assert_eq!(journal.health(), Err(error));
    while journal.stats().failures < failures + 2 {
        health.changed().await.unwrap();
    }
    journal.health().unwrap_err();
    limit(1_000_000);
    health.wait_for(Option::is_none).await.unwrap();
    journal.close().await;
}

#[tokio::test]
async fn of_very_many_that_are_owed_the_number_is_written() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let (go, wait) = std::sync::mpsc::channel();
    journal.commands.send(Command::Wait(wait)).unwrap();
    for n in 0..MOST as u64 + 5 {
        journal.owe(least(n));
    }
    let owed = journal.stats().owed;
    drop(go);
    journal.close().await;
    let written = scene.seqs().len();
    // What the writer took before it came to the wait left room for more.
    assert!(
        owed as usize <= MOST + 5 && written > MOST,
        "{owed}, {written}"
    );
    if written < MOST + 5 {
        let last = scene.body(written as i64);
        let more = MOST + 5 - (written - 1);
        assert_eq!(
            last,
            format!(r#"{{"journal":"unrecorded","entries":{more}}}"#)
        );
    }
}

async fn walked(journal: &Journal) -> Chain {
    journal.walk();
    loop {
        match journal.chain() {
            Chain::Unwalked | Chain::Walking => tokio::time::sleep(Duration::from_millis(1)).await,
            chain => return chain,
        }
    }
}

#[tokio::test]
async fn a_walk_at_the_start_finds_what_was_changed_while_nobody_wrote() {
    let scene = Scene::with_entries([1_000, 2_000, 3_000]);
    let journal = scene.open().await;
    assert_eq!(walked(&journal).await, Chain::Unbroken(3));
    assert_eq!(journal.stats().breaks, 0);
    journal.close().await;

    let triggers = "DROP TRIGGER entries_keep; DROP TRIGGER entries_stay;";
    let change = "UPDATE entries SET body = '{}' WHERE seq = 2";
    scene.sql(&format!("{triggers} {change}")).unwrap();
    let journal = scene.open().await;
    let Chain::Broken(what) = walked(&journal).await else {
        panic!("it was not found");
    };
    assert!(
        what.starts_with("entry 2 is not what was written"),
        "{what}"
    );
    assert_eq!(journal.stats().breaks, 1);
    // It goes on all the same.
    journal.append(entry(4)).await.unwrap();
    journal.health().unwrap();
    journal.close().await;
}

#[tokio::test]
async fn a_walk_at_the_start_finds_that_the_end_is_gone() {
    let scene = Scene::with_entries([1_000, 2_000, 3_000]);
    scene.sql("DELETE FROM entries WHERE seq = 3").unwrap();
    let journal = scene.open().await;
    let Chain::Broken(what) = walked(&journal).await else {
        panic!("it was not found");
    };
    assert!(what.starts_with("entry 3 is missing"), "{what}");
    // Going on doesn't cover it up.
    journal.append(entry(4)).await.unwrap();
    journal.close().await;
    assert_eq!(scene.seqs(), [1, 2, 4]);
    let broken = scene.reader().verify(None).unwrap().broken.unwrap();
    assert!(
        broken.to_string().starts_with("entry 3 is missing"),
        "{broken}"
    );
}

#[tokio::test]
async fn an_emptied_journal_stays_a_broken_one() {
    let scene = Scene::with_entries([1_000, 2_000, 3_000]);
    scene.sql("DELETE FROM entries").unwrap();
    let journal = scene.open().await;
    journal.append(entry(4)).await.unwrap();
    journal.close().await;
    let broken = scene.reader().verify(None).unwrap().broken.unwrap();
    assert!(
        broken.to_string().starts_with("entries 1 to 3 are missing"),
        "{broken}"
    );
}
