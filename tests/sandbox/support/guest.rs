//! The guest of `tests/guests/hostile`, built by a cargo of its own, once.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

// The guest's own list of what it can do.
include!("../../guests/hostile/src/list.rs");

/// The component. Built when first asked for; a file lock keeps other processes out of the way.
pub(crate) fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(build)
}

fn build() -> Vec<u8> {
    let target = super::folder().join("guests");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();

    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests/hostile");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(guest)
        .args([
            "build",
            "--locked",
            "--release",
            "--target",
            "wasm32-wasip2",
            "--target-dir",
        ])
        .arg(&target);
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
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the hostile guest doesn't build:\n{said}"
    );
    fs::read(target.join("wasm32-wasip2/release/hostile.wasm")).unwrap()
}
