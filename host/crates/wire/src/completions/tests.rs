#![expect(clippy::unwrap_used, reason = "a test")]
use serde_json::{Value, json};

use crate::choices::compose::{Composition, Denied};
use crate::choices::render::{ChunkEvent, Rest};
use crate::{Channel, Dialect, Request, Role};

fn read(body: &str) -> Request {
    Request::parse(Dialect::Completions, body.to_owned().into()).unwrap()
}

fn refused(body: &str) -> String {
    let read = Request::parse(Dialect::Completions, body.to_owned().into());
    read.unwrap_err().message
}

fn segments(request: &Request) -> Vec<(u32, Role, String)> {
    let segments = request.segments(0).into_iter();
    segments
        .map(|it| (it.message, it.role, it.text.into_owned()))
        .collect()
}

#[test]
fn each_prompt_is_a_message_and_the_suffix_one_more() {
    let one = read(r#"{"suffix":"end","model":"m","prompt":"begin","stop":["x"],"odd":"key"}"#);
    let user = |message, text: &str| (message, Role::User, text.to_owned());
    assert_eq!(segments(&one), [user(0, "begin"), user(1, "end")]);
    let texts = one.texts();
    let texts: Vec<_> = texts
        .iter()
        .map(|it| (&*it.pointer, it.is_key, it.segment))
        .collect();
    assert_eq!(
        texts,
        [
            ("/suffix", false, Some(1)),
            ("/prompt", false, Some(0)),
            ("/stop/0", false, None),
            ("/odd", true, None),
            ("/odd", false, None),
        ]
    );
    let two = read(r#"{"model":"m","prompt":["a","b"],"suffix":null,"n":3,"stream":true}"#);
    assert_eq!(segments(&two), [user(0, "a"), user(1, "b")]);
    assert_eq!((two.n(), two.stream(), two.roles().len()), (6, true, 2));
    let spaced = read(r#"{"model" : "m" , "prompt" : "a" , "suffix" : "b"}"#);
    assert_eq!(segments(&spaced), [user(0, "a"), user(1, "b")]);
    // What means something in a chat alone means nothing here, and is shown.
    let chat = read(r#"{"model":"m","prompt":"a","messages":[{"content":"b"}]}"#);
    assert_eq!(segments(&chat), [user(0, "a")]);
    assert_eq!(chat.get("/messages/0/content").unwrap(), "\"b\"");
    assert!(chat.texts().iter().any(|text| text.text == "b"));
    assert_eq!(Dialect::Completions.word(), "completions");
}

#[test]
fn tokens_are_opaque() {
    for (prompt, pointer, messages) in [
        ("[1,2,3]", "/prompt", 1),
        ("[[1,2],[3]]", "/prompt/0", 2),
        (r#"["a",[3]]"#, "/prompt/1", 2),
        (r#"["a","b"]"#, "", 2),
    ] {
        let request = read(&format!(r#"{{"model":"m","prompt":{prompt}}}"#));
        assert_eq!(
            request.opaque_part().unwrap_or_default(),
            pointer,
            "{prompt}"
        );
        assert_eq!(request.roles().len(), messages, "{prompt}");
    }
}

#[test]
fn what_is_no_text_completion_is_refused() {
    assert_eq!(refused(r#"{"model":"m"}"#), "`prompt` is missing");
    assert_eq!(
        refused(r#"{"model":"m","prompt":[]}"#),
        "`prompt` must be a string, or an array with at least one prompt, not an empty array"
    );
    for (prompt, path, must_be) in [
        (
            "5",
            "prompt",
            "a string, or an array with at least one prompt, not 5",
        ),
        (
            "true",
            "prompt",
            "a string, or an array with at least one prompt, not true",
        ),
        (
            "null",
            "prompt",
            "a string, or an array with at least one prompt, not null",
        ),
        (
            r#"{"a":1}"#,
            "prompt",
            "a string, or an array with at least one prompt, not an object",
        ),
        (
            r#"["a",{}]"#,
            "prompt[1]",
            "a string, or an array of tokens, not an object",
        ),
        (
            "[[]]",
            "prompt[0]",
            "a string, or an array of tokens, not an empty array",
        ),
        (
            r#"[["a"]]"#,
            "prompt[0][0]",
            "a token, which is a number, not \"a\"",
        ),
        (
            "[[[1]]]",
            "prompt[0][0]",
            "a token, which is a number, not an array",
        ),
    ] {
        let body = format!(r#"{{"model":"m","prompt":{prompt}}}"#);
        let bad = Request::parse(Dialect::Completions, body.into()).unwrap_err();
        assert_eq!(bad.param, path);
        assert_eq!(bad.message, format!("`{path}` must be {must_be}"));
    }
    assert_eq!(
        refused(r#"{"model":"m","prompt":"a","suffix":["b"]}"#),
        "`suffix` must be a string, not an array"
    );
    for body in [
        r#"{"model":"m","prompt":"a","prompt":"b"}"#,
        r#"{"model":"m","prompt":"a","Prompt":"b"}"#,
        r#"{"model":"m","prompt":"a","stream":"yes"}"#,
        r#"{"model":"m","prompt":"a","n":0}"#,
        r#"{"prompt":"a"}"#,
    ] {
        assert!(!refused(body).is_empty());
    }
}

#[test]
fn edits_hold_and_a_message_has_no_place() {
    let request = read(r#"{ "model":"m", "prompt" : ["a", "b"] ,"suffix" : "c"}"#);
    let mut draft = request.draft();
    draft.replace_segment(1, "B").unwrap();
    draft.replace_segment(2, "C").unwrap();
    draft.set("/prompt/0", Some("\"A\"")).unwrap();
    draft.set("/prompt", None).unwrap_err();
    draft.set("/prompt/1", Some("{}")).unwrap_err();
    draft.set("/n", Some("2")).unwrap_err();
    let why = draft.insert_message(0, Role::System, "x").unwrap_err();
    assert!(why.contains("no messages"), "{why}");
    let edited = draft.commit().unwrap();
    assert_eq!(
        edited.to_bytes(None),
        r#"{"model":"m","prompt":["A","B"],"suffix":"C"}"#
    );
}

/// The client tells the answers by how many prompts it sent.
#[test]
fn as_many_prompts_go_on_as_came() {
    let one = r#"{"model":"m","prompt":"a"}"#;
    let two = r#"{"model":"m","prompt":["a","b"]}"#;
    let tokens = r#"{"model":"m","prompt":[1,2]}"#;
    for (body, pointer, json, holds) in [
        (two, "/prompt/-", Some(r#""c""#), false),
        (two, "/prompt/0", None, false),
        (two, "/prompt", Some(r#""a""#), false),
        (two, "/prompt", Some(r#"["a"]"#), false),
        (two, "/prompt", Some("[1,2]"), false),
        (two, "/prompt", Some(r#"["b","a"]"#), true),
        (two, "/prompt", Some("[[1,2],[3]]"), true),
        (two, "", Some(one), false),
        (two, "", Some(r#"{"model":"m","prompt":["x","y"]}"#), true),
        (one, "/prompt", Some(r#"["b"]"#), true),
        (one, "/prompt", Some(r#"["a","b"]"#), false),
        (one, "/prompt/-", Some(r#""b""#), false),
        (tokens, "/prompt/-", Some("3"), true),
        (tokens, "/prompt/0", None, true),
        (tokens, "/prompt", Some(r#""a""#), true),
    ] {
        let request = read(body);
        let mut draft = request.draft();
        let set = draft.set(pointer, json);
        assert_eq!(set.is_ok(), holds, "{body} {pointer} {json:?}: {set:?}");
        let sent = draft.commit().unwrap();
        assert_eq!(sent.n(), request.n());
        if !holds {
            assert_eq!(sent.to_bytes(None), body, "nothing is changed");
        }
    }
}

/// Of the candidates that the upstream makes it shows as many as `n` says.
#[test]
fn best_of_promises_no_choices() {
    for more in ["", r#","best_of":5"#] {
        let body = format!(r#"{{"model":"m","prompt":["a","b"],"n":2{more}}}"#);
        assert_eq!(read(&body).n(), 4);
    }
}

const CHUNK: &str = r#"{"id":"cmpl-1","choices":[{"text":"secret","index":0,"logprobs":LOGPROBS,"finish_reason":null}],"created":7,"model":"m","object":"text_completion"}"#;

const TOLD: &str = r#"{"tokens":["sec","ret"],"token_logprobs":[-0.1,null],"top_logprobs":[{"sec":-0.1," a":-3},null],"text_offset":[0,3]}"#;

fn event(logprobs: &str) -> ChunkEvent {
    let data = CHUNK.replace("LOGPROBS", logprobs);
    ChunkEvent::written(Dialect::Completions, data.into_bytes())
}

#[test]
fn a_choices_text_is_content() {
    let event = event(TOLD);
    let chunk = event.chunk().unwrap();
    let piece = &chunk.pieces[0];
    assert_eq!(
        (&piece.channel, &*piece.text),
        (&Channel::Content, "secret")
    );
    let out = chunk.render(&event, &[(0, "[X]")]).unwrap();
    let now = CHUNK
        .replace("LOGPROBS", "null")
        .replace("\"secret\"", "\"[X]\"");
    assert_eq!(out, format!("data: {now}\n\n"));
    assert_eq!(chunk.render(&event, &[(0, "")]), None);
    let (alone, rest) = chunk.hold_back(&event, &[0]).unwrap();
    assert_eq!(alone[0].chunk().unwrap().pieces[0].text, "secret");
    assert_eq!(rest, Rest::Nothing);
    // A text with a finish beside it: the finish stays, and nothing of the text.
    let ends = CHUNK
        .replace("LOGPROBS", "null")
        .replace("_reason\":null", "_reason\":\"stop\"");
    let ends = ChunkEvent::written(Dialect::Completions, ends.into_bytes());
    let (_, rest) = ends.chunk().unwrap().hold_back(&ends, &[0]).unwrap();
    let Rest::Chunk(rest) = rest else {
        panic!("{rest:?}")
    };
    let rest = rest.chunk().unwrap();
    assert_eq!((rest.pieces.len(), rest.finishes.len()), (0, 1));
    for two in [
        r#"{"choices":[{"text":"a","delta":{"content":"b"}}]}"#,
        r#"{"choices":[{"text":"a","message":{"content":"b"}}]}"#,
        r#"{"choices":[{"text":"a","text":"b"}]}"#,
        r#"{"choices":[{"text":["a"]}]}"#,
    ] {
        assert!(Dialect::Completions.chunk(two.as_bytes()).is_err(), "{two}");
    }
}

#[test]
fn old_logprobs_stay_where_they_tell_the_text_alone() {
    let readable = |logprobs: &str| {
        let event = event(logprobs);
        let chunk = event.chunk().unwrap();
        let now = chunk.readable(&event.data, false).unwrap();
        let now: Value = serde_json::from_slice(&now).unwrap();
        let is_null = now["choices"][0]["logprobs"].is_null();
        assert_eq!(chunk.is_readable(&event.data), !is_null, "{logprobs}");
        !is_null
    };
    assert!(readable(TOLD));
    assert!(readable(
        &TOLD.replace(r#"[{"sec":-0.1," a":-3},null]"#, "null")
    ));
    for (from, to) in [
        ("\"ret\"", "\"rat\""),
        ("\"text_offset\":[0,3]", "\"text_offset\":[0,3,\"more\"]"),
        ("\"text_offset\"", "\"note\""),
        ("[-0.1,null]", "[-0.1,\"said\"]"),
        ("\" a\":-3", "\" a\":\"said\""),
        ("},null]", "},null,{\"further\":-1}]"),
        ("\" a\"", &format!("\"{}\"", "a".repeat(65))),
        ("[\"sec\",\"ret\"]", "\"secret\""),
    ] {
        assert!(!readable(&TOLD.replace(from, to)), "{from} {to}");
    }
}

#[test]
fn answers_made_here_are_text_completions() {
    let denied = [Denied {
        choice: 1,
        policy: "tone",
        code: "rude",
        message: "No.",
        status: 403,
        retry_after: None,
    }];
    let composition = Composition {
        id: "cmpl-9",
        model: "m",
        choices: &[0, 1],
        texts: &[
            (0, Channel::Content, "said".to_owned()),
            (0, Channel::Reasoning, "thought".to_owned()),
            (1, Channel::Content, "gone".to_owned()),
        ],
        denied: &denied,
        finishes: &[],
    };
    let whole = Dialect::Completions.compose(&composition, false);
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["object"], "text_completion");
    assert_eq!(
        whole["choices"],
        json!([
            {"text": "said", "index": 0, "logprobs": null, "finish_reason": "stop"},
            {"finish_reason": "content_filter", "index": 1, "text": ""},
        ])
    );
    assert_eq!(whole["witgate"]["policy"], "tone");
    let stream = Dialect::Completions.compose(&composition, true);
    let stream = String::from_utf8(stream.to_vec()).unwrap();
    let events: Vec<_> = stream.split("\n\n").filter(|it| !it.is_empty()).collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    for event in &events[..events.len() - 1] {
        let event: Value = serde_json::from_str(&event["data: ".len()..]).unwrap();
        assert_eq!(event["object"], "text_completion");
        assert!(event["choices"][0]["text"].is_string(), "{event}");
    }
    assert!(
        !stream.contains("thought") && !stream.contains("delta"),
        "{stream}"
    );
}

#[test]
fn a_denied_choice_of_a_whole_answer_keeps_no_text() {
    let body = CHUNK.replace("LOGPROBS", TOLD);
    let mut whole = Dialect::Completions.whole(body.clone().into()).unwrap();
    assert_eq!(whole.to_bytes(), body);
    whole.deny_choice(&Denied {
        choice: 0,
        policy: "p",
        code: "c",
        message: "m",
        status: 403,
        retry_after: None,
    });
    let now: Value = serde_json::from_slice(&whole.to_bytes()).unwrap();
    let choice = json!([{"finish_reason": "content_filter", "index": 0, "text": ""}]);
    assert_eq!(now["choices"], choice);
}
