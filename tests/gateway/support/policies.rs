//! The components that the tests build.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::build;
pub(crate) use super::build::built;

/// The policy whose orders come with the request, in `x-puppet`.
pub fn puppet() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("gateway/puppet", "puppet.wasm"))
}

/// The policy that plays the contract's cases.
pub fn player() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("contract/player", "player.wasm"))
}

/// The policy that stands for everyone else's.
pub fn third_party() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("third-party", "tone_police.wasm"))
}

/// The example that counts requests.
pub fn quota() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("../plugins/examples/quota", "quota.wasm"))
}

/// The policy that the authors' tutorial ends with.
pub fn codenames() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("../plugins/examples/cookbook", "cookbook.wasm"))
}

/// The configuration's text with `@puppet`, `@player`, `@third-party`, `@quota` and `@hostile` made paths.
pub fn named(text: &str) -> String {
    let mut text = text.to_owned();
    let mut name = |name: &str, built: fn() -> &'static Path| {
        if text.contains(name) {
            text = text.replace(name, built().to_str().unwrap());
        }
    };
    name("@puppet", puppet);
    name("@player", player);
    name("@third-party", third_party);
    name("@quota", quota);
    name("@hostile", build::hostile);
    text
}
