//! What reading a request takes of memory beside its body. A target of its own, for it counts every allocation, and in one test, for no
//! other may allocate beside it.

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use witgate_wire::{Dialect, Endpoint, Request};

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

const LARGEST: usize = 10 << 20;

/// A request with that member, so often repeated that it is as large as a request may be.
fn filled(before: &str, unit: impl Fn(usize) -> String, after: &str) -> Bytes {
    let mut body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{before}"#);
    let mut count = 0;
    while body.len() + after.len() + 2048 < LARGEST {
        if count > 0 {
            body.push(',');
        }
        body.push_str(&unit(count));
        count += 1;
    }
    body.push_str(after);
    body.into()
}

/// Bytes at the most, beside the body and while it is read and held, and whether it was a request.
fn taken(body: &Bytes) -> (usize, bool) {
    taken_by(body, |body| Request::parse(Dialect::Chat, body).is_ok())
}

fn taken_by(body: &Bytes, read: impl Fn(Bytes) -> bool) -> (usize, bool) {
    let before = COUNTED.current_usage();
    COUNTED.reset_peak_usage();
    let is_request = read(body.clone());
    (COUNTED.peak_usage() - before, is_request)
}

/// The same of a request that becomes another one, of so many units.
fn responses_take_no_more() {
    let list = |before: &str, unit: &str, after: &str| -> Bytes {
        let unit = format!("{unit},");
        let count = (LARGEST - before.len() - after.len() - 8) / unit.len();
        let units = unit.repeat(count);
        format!("{before}{}{after}", units.trim_end_matches(',')).into()
    };
    let input = r#"{"model":"m","input":["#;
    let user = r#"{"role":"user","content":""}"#;
    let call = r#"{"type":"function_call","call_id":"","name":"","arguments":""}"#;
    let thought = r#"{"type":"reasoning","content":[{"type":"reasoning_text","text":""}]}"#;
    let longer =
        r#"{"role":"user","content":"a message of about sixty bytes, as the shortest are"}"#;
    let tool = r#"{"type":"function","name":"f"}"#;
    let unique: String = (0..900_000).map(|n| format!("\"{n:x}\":0,")).collect();
    let allowed = format!(
        r#"{{"model":"m","input":"i","tools":[{tool}],"tool_choice":{{"type":"allowed_tools","mode":"auto","tools":["#
    );
    let nested = format!("{}0{}", "{\"\":".repeat(120), "}".repeat(120));
    for (name, is_request, body) in [
        ("users", false, list(input, user, "]}")),
        ("messages", true, list(input, longer, "]}")),
        ("calls in one turn", false, list(input, call, "]}")),
        (
            "a turn for each call",
            false,
            list(input, &format!("{call},{user}"), "]}"),
        ),
        ("thoughts", false, list(input, thought, "]}")),
        (
            "thoughts and a message",
            true,
            list(input, thought, r#",{"role":"assistant","content":""}]}"#),
        ),
        (
            "parts",
            false,
            list(
                r#"{"model":"m","input":[{"role":"user","content":["#,
                r#"{"type":"input_text","text":""}"#,
                "]}]}",
            ),
        ),
        (
            "tools",
            false,
            list(r#"{"model":"m","input":"i","tools":["#, tool, "]}"),
        ),
        ("allowed tools", false, list(&allowed, tool, "]}}")),
        (
            "numbers",
            false,
            list(r#"{"model":"m","input":["#, "0", "]}"),
        ),
        (
            "nests",
            false,
            list(r#"{"model":"m","input":"i","metadata":["#, &nested, "]}"),
        ),
        (
            "keys of metadata",
            false,
            format!(r#"{{"model":"m","input":"i","metadata":{{{unique}"":0}}}}"#).into(),
        ),
        (
            "keys",
            false,
            format!(r#"{{{unique}"model":"m","input":"i"}}"#).into(),
        ),
        ("brackets", false, "[".repeat(LARGEST).into()),
        (
            "one text",
            true,
            list(r#"{"model":"m","input":""#, "a", "\"}"),
        ),
        (
            "one instruction",
            true,
            list(r#"{"model":"m","input":"i","instructions":""#, "a", "\"}"),
        ),
    ] {
        let (taken, read) = taken_by(&body, |body| Endpoint::Responses.read(body).is_ok());
        let times = taken as f64 / body.len() as f64;
        println!(
            "responses, {name}: {} bytes, {times:.2} times as much beside it",
            body.len()
        );
        assert!(taken <= 3 * body.len(), "{name}: {times:.2} times");
        assert_eq!(read, is_request, "{name}");
    }
}

#[test]
fn a_body_of_any_shape_takes_at_most_three_times_its_size_beside_itself() {
    let nest = |unit: &str| format!("{}0{}", unit.repeat(120), "}".repeat(120));
    let escapes = "\\u0001".repeat((LARGEST - 200) / 6);
    let strings = filled(r#","x":["#, |_| "\"\"".to_owned(), "]}");
    let shapes = [
        (
            "nests",
            false,
            filled(r#","x":["#, |_| nest("{\"\":"), "]}"),
        ),
        (
            "numbers",
            true,
            filled(r#","x":["#, |_| "0".to_owned(), "]}"),
        ),
        (
            "objects",
            false,
            filled(r#","x":["#, |_| "{\"\":0}".to_owned(), "]}"),
        ),
        (
            "empty objects",
            true,
            filled(r#","x":["#, |_| "{}".to_owned(), "]}"),
        ),
        (
            "keys",
            false,
            filled(r#","x":{"#, |n| format!("\"{n:x}\":0"), "}}"),
        ),
        ("strings", false, strings),
        (
            "escapes",
            true,
            filled(r#","x":[""#, |_| escapes.clone(), "\"]}"),
        ),
        ("messages", true, messages()),
        (
            "tools",
            true,
            filled(
                r#","tools":["#,
                |n| {
                    format!(
                        r#"{{"type":"function","function":{{"name":"f{n}","description":"What it does.","parameters":{{"type":"object","properties":{{"place":{{"type":"string","description":"Where."}}}}}}}}}}"#
                    )
                },
                "]}",
            ),
        ),
    ];
    for (name, is_request, body) in shapes {
        let (taken, read) = taken(&body);
        let times = taken as f64 / body.len() as f64;
        println!(
            "{name}: {} bytes, {times:.2} times as much beside it",
            body.len()
        );
        assert_eq!(read, is_request, "{name}");
        assert!(taken <= 3 * body.len(), "{name}: {times:.2} times");
    }
    responses_take_no_more();
    // What was refused for its size has left nothing.
    let small = Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#);
    let (taken, _) = taken(&small);
    assert!(taken < 4096, "{taken} bytes for a small one");
}

/// 150,000 messages that say nothing.
fn messages() -> Bytes {
    let messages = vec![r#"{"role":"user","content":""}"#; 150_000].join(",");
    format!(r#"{{"model":"m","messages":[{messages}]}}"#).into()
}
