//! The bundled policies of governance, all in one chain: what each does, it does in every dialect, whole and streamed at every length of pieces, and what none of them
//! has anything to say of passes as it came.

use crate::http::{Service, answer};
use crate::support::*;

/// The order that docs/governance.md tells.
const CHAIN: [&str; 12] = [
    "access",
    "rate-limit",
    "topics",
    "moderation",
    "dlp",
    "secrets",
    "pii-vault",
    "data-routing",
    "budget",
    "tool-firewall",
    "json-answer",
    "cache",
];

/// What is kept has placeholders, so answers pass the vault behind the cache.
const ANSWERS: [&str; 12] = [
    "access",
    "rate-limit",
    "topics",
    "moderation",
    "dlp",
    "secrets",
    "data-routing",
    "budget",
    "tool-firewall",
    "json-answer",
    "cache",
    "pii-vault",
];

const POLICIES: &str = r#"
policy:
  access: {default: deny, rules: [{name: no-glm, effect: deny, models: ["zai-*"]}, {name: writers, effect: allow, roles: [writer]}]}
  rate-limit: {limits: [{tokens: 5000000, per: day, by: [principal]}]}
  topics: {forbidden: {weapons: {terms: [gun, rifle], threshold: 2}}}
  moderation: {endpoint: "http://@1/v1/moderations"}
  dlp: {blocked_terms: [Project Lynx]}
  data-routing: {require_no_training: true, classes: [{name: salary, keywords: [salary], require_zero_data_retention: true}]}
  budget: {budgets: [{tokens: 4000000, per: month, by: [team]}]}
  tool-firewall: {blocked_tools: [wipe], offered: keep}
  json-answer: {schema: {type: object}}
  cache: {scope: principal}
"#;

const TARGETS: &str = r#"
providers: {targets: [
  {id: silent, provider: cerebras, base_url: "http://@0/v1"},
  {id: keeps, provider: cerebras, base_url: "http://@0/v1", data_policy: {retention_days: 30, training_opt_out: true}},
  {id: forgets, provider: cerebras, base_url: "http://@0/v1", data_policy: {retention_days: 0, training_opt_out: true}}]}
"#;

/// A gateway with all of them, its client, the model and the moderation service behind it.
struct Scene {
    bench: Bench,
    model: Service,
}

impl Scene {
    async fn new() -> Scene {
        let service = Service::saying(|_, body| {
            let sent: Value = serde_json::from_str(body).unwrap();
            let results = sent["input"].as_array().unwrap().iter().map(|text| {
                let hate = text.as_str().unwrap().contains("hate");
                json!({"flagged": hate, "categories": {"hate": hate}, "category_scores": {"hate": if hate { 0.9 } else { 0.1 }}})
            });
            answer(&json!({"results": results.collect::<Vec<_>>()}).to_string())
        })
        .await;
        let model = Service::saying(says).await;
        let grants =
            r#"grants: [{http: {hosts: [{url: "http://@1", private: true}], timeout: 60s}}]"#;
        let stages = CHAIN.map(|id| match id {
            "moderation" => format!("{{id: moderation, {grants}}}"),
            id => id.to_owned(),
        });
        let hash: String = hash_of("sesame");
        let config = format!(
            "clients: {{keys: [{{id: ann, team: blue, roles: [writer], hash: \"sha256:{hash}\"}}, {{id: bob, hash: \"sha256:{}\"}}]}}\n\
             policies: {{chain: [{}], answers: [{}]}}\n{POLICIES}{TARGETS}",
            hash_of("other"),
            stages.join(", "),
            ANSWERS.join(", ")
        );
        let bench = Bench::to(&config, vec![model.address, service.address]).await;
        Scene { bench, model }
    }

    async fn post(&self, route: &str, body: &Value) -> Reply {
        let key = [("x-api-key", "sesame")];
        self.bench.post_with(route, body, &key).await
    }

    /// What reached the model last.
    fn seen(&self) -> String {
        self.model.heard().last().unwrap().1.clone()
    }
}

