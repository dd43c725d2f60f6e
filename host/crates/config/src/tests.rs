//! Tests of which configurations load, and of the sentences about those that don't.
//!
//! Every bad input has a reviewed snapshot of its sentence: the sentence is the product here. The file is long because the list of
//! bad inputs is one table.

#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use std::time::Duration;

const ORIGIN: &str = "policy-config.yaml";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, ORIGIN, Path::new("/etc/witgate"))
}

/// A whole configuration with these lines in place of, or beside, the standard ones.
fn with(parts: &str) -> String {
    let mut text = String::new();
    for (key, standard) in [
        (
            "pack:",
            "pack: {name: test, version: 1.0.0, enabled: true}\n",
        ),
        ("policies:", "policies: {chain: [prompt-injection]}\n"),
    ] {
        if !parts.lines().any(|line| line.starts_with(key)) {
            text.push_str(standard);
        }
    }
    text + parts
}

#[test]
fn the_built_in_default_loads() {
    let config = Config::embedded().unwrap();
    let ids: Vec<&str> = config
        .stages
        .iter()
        .map(|stage| stage.id.as_str())
        .collect();
    // What guards and tells needs no settings; the others do, or look for what these do already.
    assert_eq!(ids, ["prompt-injection", "pii-detector", "audit-logger"]);
    assert_eq!(config.targets[0].model, None);
    assert_eq!(
        config.targets[0].base_url.as_str(),
        "https://api.cerebras.ai/v1"
    );
    assert!(config.clients.is_empty(), "{:?}", config.clients);
}

#[test]
fn a_bundled_policy_goes_by_other_gateways_name_for_it_too() {
    let text = with(
        "policies: {chain: [agent-firewall, {id: agents, component: \"bundled:agent-firewall\"}]}\n",
    );
    let config = parse(&text).unwrap();
    let stages: Vec<_> = config
        .stages
        .iter()
        .map(|stage| (stage.id.as_str(), stage.component.to_string()))
        .collect();
    let component = || "bundled:tool-firewall".to_owned();
    assert_eq!(
        stages,
        [("agent-firewall", component()), ("agents", component())]
    );
}

#[test]
fn a_bundled_policy_has_the_grant_that_it_exists_for() {
    let text = with(
        "policies: {chain: [rate-limit, budget, data-routing-policy, cache, {id: b, component: \"bundled:budget\", grants: []}]}\n",
    );
    let config = parse(&text).unwrap();
    let stages: Vec<_> = config
        .stages
        .iter()
        .map(|stage| (stage.component.to_string(), stage.grants.clone()))
        .collect();
    assert_eq!(config.stages[2].id, "data-routing-policy");
    let stage = |name: &str, grants: &[Grant]| (format!("bundled:{name}"), grants.to_vec());
    assert_eq!(
        stages,
        [
            stage("rate-limit", &[Grant::Counters]),
            stage("budget", &[Grant::Counters]),
            // That is what Keeptrusts calls it.
            stage("data-routing", &[]),
            stage("cache", &[Grant::Kv]),
            stage("budget", &[]),
        ]
    );
}

#[test]
fn a_stage_that_asks_names_whom_with_what_and_how_much() {
    let text = with(
        "policies: {chain: [external-moderation, {id: asks, component: \"bundled:external-moderation\", grants: [counters, {http: {hosts: [https://a.example/, \
         {url: \"http://127.0.0.1:81/v1\", private: true, secret_key_ref: {env: KEY}, secret_header: X-Api-Key}], timeout: 5s, max_request: 1KiB, max_reply: 2KiB, calls: 3, at_once: 4}}]}]}\n",
    );
    let config = parse(&text).unwrap();
    let [moderation, asks] = &config.stages[..] else {
        panic!("two stages")
    };
    for stage in [moderation, asks] {
        assert_eq!(stage.component, ComponentSource::Bundled("moderation"));
    }
    assert_eq!(
        (&*moderation.id, &moderation.http),
        ("external-moderation", &None)
    );
    assert_eq!(asks.grants, [Grant::Counters, Grant::Http]);
    let http = asks.http.as_ref().unwrap();
    let hosts = http.hosts.iter().map(|host| {
        let secret = host
            .secret
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let header = host.secret_header.clone().unwrap_or_default();
        format!("{} {} {secret} {header}", host.url, host.private)
    });
    assert_eq!(
        hosts.collect::<Vec<_>>(),
        [
            "https://a.example/ false  ",
            "http://127.0.0.1:81/v1 true the environment variable KEY x-api-key",
        ]
    );
    assert_eq!(
        (
            http.timeout.as_secs(),
            http.max_request,
            http.max_reply,
            http.calls,
            http.at_once
        ),
        (5, 1024, 2048, 3, 4)
    );
    assert_eq!(config.secrets().count(), 1);
    let mut simulated = config;
    simulated.stand_in(&"http://127.0.0.1:9/v1".parse().unwrap());
    assert_eq!(simulated.secrets().count(), 0);
}

