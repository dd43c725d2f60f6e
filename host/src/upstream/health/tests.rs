#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use tokio::time::advance;

fn health(failures: u32, rate: u32) -> Health {
    let config = BreakerConfig {
        failures,
        rate,
        rest: Duration::from_secs(5),
    };
    Health::new(config, None, Arc::new(TargetMetrics::unregistered()))
}

fn fails(health: &Health) {
    health.attempt().failed();
}

fn does_well(health: &Health) {
    health.attempt().answered(&HeaderMap::new());
}

fn breaker(health: &Health) -> String {
    health.state()["breaker"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_a_probe_that_goes_well_closes_it() {
    let health = health(3, 0);
    for _ in 0..2 {
        fails(&health);
        fails(&health);
        does_well(&health);
    }
    assert!(health.in_turn());
    for _ in 0..3 {
        fails(&health);
    }
    assert_eq!((health.in_turn(), &*breaker(&health)), (false, "open"));
    advance(Duration::from_millis(4999)).await;
    assert!(!health.in_turn());
    advance(Duration::from_millis(1)).await;
    // One is the probe, others aren't.
    assert_eq!((health.in_turn(), &*breaker(&health)), (true, "half-open"));
    assert!(!health.in_turn());
    does_well(&health);
    assert_eq!((health.in_turn(), &*breaker(&health)), (true, "closed"));
}

#[tokio::test(start_paused = true)]
async fn a_rest_gets_longer_with_each_probe_that_fails_up_to_a_bound() {
    let health = health(1, 0);
    fails(&health);
    let mut rests = Vec::new();
    for _ in 0..7 {
        let rest = health.state()["rest_s"].as_f64().unwrap();
        rests.push(rest.round() as u64);
        // As a last resort it is asked meanwhile, which changes nothing.
        fails(&health);
        advance(Duration::from_secs_f64(rest + 0.001)).await;
        assert!(health.in_turn());
        fails(&health);
    }
    assert_eq!(rests, [5, 10, 20, 40, 80, 80, 80]);
    does_well(&health);
    fails(&health);
    assert_eq!(health.state()["rest_s"].as_f64().unwrap().round(), 5.0);
}

#[tokio::test(start_paused = true)]
async fn a_rate_needs_enough_requests_and_looks_at_the_window_alone() {
    let health = health(0, 50);
    for _ in 0..9 {
        fails(&health);
        does_well(&health);
    }
    assert!(health.in_turn(), "18 requests make no rate");
    advance(Duration::from_secs(30)).await;
    fails(&health);
    fails(&health);
    assert!(health.in_turn(), "the others are long past");
    advance(Duration::from_secs(30)).await;
    for second in 0..10 {
        does_well(&health);
        fails(&health);
        if second < 9 {
            assert!(health.in_turn(), "{second}");
            advance(Duration::from_millis(900)).await;
        }
    }
    assert!(!health.in_turn());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_nobody_waited_for_leaves_the_next_request_to_be_one() {
    let health = health(1, 0);
    fails(&health);
    advance(Duration::from_secs(5)).await;
    assert!(health.in_turn());
    drop(health.attempt());
    assert!(health.in_turn());
    assert!(!health.in_turn());
}

#[tokio::test(start_paused = true)]
async fn what_is_known_outlives_a_reload() {
    let before = health(1, 0);
    fails(&before);
    let again = Health::new(before.config, Some(&before), before.metrics.clone());
    assert!(!again.in_turn());
}

#[tokio::test(start_paused = true)]
async fn slowness_failures_and_a_limit_that_is_nearly_used_up_count_against_it_and_fade() {
    let took = async |health: &Health, millis| {
        let mut attempt = health.attempt();
        advance(Duration::from_millis(millis)).await;
        attempt.answered(&HeaderMap::new());
        attempt.first_token();
    };
    let (one, other) = (health(0, 0), health(0, 0));
    assert_eq!(one.score(), other.score());
    for _ in 0..20 {
        took(&one, 100).await;
        took(&other, 300).await;
    }
    assert!(one.score() * 2.0 < other.score());
    assert!(one.first_token() < other.first_token());
    // What is under way counts.
    let running: Vec<Attempt> = (0..9).map(|_| one.attempt()).collect();
    assert!(one.score() > other.score());
    drop(running);
    let before = one.score();
    fails(&one);
    assert!(one.score() > 2.0 * before);

    let mut limited = health(0, 0);
    limited.weighs(true);
    took(&limited, 100).await;
    let before = limited.score();
    let headers = |left: &str| {
        let header = |name: &'static str, value: &str| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse::<http::HeaderValue>().unwrap())
        };
        HeaderMap::from_iter([
            header("x-ratelimit-limit-requests-day", "1000"),
            header("x-ratelimit-remaining-requests-day", "900"),
            header("x-ratelimit-limit-tokens-minute", "100"),
            header("x-ratelimit-remaining-tokens-minute", left),
        ])
    };
    limited.attempt().answered(&headers("60"));
    assert!(limited.score() <= before, "more than half is left");
    limited.attempt().answered(&headers("5"));
    assert!(limited.score() > 2.0 * before);
    assert_eq!(limited.state()["headroom"], 0.05);

    // Who isn't asked is tried again some day.
    let slow = other.score();
    advance(Duration::from_secs(60)).await;
    assert!(other.score() < slow / 30.0);
}
