//! `witgate policy run`: a gateway with one policy before a simulated model, to talk to while the policy is changed.
//!
//! It is the gateway that `witgate run` is, with a configuration of its own in a folder that goes with the process. [`subject`] is what is
//! watched and built; [`talk`] asks and shows what became of it. Without a terminal it reads its lines from standard input and ends with them.

mod subject;
mod talk;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::subject::Subject;
use self::talk::Talk;
use super::component::{Component, settings};
use crate::app::App;
use crate::cli::run::stop_on_signal;
use crate::cli::{Wrong, setup};
use crate::control::{CliOverrides, Controller, Reloaded, Services, Source, Trigger, watch_files};
use crate::journal::{self, Journal};
use crate::metrics::Metrics;
use crate::server::{self, ServerSettings, serve_traffic};
use crate::simulator::{self, Recorder};
use crate::state::StateStore;

/// Exchanges that may run at once: there is one author.
const EXCHANGES: u32 = 32;

/// The arguments of `witgate policy run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// The component: a file, the folder of a project, which is built anew whenever it changes, or `bundled:NAME`
    #[arg(default_value = ".")]
    component: PathBuf,
    /// The policy's configuration, as JSON, or as @FILE with JSON in it [default: the project's, else none]
    #[arg(long, value_name = "JSON|@FILE", value_parser = settings)]
    settings: Option<Value>,
    /// Where clients connect, for whoever wants to ask by other means [default: a free port]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// How fast the model writes; 0: as fast as it can be sent
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    tokens_per_second: f64,
    /// Don't read lines; stop with Ctrl-C
    #[arg(long)]
    no_prompt: bool,
}

pub(super) async fn run(args: RunArgs) -> Result<ExitCode, Wrong> {
    let component = Component::named(&args.component)?;
    let folder = tempfile::tempdir()?;
    let subject = Arc::new(Subject::new(
        component,
        args.settings,
        folder.path().join("policy-config.yaml"),
    ));
    subject.prepare().await?;
    subject.configure()?;

    let recorder = Arc::new(Recorder::new());
    let model = simulate(args.tokens_per_second, recorder.clone()).await?;
    let source = Source::File(subject.configuration().to_owned());
    let config = source.load()?;
    let metrics = Arc::new(Metrics::new());
    let services = Services {
        sandbox: Arc::new(setup::sandbox(&config, EXCHANGES)?),
        journal: Journal::open(
            &folder.path().join("journal.db"),
            journal::Options::default(),
        )
        .await?,
        state: StateStore::at(folder.path().join("state.db")),
        metrics: metrics.clone(),
    };
    let overrides = CliOverrides {
        upstream: Some(model.clone()),
        ..CliOverrides::default()
    };
    let controller = Controller::start(source, overrides, config, services.clone()).await?;
    let traffic = server::bind(&args.listen, "--listen").await?;
    let gateway = url::Url::parse(&format!("http://{}/v1/", traffic.local_addr()?))?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let settings = ServerSettings {
        max_exchanges: EXCHANGES,
        ..ServerSettings::default()
    };
    let app = Arc::new(App(controller.clone()));
    let serving = tokio::spawn(serve_traffic(traffic, app, metrics, settings, stop.clone()));
    tokio::spawn(keep_new(subject.clone(), controller.clone(), stop.clone()));

    println!("{subject}: running at {gateway} before a simulated model; any API key will do");
    if let Some(what) = subject.watched() {
        println!("{what} is watched: save a change, and ask again");
    }
    let talk = Talk::new(gateway, model, recorder, controller);
    if args.no_prompt {
        stop.cancelled().await;
    } else {
        converse(&talk, &stop).await;
    }
    stop.cancel();
    let _ = serving.await;
    services.journal.close().await;
    Ok(ExitCode::SUCCESS)
}

/// A simulator that keeps what it is asked, and says the same to the same.
async fn simulate(tokens_per_second: f64, recorder: Arc<Recorder>) -> Result<url::Url, Wrong> {
    let listener = server::bind("127.0.0.1:0", "--listen").await?;
    let address = listener.local_addr()?;
    let options = simulator::Options {
        tokens_per_second: Some(tokens_per_second),
        keyless: true,
        recorder: Some(recorder),
        frozen: Some(1_700_000_000),
        ..simulator::Options::default()
    };
    tokio::spawn(simulator::serve(listener, options, std::future::pending()));
    Ok(url::Url::parse(&format!("http://{address}/v1/"))?)
}

/// Builds what changed and puts it in the place of what runs. What can't be built is told, and what ran goes on.
async fn keep_new(subject: Arc<Subject>, controller: Arc<Controller>, stop: CancellationToken) {
    let watched = tokio::sync::watch::Sender::new(subject.files());
    let again = || async {
        watched.send_if_modified(|known| {
            let files = subject.files();
            let other = *known != files;
            *known = files;
            other
        });
        let made = match subject.prepare().await {
            Ok(()) => subject.configure(),
            Err(wrong) => Err(wrong),
        };
        if let Err(wrong) = made {
            println!("\n✗ {wrong}\n  what ran before goes on");
            return;
        }
        match controller.reload(Trigger::Change).await {
            Ok(Reloaded::Swapped(_)) => println!("\n✓ {subject}: the change runs"),
            Ok(Reloaded::Unchanged) => {}
            Err(error) => println!("\n✗ {error}\n  what ran before goes on"),
        }
    };
    watch_files(watched.subscribe(), again, stop).await;
}

/// Asks line by line, until there are no more.
async fn converse(talk: &Talk, stop: &CancellationToken) {
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        println!(
            "type what a user says, or a whole request as JSON; `say: ...` makes the model say just that; Ctrl-D ends\n"
        );
    }
    let mut lines = lines();
    loop {
        if terminal {
            print!("> ");
            let _ = std::io::stdout().flush();
        }
        let line = stop.run_until_cancelled(lines.recv()).await.flatten();
        let Some(line) = line else {
            return;
        };
        if line.trim().is_empty() {
            continue;
        }
        match talk.ask(line.trim()).await {
            Ok(shown) => println!("{shown}"),
            Err(wrong) => println!("✗ {wrong}\n"),
        }
    }
}

/// Lines of standard input, read on a thread that may wait for ever.
fn lines() -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
