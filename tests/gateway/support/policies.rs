//! The components that the tests build: as an author does, with plain cargo.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::kept;

/// A component built from a folder below `tests`. Keep what it returns: asking cargo takes a moment.
pub fn built(folder: &str, file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("tests")
        .join(folder);
    let target = kept().join("policies");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&root)
        .args(["build", "--release", "--target", "wasm32-wasip2"]);
    cargo.arg("--target-dir").arg(&target);
    // What is meant for the host's build must not reach the guest's.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
    let output = cargo.output().expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{folder} doesn't build:\n{said}");
    let component = target.join("wasm32-wasip2/release").join(file);
    ship(&root, &component);
    component
}

/// Puts the samples of a component beside it, where there are any. In one step: another process may be reading them.
fn ship(from: &Path, component: &Path) {
    let there = component.with_extension("samples.yaml");
    let Ok(samples) = std::fs::read(from.join(there.file_name().unwrap())) else {
        return;
    };
    if std::fs::read(&there).is_ok_and(|before| before == samples) {
        return;
    }
    let aside = there.with_extension(std::process::id().to_string());
    std::fs::write(&aside, samples).unwrap();
    std::fs::rename(aside, there).unwrap();
}

/// The policy whose orders come with the request, in `x-puppet`.
pub fn puppet() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("gateway/puppet", "puppet.wasm"))
}

/// The policy that stands for everyone else's.
pub fn third_party() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("third-party", "tone_police.wasm"))
}

/// The configuration's text with `@puppet` and `@third-party` made paths.
pub fn named(text: &str) -> String {
    let mut text = text.to_owned();
    if text.contains("@puppet") {
        text = text.replace("@puppet", puppet().to_str().unwrap());
    }
    if text.contains("@third-party") {
        text = text.replace("@third-party", third_party().to_str().unwrap());
    }
    text
}
