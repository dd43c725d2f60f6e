//! A gateway in this process, between a client and simulators that record what reaches them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use witgate::api::Turns;
use witgate::app::App;
use witgate::config::Config;
use witgate::control::{CliOverrides, Controller, Services, Source};
use witgate::journal::{self, Journal};
use witgate::metrics::Metrics;
use witgate::policy::Sandbox;
use witgate::policy::engine::EngineSettings;
use witgate::server::{ServerSettings, admin_router, serve_admin, serve_traffic};
use witgate::simulator::{self, Recorder};
use witgate::state::StateStore;

use super::{Reply, Stream, Value, kept, policies, until};

/// One engine for all tests: making it, and compiling for it, is what takes time.
fn sandbox() -> Arc<Sandbox> {
    static SANDBOX: OnceLock<Arc<Sandbox>> = OnceLock::new();
    let make = || {
        let settings = EngineSettings {
            exchanges: 256,
            stages: 16,
            cache: Some(kept().join("compiled")),
            // Where others keep every core busy, a thread of low priority hardly gets a turn, and tests wait for what it compiles.
            compile_nice: 0,
            ..EngineSettings::default()
        };
        Arc::new(Sandbox::new(settings).unwrap())
    };
    SANDBOX.get_or_init(make).clone()
}

/// A simulator that answers the same bytes to the same request, and what reached it.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// What came.
    pub recorder: Arc<Recorder>,
    stop: CancellationToken,
}

impl Upstream {
    /// Writes as fast as it can.
    pub async fn simulated() -> Self {
        Self::with(simulator::Options::default()).await
    }

    /// Writes so many tokens a second.
    pub async fn paced(tokens_per_second: f64) -> Self {
        let options = simulator::Options {
            tokens_per_second: Some(tokens_per_second),
            ..simulator::Options::default()
        };
        Self::with(options).await
    }