#[test]
fn the_default_in_full_loads() {
    // The commented-out lines in the default are examples, and must be right too.
    let mut text = String::new();
    let mut prose = true;
    // The first line is for editors.
    for line in EMBEDDED.lines().skip(1) {
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        let example = body.strip_prefix("# ").filter(|rest| {
            let first = rest.trim_start();
            first.starts_with("- ")
                || first.split_once(':').is_some_and(|(key, _)| {
                    key.bytes()
                        .all(|c| c.is_ascii_lowercase() || b"_-".contains(&c))
                })
        });
        match example {
            Some(rest) => {
                prose = false;
                text.push_str(&format!("{indent}{rest}\n"));
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    assert!(!prose, "no example was found");
    let text = text
        .replace("sha256:...", &format!("sha256:{}", "0".repeat(64)))
        .replace(
            "[audit-logger, pii-detector,",
            "[audit-logger, tone, pii-detector,",
        );
    let config = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(config.stages[3].limits, Limits::default());
    assert_eq!(config.clients[0].id, "team-a");
    assert_eq!(config.journal.retention_days, Some(365));
}

#[test]
fn a_policy_that_others_call_otherwise_keeps_that_id() {
    for chain in [
        "[rbac]",
        "[{id: rbac}]",
        "[{id: rbac, component: bundled:access}]",
    ] {
        let config = parse(&with(&format!("policies: {{chain: {chain}}}\n"))).unwrap();
        assert_eq!(config.stages[0].id, "rbac");
        assert_eq!(
            config.stages[0].component,
            ComponentSource::Bundled("access")
        );
    }
}

#[test]
fn the_examples_load_unchanged() {
    for (name, text, targets, stages) in [
        ("batch", include_str!("testdata/batch.yaml"), 1, 1),
        (
            "cerebras-gateway",
            include_str!("testdata/cerebras-gateway.yaml"),
            1,
            3,
        ),
        (
            "latency-optimized",
            include_str!("testdata/latency-optimized.yaml"),
            2,
            1,
        ),
    ] {
        let config = parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(config.targets.len(), targets, "{name}");
        assert_eq!(config.stages.len(), stages, "{name}");
    }
    let config = parse(include_str!("testdata/latency-optimized.yaml")).unwrap();
    assert_eq!(config.targets[0].provider, "cerebras");
    assert_eq!(config.targets[0].model.as_deref(), Some("llama3.3-70b"));
    assert_eq!(
        config.targets[0].base_url.as_str(),
        "https://api.cerebras.ai/v1"
    );
    assert_eq!(
        config.targets[1].base_url.as_str(),
        "https://api.openai.com/v1"
    );
    assert_eq!(config.targets[1].model.as_deref(), Some("gpt-4o"));
    assert_eq!(
        config.targets[1].keys[0].secret,
        SecretRef::Env("OPENAI_API_KEY".to_owned())
    );
    assert_eq!(config.stages[0].settings["log_all_access"], true);
}

#[test]
fn the_bundled_audit_logger_speaks_for_the_journal() {
    let config = parse(include_str!("testdata/batch.yaml")).unwrap();
    assert_eq!(config.stages[0].grants, [Grant::Journal]);
    assert!(config.journal.immutable);
    assert_eq!(config.journal.retention_days, Some(365));
    // Without the grant, or from any other component, the same keys mean nothing to the gateway.
    for parts in [
        "policies: {chain: [{id: audit-logger, grants: []}]}\npolicy: {audit-logger: {immutable: true}}\n",
        "policies: {chain: [{id: audit-logger, component: x.wasm, grants: [journal]}]}\npolicy: {audit-logger: {immutable: true}}\n",
    ] {
        assert!(!parse(&with(parts)).unwrap().journal.immutable, "{parts}");
    }
}

#[test]
fn a_stage_says_everything_in_its_entry() {
    let config = parse(&with(&format!(
        "policies:
  chain:
    - prompt-injection
    - id: tone
      component: ./policies/tone.wasm
      digest: sha256:{}
      on_error: skip
      mode: shadow
      isolation: exchange
      limits: {{memory: 16MiB, request_cpu: 1s, held_text: 100}}
      grants: [journal]
    - {{id: pii-2, component: \"bundled:pii-detector\"}}
    - id: pii-detector
      on_error: skip
  answers: [tone, pii-2, pii-detector, prompt-injection]
  headers: [X-Team, user-agent]
policy:
  tone: {{words: [a, b], deep: {{n: 1.5}}}}
  pii-2:
",
        "AB".repeat(32)
    )))
    .unwrap();
    let tone = &config.stages[1];
    assert_eq!(
        tone.component,
        ComponentSource::File("/etc/witgate/./policies/tone.wasm".into())
    );
    assert_eq!(tone.digest, Some(format!("sha256:{}", "ab".repeat(32))));
    assert_eq!(tone.on_error, OnError::Skip);
    assert_eq!(tone.mode, Mode::Shadow);
    assert_eq!(tone.limits.memory, 16 << 20);
    assert_eq!(tone.limits.request_cpu, Duration::from_secs(1));
    assert_eq!(tone.limits.held_text, 100);
    assert_eq!(tone.limits.delta_cpu, Limits::default().delta_cpu);
    assert_eq!(tone.grants, [Grant::Journal]);
    assert_eq!(
        tone.settings,
        serde_json::json!({"words": ["a", "b"], "deep": {"n": 1.5}})
    );
    assert_eq!(tone.at, Position { line: 5, column: 7 });
    assert_eq!(config.stages[0].at, Position { line: 4, column: 7 });
    assert_eq!(config.stages[0].on_error, OnError::Deny);
    assert_eq!(config.stages[0].mode, Mode::Enforce);
    assert_eq!(
        config.stages[2].component,
        ComponentSource::Bundled("pii-detector")
    );
    assert_eq!(config.stages[2].settings, serde_json::json!({}));
    assert_eq!(
        config.stages[3].component,
        ComponentSource::Bundled("pii-detector")
    );
    assert_eq!(config.answers.unwrap()[0], "tone");
    let shown: Vec<&str> = config.headers.iter().map(String::as_str).collect();
    assert_eq!(shown, ["x-team", "user-agent"]);
}

#[test]
fn by_how_many_names_of_clients_requests_are_counted_may_be_said() {
    let read = |metrics: &str| {
        let keys = "keys: [{id: a, secret_ref: {env: A}}]";
        parse(&with(&format!("clients: {{{keys}, metrics: {metrics}}}\n")))
    };
    let ClientMetrics {
        principals,
        teams,
        roles,
    } = read("{principals: 0, teams: 4096}").unwrap().client_metrics;
    assert_eq!((principals, teams, roles), (0, 4096, 64));
    let usual = parse(&with("")).unwrap().client_metrics;
    assert_eq!(usual, ClientMetrics::default());
    // A token's principal is a person.
    let with_tokens = |metrics: &str| {
        let clients =
            format!("clients: {{jwt: {{issuer: https://login.example, audience: a}}{metrics}}}\n");
        parse(&with(&clients)).unwrap().client_metrics
    };
    for (metrics, principals, teams) in [
        ("", 0, 64),
        (", metrics: {teams: 7}", 0, 7),
        (", metrics: {principals: 9}", 9, 64),
    ] {
        let read = with_tokens(metrics);
        assert_eq!(
            (read.principals, read.teams),
            (principals, teams),
            "{metrics}"
        );
    }
    for (metrics, said) in [
        ("{principals: 4097}", "a whole number from 0 to 4096"),
        ("{principals: false}", "a whole number"),
        ("{users: 1}", "valid: principals, teams, roles"),
    ] {
        let error = read(metrics).unwrap_err().to_string();
        assert!(error.contains(said), "{metrics}: {error}");
    }
}

#[test]
fn a_policy_that_another_gateway_has_says_what_to_use() {
    for (chain, said) in [
        ("[safety-filter]", "use `topics`"),
        (
            "[{id: a, component: \"bundled:hipaa-phi-detector\"}]",
            "use `pii-detector`",
        ),
        ("[quality-scorer]", "`json-answer`"),
    ] {
        let error = parse(&with(&format!("policies: {{chain: {chain}}}\n")));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("Keeptrusts") && error.contains(said),
            "{chain}: {error}"
        );
    }
}

#[test]
fn a_cache_keeps_no_answer_with_personal_data_of_another_request() {
    let read = |policies: &str| parse(&with(&format!("policies: {{{policies}}}\n")));
    for wrong in [
        "chain: [pii-vault, cache]",
        "chain: [{id: v, component: \"bundled:pii-vault\"}, topics, cache], answers: [topics, v, cache]",
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains("behind it: `answers: ["), "{wrong}: {error}");
    }
    for right in [
        "chain: [pii-vault, cache], answers: [cache, pii-vault]",
        "chain: [cache, pii-vault], answers: [pii-vault, cache]",
        "chain: [pii-vault, pii-detector]",
    ] {
        assert!(read(right).is_ok(), "{right}");
    }
    // A hit doesn't come to the vault, so nobody would put back what it stands for; what is to be written is right.
    let error = read("chain: [cache, topics, pii-vault]")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`answers: [cache, topics, pii-vault]`"),
        "{error}"
    );
    assert!(read("chain: [topics, pii-vault, cache], answers: [cache, topics, pii-vault]").is_ok());
}

#[test]
fn an_anchor_stands_for_its_value() {
    let config = parse(&with(
        "policies: {chain: [{id: a, component: a.wasm, limits: &l {memory: 2MiB}}, {id: b, component: b.wasm, limits: *l}]}\n",
    ))
    .unwrap();
    assert_eq!(config.stages[0].limits, config.stages[1].limits);
}

#[test]
fn addresses_are_made_alike() {
    for (given, used) in [
        ("https://api.cerebras.ai/v1/", "https://api.cerebras.ai/v1"),
        ("https://api.cerebras.ai", "https://api.cerebras.ai/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:9100/v1", "http://127.0.0.1:9100/v1"),
        ("http://127.0.0.1:9100", "http://127.0.0.1:9100/"),
    ] {
        let text = with(&format!(
            "providers: {{targets: [{{id: t, provider: cerebras, base_url: \"{given}\"}}]}}\n"
        ));
        assert_eq!(parse(&text).unwrap().targets[0].base_url.as_str(), used);
    }
}

#[test]
fn the_usual_key_goes_to_the_usual_address_alone() {
    let secret = |target: &str| {
        let text = with(&format!("providers: {{targets: [{{id: t, {target}}}]}}\n"));
        let keys = parse(&text).unwrap().targets.remove(0).keys;
        assert!(keys.len() < 2 && keys.iter().all(|key| key.weight == 1));
        keys.into_iter().next().map(|key| key.secret)
    };
    assert_eq!(
        secret("provider: 'cerebras:chat:org/m:1'"),
        Some(SecretRef::Env("CEREBRAS_API_KEY".to_owned()))
    );
    assert_eq!(
        secret("provider: cerebras, base_url: http://127.0.0.1:1/v1"),
        None
    );
    assert_eq!(
        secret("provider: vllm, base_url: http://127.0.0.1:1/v1"),
        None
    );
    assert_eq!(
        secret("provider: cerebras, secret_key_ref: {file: key}"),
        Some(SecretRef::File("/etc/witgate/key".into()))
    );
}

#[test]
fn a_vault_has_its_usual_places_unless_told_otherwise() {
    let read = |vault: &str| {
        let target = format!("{{id: t, provider: cerebras, secret_key_ref: {{vault: {vault}}}}}");
        let config = parse(&with(&format!("providers: {{targets: [{target}]}}\n"))).unwrap();
        match &config.targets[0].keys[0].secret {
            SecretRef::Vault(vault) => (**vault).clone(),
            other => panic!("{other:?}"),
        }
    };
    let usual = read(
        "{address: \"https://vault:8200/\", path: /team/cerebras/, field: key, auth: {kubernetes: {role: r}}}",
    );
    assert_eq!((&*usual.mount, &*usual.path), ("secret", "team/cerebras"));
    assert_eq!(usual.refresh, Duration::from_secs(300));
    let VaultAuth::Kubernetes {
        jwt_file, mount, ..
    } = &usual.server.auth
    else {
        panic!("{usual:?}")
    };
    assert_eq!(
        jwt_file,
        Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token")
    );
    assert_eq!(mount, "kubernetes");
    let told = read(
        "{address: \"https://vault:8200\", path: p, field: key, mount: kv/a, namespace: n, ca_file: ca.pem, timeout: 1s, refresh: 1h, auth: {token_ref: {file: token}}}",
    );
    assert_eq!(
        (&*told.mount, told.server.namespace.as_deref()),
        ("kv/a", Some("n"))
    );
    assert_eq!(
        told.server.ca_file.as_deref(),
        Some(Path::new("/etc/witgate/ca.pem"))
    );
    assert_eq!(
        told.server.auth,
        VaultAuth::Token(SecretRef::File("/etc/witgate/token".into()))
    );
}

#[test]
fn a_target_may_have_many_keys() {
    let target = |keys: &str| {
        with(&format!(
            "providers: {{targets: [{{id: t, provider: cerebras, {keys}}}]}}\n"
        ))
    };
    let config = parse(&target(
        "secret_key_refs: [{env: A}, {env: B, weight: 3}, {file: c}]",
    ))
    .unwrap();
    let weights: Vec<u32> = config.targets[0]
        .keys
        .iter()
        .map(|key| key.weight)
        .collect();
    assert_eq!(weights, [1, 3, 1]);
    let read =
        |reference: &SecretRef| reference.read_with(|name| (name == "B").then(|| "csk-b".into()));
    let usable = config.usable_targets(read).unwrap();
    assert_eq!(usable.targets[0].keys.len(), 1);
    assert_eq!(usable.warnings.len(), 2);
    assert!(
        usable.warnings[0].ends_with("A is not set; that key is left out"),
        "{:?}",
        usable.warnings
    );
    for (keys, why) in [
        ("secret_key_refs: []", "there is no key in it"),
        ("secret_key_refs: [{env: A}, {env: A}]", "named twice"),
        ("secret_key_refs: [{env: A, weight: 0}]", "weight"),
        (
            "secret_key_refs: [csk-secret]",
            "by reference, never as text",
        ),
        (
            "secret_key_refs: [{env: A}], secret_key_ref: {env: B}",
            "not both",
        ),
    ] {
        let error = parse(&target(keys)).unwrap_err().to_string();
        assert!(
            error.contains(why) && !error.contains("csk-secret"),
            "{keys}: {error}"
        );
    }
}

#[test]
fn routing_weights_and_breakers_have_names_and_bounds() {
    let parsed = |target: &str, more: &str| {
        parse(&with(&format!(
            "providers: {{targets: [{{id: t, provider: cerebras{target}}}]{more}}}\n"
        )))
    };
    let config = parsed("", "").unwrap();
    assert_eq!(config.strategy, Strategy::Ordered);
    assert_eq!(config.targets[0].weight, 1);
    assert_eq!(config.targets[0].breaker, BreakerConfig::default());
    for (word, strategy) in [
        ("ordered", Strategy::Ordered),
        ("weighted", Strategy::Weighted),
        ("round-robin", Strategy::RoundRobin),
        ("lowest-latency", Strategy::LowestLatency),
        ("adaptive", Strategy::Adaptive),
    ] {
        let routing = format!(", routing: {{strategy: {word}}}");
        assert_eq!(parsed("", &routing).unwrap().strategy, strategy);
        assert_eq!(strategy.to_string(), word);
    }
    let breaker = ", weight: 7, breaker: {failures: 0, rate: 10, rest: 1s}";
    let target = parsed(breaker, "").unwrap().targets.remove(0);
    let BreakerConfig {
        failures,
        rate,
        rest,
    } = target.breaker;
    assert_eq!((target.weight, failures, rate), (7, 0, 10));
    assert_eq!(rest, Duration::from_secs(1));
    for (target, more, why) in [
        (", weight: 0", "", "weight"),
        (", weight: 1001", "", "weight"),
        (", breaker: {rate: 101}", "", "rate"),
        (", breaker: {rest: 1h}", "", "rest"),
        (", breaker: {often: 1}", "", "often"),
        ("", ", routing: {strategy: round_robin}", "round-robin"),
        (
            "",
            ", routing: {strategy: random}",
            "unknown value `random`",
        ),
    ] {
        let error = parsed(target, more).unwrap_err().to_string();
        assert!(error.contains(why), "{target}{more}: {error}");
    }
}

fn target(more: &str) -> Result<TargetConfig, ConfigError> {
    let text = format!("providers: {{targets: [{{id: t, provider: cerebras{more}}}]}}\n");
    parse(&with(&text)).map(|mut config| config.targets.remove(0))
}

#[test]
fn what_is_declared_of_data_is_read_in_each_of_its_forms() {
    let declared = |more: &str| {
        let it = target(more).unwrap().data_policy;
        (it.retention_days, it.trains, it.region)
    };
    let eu = Some("eu".to_owned());
    for (more, expected) in [
        ("", (None, None, None)),
        (", data_policy: {}", (None, None, None)),
        (
            ", data_policy: {retention_days: 30, training_opt_out: true, region: eu}",
            (Some(30), Some(false), eu),
        ),
        (
            ", data_policy: {zero_data_retention: true, training_opt_out: false}",
            (Some(0), Some(true), None),
        ),
        // That something is kept doesn't say for how long.
        (
            ", data_policy: {zero_data_retention: false}",
            (None, None, None),
        ),
        (
            ", data_policy: {zero_data_retention: false, retention_days: 7}",
            (Some(7), None, None),
        ),
        (
            ", zdr: true, data_collection: deny",
            (Some(0), Some(false), None),
        ),
        (
            ", zdr: false, data_collection: allow",
            (None, Some(true), None),
        ),
        (
            ", zdr: true, data_policy: {zero_data_retention: true, retention_days: 0}",
            (Some(0), None, None),
        ),
    ] {
        assert_eq!(declared(more), expected, "{more}");
    }
}

#[test]
fn a_health_check_has_bounds_and_needs_a_key() {
    assert_eq!(target("").unwrap().health_check, None);
    let standard = HealthCheckConfig::default();
    assert_eq!(
        target(", health_check: {}").unwrap().health_check,
        Some(standard)
    );
    let given = target(", health_check: {every: 1m, timeout: 1s}").unwrap();
    let expected = HealthCheckConfig {
        every: Duration::from_secs(60),
        timeout: Duration::from_secs(1),
    };
    assert_eq!(given.health_check, Some(expected));
    assert!(target(", base_url: \"http://x\", health_check: {}").is_err());
    let keyed = ", base_url: \"http://x\", secret_key_ref: {env: A}, health_check: {}";
    assert!(target(keyed).unwrap().health_check.is_some());
}

#[test]
fn hedging_is_off_and_has_bounds() {
    let hedging = |text: &str| {
        let text = format!("providers: {{targets: [{{id: t, provider: cerebras}}]{text}}}\n");
        parse(&with(&text)).map(|config| config.hedging)
    };
    assert_eq!(hedging("").unwrap(), None);
    let standard = HedgingConfig::default();
    assert_eq!(hedging(", hedging: {}").unwrap(), Some(standard));
    let given = hedging(", hedging: {percentile: 99, floor: 1s}").unwrap();
    let expected = HedgingConfig {
        percentile: 99,
        floor: Duration::from_secs(1),
    };
    assert_eq!(given, Some(expected));
}

#[test]
fn retries_have_bounds() {
    let retries = |text: &str| {
        let text = with(&format!(
            "providers: {{targets: [{{id: t, provider: cerebras}}], retries: {{{text}}}}}\n"
        ));
        parse(&text).map(|config| config.retries)
    };
    assert_eq!(retries("").unwrap(), RetriesConfig::default());
    let given = retries("attempts: 3, within: 2s, budget: 0").unwrap();
    assert_eq!(
        (given.attempts, given.within, given.budget),
        (3, Duration::from_secs(2), 0)
    );
    for bad in [
        "attempts: 0",
        "attempts: 11",
        "within: 0s",
        "within: 1h",
        "budget: 101",
        "often: 1",
    ] {
        let error = retries(bad).unwrap_err().to_string();
        assert!(error.contains("retries"), "{bad}: {error}");
    }
}

#[test]
fn a_target_without_its_key_is_left_out() {
    let config = parse(include_str!("testdata/latency-optimized.yaml")).unwrap();
    let env = |set: &'static str| {
        move |reference: &SecretRef| {
            reference.read_with(|name| (name == set).then(|| "csk-topsecret".into()))
        }
    };
    let usable = config.usable_targets(env("OPENAI_API_KEY")).unwrap();
    assert_eq!(usable.targets.len(), 1);
    assert_eq!(usable.targets[0].config.id, "openai-fallback");
    assert_eq!(
        usable.warnings,
        [
            "target `cerebras-fast`: the environment variable CEREBRAS_API_KEY is not set; it is left out"
        ]
    );
    assert!(!format!("{usable:?}").contains("topsecret"));

    let error = config
        .usable_targets(env("NEITHER"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("CEREBRAS_API_KEY") && error.contains("OPENAI_API_KEY"),
        "{error}"
    );
    let none = parse(&with("")).unwrap();
    assert_eq!(
        none.usable_targets(env("X")).unwrap_err(),
        NoUsableTarget::NoneConfigured
    );
}

/// The documentation's example of everything.
fn documented() -> &'static str {
    let text = include_str!("../../../../docs/configuration.md");
    let (_, block) = text.split_once("```yaml\n").unwrap();
    block.split_once("```").unwrap().0
}

#[test]
fn the_documented_example_says_the_defaults() {
    let config = parse(documented()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.stages[1].limits, Limits::default());
    assert_eq!(config.targets[0].timeouts, Timeouts::default());
}

#[test]
fn whatever_is_refused_is_refused_with_a_reason_and_a_place() {
    let text = documented();
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut refused = 0;
    let mut start = 0;
    while let Some(offset) = text[start..].find(part) {
        let from = start + offset;
        let to = from + text[from..].find(|c| !part(c)).unwrap_or(text.len() - from);
        for other in [
            "", "~", "[]", "{}", "1", "-1.5", "true", "x", "*a", "!t x", "'",
        ] {
            let changed = format!("{}{other}{}", &text[..from], &text[to..]);
            let Err(error) = parse(&changed) else {
                continue;
            };
            refused += 1;
            assert!(!error.problems().is_empty(), "{error}\n{changed}");
            for problem in error.problems() {
                assert!(
                    problem.at.line > 0 && problem.at.column > 0,
                    "{error}\n{changed}"
                );
                assert!(!problem.message.is_empty(), "{error}\n{changed}");
            }
        }
        start = to;
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn paths_count_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    let parts =
        "policies: {chain: [{id: a, component: p/a.wasm}]}\njournal: {store: \"sqlite:j.db\"}\n";
    std::fs::write(&path, with(parts)).unwrap();
    let config = Config::load(&path).unwrap();
    let component = ComponentSource::File(folder.path().join("p/a.wasm"));
    assert_eq!(config.stages[0].component, component);
    assert_eq!(config.journal.path(), Some(&*folder.path().join("j.db")));
}

#[test]
fn a_journal_that_moves_needs_a_restart() {
    let old = parse(&with("")).unwrap();
    let new = parse(&with(
        "journal: {store: 'sqlite:journal.db', retention_days: 3}\n",
    ))
    .unwrap();
    assert_eq!(
        new.journal.path(),
        Some(Path::new("/etc/witgate/journal.db"))
    );
    assert!(Config::changes_needing_restart(&old, &old).is_empty());
    assert!(Config::changes_needing_restart(&new, &new).is_empty());
    assert_eq!(
        Config::changes_needing_restart(&old, &new),
        [
            "journal.store changed from the default to `sqlite:/etc/witgate/journal.db`; restart witgate to move the journal"
        ]
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("latin1.yaml"), b"pack:\n  name: caf\xe9\n").unwrap();
    std::fs::write(at("large.yaml"), vec![b'#'; LARGEST + 1]).unwrap();
    std::fs::write(at("good.yaml"), EMBEDDED).unwrap();
    let said = |name: &str| {
        let error = Config::load(&at(name)).unwrap_err().to_string();
        error.replace(&at(name).display().to_string(), name)
    };
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("file_missing", said("none.yaml"));
        insta::assert_snapshot!("file_not_utf8", said("latin1.yaml"));
        insta::assert_snapshot!("file_too_large", said("large.yaml"));
    });
    let error = Config::load(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("this is a folder; give the path of the file in it"),
        "{error}"
    );
    // A file where a folder is expected can't be opened, even by a user who may read everything.
    let error = Config::load(&at("good.yaml").join("x")).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    Config::load(&at("good.yaml")).unwrap();
}

