//! Three times as many clients as may be served: those that are let in must not feel the others, who are refused for next to nothing, and
//! memory must stay bounded.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::connection::{Connection, post};
use crate::figures::{Times, ms, ratio};
use crate::gauge::{memory, mib, processor_time, settled};
use crate::support::{Process, ask, bench};
use crate::upstream;

const CONFIG: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}\n\
                      providers: {targets: [{id: sim, provider: cerebras, base_url: \"http://@0/v1\"}]}";

/// What is asked: an answer of some twenty tokens, which takes the upstream some time.
const QUESTION: &str =
    "say: The cat sat on the mat, and nobody minded, for it was the cat's own mat after all.";
/// How fast the upstream writes, in tokens a second.
const PACE: f64 = 100.0;
/// How long who was refused waits until it asks again. It is told to wait for longer; but clients don't.
const PAUSE: Duration = Duration::from_millis(100);
/// What an exchange may take of memory past what the quiet ones took.
const EACH: u64 = 2 << 20;

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// How many may be served at once, and how long three times as many ask. Before it three quarters as many do, for half as long.
#[derive(Clone, Copy, Debug)]
pub struct Overload {
    pub cap: usize,
    pub time: Duration,
}

impl Overload {
    pub async fn run(&self) -> Report {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let upstreams = [upstream::simulated(Some(PACE)).await];
        let file = folder.path().join("policy-config.yaml");
        std::fs::write(&file, bench::complete(CONFIG, &upstreams, folder.path())).unwrap();
        let (file, cap) = (file.to_str().unwrap(), self.cap.to_string());
        let args = ["--policy-config", file, "--max-exchanges", &cap];
        let gateway = Arc::new(Process::with(folder.clone(), &args).await);
        // What is made once is made.
        let warm = Phase::run(&gateway, self.cap / 2, self.time / 10).await;
        let quiet = Phase::run(&gateway, self.cap * 3 / 4, self.time / 2).await;
        let loaded = Phase::run(&gateway, self.cap * 3, self.time).await;
        let exchanges = [&warm, &quiet, &loaded].map(|phase| phase.answered.len() as u64);
        // One entry for each, and nothing that is left.
        settled(&gateway, exchanges.iter().sum()).await;
        Report {
            cap: self.cap,
            quiet,
            loaded,
        }
    }
}

/// What some clients met who asked all the while.
#[derive(Debug, Default)]
struct Phase {
    clients: usize,
    answered: Times,
    refused: usize,
    /// Anything else.
    wrong: Vec<String>,
    processor: Duration,
    /// The most at any time.
    memory: u64,
    /// How long the admin listener took.
    admin: Times,
}

impl Phase {
    async fn run(gateway: &Arc<Process>, clients: usize, time: Duration) -> Phase {
        let stop = Arc::new(AtomicBool::new(false));
        let before = processor_time(gateway.id());
        let mut asking = JoinSet::new();
        for _ in 0..clients {
            asking.spawn(keep_asking(gateway.clone(), stop.clone()));
        }
        let (mut admin, mut most) = (Vec::new(), 0);
        let mut operator = Connection::open(gateway.admin).await;
        let began = Instant::now();
        while began.elapsed() < time {
            let asked = Instant::now();
            let (status, _) = operator.ask(HEALTH).await;
            assert_eq!(status, 200, "the admin listener answers");
            admin.push(asked.elapsed());
            most = memory(gateway.id()).max(most);
            tokio::time::sleep(PAUSE / 2).await;
        }
        stop.store(true, Relaxed);
        let mut phase = Phase {
            clients,
            memory: most,
            admin: admin.into_iter().collect(),
            ..Phase::default()
        };
        let mut answered = Vec::new();
        for client in asking.join_all().await {
            answered.extend(client.answered);
            phase.refused += client.refused;
            phase.wrong.extend(client.wrong);
        }
        phase.answered = answered.into_iter().collect();
        phase.processor = processor_time(gateway.id()) - before;
        phase
    }
}

#[derive(Default)]
struct Met {
    answered: Vec<Duration>,
    refused: usize,
    wrong: Vec<String>,
}

async fn keep_asking(gateway: Arc<Process>, stop: Arc<AtomicBool>) -> Met {
    let request = post(&ask(QUESTION));
    let mut connection = Connection::open(gateway.traffic).await;
    let mut met = Met::default();
    while !stop.load(Relaxed) {
        let asked = Instant::now();
        let (status, body) = connection.ask(&request).await;
        let text = String::from_utf8_lossy(body);
        match status {
            200 if text.matches(&QUESTION[5..]).count() == 1 => met.answered.push(asked.elapsed()),
            503 if text.contains("\"overloaded\"") => {
                met.refused += 1;
                tokio::time::sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
            }
            _ => met.wrong.push(format!("{status}: {text}")),
        }
    }
    met
}

/// What it came to.
#[derive(Debug)]
pub struct Report {
    cap: usize,
    quiet: Phase,
    loaded: Phase,
}

impl Report {
    /// What a refusal takes of the processor: what is left when those who were served have had what they had in quiet.
    fn refusal(&self) -> Duration {
        let each = self.quiet.processor.as_secs_f64() / self.quiet.answered.len().max(1) as f64;
        let rest = self.loaded.processor.as_secs_f64() - each * self.loaded.answered.len() as f64;
        Duration::from_secs_f64(rest.max(0.0) / self.loaded.refused.max(1) as f64)
    }

    /// The most memory that there may be.
    fn bound(&self) -> u64 {
        self.quiet.memory + self.cap as u64 * EACH
    }

    /// What must not have happened.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.loaded.refused == 0 {
            faults.push("nobody was refused".to_owned());
        }
        for (phase, name) in [(&self.quiet, "in quiet"), (&self.loaded, "past the cap")] {
            if let Some(wrong) = phase.wrong.first() {
                faults.push(format!(
                    "{} answers {name} are wrong, such as {wrong}",
                    phase.wrong.len()
                ));
            }
            if phase.answered.len() == 0 {
                faults.push(format!("nobody was answered {name}"));
            }
        }
        if self.loaded.memory > self.bound() {
            faults.push(format!("memory went past {}", mib(self.bound())));
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "overload: at most {} exchanges, answers of some 200 ms; CPU and memory are the gateway's",
            self.cap
        )?;
        writeln!(
            f,
            "{:<14}{:>9}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>14}{:>14}",
            "",
            "clients",
            "answered",
            "refused",
            "p50 ms",
            "p99 ms",
            "most ms",
            "CPU s",
            "most memory",
            "admin p99 ms"
        )?;
        for (name, phase) in [("quiet", &self.quiet), ("three times", &self.loaded)] {
            let at = |part| ms(phase.answered.at(part));
            writeln!(
                f,
                "{name:<14}{:>9}{:>10}{:>9}{:>9.1}{:>9.1}{:>9.1}{:>9.2}{:>14}{:>14.2}",
                phase.clients,
                phase.answered.len(),
                phase.refused,
                at(0.5),
                at(0.99),
                at(1.0),
                phase.processor.as_secs_f64(),
                mib(phase.memory),
                ms(phase.admin.at(0.99))
            )?;
        }
        let (quiet, loaded) = (&self.quiet.answered, &self.loaded.answered);
        writeln!(
            f,
            "{:<14}{:>28}{:>9.2}{:>9.2}{:>9.2}",
            "ratio",
            "",
            ratio(loaded.at(0.5), quiet.at(0.5)),
            ratio(loaded.at(0.99), quiet.at(0.99)),
            ratio(loaded.at(1.0), quiet.at(1.0))
        )?;
        writeln!(
            f,
            "a refusal takes {:.0} us of CPU; memory may go to {}",
            self.refusal().as_secs_f64() * 1e6,
            mib(self.bound())
        )?;
        match self.faults().as_slice() {
            [] => write!(f, "as it must be"),
            faults => write!(f, "NOT as it must be: {}", faults.join("; ")),
        }
    }
}
