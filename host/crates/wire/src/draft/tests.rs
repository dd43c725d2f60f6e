#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use crate::Dialect;
use bytes::Bytes;

const BODY: &str = r#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"},{"type":"text","text":"d"}]},{"role":"user","content":"e"}],"stream":true,"n":1,"stop":["x","y","z"],"temperature":0.5}"#;

fn draft() -> Draft {
    Request::parse(Dialect::Chat, Bytes::from_static(BODY.as_bytes()))
        .unwrap()
        .draft()
}

fn sent(draft: Draft) -> String {
    String::from_utf8(draft.commit().unwrap().to_bytes(None).to_vec()).unwrap()
}

fn after(edits: &[(&str, Option<&str>)]) -> String {
    let mut draft = draft();
    for (pointer, json) in edits {
        draft.set(pointer, *json).unwrap();
    }
    sent(draft)
}

#[test]
fn set_puts_replaces_appends_and_removes() {
    assert_eq!(
        after(&[("/temperature", Some("0"))]),
        BODY.replace("0.5", "0")
    );
    assert_eq!(
        after(&[("/seed", Some("7"))]),
        BODY.replace("0.5}", "0.5,\"seed\":7}")
    );
    assert_eq!(
        after(&[("/stop/1", Some("null"))]),
        BODY.replace("\"y\"", "null")
    );
    assert_eq!(
        after(&[("/stop/-", Some("\"w\""))]),
        BODY.replace("\"z\"]", "\"z\",\"w\"]")
    );
    assert_eq!(
        after(&[("/stop", None)]),
        BODY.replace("\"stop\":[\"x\",\"y\",\"z\"],", "")
    );
    assert_eq!(after(&[("/a~1b~0c", Some("1")), ("/a~1b~0c", None)]), BODY);
    assert_eq!(after(&[("/nothing", None), ("/stop/-", None)]), BODY);
}