/// The sentence for each bad input, in a snapshot of its own. What is secret in an input is called hunter2.
macro_rules! refused {
    ($($name:ident: $text:expr,)+) => {$(
        #[test]
        fn $name() {
            let text: String = $text.into();
            let error = parse(&text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "a secret is repeated");
            insta::with_settings!({ description => text, omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(stringify!($name), error);
            });
        }
    )+};
}

#[test]
fn instances_are_reused_where_the_entry_says_so_by_its_rules() {
    let read = |isolation: &str| {
        let entry = format!("{{id: a, component: a.wasm{isolation}}}");
        let config = parse(&with(&format!("policies: {{chain: [{entry}]}}\n")));
        config.unwrap().stages[0].isolation
    };
    assert_eq!(read(""), Isolation::Exchange);
    assert_eq!(read(", isolation: exchange"), Isolation::Exchange);
    assert_eq!(
        read(", isolation: reused"),
        Isolation::Reused(Reuse::default())
    );
    let rules = Reuse {
        exchanges: 10,
        age: Duration::from_secs(5),
        ..Reuse::default()
    };
    assert_eq!(
        read(", isolation: {reused: {exchanges: 10, age: 5s}}"),
        Isolation::Reused(rules)
    );
}

refused! {
    empty: "# nothing but words\n",
    not_yaml: "pack: {name: test\npolicies: [",
    bad_indentation: "pack:\n  name: a\n version: 1.0.0\n",
    two_documents: format!("{}---\npack: 1\n", with("")),
    not_a_mapping: "- pack\n",
    missing_sections: "providers: {targets: [{id: a, provider: cerebras}]}\n",
    missing_keys_of_pack: with("pack: {}\n"),
    pack_without_value: with("pack:\n"),
    pack_switched_off: with("pack: {name: a, version: 1.0.0, enabled: false}\n"),
    version_is_a_number: with("pack: {name: a, version: 1.0, enabled: true}\n"),
    version_is_not_semantic: with("pack: {name: a, version: v1, enabled: true}\n"),
    enabled_is_a_text: with("pack: {name: a, version: 1.0.0, enabled: \"yes\"}\n"),
    name_too_long: with(&format!("pack: {{name: {}, version: 1.0.0, enabled: true}}\n", "x".repeat(201))),
    duplicate_key: with("policy: {}\npolicy: {}\n"),
    duplicate_key_in_settings: with("policy:\n  prompt-injection:\n    words: [a]\n    words: [b]\n"),
    merge_key: with("policies:\n  chain:\n    - &a {id: a, component: a.wasm}\n    - {<<: *a, id: b}\n"),
    tag: with("policy: {prompt-injection: {a: !secret b}}\n"),
    number_too_large: with("policy: {prompt-injection: {a: .inf}}\n"),
    key_that_is_a_list: with("policy: {prompt-injection: {[a]: b}}\n"),
    unknown_section: with("polices: {chain: []}\n"),
    unknown_key_of_stage: "pack: {name: a, version: 1.0.0, enabled: true}\npolicies:\n  chain:\n    - prompt-injection\n    - id: tone\n      compnent: a.wasm\n",
    unknown_key_without_a_near_one: with("policies: {chain: [{id: pii-detector, priority: 1}]}\n"),
    sections_of_other_gateways: with("policies: {chain: []}\nglobal_rate_limit: {max_requests: 5, window_seconds: 60}\nip_rate_limit: {}\nconsumer_groups: []\nagents: []\nsize_limits: {}\n"),
    unknown_bundled: with("policies: {chain: [promt-injection]}\n"),
    unknown_bundled_by_prefix: with("policies: {chain: [{id: a, component: \"bundled:pii\"}]}\n"),
    entry_is_a_number: with("policies: {chain: [1]}\n"),
    chain_is_a_mapping: with("policies: {chain: {a: b}}\n"),
    stage_without_component: with("policies: {chain: [{id: tone}]}\n"),
    stage_without_id: with("policies: {chain: [{component: a.wasm}]}\n"),
    stage_id_malformed: with("policies: {chain: [{id: My Policy, component: a.wasm}]}\n"),
    duplicate_stage: with("policies:\n  chain:\n    - pii-detector\n    - {id: pii-detector, on_error: skip}\n"),
    component_from_a_registry: with("policies: {chain: [{id: a, component: \"oci://ghcr.io/a/b:1\"}]}\n"),
    digest_malformed: with("policies: {chain: [{id: a, component: a.wasm, digest: sha256:1234}]}\n"),
    on_error_unknown: with("policies: {chain: [{id: a, component: a.wasm, on_error: skp}]}\n"),
    breaker_unknown: with("policies: {chain: [{id: pii-detector, breaker: on}]}\n"),
    breaker_not_by_name: with("policies: {chain: [{id: pii-detector, on_error: skip, breaker: deny}]}\n"),
    reload_wrong: with("reload: {drain: 10ms, probation: yes, keep: 3}\n"),
    requests_wrong: with("requests: {opaque_parts: refused, parts: 1}\n"),
    models_wrong: with("providers: {targets: [{id: a, provider: \"x:chat:pinned\", base_url: \"http://x/v1\"}, {id: b, provider: cerebras}]}\nmodels:\n  alias: {}\n  aliases:\n    a: b\n    b: c\n    d: d\n    e: x/b\n    f: cerebras/b\n    g: 1\n    h: \"\"\n    pinned: c\n    \"i\\n\": c\n"),
    alias_of_nothing: with("providers: {targets: [{id: a, provider: \"cerebras:chat:llama-3.3-70b\"}]}\nmodels: {aliases: {a: llama3.3-70b, b: cerebras/llama-3.3-70b}}\n"),
    mode_unknown: with("policies: {chain: [{id: a, component: a.wasm, mode: shadwo}]}\n"),
    isolation_unknown: with("policies: {chain: [{id: a, component: a.wasm, isolation: exchagne}]}\n"),
    grant_http_without_hosts: with("policies: {chain: [{id: a, component: a.wasm, grants: [journal, http]}]}\n"),
    grant_http_wrong: with("policies: {chain: [{id: a, component: a.wasm, grants: [{http: {hosts: [{url: 'https://me:pw@a.example'}, {url: 'https://a.example', secret_header: x-key}, \
                           {url: 'https://b.example', secret_key_ref: key, private: maybe}, {url: 'ftp://c.example'}], timeout: 1h, max_reply: 1GiB, calls: 0}}, {http: {}}, {http: [a]}]}]}\n"),
    grant_unknown_and_twice: with("policies: {chain: [{id: a, component: a.wasm, grants: [journal, jornal, journal]}]}\n"),
    limits_wrong: with("policies:\n  chain:\n    - id: a\n      component: a.wasm\n      limits: {memory: 64MB, request_cpu: 50, delta_cpu: 0ms, call_time: 2h, held_text: 1GiB, held_time: [1s], exchange: 1s}\n"),
    answers_incomplete: with("policies: {chain: [prompt-injection, pii-detector, audit-logger], answers: [pii-detector]}\n"),
    answers_unknown: with("policies: {chain: [prompt-injection, pii-detector], answers: [pii-detectr, prompt-injection, prompt-injection]}\n"),
    headers_wrong: with("policies: {chain: [], headers: [User-Agent, Authorization, x-api-key, \"x team\", user-agent, [a], x-team]}\n"),
    headers_too_many: with(&format!("policies: {{chain: [], headers: [{}]}}\n", "a, ".repeat(33))),
    settings_without_stage: with("policy: {prompt_injection: {a: 1}}\n"),
    settings_are_a_list: with("policy: {prompt-injection: [a]}\n"),
    reference_in_a_value: with("policy: {prompt-injection: {deep: [a, \"x ${SECRET:-hunter2} y\"]}}\n"),
    reference_in_an_address: with("providers: {targets: [{id: a, provider: cerebras, base_url: \"${BASE}/v1\"}]}\n"),
    inline_secret_key: with("providers: {targets: [{id: a, provider: cerebras, secret_key: sk-hunter2}]}\n"),
    inline_api_key: with("providers: {targets: [{id: a, provider: cerebras, api_key: sk-hunter2}]}\n"),
    inline_reference: with("providers: {targets: [{id: a, provider: cerebras, secret_key_ref: sk-hunter2}]}\n"),
    inline_in_env: with("providers: {targets: [{id: a, provider: cerebras, secret_key_ref: {env: sk-hunter2}}]}\n"),
    reference_to_a_store: with("providers: {targets: [{id: a, provider: cerebras, secret_key_ref: {store: NAME}}]}\n"),
    vault_wrong: with("providers: {targets: [\n  {id: a, provider: cerebras, secret_key_ref: {vault: {}}},\n  {id: b, provider: cerebras, secret_key_ref: {vault: {address: \"https://me:hunter2@x\", path: a/../b, field: k, auth: {token_ref: s.hunter2}}}},\n  {id: c, provider: cerebras, secret_key_ref: {vault: {address: \"http://x\", path: \"a?b\", field: k, auth: {token_ref: {vault: {address: \"http://x\", path: a, field: k, auth: {kubernetes: {role: r}}}}}}}},\n  {id: d, provider: cerebras, secret_key_ref: {vault: {address: \"http://x\", path: a, field: k, ca_file: ca.pem, refresh: 1ms, auth: {kubernetes: {}}}}},\n  {id: e, provider: cerebras, secret_key_ref: {vault: {address: \"http://x\", path: a, field: k, auth: {}, mout: kv}}}]}\n"),
    reference_to_both: with("providers: {targets: [{id: a, provider: cerebras, secret_key_ref: {env: A, file: b}}]}\n"),
    targets_empty: with("providers: {targets: []}\n"),
    target_keys_missing: with("providers: {targets: [{}]}\n"),
    duplicate_target: with("providers: {targets: [{id: a, provider: cerebras}, {id: a, provider: openai}]}\n"),
    provider_unknown: with("providers: {targets: [{id: a, provider: cerebra}]}\n"),
    provider_malformed: with("providers: {targets: [{id: a, provider: \"cerebras:llama3.1-8b\"}]}\n"),
    model_said_twice: with("providers: {targets: [{id: a, provider: \"cerebras:chat:b\", model: c}]}\n"),
    address_not_http: with("providers: {targets: [{id: a, provider: x, base_url: \"ftp://x/v1\"}]}\n"),
    address_malformed: with("providers: {targets: [{id: a, provider: x, base_url: api.cerebras.ai}]}\n"),
    address_with_password: with("providers: {targets: [{id: a, provider: x, base_url: \"https://me:hunter2@x/v1\"}]}\n"),
    address_with_query: with("providers: {targets: [{id: a, provider: x, base_url: \"https://x/v1?key=hunter2\"}]}\n"),
    parameters_unknown: with("providers: {targets: [{id: a, provider: cerebras, parameters: stripp}]}\n"),
    parameters_not_a_word: with("providers: {targets: [{id: a, provider: cerebras, parameters: true}]}\n"),
    timeouts_wrong: with("providers: {targets: [{id: a, provider: cerebras, timeouts: {conect: 5s, first_byte: 2d, silence: 0s}}]}\n"),
    health_check_wrong: with("providers:\n  targets:\n    - {id: a, provider: cerebras, health_check: {every: 1ms, timout: 5s}}\n    - {id: b, provider: vllm, base_url: \"http://x\", health_check: {every: 1m}}\n"),
    data_policy_wrong: with("providers:\n  targets:\n    - {id: a, provider: cerebras, zdr: true, data_policy: {retention_days: 7}}\n    - {id: b, provider: cerebras, zdr: true, data_policy: {zero_data_retention: false}}\n    - {id: c, provider: cerebras, data_collection: allow, data_policy: {training_opt_out: true}}\n    - {id: d, provider: cerebras, data_collection: never, zdr: no data, data_policy: {retention_days: 40000, region: Frankfurt am Main, trains: false}}\n    - {id: e, provider: cerebras, data_policy: {zero_data_retention: false, retention_days: 0}}\n"),
    hedging_wrong: with("providers: {targets: [{id: a, provider: cerebras}], hedging: {percentile: 100, flor: 0s, floor: 2m}}\n"),
    tls_wrong: with("providers:\n  targets:\n    - {id: a, provider: x, base_url: \"http://x\", tls: {ca: ca.pem}}\n    - {id: b, provider: x, base_url: \"https://x\", tls: {cert: cert.pem}, http2: maybe}\n    - {id: c, provider: x, base_url: \"https://x\", tls: {certs: cert.pem}}\n"),
    pricing_wrong: with("pricing:\n  models:\n    a: {input: 0.85, output: 1.20}\n    b: {input: -1, cached_input: 0.0000001, output: free}\n    c: {inputs: 1, output: 1}\n    d: 3\n"),
    clients_empty: with("clients: {keys: []}\n"),
    clients_wrong: with("clients:\n  keys:\n    - {id: a, secret_ref: {env: A}}\n    - {id: a, secret_ref: {env: B}}\n    - {id: c, secret_ref: {env: A}}\n    - {id: d, secret: hunter2}\n    - {id: e, secret_ref: hunter2}\n"),
    clients_more_wrong: with("clients:\n  keys:\n    - {id: a, hash: hunter2}\n    - {id: b, hash: \"sha256:00\", secret_ref: {env: B}}\n    - {id: c, secret_ref: {env: C}, team: \" c\", roles: [r, r, 1], models: llama, expires: tomorrow, enabled: maybe}\n    - {id: d}\n"),
    admin_empty: with("admin: {tokens: []}\n"),
    admin_wrong: with("admin:\n  tokens:\n    - {id: a, secret_ref: {env: A}, role: viewer}\n    - {id: a, secret_ref: {env: B}, role: admin}\n    - {id: c, secret_ref: {env: A}, role: viewer, expires: soon}\n    - {id: d, hash: hunter2, role: viewer}\n    - {id: e, hash: \"sha256:00\", secret_ref: {env: E}, role: viewer}\n    - {id: f, token: hunter2}\n  listen: \"0.0.0.0:1\"\n"),
    jwt_wrong: with("clients: {jwt: {issuer: me, audience: [], algorithms: [none], claims: {user: sub}}}\n"),
    jwt_mixed: with("clients: {jwt: {issuer: \"https://id.example\", audience: a, algorithms: [RS256, HS256], jwks_url: \"http://id.example/keys\", leeway: 1h, refresh: 1}}\n"),
    jwt_both: with("clients: {jwt: {issuer: \"https://id.example\", audience: a, algorithms: [RS255], jwks_url: \"https://a:hunter2@id.example/keys\", jwks_file: keys.json, key: x}}\n"),
    journal_elsewhere: with("journal: {store: \"postgres://x/y\"}\n"),
    journal_in_memory: with("journal: {store: \"sqlite::memory:\"}\n"),
    state_values: with("state: {store: 'redis://x', retention: 1}\n"),
    isolation_wrong: with("policies: {chain: [{id: a, component: a.wasm, isolation: {reused: {exchanges: 0, age: 2h, memory_growth: 1B, often: true}}}, {id: b, component: b.wasm, isolation: {exchange: {}}}]}\n"),
    journal_values: with("journal: {store: /var/journal.db, immutable: 1, retention_days: 0}\n"),
    journal_told_twice: with("policies: {chain: [audit-logger]}\njournal: {retention_days: 30}\npolicy: {audit-logger: {retention_days: 365}}\n"),
    audit_logger_values: with("policies: {chain: [audit-logger]}\npolicy: {audit-logger: {immutable: \"yes\"}}\n"),
    many_at_once: "pack: {name: a, version: 1.0.0, enable: true}\npolicies:\n  chain:\n    - id: a\n      component: a.wasm\n      on_error: explode\n      grants: journal\nproviders:\n  target: []\n",
}

