//! C: a compiler makes a core module of all `.c` files, and the contract in `wit/` makes that a component.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmparser::{Parser, Payload};

use super::contract::{Contract, WITH_ALL_GRANTS};
use super::tools;
use crate::cli::Wrong;

const GET: &str = "get zig, which compiles C, by `pip install ziglang`, from ziglang.org or your system's packages; or wasi-sdk, and set WASI_SDK_PATH to its folder";

/// A library that is called, not a program that ends; small; with a stack that the sandbox needn't clear 16 MiB for.
const FLAGS: [&str; 7] = [
    "-mexec-model=reactor",
    "-std=c17",
    "-Os",
    "-Wall",
    "-Wl,-z,stack-size=131072",
    "-Wl,--strip-all",
    "-o",
];

pub(super) fn make(folder: &Path) -> Result<Vec<u8>, Wrong> {
    let contract = Contract::of(folder)?;
    let made =
        tempfile::tempdir().map_err(|error| format!("a folder for what is built: {error}"))?;
    let core = made.path().join("core.wasm");
    let mut compiler = compiler(folder)?;
    compiler.current_dir(folder).args(FLAGS).arg(&core);
    tools::run(compiler.args(sources(folder)?), GET)?;
    let core = fs::read(&core).map_err(|error| format!("{}: {error}", core.display()))?;
    without_wasi(&core)?;
    contract.component(core, WITH_ALL_GRANTS)
}

/// The compiler, and what it needs to be told of the target.
fn compiler(folder: &Path) -> Result<Command, Wrong> {
    if let Some(sdk) = std::env::var_os("WASI_SDK_PATH") {
        let mut clang = Command::new(Path::new(&sdk).join("bin/clang"));
        clang.arg("--target=wasm32-wasip1");
        return Ok(clang);
    }
    // As PyPI has it, zig is a module of the Python that it was installed for.
    let python = tools::found(folder, &[".venv/bin"], "python3");
    let mut zig = if tools::runs("zig", &["version"]) {
        Command::new("zig")
    } else if tools::runs(&python, &["-m", "ziglang", "version"]) {
        let mut module = Command::new(python);
        module.args(["-m", "ziglang"]);
        module
    } else {
        return Err(format!("there is no compiler for C here; {GET}").into());
    };
    zig.args(["cc", "-target", "wasm32-wasi"]);
    Ok(zig)
}

/// All files of C in the folder, in order, so that the same sources make the same component.
fn sources(folder: &Path) -> Result<Vec<OsString>, Wrong> {
    let shown = folder.display();
    let read = fs::read_dir(folder).map_err(|error| format!("{shown}: {error}"))?;
    let files = read.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
    let mut files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|it| it == "c"))
        .map(PathBuf::into_os_string)
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{shown}: there is no file of C in it").into());
    }
    Ok(files)
}

/// A component of C imports nothing but the contract. What a library of C would need of a system is named here, and not as a linker does.
fn without_wasi(core: &[u8]) -> Result<(), Wrong> {
    for payload in Parser::new(0).parse_all(core) {
        let Ok(Payload::ImportSection(imports)) = payload else {
            continue;
        };
        for import in imports.into_imports().flatten() {
            if import.module.starts_with("wasi") {
                return Err(format!(
                    "it calls `{}` of {}, and a policy has no files, streams, clocks or arguments; to log, call witgate_policy_host_log, and not printf or perror",
                    import.name, import.module
                )
                .into());
            }
        }
    }
    Ok(())
}
