//! The ways in which a forged policy differs from a good one.

use super::forge::{EDIT, Forged, OPENED, VERDICT};

pub(super) const LOOP: &str = "(loop $ever (br $ever)) unreachable";
pub(super) const LOOP_IF_REAL: &str = "(if (global.get $real) (then (loop $ever (br $ever))))";

pub(super) fn describing(describe: &str) -> Vec<Forged> {
    vec![Forged {
        describe: describe.into(),
        ..Forged::default()
    }]
}

pub(super) fn configuring(configure: String) -> Vec<Forged> {
    vec![Forged {
        configure,
        ..Forged::default()
    }]
}

pub(super) fn starting(body: &str) -> Vec<Forged> {
    let body = body.trim_end_matches(" unreachable");
    vec![Forged {
        extra: format!("(func $start {body}) (start $start)"),
        ..Forged::default()
    }]
}

pub(super) fn reallocating(realloc: &str) -> Vec<Forged> {
    vec![Forged {
        realloc: realloc.into(),
        ..Forged::default()
    }]
}

pub(super) fn judging(on_request: String) -> Forged {
    Forged {
        on_request,
        ..Forged::default()
    }
}

pub(super) fn opening(on_answer: String) -> Forged {
    Forged {
        on_answer,
        ..Forged::default()
    }
}

pub(super) fn editing(on_delta: String) -> Forged {
    Forged {
        on_delta,
        ..Forged::default()
    }
}

pub(super) fn exporting(name: &str, params: &str, body: &str) -> Vec<Forged> {
    vec![Forged {
        extra: format!(r#"(func (export "{name}") {params} {body})"#),
        ..Forged::default()
    }]
}

/// After a result was read, the guest may free it: another place to misbehave in.
pub(super) fn after(function: &str, body: &str) -> Vec<Forged> {
    let name = format!("cabi_post_witgate:policy/policy@1.0.0#{function}");
    exporting(&name, "(param i32)", body)
}

/// `on-answer` gives that handle.
pub(super) fn giving(handle: &str) -> String {
    let place = OPENED + 4;
    format!("(i32.store (i32.const {place}) {handle}) (i32.const {OPENED})")
}

/// `on-answer` makes a passage, does that with it, and gives that handle.
pub(super) fn dropping(body: &str, given: &str) -> Forged {
    let import = r#"(import "[export]witgate:policy/policy@1.0.0" "[resource-drop]passage" (func $drop (param i32)))"#;
    Forged {
        imports: import.into(),
        on_answer: format!(
            "(global.set $state (call $new-passage (i32.const 1))) {body} {}",
            giving(given)
        ),
        ..Forged::default()
    }
}

/// Puts what isn't UTF-8 at 2048 first.
pub(super) fn garbled(body: String) -> String {
    format!("(i32.store (i32.const 2048) (i32.const -1)) {body}")
}

/// `on-delta` calls that function of the host.
pub(super) fn calling(interface: &str, function: &str, signature: &str, arguments: &str) -> Forged {
    let result = if signature.contains("result") {
        "drop"
    } else {
        ""
    };
    let call = format!("(call $function {arguments}) {result} (i32.const {EDIT})");
    Forged {
        world: ALL_GRANTS,
        imports: format!(
            r#"(import "witgate:policy/{interface}@1.0.0" "{function}" (func $function {signature}))"#
        ),
        on_delta: garbled(call),
        ..Forged::default()
    }
}

/// `on-delta` hands that text to each function that takes one, in each place.
pub(super) fn telling(text: &str) -> Vec<Forged> {
    let (good, to) = ("(i32.const 64) (i32.const 2)", "(i32.const 3072)");
    let (zero, one) = ("(i32.const 0)", "(i32.const 1)");
    let functions = [
        ("host", "log", 3, format!("{zero} {text}")),
        (
            "host",
            "report",
            6,
            format!("{text} {one} {zero} {zero} {zero}"),
        ),
        ("host", "report", 6, format!("{good} {one} {one} {text}")),
        ("request", "header", 3, format!("{text} {to}")),
        ("request", "get", 3, format!("{text} {to}")),
        (
            "request",
            "set",
            6,
            format!("{text} {zero} {zero} {zero} {to}"),
        ),
        ("request", "set", 6, format!("{good} {one} {text} {to}")),
        ("request", "replace-segment", 3, format!("{zero} {text}")),
        (
            "request",
            "insert-message",
            5,
            format!("{zero} {zero} {text} {to}"),
        ),
        ("request", "tag", 5, format!("{text} {good} {to}")),
        ("request", "tag", 5, format!("{good} {text} {to}")),
        ("journal", "append", 3, format!("{text} {to}")),
    ];
    let calling = |(interface, function, params, arguments): (&str, &str, usize, String)| {
        let signature = format!("(param{})", " i32".repeat(params));
        calling(interface, function, &signature, &arguments)
    };
    functions.into_iter().map(calling).collect()
}

/// `on-request` asks for the segments, and the answer goes there.
pub(super) fn segments(place: &str) -> Forged {
    let import =
        r#"(import "witgate:policy/request@1.0.0" "segments" (func $segments (param i32 i32)))"#;
    Forged {
        imports: import.into(),
        on_request: format!("(call $segments (i32.const 0) ({place})) (i32.const {VERDICT})"),
        ..Forged::default()
    }
}

pub(super) fn tables(body: &str) -> Vec<Forged> {
    vec![Forged {
        extra: "(table $grown 19000 funcref)".into(),
        ..editing(format!("{body} (i32.const {EDIT})"))
    }]
}

pub(super) const ALL_GRANTS: &str = "policy-component-with-all-grants";
pub(super) const APPEND: &str =
    r#"(import "witgate:policy/journal@1.0.0" "append" (func $append (param i32 i32 i32)))"#;

pub(super) fn journaling(entry: &str) -> String {
    format!("(call $append {entry} (i32.const 3072))")
}

/// `on-complete` does that, with a journal and room for long entries.
pub(super) fn completing(body: &str) -> Vec<Forged> {
    vec![Forged {
        world: ALL_GRANTS,
        imports: APPEND.into(),
        extra: r#"(data (i32.const 2048) "{}")"#.into(),
        memory: r#"(memory (export "memory") 40)"#,
        on_complete: body.into(),
        ..Forged::default()
    }]
}
