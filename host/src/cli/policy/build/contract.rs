//! The contract that a project is built against: its own copy in `wit`, or else this program's.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

use crate::cli::Wrong;

/// This program's own.
const OURS: &str = include_str!("../../../../../wit/policy.wit");

/// What is imported as a whole, by tools that leave out what isn't used.
pub(super) const WITH_ALL_GRANTS: &str = "policy-component-with-all-grants";
/// The world that [`Contract::with_grants`] writes.
pub(super) const WITH_GRANTS: &str = "policy-component-with-its-grants";

/// A contract.
pub(super) struct Contract {
    resolve: Resolve,
    package: PackageId,
}

impl Contract {
    /// The one of the project in that folder.
    pub(super) fn of(folder: &Path) -> Result<Contract, Wrong> {
        Contract::read(Contract::with_grants(folder, &[])?.path(), folder)
    }

    /// A copy of it in which a world has just these grants: tools that import a world as a whole are given that one.
    pub(super) fn with_grants(folder: &Path, grants: &[String]) -> Result<TempDir, Wrong> {
        let own = folder.join("wit");
        let failed = |error: std::io::Error| format!("{}: {error}", own.display());
        let copy = tempfile::tempdir().map_err(failed)?;
        if own.is_dir() {
            for entry in fs::read_dir(&own).map_err(failed)? {
                let file = entry.map_err(failed)?.path();
                if let Some(name) = file.file_name().filter(|_| file.is_file()) {
                    fs::copy(&file, copy.path().join(name)).map_err(failed)?;
                }
            }
        } else {
            fs::write(copy.path().join("policy.wit"), OURS).map_err(failed)?;
        }
        let mut world = format!("world {WITH_GRANTS} {{\n  include policy-component;\n");
        for grant in grants {
            let _ = writeln!(world, "  import {grant};");
        }
        world.push_str("}\n");
        fs::write(copy.path().join("its-grants.wit"), world).map_err(failed)?;
        // What is wrong with it is told here, and not in a tool's words.
        Contract::read(copy.path(), folder)?;
        Ok(copy)
    }

    fn read(wit: &Path, folder: &Path) -> Result<Contract, Wrong> {
        let mut resolve = Resolve::default();
        let read = resolve.push_path(wit);
        let (package, _) = read.map_err(|error| {
            let folder = folder.display();
            format!("{folder}: the contract in `wit`, with the grants that policy.yaml names, can't be read: {error:#}")
        })?;
        Ok(Contract { resolve, package })
    }

    /// Makes a component of a core module that was compiled for that world.
    pub(super) fn component(&self, mut core: Vec<u8>, world: &str) -> Result<Vec<u8>, Wrong> {
        let world = self.resolve.select_world(&[self.package], Some(world));
        let encoded = world.and_then(|world| {
            embed_component_metadata(&mut core, &self.resolve, world, StringEncoding::UTF8)?;
            ComponentEncoder::default()
                .validate(true)
                .module(&core)?
                .encode()
        });
        encoded.map_err(|error| {
            format!("what was compiled doesn't fit the contract: {error:#}").into()
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_world_has_the_grants_that_are_named_and_no_other_exists() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Contract::with_grants(folder.path(), &["kv".into(), "journal".into()]).unwrap();
        let world = fs::read_to_string(copy.path().join("its-grants.wit")).unwrap();
        assert!(
            world.contains("import kv;") && world.contains("import journal;"),
            "{world}"
        );
        let error = Contract::with_grants(folder.path(), &["wishes".into()]).unwrap_err();
        assert!(error.to_string().contains("wishes"), "{error}");
    }

    #[test]
    fn a_contract_of_the_project_s_own_goes_before_ours() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wit")).unwrap();
        let write = |text: &str| fs::write(folder.path().join("wit/policy.wit"), text).unwrap();
        write("package a:b; world policy-component { export run: func(); }");
        Contract::of(folder.path()).map(drop).unwrap();
        write("package a:b; world policy-component {");
        let error = Contract::of(folder.path()).map(drop).unwrap_err();
        assert!(error.to_string().contains("`wit`"), "{error}");
    }
}
