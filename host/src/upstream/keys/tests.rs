#![expect(clippy::unwrap_used, reason = "a test")]

use http::{HeaderMap, StatusCode};
use tokio::time::advance;

use super::*;

fn pool(keys: &[(&str, u32)]) -> KeyPool {
    let keys = keys.iter().map(|(name, weight)| {
        let value = HeaderValue::from_str(name).unwrap();
        ((*name).to_owned(), Some(value), *weight)
    });
    KeyPool::new(keys, None)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

fn need(model: &str) -> Need<'_> {
    Need { model, tokens: 0 }
}

fn heard(pool: &KeyPool, model: &str, status: u16, pairs: &[(&'static str, &str)]) {
    let status = StatusCode::from_u16(status).unwrap();
    pool.keys[0].heard("t", model, status, &headers(pairs));
}

#[tokio::test(start_paused = true)]
async fn a_key_rests_for_one_model_until_the_target_serves_it_again() {
    let pool = pool(&[("a", 1)]);
    assert!(pool.pick(need("m"), &[]).is_ok());
    assert_eq!(pool.pick(need("m"), &[0]).unwrap_err(), NoKey::Tried);
    let rest = Duration::from_secs(30);
    pool.keys[0].unclear("t", "m", rest);
    assert_eq!(pool.pick(need("m"), &[]).unwrap_err(), NoKey::Resting(rest));
    assert!(pool.pick(need("another"), &[]).is_ok());
    advance(rest).await;
    assert!(pool.pick(need("m"), &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_used_up_is_waited_for_and_one_that_is_not_is_no_matter() {
    for (pairs, rest) in [
        (
            &[
                ("x-ratelimit-remaining-requests-minute", "0"),
                ("x-ratelimit-reset-requests-minute", "12.5"),
                ("x-ratelimit-remaining-tokens-day", "0"),
                ("x-ratelimit-reset-tokens-day", "40"),
            ][..],
            Some(40.0),
        ),
        (
            &[
                ("x-ratelimit-remaining-requests-minute", "1"),
                ("x-ratelimit-reset-requests-minute", "12.5"),
            ],
            None,
        ),
        (&[("x-ratelimit-remaining-requests-minute", "0")], None),
        (
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "6m0s"),
            ],
            None,
        ),
        (
            &[
                ("x-ratelimit-remaining-requests-day", "0"),
                ("x-ratelimit-reset-requests-day", "86399"),
            ],
            Some(3600.0),
        ),
        (
            &[
                ("x-ratelimit-remaining-requests-day", "0"),
                ("x-ratelimit-reset-requests-day", "NaN"),
            ],
            None,
        ),
        (
            &[
                ("x-ratelimit-remaining-requests-day", "0"),
                ("x-ratelimit-reset-requests-day", "-3"),
            ],
            None,
        ),
    ] {
        for status in [200, 429] {
            let pool = pool(&[("a", 1)]);
            heard(&pool, "m", status, pairs);
            let expected = rest.map(Duration::from_secs_f64).map(NoKey::Resting);
            assert_eq!(pool.pick(need("m"), &[]).err(), expected, "{pairs:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_tried_again_ever_later_until_it_serves() {
    let pool = pool(&[("a", 1_000_000), ("b", 1)]);
    let states = || pool.states().map(|(_, state)| state).collect::<Vec<_>>();
    for seconds in [60, 120, 240] {
        heard(&pool, "m", 401, &[]);
        // What was under way then changes nothing.
        heard(&pool, "m", 401, &[]);
        assert_eq!(pool.pick(need("any"), &[]).unwrap().0, 1);
        advance(Duration::from_secs(seconds - 1)).await;
        assert_eq!(states(), ["refused", "ready"]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(states(), ["ready", "ready"]);
    }
    heard(&pool, "m", 200, &[]);
    heard(&pool, "m", 402, &[]);
    advance(Duration::from_secs(60)).await;
    assert_eq!(states(), ["ready", "ready"]);
    // What a request says may be answered with it, so it says nothing of the key.
    heard(&pool, "m", 403, &[]);
    assert_eq!(states(), ["ready", "ready"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_is_sent_where_there_is_no_other() {
    let pool = pool(&[("a", 1)]);
    heard(&pool, "m", 401, &[]);
    assert_eq!(pool.pick(need("m"), &[]).unwrap().0, 0);
    assert_eq!(pool.pick(need("m"), &[0]).unwrap_err(), NoKey::Tried);
}

#[tokio::test(start_paused = true)]
async fn one_request_that_does_not_fit_keeps_none_other_out() {
    let pool = pool(&[("a", 1)]);
    let left = ("x-ratelimit-remaining-tokens-minute", "20000");
    heard(&pool, "m", 429, &[("retry-after", "30"), left]);
    assert!(pool.pick(need("m"), &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_key_is_sent_as_often_as_its_weight_says() {
    let pool = pool(&[("a", 1), ("b", 3)]);
    let picked = (0..4000).filter(|_| pool.pick(need("m"), &[]).unwrap().0 == 1);
    let picked = picked.count();
    assert!((2800..3200).contains(&picked), "{picked}");
    assert_eq!(pool.pick(need("m"), &[1]).unwrap().0, 0);
    assert_eq!(pool.pick(need("m"), &[0, 1]).unwrap_err(), NoKey::Tried);
    pool.keys[0].unclear("t", "m", Duration::from_secs(5));
    assert!((0..100).all(|_| pool.pick(need("m"), &[]).unwrap().0 == 1));
    assert_eq!(
        pool.pick(need("m"), &[1]).unwrap_err(),
        NoKey::Resting(Duration::from_secs(5))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_key_outlives_the_configuration() {
    let before = pool(&[("a", 1)]);
    heard(&before, "m", 401, &[]);
    let value = |name: &str| Some(HeaderValue::from_str(name).unwrap());
    let again = [
        ("x".to_owned(), value("b"), 1),
        ("y".to_owned(), value("a"), 9),
    ];
    let after = KeyPool::new(again, Some(&before));
    let states: Vec<_> = after.states().collect();
    assert_eq!(states, [("x", "ready"), ("y", "refused")]);
    assert!((0..100).all(|_| after.pick(need("m"), &[]).unwrap().0 == 0));
}

fn adaptive(keys: &[(&str, u32)]) -> KeyPool {
    pool(keys).chosen(true, false)
}

/// How often each key is taken of so many requests one after another, where each takes its time and is of use or not as said.
async fn taken(
    pool: &KeyPool,
    requests: usize,
    time: impl Fn(usize) -> u64,
    fails: impl Fn(usize) -> bool,
) -> Vec<usize> {
    fastrand::seed(7);
    let mut taken = vec![0; pool.len()];
    for _ in 0..requests {
        let (place, key) = pool.pick(need("m"), &[]).unwrap();
        taken[place] += 1;
        let used = pool.sent(key, need("m")).unwrap();
        advance(Duration::from_millis(time(place))).await;
        if fails(place) {
            used.failed();
        } else {
            used.answered(&HeaderMap::new());
            used.first_token();
        }
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn adaptive_keys_have_their_share_in_turn_among_equals() {
    let noise = |_| fastrand::u64(95..=105);
    let pool = adaptive(&[("a", 1), ("b", 1), ("c", 1)]);
    assert_eq!(taken(&pool, 300, noise, |_| false).await, [100, 100, 100]);
    let pool = adaptive(&[("a", 2), ("b", 1)]);
    // Until each is known, the unknown one is tried.
    taken(&pool, 3, noise, |_| false).await;
    assert_eq!(taken(&pool, 300, noise, |_| false).await, [200, 100]);
}

/// Nobody waits behind more than in turn they would have.
#[tokio::test(start_paused = true)]
async fn adaptive_keys_never_have_more_under_way_than_in_turn() {
    fastrand::seed(7);
    let pool = adaptive(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
    let mut under_way = std::collections::VecDeque::new();
    for _ in 0..1000 {
        let (place, key) = pool.pick(need("m"), &[]).unwrap();
        under_way.push_back((place, pool.sent(key, need("m")).unwrap()));
        for key in 0..4 {
            let open = under_way.iter().filter(|(place, _)| *place == key).count();
            assert!(open <= 3, "{open} with {key}");
        }
        // Eight are under way at a time: two each, in turn.
        if under_way.len() == 8 {
            advance(Duration::from_millis(10)).await;
            let (_, used) = under_way.pop_front().unwrap();
            used.answered(&HeaderMap::new());
            used.first_token();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn adaptive_leaves_a_slow_key_and_one_of_no_use_to_themselves() {
    let pool = adaptive(&[("a", 1), ("b", 1), ("c", 1)]);
    let slow = |place| if place == 1 { 1000 } else { 100 };
    let found = taken(&pool, 300, slow, |_| false).await;
    assert!((1..=10).contains(&found[1]), "{found:?}");
    let shown = pool.shown();
    assert!(
        shown[1]["first_token_ms"].as_f64() > shown[0]["first_token_ms"].as_f64(),
        "{shown}"
    );
    let pool = adaptive(&[("a", 1), ("b", 1), ("c", 1)]);
    let found = taken(&pool, 300, |_| 100, |place| place == 2).await;
    assert!((1..=30).contains(&found[2]), "{found:?}");
    assert!(pool.shown()[2]["failing"].as_f64() > Some(0.5));
}

#[tokio::test(start_paused = true)]
async fn a_key_near_its_limit_is_left_to_itself() {
    let pool = adaptive(&[("a", 1), ("b", 1)]);
    let spent = headers(&[
        ("x-ratelimit-limit-tokens-minute", "1000"),
        ("x-ratelimit-remaining-tokens-minute", "10"),
    ]);
    let plenty = HeaderMap::new();
    for key in pool.iter() {
        let used = pool.sent(key, need("m")).unwrap();
        used.answered(if key.name() == "a" { &spent } else { &plenty });
    }
    fastrand::seed(7);
    let picked = (0..100).filter(|_| pool.pick(need("m"), &[]).unwrap().0 == 0);
    let picked = picked.count();
    assert!(picked < 40, "{picked}");
}

#[tokio::test(start_paused = true)]
async fn tokens_under_way_count_until_the_next_answer_tells() {
    let pool = pool(&[("a", 1), ("b", 1)]).chosen(false, false);
    let left = ("x-ratelimit-remaining-tokens-minute", "1000");
    let takes = |tokens| Need { model: "m", tokens };
    let only = |tokens| {
        let picks = (0..50).map(|_| pool.pick(takes(tokens), &[]).unwrap().0);
        let mut picks: Vec<usize> = picks.collect();
        picks.sort_unstable();
        picks.dedup();
        picks
    };
    heard(&pool, "m", 200, &[left]);
    assert_eq!((only(1000), only(1001)), (vec![0, 1], vec![1]));
    pool.sent(&pool.keys[0], takes(600));
    assert_eq!((only(400), only(401)), (vec![0, 1], vec![1]));
    heard(&pool, "m", 200, &[left]);
    assert_eq!(only(1000), [0, 1]);
    // Of another model nothing is said, and a minute later nothing is known.
    assert!(!pool.lacks_room(Need {
        model: "n",
        tokens: 5000
    }));
    pool.keys[1].heard("t", "m", StatusCode::OK, &headers(&[left]));
    assert!(pool.lacks_room(takes(1001)));
    // None has room, so each may be sent.
    assert_eq!(only(1001), [0, 1]);
    advance(Duration::from_secs(60)).await;
    assert!(!pool.lacks_room(takes(1001)));
}

#[tokio::test(start_paused = true)]
async fn a_rest_for_an_unclear_reason_is_a_short_one() {
    let pool = pool(&[("a", 1)]);
    pool.keys[0].unclear("t", "m", Duration::from_secs(86_399));
    let rest = Duration::from_secs(60);
    assert_eq!(pool.pick(need("m"), &[]).unwrap_err(), NoKey::Resting(rest));
}

#[test]
fn keys_of_one_executable_have_names_of_their_own_which_tell_nothing() {
    let named = |names: &[&str]| {
        let keys = names.iter().map(|name| ((*name).to_owned(), None, 1));
        let mut keys: Vec<_> = keys.collect();
        name_apart(&mut keys);
        keys.into_iter().map(|(name, ..)| name).collect::<Vec<_>>()
    };
    assert_eq!(named(&["a", "b"]), ["a", "b"]);
    assert_eq!(
        named(&["a", "x", "a", "a"]),
        ["a (1 of 3)", "x", "a (2 of 3)", "a (3 of 3)"]
    );
}
