#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;

use super::*;

fn composition<'a>(
    id: &'a str,
    choices: &'a [u32],
    texts: &'a [(u32, Channel<'static>, String)],
) -> Composition<'a> {
    Composition {
        id,
        model: "m",
        choices,
        texts,
        denied: &[],
        finishes: &[],
    }
}

#[test]
fn a_response_of_a_policys_is_an_ordinary_answer() {
    let call = |index, id: &'static str| Channel::ToolArguments(ToolCall::new(index, id, "f"));
    let deltas = [
        (1, Channel::Content, "b".to_owned()),
        (0, call(1, "y"), "2".to_owned()),
        (0, Channel::Content, "hello ".to_owned()),
        (0, call(0, "x"), "{".to_owned()),
        (0, Channel::Content, "you".to_owned()),
        (0, call(0, ""), "}".to_owned()),
    ];
    let body = composition("chatcmpl-7", &[0, 1], &deltas).whole_at(Dialect::Chat, 7);
    assert_eq!(
        body,
        r#"{"id":"chatcmpl-7","choices":[{"finish_reason":"tool_calls","index":0,"message":{"content":"hello you","tool_calls":[{"function":{"name":"f","arguments":"{}"},"type":"function","id":"x"},{"function":{"name":"f","arguments":"2"},"type":"function","id":"y"}],"role":"assistant"}},{"finish_reason":"stop","index":1,"message":{"content":"b","role":"assistant"}}],"created":7,"model":"m","system_fingerprint":"fp_witgate","object":"chat.completion","usage":{"total_tokens":0,"completion_tokens":0,"completion_tokens_details":{"reasoning_tokens":0},"prompt_tokens":0,"prompt_tokens_details":{"cached_tokens":0}}}"#
    );
    let empty = WholeAnswer::parse(composition("i", &[0], &[]).whole(Dialect::Chat)).unwrap();
    assert_eq!(
        (empty.texts().len(), empty.finishes()),
        (0, &[(0, "stop".to_owned())][..])
    );
}

proptest! {
    #[test]
    fn what_a_policy_says_is_what_the_client_reads(content in ".+", reasoning in ".+", new in ".*") {
        let deltas = [(0, Channel::Content, content.clone()), (0, Channel::Reasoning, reasoning.clone())];
        let mut answer = WholeAnswer::parse(composition("i", &[0], &deltas).whole(Dialect::Chat)).unwrap();
        prop_assert_eq!(&answer.texts()[0].text, &reasoning);
        prop_assert_eq!(&answer.texts()[1].text, &content);
        answer.set_text(1, new.clone());
        let again: serde_json::Value = serde_json::from_slice(&answer.to_bytes()).unwrap();
        prop_assert_eq!(again["choices"][0]["message"]["content"].as_str().unwrap(), new);
        prop_assert_eq!(again["choices"][0]["message"]["reasoning"].as_str().unwrap(), reasoning);
    }
}
