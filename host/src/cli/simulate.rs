//! `witgate simulate`: the Cerebras simulator alone.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use super::{Wrong, run};
use crate::server;
use crate::simulator::{self, Options, RateLimits};

/// Where the simulator listens unless told otherwise.
const ADDRESS: &str = "127.0.0.1:41080";

/// The arguments of `witgate simulate`.
#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    listen: String,
    /// How fast each choice is written; 0: as fast as it can be sent
    #[arg(long, value_name = "N", default_value_t = 2000.0)]
    tokens_per_second: f64,
    /// The only key that is right [default: any]
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Enforce the rate limits of an account of that kind
    #[arg(long, value_name = "ACCOUNT")]
    rate_limits: Option<Account>,
    /// Refuse penalties and their like, as Cerebras did before 2026
    #[arg(long)]
    legacy_penalties: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Account {
    Free,
    Paid,
}

pub(super) async fn simulate(args: SimulateArgs) -> Result<ExitCode, Wrong> {
    let listener = server::bind(&args.listen, "--listen").await?;
    let address = listener.local_addr()?;
    let options = Options {
        tokens_per_second: Some(args.tokens_per_second),
        api_key: args.api_key,
        rate_limits: args.rate_limits.map(|account| match account {
            Account::Free => RateLimits::FREE,
            Account::Paid => RateLimits::PAID,
        }),
        legacy_penalties: args.legacy_penalties,
        ..Options::default()
    };
    tracing::info!("Cerebras is simulated at http://{address}/v1");
    let stop = CancellationToken::new();
    tokio::spawn(run::stop_on_signal(stop.clone()));
    simulator::serve(listener, options, stop.cancelled_owned()).await?;
    Ok(ExitCode::SUCCESS)
}
