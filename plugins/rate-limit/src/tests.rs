#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Exchange, Outcome, Request, StageState};
use witgate_policy::{DataPolicy, Ending, Target, Usage};

/// 2001-09-09T01:46:39Z: 21 seconds before a full minute.
const AT: u64 = 999_999_999_000;

fn policy(settings: Value) -> Configured<RateLimit> {
    testing::configure(settings).unwrap()
}

fn error(settings: Value) -> String {
    testing::configure::<RateLimit>(settings).unwrap_err()
}

fn ask(
    policy: &Configured<RateLimit>,
    state: &StageState,
    request: Request,
) -> (Verdict, Exchange<RateLimit>) {
    let mut exchange = policy.exchange(request);
    exchange.keep_in(state);
    (exchange.on_request(), exchange)
}

fn of(principal: &str) -> Request {
    Request::user("hello").principal(principal).received_at(AT)
}

fn refused(verdict: Verdict) -> (String, Option<u16>, Option<u32>) {
    match verdict {
        Verdict::Deny(denial) => (denial.code, denial.status, denial.retry_after),
        other => panic!("{other:?}"),
    }
}

fn exceeded(seconds: u32) -> (String, Option<u16>, Option<u32>) {
    ("rate-limit.exceeded".into(), Some(429), Some(seconds))
}

fn used(prompt: u32, completion: u32) -> Outcome {
    Outcome {
        tokens: Some(Usage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            cached_tokens: 0,
            reasoning_tokens: 0,
        }),
        ..Outcome::completed()
    }
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<RateLimit>(
        &json!({"limits": [{"requests": 1, "per": "day"}]}),
    );
}

#[test]
fn each_client_has_so_many_until_the_window_ends() {
    let policy = policy(json!({"limits": [{"requests": 2, "per": "minute", "by": ["principal"]}]}));
    let state = StageState::default();
    for principal in ["ann", "ann", "bob"] {
        assert_eq!(ask(&policy, &state, of(principal)).0, Verdict::Proceed);
    }
    assert_eq!(refused(ask(&policy, &state, of("ann")).0), exceeded(21));
    assert_eq!(ask(&policy, &state, of("bob")).0, Verdict::Proceed);
    let later = of("ann").received_at(AT + 21_000);
    assert_eq!(ask(&policy, &state, later).0, Verdict::Proceed);
}

#[test]
fn clients_of_a_team_share_what_the_team_has_and_models_are_told_apart() {
    let policy = policy(json!({"limits": [
        {"requests": 1, "per": "day", "by": ["team", "model"], "teams": ["red", "blue"]},
    ]}));
    let state = StageState::default();
    assert_eq!(
        ask(&policy, &state, of("ann").team("red")).0,
        Verdict::Proceed
    );
    refused(ask(&policy, &state, of("bob").team("red")).0);
    let other = of("bob").team("red").model("llama-3.3-70b");
    let other = other.price("llama-3.3-70b", 1, 1);
    assert_eq!(ask(&policy, &state, other).0, Verdict::Proceed);
    assert_eq!(
        ask(&policy, &state, of("eve").team("blue")).0,
        Verdict::Proceed
    );
    // The limit isn't about who has no team.
    for _ in 0..3 {
        assert_eq!(ask(&policy, &state, of("eve")).0, Verdict::Proceed);
    }
}

#[test]
fn a_model_has_its_own_sum_if_the_operator_named_it_and_all_others_share_one() {
    let limit = |more: Value| {
        let mut limit = json!({"requests": 1, "per": "day", "by": ["model"]});
        limit
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        policy(json!({"limits": [limit]}))
    };
    let asked_for = |written: &str, model: &str| {
        let mut request = of("ann").model(written);
        request = request.price("priced", 1, 1);
        let target = Target {
            id: "a".into(),
            provider: "cerebras".into(),
            model: Some(model.into()),
            data_policy: DataPolicy::default(),
        };
        request.targets(vec![target])
    };
    let (policy, state) = (limit(json!({})), StageState::default());
    let passes = |written: &str, model: &str| {
        ask(&policy, &state, asked_for(written, model)).0 == Verdict::Proceed
    };
    // Made up, with or without a provider.
    assert!(passes("x1", "x1"));
    assert!(!passes("x2", "x2") && !passes("cerebras/x3", "x3"));
    // Priced; and what an alias stands for.
    assert!(passes("priced", "priced") && !passes("cerebras/priced", "priced"));
    assert!(passes("alias", "meant") && !passes("cerebras/alias", "meant"));
    // Named in the limit.
    let (policy, state) = (
        limit(json!({"models": ["x1", "x2"]})),
        StageState::default(),
    );
    let passes = |model: &str| ask(&policy, &state, asked_for(model, model)).0 == Verdict::Proceed;
    assert!(passes("x1") && passes("x2") && !passes("x1"));
}

