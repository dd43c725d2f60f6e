//! The policies that count, route and keep answers: what a client sees of them, in every dialect, and together.

use crate::support::*;

/// One of each dialect: the route, a request, and where the whole answer's text is.
fn dialects(text: &str) -> [(&'static str, Value, &'static str); 4] {
    let model = json!({"model": "llama3.1-8b", "temperature": 0});
    let of = |more: Value| with(model.clone(), more);
    let messages = json!([{"role": "user", "content": text}]);
    [
        (
            "/v1/chat/completions",
            of(json!({"messages": messages})),
            "/choices/0/message/content",
        ),
        (
            "/v1/completions",
            of(json!({"prompt": text})),
            "/choices/0/text",
        ),
        (
            "/v1/responses",
            of(json!({"input": text})),
            "/output/0/content/0/text",
        ),
        (
            "/anthropic/v1/messages",
            of(json!({"messages": messages, "max_tokens": 100})),
            "/content/0/text",
        ),
    ]
}

/// The text of an answer, whole or streamed, in any dialect.
fn text_of(reply: &Reply, place: &str) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    if !reply
        .header("content-type")
        .starts_with("text/event-stream")
    {
        let answer = reply.json();
        let text = answer.pointer(place).and_then(Value::as_str);
        return text.unwrap_or_else(|| panic!("{answer}")).to_owned();
    }
    let piece = |event: &Value| {
        let places = [
            "/choices/0/delta/content",
            "/choices/0/text",
            "/delta/text",
            "/delta",
        ];
        let mut texts = places
            .iter()
            .filter_map(|place| event.pointer(place)?.as_str());
        texts.next().unwrap_or_default().to_owned()
    };
    reply.events().iter().map(piece).collect()
}

fn both(body: Value) -> [Value; 2] {
    [body.clone(), with(body, json!({"stream": true}))]
}

fn number(reply: &Reply, header: &str) -> u64 {
    let value = reply.header(header);
    value
        .parse()
        .unwrap_or_else(|_| panic!("{header}: {value:?}"))
}

/// A window so long that no test meets its end.
const LONG: u32 = 31_622_400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_its_limits_and_when_to_come_back() {
    let config = format!(
        "policies: {{chain: [rate-limit]}}\n\
         policy: {{rate-limit: {{limits: [{{requests: 2, per: {LONG}}}, {{tokens: 100000, per: day}}]}}}}"
    );
    let bench = Bench::of(&config).await;
    for left in [1, 0] {
        let reply = bench.chat(&ask("say: hi")).await;
        assert_eq!(reply.status, 200);
        let header = format!("x-ratelimit-remaining-requests-{LONG}s");
        assert_eq!(number(&reply, &header), left);
    }
    bench.settled().await;
    let reply = bench.chat(&ask("say: hi")).await;
    assert_eq!(reply.error(), (429, "rate-limit.exceeded".into()));
    let wait = number(&reply, "retry-after");
    assert!((1..=u64::from(LONG)).contains(&wait), "{wait}");
    let reset = number(&reply, &format!("x-ratelimit-reset-requests-{LONG}s"));
    assert_eq!(wait, reset);
    assert_eq!(number(&reply, "x-ratelimit-limit-tokens-day"), 100_000);
    // One that was refused takes no tokens.
    let left = number(&reply, "x-ratelimit-remaining-tokens-day");
    let again = bench.chat(&ask("say: hi")).await;
    assert_eq!(number(&again, "x-ratelimit-remaining-tokens-day"), left);
}

/// So many tokens a day, of which a request without a bound takes 1024 at first.
const TOKENS: &str = "policies: {chain: [rate-limit, {id: puppet, component: @puppet}]}\n\
                      policy: {rate-limit: {limits: [{tokens: 100000, per: day}]}}";

