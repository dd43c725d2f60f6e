//! What every component may import: WASI, which leads nowhere, and the contract's own interfaces, a file each.

mod earlier;
mod host;
mod outcome;
mod request;

use wasmtime::component::{HasSelf, Linker};

use super::bindings::wit;
use super::guest::Guest;

impl wit::types::Host for Guest {}

/// Links all of it. Grants come on top.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wit::types::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    wit::request::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    wit::outcome::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    wit::host::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    earlier::link(linker)
}