#[test]
fn what_a_model_is_shown_outside_of_messages_counts() {
    let policy = policy(json!({"limits": [{"tokens": 1_000_000, "per": "minute"}]}));
    let took = |key: &str, value: Value| {
        let state = StageState::default();
        let request = of("ann").with("stream", json!(true)).with(key, value);
        let (verdict, exchange) = ask(&policy, &state, request);
        assert_eq!(verdict, Verdict::Proceed);
        exchange.complete(Outcome {
            ended: Ending::Disconnected,
            deltas: 1,
            sent_bytes: 100,
            ..Outcome::completed()
        });
        state.sum("tokens-minute", 60, AT)
    };
    let long = "word ".repeat(100_000);
    let tool = json!([{"type": "function", "function": {"name": "f", "description": long}}]);
    let numbers = vec![12_345; 100_000];
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"enum": numbers}}});
    let image = format!("data:image/png;base64,{}", "A".repeat(500_000));
    let image =
        json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}]}]);
    for (key, value) in [
        ("tools", tool),
        ("response_format", schema),
        ("unknown", json!({"x": long})),
    ] {
        let took = took(key, value);
        assert!((125_000..155_000).contains(&took), "{key}: {took}");
    }
    let pictured = took("messages", image);
    assert_eq!(pictured, 280 + 1);
    // Many strings are counted as JSON: here of three bytes each.
    let took = took("unknown", json!(vec![""; 5000]));
    assert!((3_750..3_900).contains(&took), "{took}");
}

/// What a request is taken to take, of an answer of no tokens.
fn reserved(request: Request) -> i64 {
    let policy = policy(json!({"limits": [{"tokens": 10_000_000, "per": "minute"}]}));
    let state = StageState::default();
    let request = request.with("max_completion_tokens", json!(0));
    assert_eq!(ask(&policy, &state, request).0, Verdict::Proceed);
    state.sum("tokens-minute", 60, AT)
}

#[test]
fn images_are_counted_whatever_stands_beside_them() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}});
    let with = |key: &str, value: Value| {
        let mut image = image.clone();
        image[key] = value;
        image
    };
    let of_parts = |parts: Vec<Value>| {
        reserved(of("ann").with("messages", json!([{"role": "user", "content": parts}])))
    };
    let hundred = |part: &Value| of_parts(vec![part.clone(); 100]);
    // A member that a text has makes no text of it.
    for part in [
        image.clone(),
        with("text", json!("a")),
        with("refusal", json!("a")),
        with("Type", json!("text")),
        json!({"text": "a"}),
        json!(["text"]),
    ] {
        let took = hundred(&part);
        assert!((28_000..29_000).contains(&took), "{part}: {took}");
    }
    for kind in ["text", "refusal"] {
        let mut part = json!({"type": kind, "x": {"type": "image_url"}});
        part[kind] = json!("abcd");
        let took = hundred(&part);
        assert!((100..1_000).contains(&took), "{part}: {took}");
    }
    // However many strings there are, in a part or elsewhere.
    let mut parts = vec![json!({"type": "text", "text": ""}); 1_100];
    parts.extend(vec![image.clone(); 100]);
    let took = of_parts(parts);
    assert!((36_000..48_000).contains(&took), "{took}");
    let padded = of("ann")
        .with(
            "messages",
            json!([{"role": "user", "content": vec![image; 100]}]),
        )
        .with("unknown", json!(vec![""; 2_000]));
    let took = reserved(padded);
    assert!((28_000..33_000).contains(&took), "{took}");
}

