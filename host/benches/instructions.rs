//! How many instructions the hottest paths take: counts are steady where times aren't, so `.ci/run` compares them with those that
//! `instructions.txt` records, and a path that has become a tenth dearer, or cheaper, fails.
//!
//! A gateway runs on the main thread and does nothing but what is counted; client and upstream are on another one. Valgrind's callgrind
//! counts each thread for itself. Each path is walked some times, and twice as often: the difference is that of the walks alone, without
//! all that happens once.
//!
//! - `cargo bench --workspace --bench instructions` counts and compares;
//! - `... -- --record` writes `instructions.txt` anew, for a change that is meant.

#![expect(clippy::unwrap_used, reason = "a benchmark")]
#![expect(unreachable_pub, reason = "nothing is reached from outside")]

#[path = "../../tests/storm/connection.rs"]
mod connection;
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the gateway's tests, which use the rest"
)]
#[path = "../../tests/gateway/support/mod.rs"]
mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use witgate::app::App;
use witgate::config::Config;
use witgate::control::{CliOverrides, Controller, Services, Source};
use witgate::journal::{self, Journal};
use witgate::metrics::Metrics;
use witgate::policy::Sandbox;
use witgate::policy::engine::EngineSettings;
use witgate::server::{ServerSettings, serve_traffic};
use witgate::wire::choices::chunk::Chunk;
use witgate::wire::choices::splice::set_texts;
use witgate::wire::sse::{DEFAULT_CAP, Framer};

use connection::{Connection, post};
use support::{ask, ask_stream, bench, kept};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How far a count may be from the recorded one, in hundredths.
const TOLERANCE: f64 = 10.0;

/// A path that is counted.
struct Counted {
    name: &'static str,
    what: &'static str,
    /// How often it is walked, and then twice as often.
    walks: usize,
    way: Way,
}

enum Way {
    /// Through a gateway with that chain, by a client that does this.
    Gateway(&'static str, fn(SocketAddr, Chunks, usize)),
    /// Without one.
    Alone(fn(usize)),
}

const PATHS: [Counted; 4] = [
    Counted {
        name: "request",
        what: "a request and its whole answer, no policies",
        walks: 200,
        way: Way::Gateway("[]", |to, _, times| on_a_runtime(requests(to, times))),
    },
    Counted {
        name: "chunk",
        what: "a chunk of a stream that no policy sees",
        walks: 500,
        way: Way::Gateway("[]", |to, chunks, times| {
            on_a_runtime(deltas(to, chunks, times, 0))
        }),
    },
    Counted {
        name: "rewrite",
        what: "a chunk that is read and written with another text",
        walks: 500,
        way: Way::Alone(rewrites),
    },
    Counted {
        name: "delta",
        what: "a chunk whose text goes through a stage",
        walks: 500,
        way: Way::Gateway("[pii-detector]", |to, chunks, times| {
            on_a_runtime(deltas(to, chunks, times, 4))
        }),
    },
];

fn main() -> ExitCode {
    // Cargo says `--bench` to every benchmark.
    let args: Vec<_> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["--record"] => record(),
        ["--walk", name, times] => {
            let path = PATHS.iter().find(|path| path.name == name).unwrap();
            walk(path, times.parse().unwrap());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("it takes nothing, or --record");
            ExitCode::from(2)
        }
    }
}

fn compare() -> ExitCode {
    let recorded = std::fs::read_to_string(recorded()).unwrap();
    let recorded = |name: &str| {
        let line = recorded.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
    };
    let mut all_near = true;
    println!("path       instructions    recorded   change");
    for path in &PATHS {
        let Some(counted) = counted(path) else {
            println!("{:<8} {NOT_COUNTED}  ({})", path.name, path.what);
            continue;
        };
        let before = recorded(path.name).unwrap_or(f64::NAN);
        let change = (counted / before - 1.0) * 100.0;
        let near = change.abs() <= TOLERANCE;
        all_near &= near;
        let verdict = if near { "" } else { "  too far" };
        println!(
            "{:<8} {counted:>14.0} {before:>11.0} {change:>+7.1}%{verdict}  ({})",
            path.name, path.what
        );
    }
    if all_near {
        return ExitCode::SUCCESS;
    }
    println!(
        "\na path takes more than {TOLERANCE} % more or fewer instructions than recorded; if that is meant, record it anew: \
         cargo bench --workspace --bench instructions -- --record"
    );
    ExitCode::FAILURE
}

