//! The `witgate` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// An exchange allocates some hundreds of times, mostly little and briefly, and on whichever worker polls it: the system's allocator takes
/// more than a tenth of its time for that, this one half of it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    witgate::cli::main()
}
