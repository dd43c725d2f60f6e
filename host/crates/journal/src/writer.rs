//! The one thread that owns the file.
//!
//! It begins a commit at most every [`PACE`], unless a whole batch waits: an entry that comes alone is committed at once,
//! and a stream of them shares commits. What must stay true: an entry is acknowledged after its commit, never before.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::clock::{Clock, Time, now_ms};
use super::log::{Head, Log};
use super::orders::{Command, Pending};
use super::owed::Owed;
use super::walk::Walk;
use super::{Entry, JournalError, Options, Shared};

/// Operators filter by this name: it stays, wherever the code lies.
const LOG: &str = "witgate::journal::writer";

/// Entries that one commit takes at most.
pub(super) const BATCH: usize = 256;

/// The longest that an entry waits for others.
const PACE: Duration = Duration::from_millis(10);

/// How often a journal that failed is tried while nothing is appended.
const PROBE: Duration = Duration::from_secs(1);

/// What a probe writes at least: enough that a disk with a few bytes left isn't taken for one with room.
const PROBE_BYTES: usize = 64 * 1024;

/// How often retention does its work and the head is logged.
const HOURLY: Duration = Duration::from_secs(60 * 60);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

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
    /// The bytes of the largest batch that failed since then. Only as much, written, says that the disk has room again.
    failed: usize,
    hourly: Instant,
    clock: Clock,
    /// The head that the log has.
    logged: i64,
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
        writer.end();
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
            breaks: AtomicU64::new(0),
            full: Notify::new(),
            owed: Owed::default(),
            health: watch::Sender::new(None),
            walk: Walk::default(),
        });
        let known = log.known_time();
        if let Some(known) = known {
            // Kept before this clock writes an entry that is the newest then.
            log.keep_clock(known)?;
        }
        let clock = Clock::new(known, now_ms(), Instant::now());
        let mut writer = Writer {
            log,
            shared,
            options,
            immutable: Some(options.immutable),
            last_commit: None,
            probe: None,
            failed: 0,
            hourly: Instant::now() + HOURLY,
            clock,
            logged: -1,
        };
        writer.log_head("the journal goes on after its newest entry");
        writer.keep();
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
                () = self.shared.owed.notified(), if self.probe.is_none() => {
                    self.pay();
                }
                () = sleep_until(due) => {}
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
        let bytes = entries.clone().map(Entry::size).sum();
        let result = self.log.append(now_ms(), entries);
        let count = batch.len() as u64;
        if result.is_ok() {
            self.shared.entries.fetch_add(count, Relaxed);
            self.shared.batches.fetch_add(1, Relaxed);
        }
        self.note(bytes, &result);
        self.shared.queued.fetch_sub(count, Relaxed);
        for pending in batch.drain(..) {
            if let (Err(_), Some(instead)) = (&result, pending.instead) {
                self.shared.owe(instead);
            }
            // The appender may have stopped waiting; its entry is committed all the same.
            let _ = pending.written.send(result.clone());
        }
    }

    /// Writes what is owed. Whether nothing is owed any more.
    fn pay(&mut self) -> bool {
        loop {
            let owed = self.shared.owed.take(BATCH);
            if owed.is_empty() {
                return true;
            }
            let (count, bytes) = (owed.len() as u64, owed.iter().map(Entry::size).sum());
            let result = self.log.append(now_ms(), owed.iter());
            // Told before the health, so that a healthy journal owes nothing that has been tried.
            match &result {
                Ok(()) => {
                    self.shared.owed.written();
                    self.shared.entries.fetch_add(count, Relaxed);
                    self.shared.batches.fetch_add(1, Relaxed);
                }
                Err(_) => self.shared.owed.give_back(owed),
            }
            self.note(bytes, &result);
            if result.is_err() {
                return false;
            }
        }
    }

    /// The last that is done before the file is closed.
    fn end(&mut self) {
        if !self.pay() {
            let owed = self.shared.owed.len();
            tracing::error!(target: LOG, owed, "the journal is closed without entries that it owed");
        }
        let trusted = self.clock.judge(now_ms(), Instant::now());
        if let Time::Trusted(now) = trusted {
            // It only saves the next start a day of waiting.
            let _ = self.log.keep_clock(now);
        }
        self.log_head("the journal is closed after its newest entry");
        self.shared.walk.join();
    }

    /// Puts seq and hash of the newest entry into the log, where nobody who can write to the file reaches them.
    fn log_head(&mut self, what: &str) {
        let Head { seq, hash } = self.log.head();
        if seq > 0 {
            tracing::info!(target: LOG, seq, head = %hash, "{what}");
        }
        self.logged = seq;
    }

    fn configure(&mut self, options: Options) {
        let retention = self.options.retention_days != options.retention_days;
        self.options = options;
        self.apply();
        if retention {
            self.keep();
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
        self.note(0, &result);
        result.is_ok()
    }

    /// Does one step of retention. If there is more to remove, the next step is due at once, so that batches come between
    /// the steps.
    fn keep(&mut self) {
        let due = Instant::now();
        self.hourly = due + HOURLY;
        let now = match self.clock.judge(now_ms(), due) {
            Time::Trusted(now) => now,
            Time::Ahead { by, new } => {
                if new && self.options.retention_days.is_some() {
                    tracing::warn!(
                        target: LOG,
                        days_ahead = by / DAY_MS,
                        "the clock is further on than the time that the journal knows of: retention removes nothing until it has \
                         been so for a day"
                    );
                }
                return;
            }
        };
        if let Err(error) = self.log.keep_clock(now) {
            self.note(0, &Err(error));
            return;
        }
        let Some(days) = self.options.retention_days else {
            return;
        };
        let result = self.log.remove_before(now - i64::from(days) * DAY_MS, now);
        match result {
            Ok(removed) => {
                if removed.count > 0 {
                    tracing::info!(
                        target: LOG,
                        removed = removed.count,
                        days,
                        "the journal's retention removed entries"
                    );
                }
                if removed.more {
                    self.hourly = due;
                }
            }
            Err(error) => self.note(0, &Err(error)),
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.probe.is_some_and(|due| due <= now) && self.apply() && self.pay() {
            let bytes = self.failed.max(PROBE_BYTES);
            let result = self.log.probe(bytes);
            self.note(bytes, &result);
        }
        if self.hourly <= now {
            self.keep();
            if self.log.head().seq != self.logged {
                self.log_head("the journal's newest entry");
            }
        }
    }

    fn due(&self) -> Instant {
        self.probe
            .map_or(self.hourly, |probe| probe.min(self.hourly))
    }

    /// Records the health, and logs when it changes rather than at every failure. `bytes`: what was written, or was to be.
    fn note(&mut self, bytes: usize, result: &Result<(), JournalError>) {
        match result {
            // The triggers are part of what was asked for.
            Ok(()) if self.immutable.is_some() && bytes >= self.failed => {
                if self.probe.take().is_some() {
                    self.failed = 0;
                    tracing::info!(target: LOG, "the journal can be written again");
                    self.shared.health.send_replace(None);
                }
            }
            Ok(()) => {}
            Err(error) => {
                self.failed = self.failed.max(bytes);
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
