use super::{ErrorBody, OwnSecret};

fn read(status: u16, body: &str) -> (u16, String) {
    read_bytes(status, body.as_bytes())
}

fn read_bytes(status: u16, body: &[u8]) -> (u16, String) {
    let read = ErrorBody::parse(status, body, &OwnSecret::new("csk-topsecret"));
    let fields = [read.message, read.kind, read.param, read.code];
    (read.status, fields.join("|"))
}

#[test]
fn flat_and_nested_say_the_same() {
    let same = (
        404,
        "no model|not_found_error|model|model_not_found".to_owned(),
    );
    let flat = r#"{"message":"no model","type":"not_found_error","param":"model","code":"model_not_found"}"#;
    assert_eq!(read(404, flat), same);
    assert_eq!(read(404, &format!(r#"{{"error":{flat}}}"#)), same);
    assert_eq!(
        read(404, &format!(r#"{{"status_code":500,"error":{flat}}}"#)),
        same
    );
}

#[test]
fn nulls_and_numbers_become_texts() {
    assert_eq!(
        read(
            400,
            r#"{"error":{"message":"bad","type":null,"param":null,"code":42}}"#
        ),
        (400, "bad|invalid_request_error||42".to_owned())
    );
}

#[test]
fn an_error_within_a_stream_has_its_own_status() {
    let event = r#"{"status_code":500,"error":{"message":"Encountered a server error, please try again.","type":"server_error","param":"","code":"","id":""}}"#;
    assert_eq!(
        read(200, event),
        (
            500,
            "Encountered a server error, please try again.|server_error||".to_owned()
        )
    );
}

#[test]
fn a_text_in_place_of_the_object_is_the_message() {
    assert_eq!(read(500, r#"{"error":"boom"}"#).1, "boom|server_error||");
    assert_eq!(
        read(404, r#"{"detail":"Not Found"}"#).1,
        "Not Found|not_found_error||"
    );
    assert_eq!(
        read(502, "bad\n gateway\u{0}\n").1,
        "bad gateway|server_error||"
    );
}

#[test]
fn a_page_is_its_title() {
    let page = "<!DOCTYPE html><html><head><TITLE>Attention Required!\n| Cloudflare</TITLE></head>é</html>";
    assert_eq!(
        read(403, page).1,
        "the upstream answered 403 with a page: Attention Required! | Cloudflare|permission_error||"
    );
}

#[test]
fn nothing_to_read_is_said() {
    for body in ["", "[]", "{}", "null", "<html>", "   "] {
        assert_eq!(
            read(503, body).1,
            "the upstream answered 503 and did not say why|server_error||",
            "{body}"
        );
    }
    assert_eq!(
        read(500, &"é".repeat(2000))
            .1
            .chars()
            .filter(|c| *c == 'é')
            .count(),
        500
    );
}

#[test]
fn an_error_of_a_successful_answer_has_the_status_that_it_names() {
    let said = |body: &str| {
        let none = OwnSecret::default();
        let error = ErrorBody::in_place_of_an_answer(body.as_bytes(), &none)?;
        Some((error.status, error.message))
    };
    let over = |status| Some((status, "used up".to_owned()));
    for (body, expected) in [
        (r#"{"error":{"message":"used up","code":429}}"#, over(429)),
        (r#"{"error":{"message":"used up","code":"429"}}"#, over(429)),
        (
            r#"{"error":{"message":"used up","status":503},"choices":[]}"#,
            over(503),
        ),
        (
            r#"{"error":{"message":"used up","code":"quota"},"choices":null}"#,
            over(502),
        ),
        (r#"{"error":{"message":"used up","code":200}}"#, over(502)),
        (r#"{"error":"used up","status":999}"#, over(502)),
        (
            r#"[{"error":{"code":429,"message":"used up","status":"RESOURCE_EXHAUSTED"}}]"#,
            over(429),
        ),
        (
            r#"{"choices":[{}],"error":{"message":"used up"}}"#,
            over(502),
        ),
        (r#"{"choices":[{}],"error":{},"message":"x"}"#, None),
        (r#"{"choices":[],"error":null}"#, None),
        (r#"{"id":"x"}"#, None),
        ("used up", None),
    ] {
        assert_eq!(said(body), expected, "{body}");
    }
}

#[test]
fn a_list_of_what_is_wrong_is_a_sentence() {
    let kind = "|invalid_request_error||";
    for (body, message) in [
        (r#"{"detail":[{"msg":"field required"}]}"#, "field required"),
        (
            r#"{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required","input":{"content":"private"}},{"msg":"and more"}]}"#,
            "body.messages.0.role: Field required; and more",
        ),
        (
            r#"{"object":"error","message":{"detail":[{"loc":["body"],"msg":"bad"}]}}"#,
            "body: bad",
        ),
        (
            r#"{"success":false,"errors":[{"code":7,"message":"one"},{"message":"two"}]}"#,
            "one; two",
        ),
        (r#"{"detail":{"message":"deep"}}"#, "deep"),
        (r#"{"message":["a","b"],"statusCode":400}"#, "a; b"),
        (
            r#"{"detail":[]}"#,
            "the upstream answered 422 and did not say why",
        ),
    ] {
        assert_eq!(read(422, body), (422, format!("{message}{kind}")), "{body}");
    }
}

#[test]
fn no_text_of_an_error_has_the_targets_secret_or_a_part_of_it() {
    for body in [
        r#"{"error":{"message":"Bad key csk-topsecret","type":"csk-topsecret","param":"csk-topsecret","code":"csk\u002dtopsecret"}}"#,
        r#"{"detail":[{"loc":["csk-topsecret"],"msg":"Bearer csk-topsecret"}]}"#,
        "Bad key csk-topsecret",
        "<html><title>csk-topsecret</title></html>",
        &format!("{}csk-topsecret", "x".repeat(495)),
        &format!("{{\"message\":\"{}csk-topsecret\"}}", "x".repeat(3995)),
    ] {
        let (_, said) = read(401, body);
        assert!(
            !said.contains("csk-") && said.contains("[key"),
            "{body}: {said}"
        );
    }
}

#[test]
fn json_that_is_cut_is_not_repeated() {
    let body = r#"{"detail":[{"input":{"messages":[{"content":"private"#;
    assert!(
        read(422, body)
            .1
            .starts_with("the upstream answered 422 and did not say why")
    );
}

#[test]
fn bytes_that_are_no_text_are_not_repeated() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48];
    assert_eq!(
        read_bytes(400, &gzip).1,
        "the upstream answered 400 and did not say why|invalid_request_error||"
    );
}

#[test]
fn a_status_that_is_no_errors_becomes_502() {
    for status in [101, 200, 302, 600, 999] {
        assert_eq!(read(status, "gone").0, 502);
    }
}

#[test]
fn no_text_is_longer_than_people_read() {
    let long = "x".repeat(100_000);
    let body =
        format!(r#"{{"message":"{long}","type":"{long}","param":"{long}","code":"{long}"}}"#);
    assert!(read(400, &body).1.len() < 5_000);
}
