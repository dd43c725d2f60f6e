//! `witgate rollback`: a running gateway goes back to the chain that it ran before.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Format, Wrong};
use crate::server::ADMIN_ADDRESS;

/// How long a gateway may take: the chain may have to be compiled anew.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The arguments of `witgate rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The admin address of the gateway
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN_ADDRESS)]
    admin: String,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn rollback(args: RollbackArgs) -> Result<ExitCode, Wrong> {
    let url = format!("http://{}/rollback", args.admin);
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()?;
    let unreachable = |error: reqwest::Error| {
        let why = error.without_url();
        format!(
            "no gateway answers at {}: {why}; is it running, and is this its --admin address?",
            args.admin
        )
    };
    let answer = client.post(&url).send().await.map_err(unreachable)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(unreachable)?;
    let stranger = |_| {
        format!(
            "what answers at {} is no admin listener of witgate's",
            args.admin
        )
    };
    let body: Value = serde_json::from_slice(&body).map_err(stranger)?;
    if !status.is_success() {
        let said = body["message"].as_str().unwrap_or("it gives no reason");
        return Err(format!("the gateway did not roll back: {said}").into());
    }
    match args.format {
        Format::Json => println!("{body}"),
        Format::Text => println!(
            "rolled back: generation {} runs, {}\nthe files were not changed; they are loaded again when one of them changes",
            body["generation"],
            body["chain"].as_str().unwrap_or_default()
        ),
    }
    Ok(ExitCode::SUCCESS)
}
