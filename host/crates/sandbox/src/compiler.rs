//! Compiling in a process of its own.
//!
//! A compiler takes and gives back much memory, and for that the kernel holds up every thread of a process that needs memory, too: in a
//! gateway, exchanges. So the gateway runs its own program once more, as a [`Job`]: it is given the component, compiles it, and leaves what
//! it made in the cache's folder, from where the gateway reads it. What must stay true: nothing is run but the very program that asks,
//! and nothing that a job says is taken for code but what lies in that folder, checked as everything there.
//!
//! A job can't take a machine down: its memory and its time are limited, by the kernel, and it ends when its parent does.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::compiled::CompiledFiles;
use super::engine::{self, Kind};
use super::text::cut;

/// Memory that a job may use, in bytes. The largest component that is taken needs a fraction of it.
const MEMORY: u64 = 4 << 30;
/// Running time that it has, of all its threads together, in seconds.
const CPU: u64 = 300;
/// How long it may take where it hardly gets to run.
const TIME: Duration = Duration::from_secs(1800);
/// What a job may say of why it failed, in bytes.
const SAID: usize = 4096;

/// The status with which a job says that the component can't be compiled.
const NO_COMPONENT: u8 = 1;
/// The status with which a job says that it couldn't do its work.
const NO_WORK: u8 = 3;
/// What a program of Rust's that panicked ends with.
const PANICKED: i32 = 101;

/// The program that compiles.
pub(super) struct Compiler {
    program: PathBuf,
    /// How long a job may take by the clock.
    time: Duration,
}

/// Why a component was not compiled in a process of its own.
#[derive(Debug)]
pub(super) enum NotCompiled {
    /// It can't be compiled.
    Component(String),
    /// There is no such process to be had, or it doesn't know what it is to do.
    Unavailable(String),
}

/// What is to be compiled for, and where what comes of it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    folder: PathBuf,
    kind: Kind,
    /// How far it stands behind other processes. `None`: it takes all cores there are.
    nice: Option<i32>,
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The component can't be compiled.
    #[error("{}", .0.root_cause())]
    Component(wasmtime::Error),
    /// It could not begin: there is no folder to be had, or no component came.
    #[error("{}", .0.root_cause())]
    Work(wasmtime::Error),
}

impl NotDone {
    /// The status with which the process ends.
    pub fn status(&self) -> u8 {
        match self {
            NotDone::Component(_) => NO_COMPONENT,
            NotDone::Work(_) => NO_WORK,
        }
    }
}

/// Arguments that no [`Job`] has made.
#[derive(Debug, thiserror::Error)]
#[error("these are no arguments of a job; the gateway alone makes such")]
pub struct BadJob;

impl Job {
    pub(super) fn new(folder: &Path, kind: Kind, nice: Option<i32>) -> Self {
        Job {
            folder: folder.to_owned(),
            kind,
            nice,
        }
    }

    /// What the program is told: the command's name, and what [`Job::parse`] reads.
    pub fn args(&self) -> [OsString; 5] {
        let nice = self.nice.map_or("-".into(), |nice| nice.to_string());
        let once = if self.kind.once { "once" } else { "often" };
        [
            "compile".into(),
            self.folder.clone().into(),
            self.kind.reservation.to_string().into(),
            once.into(),
            nice.into(),
        ]
    }

    /// The job of these arguments, the command's name not among them.
    ///
    /// # Errors
    /// They are none of a job's.
    pub fn parse(args: &[OsString]) -> Result<Self, BadJob> {
        let [folder, reservation, once, nice] = args else {
            return Err(BadJob);
        };
        let number = |text: &OsString| text.to_str().and_then(|text| text.parse().ok());
        let job = Job {
            folder: folder.into(),
            kind: Kind {
                reservation: number(reservation).ok_or(BadJob)?,
                once: once == "once",
            },
            nice: nice.to_str().and_then(|nice| nice.parse().ok()),
        };
        let same = job.args();
        (same[1..] == *args).then_some(job).ok_or(BadJob)
    }

    /// Does it, in the process that was run for it: compiles what comes from there.
    ///
    /// # Errors
    /// Why it wasn't done.
    pub fn run(&self, component: impl std::io::Read) -> Result<(), NotDone> {
        limit(self.nice);
        let (engine, bytes) = self.prepare(component).map_err(NotDone::Work)?;
        Component::from_binary(&engine, &bytes).map_err(NotDone::Component)?;
        Ok(())
    }

