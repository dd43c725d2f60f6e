#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Exchange, Outcome, Request, StageState};
use witgate_policy::{Ending, Usage};

/// 2026-11-28T12:00:00Z, a Saturday.
const AT: u64 = 1_795_867_200_000;
const DAY: u64 = 86_400_000;

fn policy(settings: Value) -> Configured<Budgets> {
    testing::configure(settings).unwrap()
}

fn error(settings: Value) -> String {
    testing::configure::<Budgets>(settings).unwrap_err()
}

fn ask(
    policy: &Configured<Budgets>,
    state: &StageState,
    request: Request,
) -> (Verdict, Exchange<Budgets>) {
    let mut exchange = policy.exchange(request);
    exchange.keep_in(state);
    (exchange.on_request(), exchange)
}

fn of(principal: &str) -> Request {
    let request = Request::user("hello hello.").principal(principal);
    // 3 tokens and 97.
    request
        .received_at(AT)
        .with("max_completion_tokens", json!(97))
}

fn refused(verdict: Verdict) -> Denial {
    match verdict {
        Verdict::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

fn used(prompt: u32, cached: u32, completion: u32) -> Outcome {
    Outcome {
        tokens: Some(Usage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            cached_tokens: cached,
            reasoning_tokens: 0,
        }),
        ..Outcome::completed()
    }
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<Budgets>(
        &json!({"budgets": [{"tokens": 1, "per": "day"}]}),
    );
}

#[test]
fn a_team_has_so_many_tokens_a_day() {
    let policy = policy(json!({"budgets": [{"tokens": 250, "per": "day", "by": ["team"]}]}));
    let state = StageState::default();
    let red = |name: &str| of(name).team("red");
    let (verdict, first) = ask(&policy, &state, red("ann"));
    assert_eq!(verdict, Verdict::Proceed);
    let (verdict, second) = ask(&policy, &state, red("bob"));
    assert_eq!(verdict, Verdict::Proceed);
    // Two hundred are reserved, and this one might take a hundred.
    let denial = refused(ask(&policy, &state, red("ann")).0);
    assert_eq!(
        (&*denial.code, denial.status, denial.retry_after),
        ("budget.exceeded", Some(429), Some(12 * 3600))
    );
    assert_eq!(
        denial.message,
        "there are 250 tokens a day for this team, and they are spent until 2026-11-29"
    );
    first.complete(used(10, 0, 20));
    assert_eq!(ask(&policy, &state, red("ann")).0, Verdict::Proceed);
    second.complete(used(10, 0, 300));
    refused(ask(&policy, &state, red("ann")).0);
    assert_eq!(
        ask(&policy, &state, of("eve").team("blue")).0,
        Verdict::Proceed
    );
    let tomorrow = red("ann").received_at(AT + DAY / 2);
    assert_eq!(ask(&policy, &state, tomorrow).0, Verdict::Proceed);
}

#[test]
fn weeks_and_months_are_the_calendars() {
    for (per, wait) in [("week", 36 * 3600), ("month", 60 * 3600)] {
        let policy = policy(json!({"budgets": [{"tokens": 100, "per": per}]}));
        let state = StageState::default();
        assert_eq!(ask(&policy, &state, of("ann")).0, Verdict::Proceed);
        let denial = refused(ask(&policy, &state, of("ann")).0);
        assert_eq!(denial.retry_after, Some(wait));
        let wait = u64::from(wait) * 1000;
        let last = of("ann").received_at(AT + wait - 1);
        refused(ask(&policy, &state, last).0);
        let next = of("ann").received_at(AT + wait);
        assert_eq!(ask(&policy, &state, next).0, Verdict::Proceed);
    }
}

#[test]
fn money_is_reserved_and_settled_by_the_prices() {
    let settings = json!({
        "budgets": [{"money": 0.000_5, "per": "month", "name": "m"}],
        "prices": {"llama3.1-8b": {"input": 1, "cached_input": 0.1, "output": 2.5}},
    });
    let policy = policy(settings);
    let state = StageState::default();
    let period = period::Per::Month.at(AT);
    let sum = || state.sum("m@2026-11-01", period.window, AT);
    let (verdict, exchange) = ask(&policy, &state, of("ann"));
    // 3 at 1 and 97 at 2.5, in millionths, rounded up.
    assert_eq!((verdict, sum()), (Verdict::Proceed, 246));
    exchange.complete(used(100, 60, 10));
    // 40 at 1, 60 at 0.1, 10 at 2.5.
    assert_eq!(sum(), 71);
    assert_eq!(ask(&policy, &state, of("ann")).0, Verdict::Proceed);
    let denial = refused(ask(&policy, &state, of("ann")).0);
    assert_eq!(denial.code, "budget.exceeded");
    let unpriced = of("ann").model("other");
    assert_eq!(
        refused(ask(&policy, &state, unpriced).0).code,
        "budget.no-price"
    );
    // A model that no target takes is told so later.
    let unknown = of("ann").model("none").targets(Vec::new());
    assert_eq!(ask(&policy, &state, unknown).0, Verdict::Proceed);
}

#[test]
fn a_model_with_a_price_in_the_settings_has_a_sum_of_its_own() {
    let policy = policy(json!({
        "budgets": [
            {"money": 1, "per": "day", "name": "d", "by": ["model"]},
            {"tokens": 1000, "per": "day", "name": "t", "by": ["model"]},
        ],
        "prices": {"a": {"input": 1, "output": 1}, "b": {"input": 1, "output": 1}},
    }));
    let state = StageState::default();
    let sum = |name: &str| state.sum(&format!("{name}@2026-11-28"), 86_400, AT);
    for model in ["a", "b", "b"] {
        let (verdict, _) = ask(&policy, &state, of("ann").model(model));
        assert_eq!(verdict, Verdict::Proceed);
    }
    assert_eq!((sum("d/m=a"), sum("d/m=b")), (100, 200));
    assert_eq!((sum("t/m=a"), sum("t/m=b")), (100, 200));
    // Without a price they share one.
    let policy = self::policy(
        json!({"budgets": [{"tokens": 1000, "per": "day", "name": "s", "by": ["model"]}]}),
    );
    for model in ["x1", "x2"] {
        ask(&policy, &state, of("ann").model(model));
    }
    assert_eq!((sum("s/m"), sum("s/m=x1")), (200, 0));
}

#[test]
fn the_gateways_own_prices_reserve_and_settle() {
    let settings = json!({"budgets": [{"money": 0.000_5, "per": "day", "name": "d"}]});
    let policy = policy(settings);
    let state = StageState::default();
    let sum = || state.sum("d@2026-11-28", 86_400, AT);
    let priced = || of("ann").price("llama3.1-8b", 1_000_000, 2_000_000);
    let (verdict, first) = ask(&policy, &state, priced());
    // 3 at 1 and 97 at 2.
    assert_eq!((verdict, sum()), (Verdict::Proceed, 197));
    let (_, second) = ask(&policy, &state, priced());
    assert_eq!(sum(), 394);
    refused(ask(&policy, &state, priced()).0);
    // What it was in the end the gateway knows best.
    let cost = Outcome {
        cost_micros: Some(15),
        ..used(10, 9, 20)
    };
    first.complete(cost);
    assert_eq!(sum(), 212);
    // Of a stream that was left nobody tells, and its pieces are counted.
    let (_, third) = ask(&policy, &state, priced().with("stream", json!(true)));
    let left = Outcome {
        ended: Ending::Disconnected,
        deltas: 10,
        ..Outcome::completed()
    };
    third.complete(left);
    assert_eq!(sum(), 212 + 103 - 80);
    second.complete(Outcome::ended(Ending::Denied));
    assert_eq!(sum(), 38);
}

#[test]
fn what_has_no_price_costs_what_is_said_or_is_denied() {
    let state = StageState::default();
    let strict = policy(json!({"budgets": [{"money": 1, "per": "day"}]}));
    let denial = refused(ask(&strict, &state, of("ann")).0);
    assert_eq!(denial.code, "budget.no-price");
    let settings = json!({"budgets": [{"money": 1, "per": "day", "name": "d"}], "reserve": 0.3});
    let policy = policy(settings);
    let sum = || state.sum("d@2026-11-28", 86_400, AT);
    let (_, first) = ask(&policy, &state, of("ann"));
    let (_, second) = ask(&policy, &state, of("ann"));
    let (_, third) = ask(&policy, &state, of("ann"));
    assert_eq!(sum(), 900_000);
    refused(ask(&policy, &state, of("ann")).0);
    first.complete(used(10, 0, 20));
    assert_eq!(sum(), 900_000);
    // What took nothing costs nothing.
    second.complete(Outcome::ended(Ending::Denied));
    third.complete(Outcome::ended(Ending::Responded));
    assert_eq!(sum(), 300_000);
}

#[test]
fn what_is_free_passes_while_something_is_left() {
    let settings = json!({"budgets": [{"money": 1, "per": "day"}], "reserve": 0});
    let policy = policy(settings);
    let state = StageState::default();
    let (_, first) = ask(&policy, &state, of("ann"));
    let (verdict, second) = ask(&policy, &state, of("ann"));
    assert_eq!(verdict, Verdict::Proceed);
    for exchange in [first, second] {
        let cost = Outcome {
            cost_micros: Some(1_500_000),
            ..used(10, 0, 20)
        };
        exchange.complete(cost);
    }
    refused(ask(&policy, &state, of("ann")).0);
}

#[test]
fn past_the_soft_limit_it_is_told_and_goes_on() {
    let settings = json!({"budgets": [{"tokens": 1000, "per": "day", "soft_percent": 20}]});
    let policy = policy(settings);
    let state = StageState::default();
    let (_, exchange) = ask(&policy, &state, of("ann"));
    let record = exchange.complete(used(3, 0, 97));
    assert!(
        record.findings.is_empty() && record.tags.is_empty(),
        "{record:?}"
    );
    let (verdict, exchange) = ask(&policy, &state, of("ann"));
    assert_eq!(verdict, Verdict::Proceed);
    let record = exchange.complete(used(3, 0, 97));
    let found = &record.findings[0];
    assert_eq!(found.code, "budget.soft");
    let detail = "20 %: there are 1000 tokens a day for all clients together";
    assert_eq!(found.detail.as_deref(), Some(detail));
    assert_eq!(record.tags, [("budget".into(), "soft".into())]);
}

#[test]
fn a_spent_budget_may_answer_with_a_text() {
    let settings = json!({
        "budgets": [
            {"tokens": 100, "per": "day", "by": ["principal"]},
            {"tokens": 150, "per": "day", "over": "deny"},
        ],
        "over": {"respond": "See you tomorrow."},
    });
    let policy = policy(settings);
    let state = StageState::default();
    assert_eq!(ask(&policy, &state, of("ann")).0, Verdict::Proceed);
    let (verdict, exchange) = ask(&policy, &state, of("ann"));
    assert_eq!(verdict, Verdict::respond("See you tomorrow."));
    let record = exchange.complete(Outcome::ended(Ending::Responded));
    assert_eq!(record.findings[0].code, "budget.hard");
    // What one budget took, another one that refuses gives back.
    refused(ask(&policy, &state, of("bob")).0);
    assert_eq!(state.sum("tokens-day/p=bob@2026-11-28", 86_400, AT), 0);
    assert_eq!(state.sum("tokens-day@2026-11-28", 86_400, AT), 100);
}

#[test]
fn what_cannot_be_counted_does_not_pass() {
    let policy = policy(json!({"budgets": [{"tokens": 1000, "per": "day"}]}));
    let state = StageState::default();
    state.fail("the disk is full");
    let denial = refused(ask(&policy, &state, of("ann")).0);
    assert_eq!(
        (&*denial.code, denial.status),
        ("budget.unknown", Some(503))
    );
}

#[test]
fn settings_that_contradict_are_errors() {
    let budgets = |budget: Value| error(json!({"budgets": [budget]}));
    let day = json!({"tokens": 1, "per": "day"});
    for (said, wanted) in [
        (error(json!({})), "nothing would be limited"),
        (budgets(json!({"per": "day"})), "it has nothing to spend"),
        (
            budgets(json!({"tokens": 1, "money": 1, "per": "day"})),
            "make two of it",
        ),
        (
            budgets(json!({"tokens": 0, "per": "day"})),
            "nothing can be spent of 0",
        ),
        (budgets(json!({"money": -1, "per": "day"})), "is no amount"),
        (
            budgets(json!({"money": 0.000_000_1, "per": "day"})),
            "more than six decimals",
        ),
        (
            budgets(json!({"tokens": 1, "per": "hour"})),
            "`budgets[0].per`: unknown variant `hour`",
        ),
        (
            budgets(json!({"tokens": 1, "per": "day", "soft_percent": 100})),
            "`budgets[0].soft_percent`",
        ),
        (
            budgets(json!({"tokens": 1, "per": "day", "over": {"respond": ""}})),
            "`budgets[0].over.respond`",
        ),
        (
            error(json!({"budgets": [day, {"tokens": 2, "per": "day", "teams": ["red"]}]})),
            "`budgets[1]`: another budget keeps the same sums",
        ),
        (
            error(json!({"budgets": [day], "prices": {}})),
            "`prices`: no budget is of money",
        ),
        (
            error(json!({"budgets": [day], "reserve": 1})),
            "`reserve`: no budget is of money",
        ),
        (
            error(json!({"budgets": [{"money": 1, "per": "day"}], "reserve": 1, "prices": {}})),
            "with `prices` each model needs one of its own",
        ),
        (
            error(json!({
                "budgets": [{"money": 1, "per": "day"}],
                "prices": {"m": {"input": -1, "output": 1}},
            })),
            "`prices.m`: -1 is no amount",
        ),
        (
            error(json!({"transaction_limits": {}})),
            "`transaction_limits` is no setting here: say `budgets:",
        ),
        (
            error(json!({"reset_duration": "1d"})),
            "`reset_duration` is no setting here: say `per: day`",
        ),
        (
            error(json!({"request_max_limit": 1})),
            "the policy `rate-limit` counts requests",
        ),
    ] {
        assert!(said.contains(wanted), "{said}\n{wanted}");
    }
}
