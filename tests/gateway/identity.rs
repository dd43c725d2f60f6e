//! Who asks: clients with keys and what is known of them, and tokens of an identity provider, which `clients/oidc_provider.py` is.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use sha2::{Digest as _, Sha256};

use crate::support::*;

/// The provider, as a process that ends with the test.
struct Provider {
    issuer: String,
    http: reqwest::Client,
    child: Child,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Provider {
    async fn start() -> Self {
        let started = tokio::task::spawn_blocking(|| {
            let script = python::sources().join("oidc_provider.py");
            let mut command = python::direct(&python::python("oidc"), Vec::new());
            command.arg("-B").arg(script);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut issuer = String::new();
            let out = child.stdout.take().unwrap();
            BufReader::new(out).read_line(&mut issuer).unwrap();
            (child, issuer.trim().to_owned())
        });
        let (child, issuer) = started.await.unwrap();
        assert!(issuer.starts_with("http://"), "{issuer}");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Provider {
            issuer,
            http,
            child,
        }
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.issuer));
        let reply = request.body(body.to_string()).send().await.unwrap();
        serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
    }

    async fn token(&self, asked: Value) -> String {
        self.tell("/token", asked)
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// How often its keys were asked for.
    async fn asked(&self) -> u64 {
        let reply = self.http.get(format!("{}/asked", self.issuer)).send();
        let body = reply.await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

fn config(issuer: &str, more: &str) -> String {
    format!(
        "policies: {{chain: [audit-logger]}}\n\
         clients:\n  \
           keys: [{{id: team-a, hash: \"sha256:{}\"}}]\n  \
           jwt: {{issuer: \"{issuer}\", audience: [witgate, other]{more}, claims: {{team: org.team, roles: /realm/roles}}}}",
        hash("sesame")
    )
}

fn hash(key: &str) -> String {
    let digest = Sha256::digest(key);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn with_token(bench: &Bench, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    bench.send(ask("say: hi").to_string(), &headers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_in_whom_it_names_and_a_bad_one_says_which_check_failed() {
    let provider = Provider::start().await;
    let bench = Bench::of(&config(&provider.issuer, "")).await;
    let claims = json!({"sub": "ann", "org": {"team": "blue"}, "realm": {"roles": ["writer", "reader", "writer"]}});
    for by in ["rsa", "ec"] {
        let token = provider.token(json!({"by": by, "claims": claims})).await;
        let reply = with_token(&bench, &token).await;
        assert_eq!(reply.status, 200, "{by}: {}", reply.text());
        let headers = [
            ("x-api-key", token.as_str()),
            ("authorization", "Bearer placeholder"),
        ];
        let reply = bench.send(ask("say: hi").to_string(), &headers).await;
        assert_eq!(reply.status, 200, "{by}: {}", reply.text());
    }
    for entry in bench.journal().await {
        assert_eq!(entry["principal"], "ann");
        assert_eq!(entry["team"], "blue");
        assert_eq!(entry["roles"], json!(["writer", "reader"]));
    }
    // Clocks may differ by the leeway, which is half a minute.
    for near in [json!({"exp": -10}), json!({"nbf": 10})] {
        let token = provider.token(json!({"times": near})).await;
        assert_eq!(with_token(&bench, &token).await.status, 200, "{near}");
    }
    let bad = [
        ("token_expired", json!({"times": {"exp": -3600}})),
        ("token_not_yet_valid", json!({"times": {"nbf": 3600}})),
        (
            "token_wrong_issuer",
            json!({"claims": {"iss": "https://other.example"}}),
        ),
        (
            "token_wrong_audience",
            json!({"claims": {"aud": ["somebody-else"]}}),
        ),
        ("token_claim_missing", json!({"claims": {"exp": null}})),
        ("token_claim_missing", json!({"claims": {"iss": null}})),
        ("token_claim_missing", json!({"claims": {"aud": null}})),
        ("token_claim_missing", json!({"claims": {"sub": null}})),
        (
            "token_claim_missing",
            json!({"claims": {"exp": "tomorrow"}}),
        ),
        ("token_malformed", json!({"claims": {"sub": ["ann"]}})),
        ("token_wrong_claim", json!({"claims": {"org": {"team": 1}}})),
        (
            "token_wrong_claim",
            json!({"claims": {"realm": {"roles": {"writer": true}}}}),
        ),
        (
            "token_wrong_claim",
            json!({"claims": {"realm": {"roles": vec!["r"; 300]}}}),
        ),
        (
            "token_principal_taken",
            json!({"claims": {"sub": "team-a"}}),
        ),
        ("token_wrong_signature", json!({"by": "foreign"})),
        (
            "token_unknown_key",
            json!({"by": "foreign", "header": {"kid": "nobody"}}),
        ),
        (
            "token_unknown_key",
            json!({"by": "foreign", "header": {"kid": "enc"}}),
        ),
        ("token_unknown_key", json!({"header": {"kid": "secret"}})),
        (
            "token_wrong_algorithm",
            json!({"by": "nobody", "alg": "none"}),
        ),
        (
            "token_wrong_algorithm",
            json!({"by": "nobody", "alg": "NONE"}),
        ),
        (
            "token_wrong_algorithm",
            json!({"by": "public", "alg": "HS256"}),
        ),
        ("token_wrong_algorithm", json!({"alg": "RS384"})),
        (
            "token_wrong_algorithm_for_key",
            json!({"by": "nobody", "alg": "RS256", "header": {"kid": "ec"}}),
        ),
        (
            "token_wrong_algorithm_for_key",
            json!({"by": "nobody", "alg": "ES256", "header": {"kid": "rsa-1"}}),
        ),
        (
            "token_wrong_signature",
            json!({"by": "nobody", "alg": "RS256", "header": {"kid": "rsa-1"}}),
        ),
        (
            "token_too_large",
            json!({"claims": {"more": "x".repeat(20_000)}}),
        ),
        (
            "token_malformed",
            json!({"by": "nobody", "alg": "RS256", "header": {"kid": "rsa-1", "crit": ["exp"]}}),
        ),
    ];
    for (code, asked) in bad {
        let token = provider.token(asked.clone()).await;
        let reply = with_token(&bench, &token).await;
        assert_eq!(
            reply.error(),
            (401, code.into()),
            "{asked}: {}",
            reply.text()
        );
        assert!(reply.header("www-authenticate").contains("invalid_token"));
        for part in token.split('.').filter(|part| !part.is_empty()) {
            assert!(!reply.text().contains(part), "{code} repeats the token");
        }
    }
    let good = provider.token(json!({})).await;
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let other = provider.token(json!({"claims": {"sub": "bob"}})).await;
    let (_, stolen) = other.rsplit_once('.').unwrap();
    assert_ne!(signature, stolen);
    for (code, token) in [
        ("token_wrong_signature", format!("{rest}.{stolen}")),
        ("token_malformed", "ey.ey.ey".to_owned()),
        ("token_malformed", format!("ey{rest}.")),
        ("wrong_api_key", rest.to_owned()),
    ] {
        let reply = with_token(&bench, &token).await;
        assert_eq!(reply.error(), (401, code.into()), "{}", reply.text());
    }
    let reply = bench
        .post_with(
            "/anthropic/v1/messages",
            &with(ask("say: hi"), json!({"max_tokens": 5})),
            &[(
                "x-api-key",
                &provider.token(json!({"times": {"exp": -3600}})).await,
            )],
        )
        .await;
    let error = reply.json();
    assert_eq!(reply.status, 401);
    assert_eq!(error["error"]["type"], "authentication_error", "{error}");
    assert_eq!(
        bench
            .send(ask("say: hi").to_string(), &[("x-api-key", "sesame")])
            .await
            .status,
        200
    );
    assert_eq!(
        bench.chat(&ask("say: hi")).await.error().1,
        "missing_api_key"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_without_a_restart_and_the_last_good_ones_stay() {
    let provider = Provider::start().await;
    let quick = ", refetch: 100ms, refresh: 24h";
    let bench = Bench::of(&config(&provider.issuer, quick)).await;
    let old = provider.token(json!({})).await;
    assert_eq!(with_token(&bench, &old).await.status, 200);
    provider.tell("/rotate", json!({})).await;
    let new = provider.token(json!({})).await;
    until("the new key is known", async || {
        (with_token(&bench, &new).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(
        with_token(&bench, &old).await.error(),
        (401, "token_unknown_key".into())
    );
    // From now on it has no keys for anyone.
    provider.tell("/fail", json!({})).await;
    let unknown = provider.token(json!({"header": {"kid": "nobody"}})).await;
    until("the provider was asked, and failed", async || {
        assert_eq!(
            with_token(&bench, &unknown).await.error().1,
            "token_unknown_key"
        );
        let tokens = bench.status().await["tokens"].clone();
        tokens["error"]
            .as_str()
            .filter(|error| error.contains("500"))
            .map(|_| ())
    })
    .await;
    assert_eq!(with_token(&bench, &new).await.status, 200);
    // Nor are they lost by a reload.
    bench.configure(&config(&provider.issuer, quick).replace("witgate, other", "witgate, another"));
    bench
        .reloaded("it is there", |last| last["generation"] == 2)
        .await;
    assert_eq!(with_token(&bench, &new).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_makes_the_gateway_ask_for_keys_more_often_than_it_may() {
    let provider = Provider::start().await;
    let bench = Bench::of(&config(&provider.issuer, ", refetch: 1h, refresh: 24h")).await;
    for number in 0..20 {
        let kid = format!("nobody-{number}");
        let token = provider.token(json!({"header": {"kid": kid}})).await;
        assert_eq!(
            with_token(&bench, &token).await.error().1,
            "token_unknown_key"
        );
    }
    assert_eq!(provider.asked().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_asked_for_in_the_background() {
    let provider = Provider::start().await;
    let bench = Bench::of(&config(&provider.issuer, ", refetch: 1h, refresh: 1s")).await;
    until("they were asked for again", async || {
        (provider.asked().await > 1).then_some(())
    })
    .await;
    let token = provider.token(json!({})).await;
    assert_eq!(with_token(&bench, &token).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_cannot_be_reached_keeps_tokens_out_and_keys_in() {
    let provider = Provider::start().await;
    let token = provider.token(json!({})).await;
    let issuer = provider.issuer.clone();
    drop(provider);
    let bench = Bench::of(&config(&issuer, "")).await;
    let reply = with_token(&bench, &token).await;
    assert_eq!(reply.error(), (503, "token_keys_unavailable".into()));
    assert_eq!(reply.header("retry-after"), "5");
    let with_key = bench.send(ask("say: hi").to_string(), &[("x-api-key", "sesame")]);
    assert_eq!(with_key.await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_a_file_are_read_anew_when_it_changes() {
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let keys = async || {
        let reply = provider
            .http
            .get(format!("{}/keys", provider.issuer))
            .send();
        std::fs::write(&file, reply.await.unwrap().bytes().await.unwrap()).unwrap();
    };
    keys().await;
    let source = format!(", jwks_file: \"{}\"", file.display());
    let bench = Bench::of(&config(&provider.issuer, &source)).await;
    let token = provider.token(json!({})).await;
    assert_eq!(with_token(&bench, &token).await.status, 200);
    provider.tell("/rotate", json!({})).await;
    let new = provider.token(json!({})).await;
    assert_eq!(
        with_token(&bench, &new).await.error().1,
        "token_unknown_key"
    );
    keys().await;
    until("the file was read again", async || {
        (with_token(&bench, &new).await.status == 200).then_some(())
    })
    .await;
    std::fs::write(&file, "{}").unwrap();
    bench
        .reloaded("it is refused", |last| {
            let error = last["error"].as_str().unwrap_or_default();
            error.contains("keys.json")
        })
        .await;
    assert_eq!(with_token(&bench, &new).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_for_its_models_and_its_time_and_until_it_is_revoked() {
    let chain = |more: &str| {
        format!(
            "policies: {{chain: []}}\nclients: {{keys: [{{id: team-a, hash: \"sha256:{}\"{more}}}]}}",
            hash("sesame")
        )
    };
    let bench = Bench::of(&chain(", models: [\"llama3.1*\"]")).await;
    let key = [("x-api-key", "sesame")];
    let said = async |model: &str| {
        let body = with(ask("say: hi"), json!({"model": model}));
        bench.send(body.to_string(), &key).await
    };
    assert_eq!(said("llama3.1-8b").await.status, 200);
    assert_eq!(
        said("gpt-oss-120b").await.error(),
        (403, "model_not_allowed".into())
    );
    let routes = [
        (
            "/v1/completions",
            json!({"model": "gpt-oss-120b", "prompt": "hi"}),
        ),
        (
            "/v1/responses",
            json!({"model": "gpt-oss-120b", "input": "hi"}),
        ),
        (
            "/v1/actions/text-completion",
            json!({"model": "gpt-oss-120b", "prompt": "hi"}),
        ),
        (
            "/anthropic/v1/messages",
            with(ask("hi"), json!({"model": "gpt-oss-120b", "max_tokens": 9})),
        ),
    ];
    for (route, body) in routes {
        let reply = bench.post_with(route, &body, &key).await;
        assert_eq!(reply.status, 403, "{route}: {}", reply.text());
        assert!(
            reply.text().contains("model_not_allowed"),
            "{route}: {}",
            reply.text()
        );
    }
    let asked = bench.upstream().bodies().len();
    assert_eq!(asked, 1, "what is refused at the door goes nowhere");
    for (generation, more, code) in [
        (2, ", expires: 2020-01-01", "expired_api_key"),
        (3, ", enabled: false", "disabled_api_key"),
    ] {
        bench.configure(&chain(more));
        bench
            .reloaded("it is there", move |last| last["generation"] == generation)
            .await;
        assert_eq!(said("llama3.1-8b").await.error(), (401, code.into()));
    }
}

/// What ran before comes back, and not who was let in before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_gives_no_key_back() {
    let config = |stages: &str, more: &str| {
        format!(
            "policies: {{chain: [{stages}]}}\nclients: {{keys: [{{id: team-a, hash: \"sha256:{}\"{more}}}]}}",
            hash("sesame")
        )
    };
    let bench = Bench::of(&config("", "")).await;
    let key = [("x-api-key", "sesame")];
    let body = ask("say: hi").to_string();
    assert_eq!(bench.send(body.clone(), &key).await.status, 200);
    bench.configure(&config("audit-logger", ", enabled: false"));
    bench
        .reloaded("it is taken back", |last| last["generation"] == 2)
        .await;
    assert_eq!(bench.tell_admin("/rollback").await.status, 200);
    assert_eq!(bench.status().await["stages"], json!([]));
    let refused = bench.send(body, &key).await;
    assert_eq!(refused.error(), (401, "disabled_api_key".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_made_lets_in_and_stands_nowhere() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let args = "clients new --id ann --team blue --roles writer,reader --models llama* --expires 2100-01-01";
    let made = process::run(folder.path(), args.split(' ')).await;
    assert_eq!(made.code, 0, "{made:?}");
    let key = made
        .err
        .split_whitespace()
        .find(|word| word.starts_with("wg_"))
        .unwrap();
    // 256 bits, as 43 letters.
    assert_eq!(key.len(), 3 + 43);
    assert!(!made.out.contains(key), "{made:?}");
    let bench = Bench::of(&format!(
        "policies: {{chain: [audit-logger]}}\nclients:\n  keys:\n{}",
        made.out
    ))
    .await;
    let reply = bench
        .send(ask("say: hi").to_string(), &[("x-api-key", key)])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let entry = bench.journal().await.remove(0);
    assert_eq!(
        (&entry["principal"], &entry["team"]),
        (&json!("ann"), &json!("blue"))
    );
    assert_eq!(entry["roles"], json!(["writer", "reader"]));
    assert!(!bench.status().await.to_string().contains(key));
    for bad in [
        "clients new --id Not.An.Id!",
        "clients new --id a --expires soon",
        "clients new --id a --admin owner",
        "clients new --id a --admin viewer --team blue",
    ] {
        let refused = process::run(folder.path(), bad.split(' ')).await;
        assert!(
            refused.code != 0 && !refused.err.contains("wg_"),
            "{refused:?}"
        );
    }
}