fn hash_of(key: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the model answers, by its name in the request.
fn prepared(name: &str) -> (&'static str, Option<(&'static str, &'static str)>) {
    match name {
        "plain" => (r#"{"to": "you", "say": "All is well; 12 of 13."}"#, None),
        "term" => (r#"{"to": "Project Lynx"}"#, None),
        "key" => (r#"{"key": "AKIAIOSFODNN7Q2W4E5R"}"#, None),
        "person" => (r#"{"to": "<EMAIL_1>"}"#, None),
        "prose" => ("Dear Ann", None),
        "fence" => ("```json\n{\"a\": 1}\n```", None),
        "weapons" => (r#"{"say": "a gun and a rifle"}"#, None),
        "hate" => (r#"{"say": "I hate all of it."}"#, None),
        "call" => ("", Some(("wipe", r#"{"disk": "/dev/sda"}"#))),
        other => panic!("{other}"),
    }
}

/// The model: answers what the request's text names, in pieces of as many characters as it says, as the endpoint has it.
fn says(path: &str, body: &str) -> String {
    let sent: Value = serde_json::from_str(body).unwrap();
    let is_chat = path.ends_with("/chat/completions");
    let text = match is_chat {
        true => sent["messages"].as_array().unwrap().last().unwrap()["content"].to_string(),
        false => sent["prompt"].to_string(),
    };
    let (_, order) = text.split_once("answer: ").unwrap();
    let mut order = order.split(' ');
    let (name, size) = (order.next().unwrap(), order.next().unwrap());
    let size: usize = size.parse().unwrap();
    let (content, call) = prepared(name);
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10});
    let whole = |choice: Value| json!({"id": "x", "object": "x", "created": 1, "model": sent["model"], "choices": [choice], "usage": usage});
    let finish = if call.is_some() { "tool_calls" } else { "stop" };
    let calls = |name: &str, arguments: &str, first: bool| match first {
        true => {
            json!([{"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}])
        }
        false => json!([{"index": 0, "function": {"arguments": arguments}}]),
    };
    if sent["stream"] != true {
        return answer(&match (is_chat, call) {
            (false, _) => whole(json!({"index": 0, "text": content, "finish_reason": finish})).to_string(),
            (true, None) => whole(json!({"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish})).to_string(),
            (true, Some((name, arguments))) => {
                let message = json!({"role": "assistant", "tool_calls": calls(name, arguments, true)});
                whole(json!({"index": 0, "message": message, "finish_reason": finish})).to_string()
            }
        });
    }
    let (text, arguments) = (content, call.map_or("", |(_, arguments)| arguments));
    let chars: Vec<char> = if call.is_some() { arguments } else { text }
        .chars()
        .collect();
    let mut events = String::new();
    for (n, piece) in chars.chunks(size).enumerate() {
        let piece: String = piece.iter().collect();
        let choice = match (is_chat, call) {
            (false, _) => json!({"index": 0, "text": piece, "finish_reason": null}),
            (true, None) => json!({"index": 0, "delta": {"content": piece}, "finish_reason": null}),
            (true, Some((name, _))) => {
                json!({"index": 0, "delta": {"tool_calls": calls(name, &piece, n == 0)}, "finish_reason": null})
            }
        };
        events += &format!("data: {}\n\n", whole(choice));
    }
    let last = match is_chat {
        true => json!({"index": 0, "delta": {}, "finish_reason": finish}),
        false => json!({"index": 0, "text": "", "finish_reason": finish}),
    };
    events += &format!("data: {}\n\ndata: [DONE]\n\n", whole(last));
    let length = events.len();
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{events}"
    )
}

/// One of each endpoint: where it is, its request, where a whole answer's text is, and what bounds the answer.
fn endpoints(text: &str) -> [(&'static str, Value, &'static str, &'static str); 5] {
    let of = |more: Value| with(json!({"model": "llama3.1-8b", "temperature": 0}), more);
    let messages = json!([{"role": "user", "content": text}]);
    [
        (
            "/v1/chat/completions",
            of(json!({"messages": messages})),
            "/choices/0/message/content",
            "max_completion_tokens",
        ),
        (
            "/v1/completions",
            of(json!({"prompt": text})),
            "/choices/0/text",
            "max_tokens",
        ),
        (
            "/v1/responses",
            of(json!({"input": text})),
            "/output/0/content/0/text",
            "max_output_tokens",
        ),
        (
            "/anthropic/v1/messages",
            of(json!({"messages": messages, "max_tokens": 100})),
            "/content/0/text",
            "max_tokens",
        ),
        (
            "/v1/actions/text-completion",
            of(json!({"prompt": text})),
            "/content",
            "max_tokens",
        ),
    ]
}

/// The text of an answer, whole or streamed; what the dialect says of a denial isn't among it.
fn text_of(reply: &Reply, place: &str) -> String {
    let kind = reply.header("content-type");
    if !kind.starts_with("text/event-stream") {
        let answer = reply.json();
        return answer
            .pointer(place)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
    }
    let piece = |event: &Value| {
        let places = ["/choices/0/delta/content", "/choices/0/text", "/delta/text"];
        let of_responses = || {
            let is_text = event["type"] == "response.output_text.delta";
            event["delta"].as_str().filter(|_| is_text)
        };
        let mut texts = places
            .iter()
            .filter_map(|place| event.pointer(place)?.as_str());
        texts
            .next()
            .or_else(of_responses)
            .unwrap_or_default()
            .to_owned()
    };
    reply.events().iter().map(piece).collect()
}

/// The same whole, and streamed in pieces of each of these lengths.
fn each_way(route: &str, text: &str) -> Vec<(String, bool)> {
    let mut ways = vec![(format!("{text} 1000 ."), false)];
    if !route.contains("actions") {
        ways.extend(
            (1..=12)
                .chain([25])
                .map(|size| (format!("{text} {size} ."), true)),
        );
    }
    ways
}

const ROUTES: usize = 5;

/// Every endpoint, whole and streamed.
async fn everywhere(scene: &Scene, text: &str, mut check: impl FnMut(&str, &str, &Reply)) {
    for n in 0..ROUTES {
        let (route, ..) = endpoints("").at(n);
        for (text, streamed) in each_way(route, text) {
            let (route, body, place, _) = endpoints(&format!("Way {n}. {text}")).at(n);
            let body = match streamed {
                true => with(body, json!({"stream": true})),
                false => body,
            };
            let reply = scene.post(route, &body).await;
            check(route, &text_of(&reply, place), &reply);
        }
    }
}

trait At<T> {
    fn at(self, n: usize) -> T;
}

impl<T, const N: usize> At<T> for [T; N] {
    fn at(self, n: usize) -> T {
        let mut all = Vec::from(self);
        all.swap_remove(n)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_is_to_be_said_of_passes_as_it_came() {
    let scene = Scene::new().await;
    let (plain, _) = prepared("plain");
    everywhere(&scene, "answer: plain", |route, text, reply| {
        assert_eq!(text, plain, "{route}: {}", reply.text());
        let said = reply.header("x-witgate-policies");
        for id in CHAIN {
            assert!(said.contains(&format!("{id}=")), "{route} {id}: {said}");
        }
        assert_eq!(reply.header("x-witgate-target"), "keeps", "{route}");
        assert_eq!(reply.header("x-witgate-tags"), "cache=miss", "{route}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_out_of_an_answer_is_at_every_cut() {
    let scene = Scene::new().await;
    for (order, expected) in [
        ("answer: term", r#"{"to": "[REDACTED]"}"#),
        ("answer: key", r#"{"key": "[SECRET:aws-access-token]"}"#),
        (
            "Write to ann@example.org. answer: person",
            r#"{"to": "ann@example.org"}"#,
        ),
        ("answer: fence", r#"{"a": 1}"#),
    ] {
        everywhere(&scene, order, |route, text, reply| {
            assert_eq!(text, expected, "{route} {order}: {}", reply.text());
        })
        .await;
    }
    assert!(
        !json!(scene.model.heard())
            .to_string()
            .contains("ann@example.org")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_may_not_be_ends_at_every_cut() {
    let scene = Scene::new().await;
    for (order, code, kept_back) in [
        ("answer: prose", "json_syntax", "Dear"),
        ("answer: weapons", "topic_forbidden", "rifle"),
        ("answer: hate", "moderation", "hate"),
    ] {
        everywhere(&scene, order, |route, text, reply| {
            assert!(
                reply.text().contains(code),
                "{route} {order}: {}",
                reply.text()
            );
            assert!(
                !text.contains(kept_back),
                "{route} {order}: {}",
                reply.text()
            );
        })
        .await;
    }
    // Where tools are.
    for n in [0, 2, 3] {
        for (text, streamed) in each_way("", "answer: call") {
            let (route, body, ..) = endpoints(&text).at(n);
            let parameters = json!({"type": "object"});
            let tool = match n {
                0 => {
                    json!({"type": "function", "function": {"name": "wipe", "parameters": parameters}})
                }
                2 => json!({"type": "function", "name": "wipe", "parameters": parameters}),
                _ => json!({"name": "wipe", "input_schema": parameters}),
            };
            let body = with(body, json!({"tools": [tool], "stream": streamed}));
            let reply = scene.post(route, &body).await;
            assert!(
                reply.text().contains("tool_denied"),
                "{route}: {}",
                reply.text()
            );
            assert!(
                !reply.text().contains("/dev/sda"),
                "{route}: {}",
                reply.text()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_judged_by_each_of_them() {
    let scene = Scene::new().await;
    for n in 0..ROUTES {
        // What an earlier endpoint kept answers nobody here.
        let text = |before: &str| format!("Way {n}. {before} answer: plain 5 .");
        let plain = text("");
        for streamed in [false, true] {
            let at = |text: &str| {
                let (route, body, place, most) = endpoints(text).at(n);
                let body = match streamed && !route.contains("actions") {
                    true => with(body, json!({"stream": true})),
                    false => body,
                };
                (route, body, place, most)
            };
            let (route, body, _, most) = at(&plain);
            let before = scene.model.heard().len();
            for (body, status, code) in [
                (
                    with(body.clone(), json!({"model": "zai-glm-4.7"})),
                    403,
                    "access.no-glm",
                ),
                (
                    with(body.clone(), json!({most: 6_000_000})),
                    413,
                    "rate-limit.too-large",
                ),
                (
                    with(body.clone(), json!({most: 4_500_000})),
                    429,
                    "budget.exceeded",
                ),
                (at(&text("A gun and a rifle.")).1, 403, "topic_forbidden"),
                (at(&text("I hate this.")).1, 403, "moderation"),
            ] {
                let reply = scene.post(route, &body).await;
                assert_eq!(reply.status, status, "{route} {code}: {}", reply.text());
                assert!(
                    reply.text().contains(code),
                    "{route} {code}: {}",
                    reply.text()
                );
            }
            let nobody = scene
                .bench
                .post_with(route, &body, &[("x-api-key", "other")])
                .await;
            assert!(
                nobody.text().contains("access.default"),
                "{route}: {}",
                nobody.text()
            );
            assert_eq!(
                scene.model.heard().len(),
                before,
                "{route}: somebody was asked"
            );

            let (_, body, place, _) = at(&text(
                "My salary at Project Lynx, ann@example.org, AKIAIOSFODNN7Q2W4E5R.",
            ));
            let reply = scene.post(route, &body).await;
            assert_eq!(
                text_of(&reply, place),
                prepared("plain").0,
                "{route}: {}",
                reply.text()
            );
            assert_eq!(
                reply.header("x-witgate-target"),
                if streamed { "policy" } else { "forgets" },
                "{route}"
            );
            let seen = scene.seen();
            assert!(
                seen.contains("[REDACTED], <EMAIL_1>, [SECRET:aws-access-token]."),
                "{seen}"
            );
            scene.bench.settled().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equal_request_is_answered_once_through_all_of_them() {
    let scene = Scene::new().await;
    for n in 0..ROUTES {
        let text = format!("Way {n}. Write to ann@example.org. answer: person 3 .");
        let (route, body, place, _) = endpoints(&text).at(n);
        let before = scene.model.heard().len();
        for (turn, streamed) in [false, true, false].into_iter().enumerate() {
            let body = match streamed && !route.contains("actions") {
                true => with(body.clone(), json!({"stream": true})),
                false => body.clone(),
            };
            let reply = scene.post(route, &body).await;
            assert_eq!(
                text_of(&reply, place),
                r#"{"to": "ann@example.org"}"#,
                "{route} {turn}: {}",
                reply.text()
            );
            let tag = if turn == 0 { "cache=miss" } else { "cache=hit" };
            assert_eq!(reply.header("x-witgate-tags"), tag, "{route} {turn}");
            scene.bench.settled().await;
        }
        // With a placeholder it is the same request about somebody else.
        let other = text.replace("ann@", "bob@");
        let (route, body, place, _) = endpoints(&other).at(n);
        let reply = scene.post(route, &body).await;
        assert_eq!(reply.header("x-witgate-tags"), "cache=hit", "{route}");
        assert_eq!(
            text_of(&reply, place),
            r#"{"to": "bob@example.org"}"#,
            "{route}"
        );
        scene.bench.settled().await;
        assert_eq!(scene.model.heard().len(), before + 1, "{route}");
    }
}