    async fn with(options: simulator::Options) -> Self {
        let recorder = Arc::new(Recorder::new());
        let options = simulator::Options {
            keyless: true,
            frozen: Some(1_750_000_000),
            recorder: Some(recorder.clone()),
            ..options
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(simulator::serve(
            listener,
            options,
            stop.clone().cancelled_owned(),
        ));
        Upstream {
            address,
            recorder,
            stop,
        }
    }

    /// The bodies that reached it.
    pub fn bodies(&self) -> Vec<Value> {
        let requests = self.recorder.requests();
        requests
            .iter()
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The configuration as a test writes it: `@0`, `@1` are the upstreams' addresses. What is left out is filled in: the pack, a
/// target `sim` that takes any model, a journal in the test's own folder, and the headers that the tests' policies take orders from.
pub fn complete(text: &str, addresses: &[SocketAddr], folder: &Path) -> String {
    let own = ["@puppet", "@player", "@hostile"]
        .iter()
        .any(|it| text.contains(it));
    let mut text = policies::named(text);
    if own && !text.contains("headers:") {
        let chain = "policies: {";
        let headers =
            "headers: [x-puppet, x-other, x-shade, x-play, x-misdeed, x-team, user-agent], ";
        text = text.replacen(chain, &format!("{chain}{headers}"), 1);
    }
    if !text.contains("pack:") {
        text = format!("pack: {{name: e2e, version: 1.0.0, enabled: true}}\n{text}");
    }
    if !text.contains("providers:") {
        text +=
            "\nproviders: {targets: [{id: sim, provider: cerebras, base_url: \"http://@0/v1\"}]}";
    }
    if !text.contains("journal:") {
        text += &format!(
            "\njournal: {{store: \"sqlite:{}/journal.db\"}}\n",
            folder.display()
        );
    }
    for (number, address) in addresses.iter().enumerate() {
        text = text.replace(&format!("@{number}"), &address.to_string());
    }
    text
}

/// A gateway, its client, and its upstreams.
pub struct Bench {
    /// The gateway's own handle.
    pub gateway: Arc<Controller>,
    /// Where clients connect.
    pub traffic: SocketAddr,
    /// Where health, metrics and status are.
    pub admin: SocketAddr,
    /// Simulators, in the order in which they were given.
    pub upstreams: Vec<Upstream>,
    /// Configuration and journal.
    pub folder: TempDir,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The turns of what is large.
    pub turns: Turns,
    addresses: Vec<SocketAddr>,
    http: reqwest::Client,
    stop: CancellationToken,
}

impl Bench {
    /// With one simulator behind it.
    pub async fn of(config: &str) -> Self {
        Self::before(config, vec![Upstream::simulated().await]).await
    }

    /// With these simulators behind it.
    pub async fn before(config: &str, upstreams: Vec<Upstream>) -> Self {
        let addresses: Vec<SocketAddr> =
            upstreams.iter().map(|upstream| upstream.address).collect();
        let mut bench = Self::to(config, addresses).await;
        bench.upstreams = upstreams;
        bench
    }

    /// With whatever listens there behind it.
    pub async fn to(config: &str, addresses: Vec<SocketAddr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy-config.yaml");
        let text = complete(config, &addresses, folder.path());
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let metrics = Arc::new(Metrics::new());
        let store = config.journal.path().unwrap().to_owned();
        let options = journal::Options {
            immutable: false,
            retention_days: None,
        };
        let services = Services {
            sandbox: tokio::task::spawn_blocking(sandbox).await.unwrap(),
            journal: Journal::open(&store, options).await.unwrap(),
            state: StateStore::at(store.with_file_name("state.db")),
            metrics: metrics.clone(),
        };
        let source = Source::File(file);
        let started = Controller::start(source, CliOverrides::default(), config, services).await;
        let gateway = started.unwrap_or_else(|error| panic!("{error}"));

        let listener = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (traffic, admin) = (listener().await, listener().await);
        let addressed = |listener: &TcpListener| listener.local_addr().unwrap();
        let (traffic_at, admin_at) = (addressed(&traffic), addressed(&admin));
        let stop = CancellationToken::new();
        let app = Arc::new(App(gateway.clone()));
        let router = admin_router(app.clone(), metrics.clone());
        tokio::spawn(serve_admin(admin, router, None, stop.clone()));
        let turns = Turns::beside(1);
        let settings = ServerSettings {
            max_exchanges: 256,
            turns: turns.clone(),
            ..ServerSettings::default()
        };
        tokio::spawn(serve_traffic(
            traffic,
            app,
            metrics.clone(),
            settings,
            stop.clone(),
        ));
        tokio::spawn(gateway.clone().watch(stop.clone()));
        Bench {
            gateway,
            traffic: traffic_at,
            admin: admin_at,
            upstreams: Vec::new(),
            folder,
            metrics,
            turns,
            addresses,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop,
        }
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("policy-config.yaml")
    }

    /// Writes another configuration, in one step.
    pub fn configure(&self, text: &str) {
        let text = complete(text, &self.addresses, self.folder.path());
        let aside = self.folder.path().join("aside.yaml");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, self.file()).unwrap();
    }

    /// The first simulator.
    pub fn upstream(&self) -> &Upstream {
        &self.upstreams[0]
    }

    /// The client, for requests of another make.
    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends a chat request and reads the answer whole.
    pub async fn chat(&self, body: &Value) -> Reply {
        self.send(body.to_string(), &[]).await
    }

    /// The same with orders for the puppet.
    pub async fn puppet(&self, body: &Value, orders: Value) -> Reply {
        self.send(body.to_string(), &[("x-puppet", &orders.to_string())])
            .await
    }

    /// Sends these bytes with these headers.
    pub async fn send(&self, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Reply {
        Reply::read(self.request(body, headers).send().await.unwrap()).await
    }

    /// The same to another route.
    pub async fn send_to(
        &self,
        route: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let request = self.request_to(route, body, headers);
        Reply::read(request.send().await.unwrap()).await
    }

    /// Sends a chat request and leaves the answer's body to be read.
    pub async fn open(&self, body: &Value, headers: &[(&str, &str)]) -> Stream {
        self.open_at("chat/completions", body, headers).await
    }

    /// The same at another route.
    pub async fn open_at(&self, route: &str, body: &Value, headers: &[(&str, &str)]) -> Stream {
        let request = self.request_to(route, body.to_string(), headers);
        Stream::new(request.send().await.unwrap())
    }

    fn request(
        &self,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        self.request_to("chat/completions", body, headers)
    }

    fn request_to(
        &self,
        route: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let request = self
            .http
            .post(format!("http://{}/v1/{route}", self.traffic))
            .header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.body(body)
    }

    /// Sends a request for a text completion, with orders for the puppet.
    pub async fn complete(&self, body: &Value, orders: Value) -> Reply {
        self.post("/v1/completions", body, orders).await
    }

    /// Sends a request of any route, with orders for the puppet.
    pub async fn post(&self, path: &str, body: &Value, orders: Value) -> Reply {
        self.post_with(path, body, &[("x-puppet", &orders.to_string())])
            .await
    }

    /// The same with these headers.
    pub async fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
        let url = format!("http://{}{path}", self.traffic);
        let request = self.http.post(url).body(body.to_string());
        let request = request.header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        Reply::read(request.send().await.unwrap()).await
    }

    /// Sends these bytes to any route, with these headers and no others.
    pub async fn post_bytes(&self, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
        let request = self.http.post(format!("http://{}{path}", self.traffic));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        Reply::read(request.body(body).send().await.unwrap()).await
    }

    /// A GET below the traffic listener.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::read(
            self.http
                .get(format!("http://{}{path}", self.traffic))
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// A GET below the admin listener.
    pub async fn ask_admin(&self, path: &str) -> Reply {
        Reply::read(
            self.http
                .get(format!("http://{}{path}", self.admin))
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// A POST without a body below the admin listener.
    pub async fn tell_admin(&self, path: &str) -> Reply {
        let url = format!("http://{}{path}", self.admin);
        Reply::read(self.http.post(url).send().await.unwrap()).await
    }

    /// What the upstream says to this very body when nobody stands between.
    pub async fn straight(&self, body: impl Into<reqwest::Body>) -> Reply {
        self.straight_to("chat/completions", body).await
    }

    /// The same of another route.
    pub async fn straight_to(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        let url = format!("http://{}/v1/{path}", self.addresses[0]);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json");
        Reply::read(request.body(body).send().await.unwrap()).await
    }

    /// What `/status` says.
    pub async fn status(&self) -> Value {
        self.ask_admin("/status").await.json()
    }

    /// Waits until `/status` says of the last reload what is wanted, and returns all of it.
    pub async fn reloaded(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waited = tokio::time::timeout(super::DEADLINE / 2, async {
            loop {
                last = self.status().await;
                if wanted(&last["last_reload"]) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let in_time = waited.await;
        assert!(in_time.is_ok(), "waited in vain until {what}: {last}");
        last
    }

    /// Waits until no exchange is left, and checks that none left anything behind.
    pub async fn settled(&self) {
        until("every exchange is over", async || {
            let running = self.metrics.exchanges_running.get() + self.metrics.instances_live.get();
            (running == 0 && self.gateway.tasks().is_empty()).then_some(())
        })
        .await;
        assert_eq!(self.metrics.panics.get(), 0, "a handler panicked");
    }

    /// The journal's entries, when no exchange is left.
    pub async fn journal(&self) -> Vec<Value> {
        self.settled().await;
        entries(&self.folder.path().join("journal.db"))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The bodies of a journal's entries, in order.
pub fn entries(journal: &Path) -> Vec<Value> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(journal, flags).unwrap();
    let mut select = database
        .prepare("SELECT body FROM entries ORDER BY seq")
        .unwrap();
    let bodies = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    bodies
        .map(|body| serde_json::from_str(&body.unwrap()).unwrap())
        .collect()
}
