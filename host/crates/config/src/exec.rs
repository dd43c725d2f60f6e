//! Secrets that an executable prints, as credential helpers do.
//!
//! There is no shell, nothing of this process's environment but `PATH` and `HOME`, and nothing to read. Time and output are bounded. What
//! it says on standard error is thrown away, since it may repeat the secret. What it printed is [kept](super::kept) for a while.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::fields::Field;
use super::secret::{LARGEST, Secret, SecretError, SecretRef};

/// An executable that prints a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecRef {
    /// The executable. One with a slash in it has been resolved; any other is looked for in `PATH`.
    pub program: PathBuf,
    /// What it is told.
    pub args: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// How long its secret is good for.
    pub cache: Duration,
}

/// The most arguments.
const MOST_ARGS: usize = 64;
/// How long to wait before asking again whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

impl ExecRef {
    /// Runs it. Blocks for as long as it may take.
    pub(super) fn ask(&self) -> Result<Secret, SecretError> {
        let failed = |why: String| SecretError::Helper {
            program: self.program.clone(),
            why,
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // So that whatever it starts ends with it.
            .process_group(0);
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let until = Instant::now() + self.timeout;
        let mut child = command
            .spawn()
            .map_err(|error| failed(format!("can't be run: {error}")))?;
        let printed = printed(&mut child, until);
        let printed = match printed {
            Some(printed) if printed.len() <= LARGEST => printed,
            other => {
                end(&mut child);
                return Err(failed(match other {
                    Some(_) => "prints more than any secret should be".to_owned(),
                    None => format!("didn't end within {:?}", self.timeout),
                }));
            }
        };
        let Some(status) = ended(&mut child, until) else {
            end(&mut child);
            return Err(failed(format!("didn't end within {:?}", self.timeout)));
        };
        if !status.success() {
            return Err(failed(format!("failed: {status}")));
        }
        let text = String::from_utf8(printed)
            .map_err(|_| failed("prints something that is not UTF-8 text".to_owned()))?;
        Secret::checked(&text, &SecretRef::Exec(self.clone()))
    }
}

/// What it prints, up to one byte more than may be; `None` if it doesn't end in time. On a thread of its own: a process that outlives the
/// executable may hold the pipe open for ever.
fn printed(child: &mut Child, until: Instant) -> Option<Vec<u8>> {
    let out = child.stdout.take()?;
    let (send, receive) = sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What is cut off by an error is no secret, and is refused as empty or by the exit code.
        let _ = out.take(LARGEST as u64 + 1).read_to_end(&mut bytes);
        let _ = send.send(bytes);
    });
    let left = until.saturating_duration_since(Instant::now());
    receive.recv_timeout(left).ok()
}

/// How it ends, if it does in time.
#[expect(
    clippy::disallowed_methods,
    reason = "no thread can wait for a process with a limit; this one is not a runtime's worker"
)]
fn ended(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            _ => return None,
        }
    }
}