#[test]
fn no_more_problems_are_told_than_anyone_reads() {
    let keys: String = (0..20_000).map(|key| format!("k{key}: 1\n")).collect();
    let error = parse(&with(&keys)).unwrap_err();
    assert_eq!(error.problems().len(), fields::MOST_PROBLEMS);
    assert_eq!(error.problems()[0].at, Position { line: 3, column: 1 });
    // Of so large a text only some are looked for; the others are told without a position.
    let located = |problem: &&Problem| problem.at != Position::default();
    let found = error.problems().iter().filter(located).count();
    assert_eq!(found, LARGEST / with(&keys).len());
    let last = error.to_string();
    let last = last.lines().next_back().unwrap();
    assert!(
        last.starts_with("policy-config.yaml: unknown key"),
        "{last}"
    );
}

#[test]
fn lists_have_a_bound() {
    let clients: String = (0..4097)
        .map(|client| format!("{{id: c{client}, secret_ref: {{env: C{client}}}}}, "))
        .collect();
    let targets = "{id: a, provider: cerebras}, ".repeat(257);
    let stages = "pii-detector, ".repeat(65);
    let aliases: String = (0..1025).map(|alias| format!("a{alias}: b, ")).collect();
    for (text, most) in [
        (with(&format!("clients: {{keys: [{clients}]}}\n")), 4096),
        (with(&format!("providers: {{targets: [{targets}]}}\n")), 256),
        (with(&format!("policies: {{chain: [{stages}]}}\n")), 64),
        (with(&format!("models: {{aliases: {{{aliases}}}}}\n")), 1024),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        let said = format!("expected at most {most} entries, found {}", most + 1);
        assert!(error.contains(&said), "{error:.300}");
    }
}

