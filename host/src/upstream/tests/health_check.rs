//! Targets that are asked for their models while nobody asks them anything else.

use super::*;
use crate::config::HealthCheckConfig;
use crate::upstream::health_check::{check, keep_checking};
use std::sync::Arc;

fn checked(server: &Server, more: &str) -> Targets {
    targets(&format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", secret_key_ref: {{env: KEY}}, \
         breaker: {{failures: 1, rest: 10m}}{more}}}",
        server.base
    ))
}

const ON: &str = ", health_check: {}";
const WITHIN: Duration = Duration::from_secs(60);

fn health(targets: &Targets) -> serde_json::Value {
    targets.iter().next().unwrap().state()["health"].clone()
}

#[tokio::test]
async fn a_check_that_fails_counts_and_one_that_goes_well_lets_a_probe_through() {
    let (busy, list) = (
        answer("503 X", "", "{}"),
        answer("200 OK", "", "{\"data\":[]}"),
    );
    let mut server = Server::start(&[&list, &busy, &busy, &list, &busy]).await;
    let targets = checked(&server, ON);
    let target = targets.iter().next().unwrap();
    assert_eq!(health(&targets)["check"], serde_json::Value::Null);
    check(target, WITHIN).await;
    assert_eq!(
        (
            &health(&targets)["breaker"],
            &health(&targets)["check"]["ok"]
        ),
        (&"closed".into(), &true.into())
    );
    let sent = soon(server.requests.recv()).await.unwrap().head;
    assert!(
        sent.starts_with("get /v1/models ") && sent.contains("bearer csk-topsecret"),
        "{sent}"
    );
    for _ in 0..2 {
        check(target, WITHIN).await;
        let health = health(&targets);
        assert_eq!(
            (&health["breaker"], &health["check"]["ok"]),
            (&"open".into(), &false.into())
        );
        assert!(
            health["check"]["why"].as_str().unwrap().contains("503"),
            "{health}"
        );
    }
    assert!(!target.health().in_turn());
    check(target, WITHIN).await;
    // A list of models is no answer to a request: that is what the next one is to find out.
    assert_eq!(health(&targets)["breaker"], "open");
    assert!(target.health().in_turn());
    assert_eq!(health(&targets)["breaker"], "half-open");
    check(target, WITHIN).await;
    assert_eq!(health(&targets)["breaker"], "open");
}

#[tokio::test]
async fn what_says_nothing_of_the_target_is_no_failure_of_its() {
    // It lists no models, it has given enough answers for now, and it wants another key.
    for status in ["404 X", "429 X", "401 X"] {
        let server = Server::start(&[&answer(status, "", "{}")]).await;
        let targets = checked(&server, ON);
        check(targets.iter().next().unwrap(), WITHIN).await;
        let health = health(&targets);
        assert_eq!(
            (&health["breaker"], &health["check"]["ok"]),
            (&"closed".into(), &true.into()),
            "{status}"
        );
    }
    let server = Server::start(&[&answer("401 X", "", "{}")]).await;
    let targets = checked(&server, ON);
    check(targets.iter().next().unwrap(), WITHIN).await;
    let state = targets.iter().next().unwrap().state();
    assert_eq!(
        state["keys"][0]["state"], "refused",
        "clients needn't find that out"
    );
}

#[tokio::test]
async fn a_target_that_says_nothing_fails_its_check_in_time() {
    let server = Server::start(&[]).await;
    let targets = checked(&server, ON);
    check(targets.iter().next().unwrap(), Duration::from_millis(20)).await;
    assert_eq!(
        (
            &health(&targets)["breaker"],
            &health(&targets)["check"]["ok"]
        ),
        (&"open".into(), &false.into())
    );
}

#[tokio::test]
async fn it_is_asked_again_and_again_on_one_connection() {
    let list = answer("200 OK", "", "{\"data\":[]}");
    let mut server = Server::start(&[&*list; 3]).await;
    let targets = checked(&server, "");
    let target = Arc::clone(targets.iter().next().unwrap());
    let config = HealthCheckConfig {
        every: Duration::from_millis(1),
        timeout: WITHIN,
    };
    let asking = tokio::spawn(keep_checking(target, config));
    for _ in 0..3 {
        let request = soon(server.requests.recv()).await.unwrap();
        assert_eq!(request.connection, 0);
    }
    asking.abort();
}

#[tokio::test]
async fn checks_end_with_their_targets_and_without_the_setting_there_are_none() {
    let server = Server::start(&[]).await;
    let holders = |targets: &Targets| Arc::strong_count(targets.iter().next().unwrap());
    let off = checked(&server, "");
    off.begin_checks();
    assert_eq!(holders(&off), 1);
    let on = checked(&server, ", health_check: {every: 24h}");
    on.begin_checks();
    assert_eq!(holders(&on), 2);
    on.end_checks();
    soon(async {
        while holders(&on) > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    on.begin_checks();
    let target = Arc::clone(on.iter().next().unwrap());
    drop(on);
    soon(async {
        while Arc::strong_count(&target) > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The simulator takes the place of targets and their keys.
#[tokio::test]
async fn a_target_whose_key_was_taken_away_is_not_checked() {
    let text = "pack: {name: t, version: 1.0.0, enabled: true}\npolicies: {chain: []}\n\
                providers: {targets: [{id: a, provider: cerebras, health_check: {}}]}\n";
    let mut config = Config::parse(text, "test", Path::new("/")).unwrap();
    config.stand_in(&"http://127.0.0.1:9/v1".parse().unwrap());
    let targets = Targets::build(&config, None, &Metrics::new()).unwrap();
    targets.begin_checks();
    let target = targets.iter().next().unwrap();
    assert_eq!(Arc::strong_count(target), 1);
}
