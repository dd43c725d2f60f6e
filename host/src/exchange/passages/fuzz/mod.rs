//! Holding back, with stages that do what bytes say.
//!
//! Two ways to look at it. [`anyone`]: stages edit, fail and deny as they like; what must stay true of places is checked after
//! every step. [`rewriters`]: stages whose output is a function of the text alone, however they hold; then so is what comes out,
//! wherever the text was cut.

pub(in crate::exchange) mod anyone;
pub(in crate::exchange) mod rewriters;

use arbitrary::Unstructured;
use tokio::runtime::Builder;

use std::borrow::Cow;

use tokio::time::Duration;

use super::*;
use crate::policy::types::Edit;

/// More steps than this find nothing new.
const STEPS: usize = 400;

/// The first byte says which of the two ways, the rest is the script.
pub(crate) fn hold_back(data: &[u8]) {
    let Some((way, script)) = data.split_first() else {
        return;
    };
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    let script = Unstructured::new(script);
    match way % 2 {
        0 => runtime.block_on(anyone::run(script)),
        _ => runtime.block_on(rewriters::run(script)),
    }
}

/// The next number of the script, below `end`; 0 once the script is over.
pub(in crate::exchange) fn next(script: &mut Unstructured<'_>, end: u8) -> u8 {
    script.arbitrary::<u8>().unwrap_or(0) % end
}

fn key(number: u8) -> ChannelKey {
    match number {
        0 => ChannelKey::Content,
        1 => ChannelKey::Reasoning,
        2 => ChannelKey::Refusal,
        call => ChannelKey::ToolArguments(u32::from(call) - 3),
    }
}

fn place(chunk: u64) -> TextRef {
    TextRef { chunk, piece: 0 }
}
