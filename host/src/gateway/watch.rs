//! Watching the configuration and its components.
//!
//! The folders are watched and not the files: an editor's rename and a swapped link leave a watch on a file behind. A burst of
//! events becomes one reload, once it has been quiet for a moment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::reload::Source;
use crate::config::{ComponentSource, Config};

/// How long it must be quiet before a reload.
const QUIET: Duration = Duration::from_millis(200);

/// The files whose change matters.
pub(super) fn files(source: &Source, config: &Config) -> BTreeSet<PathBuf> {
    let components = config
        .stages
        .iter()
        .filter_map(|stage| match &stage.component {
            ComponentSource::File(path) => Some(path.clone()),
            ComponentSource::Bundled(_) => None,
        });
    let own = match source {
        Source::Embedded => None,
        Source::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
    };
    components.chain(own).collect()
}

/// The folders to watch: each file's own, and where it really lies if it is reached by links.
fn folders(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for file in files {
        folders.extend(file.parent().map(Path::to_owned));
        if let Ok(real) = file.canonicalize() {
            folders.extend(real.parent().map(Path::to_owned));
        }
    }
    folders
}

/// Reloads on changes until cancelled.
pub(super) async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let (send, mut events) = mpsc::unbounded_channel();
    let notify = move |event: notify::Result<Event>| {
        // Reading is an event too, and reloading reads.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            // A closed channel: the gateway is stopping.
            let _ = send.send(());
        }
    };
    let mut watcher = match notify::recommended_watcher(notify) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "changes of files can't be watched; restart witgate to load them");
            return;
        }
    };
    let mut files = gateway.watched.subscribe();
    let mut watched = BTreeSet::new();
    loop {
        let wanted = folders(&files.borrow_and_update());
        rewatch(&mut watcher, &mut watched, wanted);
        tokio::select! {
            () = stop.cancelled() => return,
            _ = files.changed() => continue,
            event = events.recv() => if event.is_none() { return },
        }
        // Trailing: every further event starts the wait again, so a slow write is read when it is done.
        while let Ok(Some(())) = tokio::time::timeout(QUIET, events.recv()).await {}
        // Success and failure are both said there.
        let _ = gateway.reload().await;
    }
}

fn rewatch(
    watcher: &mut RecommendedWatcher,
    watched: &mut BTreeSet<PathBuf>,
    wanted: BTreeSet<PathBuf>,
) {
    for folder in watched.difference(&wanted) {
        // It may be gone, and its watch with it.
        let _ = watcher.unwatch(folder);
    }
    for folder in wanted.difference(watched) {
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "changes there can't be watched");
        }
    }
    *watched = wanted;
}
