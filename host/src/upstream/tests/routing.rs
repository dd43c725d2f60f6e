//! Who is asked first, by each strategy, and how an open breaker changes that.

use super::ask::asked;
use super::*;
use std::collections::BTreeMap;
use tokio::time::advance;

/// Three targets that take any model, and one that is another model's.
fn three(strategy: &str) -> Targets {
    let target = |id: &str, more: &str| {
        format!("{{id: {id}, provider: cerebras, base_url: \"http://{id}.example/v1\"{more}}}")
    };
    let list = [
        target("a", ", weight: 6"),
        target("b", ", weight: 3"),
        target("c", ""),
        target("last", ", model: other"),
    ];
    let text = format!(
        "pack: {{name: t, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\n\
         providers: {{targets: [{}], routing: {{strategy: {strategy}}}}}\n",
        list.join(", ")
    );
    let config = Config::parse(&text, "test", Path::new("/")).unwrap();
    Targets::build_with(&config, None, &Metrics::new(), SecretRef::read).unwrap()
}

fn arranged(targets: &Targets) -> Candidates {
    let mut candidates = targets.candidates("m").unwrap();
    targets.arrange(&mut candidates);
    candidates
}

fn order(targets: &Targets) -> Vec<String> {
    let candidates = arranged(targets);
    candidates
        .iter()
        .map(|it| it.target().id().to_owned())
        .collect()
}

/// How often each is first of so many requests, where each takes its time and fails as often as said.
async fn firsts(
    targets: &Targets,
    requests: usize,
    time: impl Fn(&str) -> u64,
    fails: impl Fn(&str) -> bool,
) -> BTreeMap<String, usize> {
    fastrand::seed(7);
    let mut firsts = BTreeMap::new();
    for _ in 0..requests {
        let candidates = arranged(targets);
        let target = candidates.first().target();
        let mut attempt = target.health().attempt();
        advance(Duration::from_millis(time(target.id()))).await;
        if fails(target.id()) {
            attempt.failed();
        } else {
            attempt.answered(&HeaderMap::new());
            attempt.first_token();
        }
        *firsts.entry(target.id().to_owned()).or_default() += 1;
        let ids = candidates.iter().map(|it| it.target().id().to_owned());
        let mut ids: Vec<String> = ids.collect();
        assert_eq!(ids.pop().unwrap(), "last", "a fallback stays one");
        ids.sort_unstable();
        assert_eq!(ids, ["a", "b", "c"], "nobody is lost");
    }
    firsts
}

