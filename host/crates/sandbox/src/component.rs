//! What a file is before anything in it runs: a component, for this contract, asking for no more than it was granted.

use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload, TypeRef, Validator, WasmFeatures};

use super::bindings::CONTRACT;
use super::earlier;
use super::error::LoadError;
use super::limits::MAX_SIZE;
use super::manifest::{Producer, Said};
use super::text::quoted;
use witgate_config::{Grant, Manifest};

/// What the names of the contract's interfaces begin with.
pub(super) const PACKAGE: &str = "witgate:policy/";

/// What a component says of itself without being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// Bytes.
    pub size: usize,
    /// The contract's version that it was built against.
    pub contract: String,
    /// All imports, by full name.
    pub imports: Vec<String>,
    /// The grants that it needs, by name; not all of them may be on offer.
    pub grants: Vec<String>,
    /// What its author says of it.
    pub manifest: Option<Manifest>,
    /// What made it, as far as that is told.
    pub producers: Vec<Producer>,
}

/// `sha256:` and 64 hex digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// Tells a component from everything else that a path may lead to, by its first bytes.
pub(super) fn is_component(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [] => Err(LoadError::Empty),
        _ if bytes.len() > MAX_SIZE => Err(LoadError::TooLarge { size: bytes.len() }),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Err(LoadError::UnknownVersion),
        _ => Err(LoadError::NotWasm),
    }
}

/// Reads a component's imports and exports. Nothing is compiled or run.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadError> {
    is_component(bytes)?;
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(bytes)
        .map_err(LoadError::Broken)?;
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    // Nested modules and components come as payloads of their own; only the outermost level is the component's face.
    let mut depth = 0;
    let mut said = Said::default();
    // Of the module that is read.
    let mut memories = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(LoadError::Broken)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                memories = 0;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(LoadError::Broken)?;
                    memories += u32::from(matches!(import.ty, TypeRef::Memory(_)));
                }
            }
            Payload::MemorySection(section) => memories += section.count(),
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) => {
                said.section((section.name(), section.data()), depth == 0)?;
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(LoadError::Broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(LoadError::Broken)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        // The engine would take it: it needs several itself.
        if memories > 1 {
            return Err(LoadError::Memories);
        }
    }
    let contract = exports
        .iter()
        .find_map(|name| name.strip_prefix(PACKAGE)?.strip_prefix("policy@"))
        .ok_or(LoadError::NotAPolicy)?
        .to_owned();
    let grants = imports
        .iter()
        .filter_map(|name| name.strip_prefix(PACKAGE)?.split_once('@'))
        .map(|(interface, _)| interface)
        .filter(|interface| !matches!(*interface, "types" | "request" | "outcome" | "host"))
        .map(str::to_owned)
        .collect();
    Ok(Inspection {
        digest: digest(bytes),
        size: bytes.len(),
        contract,
        imports,
        grants,
        manifest: said.manifest,
        producers: said.producers,
    })
}

/// The contract that a component speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contract {
    /// The present one.
    Now,
    /// The one before.
    Earlier,
}

/// Whether it can be linked at all: first the contract's version, then what it asks for, each in a sentence.
pub(super) fn admit(inspection: &Inspection, granted: &[Grant]) -> Result<Contract, LoadError> {
    let found = &inspection.contract;
    let contract = spoken(found).ok_or_else(|| LoadError::WrongVersion {
        found: found.clone(),
    })?;
    for needed in &inspection.grants {
        let offered = Grant::ALL.iter().find(|grant| grant.as_str() == needed);
        let Some(grant) = offered else {
            return Err(LoadError::NotOffered(needed.clone()));
        };
        if !granted.contains(grant) {
            let manifest = inspection.manifest.as_ref();
            let why = manifest.and_then(|manifest| manifest.why(needed));
            return Err(LoadError::NotGranted {
                grant: needed.clone(),
                why: why.map(quoted),
            });
        }
    }
    let foreign = |name: &&String| !name.starts_with(PACKAGE) && !wasi(name);
    if let Some(name) = inspection.imports.iter().find(foreign) {
        return Err(LoadError::UnknownImport(name.clone()));
    }
    Ok(contract)
}

/// Which contract a version is of: any of the same major version; before 1.0 a minor version is one, 0.1.x speaks with 0.1.y.
fn spoken(version: &str) -> Option<Contract> {
    let major = |version: &str| match version.split('.').collect::<Vec<_>>()[..] {
        ["0", minor, _] => Some(format!("0.{minor}")),
        [major, _, _] => Some(major.to_owned()),
        _ => None,
    };
    let of = major(version)?;
    let all = [
        (Contract::Now, CONTRACT),
        (Contract::Earlier, earlier::CONTRACT),
    ];
    let mut all = all.into_iter();
    all.find_map(|(contract, known)| (major(known)? == of).then_some(contract))
}

/// The parts of WASI that language runtimes import whether they need them or not. Each is there and leads nowhere: no file, no
/// network, no environment, nothing on standard input.
fn wasi(name: &str) -> bool {
    let packages = [
        "wasi:io/",
        "wasi:cli/",
        "wasi:clocks/",
        "wasi:random/",
        "wasi:filesystem/",
        "wasi:sockets/",
    ];
    packages.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_a_file_is_by_its_first_bytes() {
        let result = is_component(b"");
        assert!(matches!(result, Err(LoadError::Empty)), "{result:?}");
        let result = is_component(b"#!/bin/sh");
        assert!(matches!(result, Err(LoadError::NotWasm)), "{result:?}");
        let result = is_component(b"\0asm\x01\0\0\0");
        assert!(matches!(result, Err(LoadError::CoreModule)), "{result:?}");
        let result = is_component(b"\0asm\x09\0\0\0");
        assert!(
            matches!(result, Err(LoadError::UnknownVersion)),
            "{result:?}"
        );
        let result = is_component(b"\0asm\x0d\0\x01\0");
        assert!(result.is_ok(), "{result:?}");
        let result = is_component(&vec![0; MAX_SIZE + 1]);
        assert!(
            matches!(result, Err(LoadError::TooLarge { .. })),
            "{result:?}"
        );
    }

    #[test]
    fn a_version_speaks_with_those_of_its_major_one() {
        for (version, contract) in [
            ("1.0.0", Some(Contract::Now)),
            ("1.7.3", Some(Contract::Now)),
            ("0.1.0", Some(Contract::Earlier)),
            ("0.1.7", Some(Contract::Earlier)),
            ("0.2.0", None),
            ("2.0.0", None),
            ("10.0.0", None),
            ("nonsense", None),
        ] {
            assert_eq!(spoken(version), contract, "{version}");
        }
    }
}
