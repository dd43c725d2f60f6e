//! The command line: a file a command.
//!
//! Exit codes: 0 fine, 1 something found wrong, 2 misused.

mod ask;
pub mod audit;
mod certificate;
mod check;
mod compile;
mod log;
mod policy;
mod rollback;
mod room;
mod run;
mod service;
mod setup;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use log::LogFormat;

/// A gateway in front of the Cerebras Inference API that runs WebAssembly policies around every request and every streamed
/// piece of every answer.
#[derive(Debug, Parser)]
#[command(name = "witgate", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Which log lines: a level, or a filter such as witgate=debug,policy=trace,info [default: $RUST_LOG, else info]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines are written: text or json
    #[arg(long, global = true, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Run(run::RunArgs),
    /// Load the configuration and every component, ask each target, and say what would happen
    Check(check::CheckArgs),
    /// Ask a model behind a running gateway, with every policy in force
    Ask(ask::AskArgs),
    /// Make a running gateway go back to the chain that it ran before
    Rollback(rollback::RollbackArgs),
    /// Run the Cerebras simulator alone
    Simulate(simulate::SimulateArgs),
    /// Work with a policy
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Verify, search and export the journal
    Audit(audit::AuditArgs),
    #[command(hide = true)]
    Compile(compile::CompileArgs),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Something found wrong: said in a sentence, with exit code 1.
type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Compile(args) = &cli.command {
        return compile::run(args);
    }
    let usual = match &cli.command {
        Command::Policy(command) => command.log(),
        _ => None,
    };
    if let Err(error) = log::init(cli.log.as_deref(), usual, cli.log_format) {
        eprintln!("witgate: {error}");
        return ExitCode::from(2);
    }
    let done = match cli.command {
        Command::Audit(args) => return audit::run(args),
        Command::Compile(args) => return compile::run(&args),
        Command::Run(args) => setup::runtime().and_then(|runtime| {
            let done = runtime.block_on(run::run(args));
            // What still reads a file that doesn't answer isn't waited for.
            runtime.shutdown_background();
            done
        }),
        Command::Check(args) => {
            setup::runtime().and_then(|runtime| runtime.block_on(check::check(args)))
        }
        Command::Ask(args) => setup::runtime().and_then(|runtime| runtime.block_on(ask::ask(args))),
        Command::Rollback(args) => {
            setup::runtime().and_then(|runtime| runtime.block_on(rollback::rollback(args)))
        }
        Command::Simulate(args) => {
            setup::runtime().and_then(|runtime| runtime.block_on(simulate::simulate(args)))
        }
        Command::Policy(command) => policy::command(command),
    };
    match done {
        Ok(code) => code,
        Err(wrong) => {
            eprintln!("witgate: {wrong}");
            ExitCode::from(1)
        }
    }
}
