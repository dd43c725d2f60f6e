//! Watching the configuration, its components and their samples, and the certificates and secrets that it names.
//!
//! Notifications tell at once that something happened. A slow poll finds what they missed, because on some mounts they are lost.
//!
//! The folders are watched and not the files, because an editor's rename leaves a watch on a file behind. A path that leads over
//! links is watched at every link, so that a swapped link and a replaced folder are seen. A burst of events becomes one reload, once
//! it has been quiet for a moment. Events of other files in those folders don't count, or a busy neighbour would put off every
//! reload.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Source;
use super::build::blocking;
use crate::config::{ComponentSource, Config, FileStamp, JwksSource, SecretRef};

/// The log target of what is said here. Filters name it, so it stays whatever this module is called.
const LOG: &str = "witgate::gateway::watch";

/// How long it must be quiet before a reload.
const QUIET: Duration = Duration::from_millis(200);

/// How often the files are looked at without any notification.
const POLL: Duration = Duration::from_secs(5);

/// The files whose change matters.
pub(super) fn files(source: &Source, config: &Config) -> BTreeSet<PathBuf> {
    let components = config.stages.iter().map(|stage| &stage.component);
    let components = components.flat_map(|component| match component {
        ComponentSource::File(path) => [Some(path.clone()), component.samples()],
        ComponentSource::Bundled(_) => [None, None],
    });
    let own = match source {
        Source::Embedded => None,
        Source::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
    };
    let tls = config.targets.iter().flat_map(|target| target.tls.files());
    let tls = tls.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    let keys = config.secrets().filter_map(|secret| match secret {
        SecretRef::File(path) => Some(path.clone()),
        SecretRef::Env(_) | SecretRef::Exec(_) | SecretRef::Vault(_) => None,
    });
    let jwks = config.jwt.iter().flat_map(|jwt| {
        let keys = match &jwt.jwks {
            JwksSource::File(path) => Some(path.clone()),
            JwksSource::Url(_) | JwksSource::Discovery(_) => None,
        };
        keys.into_iter().chain(jwt.ca_file.clone())
    });
    components
        .flatten()
        .chain(jwks)
        .chain(own)
        .chain(tls)
        .chain(keys)
        .collect()
}

/// The most links that are followed. A path with more links leads in a circle.
const LINKS: usize = 40;

