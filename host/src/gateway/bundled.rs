//! The policies that come with the gateway, compiled to WebAssembly by the build script.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The component of the bundled policy of that name.
pub fn component(name: &str) -> Option<&'static [u8]> {
    POLICIES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, bytes)| *bytes)
}
