#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::*;

/// A small reader of the text format: every sample by its full name with labels. Fails on what a scraper would
/// refuse: a sample without a type, a family in two places, a sample twice.
fn parse(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "no end mark");
    let mut types = HashMap::new();
    let mut closed = HashSet::new();
    let mut current = String::new();
    let mut samples = HashMap::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (what, name) = (words.next().unwrap(), words.next().unwrap());
            if name != current {
                assert!(closed.insert(name.to_owned()), "{name} in two places");
                name.clone_into(&mut current);
            }
            if what == "TYPE" {
                types.insert(name.to_owned(), words.next().unwrap().to_owned());
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        let suffix = name.strip_prefix(current.as_str()).unwrap();
        let allowed: &[&str] = match types[&current].as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("type {other}"),
        };
        assert!(allowed.contains(&suffix), "{line}");
        let value = value.parse().unwrap();
        assert!(samples.insert(sample.to_owned(), value).is_none(), "{line}");
    }
    samples
}

#[test]
fn an_empty_set_parses_and_shows_the_fixed_metrics_at_zero() {
    let samples = parse(&Metrics::new().render());
    assert_eq!(samples["witgate_exchanges_running"], 0.0);
    assert_eq!(samples["witgate_reloads_total{result=\"failed\"}"], 0.0);
    assert_eq!(samples["witgate_config_generation"], 0.0);
}

