//! The first of two targets is killed under load, and comes back: nobody may lose an answer but those whose stream had begun, nobody may get
//! one twice, and both ways must be found.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::figures::{Times, ms};
use crate::support::process::witgate;
use crate::support::{Process, Reply, Value, ask, ask_stream, bench, until};
use crate::upstream;

const FIRST: &str = "first";

/// The text of a stream, and that of a whole answer.
const LONG: &str = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty";
const SHORT: &str = "one two three";

/// How hard they ask, and for how long before, while and after the first target is away.
#[derive(Clone, Copy, Debug)]
pub struct Failover {
    /// Streams that are open at any time.
    pub streams: usize,
    /// Requests a second beside them.
    pub requests: u32,
    /// Tokens a second, of each answer.
    pub pace: f64,
    pub before: Duration,
    pub away: Duration,
    /// Counts from when the first target answers again.
    pub after: Duration,
}

/// A target in a process of its own, that can be killed. Killed when dropped.
struct Target(Child);

impl Target {
    async fn start(folder: &Path, at: SocketAddr, pace: f64) -> Self {
        let mut command = witgate(folder);
        command.args(["simulate", "--listen", &at.to_string()]);
        command.args(["--tokens-per-second", &pace.to_string()]);
        let target = Target(command.stderr(Stdio::null()).spawn().unwrap());
        until("the target listens", async || {
            tokio::net::TcpStream::connect(at).await.ok()
        })
        .await;
        target
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How an exchange ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// Its stream had begun and broke off.
    Cut,
    /// Anything else.
    Lost(String),
}

/// An exchange, as its client met it.
#[derive(Clone, Debug)]
struct Met {
    asked: Instant,
    /// When the answer's head came.
    head: Instant,
    over: Instant,
    first: bool,
    end: End,
}

struct Clients {
    gateway: Process,
    http: reqwest::Client,
    met: Mutex<Vec<Met>>,
    stop: AtomicBool,
}

impl Clients {
    async fn ask(&self, streamed: bool) {
        let text = if streamed { LONG } else { SHORT };
        let question = format!("say: {text}");
        let body = if streamed {
            ask_stream(&question)
        } else {
            ask(&question)
        };
        let asked = Instant::now();
        let url = format!("http://{}/v1/chat/completions", self.gateway.traffic);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json");
        let sent = request.body(body.to_string()).send().await;
        let head = Instant::now();
        let (first, end) = match sent {
            Err(error) => (false, End::Lost(format!("no answer: {error}"))),
            Ok(answer) => {
                let reply = Reply::read(answer).await;
                let first = reply.header("x-witgate-target") == FIRST;
                (first, end(&reply, streamed, text))
            }
        };
        let met = Met {
            asked,
            head,
            over: Instant::now(),
            first,
            end,
        };
        self.met.lock().push(met);
    }

