#![expect(clippy::unwrap_used, reason = "a test")]

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

fn heard(pool: &KeyPool, model: &str, status: u16, pairs: &[(&'static str, &str)]) {
    let status = StatusCode::from_u16(status).unwrap();
    pool.keys[0].heard("t", model, status, &headers(pairs));
}

#[tokio::test(start_paused = true)]
async fn a_key_rests_for_one_model_until_the_target_serves_it_again() {
    let pool = pool(&[("a", 1)]);
    assert!(pool.pick("m", &[]).is_ok());
    assert_eq!(pool.pick("m", &[0]).unwrap_err(), NoKey::Tried);
    heard(&pool, "m", 429, &[("retry-after", "30")]);
    let rest = Duration::from_secs(30);
    assert_eq!(pool.pick("m", &[]).unwrap_err(), NoKey::Resting(rest));
    assert!(pool.pick("another", &[]).is_ok());
    advance(rest).await;
    assert!(pool.pick("m", &[]).is_ok());
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
            assert_eq!(pool.pick("m", &[]).err(), expected, "{pairs:?}");
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
        assert_eq!(pool.pick("any", &[]).unwrap().0, 1);
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
    assert_eq!(pool.pick("m", &[]).unwrap().0, 0);
    assert_eq!(pool.pick("m", &[0]).unwrap_err(), NoKey::Tried);
}

#[tokio::test(start_paused = true)]
async fn one_request_that_does_not_fit_keeps_none_other_out() {
    let pool = pool(&[("a", 1)]);
    let left = ("x-ratelimit-remaining-tokens-minute", "20000");
    heard(&pool, "m", 429, &[("retry-after", "30"), left]);
    assert!(pool.pick("m", &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_key_is_sent_as_often_as_its_weight_says() {
    let pool = pool(&[("a", 1), ("b", 3)]);
    let picked = (0..4000).filter(|_| pool.pick("m", &[]).unwrap().0 == 1);
    let picked = picked.count();
    assert!((2800..3200).contains(&picked), "{picked}");
    assert_eq!(pool.pick("m", &[1]).unwrap().0, 0);
    assert_eq!(pool.pick("m", &[0, 1]).unwrap_err(), NoKey::Tried);
    heard(&pool, "m", 429, &[("retry-after", "5")]);
    assert!((0..100).all(|_| pool.pick("m", &[]).unwrap().0 == 1));
    assert_eq!(
        pool.pick("m", &[1]).unwrap_err(),
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
    assert!((0..100).all(|_| after.pick("m", &[]).unwrap().0 == 0));
}
