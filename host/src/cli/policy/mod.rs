//! `witgate policy`: what a policy's author does in a day, a file or a folder a command.
//!
//! - [`project`] is the folder that they work in, and its `policy.yaml`; [`component`] is a component as a command names it.
//! - [`new`] writes such a folder, [`build`] makes the component of it, [`test`] runs its samples, [`inspect`] shows what came of it.

mod build;
mod component;
mod inspect;
mod new;
mod project;
mod test;

use std::process::ExitCode;

use clap::Subcommand;

use super::{Wrong, setup};

/// The commands below `witgate policy`.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Write a small complete project: one policy, its samples, and how to build and try it
    New(new::NewArgs),
    /// Build a project's component by the language's own tools, and check that it runs
    Build(build::BuildArgs),
    /// Show what a component is: contract, hooks, imports, grants, size, digest, and what its author says of it
    Inspect(inspect::InspectArgs),
    /// Run a policy's samples, each at every cut of its answer
    Test(test::TestArgs),
}

pub(super) fn run(command: PolicyCommand) -> Result<ExitCode, Wrong> {
    match command {
        PolicyCommand::New(args) => new::new(&args),
        PolicyCommand::Build(args) => setup::runtime()?.block_on(build::build(args)),
        PolicyCommand::Inspect(args) => setup::runtime()?.block_on(inspect::inspect(args)),
        PolicyCommand::Test(args) => setup::runtime()?.block_on(test::test(args)),
    }
}
