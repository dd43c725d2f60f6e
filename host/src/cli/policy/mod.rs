//! `witgate policy`: what a policy's author does in a day, a file or a folder a command.
//!
//! - [`project`] is the folder that they work in, and its `policy.yaml`; [`component`] is a component as a command names it.
//! - [`new`] writes such a folder, [`build`] makes a component of it, [`test`] runs its samples, [`mod@run`] lets one talk to it, [`bench`] measures it, [`inspect`] shows what it is.

mod bench;
mod build;
mod component;
mod inspect;
mod new;
mod project;
mod run;
mod test;

use std::process::ExitCode;

use clap::Subcommand;

use super::{Wrong, setup};

/// The commands below `witgate policy`.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Write a small complete project: one policy, its samples, and how to build and try it
    New(new::NewArgs),
    /// Build a policy's project by the language's own tools, and check what comes of it
    Build(build::BuildArgs),
    /// Run a gateway with that one policy before a simulated model, and talk to it while it is changed
    Run(run::RunArgs),
    /// Measure what a policy costs, beside an empty one
    Bench(bench::BenchArgs),
    /// Show what a component is: contract, hooks, imports, grants, size, digest, and what its author says of it
    Inspect(inspect::InspectArgs),
    /// Run a policy's samples, each at every cut of its answer
    Test(test::TestArgs),
}

pub(super) fn command(command: PolicyCommand) -> Result<ExitCode, Wrong> {
    match command {
        PolicyCommand::New(args) => new::new(&args),
        PolicyCommand::Build(args) => setup::runtime()?.block_on(build::build(args)),
        PolicyCommand::Run(args) => {
            let runtime = setup::runtime()?;
            let done = runtime.block_on(run::run(args));
            // Nobody waits for a line on standard input any more.
            runtime.shutdown_background();
            done
        }
        PolicyCommand::Bench(args) => setup::runtime()?.block_on(bench::bench(args)),
        PolicyCommand::Inspect(args) => setup::runtime()?.block_on(inspect::inspect(args)),
        PolicyCommand::Test(args) => setup::runtime()?.block_on(test::test(args)),
    }
}

impl PolicyCommand {
    /// Which log lines are written where nothing else is said: where someone talks to a policy, what it says and what is wrong.
    pub(super) fn log(&self) -> Option<&'static str> {
        matches!(self, PolicyCommand::Run(_)).then_some("warn,policy=trace")
    }
}