    fn prepare(&self, mut component: impl std::io::Read) -> wasmtime::Result<(Engine, Vec<u8>)> {
        let files = CompiledFiles::open(&self.folder)?;
        let engine = engine::compiling(self.kind, &files.cache()?, self.nice.is_none())?;
        let mut bytes = Vec::new();
        component.read_to_end(&mut bytes)?;
        Ok((engine, bytes))
    }
}

/// Limits this process, which compiles. What can't be limited compiles all the same.
#[cfg(target_os = "linux")]
fn limit(nice: Option<i32>) {
    use rustix::process::{
        Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit,
    };

    let most = |current, maximum| Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let _ = setrlimit(Resource::Data, most(MEMORY, MEMORY));
    // Where both are the same the kernel ends it as it ends what there is no memory for, and nobody knows why.
    let _ = setrlimit(Resource::Cpu, most(CPU, CPU + 5));
    let _ = setrlimit(Resource::Core, most(0, 0));
    if let Some(nice) = nice {
        let _ = setpriority_process(None, nice);
    }
}

#[cfg(not(target_os = "linux"))]
fn limit(_: Option<i32>) {}

impl Compiler {
    pub(super) fn new(program: PathBuf) -> Self {
        Compiler {
            program,
            time: TIME,
        }
    }

    /// Runs the job to its end.
    pub(super) fn compile(&self, job: &Job, component: &[u8]) -> Result<(), NotCompiled> {
        let unavailable = |error: std::io::Error| NotCompiled::Unavailable(error.to_string());
        let mut command = Command::new(&self.program);
        command
            .args(job.args())
            // Nothing of this process's: there are secrets in it.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "witgate");
        let mut running = Running(command.spawn().map_err(unavailable)?);
        let said = running.converse(component, self.time)?;
        let status = running.0.wait().map_err(unavailable)?;
        judge(status, said)
    }
}

/// What a job that ended so, with these words, came to.
fn judge(status: ExitStatus, said: String) -> Result<(), NotCompiled> {
    if status.success() {
        return Ok(());
    }
    if status.code() == Some(NO_COMPONENT.into()) && !said.is_empty() {
        return Err(NotCompiled::Component(said));
    }
    if status.code() == Some(PANICKED) {
        // It would panic in this process, too.
        return Err(NotCompiled::Component(format!(
            "the compiler broke down: {said}"
        )));
    }
    #[cfg(unix)]
    {
        use rustix::process::Signal;
        use std::os::unix::process::ExitStatusExt as _;
        let ended_by = |signal: Signal| status.signal() == Some(signal.as_raw());
        if [Signal::ABORT, Signal::XCPU, Signal::SEGV]
            .into_iter()
            .any(ended_by)
        {
            return Err(NotCompiled::Component(format!(
                "compiling it takes more than {} GiB of memory or {CPU} s, or the compiler broke down ({status})",
                MEMORY >> 30
            )));
        }
        if ended_by(Signal::KILL) {
            // What the machine has no memory for isn't tried again in the gateway.
            return Err(NotCompiled::Component(format!(
                "the system ended its compiling ({status}), as it does where memory runs out"
            )));
        }
    }
    Err(NotCompiled::Unavailable(format!(
        "it ended with {status}: {said}"
    )))
}

/// A job under way, which doesn't outlive this.
struct Running(Child);

