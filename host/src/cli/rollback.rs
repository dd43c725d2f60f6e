//! `witgate rollback`: a running gateway goes back to the chain that it ran before.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::{Certificate, ClientBuilder, Identity};
use serde_json::Value;

use super::{Format, Wrong};
use crate::config::{PemFile, Secret, SecretRef};
use crate::server::ADMIN_ADDRESS;

/// How long a gateway may take: the chain may have to be compiled anew.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Where a token is looked for unless told otherwise.
const TOKEN: &str = "WITGATE_ADMIN_TOKEN";

/// The arguments of `witgate rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The admin address of the gateway; where it speaks TLS, with https:// before it
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN_ADDRESS)]
    admin: String,
    /// Certificates of authorities one of which must have signed the gateway's, in place of the system's: PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What is shown to a gateway that wants to know who asks: PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key: PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The file with an operator's token, where the gateway wants one [default: the environment variable WITGATE_ADMIN_TOKEN, if it is set]
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn rollback(args: RollbackArgs) -> Result<ExitCode, Wrong> {
    let url = match args.admin.contains("://") {
        true => format!("{}/rollback", args.admin.trim_end_matches('/')),
        false => format!("http://{}/rollback", args.admin),
    };
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    let client = recognised(client, &args)?.build()?;
    let mut request = client.post(&url);
    if let Some(token) = token(&args)? {
        request = request.bearer_auth(token.expose());
    }
    let unreachable = |error: reqwest::Error| {
        let why = crate::upstream::sentence(&error.without_url());
        format!(
            "no gateway answers at {}: {why}; is it running, and is this its --admin address?",
            args.admin
        )
    };
    let answer = request.send().await.map_err(unreachable)?;
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

/// The token, which is in no list of processes and in no shell's history.
fn token(args: &RollbackArgs) -> Result<Option<Secret>, Wrong> {
    let reference = match &args.admin_token_file {
        Some(file) => SecretRef::File(file.clone()),
        None if std::env::var_os(TOKEN).is_some_and(|token| !token.is_empty()) => {
            SecretRef::Env(TOKEN.to_owned())
        }
        None => return Ok(None),
    };
    Ok(Some(reference.read()?))
}

/// With what the gateway is recognised by, and what it recognises us by.
fn recognised(mut client: ClientBuilder, args: &RollbackArgs) -> Result<ClientBuilder, Wrong> {
    if let Some(ca) = &args.ca {
        client = client.tls_built_in_root_certs(false);
        for root in PemFile::read(ca)?.certificates()? {
            client = client.add_root_certificate(Certificate::from_der(&root)?);
        }
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        let (cert, key) = (PemFile::read(cert)?, PemFile::read(key)?);
        let pem = [cert.expose(), b"\n", key.expose()].concat();
        client = client.identity(Identity::from_pem(&pem)?);
    }
    Ok(client)
}
