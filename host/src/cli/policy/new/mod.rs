//! `witgate policy new`: a small complete project, out of templates that are part of this program. Nothing is fetched from anywhere.
//!
//! A template is a folder below `host/templates`. Of each file's name a last `.in` is left out (so that our own tools don't take a template's
//! `Cargo.toml` or `.gitignore` for ours), and in its text and its name `{{name}}` stands for the policy's name and `{{module}}` for the
//! same with `_` in the place of `-`. What a language needs of ours is written beside: the SDK's sources for Rust, the contract for others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::Wrong;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// A file that this program carries: its path, with `/` between the parts, and its text.
type File = (&'static str, &'static str);

/// The arguments of `witgate policy new`.
#[derive(Debug, Args)]
pub(in crate::cli) struct NewArgs {
    /// The policy's name; its project becomes a folder of that name. A path: the folder, and its last part is the name
    name: PathBuf,
    /// What to write it in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t)]
    lang: Lang,
}

/// What there are templates for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Lang {
    /// With the SDK, whose sources are written beside it
    #[default]
    Rust,
    /// With what wit-bindgen makes of the contract, compiled by zig or wasi-sdk
    C,
    /// On QuickJS, by componentize-qjs
    Js,
    /// On CPython, by componentize-py
    Python,
}

impl Lang {
    /// The folder of its template.
    fn folder(self) -> &'static str {
        match self {
            Lang::Rust => "rust",
            Lang::C => "c",
            Lang::Js => "js",
            Lang::Python => "python",
        }
    }

    /// The files of a project: the template's, and what it needs of ours.
    fn files(self) -> Option<impl Iterator<Item = (String, &'static str)>> {
        let (_, own) = TEMPLATES.iter().find(|(name, _)| *name == self.folder())?;
        let (beside, ours) = match self {
            Lang::Rust => ("sdk/", SDK),
            _ => ("wit/", CONTRACT),
        };
        let own = own.iter().map(|(path, text)| ((*path).to_owned(), *text));
        let ours = ours.iter();
        let ours = ours.map(move |(path, text)| (format!("{beside}{path}"), *text));
        Some(own.chain(ours))
    }
}

pub(super) fn new(args: &NewArgs) -> Result<ExitCode, Wrong> {
    let folder = &args.name;
    let name = name(folder)?;
    let lang = args.lang.folder();
    let files = args.lang.files();
    let files = files.ok_or_else(|| format!("this release has no template for {lang}"))?;
    claim(folder)?;
    for (path, text) in files {
        let (path, text) = if path.starts_with("sdk/") {
            (path, text.to_owned())
        } else {
            (filled(&path, name), filled(text, name))
        };
        let file = folder.join(path.strip_suffix(".in").unwrap_or(&path));
        write(&file, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let shown = folder.display();
    println!("{shown}: a policy in {lang}. Next, with more of it in {shown}/README.md:\n");
    println!("  cd {shown}");
    for (command, what) in [
        ("build", "the component, by the language's own tools"),
        ("test", "its samples, at every cut of every answer"),
        ("run", "a gateway with it, to talk to while it is changed"),
    ] {
        println!("  witgate policy {command:<7}# {what}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The name is an id of a stage, of a crate and of packages elsewhere, so it is what all of them allow.
fn name(folder: &Path) -> Result<&str, Wrong> {
    let shown = folder.display();
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("{shown}: there is no name in it"))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(plain);
    if !good {
        return Err(format!("`{name}` can't be a policy's name: up to 64 of a-z, 0-9 and `-`, beginning with a letter, such as no-secrets").into());
    }
    if TAKEN.contains(&name) {
        return Err(format!("`{name}` can't be a policy's name: it is a word of the language's or a library's; `my-{name}` can be").into());
    }
    Ok(name)
}

/// What cargo, or Python, takes for something else.
const TAKEN: [&str; 28] = [
    "abstract",
    "alloc",
    "app",
    "as",
    "async",
    "build",
    "core",
    "crate",
    "default",
    "deps",
    "examples",
    "extern",
    "fn",
    "incremental",
    "match",
    "mod",
    "policy",
    "proc-macro",
    "pub",
    "sdk",
    "self",
    "serde",
    "std",
    "super",
    "test",
    "use",
    "wit",
    "witgate-policy",
];

/// Makes the folder, and refuses one in which something is.
fn claim(folder: &Path) -> Result<(), Wrong> {
    let shown = folder.display();
    let files = fs::create_dir_all(folder).and_then(|()| fs::read_dir(folder));
    match files.map(|mut files| files.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{shown}: it is there already, with something in it; nothing was written"
        )
        .into()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(format!(
            "{shown}: it is there already, and is no folder; nothing was written"
        )
        .into()),
        Err(error) => Err(format!("{shown}: {error}").into()),
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}

fn filled(text: &str, name: &str) -> String {
    let module = name.replace('-', "_");
    text.replace("{{name}}", name)
        .replace("{{module}}", &module)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::config::PolicyFile;
    use crate::control::samples::Samples;

    #[test]
    fn every_template_is_a_whole_project() {
        for (lang, files) in TEMPLATES {
            let text = |wanted: &str| {
                let found = files
                    .iter()
                    .find(|(path, _)| path.trim_end_matches(".in") == wanted);
                let (_, text) = found.unwrap_or_else(|| panic!("{lang} has no {wanted}"));
                filled(text, "a-name")
            };
            let file = PolicyFile::parse(&text("policy.yaml"), "policy.yaml").unwrap();
            assert_eq!(file.manifest.name, "a-name", "{lang}");
            let samples = Samples::parse(text("{{name}}.samples.yaml").as_bytes()).unwrap();
            assert!(samples.iter().count() > 1, "{lang}");
            assert!(text(".gitignore").contains("*.wasm"), "{lang}");
            let readme = text("README.md");
            for command in ["build", "test", "run"] {
                assert!(
                    readme.contains(&format!("witgate policy {command}")),
                    "{lang}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        for (lang, files) in TEMPLATES {
            for (path, text) in *files {
                let (path, text) = (filled(path, "a-name"), filled(text, "a-name"));
                assert!(
                    !path.contains("{{") && !text.contains("{{name") && !text.contains("{{module"),
                    "{lang}: {path}"
                );
            }
        }
    }
}
