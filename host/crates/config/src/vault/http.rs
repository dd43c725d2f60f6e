//! One request to a Vault: bounded in time and size, and its faults in words that repeat nothing of what was said.

use std::error::Error as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::Value;

use super::super::pem::PemFile;
use super::VaultServer;

/// The largest answer, in bytes. A secret has many fields at times.
const LARGEST: usize = 1 << 20;

/// What a Vault said.
pub(super) struct Said {
    pub(super) status: StatusCode,
    /// Null where it wasn't JSON.
    pub(super) body: Value,
}

/// Does this on a thread of its own, with a runtime of its own, and leaves it behind when it takes longer than it may: a resolver that hangs
/// can't be told to stop. The thread that waits may be one on which a runtime waits for something already.
pub(super) fn in_time<T: Send + 'static>(
    time: Duration,
    work: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    let late = move || Err(format!("didn't answer within {time:?}"));
    let (send, done) = sync_channel(1);
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(send.send(Err(format!("can't be asked: {error}")))),
        };
        let result = runtime.block_on(async { tokio::time::timeout(time, work).await });
        // Whoever asked may not wait any more.
        let _ = send.send(result.unwrap_or_else(|_| late()));
        runtime.shutdown_background();
    };
    let thread = std::thread::Builder::new().name("vault".into()).spawn(run);
    if let Err(error) = thread {
        return Err(format!("can't be asked: {error}"));
    }
    done.recv_timeout(time + Duration::from_secs(1))
        .unwrap_or_else(|_| late())
}

/// The client for a Vault. `ca` is what is in its file.
pub(super) fn client(server: &VaultServer, ca: Option<&PemFile>) -> Result<Client, String> {
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static("x-vault-request"),
        HeaderValue::from_static("true"),
    );
    if let Some(namespace) = &server.namespace {
        let value = HeaderValue::try_from(namespace).map_err(|error| error.to_string())?;
        headers.insert(HeaderName::from_static("x-vault-namespace"), value);
    }
    let mut builder = Client::builder()
        .user_agent(concat!("witgate/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        // Each request has a runtime of its own, and connections end with theirs.
        .pool_max_idle_per_host(0)
        // A redirect would carry the token to where nobody allowed it to go.
        .redirect(redirect::Policy::none())
        .referer(false);
    if is_local(server) {
        builder = builder.no_proxy();
    }
    if let Some(ca) = ca {
        builder = builder.tls_built_in_root_certs(false);
        for root in ca.certificates().map_err(|error| unusable(&error))? {
            let root = reqwest::Certificate::from_der(&root);
            builder = builder.add_root_certificate(root.map_err(|error| unusable(&error))?);
        }
    }
    builder
        .build()
        .map_err(|error| format!("can't be asked: {}", cause(&error)))
}

/// Reads the file of its authorities.
pub(super) fn ca(file: &Path) -> Result<PemFile, String> {
    PemFile::read(file).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::error::Error) -> String {
    format!("can't be asked: ca_file: {error}")
}

fn is_local(server: &VaultServer) -> bool {
    let host = server.address.host_str().unwrap_or_default();
    let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}

/// Sends one request, to `path` below `/v1`.
pub(super) async fn ask(
    client: &Client,
    server: &VaultServer,
    method: Method,
    path: &str,
    token: Option<&HeaderValue>,
    body: Option<Value>,
) -> Result<Said, String> {
    let base = server.address.as_str().trim_end_matches('/');
    let mut request = client.request(method, format!("{base}/v1/{path}"));
    if let Some(token) = token {
        request = request.header("x-vault-token", token);
    }
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let unreachable = |error: &reqwest::Error| format!("can't be reached: {}", cause(error));
    let mut answer = request.send().await.map_err(|error| unreachable(&error))?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| unreachable(&error))? {
        if bytes.len() + piece.len() > LARGEST {
            return Err("says more than any secret should be".to_owned());
        }
        bytes.extend_from_slice(&piece);
    }
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(Said { status, body })
}

/// The innermost cause, which says what was wrong.
fn cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(|it| it.source()) {
        cause = Some(next);
    }
    cause.map_or_else(|| "no connection".to_owned(), ToString::to_string)
}

/// What a status means that isn't the one that was hoped for; `what` is what was asked for.
pub(super) fn refused(status: StatusCode, what: &str) -> String {
    match status.as_u16() {
        300..=399 => {
            "redirects, as a standby does; give the address of the active node, or of what balances"
                .to_owned()
        }
        400 => format!("doesn't understand what it is asked ({what}): status 400"),
        403 => format!("refuses {what}: the token has ended or is wrong, or its policy doesn't allow it"),
        429 => "has too much to do: status 429".to_owned(),
        472 | 473 => "is a standby that doesn't answer; give the address of the active node, or of what balances".to_owned(),
        503 => "is sealed, or under maintenance".to_owned(),
        status => format!("answers with status {status} ({what})"),
    }
}
