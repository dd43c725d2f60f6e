//! `witgate run`: the gateway.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::HeaderValue;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::certificate::{self, CertificateArgs, Certificates};
use super::{Wrong, room, service, setup};
use crate::api::Share;
use crate::app::App;
use crate::config::Config;
use crate::control::{CliOverrides, Controller, Services, Trigger};
use crate::journal::{self, Entry, Journal, JournalError, Store};
use crate::metrics::Metrics;
use crate::server::{
    self, ADMIN_ADDRESS, Certificate, Inherited, ServerSettings, TRAFFIC_ADDRESS, serve_admin,
    serve_traffic,
};
use crate::simulator;
use crate::state::StateStore;

/// How long the stages of the last exchanges have for `on-complete`, once the listener has drained.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How often it is looked whether another process has ended that has the journal, and how often it is said that this is waited for.
const LOOK: Duration = Duration::from_millis(50);
const TELL: Duration = Duration::from_secs(10);

/// The arguments of `witgate run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Where clients connect
    #[arg(long, value_name = "ADDRESS", default_value = TRAFFIC_ADDRESS)]
    listen: String,
    /// Where health, metrics and status are
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN_ADDRESS)]
    admin: String,
    #[command(flatten)]
    tls: CertificateArgs,
    /// The configuration [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    policy_config: Option<PathBuf>,
    /// Stand a Cerebras simulator in for every target; no key is needed
    #[arg(long)]
    simulate: bool,
    /// How fast the simulator writes; 0: as fast as it can be sent
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2000.0,
        requires = "simulate"
    )]
    tokens_per_second: f64,
    /// Let anyone who can reach the listener in, also from other machines
    #[arg(long)]
    open: bool,
    /// Pages of this origin may use the gateway, such as https://app.example; may be given several times
    #[arg(long, value_name = "ORIGIN", value_parser = room::origin)]
    allow_origin: Vec<HeaderValue>,
    /// Memory that all exchanges may take with their bodies, such as 512MiB; past it a request is answered 503 [default: a quarter of
    /// what the process may have]
    #[arg(long, value_name = "SIZE", value_parser = room::size)]
    max_memory: Option<u64>,
    /// Percent of exchanges, bodies being read, connections and memory that one client or address may have; 100: all
    #[arg(long, value_name = "PERCENT", default_value_t = 75, value_parser = clap::value_parser!(u8).range(1..=100))]
    share: u8,
    /// Exchanges that may run at once; one more is answered 503
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_exchanges: u32,
    /// Seconds for which new requests are still taken when the gateway is stopped, while /readyz says that it stops: as long as what balances
    /// takes to notice
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    linger: u64,
    /// Seconds that running exchanges have to finish after that
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// Seconds to wait at the start for a journal that another process has, as for the one that this one takes over from: somewhat more than its
    /// --linger and --drain together
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    await_journal: u64,
}

pub(super) async fn run(args: RunArgs) -> Result<ExitCode, Wrong> {
    let source = setup::source(args.policy_config.clone());
    let config = source.load()?;
    let inherited = Inherited::take()?;
    let traffic = match inherited.traffic {
        Some(traffic) => traffic,
        None => server::bind(&args.listen, "--listen").await?,
    };
    let admin = match inherited.admin {
        Some(admin) => admin,
        None => server::bind(&args.admin, "--admin").await?,
    };
    let metrics = Arc::new(Metrics::new());
    let certificates = args.tls.read(&metrics)?;
    let elsewhere = |listener: &TcpListener| {
        let at = listener.local_addr()?.ip().to_canonical();
        Ok::<_, std::io::Error>(!at.is_loopback())
    };
    let mut overrides = CliOverrides {
        needs_clients: !args.open && elsewhere(&traffic)?,
        needs_admin_tokens: !args.tls.asks_for_certificates() && elsewhere(&admin)?,
        ..CliOverrides::default()
    };
    // Refused before anything is built, with the sentence of a reload.
    overrides.check(&config)?;

    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    // Until a handler is set, a hangup ends the process; and building the first chain takes a while.
    let hangup = signal(SignalKind::hangup())?;
    if args.simulate {
        overrides.upstream = Some(stand_in(args.tokens_per_second).await?);
    }

    let services = Services {
        sandbox: Arc::new(setup::sandbox(&config, args.max_exchanges)?),
        journal: stop
            .run_until_cancelled(open_journal(
                &config,
                Duration::from_secs(args.await_journal),
            ))
            .await
            .ok_or("stopped while it waited for the journal")??,
        state: StateStore::at(state_path(&config)?),
        metrics: metrics.clone(),
    };
    let controller = Controller::start(source, overrides, config, services.clone()).await?;
    for warning in controller.current().targets().warnings() {
        tracing::warn!("{warning}");
    }
    let max_memory = args.max_memory.unwrap_or_else(room::usual_memory);
    tracing::info!(
        "exchanges may take {} MiB with their bodies (--max-memory)",
        max_memory >> 20
    );
    announce(&controller, &certificates, &traffic, &admin)?;
    // Off to the side: whoever changed the file while nothing ran is found, and nobody waits for it.
    services.journal.walk();

    let app = Arc::new(App(controller.clone()));
    let (linger, drain) = (args.linger, args.drain);
    let usual = ServerSettings::default();
    let settings = ServerSettings {
        certificate: certificates.traffic.clone(),
        max_exchanges: args.max_exchanges,
        // As many exchanges as may run have a connection each, and as many connections again may be idle.
        max_connections: usual.max_connections.max(2 * args.max_exchanges as usize),
        max_memory,
        share: Share(args.share),
        origins: args.allow_origin.into(),
        linger: Duration::from_secs(linger),
        drain_deadline: Duration::from_secs(drain),
        ..usual
    };
    let admin_stop = CancellationToken::new();
    let router = server::admin_router(app.clone(), metrics.clone());
    let admin = tokio::spawn(serve_admin(
        admin,
        router,
        certificates.admin.clone(),
        admin_stop.clone(),
    ));
    tokio::spawn(controller.clone().watch(stop.clone()));
    let reloads = reload_on_signal(controller.clone(), certificates.all(), hangup, stop.clone());
    tokio::spawn(reloads);
    for certificate in certificates.all() {
        tokio::spawn(certificate::keep_new(certificate, stop.clone()));
    }
    let longest = settings.linger + settings.drain_deadline + LAST_WORDS;
    tokio::spawn(leave(controller.clone(), longest, stop.clone()));

    // Not before the sockets are served; systemd starts what comes after this one.
    service::ready();
    tokio::spawn(service::watchdog(admin_stop.clone()));
    let drained = serve_traffic(traffic, app, metrics, settings, stop).await;
    if drained.connections > 0 {
        tracing::warn!(
            "{} connections were cut at the drain deadline",
            drained.connections
        );
    }
    controller.tasks().close();
    if tokio::time::timeout(LAST_WORDS, controller.tasks().wait())
        .await
        .is_err()
    {
        let unheard = controller.tasks().len();
        tracing::warn!("{unheard} exchanges had stages that did not hear of their end");
        if unheard > 0 && controller.current().writes_journal() {
            services.journal.owe(unrecorded(unheard));
        }
    }
    services.journal.close().await;
    admin_stop.cancel();
    // Waits for the admin listener's last answers. If its task failed, there is nothing to wait for.
    let _ = admin.await;
    Ok(ExitCode::SUCCESS)
}