fn record() -> ExitCode {
    let mut text = "# Instructions of the gateway's thread for each; `cargo bench --workspace --bench instructions -- --record` writes this.\n".to_owned();
    for path in &PATHS {
        match counted(path) {
            Some(counted) => {
                text += &format!("{:<8} {counted:>8.0}  {}\n", path.name, path.what);
            }
            None => println!("{:<8} {NOT_COUNTED}", path.name),
        }
    }
    print!("{text}");
    std::fs::write(recorded(), text).unwrap();
    ExitCode::SUCCESS
}

/// The sandbox asks a thread's clock by a page of the kernel's, which some releases of valgrind take away without saying so.
const NOT_COUNTED: &str = "not counted: this valgrind can't run the sandbox";

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

/// Instructions of one walk. `None` where there is a sandbox on it, and valgrind can't run it.
fn counted(path: &Counted) -> Option<f64> {
    // What is compiled for the first time is compiled before they are counted, and kept.
    let this = std::env::current_exe().unwrap();
    let mut once = Command::new(this);
    let done = once.args(["--walk", path.name, "1"]).status().unwrap();
    assert!(done.success(), "{} can't be walked", path.name);
    let once = under_callgrind(path.name, path.walks)?;
    let twice = under_callgrind(path.name, 2 * path.walks)?;
    Some((twice - once) / path.walks as f64)
}

/// Instructions of the main thread of this program while it walks a path so many times.
fn under_callgrind(name: &str, times: usize) -> Option<f64> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args([
            "--tool=callgrind",
            "--separate-threads=yes",
            "--dump-instr=no",
        ])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--walk", name, &times.to_string()]);
    let said = valgrind.output().expect("valgrind is needed");
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(name == "delta", "it failed under valgrind: {why}");
        return None;
    }
    // The main thread's, among those of all threads.
    let counts = std::fs::read_to_string(folder.path().join("out-01")).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals:"));
    Some(total.unwrap().trim().parse().unwrap())
}

/// Walks a path so many times: through a gateway on this thread, by a client on another one.
fn walk(path: &'static Counted, times: usize) {
    let (chain, client_does) = match path.way {
        Way::Gateway(chain, client_does) => (chain, client_does),
        Way::Alone(walk) => return walk(times),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = listener.local_addr().unwrap();
        let (chunks, given) = mpsc::unbounded_channel();
        std::thread::spawn(move || on_a_runtime(upstream_of(listener, given)));
        let folder = tempfile::tempdir().unwrap();
        let traffic = gateway(chain, upstream, folder.path()).await;
        let client = std::thread::spawn(move || client_does(traffic, chunks, times));
        let (done, is_done) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || done.send(client.join().is_ok()));
        assert!(is_done.await.unwrap(), "the client failed");
    });
}

fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// A gateway that serves on this runtime to the end of the process.
async fn gateway(chain: &str, upstream: SocketAddr, folder: &Path) -> SocketAddr {
    let file = folder.join("policy-config.yaml");
    let config = format!("policies: {{chain: {chain}}}");
    std::fs::write(&file, bench::complete(&config, &[upstream], folder)).unwrap();
    let config = Config::load(&file).unwrap();
    let options = journal::Options {
        immutable: false,
        retention_days: None,
    };
    // As small as it can be: valgrind has little address space.
    let settings = EngineSettings {
        exchanges: 2,
        stages: 1,
        cache: Some(kept().join("counted")),
        compile_nice: 0,
        ..EngineSettings::default()
    };
    let metrics = Arc::new(Metrics::new());
    let services = Services {
        sandbox: Arc::new(Sandbox::new(settings).unwrap()),
        journal: Journal::open(&folder.join("journal.db"), options)
            .await
            .unwrap(),
        metrics: metrics.clone(),
    };
    let source = Source::File(file);
    let controller = Controller::start(source, CliOverrides::default(), config, services);
    let app = Arc::new(App(controller.await.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = ServerSettings {
        max_exchanges: 2,
        ..ServerSettings::default()
    };
    tokio::spawn(serve_traffic(
        listener,
        app,
        metrics,
        settings,
        CancellationToken::new(),
    ));
    address
}

/// What a stream's upstream is told to send.
type Chunks = mpsc::UnboundedSender<Bytes>;
type Given = mpsc::UnboundedReceiver<Bytes>;

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! This is a short answer."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":8,"total_tokens":20}}"#;

/// Answers at once; of a stream, each chunk when it is told to.
async fn upstream_of(listener: std::net::TcpListener, given: Given) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let given = Arc::new(tokio::sync::Mutex::new(given));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let given = given.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let given = given.clone();
            async move {
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                let is_stream = memmem::find(&asked, br#""stream":true"#).is_some();
                let frame = |bytes: Bytes| Ok::<_, Infallible>(Frame::data(bytes));
                let (kind, body) = if is_stream {
                    let next = |given: Arc<tokio::sync::Mutex<Given>>| async move {
                        let bytes = given.lock().await.recv().await?;
                        Some((bytes, given))
                    };
                    let body = stream::unfold(given, next).map(frame);
                    ("text/event-stream", body.left_stream())
                } else {
                    let body = stream::iter([Bytes::from_static(WHOLE.as_bytes())]).map(frame);
                    ("application/json", body.right_stream())
                };
                let response = Response::builder().header(header::CONTENT_TYPE, kind);
                Ok::<_, Infallible>(response.body(StreamBody::new(body)).unwrap())
            }
        });
        tokio::spawn(async move {
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            serving.await.ok();
        });
    }
}

/// What wire does with a chunk that a policy changes: it is framed, read, and written with another text.
fn rewrites(times: usize) {
    let mut framer = Framer::new(DEFAULT_CAP);
    for number in 0..times {
        framer.push(event(number).into());
        let event = framer.next().unwrap().unwrap();
        let data = event.data.unwrap();
        let chunk = Chunk::parse(&data).unwrap();
        let slot = &chunk.pieces[0].slot;
        let written = set_texts(&data, &[(slot, std::hint::black_box(" [ORDINAL],"))], &[]);
        assert!(written.len() > data.len());
    }
}

/// A chunk, and where it stands.
fn event(number: usize) -> String {
    let choice = r#""choices":[{"index":0,"delta":{"content":" 7th,"},"finish_reason":null}]"#;
    format!(
        "data: {{\"id\":\"chatcmpl-{number:06}\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",{choice}}}\n\n"
    )
}

async fn requests(to: SocketAddr, times: usize) {
    let mut connection = Connection::open(to).await;
    let request = post(&ask("Say hello in one sentence, please."));
    for _ in 0..times {
        assert_eq!(connection.ask(&request).await.0, 200);
    }
}

/// Each chunk is sent when the one before has arrived, or the one so many before it, for a stage may hold back the last words: so each is a
/// read and a write of the gateway's. A digit in each word: a policy that looks out for something has something to look at.
async fn deltas(to: SocketAddr, chunks: Chunks, times: usize, behind: usize) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = post(&ask_stream("Count to a hundred, please."));
    stream.write_all(&request).await.unwrap();
    let mut read = Vec::new();
    for number in 0..times {
        chunks.send(event(number).into()).unwrap();
        let Some(awaited) = number.checked_sub(behind) else {
            continue;
        };
        let id = format!("chatcmpl-{awaited:06}");
        while memmem::find(&read, id.as_bytes()).is_none() {
            let more = stream.read_buf(&mut read).await.unwrap();
            assert!(more > 0, "closed");
        }
    }
}
