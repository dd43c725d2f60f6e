//! Appending: what is taken, what is acknowledged, and how few commits it takes.

use std::pin::Pin;
use std::task::{Context, Waker};

use super::super::orders::Command;
use super::super::{JournalError, MAX_BODY, QUEUE};
use super::*;

#[tokio::test]
async fn an_appended_entry_is_read_back_while_the_journal_is_open() {
    let scene = Scene::new();
    let journal = scene.open().await;
    journal.append(entry(1)).await.unwrap();
    assert_eq!(scene.seqs(), [1]);
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    journal.close().await;
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let append = |body: &str| {
        let entry = Entry {
            body: body.to_owned(),
            ..entry(1)
        };
        journal.append(entry)
    };
    for body in ["", "[]", "null", "\"{}\"", "{", "{} {}", "{\"a\":\"\n\"}"] {
        let error = append(body).await.unwrap_err();
        assert!(
            matches!(error, JournalError::NotAnObject { .. }),
            "{body}: {error}"
        );
    }
    let object = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
    assert_eq!(
        append(&object(MAX_BODY + 1)).await,
        Err(JournalError::TooLarge { size: MAX_BODY + 1 })
    );
    append(&object(MAX_BODY)).await.unwrap();
    assert_eq!(scene.seqs(), [1]);
    journal.close().await;
}

#[tokio::test]
async fn an_entry_is_kept_on_one_line() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let body = "{\r\n \"a\": \"b\\n\"\n}".to_owned();
    journal.append(Entry { body, ..entry(1) }).await.unwrap();
    journal.close().await;
    let mut bodies = Vec::new();
    let _ = scene
        .reader()
        .records(
            Span::default(),
            super::super::Order::OldestFirst,
            |record| {
                bodies.push(record.body.to_string());
                std::ops::ControlFlow::<()>::Continue(())
            },
        )
        .unwrap();
    assert_eq!(bodies, ["{   \"a\": \"b\\n\" }"]);
}

#[tokio::test]
async fn concurrent_appends_share_commits_and_keep_one_chain() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let count = 2 * QUEUE as u64;
    let appends: Vec<_> = (0..count)
        .map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(entry(n)).await })
        })
        .collect();
    for append in appends {
        append.await.unwrap().unwrap();
    }
    let stats = journal.stats();
    assert_eq!((stats.entries, stats.queued, stats.failures), (count, 0, 0));
    assert!(stats.batches < count / 8, "{stats:?}");
    journal.close().await;
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.entries, count);
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_refuses_what_comes_later() {
    let scene = Scene::new();
    let journal = scene.open().await;
    // Polled once, in order: these are queued when the journal is told to close.
    let appends = started((1..=50).map(|n| journal.append(entry(n))));
    journal.close().await;
    // The file is whole without what SQLite keeps beside it.
    assert!(!scene.folder.path().join("journal.db-wal").exists());
    for append in appends {
        append.await.unwrap();
    }
    assert_eq!(scene.seqs().len(), 50);
    let closed = journal.append(entry(51)).await.unwrap_err();
    assert!(matches!(closed, JournalError::Closed { .. }), "{closed:?}");
    assert_eq!(journal.health(), Err(closed));
    journal.close().await;
}

/// Starts them all: each is queued before this returns.
fn started<F: Future>(appends: impl Iterator<Item = F>) -> Vec<Pin<Box<F>>> {
    let mut started: Vec<_> = appends.map(Box::pin).collect();
    let mut context = Context::from_waker(Waker::noop());
    for append in &mut started {
        assert!(append.as_mut().poll(&mut context).is_pending());
    }
    started
}

#[tokio::test]
async fn a_full_queue_makes_append_wait_and_loses_nothing() {
    let scene = Scene::new();
    let journal = scene.open().await;
    let (go_on, wait) = std::sync::mpsc::channel();
    journal.commands.send(Command::Wait(wait)).unwrap();
    let big = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY - 8));
    let count = super::super::QUEUE_BYTES / MAX_BODY + 8;
    let appends: Vec<_> = (0..count as u64)
        .map(|n| {
            let journal = journal.clone();
            let body = big.clone();
            tokio::spawn(async move { journal.append(Entry { body, ..entry(n) }).await })
        })
        .collect();
    while journal.room.available_permits() >= MAX_BODY {
        tokio::task::yield_now().await;
    }
    assert!((journal.stats().queued as usize) < count);
    go_on.send(()).unwrap();
    for append in appends {
        append.await.unwrap().unwrap();
    }
    journal.close().await;
    assert_eq!(scene.seqs().len(), count);
}