#[test]
fn prompts_have_no_images_however_many_there_are() {
    for (prompts, most) in [(500, 600), (1_000, 1_100), (1_024, 2_100), (1_025, 2_100)] {
        let body = json!({"model": "m", "prompt": vec!["abcd"; prompts], "max_tokens": 0});
        let took = reserved(Request::from_body(body).principal("ann").received_at(AT));
        assert!((prompts as i64..most).contains(&took), "{prompts}: {took}");
    }
}

#[test]
fn what_a_refused_request_took_from_other_limits_it_gives_back() {
    let policy = policy(json!({"limits": [
        {"requests": 10, "per": "hour"},
        {"tokens": 100_000, "per": "hour", "by": ["team"]},
        {"requests": 1, "per": "minute", "by": ["principal"]},
    ]}));
    let state = StageState::default();
    assert_eq!(ask(&policy, &state, of("ann")).0, Verdict::Proceed);
    let tokens = state.sum("tokens-hour/t", 3600, AT);
    for _ in 0..20 {
        refused(ask(&policy, &state, of("ann")).0);
    }
    assert_eq!(state.sum("requests-hour", 3600, AT), 1);
    assert_eq!(state.sum("tokens-hour/t", 3600, AT), tokens);
    assert_eq!(ask(&policy, &state, of("bob")).0, Verdict::Proceed);
}

#[test]
fn it_says_to_wait_for_the_limit_that_refuses_longest() {
    let policy = policy(json!({"limits": [
        {"requests": 1, "per": "minute"},
        {"requests": 1, "per": "hour"},
    ]}));
    let state = StageState::default();
    assert_eq!(ask(&policy, &state, of("ann")).0, Verdict::Proceed);
    // 01:46:39: the hour has 13 minutes and 21 seconds more.
    assert_eq!(refused(ask(&policy, &state, of("ann")).0), exceeded(801));
}

#[test]
fn tokens_are_reserved_before_and_settled_by_what_was_used() {
    let settings = json!({
        "limits": [{"tokens": 2000, "per": "minute"}],
        "estimate": {"bytes_per_token": 5, "answer_tokens": 900},
    });
    let policy = policy(settings);
    let state = StageState::default();
    let sum = || state.sum("tokens-minute", 60, AT);
    let (verdict, first) = ask(&policy, &state, of("ann"));
    assert_eq!((verdict, sum()), (Verdict::Proceed, 901));
    let bounded = of("ann")
        .with("max_completion_tokens", json!(500))
        .with("n", json!(2));
    let (verdict, second) = ask(&policy, &state, bounded);
    assert_eq!((verdict, sum()), (Verdict::Proceed, 1902));
    assert_eq!(refused(ask(&policy, &state, of("ann")).0), exceeded(21));
    assert_eq!(sum(), 1902);
    first.complete(used(10, 20));
    assert_eq!(sum(), 1031);
    // More than was reserved counts as well.
    second.complete(used(10, 1500));
    assert_eq!(sum(), 1540);
    // What asks for more than there ever is needn't wait.
    let huge = of("ann").with("max_completion_tokens", json!(2000));
    let wanted = ("rate-limit.too-large".into(), Some(413), None);
    assert_eq!(refused(ask(&policy, &state, huge).0), wanted);
}

