//! The gateway's counters, and how they are written for Prometheus.
//!
//! The rule: code on a request's path holds its handles already. Counting is then an atomic addition at a fixed place,
//! without label look-up, lock or allocation. Labels are closed sets, or the ids of the stages and targets that are
//! configured at the moment. What others name, policies' own counts and who asks, is looked up, and bounded.

mod callers;
mod histogram;
mod labels;
mod live;
mod named;
mod requests;
mod stage;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use prometheus_client::encoding::{MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use callers::Callers;
pub use histogram::Histogram;
pub use labels::{EditKind, Endpoint, Failover, FailureClass, Hook, HttpOutcome, VerdictKind};
pub use stage::{Decisions, StageMetrics};
pub use target::TargetMetrics;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The target of the line here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::metrics";

/// Every metric of the process. It is made once. The handles in it are cheap to clone, and clones share their counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: requests::Requests,
    stages: Arc<live::WeakHandles<StageMetrics>>,
    targets: Arc<live::WeakHandles<TargetMetrics>>,

    /// Requests by the principal of their client, where it has one.
    pub principals: Callers,
    /// Requests by the team of their client, where it has one.
    pub teams: Callers,
    /// Requests by the roles of their client: each counts for all that it has.
    pub roles: Callers,

    /// Client connections that are open on the traffic listener.
    pub connections: Gauge,
    /// TLS handshakes of clients that failed because the two sides don't agree.
    pub failed_handshakes: Counter,
    /// Certificates that were taken in place of the one before.
    pub certificates_renewed: Counter,
    /// Certificates that could not be used; the one before goes on being shown.
    pub certificates_refused: Counter,
    /// Exchanges that are running: their clients wait.
    pub exchanges_running: Gauge,
    /// Exchanges that aren't over: those that run, and those whose stages have yet to hear of the end.
    pub exchanges_open: Gauge,
    /// Requests refused because there was no room for them.
    pub exchanges_refused: Counter,
    /// Request bodies that are being read.
    pub bodies_reading: Gauge,
    /// Bytes of the budget that exchanges have with their bodies.
    pub memory: Gauge,
    /// Handlers that panicked.
    pub panics: Counter,
    /// Deltas that went through the chain. Add once per chunk or exchange, because all cores share this counter.
    pub deltas: Counter,
    /// Bytes of request bodies taken from clients.
    pub request_bytes: Counter,
    /// Bytes of answer bodies given to clients.
    pub answer_bytes: Counter,

    /// Reloads that put a new chain in place.
    pub reloads_ok: Counter,
    /// Reloads that were refused; the chain before stays.
    pub reloads_failed: Counter,
    /// Secrets that executables and Vaults were asked for again, with success.
    pub secrets_renewed: Counter,
    /// The same without success, or with a token that is about to end.
    pub secrets_not_renewed: Counter,
    /// Secrets that can't be had, or not anew.
    pub secrets_failing: Gauge,
    /// Rollbacks that an operator asked for.
    pub rollbacks_asked: Counter,
    /// Rollbacks of a chain that failed on probation.
    pub rollbacks_on_probation: Counter,
    /// The generation of the chain in place.
    pub generation: Gauge,
    /// Policy instances that are alive.
    pub instances_live: Gauge,
    /// Policy instances that were made.
    pub instances_created: Counter,

    /// Entries that the journal committed.
    pub journal_entries: Counter,
    /// Entries that were not kept as they were to be, and batches, probes and steps of retention that failed.
    pub journal_failures: Counter,
    /// Walks at the start that found the chain broken.
    pub journal_breaks: Counter,
    /// Least entries that wait for the disk.
    pub journal_owed: Gauge,
    /// Entries that wait for the journal.
    pub journal_queue: Gauge,
    /// Batches of what policies keep that could not be written or read.
    pub state_failures: Counter,
}

type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

