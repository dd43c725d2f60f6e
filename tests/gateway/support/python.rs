//! Virtual environments with the clients from PyPI: each made once, below the target directory, and used again by later runs. Each
//! client has one of its own, so that one that can't be had keeps no other's test from running.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::kept;

const NEEDED: &str = "The clients' tests run what people use, and need python3 (3.10 or newer) with its module venv (Debian and \
                      Ubuntu: `apt install python3 python3-venv`), and, the first time, the Python package index.";

/// The folder with the clients' scripts and the lists of what they need.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("tests/gateway/clients")
}

/// The interpreter of the environment with what `clients/requirements/<name>.txt` lists.
pub fn python(name: &'static str) -> PathBuf {
    type Made = BTreeMap<&'static str, Arc<OnceLock<PathBuf>>>;
    static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());
    let made = MADE.lock().entry(name).or_default().clone();
    made.get_or_init(|| make(name)).clone()
}

fn make(name: &str) -> PathBuf {
    let requirements = sources().join(format!("requirements/{name}.txt"));
    let folder = kept().join("clients").join(name);
    let python = folder.join("bin/python");
    once(&folder, &requirements, |python_folder| {
        let mut venv = Command::new("python3");
        run(venv.args(["-m", "venv"]).arg(python_folder), NEEDED);
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        run(pip.arg("--requirement").arg(&requirements), NEEDED);
    });
    python
}

/// Fills a folder as a list of requirements has it, unless it was filled so already.
pub fn once(folder: &Path, requirements: &Path, fill: impl FnOnce(&Path)) {
    let wanted = std::fs::read_to_string(requirements).unwrap();
    let marker = folder.join("made-from.txt");
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    // Two test binaries, or two runs, must not make it at the same time. The lock goes with the file.
    let lock = std::fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if std::fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
        return;
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    fill(folder);
    std::fs::write(marker, wanted).unwrap();
}

/// Runs a command that must do well; `needed` is for whoever has to mend it.
pub fn run(command: &mut Command, needed: &str) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}. {needed}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed. {needed}\n{said}"
    );
    output
}

/// A command in which no proxy stands between a client and the gateway.
pub fn direct(program: &Path, variables: Vec<(&'static str, String)>) -> Command {
    let mut command = Command::new(program);
    command.envs(variables);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command
}

/// Runs one of `clients/*.py` in that environment against a gateway, with these variables; its own assertions are the test.
pub async fn client(name: &'static str, script: &str, variables: Vec<(&'static str, String)>) {
    let file = sources().join(script);
    checked(script, move || {
        let mut command = direct(&python(name), variables);
        command.arg("-B").arg(&file);
        command
    })
    .await;
}

/// Runs a client whose own assertions are the test.
pub async fn checked(script: &str, command: impl FnOnce() -> Command + Send + 'static) {
    let work = tokio::task::spawn_blocking(|| command().output().unwrap());
    let output = work.await.unwrap();
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