#[test]
fn an_image_takes_what_it_is_taken_for_whatever_its_data_has() {
    let image =
        |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
    let large = format!("data:image/png;base64,{}", "A".repeat(100_000));
    let text = |text: &str| json!({"type": "text", "text": text});
    let reserved = |settings: Value, messages: Value| {
        let policy = policy(settings);
        let state = StageState::default();
        let body = json!({"model": "m", "messages": messages, "max_completion_tokens": 1});
        let request = Request::from_body(body).principal("ann").received_at(AT);
        assert_eq!(ask(&policy, &state, request).0, Verdict::Proceed);
        state.sum("tokens-minute", 60, AT) - 1
    };
    let limits = json!([{"tokens": 10_000_000, "per": "minute"}]);
    let usual = json!({"limits": limits});
    let of =
        |content: Value| reserved(usual.clone(), json!([{"role": "user", "content": content}]));
    assert_eq!(of(json!("four")), 1);
    assert_eq!(of(json!([text("four")])), 1);
    assert_eq!(of(json!([text("four"), image("x"), text("more")])), 2 + 280);
    assert_eq!(of(json!([image(&large)])), 280);
    for images in 1..20 {
        let mut parts = vec![text("four")];
        parts.resize_with(images + 1, || image("x"));
        assert_eq!(of(json!(parts)), 1 + 280 * images as i64, "{images}");
    }
    // What nobody knows, in an image's part, makes no text of it, and Cerebras' own part is one, too.
    let odd = json!({"type": "image_url", "image_url": {"url": "x"}, "note": "four", "cache_control": {"text": "four"}});
    let both = of(json!([odd, {"type": "image", "image": "QUJD"}]));
    assert!((2 * 280..2 * 280 + 12).contains(&both), "{both}");
    // All messages, also between such as have none.
    let messages = json!([
        {"role": "user", "content": [image("x")]}, {"role": "assistant", "content": "four"},
        {"role": "user", "content": [text("four"), image("x")]}, {"role": "assistant", "content": null},
    ]);
    assert_eq!(reserved(usual.clone(), messages.clone()), 2 + 2 * 280);
    let dear = json!({"limits": limits, "estimate": {"image_tokens": 1445}});
    assert_eq!(reserved(dear, messages), 2 + 2 * 1445);
    // Of messages that say nothing there is nothing to count, however many.
    let silent: Vec<Value> = (0..2000)
        .map(|_| json!({"role": "user", "content": []}))
        .collect();
    assert_eq!(reserved(usual, json!(silent)), 1);
}

#[test]
fn who_was_denied_or_left_pays_for_what_came() {
    let policy = policy(json!({"limits": [{"tokens": 100_000, "per": "minute"}]}));
    let stream = || of("ann").with("stream", json!(true));
    let took = |request: Request, outcome: Outcome| {
        let state = StageState::default();
        let (verdict, exchange) = ask(&policy, &state, request);
        assert_eq!(verdict, Verdict::Proceed);
        exchange.complete(outcome);
        state.sum("tokens-minute", 60, AT)
    };
    let answered = |ended: Ending, deltas: u64| Outcome {
        ended,
        deltas,
        sent_bytes: deltas * 250,
        ..Outcome::completed()
    };
    // 2 of the request, and a piece is a token.
    assert_eq!(took(stream(), answered(Ending::Disconnected, 40)), 42);
    assert_eq!(took(stream(), answered(Ending::Denied, 7)), 9);
    // Few pieces that are long: a token for every four bytes that aren't the events' own.
    let long = Outcome {
        sent_bytes: 4 * 256 + 4000,
        ..answered(Ending::Disconnected, 4)
    };
    assert_eq!(took(stream(), long), 1002);
    // Nobody knows what an upstream did for a client that had left before.
    assert_eq!(took(of("ann"), answered(Ending::Disconnected, 0)), 1026);
    assert_eq!(took(stream(), Outcome::ended(Ending::Disconnected)), 1026);
    // Nothing was answered.
    assert_eq!(took(of("ann"), Outcome::ended(Ending::Denied)), 0);
    assert_eq!(took(of("ann"), Outcome::ended(Ending::Responded)), 0);
    assert_eq!(took(of("ann"), Outcome::ended(Ending::UpstreamFailed)), 0);
    let no = Outcome {
        status: Some(400),
        ..answered(Ending::UpstreamFailed, 0)
    };
    assert_eq!(took(stream(), no), 0);
    let broken = answered(Ending::UpstreamFailed, 5);
    assert_eq!(took(stream(), broken), 7);
}