impl Metrics {
    /// An empty set of metrics, all names beginning with `witgate_`.
    pub fn new() -> Self {
        let mut all = Registered(Registry::with_prefix("witgate"));

        let requests = requests::Requests::new();
        let stages = Arc::<live::WeakHandles<StageMetrics>>::default();
        let targets = Arc::<live::WeakHandles<TargetMetrics>>::default();
        all.0.register_collector(Box::new(requests.clone()));
        let collector = stage::StageCollector(Arc::clone(&stages));
        all.0.register_collector(Box::new(collector));
        let collector = target::TargetCollector(Arc::clone(&targets));
        all.0.register_collector(Box::new(collector));

        let principals = all.callers(
            "principal",
            "principal_requests",
            "Requests answered of clients that are known, by principal and class of status.",
        );
        let teams = all.callers(
            "team",
            "team_requests",
            "Requests answered of clients with a team, by team and class of status.",
        );
        let roles = all.callers(
            "role",
            "role_requests",
            "Requests answered of clients with roles, by each of their roles and class of status.",
        );

        let bytes = all.labelled("body_bytes", "Bytes of bodies, by direction");
        let reloads = all.labelled("reloads", "Reloads of the configuration, by result");
        let rollbacks = all.labelled("rollbacks", "Returns to the chain before, by cause");
        let secrets = all.labelled(
            "secret_renewals",
            "Times that an executable or a Vault was asked for a secret again, by result",
        );
        let certificates = all.labelled(
            "certificate_renewals",
            "Changes of the certificate's files, by result",
        );
        Self {
            requests,
            stages,
            targets,
            principals,
            teams,
            roles,
            connections: all.gauge("connections", "Client connections that are open"),
            failed_handshakes: all.counter(
                "tls_handshakes_failed",
                "TLS handshakes with clients that failed",
            ),
            certificates_renewed: certificates.get_or_create_owned(&[("result", "ok")]),
            certificates_refused: certificates.get_or_create_owned(&[("result", "failed")]),
            exchanges_running: all.gauge("exchanges_running", "Exchanges that are running"),
            exchanges_open: all.gauge(
                "exchanges_open",
                "Exchanges that run, or whose stages have yet to hear of the end",
            ),
            exchanges_refused: all.counter(
                "exchanges_refused",
                "Requests refused because there was no room for them",
            ),
            bodies_reading: all.gauge("bodies_reading", "Request bodies that are being read"),
            memory: all.gauge(
                "exchange_memory_bytes",
                "Bytes of the budget that exchanges have with their bodies",
            ),
            panics: all.counter("panics", "Handlers that panicked"),
            deltas: all.counter("deltas", "Deltas that went through the chain"),
            request_bytes: bytes.get_or_create_owned(&[("direction", "request")]),
            answer_bytes: bytes.get_or_create_owned(&[("direction", "answer")]),
            reloads_ok: reloads.get_or_create_owned(&[("result", "ok")]),
            reloads_failed: reloads.get_or_create_owned(&[("result", "failed")]),
            secrets_renewed: secrets.get_or_create_owned(&[("result", "ok")]),
            secrets_not_renewed: secrets.get_or_create_owned(&[("result", "failed")]),
            secrets_failing: all.gauge(
                "secrets_failing",
                "Secrets of executables and Vaults that can't be had, or not anew",
            ),
            rollbacks_asked: rollbacks.get_or_create_owned(&[("cause", "operator")]),
            rollbacks_on_probation: rollbacks.get_or_create_owned(&[("cause", "probation")]),
            generation: all.gauge("config_generation", "Generation of the chain in place"),
            instances_live: all.gauge("instances_live", "Policy instances that are alive"),
            instances_created: all.counter("instances_created", "Policy instances made"),
            journal_entries: all.counter("journal_entries", "Journal entries committed"),
            journal_failures: all.counter(
                "journal_failures",
                "Journal entries not kept as they were to be, and batches and probes of the journal that failed",
            ),
            journal_breaks: all.counter(
                "journal_breaks",
                "Walks along the journal's chain at a start that found it broken",
            ),
            journal_owed: all.gauge(
                "journal_owed",
                "Least entries, in the place of entries not kept, that wait for the disk",
            ),
            journal_queue: all.gauge("journal_queue", "Entries that wait for the journal"),
            state_failures: all.counter(
                "state_failures",
                "Batches of policies' counters and values that could not be kept",
            ),
            registry: all.0,
        }
    }

    /// The handle for a stage's counters. Take it once, when the chain is built, and hold it as long as the stage
    /// lives: the same id gives the same counters as long as anyone holds them.
    pub fn stage(&self, id: &str) -> Arc<StageMetrics> {
        let new = || StageMetrics::new(self.instances_live.clone(), self.instances_created.clone());
        self.stages.get(id, new)
    }

    /// The handle for a target's counters, to be used as that of [`Metrics::stage`].
    pub fn target(&self, id: &str) -> Arc<TargetMetrics> {
        self.targets.get(id, TargetMetrics::new)
    }

    /// Counts a request, once its status is known.
    #[inline]
    pub fn request(&self, endpoint: Endpoint, status: StatusCode) {
        self.requests.add(endpoint, status);
    }

    /// All metrics in the OpenMetrics text format, [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        if text::encode(&mut out, &self.registry).is_err() {
            // Writing into a string doesn't fail, and no encoder here makes an error of its own.
            tracing::error!(target: TARGET, "the metrics could not be written");
        }
        out
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A registry that returns the metric that it registers.
struct Registered(Registry);

impl Registered {
    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.0.register(name, help, counter.clone());
        counter
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.0.register(name, help, gauge.clone());
        gauge
    }

    fn callers(&mut self, of: &'static str, metric: &'static str, help: &'static str) -> Callers {
        let callers = Callers::new(of, metric, help);
        self.0.register_collector(Box::new(callers.clone()));
        callers
    }

    fn labelled(&mut self, name: &str, help: &str) -> Labelled {
        let family = Labelled::default();
        self.0.register(name, help, family.clone());
        family
    }
}

/// Writes one counter of a family.
fn encode_count<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    count: u64,
) -> fmt::Result {
    let exemplar: Option<&Exemplar<NoLabelSet, u64>> = None;
    family
        .encode_family(labels)?
        .encode_counter(&count, exemplar)
}
