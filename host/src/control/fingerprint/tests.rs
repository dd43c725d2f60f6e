#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;

use super::*;
use crate::config::{
    AdminRole, ClientKey, Grant, JwksSource, JwtConfig, Mode, OnError, Parameters, UnknownMembers,
};

const TEXT: &str = "
pack: {name: test, version: 1.0.0, enabled: true}
policies:
  chain:
    - {id: one, component: ./one.wasm, grants: [{http: {hosts: [{url: \"https://127.0.0.1:1\", secret_key_ref: {file: ./asked}}]}}]}
    - {id: two, component: ./two.wasm}
providers:
  targets: [{id: first, provider: cerebras, base_url: \"https://127.0.0.1:1/v1\", secret_key_ref: {file: ./key}}]
clients:
  keys: [{id: team, secret_ref: {file: ./client}}]
  jwt: {issuer: \"https://id.example\", audience: witgate, jwks_url: \"https://id.example/keys\"}
admin: {tokens: [{id: ops, secret_ref: {file: ./ops}, role: viewer}]}
";

/// A folder with everything that the configuration names.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Files(tempfile::tempdir().unwrap());
        for name in ["one.wasm", "two.wasm", "three.wasm"] {
            files.write(name, "a component");
        }
        files.write("key", "key-of-the-target");
        files.write("client", "key-of-the-client");
        files.write("asked", "key-of-who-is-asked");
        files.write("ops", "token-of-the-operators");
        files.write("other", "another-key");
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn config(&self) -> Config {
        Config::parse(TEXT, "test", self.0.path()).unwrap()
    }

    fn fingerprint(&self) -> Fingerprint {
        fingerprint(self.config())
    }
}

fn fingerprint(config: Config) -> Fingerprint {
    Fingerprint::of(&BuildInputs::read(config).unwrap())
}

type Change = (&'static str, fn(&mut Config));

const SECOND: Duration = Duration::from_secs(1);

fn jwt(config: &mut Config, change: fn(&mut JwtConfig)) {
    change(config.jwt.as_mut().unwrap());
}

fn reuse(config: &mut Config, change: fn(&mut Reuse)) {
    let mut rules = Reuse::default();
    change(&mut rules);
    config.stages[0].isolation = Isolation::Reused(rules);
}

fn asks(config: &mut Config, change: impl FnOnce(&mut HttpConfig)) {
    let http = config.stages[0].http.as_mut();
    change(http.expect("the text gives it"));
}

/// Changes one field each. The list follows the fields of the structs.
const CHANGES: &[Change] = &[
    ("models.aliases", |it| {
        it.models.aliases.insert("a".into(), "b".into());
    }),
    ("pricing.models", |it| {
        let price = Price {
            input: 1,
            cached_input: 2,
            output: 3,
        };
        it.pricing.models = std::sync::Arc::new([("a".into(), price)].into());
    }),
    ("requests.opaque_parts", |it| {
        it.requests.opaque_parts = crate::config::OpaqueParts::Pass;
    }),
    ("pack.name", |it| it.pack.name.push('x')),
    ("pack.version", |it| it.pack.version = "1.0.1".into()),
    ("pack.enabled", |it| it.pack.enabled = false),
    ("pack.id", |it| it.pack.id = Some("x".into())),
    ("pack.author", |it| it.pack.author = Some("x".into())),
    ("pack.description", |it| {
        it.pack.description = Some("x".into())
    }),
    ("stages, fewer", |it| it.stages.truncate(1)),
    ("stages, turned round", |it| it.stages.reverse()),
    ("stage.id", |it| it.stages[0].id.push('x')),
    ("stage.component, bundled", |it| {
        it.stages[0].component = ComponentSource::Bundled("audit-logger");
    }),
    ("stage.component, moved", |it| {
        if let ComponentSource::File(path) = &mut it.stages[0].component {
            path.set_file_name("three.wasm");
        }
    }),
    ("stage.digest", |it| {
        it.stages[0].digest = Some("sha256:0".into())
    }),
    ("stage.on_error", |it| it.stages[0].on_error = OnError::Skip),
    ("stage.breaker", |it| it.stages[0].breaker ^= true),
    ("stage.mode", |it| it.stages[0].mode = Mode::Shadow),
    ("stage.isolation", |it| reuse(it, |_| ())),
    ("stage.isolation.exchanges", |it| {
        reuse(it, |rules| rules.exchanges += 1)
    }),
    ("stage.isolation.age", |it| {
        reuse(it, |rules| rules.age += SECOND)
    }),
    ("stage.isolation.memory_growth", |it| {
        reuse(it, |rules| rules.memory_growth += 1);
    }),
    ("limits.memory", |it| it.stages[0].limits.memory += 1),
    ("limits.request_cpu", |it| {
        it.stages[0].limits.request_cpu += SECOND
    }),
    ("limits.delta_cpu", |it| {
        it.stages[0].limits.delta_cpu += SECOND
    }),
    ("limits.exchange_cpu", |it| {
        it.stages[0].limits.exchange_cpu += SECOND
    }),
    ("limits.call_time", |it| {
        it.stages[0].limits.call_time += SECOND
    }),
    ("limits.held_text", |it| it.stages[0].limits.held_text += 1),
    ("limits.held_time", |it| {
        it.stages[0].limits.held_time += SECOND
    }),
    ("stage.grants", |it| {
        it.stages[0].grants.push(Grant::Journal)
    }),
    ("stage.http", |it| it.stages[0].http = None),
    ("stage.http.hosts", |it| asks(it, |it| it.hosts.clear())),
    ("stage.http.url", |it| {
        asks(it, |it| it.hosts[0].url.set_path("/v2"))
    }),
    ("stage.http.private", |it| {
        asks(it, |it| it.hosts[0].private = true)
    }),
    ("stage.http.secret", |it| {
        let secret = SecretRef::Env("WITGATE_TEST_NO_SUCH".into());
        asks(it, |it| it.hosts[0].secret = Some(secret));
    }),
    ("stage.http.secret_header", |it| {
        asks(it, |it| it.hosts[0].secret_header = Some("x-key".into()))
    }),
    ("stage.http.timeout", |it| {
        asks(it, |it| it.timeout += SECOND)
    }),
    ("stage.http.max_request", |it| {
        asks(it, |it| it.max_request += 1)
    }),
    ("stage.http.max_reply", |it| {
        asks(it, |it| it.max_reply += 1)
    }),
    ("stage.http.calls", |it| asks(it, |it| it.calls += 1)),
    ("stage.http.at_once", |it| asks(it, |it| it.at_once += 1)),
    ("stage.settings", |it| {
        it.stages[0].settings = serde_json::json!({"x": 1});
    }),
    ("stage.at.line", |it| it.stages[0].at.line += 1),
    ("stage.at.column", |it| it.stages[0].at.column += 1),
    ("answers", |it| {
        it.answers = Some(vec!["two".into(), "one".into()]);
    }),
    ("answers, other borders", |it| {
        it.answers = Some(vec!["twoo".into(), "ne".into()]);
    }),
    ("headers, none", |it| it.headers = [].into()),
    ("headers, others", |it| {
        it.headers = ["x-team".into()].into()
    }),
    ("targets, none", |it| it.targets.clear()),
    ("target.id", |it| it.targets[0].id.push('x')),
    ("target.provider", |it| {
        it.targets[0].provider = "openai".into();
    }),
    ("target.model", |it| it.targets[0].model = Some("x".into())),
    ("target.base_url", |it| {
        it.targets[0].base_url.set_path("/v2")
    }),
    ("target.keys, none", |it| it.targets[0].keys.clear()),
    ("target.keys, another", |it| {
        if let SecretRef::File(path) = &mut it.targets[0].keys[0].secret {
            path.set_file_name("other");
        }
    }),
    ("target.keys, another weight", |it| {
        it.targets[0].keys[0].weight += 1;
    }),
    ("target.weight", |it| it.targets[0].weight += 1),
    ("target.breaker.failures", |it| {
        it.targets[0].breaker.failures += 1
    }),
    ("target.breaker.rate", |it| it.targets[0].breaker.rate += 1),
    ("target.breaker.rest", |it| {
        it.targets[0].breaker.rest += SECOND
    }),
    ("routing.strategy", |it| {
        it.strategy = crate::config::Strategy::Adaptive;
    }),
    ("retries.attempts", |it| it.retries.attempts += 1),
    ("retries.within", |it| it.retries.within += SECOND),
    ("retries.budget", |it| it.retries.budget += 1),
    ("target.timeouts.connect", |it| {
        it.targets[0].timeouts.connect += SECOND;
    }),
    ("target.timeouts.first_byte", |it| {
        it.targets[0].timeouts.first_byte += SECOND;
    }),
    ("target.timeouts.first_token", |it| {
        it.targets[0].timeouts.first_token += SECOND;
    }),
    ("target.timeouts.total", |it| {
        it.targets[0].timeouts.total += SECOND;
    }),
    ("target.timeouts.silence", |it| {
        it.targets[0].timeouts.silence += SECOND;
    }),
    ("target.parameters", |it| {
        it.targets[0].parameters = Parameters::Strict;
    }),
    ("target.unknown_members", |it| {
        it.targets[0].unknown_members = UnknownMembers::Pass;
    }),
    ("target.tls.ca", |it| {
        it.targets[0].tls.ca = Some("/ca.pem".into());
    }),
    ("target.tls.identity", |it| {
        it.targets[0].tls.identity = Some(IdentityFiles {
            cert: "/cert.pem".into(),
            key: "/key.pem".into(),
        });
    }),
    ("target.http2", |it| it.targets[0].http2 ^= true),
    ("clients, none", |it| it.clients.clear()),
    ("client.id", |it| it.clients[0].id.push('x')),
    ("client.team", |it| {
        it.clients[0].team = Some("blue".into());
    }),
    ("client.roles", |it| {
        it.clients[0].roles.push("writer".into());
    }),
    ("client.hash", |it| {
        it.clients[0].key = ClientKey::Hash([1; 32])
    }),
    ("client.models", |it| {
        it.clients[0].models = Some(Vec::new());
    }),
    ("client.expires", |it| it.clients[0].expires = Some(1)),
    ("client.enabled", |it| it.clients[0].enabled = false),
    ("admin, none", |it| it.admin.clear()),
    ("admin.id", |it| it.admin[0].id.push('x')),
    ("admin.hash", |it| {
        it.admin[0].key = ClientKey::Hash([1; 32])
    }),
    ("admin.role", |it| it.admin[0].role = AdminRole::Operator),
    ("admin.expires", |it| it.admin[0].expires = Some(1)),
    ("jwt, none", |it| it.jwt = None),
    ("jwt.issuer", |it| jwt(it, |it| it.issuer.push('x'))),
    ("jwt.audience", |it| {
        jwt(it, |it| it.audience.push("x".into()));
    }),
    ("jwt.algorithms", |it| {
        jwt(it, |it| {
            it.algorithms.pop();
        });
    }),
    ("jwt.jwks, a file", |it| {
        jwt(it, |it| it.jwks = JwksSource::File("./keys.json".into()));
    }),
    ("jwt.jwks, discovered", |it| {
        jwt(it, |it| {
            if let JwksSource::Url(url) = &it.jwks {
                it.jwks = JwksSource::Discovery(url.clone());
            }
        });
    }),
    ("jwt.ca_file", |it| {
        jwt(it, |it| it.ca_file = Some("./ca.pem".into()));
    }),
    ("jwt.leeway", |it| jwt(it, |it| it.leeway += SECOND)),
    ("jwt.refresh", |it| jwt(it, |it| it.refresh += SECOND)),
    ("jwt.refetch", |it| jwt(it, |it| it.refetch += SECOND)),
    ("jwt.claims.principal", |it| {
        jwt(it, |it| it.claims.principal.push('x'));
    }),
    ("jwt.claims.team", |it| {
        jwt(it, |it| it.claims.team = Some("team".into()));
    }),
    ("jwt.claims.roles", |it| {
        jwt(it, |it| it.claims.roles = Some("roles".into()));
    }),
    ("clients.metrics.principals", |it| {
        it.client_metrics.principals += 1;
    }),
    ("clients.metrics.teams", |it| it.client_metrics.teams += 1),
    ("clients.metrics.roles", |it| it.client_metrics.roles += 1),
    ("client.secret", |it| {
        it.clients[0].key = ClientKey::Secret(SecretRef::Env("WITGATE_TEST_NO_SUCH_KEY".into()));
    }),
    ("journal.store", |it| {
        it.journal.store = Some("sqlite:/x".into())
    }),
    ("state.store", |it| {
        it.state.store = Some("sqlite:/x".into())
    }),
    ("journal.immutable", |it| it.journal.immutable ^= true),
    ("journal.retention_days", |it| {
        it.journal.retention_days = Some(1);
    }),
    ("journal.retention_days, more", |it| {
        it.journal.retention_days = Some(2);
    }),
    ("reload.drain", |it| it.reload.drain += SECOND),
    ("reload.probation", |it| it.reload.probation = Some(SECOND)),
];

#[test]
fn every_field_of_the_configuration_counts() {
    let files = Files::new();
    let mut known = HashMap::from([(files.fingerprint(), "nothing")]);
    for &(name, change) in CHANGES {
        let mut config = files.config();
        change(&mut config);
        if let Some(other) = known.insert(fingerprint(config), name) {
            panic!("changing {name} comes to the same as changing {other}");
        }
    }
}

#[test]
fn every_byte_that_the_configuration_refers_to_counts() {
    let files = Files::new();
    let at = |name: &str| files.0.path().join(name);
    let fingerprint = || {
        let mut config = files.config();
        config.targets[0].tls = TlsConfig {
            ca: Some(at("ca.pem")),
            identity: Some(IdentityFiles {
                cert: at("cert.pem"),
                key: at("cert.key"),
            }),
        };
        fingerprint(config)
    };
    assert_eq!(fingerprint(), fingerprint());
    let mut known = vec![fingerprint()];
    for (name, text) in [
        ("one.wasm", "another component"),
        ("one.samples.yaml", ""),
        ("one.samples.yaml", "[]"),
        ("two.samples.yaml", "[]"),
        ("key", "another-key"),
        ("key", ""),
        ("client", "another-key"),
        ("asked", "another-key"),
        ("ca.pem", "a certificate"),
        ("cert.pem", "a certificate"),
        ("cert.key", "a key"),
    ] {
        files.write(name, text);
        let now = fingerprint();
        assert!(!known.contains(&now), "{name}: {text}");
        known.push(now);
    }
}
