#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;

fn refused(text: &str) -> BadRequest {
    *body(text.as_bytes()).unwrap_err()
}

fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#)
}

fn body(text: &[u8]) -> Checked<Index> {
    super::body(Dialect::Chat, text, Index::most(text.len()))
}

#[test]
fn a_key_that_stands_twice_is_refused_by_its_path() {
    let error = refused(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"content\":\"a\",\n\"cont\\u0065nt\":\"b\"}]}",
    );
    assert_eq!(error.param, "messages[1].content");
    assert_eq!(
        error.message,
        "the body has `messages[1].content` twice, the second time near line 2 column 1; send it once"
    );
    assert_eq!(refused(r#"{"model":"a","model":"a"}"#).param, "model");
    let many: String = (0..100).map(|n| format!("\"k{n}\":0,")).collect();
    assert_eq!(
        refused(&with(&format!("\"x\":{{{many}\"k7\":1}}"))).param,
        "x.k7"
    );
}

#[test]
fn keys_that_some_reader_takes_for_one_another_are_refused() {
    for (text, param, meant) in [
        (with(r#""Messages":[]"#), "Messages", "`messages`"),
        (with(r#""meſſages":[]"#), "meſſages", "`messages`"),
        (with(r#""me\u017fsages":[]"#), "meſsages", "`messages`"),
        (with(r#""to\u212a":1,"tok":1"#), "tok", "case alone"),
        (with(r#""x":{"a":{"é":1,"É":2}}"#), "x.a.É", "`é`"),
        (
            with(r#""prediction":{"Content":"x"}"#),
            "prediction.Content",
            "`content`",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x","Content":"y"}]}"#.to_owned(),
            "messages[0].Content",
            "`content`",
        ),
    ] {
        let error = refused(&text);
        assert_eq!(error.param, param, "{text}");
        assert!(error.message.contains(meant), "{text}: {error}");
        assert!(error.message.contains("case alone"), "{text}: {error}");
    }
    // Names that the client chose may differ in case: each is shown.
    body(with(r#""metadata":{"id":"1","ID":"2"},"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"id":{},"ID":{}}}}}]"#).as_bytes()).unwrap();
}

#[test]
fn what_is_no_json_object_is_refused_with_its_place() {
    for (text, said) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        ("[1]", "not an array"),
        ("{\"a\":1}\n{}", "`model` is missing"),
        (
            &with("\"a\":1}\n{\"b\":1"),
            "trailing characters at line 2 column 1",
        ),
        ("{\"a\":}", "expected value at line 1 column 6"),
        ("{\"a\":1", "EOF while parsing an object at line 1 column 6"),
        (
            "{\"a\":\"\\ud83d\"}",
            "half of a surrogate pair stands for no character, at line 1 column 13",
        ),
        ("{\"a\":\"\\ude00\"}", "half of a surrogate pair"),
        ("{\"a\":\"\\ud83d\\u0041\"}", "half of a surrogate pair"),
        ("{\"a\":NaN}", "expected value"),
        ("{\"a\":1E400}", "number out of range at line 1 column 11"),
        ("{\"a\":-1e999}", "number out of range"),
        ("{\"a\":01}", "at line 1 column"),
        ("{\"a\":1.}", "at line 1 column"),
        ("{\"a\":-}", "at line 1 column"),
        ("{\"a\":1e}", "at line 1 column"),
        ("{\"a\":\"\t\"}", "control character"),
        ("{\"a\":\"\\x\"}", "invalid escape"),
        ("{\"a\":\"\\u00g0\"}", "at line 1 column"),
        ("{\"a\":tru}", "at line 1 column"),
        ("{a:1}", "key must be a string"),
        ("{\"a\":1,}", "key must be a string"),
        ("{\"a\":[1 2]}", "at line 1 column"),
    ] {
        let error = refused(text);
        assert!(error.message.contains(said), "{text}: {error}");
    }
    let error = body(b"{\"a\":\"\xff\"}").unwrap_err();
    assert!(
        error.message.contains("no UTF-8 at line 1 column 7"),
        "{error}"
    );
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        with(&format!(
            "\"a\":{}{}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        ))
    };
    body(nested(MAX_DEPTH).as_bytes()).unwrap();
    assert!(
        refused(&nested(MAX_DEPTH + 1))
            .message
            .contains("recursion limit")
    );
    body("[".repeat(100_000).as_bytes()).unwrap_err();
}

#[test]
fn an_error_repeats_no_more_of_the_clients_text_than_a_line() {
    let long = "k".repeat(4 << 20);
    for text in [
        format!("{{\"{long}\":1,\"{long}\":1}}"),
        with(&format!("\"{long}\":{{\"a\":1,\"A\":1}}")),
        with(&format!(
            "\"x\":{{\"{long}\":1,\"{}\":1}}",
            long.to_uppercase()
        )),
        format!("{{\"model\":\"{long}\",\"messages\":[]}}"),
        with(&format!("\"n\":\"{long}\"")),
        with(&format!("\"n\":1{}", "0".repeat(1 << 20))),
        format!(r#"{{"model":"m","messages":[{{"role":"{long}","content":"x"}}]}}"#),
    ] {
        let error = refused(&text);
        assert!(error.message.len() < 600, "{} bytes", error.message.len());
        assert!(error.param.len() <= 204, "{}", error.param.len());
    }
}

#[test]
fn a_models_name_has_a_bound() {
    let named = |name: &str| {
        format!(r#"{{"model":"{name}","messages":[{{"role":"user","content":"x"}}]}}"#)
    };
    body(named(&"m".repeat(256)).as_bytes()).unwrap();
    let error = refused(&named(&"m".repeat(257)));
    assert_eq!(
        (error.param.as_str(), error.message.as_str()),
        ("model", "`model` may have at most 256 bytes, not 257")
    );
}

#[test]
fn a_part_that_is_no_text_is_told_by_its_pointer() {
    let message = |part: &str| {
        let text = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"x"}},{part}]}}]}}"#
        );
        body(text.as_bytes()).unwrap().opaque
    };
    for part in [
        r#"{"type":"image_url","image_url":{"url":"data:"}}"#,
        r#"{"type":"text","text":"x","image":"data:"}"#,
        r#"{"type":"input_audio","input_audio":{"data":"","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_id":"1"}}"#,
        r#"{"type":"document","text":"x"}"#,
    ] {
        assert_eq!(
            message(part).as_deref(),
            Some("/messages/0/content/1"),
            "{part}"
        );
    }
    for part in [
        r#"{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}"#,
        r#"{"type":"refusal","refusal":"x"}"#,
        r#"{"type":"input_text","text":"x"}"#,
        r#"{"type":"thinking","thinking":"x"}"#,
    ] {
        assert_eq!(message(part), None, "{part}");
    }
}
