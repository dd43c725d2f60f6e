//! Compiles the bundled policies to WebAssembly and writes the table that embeds them.
//!
//! A nested cargo with a target directory of its own (`target/policies`, shared by all profiles): the outer cargo holds the lock on
//! its own directory while this runs.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";
const POLICIES: &[&str] = &[
    "access",
    "prompt-injection",
    "pii-detector",
    "secrets",
    "tool-firewall",
    "dlp",
    "json-answer",
    "moderation",
    "pii-vault",
    "topics",
    "rate-limit",
    "budget",
    "data-routing",
    "cache",
    "audit-logger",
];
/// Bytes of a policy's stack, a quarter of what the linker gives unasked. It stands at the memory's beginning, and at the end of each
/// exchange the kernel looks at every page of a memory for those that were written.
const STACK: usize = 256 << 10;
/// What they are made of, beside their own folders.
const SHARED: &[&str] = &[
    "plugins/sdk",
    "plugins/examples/empty",
    "plugins/secret-rules",
    "plugins/metering",
    "plugins/json-schema",
    "plugins/pii-entities",
    "wit",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() {
    if let Err(error) = build() {
        // A panic would bury the sentence under a backtrace.
        eprintln!("\n{error}\n");
        std::process::exit(1);
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let host = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = host.parent().ok_or("the host crate has no parent folder")?;
    for watched in SHARED {
        println!("cargo:rerun-if-changed={}", root.join(watched).display());
    }
    for policy in POLICIES {
        println!(
            "cargo:rerun-if-changed={}",
            root.join("plugins").join(policy).display()
        );
    }

    has_target()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = target_directory(&out)?;
    compile(root, &target)?;

    let built = target.join(TARGET).join("policy");
    let mut table = String::from("static POLICIES: &[Bundled] = &[\n");
    for policy in POLICIES {
        let file = built.join(format!("{}.wasm", policy.replace('-', "_")));
        // A copy of this build's own: the shared folder may change under a later one.
        let copy = out.join(format!("{policy}.wasm"));
        fs::copy(&file, &copy)
            .map_err(|error| format!("{} can't be copied: {error}", file.display()))?;
        let samples = root.join("plugins").join(policy).join("samples.yaml");
        let samples = if samples.exists() {
            format!("Some(include_bytes!({samples:?}))")
        } else {
            "None".to_owned()
        };
        table.push_str(&format!(
            "    Bundled {{ name: {policy:?}, component: include_bytes!({copy:?}), samples: {samples} }},\n"
        ));
    }
    table.push_str("];\n");
    let copy = out.join("empty.wasm");
    fs::copy(built.join("empty.wasm"), &copy)?;
    table.push_str(&format!(
        "static EMPTY: &[u8] = include_bytes!({copy:?});\n"
    ));
    fs::write(out.join("bundled.rs"), table)?;
    fs::write(out.join("templates.rs"), templates(&host, root)?)?;
    Ok(())
}

/// The templates of `policy new`, the SDK's sources and the contract, as tables that embed them.
fn templates(host: &Path, root: &Path) -> Result<String, Box<dyn Error>> {
    let folder = host.join("templates");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut table = String::from("static TEMPLATES: &[(&str, &[File])] = &[\n");
    for lang in sorted(&folder)? {
        let name = lang.file_name().unwrap_or_default();
        table.push_str(&format!("({name:?}, &[\n{}]),\n", embedded(&lang, &lang)?));
    }
    table.push_str("];\n");
    let sdk = root.join("plugins").join("sdk");
    let mut own = String::new();
    for part in ["Cargo.toml", "README.md", "src", "wit"] {
        own.push_str(&embedded(&sdk, &sdk.join(part))?);
    }
    table.push_str(&format!("static SDK: &[File] = &[\n{own}];\n"));
    let wit = root.join("wit");
    table.push_str(&format!(
        "static CONTRACT: &[File] = &[\n{}];\n",
        embedded(&wit, &wit.join("policy.wit"))?
    ));
    Ok(table)
}

/// A line for each file at or below `path`: its name from `base` on, and its text.
fn embedded(base: &Path, path: &Path) -> Result<String, Box<dyn Error>> {
    if path.is_dir() {
        return sorted(path)?.iter().map(|it| embedded(base, it)).collect();
    }
    let name = path.strip_prefix(base)?;
    Ok(format!("({name:?}, include_str!({path:?})),\n"))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let read = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = read
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}

/// Asks the compiler where it lives and looks for the target's library there.
fn has_target() -> Result<(), Box<dyn Error>> {
    let rustc = variable("RUSTC")?;
    let output = Command::new(&rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(output.stdout)?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if library.exists() {
        return Ok(());
    }
    Err(format!(
        "The bundled policies need the compiler's {TARGET} target. Run this once, then build again:\n\n    rustup target add {TARGET}"
    )
    .into())
}

/// `target/policies`, found from this build's own folder: `target/<profile>/build/<crate>/out`.
fn target_directory(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let build = out.ancestors().find(|folder| folder.ends_with("build"));
    let profile = build
        .and_then(Path::parent)
        .ok_or("OUT_DIR has an unknown shape")?;
    let above = profile.parent().ok_or("OUT_DIR has an unknown shape")?;
    Ok(above.join("policies"))
}

fn compile(root: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(root)
        .args([
            "build",
            "--locked",
            "--profile",
            "policy",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target);
    for policy in POLICIES.iter().chain(&["empty"]) {
        cargo.args(["--package", policy]);
    }
    // What the outer build sets for the host must not reach the guests.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_PROFILE_RELEASE_DEBUG",
    ] {
        cargo.env_remove(name);
    }
    let mut flags = without_paths(root)?;
    flags.push(format!("-Clink-arg=-zstack-size={STACK}"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let output = cargo.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("The bundled policies don't build:\n\n{said}").into())
}

/// The compiler's flags that put something else in the place of this machine's folders: of whoever builds the components nothing is to be
/// seen in them, and they are the same everywhere.
fn without_paths(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let cargo_home = match env::var("CARGO_HOME") {
        Ok(home) => home,
        Err(_) => format!("{}/.cargo", variable("HOME")?),
    };
    let folders = [
        (cargo_home, "/cargo"),
        (root.display().to_string(), "/witgate"),
    ];
    let flags = folders.map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    Ok(flags.into())
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
