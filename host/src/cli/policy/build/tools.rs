//! How the tools of other languages are found and run.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cli::Wrong;

/// A tool that a project's own folder has, or else the one that the shell would find.
pub(super) fn found(folder: &Path, own: &[&str], name: &str) -> PathBuf {
    let own = own.iter().map(|at| folder.join(at).join(name));
    // Absolute, since the tool is run within the project's folder.
    let mut own = own.filter_map(|file| file.canonicalize().ok());
    own.next().unwrap_or_else(|| name.into())
}

/// Whether that program can be run at all.
pub(super) fn runs(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a tool to its end. What it says goes to the terminal where it fails. `get`: how to get it, for whoever hasn't it.
pub(super) fn run(command: &mut Command, get: &str) -> Result<(), Wrong> {
    let (well, said) = read(command, get)?;
    if !well {
        eprint!("{}", String::from_utf8_lossy(&said));
        return Err(failed(command));
    }
    Ok(())
}

/// Runs a tool to its end, and gives back whether it did well, and what it printed. Its errors go to the terminal.
pub(super) fn read(command: &mut Command, get: &str) -> Result<(bool, Vec<u8>), Wrong> {
    let name = command.get_program().display().to_string();
    let began = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    match began.and_then(Child::wait_with_output) {
        Ok(output) => Ok((output.status.success(), output.stdout)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(format!("{name}: it isn't installed, or isn't on the path; {get}").into())
        }
        Err(error) => Err(format!("{name}: {error}").into()),
    }
}

/// The error of a tool that said why itself.
pub(super) fn failed(command: &Command) -> Wrong {
    let name = command.get_program().display();
    format!("{name} failed; what it said stands above").into()
}
