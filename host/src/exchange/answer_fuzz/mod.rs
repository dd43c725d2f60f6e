//! Holding back, with stages that do what bytes say.
//!
//! Two ways to look at it. [`anyone`]: stages edit, fail and deny as they like; what must stay true of places is checked after
//! every step. [`rewriters`]: stages whose output is a function of the text alone, however they hold; then so is what comes out,
//! wherever the text was cut.

mod anyone;
mod rewriters;

use arbitrary::Unstructured;
use tokio::runtime::Builder;

use super::*;

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
fn next(script: &mut Unstructured<'_>, end: u8) -> u8 {
    script.arbitrary::<u8>().unwrap_or(0) % end
}

fn lane(number: u8) -> Lane {
    match number {
        0 => Lane::Content,
        1 => Lane::Reasoning,
        2 => Lane::Refusal,
        call => Lane::Tool(u32::from(call) - 3),
    }
}

/// A number for a lane, for maps.
fn number(lane: Lane) -> u32 {
    match lane {
        Lane::Content => 0,
        Lane::Reasoning => 1,
        Lane::Refusal => 2,
        Lane::Tool(call) => call + 3,
    }
}

fn place(chunk: u64) -> Place {
    Place { chunk, piece: 0 }
}