#[test]
fn a_bucket_fills_steadily_and_holds_no_more_than_its_burst() {
    let settings =
        json!({"limits": [{"requests": 60, "per": "minute", "kind": "bucket", "burst": 3}]});
    let policy = policy(settings);
    let state = StageState::default();
    let at = |millis: u64| {
        let request = of("ann").received_at(AT + millis);
        match ask(&policy, &state, request).0 {
            Verdict::Proceed => None,
            verdict => Some(refused(verdict)),
        }
    };
    assert_eq!([at(0), at(0), at(0)], [None, None, None]);
    assert_eq!(at(0), Some(exceeded(1)));
    assert_eq!(at(999), Some(exceeded(1)));
    assert_eq!(at(1000), None);
    assert_eq!(at(1500), Some(exceeded(1)));
    // A long pause fills it up to its burst and no further.
    let hour = 3_600_000;
    assert_eq!([at(hour), at(hour), at(hour)], [None, None, None]);
    assert_eq!(at(hour), Some(exceeded(1)));
}

#[test]
fn a_bucket_of_tokens_waits_until_a_debt_is_paid() {
    let settings = json!({"limits": [{"tokens": 6000, "per": "minute", "kind": "bucket"}]});
    let policy = policy(settings);
    let state = StageState::default();
    let request = || of("ann").with("max_completion_tokens", json!(98));
    let (verdict, exchange) = ask(&policy, &state, request());
    assert_eq!(verdict, Verdict::Proceed);
    exchange.complete(used(1000, 6000));
    // 100 more are wanted than the 6000 that it holds, of which 7000 are gone; 100 come each second.
    assert_eq!(refused(ask(&policy, &state, request()).0), exceeded(11));
    let later = request().received_at(AT + 11_000);
    assert_eq!(ask(&policy, &state, later).0, Verdict::Proceed);
}

#[test]
fn clients_are_told_what_is_left_of_the_tightest_limit() {
    let policy = policy(json!({"limits": [
        {"requests": 100, "per": "minute", "name": "all"},
        {"requests": 3, "per": "minute", "by": ["principal"]},
        {"tokens": 5000, "per": "day"},
    ]}));
    let state = StageState::default();
    let headers = |exchange: &Exchange<RateLimit>| {
        let headers = exchange.answer_headers().iter();
        headers
            .map(|(name, value)| format!("{}={value}", name.trim_start_matches("x-ratelimit-")))
            .collect::<Vec<_>>()
    };
    let (_, exchange) = ask(&policy, &state, of("ann"));
    let wanted = [
        "limit-requests-minute=3",
        "remaining-requests-minute=2",
        "reset-requests-minute=21",
        "limit-tokens-day=5000",
        "remaining-tokens-day=3974",
        "reset-tokens-day=80001",
    ];
    assert_eq!(headers(&exchange), wanted);
    // Who is refused is told, too.
    ask(&policy, &state, of("ann"));
    ask(&policy, &state, of("ann"));
    let (verdict, exchange) = ask(&policy, &state, of("ann"));
    assert_eq!(refused(verdict), exceeded(21));
    assert_eq!(headers(&exchange)[1], "remaining-requests-minute=0");
}

#[test]
fn what_cannot_be_counted_does_not_pass() {
    let policy = policy(json!({"limits": [{"requests": 100, "per": "minute"}]}));
    let state = StageState::default();
    state.fail("the disk is full");
    let wanted = ("rate-limit.unknown".into(), Some(503), Some(1));
    assert_eq!(refused(ask(&policy, &state, of("ann")).0), wanted);
}

#[test]
fn what_cannot_be_settled_stays_reserved() {
    let policy = policy(json!({"limits": [{"tokens": 5000, "per": "minute"}]}));
    let state = StageState::default();
    let (_, exchange) = ask(&policy, &state, of("ann"));
    state.fail("the disk is full");
    let record = exchange.complete(used(1, 1));
    assert!(record.log[0].1.contains("the disk is full"), "{record:?}");
    assert_eq!(state.sum("tokens-minute", 60, AT), 1026);
}

#[test]
fn no_name_can_be_taken_for_another() {
    let policy =
        policy(json!({"limits": [{"requests": 1, "per": "day", "by": ["principal", "team"]}]}));
    let state = StageState::default();
    let names = [
        "a/t=b",
        "a",
        "",
        "ä",
        "#61",
        &"a".repeat(300),
        &"a".repeat(301),
    ];
    for principal in names {
        for team in names {
            let request = of(principal).team(team);
            assert_eq!(
                ask(&policy, &state, request).0,
                Verdict::Proceed,
                "{principal} {team}"
            );
        }
    }
    assert_eq!(ask(&policy, &state, of("a")).0, Verdict::Proceed);
}

