//! The virtual environment with the official SDKs: made once, below the target directory, and used again by later runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use super::kept;

const NEEDED: &str = "The clients' tests run the official SDKs and need python3 (3.9 or newer) with its module venv (Debian and \
                      Ubuntu: `apt install python3 python3-venv`), and, the first time, the Python package index.";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("tests/gateway")
}

/// The environment's interpreter.
pub fn python() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| make(&kept().join("python")))
}

fn make(folder: &Path) -> PathBuf {
    let requirements = sources().join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    std::fs::create_dir_all(kept()).unwrap();
    // Two test binaries, or two runs, must not make it at the same time. The lock goes with the file.
    let lock = std::fs::File::create(kept().join("python.lock")).unwrap();
    lock.lock().unwrap();
    let (marker, python) = (folder.join("made-from.txt"), folder.join("bin/python"));
    if std::fs::read_to_string(&marker).is_ok_and(|made| made == wanted) && python.exists() {
        return python;
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    let mut venv = Command::new("python3");
    run(venv.args(["-m", "venv"]).arg(folder));
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    run(pip.arg(&requirements));
    std::fs::write(marker, wanted).unwrap();
    python
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}. {NEEDED}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed. {NEEDED}\n{said}"
    );
    output
}

/// Runs one of `clients/*.py` against a gateway, with these variables; its own assertions are the test.
pub async fn client(script: &str, variables: Vec<(&'static str, String)>) {
    let file = sources().join("clients").join(script);
    let work = move || {
        let mut command = Command::new(python());
        command.arg("-B").arg(&file).envs(variables);
        for proxy in [
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ] {
            command.env_remove(proxy);
        }
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(work).await.unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{script}:\n{out}\n{err}");
    assert!(
        out.contains("all checks passed"),
        "{script} says nothing of its checks:\n{out}\n{err}"
    );
}
