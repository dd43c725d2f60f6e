//! Wanting to keep more than there is room for: tables, memory, journal entries.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use witgate::journal::{Journal, Options, Order, Reader, Span};
use witgate::metrics::Metrics;
use witgate::policy::{self, Class, GrantBackends, Stage};

use super::{ends, ends_well, granted, listed, unloaded};
use crate::support::exchange::exchange;
use crate::support::{Served, sandbox};

#[tokio::test]
async fn table_that_grows() {
    ends("table-that-grows", "a table of 20001 elements").await;
}

#[tokio::test]
async fn table_that_grows_in_steps() {
    ends("table-that-grows-in-steps", "a table of 20001 elements").await;
}

#[tokio::test]
async fn journal_in_configure() {
    unloaded(
        "journal-in-configure",
        "configure",
        Class::Misuse,
        "wrote to the journal while being configured",
    )
    .await;
}

/// A granted journal isn't one to fill a disk with.
#[tokio::test]
async fn flood_of_journal_entries() {
    assert_eq!(entries("flood-of-journal-entries").await, [(64, 1)]);
}

/// Nor one to put just anything into: what is no JSON object, too long or too deep isn't kept, and the policy is told. The host writes that there was one.
#[tokio::test]
async fn odd_journal_entries() {
    ends_well("odd-journal-entries").await;
    assert_eq!(entries("odd-journal-entries").await, [(0, 1); 3]);
}

/// How many entries an exchange of each of its policies leaves, and how many the host in their place.
async fn entries(misdeed: &str) -> Vec<(usize, usize)> {
    let folder = tempfile::tempdir().unwrap();
    let mut left = Vec::new();
    for (number, forged) in listed(misdeed).2().iter().enumerate() {
        let file = folder.path().join(format!("{number}.db"));
        let journal = Journal::open(&file, Options::default()).await.unwrap();
        let metrics = Arc::new(Metrics::new());
        let component = forged.component();
        // Entries of megabytes are looked at on the guest's time, of which a busy machine needs more.
        let mut spec = granted();
        spec.limits.request_cpu = Duration::from_secs(60);
        spec.limits.exchange_cpu = Duration::from_secs(60);
        let loaded = policy::load(sandbox(), spec, &component).await.unwrap();
        let backends = GrantBackends {
            journal: Some(journal.clone()),
            ..GrantBackends::default()
        };
        let stage = Stage::attached(loaded, &backends, &metrics, None);
        assert_eq!(
            journal.stats().entries,
            0,
            "the self-test's entries are not kept"
        );
        exchange(&Served { stage, metrics }).await.unwrap();
        journal.close().await;
        let (mut own, mut least) = (0, 0);
        let reader = Reader::open(&file).unwrap();
        let _ = reader.records(Span::default(), Order::OldestFirst, |record| {
            *if record.stage == "@host" {
                &mut least
            } else {
                &mut own
            } += 1;
            ControlFlow::<()>::Continue(())
        });
        left.push((own, least));
    }
    left
}
