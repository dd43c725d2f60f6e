//! `witgate compile`: what the gateway runs to have a component compiled in a process of its own. It is for no one else.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::policy::Job;

/// The arguments of `witgate compile`, as [`Job::args`] makes them.
#[derive(Debug, Args)]
pub(super) struct CompileArgs {
    job: Vec<OsString>,
}

/// Compiles the component that comes on standard input. Its log is what it says when it fails.
pub(super) fn run(args: &CompileArgs) -> ExitCode {
    let job = match Job::parse(&args.job) {
        Ok(job) => job,
        Err(error) => {
            eprintln!("witgate compile: {error}");
            return ExitCode::from(2);
        }
    };
    match job.run(std::io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.status())
        }
    }
}
