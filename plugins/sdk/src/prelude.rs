//! Everything that most policies need, in one `use witgate_policy::prelude::*`.
//!
//! To print, import the macro by name: `use witgate_policy::prelude::{println, *};`. It writes to the host's log. Without
//! the name, `println!`, `eprintln!`, `print!`, `eprint!` and `dbg!` don't compile, on purpose: [`print`](crate::print)
//! says why.

pub use crate::print::{dbg, eprint, eprintln, print, println};
pub use crate::{
    Account, Channel, DataPolicy, Delta, Denial, Edit, Ending, Finding, Hooks, Level, NoSettings,
    OtherChannel, Passage, Policy, Replacement, Role, Sanction, Segment, Target, Text, Tool,
    ToolCall, Usage, Verdict, host, log, outcome, report, request,
};
pub use serde::Deserialize;
