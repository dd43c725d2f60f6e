#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use bytes::Bytes;

const BODY: &str = r#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"},{"type":"text","text":"d"}]},{"role":"user","content":"e"}],"stream":true,"n":1,"stop":["x","y","z"],"temperature":0.5}"#;

fn draft() -> Draft {
    Request::parse(Dialect::Chat, Bytes::from_static(BODY.as_bytes()))
        .unwrap()
        .draft()
}

fn sent(draft: Draft) -> String {
    String::from_utf8(draft.commit().to_bytes(None).to_vec()).unwrap()
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
    assert_eq!(draft.commit().roles().len(), 2);
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
    let request = draft.commit();
    let texts: Vec<_> = request
        .segments(0)
        .iter()
        .map(|segment| segment.text)
        .collect();
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
            "the value has `[0].a` twice",
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
    let request = draft.commit();
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
        draft.commit().get("/messages").unwrap(),
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
    assert!(draft.commit().is_edited());
    assert_eq!(request.segments(0)[0].text, "a");
    assert!(!request.is_edited());
}