#[test]
fn removing_elements_moves_no_other_before_the_end() {
    assert_eq!(
        after(&[
            ("/stop/0", None),
            ("/stop/2", Some("\"Z\"")),
            ("/stop/1", None)
        ]),
        BODY.replace("\"x\",\"y\",\"z\"", "\"Z\"")
    );
    let emptied = after(&[
        ("/messages/1/content/0", None),
        ("/messages/0", None),
        ("/messages/1/content/1", None),
    ]);
    assert_eq!(
        emptied,
        BODY.replace(r#"{"role":"system","content":"a"},"#, "")
            .replace(
                r#"{"type":"text","text":"b"},{"type":"text","text":"c"},"#,
                ""
            )
    );
}

#[test]
fn a_removed_element_can_be_put_again_but_not_looked_into() {
    assert_eq!(
        after(&[("/stop/1", None), ("/stop/1", Some("1"))]),
        BODY.replace("\"y\"", "1")
    );
    let mut draft = draft();
    draft.set("/messages/1", None).unwrap();
    draft
        .set("/messages/1/role", Some("\"system\""))
        .unwrap_err();
    draft
        .set(
            "/messages",
            Some(r#"[{"role":"user","content":"1"},{"role":"user","content":"2"}]"#),
        )
        .unwrap();
    assert_eq!(draft.commit().unwrap().roles().len(), 2);
}

#[test]
fn inserted_messages_go_where_the_indices_at_the_start_say() {
    let mut draft = draft();
    draft.insert_message(9, Role::Assistant, "end").unwrap();
    draft.insert_message(2, Role::User, "first").unwrap();
    draft.insert_message(0, Role::Developer, "zero").unwrap();
    draft.set("/messages/1", None).unwrap();
    draft.insert_message(2, Role::User, "second").unwrap();
    draft.replace_segment(4, "E").unwrap();
    draft.replace_segment(1, "gone").unwrap();
    draft.insert_message(0, Role::Tool, "no").unwrap_err();
    let request = draft.commit().unwrap();
    let segments = request.segments(0);
    let texts: Vec<_> = segments.iter().map(|segment| &*segment.text).collect();
    assert_eq!(texts, ["zero", "a", "first", "second", "E", "end"]);
}

#[test]
fn an_unknown_segment_is_out_of_range() {
    let error = draft().replace_segment(5, "x").unwrap_err();
    assert_eq!(
        error,
        OutOfRange {
            index: 5,
            segments: 5
        }
    );
}

#[test]
fn what_would_break_the_request_is_refused_and_changes_nothing() {
    let mut draft = draft();
    draft.set("/messages/0", None).unwrap();
    draft.set("/messages/1", None).unwrap();
    draft.set("/stop/0", None).unwrap();
    for (pointer, json, said) in [
        ("/stream", Some("false"), "`stream` can't be changed"),
        ("/stream", None, "`stream` can't be changed"),
        ("/n/x", Some("1"), "`n` can't be changed"),
        ("/model", None, "`model` can't be removed"),
        (
            "/model",
            Some("1"),
            "`model` must be the name of a model, not 1",
        ),
        ("/messages", None, "`messages` can't be removed"),
        ("/messages", Some("[]"), "not an empty array"),
        ("/messages/2", None, "the last message can't be removed"),
        ("/messages/2", Some("3"), "must be an object, not 3"),
        ("/messages/2/role", None, "`messages[2].role` is missing"),
        (
            "/messages/2/content",
            None,
            "`messages[2].content` is missing",
        ),
        ("/messages/2/content", Some("{}"), "not an object"),
        ("/messages/-", Some("{}"), "`messages[3].role` is missing"),
        ("/messages/7", Some("{}"), "no such element"),
        ("/messages/02/content", Some("\"x\""), "leads nowhere"),
        ("/messages/x", Some("1"), "leads nowhere"),
        ("/metadata/a", Some("1"), "leads nowhere"),
        ("/temperature/a", Some("1"), "leads nowhere"),
        ("temperature", Some("1"), "must begin with `/`"),
        ("/tools", Some("7"), "`tools` must be an array"),
        (
            "/tools",
            Some("[{\"a\":1,\"a\":2}]"),
            "the value has `tools[0].a` twice",
        ),
        ("/user", Some("\"x"), "the value can't be read as JSON"),
        ("", None, "only be replaced by an object"),
        ("", Some("[]"), "only be replaced by an object"),
        ("", Some("{}"), "`model` is missing"),
        (
            "",
            Some(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"n":1}"#),
            "`stream` can't be changed",
        ),
        (
            "",
            Some(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"n":2}"#),
            "`n` can't",
        ),
    ] {
        let sentence = draft.set(pointer, json).unwrap_err();
        assert!(sentence.contains(said), "{pointer}: {sentence}");
    }
    let request = draft.commit().unwrap();
    assert_eq!(
        request.get("/messages").unwrap(),
        r#"[{"role":"user","content":"e"}]"#
    );
    assert_eq!(request.get("/stop").unwrap(), r#"["y","z"]"#);
    assert!(
        request
            .get("")
            .unwrap()
            .starts_with(r#"{"model":"m","messages""#)
    );
}

#[test]
fn the_last_message_can_go_when_another_comes() {
    let mut draft = draft();
    draft.insert_message(0, Role::User, "new").unwrap();
    for index in 0..3 {
        draft.set(&format!("/messages/{index}"), None).unwrap();
    }
    assert_eq!(
        draft.commit().unwrap().get("/messages").unwrap(),
        r#"[{"role":"user","content":"new"}]"#
    );
}

#[test]
fn the_whole_can_be_replaced() {
    let new = r#"{"stream":true,"n":1,"messages":[{"role":"user","content":"x"}],"model":"o"}"#;
    assert_eq!(after(&[("/stop/1", None), ("", Some(new))]), new);
}

#[test]
fn nesting_stays_limited_however_often_something_is_set() {
    let mut draft = draft();
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    draft.set("/x", Some(&deep)).unwrap();
    let pointer = format!("/x{}", "/0".repeat(60));
    draft.set(&pointer, Some(&deep)).unwrap_err();
}

#[test]
fn an_edit_leaves_the_request_it_began_with_alone() {
    let request = Request::parse(Dialect::Chat, Bytes::from_static(BODY.as_bytes())).unwrap();
    let mut draft = request.draft();
    draft.replace_segment(0, "changed").unwrap();
    assert!(draft.commit().unwrap().is_edited());
    assert_eq!(request.segments(0)[0].text, "a");
    assert!(!request.is_edited());
}

#[test]
fn an_edit_leaves_all_that_it_does_not_touch_digit_for_digit() {
    let body = r#"{ "model":"m" , "x": [0.10, 123456789012345678901234567890.50, 1E5 ,-0],
  "messages":[ {"role":"user","content":"a\u0062c"} , {"role":"user", "content":"\/b"}], "seed" : 12345678901234567890123 }"#;
    let request = Request::parse(Dialect::Chat, Bytes::from_static(body.as_bytes())).unwrap();
    let mut draft = request.draft();
    draft.replace_segment(0, "A").unwrap();
    let edited = draft.commit().unwrap();
    assert_eq!(edited.to_bytes(None), body.replace("a\\u0062c", "A"));
    assert_eq!(
        edited.to_bytes(Some("o")),
        body.replace("a\\u0062c", "A").replace("\"m\"", "\"o\"")
    );
    assert_eq!(
        edited.get("/x/1").unwrap(),
        "123456789012345678901234567890.50"
    );
    let mut draft = request.draft();
    draft.set("/seed", Some(" 9.90 ")).unwrap();
    draft.replace_segment(1, "B").unwrap();
    assert_eq!(
        draft.commit().unwrap().to_bytes(None),
        r#"{"model":"m","x":[0.10, 123456789012345678901234567890.50, 1E5 ,-0],"messages":[ {"role":"user","content":"a\u0062c"} , {"role":"user", "content":"B"}],"seed":9.90}"#
    );
}

#[test]
fn texts_are_replaced_where_they_stand_and_keys_last() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a","name":"b"}],"metadata":{"c":"d","e":"f"}}"#;
    let request = Request::parse(Dialect::Chat, Bytes::from_static(body.as_bytes())).unwrap();
    let pointers: Vec<_> = request
        .texts()
        .into_iter()
        .map(|text| text.pointer)
        .collect();
    assert_eq!(
        pointers,
        [
            "/messages/0/content",
            "/messages/0/name",
            "/metadata/c",
            "/metadata/c",
            "/metadata/e",
            "/metadata/e"
        ]
    );
    let mut draft = request.draft();
    draft.replace_text(2, "C").unwrap();
    draft.replace_text(3, "D").unwrap();
    draft.set("/metadata/c", Some("\"later\"")).unwrap();
    draft.set("/metadata/e", None).unwrap();
    draft.replace_text(5, "gone").unwrap();
    draft.replace_text(0, "A").unwrap();
    assert_eq!(
        sent(draft),
        r#"{"model":"m","messages":[{"role":"user","content":"A","name":"b"}],"metadata":{"C":"later"}}"#
    );
    let mut draft = request.draft();
    draft.set("/metadata/c", Some("\"before\"")).unwrap();
    draft.replace_text(3, "D").unwrap();
    assert!(sent(draft).contains(r#""c":"D""#));
    let mut draft = request.draft();
    draft.set("/metadata/x", Some("1")).unwrap();
    draft.replace_text(2, "x").unwrap();
    let sentence = draft.commit().unwrap_err();
    assert!(sentence.contains("`metadata.x` twice"), "{sentence}");
    assert_eq!(
        request.draft().replace_text(6, "x").unwrap_err(),
        TextError::OutOfRange { index: 6, texts: 6 }
    );
}

#[test]
fn a_key_that_folds_to_another_can_not_be_set() {
    let mut draft = draft();
    for (pointer, json) in [
        ("/Messages", "[]"),
        ("/messages/0/Content", "\"x\""),
        ("/x", r#"{"a":1,"A":2}"#),
        (
            "/messages/0",
            r#"{"role":"user","content":"x","CONTENT":"y"}"#,
        ),
    ] {
        let sentence = draft.set(pointer, Some(json)).unwrap_err();
        assert!(sentence.contains("in case alone"), "{pointer}: {sentence}");
    }
    draft
        .set("/model", Some(&format!("\"{}\"", "m".repeat(257))))
        .unwrap_err();
}

#[test]
fn a_sentence_repeats_no_more_of_a_pointer_than_a_line() {
    let long = "x".repeat(1 << 20);
    for pointer in [
        format!("/{long}/a"),
        long.clone(),
        format!("/messages/{long}"),
        format!("/messages/0/{long}/b"),
    ] {
        let sentence = draft().set(&pointer, Some("1")).unwrap_err();
        assert!(sentence.len() < 400, "{}", sentence.len());
    }
}

#[test]
fn pointers_and_segments_are_found_without_a_walk_over_the_rest() {
    let count = 20_000;
    let messages = vec![r#"{"role":"user","content":"ab"}"#; count].join(",");
    let body = format!(r#"{{"model":"m","messages":[{messages}]}}"#);
    let request = Request::parse(Dialect::Chat, body.clone().into()).unwrap();
    assert_eq!(request.size(), 2 * count as u64);
    let mut draft = request.draft();
    for index in 0..count as u32 {
        draft.replace_segment(index, "[A]").unwrap();
    }
    let edited = draft.commit().unwrap();
    assert_eq!(edited.to_bytes(None), body.replace("ab", "[A]"));
    assert_eq!(edited.get("/messages/19999/content").unwrap(), "\"[A]\"");
    assert_eq!(edited.get("/messages/20000"), None);
    assert_eq!(
        edited.get("/messages/7").unwrap(),
        r#"{"role":"user","content":"[A]"}"#
    );
}

/// Of a chat with so many of everything: messages, parts of one message, members of one object, tools.
fn wide(count: usize) -> Request {
    let list = |one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(",");
    let messages = list(&|at| format!(r#"{{"role":"user","content":"said {at}"}}"#));
    let parts = list(&|at| format!(r#"{{"type":"text","text":"part {at}"}}"#));
    let members = list(&|at| format!(r#""key {at}":"value {at}""#));
    let tools = list(&|at| {
        format!(r#"{{"type":"function","function":{{"name":"f{at}","description":"does {at}"}}}}"#)
    });
    let body = format!(
        r#"{{"model":"m","messages":[{messages},{{"role":"user","content":[{parts}]}}],"metadata":{{{members}}},"tools":[{tools}]}}"#
    );
    Request::parse(Dialect::Chat, body.into()).unwrap()
}

/// The steps of editing so many places, from the first to the last, with the commit.
fn steps_of(count: usize, edit: impl Fn(&mut Draft, usize)) -> u64 {
    let request = wide(count);
    crate::steps::of(|| {
        let mut draft = request.draft();
        for at in 0..count {
            edit(&mut draft, at);
        }
        draft.commit().unwrap();
    })
}

type Editor<'e> = (&'e str, &'e dyn Fn(&mut Draft, usize));

#[test]
fn twice_the_edits_take_no_more_than_twice_the_steps() {
    let text = |at: usize| format!("another {at}");
    let json = |at: usize| literal(&text(at));
    let put = |draft: &mut Draft, pointer: String, json: &str| {
        draft.set(&pointer, Some(json)).unwrap();
    };
    // Once any element or member was set, the tree is no longer as it lies in the body.
    let opened = |draft: &mut Draft| {
        for pointer in ["/metadata/key 0", "/messages/0/content", "/tools/0/type"] {
            draft.set(pointer, Some("\"function\"")).unwrap();
        }
    };
    let editors: [Editor<'_>; 13] = [
        ("replace_segment", &|draft, at| {
            draft.replace_segment(at as u32, &text(at)).unwrap();
        }),
        ("replace_segment of a tree in parts", &|draft, at| {
            if at == 0 {
                opened(draft);
            }
            draft.replace_segment(at as u32, &text(at)).unwrap();
        }),
        ("replace_text of every text", &|draft, at| {
            for at in 6 * at..6 * at + 6 {
                draft.replace_text(at as u32, &text(at)).unwrap();
            }
        }),
        ("replace_text of members, and their keys", &|draft, at| {
            if at == 0 {
                opened(draft);
            }
            let texts = &draft.request.index().texts;
            let first = texts.iter().position(|text| text.is_key).unwrap();
            for at in [first + 2 * at, first + 2 * at + 1] {
                draft.replace_text(at as u32, &text(at)).unwrap();
            }
        }),
        ("insert_message", &|draft, at| {
            draft
                .insert_message(at as u32, Role::User, &text(at))
                .unwrap();
        }),
        ("set of messages' contents", &|draft, at| {
            put(draft, format!("/messages/{at}/content"), &json(at));
        }),
        ("set of a message's parts", &|draft, at| {
            let last = draft.request.roles().len() - 1;
            let pointer = format!("/messages/{last}/content/{at}/text");
            put(draft, pointer, &json(at));
        }),
        ("set of one message's name", &|draft, at| {
            let last = draft.request.roles().len() - 1;
            put(draft, format!("/messages/{last}/name"), &json(at));
        }),
        ("set of members", &|draft, at| {
            put(draft, format!("/metadata/key {at}"), &json(at));
        }),
        ("set of new members", &|draft, at| {
            put(draft, format!("/metadata/new {at}"), &json(at));
        }),
        ("set of what tools say", &|draft, at| {
            put(
                draft,
                format!("/tools/{at}/function/description"),
                &json(at),
            );
        }),
        ("set that appends", &|draft, at| {
            let message = format!(r#"{{"role":"user","content":{}}}"#, json(at));
            put(draft, "/messages/-".to_owned(), &message);
        }),
        ("set that removes", &|draft, at| {
            draft.set(&format!("/messages/{at}"), None).unwrap();
            draft.set(&format!("/metadata/key {at}"), None).unwrap();
        }),
    ];
    for (name, edit) in editors {
        let [once, twice] = [400, 800].map(|count| steps_of(count, edit));
        assert!(once > 400, "{name} takes {once} steps: they aren't counted");
        assert!(
            twice <= 2 * once + once / 8,
            "{name}: {once} steps, and {twice} for twice as much"
        );
    }
}
