//! The one thread that owns the file.

use std::path::Path;
use std::sync::Weak;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::{Refused, StateError};
use super::file::{self, StateFile};
use super::room::{BYTES, Room, SUMS, VALUES};
use super::{Name, Shared, Sum};

/// Operations that one transaction takes at most.
const BATCH: usize = 256;

/// How often what has passed is removed, while there is something to do at all.
const SWEEP: Duration = Duration::from_secs(60);

/// Where an answer goes.
type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// An operation.
pub(crate) enum Order {
    Take {
        sum: Sum,
        amount: i64,
        most: i64,
        reply: Reply<Option<i64>>,
    },
    Get {
        name: Name,
        reply: Reply<Option<String>>,
    },
    Put {
        name: Name,
        value: String,
        seconds: u32,
        /// Not in the place of one that hasn't expired.
        only_new: bool,
        reply: Reply<bool>,
    },
}

/// An operation that was done, once its transaction is committed.
enum Done {
    Take(Reply<Option<i64>>, Result<Option<i64>, Refused>),
    Get(Reply<Option<String>>, Result<Option<String>, Refused>),
    Put(Reply<bool>, Result<bool, Refused>),
}

impl Done {
    /// Whoever asked may have stopped waiting; what was done is done.
    fn tell(self, committed: bool) {
        fn result<T>(result: Result<T, Refused>, committed: bool) -> Result<T, Refused> {
            if committed {
                result
            } else {
                Err(Refused::Store)
            }
        }
        match self {
            Done::Take(reply, it) => drop(reply.send(result(it, committed))),
            Done::Get(reply, it) => drop(reply.send(result(it, committed))),
            Done::Put(reply, it) => drop(reply.send(result(it, committed))),
        }
    }
}

/// The thread's state.
pub(crate) struct Keeper {
    file: StateFile,
    room: Room,
    swept: Instant,
}

