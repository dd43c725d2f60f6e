//! The policies that come with the gateway, compiled to WebAssembly by the build script.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The component of that name.
pub(super) fn component(name: &str) -> Option<&'static [u8]> {
    POLICIES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, bytes)| *bytes)
}