    /// Whether the first target has answered, or another one, since then.
    fn answered_since(&self, since: Instant, first: bool) -> Option<Instant> {
        let met = self.met.lock();
        let fits = |it: &&Met| it.asked >= since && it.first == first && it.end == End::Whole;
        met.iter().filter(fits).map(|it| it.head).min()
    }
}

fn end(reply: &Reply, streamed: bool, text: &str) -> End {
    let lost = |why: &str| End::Lost(format!("{why}: {} {}", reply.status, reply.text()));
    if reply.status != 200 {
        return lost("refused");
    }
    if !streamed {
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let said = said["choices"][0]["message"]["content"].as_str();
        return if said == Some(text) {
            End::Whole
        } else {
            lost("another answer")
        };
    }
    let broke = reply.broken.is_some() || !reply.is_done() || reply.text().contains("\"error\":");
    let said = reply.said_or_nothing();
    match broke {
        // What it had so far must be the beginning of it.
        true if text.starts_with(said.content()) => End::Cut,
        false if said.content() == text => End::Whole,
        _ => lost("another answer"),
    }
}

impl Failover {
    pub async fn run(&self) -> Report {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        let target = Target::start(folder.path(), at, self.pace).await;
        let upstreams = [at, upstream::simulated(Some(self.pace)).await];
        std::fs::write(folder.path().join("key"), "csk-1234").unwrap();
        let config = format!(
            "policies: {{chain: [prompt-injection, pii-detector, audit-logger]}}\n\
             providers: {{targets: [\
               {{id: {FIRST}, provider: cerebras, base_url: \"http://@0/v1\", secret_key_ref: {{file: \"{}/key\"}}}}, \
               {{id: second, provider: cerebras, base_url: \"http://@1/v1\"}}]}}",
            folder.path().display()
        );
        let file = folder.path().join("policy-config.yaml");
        std::fs::write(&file, bench::complete(&config, &upstreams, folder.path())).unwrap();
        let args = ["--policy-config", file.to_str().unwrap()];
        let clients = Arc::new(Clients {
            gateway: Process::with(folder.clone(), &args).await,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            met: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let mut asking = JoinSet::new();
        for _ in 0..self.streams {
            let clients = clients.clone();
            asking.spawn(async move {
                while !clients.stop.load(Relaxed) {
                    clients.ask(true).await;
                }
            });
        }
        asking.spawn(keep_asking(clients.clone(), self.requests));
        let began = Instant::now();
        until("the first target answers", async || {
            clients.answered_since(began, true)
        })
        .await;
        tokio::time::sleep(self.before).await;
        let killed = Instant::now();
        drop(target);
        let switched = until("the second target answers", async || {
            clients.answered_since(killed, false)
        })
        .await;
        tokio::time::sleep(self.away).await;
        let target = Target::start(folder.path(), at, self.pace).await;
        let back = Instant::now();
        let returned = until("the first target answers again", async || {
            clients.answered_since(back, true)
        })
        .await;
        tokio::time::sleep(self.after).await;
        clients.stop.store(true, Relaxed);
        asking.join_all().await;
        drop(target);
        let met = clients.met.lock().clone();
        Report {
            began,
            killed,
            back,
            switch: switched - killed,
            back_again: returned - back,
            met,
        }
    }
}

async fn keep_asking(clients: Arc<Clients>, requests: u32) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / requests);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut running = JoinSet::new();
    while !clients.stop.load(Relaxed) {
        tick.tick().await;
        let clients = clients.clone();
        running.spawn(async move { clients.ask(false).await });
        while running.try_join_next().is_some() {}
    }
    running.join_all().await;
}

/// What it came to.
#[derive(Debug)]
pub struct Report {
    began: Instant,
    killed: Instant,
    back: Instant,
    /// From the first target's end to the first answer of the second.
    switch: Duration,
    /// From when it listened again to its first answer.
    back_again: Duration,
    met: Vec<Met>,
}

impl Report {
    /// What must not have happened.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.met.len() < 20 {
            faults.push(format!(
                "only {} exchanges were there to be lost",
                self.met.len()
            ));
        }
        let lost: Vec<&Met> = self
            .met
            .iter()
            .filter(|it| matches!(it.end, End::Lost(_)))
            .collect();
        if let Some(Met {
            end: End::Lost(why),
            asked,
            ..
        }) = lost.first()
        {
            let when = asked.saturating_duration_since(self.began);
            faults.push(format!(
                "{} requests were lost, such as one after {when:.2?}: {why}",
                lost.len()
            ));
        }
        // A stream is cut by the first target's end, and by nothing else.
        let cut = self.met.iter().filter(|it| it.end == End::Cut);
        let excused = |it: &&Met| {
            it.first && it.head <= self.killed + Duration::from_secs(1) && it.over >= self.killed
        };
        let (excused, others): (Vec<_>, Vec<_>) = cut.partition(excused);
        if !others.is_empty() {
            faults.push(format!(
                "{} streams were cut by something else than the first target's end",
                others.len()
            ));
        }
        let open = |it: &&Met| it.asked <= self.killed && it.over >= self.killed;
        if excused.len() > self.met.iter().filter(open).count() {
            faults.push("more streams were cut than were open".to_owned());
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22}{:>10}{:>9}{:>9}{:>9}{:>14}{:>14}",
            "failover, asked", "exchanges", "first's", "lost", "cut", "head p50 ms", "head p99 ms"
        )?;
        let second = Duration::from_secs(1);
        let end = self
            .met
            .iter()
            .map(|it| it.over)
            .max()
            .unwrap_or(self.began);
        for (name, from, to) in [
            ("before", self.began, self.killed),
            ("in the second after", self.killed, self.killed + second),
            ("while it is away", self.killed + second, self.back),
            ("when it is back", self.back, end),
        ] {
            let part = || self.met.iter().filter(|it| (from..to).contains(&it.asked));
            let count = |wanted: fn(&Met) -> bool| part().filter(|it| wanted(it)).count();
            let heads: Times = part().map(|it| it.head - it.asked).collect();
            writeln!(
                f,
                "{name:<22}{:>10}{:>9}{:>9}{:>9}{:>14.1}{:>14.1}",
                part().count(),
                count(|it| it.first),
                count(|it| matches!(it.end, End::Lost(_))),
                count(|it| it.end == End::Cut),
                ms(heads.at(0.5)),
                ms(heads.at(0.99))
            )?;
        }
        let last = self
            .met
            .iter()
            .filter(|it| !it.first && it.asked >= self.back);
        let last = last
            .map(|it| it.asked - self.back)
            .max()
            .unwrap_or_default();
        writeln!(
            f,
            "from its end to the second's first answer {:.1?}; from when it listens again to its own first answer {:.2?}, to the last request that goes to the second {last:.2?}",
            self.switch, self.back_again
        )?;
        match self.faults().as_slice() {
            [] => write!(f, "nothing is lost but streams that had begun"),
            faults => write!(f, "NOT as it must be: {}", faults.join("; ")),
        }
    }
}
