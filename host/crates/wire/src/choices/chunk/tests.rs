//! What is read in a chunk, shape by shape. The file is long because the shapes that upstreams send are many, and each is a line here.

#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use crate::ToolCall;
use crate::choices::splice::set_texts;
use crate::{Beside, ChannelKey, Member, Voice};
use proptest::prelude::*;

const ROLE: &str = r#"{"id":"chatcmpl-1","choices":[{"delta":{"role":"assistant"},"index":0}],"created":1775751421,"model":"gpt-oss-120b","system_fingerprint":"fp_4c26d27ac5dbffe28c72","object":"chat.completion.chunk"}"#;
const REASONING: &str = r#"{"id":"chatcmpl-1","choices":[{"delta":{"reasoning":"We just need to respond."},"index":0}],"created":1775751421,"model":"gpt-oss-120b"}"#;
const CONTENT: &str = r#"{"id":"chatcmpl-1","choices":[{"delta":{"content":"Got it! Your test message"},"index":0}],"created":1775751421,"model":"gpt-oss-120b","system_fingerprint":"fp_4c26d27ac5dbffe28c72","object":"chat.completion.chunk"}"#;
const OPENING: &str = r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"run_me","arguments":""},"type":"function","id":"dfd5fc767","index":0}]},"index":0}]}"#;
const FRAGMENT: &str = r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"bar"},"type":"function","index":0}]},"index":0}]}"#;
const FINISH: &str = r#"{"id":"chatcmpl-1","choices":[{"delta":{},"finish_reason":"stop","index":0}],"created":1775751421,"model":"gpt-oss-120b","usage":{"total_tokens":387,"completion_tokens":65,"completion_tokens_details":{"accepted_prediction_tokens":0,"rejected_prediction_tokens":0,"reasoning_tokens":58},"prompt_tokens":322,"prompt_tokens_details":{"cached_tokens":256}},"time_info":{"created":1779146781.786984,"queue_time":0.002922005,"total_time":0.13299274444580078}}"#;
const ERROR: &str = r#"{"status_code":500,"error":{"message":"Encountered a server error, please try again.","type":"server_error","param":"","code":"","id":""}}"#;

fn parse(data: &str) -> Chunk<'_> {
    Chunk::parse(data.as_bytes()).unwrap()
}

fn tool<'a>(index: u32, id: Option<&'a str>, name: Option<&'a str>) -> Channel<'a> {
    Channel::ToolArguments(ToolCall {
        index,
        id: id.map(Cow::Borrowed),
        name: name.map(Cow::Borrowed),
    })
}

/// The lane of `reasoning_content`.
fn again() -> Channel<'static> {
    Channel::Beside(Beside {
        voice: Voice::Reasoning,
        member: Member::ReasoningContent,
        part: 0,
    })
}

fn texts<'c>(chunk: &'c Chunk<'_>) -> Vec<(u32, Channel<'c>, &'c str)> {
    chunk
        .pieces
        .iter()
        .map(|piece| (piece.choice, piece.channel.clone(), &*piece.text))
        .collect()
}

