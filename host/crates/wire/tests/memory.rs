//! What reading a request takes of memory beside its body. A target of its own, for it counts every allocation, and in one test, for no
//! other may allocate beside it.

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use witgate_wire::{Dialect, Request};

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
    let before = COUNTED.current_usage();
    COUNTED.reset_peak_usage();
    let read = Request::parse(Dialect::Chat, body.clone());
    (COUNTED.peak_usage() - before, read.is_ok())
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
