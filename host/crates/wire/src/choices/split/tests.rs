#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use crate::Channel;
use crate::choices::chunk::Chunk;

const MIXED: &str = r#"{"id":"i","choices":[{"delta":{"role":"assistant","content":"hi\ud83d","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}},{"index":1,"id":"b","function":{"name":"g"}}]},"finish_reason":"tool_calls","index":4,"logprobs":{"x":1.50}},{"index":5,"delta":{"reasoning":"r"}}],"model":"m","usage":{"prompt_tokens":3},"time_info":{"t":0.10},"new":1e400}"#;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn without_pieces(data: &str, pieces: &[usize]) -> Rest {
    let chunk = Chunk::parse(data.as_bytes()).unwrap();
    let slots: Vec<_> = pieces
        .iter()
        .map(|piece| &chunk.pieces[*piece].slot)
        .collect();
    without(data.as_bytes(), &slots).unwrap()
}

#[test]
fn only_a_piece_has_nothing_else() {
    let chunk = Chunk::parse(MIXED.as_bytes()).unwrap();
    let singles: Vec<_> = chunk
        .pieces
        .iter()
        .map(|piece| text(only(MIXED.as_bytes(), &piece.slot).unwrap()))
        .collect();
    let around =
        |choice: &str| format!(r#"{{"id":"i","choices":[{choice}],"model":"m","new":1e400}}"#);
    assert_eq!(
        singles,
        [
            around(r#"{"delta":{"content":"hi\ud83d"},"index":4}"#),
            around(
                r#"{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]},"index":4}"#
            ),
            around(
                r#"{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g"}}]},"index":4}"#
            ),
            around(r#"{"index":5,"delta":{"reasoning":"r"}}"#),
        ]
    );
    for (single, piece) in singles.iter().zip(&chunk.pieces) {
        let again = Chunk::parse(single.as_bytes()).unwrap();
        assert_eq!(
            (&again.pieces[0].channel, &again.pieces[0].text),
            (&piece.channel, &piece.text)
        );
        assert_eq!(
            (again.pieces.len(), again.carries_more(0)),
            (1, piece.channel.opens_call())
        );
    }
}

#[test]
fn without_pieces_the_rest_stays_and_logprobs_go() {
    let Rest::Chunk(rest) = without_pieces(MIXED, &[0, 1]) else {
        panic!()
    };
    assert_eq!(
        text(rest),
        MIXED
            .replace(r#""content":"hi\ud83d","#, "")
            .replace(
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}},"#,
                ""
            )
            .replace(r#"{"x":1.50}"#, "null")
    );
    let Rest::Chunk(rest) = without_pieces(MIXED, &[1, 2, 3]) else {
        panic!()
    };
    let chunk = Chunk::parse(&rest).unwrap();
    assert_eq!(
        (
            chunk.choices.len(),
            chunk.pieces.len(),
            chunk.finishes.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(chunk.pieces[0].channel, Channel::Content);
}

#[test]
fn without_its_last_text_a_chunk_may_be_nothing() {
    let data = r#"{"choices":[{"index":0,"delta":{"content":"a","reasoning":"b","role":null},"finish_reason":null}],"usage":null}"#;
    assert_eq!(without_pieces(data, &[0, 1]), Rest::Nothing);
    let Rest::Usage(rest) = without_pieces(
        &data.replace("\"usage\":null", "\"usage\":{\"a\":1}"),
        &[0, 1],
    ) else {
        panic!()
    };
    assert_eq!(text(rest), r#"{"choices":[],"usage":{"a":1}}"#);
    let Rest::Chunk(_) = without_pieces(data, &[0]) else {
        panic!()
    };
}

#[test]
fn without_choices_usage_survives() {
    let Rest::Chunk(rest) = without_choices(MIXED.as_bytes(), &[4]).unwrap() else {
        panic!()
    };
    let start = MIXED.find(r#"{"delta":{"role""#).unwrap();
    let end = MIXED.find(r#"{"index":5"#).unwrap();
    assert_eq!(text(rest), format!("{}{}", &MIXED[..start], &MIXED[end..]));
    let Rest::Usage(rest) = without_choices(MIXED.as_bytes(), &[4, 5]).unwrap() else {
        panic!()
    };
    assert!(text(rest).starts_with(
        r#"{"id":"i","choices":[],"model":"m","usage":{"prompt_tokens":3},"time_info""#
    ));
    let plain = br#"{"choices":[{"delta":{"content":"x"}}]}"#;
    assert_eq!(without_choices(plain, &[0]).unwrap(), Rest::Nothing);
    assert!(without_choices(b"[]", &[0]).is_err());
}