fn end(child: &mut Child) {
    // Its group, by the name of which it is the first. It may have ended by itself.
    if let Ok(id) = i32::try_from(child.id())
        && let Some(group) = Pid::from_raw(id)
    {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads `{command: [PROGRAM, ARGUMENT], timeout: 5s, cache: 5m}`.
pub(super) fn read(field: &Field<'_>, base: &Path) -> Option<ExecRef> {
    let fields = field.fields(&["command", "timeout", "cache"])?;
    let command = fields.required("command").and_then(|command| {
        let words = command.items_up_to(MOST_ARGS)?;
        let words: Option<Vec<&str>> = words.iter().map(|word| word.text_within(0..=4096)).collect();
        let words = words?;
        match words.split_first() {
            Some((program, args)) if !program.is_empty() => Some((
                match program.contains('/') {
                    true => base.join(program),
                    false => PathBuf::from(program),
                },
                args.iter().map(|&arg| arg.to_owned()).collect(),
            )),
            _ => {
                command.problem("expected an executable and its arguments, such as `[/usr/bin/pass, show, cerebras]`; no shell reads them");
                None
            }
        }
    });
    let time = |key, default, most| match fields.get(key) {
        Some(field) => field.duration(Duration::from_millis(100)..=Duration::from_secs(most)),
        None => Some(Duration::from_secs(default)),
    };
    let timeout = time("timeout", 5, 60);
    let cache = time("cache", 300, 86_400);
    let (program, args) = command?;
    Some(ExecRef {
        program,
        args,
        timeout: timeout?,
        cache: cache?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// A reference to a script of its own, whose secret is good for so long.
    fn script(folder: &Path, text: &str, cache: Duration) -> SecretRef {
        let file = folder.join("helper");
        std::fs::write(&file, text).unwrap();
        SecretRef::Exec(ExecRef {
            program: "sh".into(),
            args: vec![file.to_str().unwrap().to_owned(), "one two".to_owned()],
            timeout: Duration::from_secs(60),
            cache,
        })
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn it_is_run_once_as_long_as_its_secret_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let text = format!("echo run >> {}\necho csk-1234\n", runs.display());
        let times = || std::fs::read_to_string(&runs).unwrap().lines().count();
        let kept = script(folder.path(), &text, HOUR);
        for _ in 0..3 {
            assert_eq!(kept.read().unwrap().expose(), "csk-1234");
        }
        assert!(kept.renew().is_none(), "it isn't time yet");
        assert_eq!(times(), 1);
        let anew = script(folder.path(), &text, Duration::ZERO);
        anew.read().unwrap();
        anew.read().unwrap();
        assert_eq!(times(), 3);
        assert!(!anew.renew().unwrap().changed, "it is the same");
        assert_eq!(times(), 4);
        let other = script(folder.path(), "echo csk-5678", Duration::ZERO);
        assert!(other.renew().unwrap().changed);
        assert_eq!(other.read().unwrap().expose(), "csk-5678");
    }

    #[test]
    fn one_that_fails_later_takes_nothing_away() {
        let folder = tempfile::tempdir().unwrap();
        let good = script(folder.path(), "echo csk-1234", Duration::ZERO);
        good.read().unwrap();
        let bad = script(folder.path(), "echo csk-no; exit 3", Duration::ZERO);
        assert_eq!(bad, good);
        assert_eq!(bad.read().unwrap().expose(), "csk-1234");
        let renewal = bad.renew().unwrap();
        assert!(!renewal.changed);
        let error = renewal.trouble.unwrap().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn no_shell_reads_its_arguments_and_it_knows_little_of_us() {
        let folder = tempfile::tempdir().unwrap();
        let text = "for name in $(env | cut -d= -f1); do case $name in PATH|HOME|PWD|OLDPWD|SHLVL|_) ;; *) echo $name; esac; done\nprintf %s \"$1\"\nread line || printf .";
        let told = script(folder.path(), text, HOUR).read().unwrap();
        assert_eq!(told.expose(), "one two.");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        for (text, why) in [
            ("echo top; echo secret", "more than one line"),
            ("", "is empty"),
            ("echo top secret; exit 1", "exit status: 1"),
            ("echo top secret >&2; kill -9 $$", "signal: 9"),
            ("printf '\\377'", "UTF-8"),
            ("yes topsecret", "more than any secret"),
        ] {
            let folder = tempfile::tempdir_in(folder.path()).unwrap();
            let error = script(folder.path(), text, HOUR).read().unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(told.contains(why), "{text}: {told}");
            assert!(!told.contains("top"), "{text}: {told}");
        }
        let folder = tempfile::tempdir_in(folder.path()).unwrap();
        let SecretRef::Exec(mut slow) = script(folder.path(), "sleep 600", HOUR) else {
            unreachable!("it was made so");
        };
        slow.timeout = Duration::from_millis(100);
        let error = slow.ask().unwrap_err().to_string();
        assert!(error.contains("didn't end within 100ms"), "{error}");
        slow.program = folder.path().join("missing");
        let error = slow.ask().unwrap_err().to_string();
        assert!(error.contains("can't be run"), "{error}");
    }
}