#[test]
fn aliases_are_read_as_they_are_written() {
    let text = "models: {aliases: {llama3.3-70b: llama-3.3-70b, gpt: cerebras/gpt-oss-120b}}\n";
    let aliases = parse(&with(text)).unwrap().models.aliases;
    let read: Vec<_> = aliases.iter().map(|(a, m)| (&**a, &**m)).collect();
    let expected = [
        ("gpt", "cerebras/gpt-oss-120b"),
        ("llama3.3-70b", "llama-3.3-70b"),
    ];
    assert_eq!(read, expected);
    for none in ["", "models:\n", "models: {}\n", "models: {aliases: {}}\n"] {
        assert!(parse(&with(none)).unwrap().models.aliases.is_empty());
    }
}

#[test]
fn cerebras_gets_what_it_takes_unless_a_target_says_otherwise() {
    use Parameters::{Pass, Strict, Strip};
    for (target, expected) in [
        ("provider: cerebras", Strip),
        ("provider: cerebras:chat:m", Strip),
        ("provider: cerebras, parameters: pass", Pass),
        ("provider: cerebras, parameters: strict", Strict),
        ("provider: openai", Pass),
        ("provider: vllm, base_url: \"http://x/v1\"", Pass),
        (
            "provider: mine, base_url: \"http://x/v1\", parameters: strip",
            Strip,
        ),
    ] {
        let text = with(&format!("providers: {{targets: [{{id: a, {target}}}]}}\n"));
        assert_eq!(
            parse(&text).unwrap().targets[0].parameters,
            expected,
            "{target}"
        );
    }
    let mut config = parse(&with("")).unwrap();
    config.stand_in(&url::Url::parse("http://127.0.0.1:1/v1").unwrap());
    assert_eq!(config.targets[0].parameters, Strip);
}

#[test]
fn the_authors_guide_has_a_whole_configuration() {
    let guide = include_str!("../../../../docs/policies.md");
    let (_, rest) = guide.split_once("```yaml\npack:").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let text = format!("pack:{text}");
    let config = Config::parse(&text, "the guide", Path::new(".")).unwrap();
    assert_eq!(config.stages.len(), 1);
    assert_eq!(config.targets.len(), 1);
}
