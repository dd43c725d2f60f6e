//! A store with every limit armed, and what its clock does.

use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};

use super::guest::Guest;
use super::limits::{GUEST_HANDLES, OUTPUT};
use super::meter;

/// A store with every limit armed.
pub(super) fn store(engine: &Engine, guest: Guest) -> Store<Guest> {
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.epoch_deadline_callback(on_tick);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(OUTPUT);
    store.set_max_component_handles(GUEST_HANDLES);
    store
}

/// At each tick that finds the guest running: count what it ran, then let other tasks run, or end it. Time in which the guest
/// waits, for its turn or for the host, isn't counted.
fn on_tick(mut store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    store.data_mut().exchange.cpu.ticked(meter::ran())?;
    meter::give_way();
    // tokio's own yield goes to the back of the queue; wasmtime's would be polled again at once.
    Ok(UpdateDeadline::YieldCustom(
        1,
        Box::pin(tokio::task::yield_now()),
    ))
}
