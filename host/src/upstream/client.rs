//! The HTTP client: how connections are made and kept.

use super::connections::{Connections, KEPT_CLIENTS};
use super::connector::Connector;
use super::trust::Trust;
use crate::config::{NoUsableTarget, PemError, TargetConfig};
use hyper_util::client::proxy::matcher::Matcher;
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
    /// The HTTP client could not be made.
    #[error("the HTTP client can't be made: {0}")]
    Client(String),
}

/// What of one answer may be on its way over HTTP/2 beyond what its client has taken: on the longest ways still some MiB a second.
pub(super) const STREAM_WINDOW: u32 = 256 << 10;

/// The same of all answers on one connection: enough for twice as many as share one, so that clients who don't read hold up nobody else.
pub(super) const CONNECTION_WINDOW: u32 = 64 << 20;

/// The gateway's `user-agent`.
pub(super) const USER_AGENT: &str = concat!("witgate/", env!("CARGO_PKG_VERSION"));

/// A connection could not be made in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it took too long")]
pub(super) struct TooLong;

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
    let tls = settings.trust.config(settings.http2);
    let tls = tls.map_err(|error| UpstreamError::Client(error.to_string()))?;
    let proxies = (!settings.direct).then(Matcher::from_system);
    let clients = if settings.http2 { KEPT_CLIENTS } else { 1 };
    let connector = Connector::new(tls, proxies, settings.connect);
    Ok(Connections::new(clients, connector))
}
