//! The policies that come with the gateway, compiled to WebAssembly by the build script.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// A bundled policy.
struct Bundled {
    name: &'static str,
    component: &'static [u8],
    samples: Option<&'static [u8]>,
}

fn bundled(name: &str) -> Option<&'static Bundled> {
    POLICIES.iter().find(|known| known.name == name)
}

/// The component of the bundled policy of that name.
pub fn component(name: &str) -> Option<&'static [u8]> {
    Some(bundled(name)?.component)
}

/// The policy that does nothing, to measure others against. No configuration can name it.
pub fn empty() -> &'static [u8] {
    EMPTY
}

/// The samples that the bundled policy of that name ships, if any.
pub fn samples(name: &str) -> Option<&'static [u8]> {
    bundled(name)?.samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use memchr::memmem;

    #[test]
    fn no_component_names_a_folder_of_its_builder() {
        let root = env!("CARGO_MANIFEST_DIR").trim_end_matches("host");
        for it in POLICIES {
            for folder in [root, "/.cargo/registry", "/cargo/git"] {
                let found = memmem::find(it.component, folder.as_bytes());
                assert_eq!(found, None, "{} names {folder}", it.name);
            }
        }
    }
}