impl Keeper {
    /// The thread's body: opens the file, reports the result, and serves until no handle is left.
    pub(crate) fn run(
        path: &Path,
        shared: &Weak<Shared>,
        mut queue: mpsc::Receiver<Order>,
        ready: oneshot::Sender<Result<(), StateError>>,
    ) {
        let opened = Keeper::open(path);
        // A failed send means that whoever opened it has stopped waiting.
        let mut keeper = match opened {
            Ok(keeper) => {
                let _ = ready.send(Ok(()));
                keeper
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let mut batch = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (done, result) = keeper.carry_out(&mut batch);
            // Told before the answers, so that whoever has one finds the health that goes with it.
            if let Some(shared) = shared.upgrade() {
                match &result {
                    Ok(()) => shared.works(),
                    Err(error) => shared.failed(error.clone()),
                }
            }
            for done in done {
                done.tell(result.is_ok());
            }
            keeper.sweep(SWEEP);
        }
    }

    fn open(path: &Path) -> Result<Keeper, StateError> {
        let file = StateFile::open(path)?;
        let counted = file::remove_passed(&file.connection, now())
            .and_then(|()| Room::count(&file.connection));
        let room = counted.map_err(|error| file.sql(&error))?;
        Ok(Keeper {
            file,
            room,
            swept: Instant::now(),
        })
    }

    /// One transaction. What was done counts only if it was committed.
    fn carry_out(&mut self, batch: &mut Vec<Order>) -> (Vec<Done>, Result<(), StateError>) {
        let mut done = Vec::with_capacity(batch.len());
        let mut result = self.file.check();
        let Keeper { file, room, .. } = self;
        let mut orders = batch.drain(..);
        let mut transact = || -> rusqlite::Result<()> {
            let behaviour = TransactionBehavior::Immediate;
            let transaction = file.connection.transaction_with_behavior(behaviour)?;
            for order in orders.by_ref() {
                carry_out(&transaction, room, order, &mut done)?;
            }
            transaction.commit()
        };
        if result.is_ok() {
            result = transact().map_err(|error| file.sql(&error));
        }
        // What wasn't come to is answered too, and what was counted for a commit that failed is counted anew.
        let begun = !done.is_empty();
        done.extend(orders.map(Order::undone));
        if result.is_err()
            && begun
            && let Ok(counted) = Room::count(&self.file.connection)
        {
            self.room = counted;
        }
        (done, result)
    }

    /// Removes what has passed, if that wasn't done for so long. A failure shows in the next batch.
    fn sweep(&mut self, after: Duration) {
        if self.swept.elapsed() < after {
            return;
        }
        self.swept = Instant::now();
        let connection = &self.file.connection;
        if file::remove_passed(connection, now()).is_ok()
            && let Ok(counted) = Room::count(connection)
        {
            self.room = counted;
        }
    }
}

impl Order {
    fn undone(self) -> Done {
        match self {
            Order::Take { reply, .. } => Done::Take(reply, Err(Refused::Store)),
            Order::Get { reply, .. } => Done::Get(reply, Err(Refused::Store)),
            Order::Put { reply, .. } => Done::Put(reply, Err(Refused::Store)),
        }
    }
}

/// Does one, and says what came of it. An error is the file's, and ends the batch: the operation is answered with the others.
fn carry_out(
    connection: &Connection,
    room: &mut Room,
    order: Order,
    done: &mut Vec<Done>,
) -> rusqlite::Result<()> {
    let mut failed = None;
    let mut settle = |error: rusqlite::Error| {
        failed = Some(error);
        Refused::Store
    };
    done.push(match order {
        Order::Take {
            sum,
            amount,
            most,
            reply,
        } => {
            let taken = take(connection, room, &sum, amount, most);
            Done::Take(reply, taken.map_err(&mut settle).and_then(|taken| taken))
        }
        Order::Get { name, reply } => {
            let value = file::read_value(connection, &name, now());
            Done::Get(reply, value.map_err(&mut settle))
        }
        Order::Put {
            name,
            value,
            seconds,
            only_new,
            reply,
        } => {
            let put = match only_new {
                true => put_new(connection, room, &name, &value, seconds),
                false => put(connection, room, &name, &value, seconds),
            };
            Done::Put(reply, put.map_err(&mut settle).and_then(|put| put))
        }
    });
    failed.map_or(Ok(()), Err)
}

fn take(
    connection: &Connection,
    room: &mut Room,
    sum: &Sum,
    amount: i64,
    most: i64,
) -> rusqlite::Result<Result<Option<i64>, Refused>> {
    let known = file::read_sum(connection, sum)?;
    let Some(to) = known.unwrap_or(0).checked_add(amount) else {
        return Ok(Err(Refused::Amount));
    };
    if amount > 0 && to > most {
        return Ok(Ok(None));
    }
    if amount == 0 {
        return Ok(Ok(Some(to)));
    }
    let held = room.of(&sum.owner);
    if to == 0 {
        // What was taken was given back, so it needn't wait for its window's end: of clients who were refused nothing stays. A sum that comes to 0
        // by an amount was there before: one that wasn't would come to that amount.
        held.sums = held.sums.saturating_sub(1);
        file::remove_sum(connection, sum)?;
        return Ok(Ok(Some(to)));
    }
    if known.is_none() {
        if held.sums >= SUMS {
            return Ok(Err(Refused::Full));
        }
        held.sums += 1;
    }
    file::write_sum(connection, sum, to)?;
    Ok(Ok(Some(to)))
}

fn put_new(
    connection: &Connection,
    room: &mut Room,
    name: &Name,
    value: &str,
    seconds: u32,
) -> rusqlite::Result<Result<bool, Refused>> {
    match file::read_value(connection, name, now())? {
        Some(_) => Ok(Ok(false)),
        None => put(connection, room, name, value, seconds),
    }
}

fn put(
    connection: &Connection,
    room: &mut Room,
    name: &Name,
    value: &str,
    seconds: u32,
) -> rusqlite::Result<Result<bool, Refused>> {
    let before = file::value_bytes(connection, name)?;
    let held = room.of(&name.owner);
    let values = held.values.saturating_sub(before.is_some().into());
    let bytes = held.bytes.saturating_sub(before.unwrap_or(0));
    if seconds == 0 {
        (held.values, held.bytes) = (values, bytes);
        return file::remove_value(connection, name).map(|()| Ok(true));
    }
    let more = value.len() as u64;
    if values >= VALUES || bytes + more > BYTES {
        return Ok(Err(Refused::Full));
    }
    (held.values, held.bytes) = (values + 1, bytes + more);
    file::write_value(connection, name, value, now() + i64::from(seconds))?;
    Ok(Ok(true))
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs() as i64
}
