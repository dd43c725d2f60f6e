//! `docs/authors/reference.md`, written from the contract.
//!
//! The contract's own file is regular: a doc comment, then one line that begins what it is about. So this reads lines, and no grammar.

use std::fmt::Write as _;
use std::path::Path;

const WRITE: &str = "WITGATE_WRITE_DOCS=1 cargo test -p witgate-policy --test reference";

const HEAD: &str = "\
# Reference

Every word of the contract, written from [`wit/policy.wit`](../../wit/policy.wit). In Rust each imported interface is a module of the SDK of the same
name, with `_` for `-`; types are at the crate's root. Other languages have the names that their generators make of these.

";

/// What the lines stand in.
enum Within {
    Nothing,
    Interface,
    /// A record, enum, variant, flags or resource of an interface.
    Type,
    World,
}

fn reference(contract: &str) -> String {
    let mut out = String::from(HEAD);
    let mut doc = String::new();
    let mut within = Within::Nothing;
    for line in contract.lines() {
        let line = line.trim();
        if let Some(more) = line.strip_prefix("///") {
            let space = if doc.is_empty() { "" } else { " " };
            doc.push_str(match more.trim() {
                "" => "\n\n",
                _ if doc.ends_with('\n') => "",
                _ => space,
            });
            doc.push_str(more.trim());
            continue;
        }
        let says = std::mem::take(&mut doc);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let name = rest.trim_end_matches(['{', ' ']);
        match (&within, word) {
            (Within::Nothing, "package") => {
                _ = writeln!(out, "`{}`. {says}", rest.trim_end_matches(';'));
            }
            (Within::Nothing, "interface") => {
                _ = writeln!(out, "\n## Interface `{name}`\n\n{says}");
                within = Within::Interface;
            }
            (Within::Nothing, "world") => {
                _ = writeln!(out, "\n## World `{name}`\n\n{says}\n");
                within = Within::World;
            }
            (Within::Interface, "record" | "enum" | "variant" | "flags" | "resource") => {
                let (name, members) = rest.split_once(" {").expect("it opens");
                _ = writeln!(out, "\n### {word} `{name}`\n\n{says}\n");
                if let Some(members) = members.strip_suffix('}') {
                    let members = members.trim().split(", ").map(|it| format!("`{it}`"));
                    _ = writeln!(out, "{}", members.collect::<Vec<_>>().join(", "));
                } else {
                    within = Within::Type;
                }
            }
            (Within::Interface, "}") => within = Within::Nothing,
            (Within::Type, "}") => within = Within::Interface,
            (Within::World, "}") => within = Within::Nothing,
            (_, "" | "use") => {}
            (Within::Interface, _) => {
                _ = writeln!(out, "\n### {}", heading(line));
                _ = writeln!(out, "\n{says}");
            }
            (Within::Type | Within::World, _) => {
                let member = line.trim_end_matches([';', ',']);
                let colon = if says.is_empty() { "" } else { ": " };
                _ = writeln!(out, "- `{member}`{colon}{says}");
            }
            (Within::Nothing, _) => panic!("what is this: {line}"),
        }
    }
    out
}

/// `id: func() -> string;` becomes `id() -> string`.
fn heading(line: &str) -> String {
    format!("`{}`", line.trim_end_matches(';').replacen(": func", "", 1))
}

#[test]
fn the_reference_says_what_the_contract_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let contract = std::fs::read_to_string(root.join("wit/policy.wit")).expect("the contract");
    let reference = reference(&contract);
    let path = root.join("docs/authors/reference.md");
    if std::env::var_os("WITGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &reference).expect("it can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == reference,
        "docs/authors/reference.md differs from the contract; this writes it: {WRITE}"
    );
}

#[test]
fn each_word_of_the_contract_is_in_it() {
    let small = "/// A package.\npackage a:b@0.1.0;\n/// An interface.\ninterface one {\n  /// A level.\n  enum level { low, high }\n  /// A pair.\n  record pair {\n    /// The left.\n    left: u8,\n  }\n  /// Gives it.\n  ///\n  /// At once.\n  it: func(a: u8) -> pair;\n}\n/// A world.\nworld all {\n  import one;\n}\n";
    let made = reference(small);
    let made = made.strip_prefix(HEAD).expect("it begins with the head");
    assert_eq!(
        made,
        "`a:b@0.1.0`. A package.\n\n## Interface `one`\n\nAn interface.\n\n### enum `level`\n\nA level.\n\n`low`, `high`\n\n\
         ### record `pair`\n\nA pair.\n\n- `left: u8`: The left.\n\n### `it(a: u8) -> pair`\n\nGives it.\n\nAt once.\n\n\
         ## World `all`\n\nA world.\n\n- `import one`\n"
    );
}