#[test]
fn the_keys_of_keeptrusts_are_taken_or_say_what_to_use() {
    let policy = policy(json!({
        "global_rate_limit": {"max_requests": 5, "window_seconds": 60},
        "user_rate_limit": {"max_requests": 1, "window_seconds": 60},
        "token_rate_limit": {"max_tokens": 9000, "window_seconds": 3600, "scope": "user"},
    }));
    let state = StageState::default();
    assert_eq!(ask(&policy, &state, of("ann")).0, Verdict::Proceed);
    assert_eq!(refused(ask(&policy, &state, of("ann")).0), exceeded(21));
    assert_eq!(state.sum("global-rate-limit", 60, AT), 1);
    assert_eq!(state.sum("token-rate-limit/p=ann", 3600, AT), 1026);

    for (key, advice) in [
        ("ip_rate_limit", "`clients`"),
        ("size_limits", "by itself"),
        ("rate_limits", "`limits:"),
        ("rate_limit_defaults", "`headers: true`"),
        ("consumer_groups", "teams"),
    ] {
        let said = error(json!({ key: {"max_requests": 1} }));
        assert!(
            said.starts_with(&format!("`{key}` is no setting here: ")),
            "{said}"
        );
        assert!(said.contains(advice), "{said}");
    }
    let limit = json!({"max_requests": 1, "window_seconds": 60, "header_names": ["X-User-Id"]});
    let said = error(json!({"user_rate_limit": limit}));
    assert!(
        said.starts_with("`user_rate_limit`: `header_names` is no setting here"),
        "{said}"
    );
}

#[test]
fn settings_that_contradict_are_errors() {
    let limits = |limit: Value| error(json!({"limits": [limit]}));
    for (said, wanted) in [
        (error(json!({})), "nothing would be limited"),
        (
            limits(json!({"per": "day"})),
            "`limits[0]`: it limits nothing",
        ),
        (
            limits(json!({"requests": 1, "tokens": 1, "per": "day"})),
            "make two of it",
        ),
        (limits(json!({"requests": 0, "per": "day"})), "is no limit"),
        (limits(json!({"requests": 1})), "missing field `per`"),
        (
            limits(json!({"requests": 1, "per": "month"})),
            "`limits[0].per`: a month is a time for the policy `budget`",
        ),
        (
            limits(json!({"requests": 1, "per": 0})),
            "0 seconds are no window",
        ),
        (
            limits(json!({"requests": 1, "per": "day", "burst": 2})),
            "`limits[0].burst`: only a bucket has one",
        ),
        (
            limits(json!({"requests": 1, "per": "day", "kind": "bucket", "burst": 0})),
            "nothing fits into 0",
        ),
        (
            limits(json!({"requests": 1, "per": "day", "by": ["team", "team"]})),
            "`limits[0].by`",
        ),
        (
            limits(json!({"requests": 1, "per": "day", "teams": [""]})),
            "`limits[0].teams`",
        ),
        (
            limits(json!({"requests": 1, "per": "day", "name": "a/b"})),
            "`limits[0].name`",
        ),
        (
            error(json!({"limits": [
                {"requests": 1, "per": "day", "teams": ["red"]},
                {"requests": 2, "per": "day", "teams": ["blue"]},
            ]})),
            "`limits[1]`: another limit keeps the same sums",
        ),
        (
            error(
                json!({"limits": [{"requests": 1, "per": "day"}], "estimate": {"bytes_per_token": 0}}),
            ),
            "`estimate.bytes_per_token`",
        ),
        (error(json!({"limit": []})), "unknown field `limit`"),
    ] {
        assert!(said.contains(wanted), "{said}\n{wanted}");
    }
}

#[test]
fn a_limit_of_requests_alone_lets_the_sandbox_go() {
    let hooks = policy(json!({"limits": [{"requests": 1, "per": "day"}]})).hooks();
    assert_eq!(hooks, Hooks::ON_REQUEST);
}