/// How much was counted, by the next answer's header: each takes this much of its own at first.
async fn counted(bench: &Bench) -> u64 {
    bench.settled().await;
    let probe = with(ask("say: hi"), json!({"max_completion_tokens": 1}));
    let reply = bench.chat(&probe).await;
    bench.settled().await;
    100_000 - number(&reply, "x-ratelimit-remaining-tokens-day") - 3
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_settled_by_what_was_used_denied_or_left() {
    // It was answered.
    let bench = Bench::of(TOKENS).await;
    let reply = bench.chat(&ask("say: one two three")).await;
    let used = reply.json()["usage"]["total_tokens"].as_u64().unwrap();
    assert_eq!(counted(&bench).await, used);

    // It was denied before anything was sent: nothing was used.
    let bench = Bench::of(TOKENS).await;
    let deny = json!({"request": {"deny": {"code": "no", "message": "as ordered"}}});
    assert_eq!(bench.puppet(&ask("say: hi"), deny).await.status, 403);
    assert_eq!(counted(&bench).await, 0);

    // Its client left in the middle: what came counts, and not what might have come.
    let bench = Bench::before(TOKENS, vec![Upstream::paced(200.0).await]).await;
    let body = with(
        ask_stream("words: 2000"),
        json!({"max_completion_tokens": 4000}),
    );
    let mut stream = bench.open(&body, &[]).await;
    stream.read_until("content").await;
    drop(stream);
    let used = counted(&bench).await;
    assert!((1..4000).contains(&used), "{used}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_budget_answers_in_every_dialect() {
    let bench = Bench::of(
        "policies: {chain: [budget]}\n\
         policy: {budget: {budgets: [{tokens: 1, per: day}], over: {respond: See you tomorrow.}}}",
    )
    .await;
    for (route, body, place) in dialects("say: hi") {
        for body in both(body) {
            let reply = bench.post_with(route, &body, &[]).await;
            assert_eq!(text_of(&reply, place), "See you tomorrow.", "{route}");
            assert_eq!(reply.header("x-witgate-tags"), "budget=hard");
        }
    }
    assert!(bench.upstream().bodies().is_empty());
}

/// Targets that promise different things.
const TARGETS: &str = "providers: {targets: [\
    {id: silent, provider: cerebras, base_url: \"http://@0/v1\"},\
    {id: keeps, provider: cerebras, base_url: \"http://@0/v1\", data_policy: {retention_days: 30, training_opt_out: true, region: eu}},\
    {id: forgets, provider: cerebras, base_url: \"http://@0/v1\", data_policy: {retention_days: 0, training_opt_out: true, region: us}}]}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_goes_where_what_is_in_it_may_go() {
    let config = format!(
        "policies: {{headers: [x-data-class], chain: [data-routing-policy]}}\n\
         policy: {{data-routing-policy: {{require_no_training: true, classes: [\
         {{name: salary, keywords: [salary], require_zero_data_retention: true}}, {{name: eu, headers: {{x-data-class: [eu]}}, regions: [eu]}}]}}}}\n{TARGETS}"
    );
    let bench = Bench::of(&config).await;
    for (headers, text, target, tags) in [
        (&[][..], "say: hi", "keeps", ""),
        (&[], "say: my salary", "forgets", "data-class=salary"),
        (
            &[("x-data-class", "eu")],
            "say: hi",
            "keeps",
            "data-class=eu",
        ),
    ] {
        for (route, body, _) in dialects(text) {
            let reply = bench.post_with(route, &body, headers).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(reply.header("x-witgate-target"), target, "{route} {text}");
            assert_eq!(reply.header("x-witgate-tags"), tags);
        }
    }
    let headers = [("content-type", "application/json"), ("x-data-class", "eu")];
    let reply = bench.send(ask("say: salary").to_string(), &headers).await;
    assert_eq!(reply.error(), (403, "data-routing.denied".into()));

    // What a stage before it has told.
    let config = format!(
        "policies: {{chain: [{{id: puppet, component: @puppet}}, data-routing]}}\n\
         policy: {{data-routing: {{classes: [{{name: told, tags: {{kind: [secret]}}, targets: [forgets]}}]}}}}\n{TARGETS}"
    );
    let bench = Bench::of(&config).await;
    for (kind, target) in [("secret", "forgets"), ("public", "silent")] {
        let tag = json!({"request": {"tag": ["kind", kind]}});
        let reply = bench.puppet(&ask("say: hi"), tag).await;
        assert_eq!(reply.header("x-witgate-target"), target);
    }

    let config = format!(
        "policies: {{chain: [data-routing]}}\npolicy: {{data-routing: {{regions: [mars]}}}}\n{TARGETS}"
    );
    let reply = Bench::of(&config).await.chat(&ask("say: hi")).await;
    assert_eq!(reply.error(), (503, "data-routing.no-target".into()));
}

const CACHE: &str = "policies: {chain: [cache, {id: puppet, component: @puppet}]}\n\
                     policy: {cache: {scope: shared}}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equal_request_is_answered_once_whole_or_streamed_in_every_dialect() {
    let bench = Bench::of(CACHE).await;
    let mut asked = 0;
    for (route, body, place) in dialects("say: The \u{e9}nd.") {
        // Whoever comes first is answered by the model, and everyone else as the first was.
        for (turn, body) in both(body.clone()).into_iter().chain(both(body)).enumerate() {
            let reply = bench.post_with(route, &body, &[]).await;
            assert_eq!(text_of(&reply, place), "The \u{e9}nd.", "{route} {turn}");
            let (tag, target) = match turn {
                0 => ("cache=miss", "sim"),
                _ => ("cache=hit", "policy"),
            };
            assert_eq!(reply.header("x-witgate-tags"), tag, "{route} {turn}");
            assert_eq!(reply.header("x-witgate-target"), target);
            bench.settled().await;
        }
        asked += 1;
        assert_eq!(bench.upstream().bodies().len(), asked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_tools_come_from_the_cache_as_they_came() {
    let bench = Bench::of(CACHE).await;
    let text =
        r#"think: Let me see. | call: lookup {"who": "Ann"} | call: lookup {"who":"B\u00f6"}"#;
    let body = with(
        with(ask(text), tools()),
        json!({"model": "gpt-oss-120b", "temperature": 0}),
    );
    let first = bench.chat(&body).await.said();
    assert_eq!(first.of(0, "tool 0"), r#"{"who": "Ann"}"#);
    for body in both(body) {
        bench.settled().await;
        let reply = bench.chat(&body).await;
        assert_eq!(reply.header("x-witgate-tags"), "cache=hit");
        assert_eq!(reply.said(), first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_denied_or_left_is_not_kept_and_later_stages_see_a_hit() {
    let bench = Bench::of(CACHE).await;
    let body = with(ask("say: a secret word"), json!({"temperature": 0}));
    let deny = json!({"answer": {"at": "secret", "then": {"deny": "no"}}});
    for _ in 0..2 {
        let reply = bench.puppet(&body, deny.clone()).await;
        assert_ne!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-witgate-tags"), "cache=miss");
        bench.settled().await;
    }
    let reply = bench.chat(&body).await;
    assert_eq!(reply.header("x-witgate-tags"), "cache=miss");
    bench.settled().await;
    // It is kept now, and still denied to whom a later stage denies it.
    assert_eq!(
        bench.chat(&body).await.header("x-witgate-tags"),
        "cache=hit"
    );
    let reply = bench.puppet(&body, deny).await;
    assert_eq!(reply.header("x-witgate-tags"), "cache=hit");
    assert_eq!(reply.error().1, "no");
}

/// All of them, in the order that their documents tell.
const ALL: &str = "policies: {chain: [prompt-injection, rate-limit, pii-detector, data-routing, budget, cache, audit-logger]}\n\
    policy: {\
    rate-limit: {limits: [{requests: 1000, per: minute, kind: bucket}, {tokens: 1000000, per: day, by: [principal, team, model]}]},\
    data-routing: {classes: [{name: salary, keywords: [salary], require_zero_data_retention: true}]},\
    budget: {budgets: [{tokens: 1000000, per: month, soft_percent: 90}, {money: 5, per: week}], prices: {llama3.1-8b: {input: 0.1, output: 0.1}}},\
    cache: {scope: shared}}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_them_in_one_chain_leave_every_answer_as_it_is() {
    let bench = Bench::of(&format!("{ALL}{TARGETS}")).await;
    let answer = "One, two; and \u{1f600} three.";
    for (route, body, place) in dialects(&format!("say: {answer}")) {
        for hit in [false, true] {
            for body in both(body.clone()) {
                let body = match hit {
                    true => body,
                    // Too warm for the cache.
                    false => with(body, json!({"temperature": 1})),
                };
                let reply = bench.post_with(route, &body, &[]).await;
                assert_eq!(text_of(&reply, place), answer, "{route} {hit}");
                assert_eq!(number(&reply, "x-ratelimit-limit-tokens-day"), 1_000_000);
                bench.settled().await;
            }
        }
    }
    let salary = with(
        ask("say: my salary, ann@example.com"),
        json!({"temperature": 0}),
    );
    for body in both(salary) {
        let reply = bench.chat(&body).await;
        assert_eq!(reply.said().content(), "my salary, [EMAIL]");
        bench.settled().await;
    }
    // Of the two of each dialect that may be kept, and of the last two, the second is a hit.
    let hits = bench.journal().await;
    let hits = hits.iter().filter(|entry| entry["ended"] == "responded");
    assert_eq!(hits.count(), 5);
}

/// What the documents show: it loads, and does what its own suites say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_for_two_teams_holds_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/team.yaml");
    for args in [
        // Nobody asks for the identity provider's keys here.
        &["check", "--simulate", "--offline", "--policy-config", file][..],
        &["policy", "test", "--policy-config", file],
    ] {
        let mut command = process::witgate(folder.path());
        for (client, key) in [("BO_KEY", "a1"), ("CI_KEY", "c3")] {
            command.env(client, key.repeat(16));
        }
        command.args(args);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap());
        let done = done.await.unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{args:?}: {said}\n{wrong}");
        assert!(!said.contains("a1a1"), "{said}");
    }
}

/// Whoever stands between adds a line of its own, and a list is a list in one line or two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_of_two_lines_is_read_whole() {
    let bench = Bench::of(
        "policies: {headers: [x-data-class], chain: [data-routing]}\n\
         policy: {data-routing: {classes: [{name: secret, headers: {x-data-class: [confidential]}, regions: [eu]}]}}",
    )
    .await;
    let body = ask("say: hi");
    let send = async |headers: &[(&str, &str)]| {
        bench
            .post_with("/v1/chat/completions", &body, headers)
            .await
    };
    let public = ("x-data-class", "public");
    assert_eq!(send(&[public]).await.status, 200);
    let both = send(&[public, ("x-data-class", "confidential")]).await;
    assert_eq!(both.error(), (403, "data-routing.denied".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_goes_by_the_gateways_prices() {
    let bench = Bench::of(
        "policies: {chain: [budget]}\n\
         policy: {budget: {budgets: [{money: 0.001, per: day}]}}\n\
         pricing: {models: {llama3.1-8b: {input: 1, output: 1}}}",
    )
    .await;
    let of = |most: u32| with(ask("say: hi"), json!({"max_completion_tokens": most}));
    let dear = bench.chat(&of(5000)).await;
    assert_eq!(dear.error(), (429, "budget.exceeded".into()));
    // Each of these reserves nearly all, and takes a few millionths.
    for _ in 0..5 {
        assert_eq!(bench.chat(&of(900)).await.status, 200);
        bench.settled().await;
    }
    let unpriced = with(of(5), json!({"model": "gpt-oss-120b"}));
    assert_eq!(
        bench.chat(&unpriced).await.error(),
        (403, "budget.no-price".into())
    );
}
