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

    for (name, body) in of_messages() {
        let size = body.len();
        let before = COUNTED.current_usage();
        COUNTED.reset_peak_usage();
        let read = Endpoint::Messages.read(body);
        let taken = COUNTED.peak_usage() - before;
        let times = taken as f64 / size as f64;
        println!(
            "{name}: {size} bytes, {times:.2} times as much beside it, {}",
            read.err().map_or("a request".into(), |bad| bad.message)
        );
        assert!(taken <= 3 * size, "{name}: {times:.2} times");
    }
}

/// Requests for messages. Each becomes a chat, which is longer than it.
fn of_messages() -> Vec<(&'static str, Bytes)> {
    let filled = |before: &str, unit: &str, after: &str| {
        let before = format!(r#"{{"model":"m","max_tokens":1,{before}"#);
        // A quarter is enough to tell, and is told four times as fast: a small one may have more strings for its size.
        let times = (LARGEST / 4 - before.len() - after.len()) / (unit.len() + 1);
        let units = vec![unit; times].join(",");
        Bytes::from(format!("{before}{units}{after}"))
    };
    let said = r#""messages":[{"role":"user","content":"x"}]"#;
    let user = r#""messages":[{"role":"user","content":["#;
    let assistant = r#""messages":[{"role":"assistant","content":["#;
    let called = r#""messages":[{"role":"assistant","content":[{"type":"tool_use","id":"","name":"","input":{"":["#;
    let nest = format!("{}0{}", "{\"\":".repeat(110), "}".repeat(110));
    vec![
        (
            "the least tools",
            filled(
                &format!("{said},\"tools\":["),
                r#"{"name":"","input_schema":{}}"#,
                "]}",
            ),
        ),
        (
            "tools",
            filled(
                &format!("{said},\"tools\":["),
                r#"{"name":"f","description":"What it does.","input_schema":{"type":"object","properties":{"place":{"type":"string","description":"Where."}}}}"#,
                "]}",
            ),
        ),
        (
            "the least messages",
            filled(
                r#""messages":["#,
                r#"{"role":"user","content":""},{"role":"assistant","content":""}"#,
                "]}",
            ),
        ),
        (
            "messages of one role",
            filled(r#""messages":["#, r#"{"role":"user","content":""}"#, "]}"),
        ),
        (
            "empty messages",
            filled(
                r#""messages":["#,
                r#"{"role":"user","content":[]},{"role":"assistant","content":[]}"#,
                "]}",
            ),
        ),
        (
            "texts",
            filled(user, r#"{"type":"text","text":""}"#, "]}]}"),
        ),
        (
            "pictures",
            filled(
                user,
                r#"{"type":"image","source":{"type":"url","url":""}}"#,
                "]}]}",
            ),
        ),
        (
            "documents",
            filled(
                user,
                r#"{"type":"document","title":"","source":{"type":"text","data":""}}"#,
                "]}]}",
            ),
        ),
        (
            "results",
            filled(user, r#"{"type":"tool_result","tool_use_id":""}"#, "]}]}"),
        ),
        (
            "failures",
            filled(
                user,
                r#"{"type":"tool_result","is_error":true,"tool_use_id":""}"#,
                "]}]}",
            ),
        ),
        (
            "calls",
            filled(
                assistant,
                r#"{"type":"tool_use","id":"","name":"","input":{}}"#,
                "]}]}",
            ),
        ),
        (
            "thoughts",
            filled(assistant, r#"{"type":"thinking","thinking":""}"#, "]}]}"),
        ),
        (
            "an input of quotation marks",
            filled(called, "\"\"", "]}}]}]}"),
        ),
        ("an input that nests", filled(called, &nest, "]}}]}]}")),
        (
            "an input of escapes",
            filled(called, &format!("\"{}\"", "\\\\".repeat(1000)), "]}}]}]}"),
        ),
        (
            "what isn't known",
            filled(&format!("{said},\"x\":["), "0", "]}"),
        ),
        (
            "members that aren't known",
            filled(&format!("{said},"), r#""x":0"#, "}"),
        ),
        (
            "one text",
            filled(
                r#""messages":[{"role":"user","content":""#,
                &"x".repeat(1000),
                "\"}]}",
            ),
        ),
        (
            "stop words",
            filled(&format!("{said},\"stop_sequences\":["), "\"\"", "]}"),
        ),
    ]
}

/// 150,000 messages that say nothing.
fn messages() -> Bytes {
    let messages = vec![r#"{"role":"user","content":""}"#; 150_000].join(",");
    format!(r#"{{"model":"m","messages":[{messages}]}}"#).into()
}
