//! Builds a guest crate as an author does, with plain cargo.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The component of a crate below `tests`, with its samples beside it. A file lock keeps other processes out of the way. Keep what
/// it returns: asking cargo takes a moment.
pub(crate) fn built(folder: &str, file: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();

    let crate_at = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests")
        .join(folder);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&crate_at).args([
        "build",
        "--locked",
        "--release",
        "--target",
        "wasm32-wasip2",
    ]);
    cargo.arg("--target-dir").arg(&target);
    // What is set for the host must not reach the guest.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
    let output = cargo.output().expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{folder} doesn't build:\n{said}");
    let component = target.join("wasm32-wasip2/release").join(file);
    ship(&crate_at, &component);
    component
}

/// Puts the samples of a component beside it, where there are any. In one step: another process may be reading them.
fn ship(from: &Path, component: &Path) {
    let there = component.with_extension("samples.yaml");
    let Ok(samples) = fs::read(from.join(there.file_name().unwrap())) else {
        return;
    };
    if fs::read(&there).is_ok_and(|before| before == samples) {
        return;
    }
    let aside = there.with_extension(std::process::id().to_string());
    fs::write(&aside, samples).unwrap();
    fs::rename(aside, there).unwrap();
}

/// The guest that misbehaves as it is told to; built at most once in a process.
pub(crate) fn hostile() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("guests/hostile", "hostile.wasm"))
}