fn of(firsts: &BTreeMap<String, usize>, id: &str) -> usize {
    firsts.get(id).copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn order_is_the_lists_where_nothing_else_is_said() {
    let targets = three("ordered");
    assert_eq!(firsts(&targets, 9, |_| 100, |_| false).await["a"], 9);
    assert_eq!(order(&targets), ["a", "b", "c", "last"]);
}

#[tokio::test(start_paused = true)]
async fn in_turn_each_has_the_same_share() {
    let targets = three("round-robin");
    let orders: Vec<_> = (0..3).map(|_| order(&targets).join("")).collect();
    assert_eq!(orders, ["abclast", "bcalast", "cablast"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_a_policy_gave_stays() {
    let targets = three("round-robin");
    for _ in 0..3 {
        let mut candidates = targets.candidates("m").unwrap();
        candidates.restrict(&["last", "c", "a"]).unwrap();
        targets.arrange(&mut candidates);
        let ids: Vec<&str> = candidates.iter().map(|it| it.target().id()).collect();
        assert_eq!(ids, ["last", "c", "a"]);
    }
}

/// A policy that only leaves some out says nothing of the order.
#[tokio::test(start_paused = true)]
async fn routing_goes_on_among_those_that_are_left() {
    let targets = three("round-robin");
    let mut firsts = Vec::new();
    for _ in 0..4 {
        let mut candidates = targets.candidates("m").unwrap();
        candidates.restrict(&["a", "c", "last"]).unwrap();
        targets.arrange(&mut candidates);
        let ids: Vec<&str> = candidates.iter().map(|it| it.target().id()).collect();
        assert_eq!(ids[2], "last", "a fallback stays one");
        firsts.push(ids[0].to_owned());
    }
    firsts.sort_unstable();
    assert_eq!(firsts, ["a", "a", "c", "c"]);
}

#[tokio::test(start_paused = true)]
async fn by_weight_each_has_its_share() {
    let firsts = firsts(&three("weighted"), 2000, |_| 1, |_| false).await;
    for (id, share) in [("a", 1200), ("b", 600), ("c", 200)] {
        let found = of(&firsts, id);
        assert!(found.abs_diff(share) < 80, "{id}: {firsts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_latency_the_fastest_is_first_once_all_are_known() {
    let targets = three("lowest-latency");
    let time = |id: &str| if id == "b" { 20 } else { 200 };
    let firsts = firsts(&targets, 100, time, |_| false).await;
    assert_eq!((of(&firsts, "a"), of(&firsts, "c")), (1, 1), "{firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn adaptive_is_round_robin_among_equals() {
    let noise = |_: &str| fastrand::u64(95..=105);
    let firsts = firsts(&three("adaptive"), 300, noise, |_| false).await;
    assert!(firsts.values().all(|it| *it == 100), "{firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn adaptive_leaves_a_slow_target_to_itself_and_comes_back_when_it_is_fast() {
    let targets = three("adaptive");
    let slow = |id: &str| if id == "b" { 1000 } else { 100 };
    let before = firsts(&targets, 300, slow, |_| false).await;
    assert!((1..=10).contains(&of(&before, "b")), "{before:?}");
    assert!(
        of(&before, "a").abs_diff(of(&before, "c")) < 30,
        "{before:?}"
    );
    firsts(&targets, 600, |_| 100, |_| false).await;
    let after = firsts(&targets, 300, |_| 100, |_| false).await;
    assert!(of(&after, "b") > 90, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn adaptive_leaves_a_target_that_fails_at_once_to_itself() {
    let fast = |id: &str| if id == "c" { 1 } else { 100 };
    let found = firsts(&three("adaptive"), 300, fast, |id| id == "c").await;
    assert!((1..=10).contains(&of(&found, "c")), "{found:?}");
    // One that fails every other time has few, too.
    let times = std::cell::Cell::new(0);
    let every_other = |id: &str| {
        times.set(times.get() + usize::from(id == "c"));
        id == "c" && times.get().is_multiple_of(2)
    };
    let found = firsts(&three("adaptive"), 300, |_| 100, every_other).await;
    assert!(of(&found, "c") < 50, "{found:?}");
}

#[tokio::test]
async fn a_target_that_fails_too_often_is_asked_last_and_still_asked() {
    let busy = answer("503 X", "", "{}");
    let ok = answer("200 OK", "", "{}");
    let mut one = Server::start(&[&busy, &busy, &ok]).await;
    let mut other = Server::start(&[&ok, &ok, &ok, &busy]).await;
    let target = |id: &str, server: &Server| {
        format!(
            "{{id: {id}, provider: cerebras, base_url: \"{}\", breaker: {{failures: 2, rest: 10m}}}}",
            server.base
        )
    };
    let list = format!("{}, {}", target("a", &one), target("b", &other));
    let targets = targets(&list);
    let ask = async || asked(&targets, RetryPolicy::EACH_ONCE).await.unwrap();
    let times =
        |server: &mut Server| std::iter::from_fn(|| server.requests.try_recv().ok()).count();
    for _ in 0..2 {
        assert_eq!(&*ask().await.target, "b");
    }
    assert_eq!((times(&mut one), times(&mut other)), (2, 2));
    assert_eq!(&*ask().await.target, "b");
    assert_eq!((times(&mut one), times(&mut other)), (0, 1), "it rests");
    // The other fails, so this one is asked all the same, and does well.
    assert_eq!(&*ask().await.target, "a");
    assert_eq!((times(&mut one), times(&mut other)), (1, 1));
    assert_eq!(
        targets.iter().next().unwrap().state()["health"]["breaker"],
        "closed"
    );
}

#[tokio::test]
async fn a_target_that_is_alone_is_asked_whatever_its_breaker_says() {
    let busy = answer("503 X", "", "{}");
    let mut server = Server::start(&[&busy, &busy, &busy]).await;
    let targets = targets(&format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", breaker: {{failures: 1}}}}",
        server.base
    ));
    for _ in 0..3 {
        asked(&targets, RetryPolicy::EACH_ONCE).await.unwrap_err();
        assert!(server.requests.try_recv().is_ok());
    }
    assert_eq!(
        targets.iter().next().unwrap().state()["health"]["breaker"],
        "open"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_against_its_target() {
    let cut = format!("{STREAM_HEAD}5\r\nhello\r\nno chunk");
    let server = Server::start(&[&cut]).await;
    let targets = targets(&format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", breaker: {{failures: 1}}}}",
        server.base
    ));
    let answer = asked(&targets, RetryPolicy::EACH_ONCE).await.unwrap();
    let state = || targets.iter().next().unwrap().state()["health"].clone();
    assert_eq!(
        (&state()["breaker"], &state()["open"]),
        (&"closed".into(), &1.into())
    );
    let mut body = answer.into_body();
    while let Some(Ok(_)) = soon(body.next()).await {}
    assert_eq!(state()["breaker"], "open");
    drop(body);
    assert_eq!(state()["open"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_never_sent_leaves_the_next_request_to_be_one() {
    let target = |id: &str, more: &str| {
        format!("{{id: {id}, provider: cerebras, base_url: \"http://{id}.example/v1\"{more}}}")
    };
    let strict = target(
        "a",
        ", parameters: strict, breaker: {failures: 1, rest: 1s}",
    );
    let targets = targets(&format!("{strict}, {}", target("b", "")));
    let first = targets.iter().next().unwrap();
    first.health().attempt().failed();
    advance(Duration::from_secs(1)).await;
    // The request doesn't fit, which is found before it is sent.
    let refused = asked(&targets, RetryPolicy::EACH_ONCE).await.unwrap();
    assert_eq!((&*refused.target, refused.status.as_u16()), ("a", 400));
    assert!(first.health().in_turn());
}