#[test]
fn a_stage_shows_verdicts_edits_failures_and_times() {
    let metrics = Metrics::new();
    let stage = metrics.stage("tone");
    stage.decisions.verdict(VerdictKind::Deny);
    stage.decisions.edit(EditKind::Replace);
    stage.decisions.edit(EditKind::Replace);
    stage.failure(Hook::OnDelta, FailureClass::Deadline);
    stage.observe(Hook::OnDelta, Duration::from_nanos(2_500));
    let samples = parse(&metrics.render());
    let get = |name: &str| samples[name];
    assert_eq!(
        get(r#"witgate_verdicts_total{stage="tone",verdict="deny"}"#),
        1.0
    );
    assert_eq!(
        get(r#"witgate_verdicts_total{stage="tone",verdict="proceed"}"#),
        0.0
    );
    assert_eq!(
        get(r#"witgate_edits_total{stage="tone",kind="replace"}"#),
        2.0
    );
    let failure = r#"witgate_stage_failures_total{stage="tone",hook="on-delta",class="deadline"}"#;
    assert_eq!(get(failure), 1.0);
    let bucket = |le: &str| {
        let labels = format!(r#"le="{le}",stage="tone",hook="on-delta""#);
        get(&format!("witgate_hook_duration_seconds_bucket{{{labels}}}"))
    };
    assert_eq!((bucket("0.000001"), bucket("0.0000025")), (0.0, 1.0));
    assert_eq!((bucket("0.1"), bucket("+Inf")), (1.0, 1.0));
}

#[test]
fn a_reload_that_keeps_a_stage_keeps_its_counts() {
    let metrics = Metrics::new();
    let before = metrics.stage("tone");
    before.decisions.verdict(VerdictKind::Proceed);
    let after = metrics.stage("tone");
    drop(before);
    after.decisions.verdict(VerdictKind::Proceed);
    let name = r#"witgate_verdicts_total{stage="tone",verdict="proceed"}"#;
    assert_eq!(parse(&metrics.render())[name], 2.0);
    drop(after);
    assert!(!metrics.render().contains("tone"));
}

#[test]
fn what_a_stage_says_in_shadow_is_counted_apart_once_there_is_some() {
    let metrics = Metrics::new();
    let (quiet, stage) = (metrics.stage("quiet"), metrics.stage("tone"));
    quiet.decisions.verdict(VerdictKind::Deny);
    stage.shadow_decisions.verdict(VerdictKind::Deny);
    stage.shadow_decisions.edit(EditKind::Hold);
    let samples = parse(&metrics.render());
    for (name, count) in [
        (
            r#"witgate_shadow_verdicts_total{stage="tone",verdict="deny"}"#,
            1.0,
        ),
        (
            r#"witgate_shadow_edits_total{stage="tone",kind="hold"}"#,
            1.0,
        ),
        (
            r#"witgate_verdicts_total{stage="tone",verdict="deny"}"#,
            0.0,
        ),
        (
            r#"witgate_verdicts_total{stage="quiet",verdict="deny"}"#,
            1.0,
        ),
    ] {
        assert_eq!(samples[name], count, "{name}");
    }
    let quiet = |name: &&String| name.contains("shadow") && name.contains("quiet");
    assert_eq!(samples.keys().find(quiet), None);
}

#[test]
fn a_target_shows_times_and_failovers() {
    let metrics = Metrics::new();
    let target = metrics.target("cerebras-llama");
    target.overhead.observe(Duration::from_micros(300));
    target.first_byte.observe(Duration::from_millis(80));
    target.total.observe(Duration::from_secs(2));
    target.failover(Failover::RateLimited);
    let samples = parse(&metrics.render());
    for name in [
        r#"witgate_overhead_seconds_count{target="cerebras-llama"}"#,
        r#"witgate_upstream_first_byte_seconds_count{target="cerebras-llama"}"#,
        r#"witgate_upstream_seconds_count{target="cerebras-llama"}"#,
        r#"witgate_failovers_total{target="cerebras-llama",reason="rate-limited"}"#,
    ] {
        assert_eq!(samples[name], 1.0, "{name}");
    }
    let sum = r#"witgate_upstream_seconds_sum{target="cerebras-llama"}"#;
    assert_eq!(samples[sum], 2.0);
}

#[test]
fn requests_are_counted_by_endpoint_and_status() {
    let metrics = Metrics::new();
    metrics.request(Endpoint::Chat, StatusCode::OK);
    metrics.request(Endpoint::Chat, StatusCode::OK);
    metrics.request(Endpoint::Other, StatusCode::NOT_FOUND);
    metrics.request(Endpoint::Other, StatusCode::from_u16(999).unwrap());
    let samples = parse(&metrics.render());
    let count = |endpoint: &str, status: u16| {
        let labels = format!(r#"endpoint="{endpoint}",status="{status}""#);
        samples[&format!("witgate_requests_total{{{labels}}}")]
    };
    assert_eq!(count("chat", 200), 2.0);
    assert_eq!((count("other", 404), count("other", 999)), (1.0, 1.0));
}

#[test]
fn teams_past_the_sixty_fourth_are_counted_together() {
    let metrics = Metrics::new();
    for team in 0..100 {
        metrics.teams.add(&format!("team-{team}"), StatusCode::OK);
        metrics
            .teams
            .add(&format!("team-{team}"), StatusCode::TOO_MANY_REQUESTS);
    }
    metrics
        .teams
        .add("team-3", StatusCode::from_u16(999).unwrap());
    let samples = parse(&metrics.render());
    let teams = samples.keys();
    let teams = teams.filter(|name| name.starts_with("witgate_team_requests_total"));
    assert_eq!(teams.count(), 2 * 65 + 1);
    let count = |team: &str, status: &str| {
        samples[&format!(r#"witgate_team_requests_total{{team="{team}",status="{status}"}}"#)]
    };
    assert_eq!((count("other", "2xx"), count("other", "4xx")), (36.0, 36.0));
    assert_eq!((count("team-3", "2xx"), count("team-3", "5xx")), (1.0, 1.0));
}

#[test]
fn how_many_callers_are_told_apart_may_be_said_and_none_is_as_well() {
    let metrics = Metrics::new();
    let ask = |names: std::ops::Range<u32>| {
        for name in names {
            metrics.principals.add(&format!("p{name}"), StatusCode::OK);
            metrics.roles.add(&format!("r{name}"), StatusCode::OK);
        }
    };
    let lines = |of: &str| {
        let family = format!("witgate_{of}_requests_total");
        let text = metrics.render();
        text.lines()
            .filter(|line| line.starts_with(&family))
            .count()
    };
    metrics.principals.tell_apart(2);
    metrics.roles.tell_apart(0);
    ask(0..5);
    assert_eq!((lines("principal"), lines("role")), (2 + 1, 0));
    assert!(!metrics.render().contains("role_requests"));
    // More from now on; fewer take nothing away from those who are known.
    metrics.principals.tell_apart(4);
    ask(0..9);
    assert_eq!(lines("principal"), 4 + 1);
    metrics.principals.tell_apart(1);
    ask(0..9);
    assert_eq!(lines("principal"), 4 + 1);
    let samples = parse(&metrics.render());
    let of = |name: &str| {
        samples[&format!(r#"witgate_principal_requests_total{{principal="{name}",status="2xx"}}"#)]
    };
    assert_eq!(
        (of("p0"), of("p3"), of("other")),
        (3.0, 2.0, 3.0 + 5.0 + 5.0)
    );
}

#[test]
fn a_team_is_a_text_like_any_other() {
    let metrics = Metrics::new();
    metrics.teams.add("a \"b\"\\\nc", StatusCode::OK);
    let text = metrics.render();
    let line = r#"witgate_team_requests_total{team="a \"b\"\\\nc",status="2xx"} 1"#;
    assert!(text.lines().any(|it| it == line), "{text}");
}

/// Every name that the metrics can have, with the labels of what is shown.
fn exported() -> (HashSet<String>, HashSet<String>) {
    let metrics = Metrics::new();
    let (stage, target) = (metrics.stage("tone"), metrics.target("cerebras-llama"));
    metrics.request(Endpoint::Chat, StatusCode::OK);
    metrics.principals.add("ann", StatusCode::OK);
    metrics.teams.add("blue", StatusCode::OK);
    metrics.roles.add("writer", StatusCode::OK);
    stage.failure(Hook::OnDelta, FailureClass::Deadline);
    stage.breaker_opened();
    stage.decisions.verdict(VerdictKind::Deny);
    stage.decisions.edit(EditKind::Replace);
    target.failover(Failover::Connect);
    for histogram in [&target.first_byte, &target.total, &target.overhead] {
        histogram.observe(Duration::from_secs(1));
    }
    let text = metrics.render();
    let (mut names, mut labels) = (HashSet::new(), HashSet::new());
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            let ends: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            names.extend(ends.iter().map(|end| format!("{name}{end}")));
        } else if let Some((_, rest)) = line.split_once('{') {
            let pairs = rest.split(['{', ',', '}']);
            let pairs = pairs.filter_map(|pair| pair.split_once("=\""));
            labels.extend(pairs.map(|(name, _)| name.to_owned()));
        }
    }
    (names, labels)
}

/// The words of a text that begin so.
fn words<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(move |word| word.starts_with(start))
}

#[test]
fn alerts_ask_for_what_there_is() {
    let rules = include_str!("../../../../docs/alerts.yaml");
    let (names, labels) = exported();
    let mut asked = HashSet::new();
    for name in words(rules, "witgate_") {
        assert!(names.contains(name), "{name} isn't exported");
        asked.insert(name);
    }
    assert!(asked.len() > 10, "{asked:?}");
    // What is in braces compares labels, and what follows `by` names them.
    let compared = rules
        .split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap());
    let compared = compared.flat_map(|inner| inner.split(','));
    let compared = compared.filter_map(|pair| pair.split_once(['=', '!']));
    let grouped = rules
        .split(" by (")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    let grouped = grouped.flat_map(|inner| inner.split(", "));
    for label in compared.map(|(label, _)| label).chain(grouped) {
        let scrapers = ["job", "instance"].contains(&label);
        assert!(
            scrapers || labels.contains(label),
            "nothing has the label {label}"
        );
    }
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let rules = include_str!("../../../../docs/alerts.yaml");
    let books = include_str!("../../../../docs/operations.md");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: Vec<&str> = alerts.collect();
    let heads = books
        .lines()
        .filter_map(|line| line.strip_prefix("### Witgate"));
    let heads: Vec<String> = heads.map(|head| format!("Witgate{head}")).collect();
    assert!(alerts.len() > 10);
    assert_eq!(alerts, heads);
}

#[test]
fn every_metric_stands_in_the_manual() {
    let manual = include_str!("../../../../docs/operating.md");
    let (names, _) = exported();
    let told: HashSet<&str> = words(manual, "witgate_").collect();
    for name in names {
        let short = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let name = short.unwrap_or(&name);
        assert!(told.contains(name), "{name} isn't in docs/operating.md");
    }
}

#[test]
fn tokens_and_what_they_cost_are_counted_by_target() {
    let metrics = Metrics::new();
    let target = metrics.target("t");
    target.used([10, 5, 3], Some(17));
    target.used([1, 0, 2], Some(1_000_000));
    target.used([1, 0, 0], None);
    let samples = parse(&metrics.render());
    for (kind, count) in [("input", 12.0), ("cached_input", 5.0), ("output", 5.0)] {
        let name = format!(r#"witgate_tokens_total{{target="t",kind="{kind}"}}"#);
        assert_eq!(samples[&name], count, "{kind}");
    }
    assert_eq!(samples[r#"witgate_cost_total{target="t"}"#], 1.000_017);
    assert_eq!(samples[r#"witgate_unpriced_total{target="t"}"#], 1.0);
}
