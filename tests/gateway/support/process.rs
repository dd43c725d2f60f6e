//! The program itself, as its users run it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::{Reply, Stream, Value, bench, kept, until};

/// A command of the program, with state and compile cache of the tests' own.
pub fn witgate(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_witgate"));
    command
        .env("XDG_STATE_HOME", state)
        .env("XDG_CACHE_HOME", kept())
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    for key in [
        "CEREBRAS_API_KEY",
        "OPENAI_API_KEY",
        "HTTP_PROXY",
        "http_proxy",
    ] {
        command.env_remove(key);
    }
    command
}

/// The same by way of a shell that does something first, and gives the program some variables of its own.
pub fn through_shell(state: &Path, first: &str, variables: &str) -> Command {
    let mut command = Command::new("sh");
    for (name, value) in witgate(state).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .arg("-c")
        .arg(format!("{first}; {variables} exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_witgate"));
    command
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

/// Runs a command of the program to its end.
pub async fn run<S: AsRef<OsStr>>(state: &Path, args: impl IntoIterator<Item = S>) -> Done {
    let mut command = witgate(state);
    command.args(args).stdin(Stdio::null());
    // On a thread of its own: what it talks to may be served by this test.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    Done {
        code: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A gateway in a process of its own. Killed when dropped.
pub struct Process {
    pub traffic: SocketAddr,
    pub admin: SocketAddr,
    /// Configuration, journal and state.
    pub folder: Arc<TempDir>,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    http: reqwest::Client,
    /// How the admin listener is reached.
    operator: Operator,
}

/// Who asks the admin listener, and how: `http`, or `https` with what it takes.
pub struct Operator {
    pub scheme: &'static str,
    pub http: reqwest::Client,
}

impl Process {
    /// Runs with this configuration before these upstreams, and waits until it is ready.
    pub async fn run(config: &str, upstreams: &[SocketAddr]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::again(folder, config, upstreams).await
    }

    /// The same in a folder where one ran before.
    pub async fn again(folder: Arc<TempDir>, config: &str, upstreams: &[SocketAddr]) -> Self {
        let text = {
            let (config, upstreams, folder) =
                (config.to_owned(), upstreams.to_owned(), folder.clone());
            // It may build a component.
            let text = move || bench::complete(&config, &upstreams, folder.path());
            tokio::task::spawn_blocking(text).await.unwrap()
        };
        let file = folder.path().join("policy-config.yaml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self::with(folder, &["--policy-config", &file]).await
    }

    /// The same for a process that a signal of this name doesn't end.
    pub async fn run_unstoppable_by(
        signal: &str,
        folder: Arc<TempDir>,
        config: &str,
        upstreams: &[SocketAddr],
    ) -> Self {
        let file = folder.path().join("policy-config.yaml");
        std::fs::write(&file, bench::complete(config, upstreams, folder.path())).unwrap();
        let mut command = through_shell(folder.path(), &format!("trap '' {signal}"), "");
        command.stdin(Stdio::null());
        let args = [
            "--policy-config",
            file.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
        ];
        Self::start(command, folder.clone(), &args).await
    }

    /// Runs with these arguments, and waits until it is ready.
    pub async fn with(folder: Arc<TempDir>, args: &[&str]) -> Self {
        let command = witgate(folder.path());
        let listen = ["--listen", "127.0.0.1:0"];
        Self::start(command, folder, &[&listen, args].concat()).await
    }

    /// The same for a command of the caller's making, which is given all arguments.
    pub async fn start(command: Command, folder: Arc<TempDir>, args: &[&str]) -> Self {
        let operator = Operator {
            scheme: "http",
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        Self::start_for(operator, command, folder, args).await
    }

    /// The same for an operator of the caller's making.
    pub async fn start_for(
        operator: Operator,
        mut command: Command,
        folder: Arc<TempDir>,
        args: &[&str],
    ) -> Self {
        command.args(["--log-format", "json", "run"]);
        if !args.contains(&"--admin") {
            command.args(["--admin", "127.0.0.1:0"]);
        }
        command.args(args).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, said) = (
            BufReader::new(child.stderr.take().unwrap()).lines(),
            log.clone(),
        );
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| said.lock().push(line))
        });
        let mut process = Process {
            traffic: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
            child,
            log,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            operator,
        };
        let (traffic, admin) = until("the gateway says where it listens", async || {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", process.log());
            }
            let log = process.log.lock();
            log.iter().find_map(|line| announced(line))
        })
        .await;
        (process.traffic, process.admin) = (traffic, admin);
        until("the gateway is ready", async || {
            (process.ask_admin("/readyz").await?.status == 200).then_some(())
        })
        .await;
        process
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().join("\n")
    }

    /// The journal of a configuration that names none.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    /// A GET below the admin listener; nothing while it can't be reached.
    pub async fn ask_admin(&self, path: &str) -> Option<Reply> {
        let Operator { scheme, http } = &self.operator;
        let url = format!("{scheme}://{}{path}", self.admin);
        Some(Reply::read(http.get(url).send().await.ok()?).await)
    }

    /// Sends a chat request; nothing if the gateway can't be reached.
    pub async fn try_chat(&self, body: &Value) -> Option<Reply> {
        let url = format!("http://{}/v1/chat/completions", self.traffic);
        Some(
            Reply::read(
                self.http
                    .post(url)
                    .header("content-type", "application/json")
                    .body(body.to_string())
                    .send()
                    .await
                    .ok()?,
            )
            .await,
        )
    }

    /// Sends a chat request and reads the answer whole.
    pub async fn chat(&self, body: &Value) -> Reply {
        self.try_chat(body)
            .await
            .expect("the gateway can be reached")
    }

    /// Sends a chat request and leaves the answer's body to be read.
    pub async fn open(&self, body: &Value) -> Stream {
        let url = format!("http://{}/v1/chat/completions", self.traffic);
        Stream::new(
            self.http
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string())
                .send()
                .await
                .unwrap(),
        )
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it the signal of this name.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the gateway ends", async || self.child.try_wait().unwrap()).await
    }

    /// A command of the program on this one's state.
    pub async fn witgate(&self, args: &[&str]) -> Done {
        run(self.folder.path(), args).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may have been done by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The addresses in a line of the log.
fn addresses(line: &str) -> impl Iterator<Item = SocketAddr> {
    line.split("://").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())?;
        rest[..end].parse().ok()
    })
}

/// Both addresses, from the line that announces them.
fn announced(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut found = addresses(line);
    line.contains("health, metrics and status")
        .then(|| Some((found.next()?, found.next()?)))?
}
