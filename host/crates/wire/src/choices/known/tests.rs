#![expect(clippy::unwrap_used, reason = "a test")]
use crate::choices::chunk::Chunk;

fn parse(data: &str) -> Chunk<'_> {
    Chunk::parse(data.as_bytes()).unwrap()
}

#[test]
fn what_is_not_known_is_seen_and_can_be_left_out() {
    for (data, left) in [
        (
            r#"{"id":"i","thinking":"SECRET","choices":[],"usage":{"a":1}}"#,
            r#"{"id":"i","choices":[],"usage":{"a":1}}"#,
        ),
        (
            r#"{"choices":[{"index":0,"text":"SECRET","delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":"a","reasoning_details":[{"text":"SECRET"}]},"tokens":["SECRET"],"token_ids":[7]}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":"SECRET"},{"type":"text","text":"a"}]}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"thinking"},{"type":"text","text":"a"}]}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","extra":"SECRET","function":{"name":"f","arguments":"","note":"SECRET"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":""}}]}}]}"#,
        ),
        (
            r#"{"usage":{"prompt_tokens":1,"note":"SECRET","SECRET":1,"details":{"SECRET":2,"a":3}},"time_info":{"a":0.10,"b":["SECRET"]}}"#,
            r#"{"usage":{"prompt_tokens":1},"time_info":{"a":0.10}}"#,
        ),
        (
            r#"{"error":{"message":"no","type":"t","partial":"SECRET"},"status_code":500}"#,
            r#"{"error":{"message":"no","type":"t"},"status_code":500}"#,
        ),
    ] {
        let data = data.replace("SECRET", "jane.doe@example.com");
        let chunk = parse(&data);
        assert!(
            chunk.unknown.is_some() && !chunk.is_readable(data.as_bytes()),
            "{data}"
        );
        let now = chunk.readable(data.as_bytes(), false).unwrap();
        assert_eq!(String::from_utf8(now).unwrap(), left);
        // Where it passes, what tells a text again still doesn't.
        let passed = data
            .replace(r#""tokens":["jane.doe@example.com"]"#, r#""tokens":null"#)
            .replace(r#""token_ids":[7]"#, r#""token_ids":null"#);
        let now = chunk.readable(data.as_bytes(), true).unwrap();
        assert_eq!(String::from_utf8(now).unwrap(), passed);
        assert!(parse(left).is_readable(left.as_bytes()), "{left}");
    }
    // What says nothing is no matter.
    let empty = r#"{"x":null,"choices":[{"x":"","delta":{"annotations":[],"audio":{},"refusal":null}}],"usage":null}"#;
    assert!(parse(empty).is_readable(empty.as_bytes()));
}

#[test]
fn what_is_known_and_is_no_text_is_a_short_word() {
    let long = "x".repeat(257);
    for data in [
        r#"{"id":"LONG"}"#,
        r#"{"object":"LONG"}"#,
        r#"{"model":"LONG"}"#,
        r#"{"system_fingerprint":"two words"}"#,
        r#"{"service_tier":["a"]}"#,
        r#"{"choices":[{"finish_reason":"LONG"}]}"#,
        r#"{"choices":[{"delta":{"role":"two words"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"LONG"}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"type":"two words"}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"LONG"}}]}}]}"#,
        r#"{"choices":[{"delta":{"function_call":{"name":"LONG"}}}]}"#,
        r#"{"choices":[{"index":128}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":1024,"id":"a"}]}}]}"#,
    ] {
        let data = data.replace("LONG", &long);
        assert!(Chunk::parse(data.as_bytes()).is_err(), "{data}");
    }
    let plain = r#"{"id":null,"created":1.5,"model":"@cf/meta/llama-3:free","service_tier":null}"#;
    assert_eq!(parse(plain).model.as_deref(), Some("@cf/meta/llama-3:free"));
}

#[test]
fn logprobs_stay_where_they_tell_the_text_beside_them() {
    let choice = |delta: &str, logprobs: &str| {
        format!(r#"{{"choices":[{{"index":1,"delta":{delta},"logprobs":{logprobs}}}]}}"#)
    };
    let say = r#"{"content":"jane é"}"#;
    for (delta, logprobs, tells) in [
        (
            say,
            r#"{"content":[{"token":"jane","logprob":-1e-7},{"token":" é","bytes":null}]}"#,
            true,
        ),
        (
            say,
            r#"{"content":[{"token":"jane "},{"token":"\\xc3","bytes":[195]},{"token":"?","bytes":[169]}],"refusal":null}"#,
            true,
        ),
        (
            say,
            r#"{"content":[{"token":"jane é","top_logprobs":[{"token":"joe","logprob":-2,"bytes":[106,111,101]}]}]}"#,
            true,
        ),
        (r#"{}"#, r#"{"content":[]}"#, true),
        (
            r#"{"content":""}"#,
            r#"{"content":[{"token":"jane"}]}"#,
            false,
        ),
        (say, r#"{"content":[{"token":"jane é and more"}]}"#, false),
        (say, r#"{"content":[{"token":"jane"}]}"#, false),
        (say, r#"{"content":[]}"#, true),
        (
            say,
            r#"{"content":[{"token":"jane doe","bytes":[106,97,110,101,32,195,169]}]}"#,
            false,
        ),
        (
            say,
            r#"{"content":[{"token":"jane é","text":"doe"}]}"#,
            false,
        ),
        (
            say,
            r#"{"content":[{"token":"jane é"}],"tokens":["doe"]}"#,
            false,
        ),
        (say, r#"["jane é"]"#, false),
        (
            say,
            r#"{"content":[{"token":"jane é","top_logprobs":[{"token":"XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"}]}]}"#,
            false,
        ),
        (
            r#"{"reasoning":"jane"}"#,
            r#"{"content":[{"token":"jane"}]}"#,
            false,
        ),
        (
            r#"{"refusal":"no"}"#,
            r#"{"refusal":[{"token":"no"}]}"#,
            true,
        ),
    ] {
        let data = choice(delta, logprobs);
        let chunk = parse(&data);
        assert_eq!(chunk.is_readable(data.as_bytes()), tells, "{data}");
        if !tells {
            for passes in [false, true] {
                let now = chunk.readable(data.as_bytes(), passes).unwrap();
                assert_eq!(String::from_utf8(now).unwrap(), choice(delta, "null"));
            }
        }
    }
    let thought = r#"{"choices":[{"delta":{"reasoning":"hm","reasoning_content":"hm"},"reasoning_logprobs":{"content":[{"token":"hm"}]}}]}"#;
    assert!(parse(thought).is_readable(thought.as_bytes()));
}

/// Values of the shapes that cost most where something is made of each.
fn shapes(bytes: usize) -> Vec<String> {
    let nested = format!("{}0{}", r#"{"":"#.repeat(120), "}".repeat(120));
    let shapes = ["0", "{}", "[]", r#""""#, r#"{"":0}"#, "[0]", &nested];
    let list = |of: &str| format!("[{}0]", format!("{of},").repeat(bytes / (of.len() + 1)));
    let object = format!("{{{}\"a\":0}}", r#""":0,"#.repeat(bytes / 5));
    shapes.iter().map(|of| list(of)).chain([object]).collect()
}

#[test]
fn what_nobody_reads_is_kept_as_nothing() {
    for shape in shapes(1 << 20) {
        for data in [
            format!(r#"{{"usage":{shape}}}"#),
            format!(r#"{{"usage":{{"x":{shape}}}}}"#),
            format!(r#"{{"time_info":{shape}}}"#),
            format!(r#"{{"x":{shape}}}"#),
            format!(r#"{{"error":{{"x":{shape}}}}}"#),
            format!(r#"{{"choices":[{{"x":{shape}}}]}}"#),
            format!(r#"{{"choices":[{{"logprobs":{shape}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{"x":{shape}}}}}]}}"#),
        ] {
            let chunk = parse(&data);
            let kept = chunk.pieces.len() + chunk.choices.len() + chunk.logprobs.len();
            assert!(kept <= 2 && !chunk.is_readable(data.as_bytes()));
            let now = chunk.readable(data.as_bytes(), false).unwrap();
            assert!(now.len() < 100, "{}", String::from_utf8_lossy(&now));
        }
        // Of what is read there is no more than an answer may have.
        for data in [
            format!(r#"{{"choices":{shape}}}"#),
            format!(r#"{{"choices":[{{"delta":{{"content":{shape}}}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{"tool_calls":{shape}}}}}]}}"#),
        ] {
            assert!(Chunk::parse(data.as_bytes()).is_err());
        }
    }
}

#[test]
fn an_error_of_members_that_nobody_knows_still_is_one() {
    for (error, left) in [
        (r#"{"why":"SECRET"}"#, "true"),
        ("{ }", "true"),
        (r#"["SECRET"]"#, "true"),
        (r#"{"why":"SECRET","code":7}"#, r#"{"code":7}"#),
        ("[]", "[]"),
        ("{}", "{}"),
        ("null", "null"),
    ] {
        let data = format!(r#"{{"choices":[],"error":{error}}}"#);
        let chunk = parse(&data);
        let readable = chunk.readable(data.as_bytes(), false).unwrap();
        let now = String::from_utf8(readable.to_vec()).unwrap();
        assert_eq!(now, format!(r#"{{"choices":[],"error":{left}}}"#));
        assert_eq!(parse(&now).error.is_some(), chunk.error.is_some(), "{now}");
    }
}
