//! A snapshot with less to set up for each exchange: the same policy, of two core instances instead of three, with the imports that it needs.
//!
//! What `wit-component` makes of a module that a compiler wrote is three core modules: the main one, whose imports take its own memory, and so
//! can't be there before it is; one of stand-ins (the shim), which the main one imports in their place; and one that puts the real ones behind
//! those (the fixup). Each exchange would pay for setting up all three. Here the memory moves into a module of its own, with all that it
//! holds and with stand-ins for the few functions of the main one that the host calls while it lends a hand. Then every import is there
//! before the main module, and is called without a stand-in.
//!
//! And what WASI answers in a sandbox is mostly the same each time (there is no environment, no terminal): the module answers that itself
//! ([`constant`]). About half of what a policy in Rust imports is such.
//!
//! What must stay true: a component does as it did. One that isn't exactly as `wit-component` makes them stays as it is.

mod constant;
mod main_module;
mod memory_module;
mod shape;
#[cfg(test)]
mod tests;
mod writer;

use wasmparser::{Validator, WasmFeatures};

use shape::Shape;

/// The same policy with less to set up.
///
/// # Errors
/// Why it stays as it is.
pub(super) fn slim(component: &[u8]) -> Result<Vec<u8>, NotSlim> {
    let shape = Shape::of(component)?;
    let slimmed = writer::write(&shape)?;
    Validator::new_with_features(WasmFeatures::all()).validate_all(&slimmed)?;
    Ok(slimmed)
}

/// Why a component stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSlim {
    #[error("it isn't of the shape that wit-component makes: {0}")]
    Shape(&'static str),
    #[error("it can't be read: {0}")]
    Read(#[from] wasmparser::BinaryReaderError),
    #[error("it can't be written: {0}")]
    Written(#[from] wasm_encoder::reencode::Error),
}

/// The value, or the reason why a component stays as it is.
trait OrElse<T> {
    fn or_not(self, why: &'static str) -> Result<T, NotSlim>;
}

impl<T> OrElse<T> for Option<T> {
    fn or_not(self, why: &'static str) -> Result<T, NotSlim> {
        self.ok_or(NotSlim::Shape(why))
    }
}

fn only_if(holds: bool, why: &'static str) -> Result<(), NotSlim> {
    holds.then_some(()).or_not(why)
}
