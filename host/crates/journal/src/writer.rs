//! The one thread that owns the file.
//!
//! It begins a commit at most every [`PACE`], unless a whole batch waits: an entry that comes alone is committed at once,
//! and a stream of them shares commits. What must stay true: an entry is acknowledged after its commit, never before.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::log::Log;
use super::{Entry, JournalError, Options, Shared};

/// Operators filter by this name: it stays, wherever the code lies.
const LOG: &str = "witgate::journal::writer";

/// Entries that one commit takes at most.
pub(super) const BATCH: usize = 256;

/// The longest that an entry waits for others.
const PACE: Duration = Duration::from_millis(10);

/// How often a journal that failed is tried while nothing is appended.
const PROBE: Duration = Duration::from_secs(1);

const RETENTION: Duration = Duration::from_secs(60 * 60);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An entry that waits for its commit.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) entry: Entry,
    pub(super) written: oneshot::Sender<Result<(), JournalError>>,
    /// The entry's share of the bytes that may be queued, given back when this is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) enum Command {
    Configure(Options),
    /// Answered when the file is closed and free.
    Close(oneshot::Sender<()>),
    /// SQL on the writer's own connection: limits there are the connection's.
    #[cfg(test)]
    Sql(String),
    /// Keeps the writer idle until the test sends something or drops its sender.
    #[cfg(test)]
    Wait(std::sync::mpsc::Receiver<()>),
}

/// The writer's state, owned by its thread.
#[derive(Debug)]
pub(super) struct Writer {
    log: Log,
    shared: Arc<Shared>,
    options: Options,
    /// Whether the file has the triggers; `None` where that isn't known.
    immutable: Option<bool>,
    last_commit: Option<Instant>,
    /// `Some` while the journal fails.
    probe: Option<Instant>,
    retention: Option<Instant>,
}

/// Marks the journal as closed when the thread ends, by a panic too.
struct Epitaph(Arc<Shared>);

impl Drop for Epitaph {
    fn drop(&mut self) {
        let path = self.0.path.clone();
        self.0
            .health
            .send_replace(Some(JournalError::Closed { path }));
    }
}

