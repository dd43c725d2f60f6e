//! `docs/policy-config.schema.json` says what this crate reads: a test compares them, in every mapping that a configuration with everything in it
//! has. Whoever adds a key here is told where to add it there.

use super::fields::recorded;
use super::tree::Step;
use super::{Config, EMBEDDED, mismatches};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const SCHEMA: &str = include_str!("../../../../docs/policy-config.schema.json");

/// Every mapping that there can be. What can't stand together stands in another target.
const EVERYTHING: &str = r#"
pack: {name: all, version: 1.0.0, enabled: true}
policies:
  chain:
    - secrets
    - id: tone
      component: ./tone.wasm
      on_error: skip
      breaker: skip
      mode: shadow
      isolation: {reused: {exchanges: 5, age: 5s, memory_growth: 1MiB}}
      limits: {memory: 64MiB, held_time: 1s}
      grants:
        - kv
        - http:
            hosts: [{url: "https://api.example.com", private: true, secret_key_ref: {env: API}, secret_header: x-key}]
            timeout: 2s
            max_request: 1MiB
            max_reply: 1MiB
            calls: 4
            at_once: 4
    - {id: low, component: ./low.wasm, isolation: reused}
  answers: [low, tone, secrets]
  headers: [x-team]
policy: {tone: {limit: 3}}
providers:
  targets:
    - id: a
      provider: cerebras
      secret_key_ref: {env: A}
      breaker: {failures: 5, rate: 50, rest: 5s}
      health_check: {every: 30s, timeout: 5s}
      data_policy: {zero_data_retention: true, training_opt_out: true, retention_days: 0, region: eu}
      data_collection: deny
      timeouts: {connect: 5s, first_byte: 60s, first_token: 60s, silence: 60s, total: 1h}
      unknown_members: drop
      parameters: strict
      tls: {ca: ./ca.pem, cert: ./cert.pem, key: ./key.pem}
    - {id: b, provider: cerebras, secret_key_refs: [{file: ./key, weight: 2}, {exec: {command: [pass, b]}}]}
    - id: c
      provider: cerebras
      secret_key_ref: {vault: {address: "https://vault:8200", path: a, field: b, auth: {token_ref: {env: T}}}}
    - id: d
      provider: cerebras
      secret_key_refs: [{vault: {address: "https://vault:8200", path: a, field: b, auth: {kubernetes: {role: r}}}}, {exec: {command: [p]}}]
    - {id: e, provider: cerebras, secret_key_ref: {exec: {command: [pass, e], timeout: 5s, cache: 5m}}}
    - id: f
      provider: cerebras
      secret_key_ref: {vault: {address: "https://vault:8200", path: a, field: b, auth: {kubernetes: {role: r}}}}
  routing: {strategy: adaptive}
  retries: {attempts: 2, within: 5s, budget: 20}
  hedging: {percentile: 95, floor: 100ms}
clients:
  keys:
    - {id: ann, secret_ref: {env: ANN}, team: blue, roles: [writer], models: ["llama*"], expires: 2027-01-01, enabled: true}
  jwt:
    issuer: https://id.example.com
    audience: witgate
    algorithms: [RS256]
    jwks_url: https://id.example.com/keys
    ca_file: ./ca.pem
    leeway: 30s
    refresh: 10m
    refetch: 10s
    claims: {principal: sub, team: team, roles: roles}
  metrics: {principals: 1000, teams: 64, roles: 0}
admin: {tokens: [{id: ops, secret_ref: {env: OPS}, role: operator, expires: 2027-01-01}]}
journal: {store: "sqlite:/tmp/journal.db"}
state: {store: "sqlite:/tmp/state.db"}
reload: {drain: 10m}
requests: {opaque_parts: pass}
models: {aliases: {fast: gpt-oss-120b}}
pricing: {models: {gpt-oss-120b: {input: 1, output: 2}}}
testing: {suites: []}
"#;

/// What this schema comes to: behind references, and each of its alternatives.
fn alternatives<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.trim_start_matches('#'));
        return alternatives(root, target.expect("it refers to something"));
    }
    match schema["anyOf"].as_array() {
        Some(all) => all.iter().flat_map(|it| alternatives(root, it)).collect(),
        None => vec![schema],
    }
}

/// The schemas of what stands there.
fn at<'s>(root: &'s Value, steps: &[Step]) -> Vec<&'s Value> {
    let mut here = alternatives(root, root);
    for step in steps {
        let below = here.iter().filter_map(|schema| match step {
            Step::Key(key, _) => schema["properties"].get(key).or_else(|| {
                schema
                    .get("additionalProperties")
                    .filter(|it| it.is_object())
            }),
            Step::Index(_) => schema.get("items"),
        });
        here = below
            .flat_map(|schema| alternatives(root, schema))
            .collect();
    }
    here
}

/// Every mapping below, by the address of its schema.
fn mappings<'s>(schema: &'s Value, into: &mut Vec<&'s Value>) {
    if schema["properties"].is_object() {
        into.push(schema);
    }
    match schema {
        Value::Object(entries) => entries.values().for_each(|it| mappings(it, into)),
        Value::Array(items) => items.iter().for_each(|it| mappings(it, into)),
        _ => {}
    }
}

#[test]
fn the_published_schema_says_what_is_read() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("it is JSON");
    let config = recorded(|| Config::parse(EVERYTHING, "everything", Path::new("/")));
    let (config, read) = config;
    config.expect("everything goes together");
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for (place, keys, words) in &read {
        let here = at(&schema, &place.steps);
        let own = |schema: &&Value| match words {
            true => schema["enum"].as_array().cloned(),
            false => {
                let keys = schema["properties"].as_object();
                keys.map(|keys| keys.keys().map(|key| Value::from(key.as_str())).collect())
            }
        };
        let said: Vec<Value> = here.iter().filter_map(own).flatten().collect();
        let said: BTreeSet<&str> = said.iter().filter_map(Value::as_str).collect();
        let taken: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        for key in taken.difference(&said) {
            wrong.push(format!(
                "{place}: `{key}` is taken, and the schema hasn't it"
            ));
        }
        for key in said.difference(&taken) {
            wrong.push(format!(
                "{place}: the schema has `{key}`, which isn't taken"
            ));
        }
        seen.extend(here.iter().map(|it| std::ptr::from_ref(*it)));
    }
    let mut all = Vec::new();
    mappings(&schema, &mut all);
    for mapping in all {
        if !seen.contains(&std::ptr::from_ref(mapping)) {
            wrong.push(format!("nothing in the test's text stands for {mapping}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/policy-config.schema.json:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_is_shipped_fits_the_published_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("it is JSON");
    for text in [EMBEDDED, EVERYTHING] {
        let value: Value = serde_yaml::from_str(text).expect("it is YAML");
        assert_eq!(mismatches(&schema, &value), []);
    }
}