/// Every name whose change matters to one of the files: the links on the way to it, the file where it really lies, and its folder
/// there. The folders in these names contain no links.
fn names(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut names = BTreeSet::new();
    for file in files {
        let mut links = 0;
        let mut at = PathBuf::new();
        let mut rest: Vec<PathBuf> = parts(file).collect();
        while let Some(part) = rest.pop() {
            if part.as_os_str() == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            if let Ok(target) = at.read_link()
                && links < LINKS
            {
                links += 1;
                names.insert(at.clone());
                at.pop();
                rest.extend(parts(&target));
            }
        }
        names.extend(at.parent().map(Path::to_owned));
        names.insert(at);
    }
    names
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> impl Iterator<Item = PathBuf> {
    path.components()
        .rev()
        .map(|part| PathBuf::from(part.as_os_str()))
}

/// Whether an event can mean that one of these has changed.
fn matters(event: &notify::Result<Event>, names: &BTreeSet<PathBuf>) -> bool {
    match event {
        // Reading makes events too, and a reload reads.
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
        Ok(event) => event.need_rescan() || event.paths.iter().any(|path| names.contains(path)),
        // Events were lost, and one of ours may be among them.
        Err(_) => true,
    }
}

/// Calls `changed` whenever one of the files may have changed, and once at first, until cancelled. The file system is asked on threads that may
/// block: where it hangs, this waits and nobody else. What `changed` comes to it says itself.
pub async fn watch_files<F>(
    mut files: watch::Receiver<BTreeSet<PathBuf>>,
    changed: impl Fn() -> F,
    stop: CancellationToken,
) where
    F: Future<Output = ()>,
{
    let (send, mut events) = mpsc::unbounded_channel();
    let wanted = Arc::new(Mutex::new(BTreeSet::new()));
    let known = wanted.clone();
    let notify = move |event: notify::Result<Event>| {
        if matters(&event, &known.lock()) {
            // The channel is closed when the gateway is stopping.
            let _ = send.send(());
        }
    };
    let mut folders = WatchedFolders {
        watcher: notify::recommended_watcher(notify)
            .inspect_err(|error| {
                tracing::warn!(target: LOG, %error, "changes of files can't be watched; they are looked for every {} s", POLL.as_secs());
            })
            .ok(),
        watched: BTreeSet::new(),
    };
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A change from before the watch makes no event, so each time there is something new to watch, everything is looked at once
    // more.
    let mut look = true;
    let mut seen = Vec::new();
    loop {
        look |= files.has_changed().unwrap_or(false);
        let current = files.borrow_and_update().clone();
        let (known, files_now) = (wanted.clone(), current.clone());
        let looked = blocking(move || {
            let names = names(&files_now);
            let parents = names.iter().filter_map(|name| name.parent());
            let parents = parents.map(Path::to_owned).collect();
            *known.lock() = names;
            folders.watch(parents);
            folders
        });
        folders = match looked.await {
            Ok(folders) => folders,
            Err(error) => {
                tracing::error!(target: LOG, %error, "files are not watched any more; hang up on the gateway (SIGHUP) when one has changed");
                return;
            }
        };
        if std::mem::take(&mut look) {
            // Taken before reading, so that the next poll sees what changes meanwhile.
            seen = stamps(current).await;
            changed().await;
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = files.changed() => look = true,
            // Where there are no files, nobody wakes for them.
            _ = poll.tick(), if !current.is_empty() => look = stamps(current).await != seen,
            // Without a watcher there are never events.
            Some(()) = events.recv() => {
                // Every further event starts the wait again, so a slow write is read when it is done.
                while let Ok(Some(())) = tokio::time::timeout(QUIET, events.recv()).await {}
                look = true;
            }
        }
    }
}

/// The present stamp of each file.
async fn stamps(files: BTreeSet<PathBuf>) -> Vec<FileStamp> {
    let stamps = move || files.iter().map(|file| FileStamp::of(file)).collect();
    // If it broke down, all files look new.
    blocking(stamps).await.unwrap_or_default()
}

/// The folders that are watched.
struct WatchedFolders {
    /// `None` where the system doesn't offer it.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl WatchedFolders {
    /// Watches these folders and no others. Folders that are watched already are watched again, because they may have been replaced by
    /// others of the same name.
    fn watch(&mut self, wanted: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for folder in self.watched.difference(&wanted) {
            // The folder may be gone, and its watch with it.
            let _ = watcher.unwatch(folder);
        }
        for folder in &wanted {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
                && !self.watched.contains(folder)
            {
                tracing::warn!(target: LOG, folder = %folder.display(), %error, "changes there can't be watched");
            }
        }
        self.watched = wanted;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_over_links_is_followed_link_by_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        std::fs::create_dir(at.join("v1")).unwrap();
        std::fs::write(at.join("v1/file"), "").unwrap();
        symlink("v1", at.join("current")).unwrap();
        symlink("current/../current/file", at.join("file")).unwrap();
        let expected = ["current", "file", "v1", "v1/file"].map(|name| at.join(name));
        assert_eq!(names(&[at.join("file")].into()), expected.into());
    }

    #[test]
    fn a_link_in_a_circle_and_a_file_that_is_missing_have_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        symlink("circle", at.join("circle")).unwrap();
        let files = [at.join("circle"), at.join("missing")];
        let [circle, missing] = files.clone();
        assert_eq!(names(&files.into()), [at, circle, missing].into());
    }
}
