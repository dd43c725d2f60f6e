//! Writes the contract's bindings for C, `witgate.h` and `witgate.c`, into a folder. From the repository's root, after a change of the contract:
//!
//!     cargo run --manifest-path tools/c-bindings/Cargo.toml -- wit host/templates/c
//!
//! and then the same for `plugins/examples/banned-words/c`. It is `wit-bindgen c --world policy-component-with-all-grants
//! --rename-world witgate --no-object-file`, without building the command: `witgate policy build` puts the types into the component.

use std::error::Error;
use std::path::Path;

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

const TAIL: &str = "// Ensure that the *_component_type.o object is linked in";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [contract, folder] = args.as_slice() else {
        return Err("give the contract's folder, and the one to write into".into());
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(contract)?;
    let world = resolve.select_world(&[package], Some("policy-component-with-all-grants"))?;
    let options = wit_bindgen_c::Opts {
        rename_world: Some("witgate".into()),
        no_object_file: true,
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    for (name, contents) in files.iter() {
        let contents = std::str::from_utf8(contents)?;
        // What makes a linker look for the object file that isn't written.
        let (contents, _) = contents.split_once(TAIL).unwrap_or((contents, ""));
        std::fs::write(
            Path::new(folder).join(name),
            contents.trim_end().to_owned() + "\n",
        )?;
    }
    Ok(())
}