impl Running {
    /// Gives it the component, and hears what it says to its end. One that takes too long is ended.
    fn converse(&mut self, component: &[u8], time: Duration) -> Result<String, NotCompiled> {
        let child = &mut self.0;
        let (Some(mut stdin), Some(mut stderr)) = (child.stdin.take(), child.stderr.take()) else {
            return Ok(String::new());
        };
        let (send, receive) = channel();
        // One that ends before it has read all says why.
        let write = move || drop(stdin.write_all(component));
        let read = move || {
            let mut said = Vec::new();
            // All of it is read, or the job would wait for it.
            let _ = stderr.read_to_end(&mut said);
            let mut said = String::from_utf8_lossy(&said).trim().to_owned();
            cut(&mut said, SAID);
            // Nobody waits for it any more where it took too long.
            let _ = send.send(said);
        };
        let thread = || std::thread::Builder::new().name("compiling".into());
        std::thread::scope(|scope| {
            let said = thread()
                .spawn_scoped(scope, write)
                .and_then(|_| thread().spawn_scoped(scope, read))
                .map_err(|error| NotCompiled::Unavailable(error.to_string()))
                .and_then(|_| match receive.recv_timeout(time) {
                    Ok(said) => Ok(said),
                    Err(RecvTimeoutError::Timeout) => Err(NotCompiled::Component(format!(
                        "compiling it takes longer than {} s",
                        time.as_secs()
                    ))),
                    Err(RecvTimeoutError::Disconnected) => Ok(String::new()),
                });
            if said.is_err() {
                // Else the threads would wait for it, and this for them.
                let _ = child.kill();
            }
            said
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is neither killed nor waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    fn job(nice: Option<i32>) -> Job {
        let kind = Kind {
            reservation: 4 << 30,
            once: nice.is_none(),
        };
        Job::new(Path::new("/a folder/compiled"), kind, nice)
    }

    #[test]
    fn a_job_reads_back_from_its_arguments_and_nothing_else_does() {
        for job in [job(None), job(Some(15)), job(Some(0))] {
            let args = job.args();
            assert_eq!(args[0], "compile");
            assert_eq!(Job::parse(&args[1..]).unwrap(), job);
            Job::parse(&args).unwrap_err();
            Job::parse(&args[2..]).unwrap_err();
        }
        for wrong in [
            ["/f", "x", "once", "-"],
            ["/f", "1", "x", "-"],
            ["/f", "1", "once", "x"],
        ] {
            Job::parse(&wrong.map(OsString::from)).unwrap_err();
        }
    }

    #[test]
    fn how_a_job_ends_says_whether_it_is_the_component_s_fault() {
        let exited = |code| ExitStatus::from_raw(code << 8);
        let killed = ExitStatus::from_raw;
        judge(exited(0), String::new()).unwrap();
        let why = |status, said: &str| match judge(status, said.into()).unwrap_err() {
            NotCompiled::Component(why) => Some(why),
            NotCompiled::Unavailable(_) => None,
        };
        assert_eq!(
            why(exited(1), "no such instruction").unwrap(),
            "no such instruction"
        );
        let why_killed = why(killed(9), "").unwrap();
        assert!(why_killed.contains("memory runs out"), "{why_killed}");
        let why_panicked = why(exited(101), "panicked at adapt.rs").unwrap();
        assert_eq!(
            why_panicked,
            "the compiler broke down: panicked at adapt.rs"
        );
        for signal in [6, 11, 24] {
            let why = why(killed(signal), "").unwrap();
            assert!(why.contains("4 GiB of memory or 300 s"), "{why}");
        }
        // Another program, no program, a system that forbids it: nothing is known of the component then.
        for status in [exited(1), exited(2), exited(127), killed(15), killed(31)] {
            assert_eq!(why(status, ""), None);
        }
        // Its own trouble isn't the component's.
        assert_eq!(why(exited(3), "the folder can't be written"), None);
    }

    /// `yes` reads nothing and says things for ever.
    #[test]
    fn one_that_never_reads_the_component_is_ended_when_its_time_is_over() {
        let mut compiler = Compiler::new("/usr/bin/yes".into());
        compiler.time = Duration::ZERO;
        let result = compiler.compile(&job(None), &vec![0; 1 << 20]);
        let Err(NotCompiled::Component(why)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(why, "compiling it takes longer than 0 s");
    }

    #[test]
    fn a_job_without_a_folder_has_trouble_of_its_own() {
        let folder = tempfile::NamedTempFile::new().unwrap();
        let job = Job::new(folder.path(), job(None).kind, None);
        let error = job
            .prepare(&b"no component"[..])
            .map(drop)
            .map_err(NotDone::Work);
        assert_eq!(error.unwrap_err().status(), NO_WORK);
    }

    #[test]
    fn where_no_process_can_be_had_it_is_said() {
        let bytes = vec![0; 1 << 20];
        let compile = |program: &str| Compiler::new(program.into()).compile(&job(None), &bytes);
        for program in ["/nowhere/witgate", "/dev/null", "/bin/false"] {
            let result = compile(program);
            assert!(
                matches!(result, Err(NotCompiled::Unavailable(_))),
                "{result:?}"
            );
        }
    }
}