impl Writer {
    /// The thread's body: opens the file, reports the result, and serves until the journal is closed or no handle is left.
    pub(super) fn run(
        store: &Path,
        options: Options,
        mut queue: mpsc::Receiver<Pending>,
        mut orders: mpsc::UnboundedReceiver<Command>,
        ready: oneshot::Sender<Result<Arc<Shared>, JournalError>>,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| JournalError::open_io(store, &error));
        let opened = runtime.and_then(|runtime| Ok((runtime, Writer::open(store, options)?)));
        let (runtime, mut writer) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // A failed send means that the opener has stopped waiting.
                let _ = ready.send(Err(error));
                return;
            }
        };
        let shared = Arc::clone(&writer.shared);
        let epitaph = Epitaph(Arc::clone(&shared));
        if ready.send(Ok(shared)).is_err() {
            return;
        }
        let closing = runtime.block_on(writer.serve(&mut queue, &mut orders));
        writer.log.close();
        drop(epitaph);
        if let Some(done) = closing {
            // The caller may have stopped waiting.
            let _ = done.send(());
        }
    }

    fn open(store: &Path, options: Options) -> Result<Writer, JournalError> {
        let mut log = Log::open(store)?;
        log.set_immutable(options.immutable)?;
        let shared = Arc::new(Shared {
            path: log.path().to_owned(),
            entries: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            full: Notify::new(),
            health: watch::Sender::new(None),
        });
        let mut writer = Writer {
            log,
            shared,
            options,
            immutable: Some(options.immutable),
            last_commit: None,
            probe: None,
            retention: None,
        };
        writer.retain();
        Ok(writer)
    }

    async fn serve(
        &mut self,
        queue: &mut mpsc::Receiver<Pending>,
        orders: &mut mpsc::UnboundedReceiver<Command>,
    ) -> Option<oneshot::Sender<()>> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closing = None;
        // Work that is due is done before every wait, so that traffic never puts it off.
        loop {
            self.do_what_is_due();
            let due = self.due();
            tokio::select! {
                // Commands first: they hold for all that is appended after them.
                biased;
                Some(command) = orders.recv() => match command {
                    Command::Configure(options) => self.configure(options),
                    Command::Close(done) => {
                        queue.close();
                        closing.get_or_insert(done);
                    }
                    #[cfg(test)]
                    Command::Sql(sql) => self.log.sql(&sql).expect("the test's SQL is right"),
                    #[cfg(test)]
                    Command::Wait(until) => until.recv().unwrap_or_default(),
                },
                taken = queue.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return closing;
                    }
                    self.fill(queue, &mut batch).await;
                    self.commit(&mut batch);
                }
                () = wait_for(due) => {}
            }
        }
    }

    /// Waits until a commit is due or a whole batch is queued, without waking for every entry.
    async fn fill(&self, queue: &mut mpsc::Receiver<Pending>, batch: &mut Vec<Pending>) {
        let enough = |waiting: usize, batch: &Vec<Pending>| waiting + batch.len() >= BATCH;
        if let Some(last) = self.last_commit
            && !enough(queue.len(), batch)
            && !queue.is_closed()
        {
            tokio::select! {
                () = sleep_until(last + PACE) => {}
                () = self.shared.full.notified() => {}
            }
        }
        while batch.len() < BATCH {
            match queue.try_recv() {
                Ok(pending) => batch.push(pending),
                Err(_) => break,
            }
        }
    }

    fn commit(&mut self, batch: &mut Vec<Pending>) {
        self.last_commit = Some(Instant::now());
        let entries = batch.iter().map(|pending| &pending.entry);
        let result = self.log.append(now_ms(), entries);
        let count = batch.len() as u64;
        if result.is_ok() {
            self.shared.entries.fetch_add(count, Relaxed);
            self.shared.batches.fetch_add(1, Relaxed);
        }
        self.note(&result);
        self.shared.queued.fetch_sub(count, Relaxed);
        for pending in batch.drain(..) {
            // The appender may have stopped waiting; its entry is committed all the same.
            let _ = pending.written.send(result.clone());
        }
    }

    fn configure(&mut self, options: Options) {
        let retention = self.options.retention_days != options.retention_days;
        self.options = options;
        self.apply();
        if retention {
            self.retain();
        }
    }

    /// Brings the file's triggers to what was asked for. A failure is tried again with the next probe.
    fn apply(&mut self) -> bool {
        let immutable = self.options.immutable;
        if self.immutable == Some(immutable) {
            return true;
        }
        self.immutable = None;
        let result = self.log.set_immutable(immutable);
        if result.is_ok() {
            self.immutable = Some(immutable);
        }
        self.note(&result);
        result.is_ok()
    }

    /// Does one step of retention. If there is more to remove, the next step is due at once, so that batches come between
    /// the steps.
    fn retain(&mut self) {
        let Some(days) = self.options.retention_days else {
            self.retention = None;
            return;
        };
        let now = now_ms();
        let result = self.log.remove_before(now - i64::from(days) * DAY_MS, now);
        let more = matches!(&result, Ok(removed) if removed.more);
        if let Ok(removed) = &result
            && removed.count > 0
        {
            tracing::info!(
                target: LOG,
                removed = removed.count,
                days,
                "the journal's retention removed entries"
            );
        }
        self.retention = Some(Instant::now() + if more { Duration::ZERO } else { RETENTION });
        if let Err(error) = result {
            self.note(&Err(error));
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.probe.is_some_and(|due| due <= now) && self.apply() {
            let result = self.log.probe();
            self.note(&result);
        }
        if self.retention.is_some_and(|due| due <= now) {
            self.retain();
        }
    }

    fn due(&self) -> Option<Instant> {
        match (self.probe, self.retention) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Records the health, and logs when it changes rather than at every failure.
    fn note(&mut self, result: &Result<(), JournalError>) {
        match result {
            // The triggers are part of what was asked for.
            Ok(()) if self.immutable.is_some() => {
                if self.probe.take().is_some() {
                    tracing::info!(target: LOG, "the journal can be written again");
                    self.shared.health.send_replace(None);
                }
            }
            Ok(()) => {}
            Err(error) => {
                self.shared.failures.fetch_add(1, Relaxed);
                if self.probe.is_none() {
                    tracing::error!(target: LOG, %error, "the journal fails; it is tried again every second");
                }
                self.probe = Some(Instant::now() + PROBE);
                self.shared.health.send_replace(Some(error.clone()));
            }
        }
    }
}

async fn wait_for(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Milliseconds since 1970, by the system's clock.
fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
