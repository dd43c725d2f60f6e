//! The HTTP client: how connections are made and kept.

use super::connections::{Connections, KEPT_CLIENTS};
use super::trust::Trust;
use crate::config::{NoUsableTarget, PemError, TargetConfig};
use reqwest::redirect;
use std::time::Duration;
use url::Host;

/// Why the targets could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No target can be used.
    #[error(transparent)]
    NoTarget(#[from] NoUsableTarget),
    /// A key has characters that a header can't carry.
    #[error(
        "target `{target}`: its key has characters that no HTTP header can carry; set the key as the provider gave it"
    )]
    Key {
        /// The target's id.
        target: String,
    },
    /// A file of its certificates has not what it should have.
    #[error("target `{target}`: tls.{key}: {source}")]
    Pem {
        /// The target's id.
        target: String,
        /// The key of the configuration that names the file.
        key: &'static str,
        /// What is wrong with the file.
        source: PemError,
    },
    /// A certificate can't be used.
    #[error("target `{target}`: tls.{key}: {file}: it can't be used: {why}")]
    Tls {
        /// The target's id.
        target: String,
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client could not be made: most likely the system's certificates can't be read.
    #[error("the HTTP client can't be made: {0}")]
    Client(String),
}

/// What of one answer may be on its way over HTTP/2 beyond what its client has taken: on the longest ways still some MiB a second.
const STREAM_WINDOW: u32 = 256 << 10;

/// The same of all answers on one connection: enough for twice as many as share one, so that clients who don't read hold up nobody else.
const CONNECTION_WINDOW: u32 = 64 << 20;

/// The gateway's `user-agent`.
const USER_AGENT: &str = concat!("witgate/", env!("CARGO_PKG_VERSION"));

/// One pool of connections for each way to make them. Cloning a client shares its pool.
#[derive(Debug, Default)]
pub(super) struct Clients(Vec<(ClientSettings, Connections)>);

/// The settings of a client that can't be given with each request.
#[derive(Clone, Debug, PartialEq)]
struct ClientSettings {
    connect: Duration,
    /// Whether to ignore a proxy that the environment names. A target on this machine is reached directly.
    direct: bool,
    /// By what the target is recognised, and by what we are.
    trust: Trust,
    /// Whether HTTP/2 is spoken where it is offered.
    http2: bool,
}

impl Clients {
    /// The client for this target: one that exists already, one of `earlier`, or a new one.
    pub(super) fn client_for(
        &mut self,
        target: &TargetConfig,
        earlier: Option<&Clients>,
    ) -> Result<Connections, UpstreamError> {
        let settings = ClientSettings {
            connect: target.timeouts.connect,
            direct: is_local(target),
            trust: Trust::read(target)?,
            // It is offered in the TLS handshake alone.
            http2: target.http2 && target.base_url.scheme() == "https",
        };
        if let Some(client) = self.find(&settings) {
            return Ok(client);
        }
        let client = match earlier.and_then(|earlier| earlier.find(&settings)) {
            Some(client) => client,
            None => new_client(&settings)?,
        };
        self.0.push((settings, client.clone()));
        Ok(client)
    }

    fn find(&self, wanted: &ClientSettings) -> Option<Connections> {
        let (_, client) = self.0.iter().find(|(settings, _)| settings == wanted)?;
        Some(client.clone())
    }
}

fn is_local(target: &TargetConfig) -> bool {
    match target.base_url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn new_client(settings: &ClientSettings) -> Result<Connections, UpstreamError> {
    let clients = if settings.http2 { KEPT_CLIENTS } else { 1 };
    Connections::new(clients, || builder(settings))
        .map_err(|error| UpstreamError::Client(super::failure::sentence(&error)))
}

fn builder(settings: &ClientSettings) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(settings.connect)
        .tcp_nodelay(true)
        // A redirect would carry prompts, and perhaps the key, to where nobody allowed them to go.
        .redirect(redirect::Policy::none())
        .referer(false)
        // Bytes go on as they came, so nothing is decompressed. This is set here in case another crate turns on the
        // features.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        // A connection that died unnoticed would take every request that shares it along.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10));
    let builder = settings.trust.apply(builder);
    let builder = match settings.http2 {
        true => builder,
        false => builder.http1_only(),
    };
    match settings.direct {
        true => builder.no_proxy(),
        false => builder,
    }
}