#[test]
fn recorded_chunks_are_read() {
    let role = parse(ROLE);
    assert!(role.pieces.is_empty() && role.extras);
    assert_eq!(
        (role.choices.len(), role.model.as_deref()),
        (1, Some("gpt-oss-120b"))
    );

    let reasoning = parse(REASONING);
    assert_eq!(
        texts(&reasoning),
        [(0, Channel::Reasoning, "We just need to respond.")]
    );
    assert!(!reasoning.carries_more(0));

    let content = parse(CONTENT);
    assert_eq!(
        texts(&content),
        [(0, Channel::Content, "Got it! Your test message")]
    );
    assert_eq!(
        &CONTENT[content.pieces[0].slot.span()],
        "\"Got it! Your test message\""
    );
    assert!(matches!(content.pieces[0].text, Cow::Borrowed(_)));
    assert!(!content.carries_more(0));

    let opening = parse(OPENING);
    assert_eq!(
        texts(&opening),
        [(0, tool(0, Some("dfd5fc767"), Some("run_me")), "")]
    );
    assert!(opening.carries_more(0));

    let fragment = parse(FRAGMENT);
    assert_eq!(texts(&fragment), [(0, tool(0, None, None), "{\"bar")]);
    assert_eq!(&FRAGMENT[fragment.pieces[0].slot.span()], r#""{\"bar""#);
    assert!(!fragment.carries_more(0));

    let finish = parse(FINISH);
    assert_eq!(finish.finishes[..], [(0, Cow::Borrowed("stop"))]);
    assert_eq!(
        finish.usage,
        Some(Usage {
            prompt_tokens: 322,
            completion_tokens: 65,
            cached_tokens: 256,
            reasoning_tokens: 58
        })
    );

    for data in [ROLE, REASONING, CONTENT, OPENING, FRAGMENT, FINISH, ERROR] {
        assert!(parse(data).is_readable(data.as_bytes()), "{data}");
    }

    let error = *parse(ERROR).error.unwrap();
    assert_eq!(
        (error.kind.as_str(), error.status),
        ("server_error", Some(500))
    );
    assert_eq!(
        error.message,
        "Encountered a server error, please try again."
    );
}

#[test]
fn order_of_keys_whitespace_and_escaped_keys_hide_nothing() {
    let chunk = parse(
        " { \"choices\" : [ { \"index\" : 3 , \"delta\" : { \"tool_calls\" : [ { \"index\" : 1 , \"function\" : { \"arguments\" : \"b\" } } , \n\
         { \"function\" : { \"arguments\" : \"a\" } , \"index\" : 0 } ] , \"refusal\" : \"r\" , \"cont\\u0065nt\" : \"c\" , \"reasoning_content\" : \"q\" } } , \
         { \"delta\" : { \"content\" : null , \"reasoning\" : \"z\" } , \"index\" : 1 , \"finish_reason\" : null } ] } ",
    );
    assert_eq!(
        texts(&chunk),
        [
            (3, again(), "q"),
            (3, Channel::Content, "c"),
            (3, Channel::Refusal, "r"),
            (3, tool(0, None, None), "a"),
            (3, tool(1, None, None), "b"),
            (1, Channel::Reasoning, "z"),
        ]
    );
    assert!(chunk.finishes.is_empty());
    assert_eq!(chunk.choices.len(), 2);
}

#[test]
fn odd_but_harmless_shapes_are_read() {
    let deltas = |delta: &str| format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
    let one = |delta: &str| {
        let data = deltas(delta);
        let chunk = parse(&data);
        texts(&chunk)
            .iter()
            .map(|(_, channel, text)| format!("{:?} {text}", channel.key()))
            .collect::<Vec<_>>()
    };
    assert_eq!(one("null"), [""; 0]);
    assert_eq!(
        one(r#"{"content":"","tool_calls":null,"function_call":null}"#),
        [""; 0]
    );
    assert_eq!(
        one(r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#),
        [""; 0]
    );
    assert_eq!(
        one(
            r#"{"tool_calls":[{"function":{"arguments":"x"}},{"id":"","function":{"arguments":"y"}}]}"#
        ),
        ["ToolArguments(0) x", "ToolArguments(1) y"]
    );
    assert_eq!(
        one(r#"{"function_call":{"name":"f","arguments":"x"}}"#),
        ["FunctionCall x"]
    );
    assert_eq!(
        one(
            r#"{"content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"b"},{"type":"x"}]}"#
        ),
        [
            "Content a",
            "Beside(Beside { voice: Refusal, member: Content, part: 0 }) b"
        ]
    );
    let going_on = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#;
    assert!(parse(going_on).finishes.is_empty());
    assert_eq!(parse("{}").choices.len(), 0);
    assert_eq!(
        parse(r#"{"choices":null,"usage":null,"error":null}"#).usage,
        None
    );
    assert_eq!(
        parse(r#"{"usage":{"prompt_tokens":99999999999,"completion_tokens":null}}"#)
            .usage
            .unwrap()
            .prompt_tokens,
        u32::MAX
    );
    assert!(parse(r#"{"error":{}}"#).error.is_none());
    assert_eq!(parse(r#"{"error":"gone"}"#).error.unwrap().message, "gone");
    assert_eq!(
        parse(r#"{"error":{"code":429,"param":null}}"#)
            .error
            .unwrap()
            .code,
        "429"
    );
    assert_eq!(
        parse(r#"{"choices":[{"message":{"content":"m"}}]}"#).pieces[0].text,
        "m"
    );
}

#[test]
fn what_might_hide_a_text_is_no_chunk() {
    for data in [
        "[DONE]",
        "",
        "[]",
        "{\"choices\":[]} x",
        r#"{"choices":[],"choices":[]}"#,
        r#"{"choices":{}}"#,
        r#"{"choices":[{"delta":{},"delta":{}}]}"#,
        r#"{"choices":[{"delta":{"content":"a","cont\u0065nt":"b"}}]}"#,
        r#"{"choices":[{"delta":{"content":1}}]}"#,
        r#"{"choices":[{"delta":{"content":{"text":"a"}}}]}"#,
        r#"{"choices":[{"delta":{"content":["a"]}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"text":1}]}}]}"#,
        r#"{"choices":[{"delta":"a"}]}"#,
        r#"{"choices":["a"]}"#,
        r#"{"choices":[{"delta":{},"message":{}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"text":"a","text":"b"}]}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"text":"a","refusal":"b"}]}}]}"#,
        r#"{"choices":[{"index":-1}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"custom":{"input":"a"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{}}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"a","arguments":"b"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":{}}}]}"#,
        r#"{"choices":[{"delta":{"function_call":"a"}}]}"#,
    ] {
        assert!(Chunk::parse(data.as_bytes()).is_err(), "{data}");
    }
    assert!(Chunk::parse(b"{\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}").is_err());
    let error = Chunk::parse(br#"{"choices":[],"choices":[]}"#).unwrap_err();
    assert!(
        error.to_string().contains("`choices` stands twice"),
        "{error}"
    );
}

#[test]
fn what_is_said_of_a_fault_is_its_kind_and_place_and_never_a_value() {
    let secret = "jane.doe@example.com";
    for hides in [
        r#""SECRET""#,
        r#"{"choices":"SECRET"}"#,
        r#"{"choices":["SECRET"]}"#,
        r#"{"choices":[{"index":"SECRET"}]}"#,
        r#"{"choices":[{"delta":"SECRET"}]}"#,
        r#"{"choices":[{"message":"SECRET"}]}"#,
        r#"{"choices":[{"delta":{"content":{"SECRET":1}}}]}"#,
        r#"{"choices":[{"delta":{"content":["SECRET"]}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"text":["SECRET"]}]}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"SECRET !"}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":"SECRET"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":["SECRET"]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":"SECRET"}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":"SECRET"}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":["SECRET"]}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"custom":"SECRET"}]}}]}"#,
        r#"{"choices":[{"delta":{"function_call":"SECRET"}}]}"#,
        r#"{"id":"SECRET and more"}"#,
        r#"{"model":{"SECRET":1}}"#,
        r#"{"choices":[{"finish_reason":"SECRET and more"}]}"#,
        r#"{"choices":[{"delta":{"role":"SECRET and more"}}]}"#,
        r#"{"choices":[] "SECRET"}"#,
        r#"{"SECRET"#,
        r#"SECRET"#,
    ] {
        let data = hides.replace("SECRET", secret);
        let fault = Chunk::parse(data.as_bytes()).unwrap_err();
        for said in [fault.to_string(), format!("{fault:?}")] {
            assert!(!said.contains("jane"), "{data}: {said}");
            assert!(said.contains("at line 1 column"), "{data}: {said}");
        }
    }
    let fault = Chunk::parse(br#"{"choices":[{"delta":{"tool_calls":[{"custom":1}]}}]}"#);
    let said = fault.unwrap_err().to_string();
    assert!(said.contains("a tool call of the kind `custom`"), "{said}");
}

#[test]
fn a_text_that_is_shown_twice_is_two_lanes_and_one_that_goes_on_is_one() {
    let both = parse(r#"{"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}"#);
    assert_eq!(
        texts(&both),
        [(0, Channel::Reasoning, "a"), (0, again(), "a")]
    );
    let old = r#"{"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"},"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let old = parse(old);
    assert_ne!(old.pieces[0].channel.key(), old.pieces[1].channel.key());
    let parts = parse(
        r#"{"choices":[{"delta":{"content":[{"text":"a"},{"text":"b"},{"type":"again","text":"a"}]}}]}"#,
    );
    let lanes: Vec<_> = parts
        .pieces
        .iter()
        .map(|piece| piece.channel.key())
        .collect();
    assert_eq!(lanes[..2], [ChannelKey::Content; 2]);
    assert!(matches!(
        lanes[2],
        ChannelKey::Beside(Beside { part: 2, .. })
    ));
}

#[test]
fn surrogates_are_joined_and_halves_are_marked() {
    let data = r#"{"choices":[{"delta":{"content":"a\ud83d\ude00","reasoning":"b\ud83d","refusal":"\ude00c"}}]}"#;
    let chunk = parse(data);
    let texts: Vec<_> = chunk.pieces.iter().map(|piece| &*piece.text).collect();
    assert_eq!(texts, ["b\u{fffd}", "a😀", "\u{fffd}c"]);
    let out = set_texts(data.as_bytes(), &[(&chunk.pieces[1].slot, "x")], &[]);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        data.replace(r"a\ud83d\ude00", "x")
    );
}

#[test]
fn a_new_text_loses_that_choices_logprobs_alone() {
    let data = r#"{"choices":[{"logprobs":{"content":[{"token":"a","logprob":-1e-7}]},"index":0,"delta":{"content":"a"},"reasoning_logprobs":[1]},{"index":1,"delta":{"content":"b"},"logprobs":{"content":[]}},{"index":2,"delta":{},"logprobs":null}],"time_info":{"t":0.10}}"#;
    let chunk = parse(data);
    assert_eq!(chunk.logprobs_of(2).count(), 0);
    let nulled: Vec<_> = chunk.logprobs_of(0).collect();
    let out = set_texts(data.as_bytes(), &[(&chunk.pieces[0].slot, "\"\n")], &nulled);
    let expected = data
        .replace(r#"{"content":[{"token":"a","logprob":-1e-7}]}"#, "null")
        .replace("[1]", "null")
        .replace(r#""content":"a""#, r#""content":"\"\n""#);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_call_that_opens_without_arguments_can_be_given_some() {
    for call in [
        r#"{"index":0,"id":"i","function":{"name":"f","arguments":""}}"#,
        r#"{"index":0,"id":"i","function":{"name":"f","arguments":null}}"#,
        r#"{"index":0,"id":"i","function":{"name":"f"}}"#,
        r#"{"index":0,"id":"i","function":{ }}"#,
        r#"{"index":0,"id":"i","function":null}"#,
        r#"{"index":0,"id":"i"}"#,
        "old",
    ] {
        let delta = match call {
            "old" => r#"{"function_call":{"name":"f"}}"#.to_owned(),
            call => format!(r#"{{"tool_calls":[{{"function":{{}}}},{call}]}}"#),
        };
        let data = format!(r#"{{"choices":[{{"index":1}},{{"delta":{delta},"index":0}}]}}"#);
        let chunk = parse(&data);
        assert_eq!(chunk.pieces.len(), 1, "{call}");
        let out = set_texts(
            data.as_bytes(),
            &[(&chunk.pieces[0].slot, "{\"a\":1}")],
            &[],
        );
        let again = Chunk::parse(&out).unwrap();
        assert_eq!(again.pieces[0].text, "{\"a\":1}", "{call}");
        assert_eq!(again.pieces[0].channel, chunk.pieces[0].channel, "{call}");
    }
}

#[test]
fn carrying_more_means_something_besides_the_text() {
    for (choice, more) in [
        (
            r#"{"delta":{"content":"a"},"finish_reason":null,"logprobs":null}"#,
            false,
        ),
        (r#"{"delta":{"content":"a","role":null}}"#, false),
        (r#"{"delta":{"content":"a","role":"assistant"}}"#, true),
        (r#"{"delta":{"content":"a","audio":{}}}"#, true),
        (r#"{"delta":{"content":"a"},"finish_reason":"stop"}"#, true),
        (r#"{"delta":{"content":"a","reasoning":"b"}}"#, true),
        (r#"{"delta":{"content":"a"}},{"index":1}"#, true),
    ] {
        let data = format!(r#"{{"choices":[{choice}],"usage":null}}"#);
        assert_eq!(parse(&data).carries_more(0), more, "{choice}");
    }
    assert!(parse(r#"{"choices":[{"delta":{"content":"a"}}],"usage":{}}"#).carries_more(0));
}

#[test]
fn only_chunks_with_news_need_to_be_read() {
    for data in [ROLE, REASONING, CONTENT, OPENING, FRAGMENT] {
        assert!(!needs_parse(data.as_bytes()), "{data}");
    }
    for data in [
        FINISH,
        ERROR,
        r#"{"finish_reason" :"stop"}"#,
        r#"{"finish_reason":null,"x":{"finish_reason": "stop"}}"#,
        r#"{"finish\u005freason":"stop"}"#,
        r#"{"usage" : { }}"#,
        r#"{"usage""#,
        "{\"error\"\n:\n{}}",
    ] {
        assert!(needs_parse(data.as_bytes()), "{data}");
    }
    for data in [
        "{\"finish_reason\" :\r\n null,\"usage\":null,\"error\":null}",
        r#"{"content":"the \"usage\": and \"error\": of it"}"#,
    ] {
        assert!(!needs_parse(data.as_bytes()), "{data}");
    }
}

/// A JSON string literal of that text, with some characters escaped that need not be.
fn literal(text: &str, escapes: &[bool]) -> String {
    let mut out = String::from("\"");
    for (at, char) in text.chars().enumerate() {
        if escapes
            .get(at % escapes.len().max(1))
            .copied()
            .unwrap_or(false)
        {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04X}"));
            }
        } else {
            let plain = serde_json::to_string(&char).unwrap();
            out.push_str(&plain[1..plain.len() - 1]);
        }
    }
    out.push('"');
    out
}

proptest! {
    #[test]
    fn any_text_is_read_and_replaced_and_no_other_byte_changes(
        text in ".+", new in ".*", escapes in prop::collection::vec(any::<bool>(), 0..4), pad in "[ \n\t\r]{0,3}", pretty in any::<bool>(),
    ) {
        let literal = literal(&text, &escapes);
        let head = format!(r#"{{"n":123456789012345678901234567890,{pad}"x":[1.50,{{"content":"no"}}],"choices":{pad}[{pad}{{"index":2,"delta":{{"content":{pad}"#);
        let tail = format!(r#"{pad},"e":1e400}},"u":"\ud83d"}}{pad}],"time_info":{{"a":0.10}}{}}}"#, if pretty { "\n" } else { "" });
        let data = format!("{head}{literal}{tail}");
        let chunk = Chunk::parse(data.as_bytes()).unwrap();
        prop_assert_eq!(chunk.pieces.len(), 1);
        prop_assert_eq!(&*chunk.pieces[0].text, &text);
        prop_assert_eq!(&data[chunk.pieces[0].slot.span()], &literal);
        let out = String::from_utf8(set_texts(data.as_bytes(), &[(&chunk.pieces[0].slot, &new)], &[])).unwrap();
        prop_assert!(out.starts_with(&head) && out.ends_with(&tail));
        let between = &out[head.len()..out.len() - tail.len()];
        prop_assert_eq!(serde_json::from_str::<String>(between).unwrap(), new);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for data in [ROLE, OPENING, FRAGMENT, FINISH, ERROR] {
            let mut bytes = data.as_bytes()[..=cut.index(data.len())].to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let read = Chunk::parse(&bytes);
            if let Ok(chunk) = read {
                let news = !chunk.finishes.is_empty() || chunk.usage.is_some() || chunk.error.is_some();
                prop_assert!(!news || needs_parse(&bytes));
            }
        }
    }
}