/// A simulator in this process, and its address.
pub(super) async fn stand_in(tokens_per_second: f64) -> Result<url::Url, Wrong> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let options = simulator::Options {
        tokens_per_second: Some(tokens_per_second),
        keyless: true,
        ..simulator::Options::default()
    };
    // The simulator lives as long as the process, because exchanges that drain still need it.
    tokio::spawn(simulator::serve(listener, options, std::future::pending()));
    Ok(url::Url::parse(&format!("http://{address}/v1"))?)
}

/// Where counters and values are kept, as soon as a stage keeps some.
fn state_path(config: &Config) -> Result<PathBuf, Wrong> {
    Ok(match config.state.path() {
        Some(path) => path.to_owned(),
        None => Store::default_path()?.with_file_name("state.db"),
    })
}

/// Opens the journal, and waits for so long until nobody else has it.
async fn open_journal(config: &Config, longest: Duration) -> Result<Journal, Wrong> {
    let path = match config.journal.path() {
        Some(path) => path.to_owned(),
        None => Store::default_path()?,
    };
    let options = journal::Options {
        immutable: config.journal.immutable,
        retention_days: config.journal.retention_days,
    };
    let until = Instant::now() + longest;
    let mut told = None;
    loop {
        let opened = Journal::open(&path, options).await;
        let Err(JournalError::InUse { path, by }) = &opened else {
            return Ok(opened?);
        };
        let now = Instant::now();
        if now >= until {
            return Ok(opened?);
        }
        if told.is_none_or(|told| now >= told + TELL) {
            let left = (until - now).as_secs();
            tracing::info!(
                journal = %path.display(),
                "waiting until {by} has ended, which writes the journal; connections wait in the listener's queue meanwhile, for {left} s more at most"
            );
            service::waiting(TELL + LAST_WORDS);
            told = Some(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The gateway ends before stages of so many exchanges could write their entries.
fn unrecorded(exchanges: usize) -> Entry {
    let unrecorded = json!({"failed": "on-complete", "class": "stopped", "exchanges": exchanges});
    Entry {
        stage: "@host".to_owned(),
        request_id: String::new(),
        body: json!({"code": "unrecorded", "unrecorded": unrecorded}).to_string(),
    }
}

fn announce(
    controller: &Controller,
    certificates: &Certificates,
    traffic: &TcpListener,
    admin: &TcpListener,
) -> Result<(), Wrong> {
    let scheme = |certificate: &Option<_>| match certificate {
        Some(_) => "https",
        None => "http",
    };
    let current = controller.current();
    let stages: Vec<&str> = current
        .chain()
        .stages()
        .iter()
        .map(|stage| &**stage.id())
        .collect();
    let chain = if stages.is_empty() {
        "no policies".to_owned()
    } else {
        stages.join(" > ")
    };
    tracing::info!(
        "witgate {} at {}://{}/v1 ({chain}); health, metrics and status at {}://{}",
        env!("CARGO_PKG_VERSION"),
        scheme(&certificates.traffic),
        traffic.local_addr()?,
        scheme(&certificates.admin),
        admin.local_addr()?,
    );
    Ok(())
}

/// Cancels on the first interrupt or termination; a second one ends the process at once.
pub(super) async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!("signals can't be heard; stop the process by killing it");
        return;
    };
    let mut first = true;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if !first {
            std::process::exit(1);
        }
        first = false;
        tracing::info!("stopping: running exchanges finish");
        stop.cancel();
    }
}

/// Says, as soon as the gateway is to stop, that it does.
async fn leave(controller: Arc<Controller>, longest: Duration, stop: CancellationToken) {
    stop.cancelled().await;
    controller.leave();
    service::stopping(longest);
}

async fn reload_on_signal(
    controller: Arc<Controller>,
    certificates: Vec<Arc<Certificate>>,
    mut hangup: Signal,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = hangup.recv() => {
                service::reloading();
                // The reload logs its success or failure itself.
                let _ = controller.reload(Trigger::Operator).await;
                for certificate in &certificates {
                    certificate::renew(certificate.clone()).await;
                }
                service::ready();
            }
        }
    }
}
