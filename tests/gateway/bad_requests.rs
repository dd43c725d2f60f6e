//! Requests that are refused before any policy or upstream sees them.

use crate::support::*;

const CHAIN: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}\n\
                     providers: {targets: [{id: sim, provider: \"cerebras:chat:llama3.1-8b\", base_url: \"http://@0/v1\"}]}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_chat_request_is_refused_in_a_sentence() {
    let bench = Bench::of(CHAIN).await;
    let message = r#"[{"role":"user","content":"hi"}]"#;
    let cases: Vec<(String, &str)> = vec![
        ("".into(), ""),
        ("hello".into(), ""),
        ("[]".into(), ""),
        ("null".into(), ""),
        (
            format!(r#"{{"model":"llama3.1-8b","messages":{message}"#),
            "",
        ),
        (
            format!(r#"{{"model":"llama3.1-8b","messages":{message}}} x"#),
            "",
        ),
        (
            format!(r#"{{"model":"llama3.1-8b","model":"b","messages":{message}}}"#),
            "model",
        ),
        (
            format!(r#"{{"model":"llama3.1-8b","messages":{message},"m\u0065ssages":[]}}"#),
            "messages",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":"a","content":"b"}]}"#
                .into(),
            "content",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":"\ud800"}]}"#.into(),
            "",
        ),
        (r#"{"model":"llama3.1-8b"}"#.into(), "messages"),
        (
            r#"{"model":"llama3.1-8b","messages":[]}"#.into(),
            "messages",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":"hi"}"#.into(),
            "messages",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":["hi"]}"#.into(),
            "messages",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":7}]}"#.into(),
            "content",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":[{"role":"wizard","content":"a"}]}"#.into(),
            "role",
        ),
        (
            r#"{"model":"llama3.1-8b","messages":[{"content":"a"}]}"#.into(),
            "role",
        ),
        (format!(r#"{{"messages":{message}}}"#), "model"),
        (format!(r#"{{"model":7,"messages":{message}}}"#), "model"),
        (
            format!(r#"{{"model":"llama3.1-8b","messages":{message},"stream":"yes"}}"#),
            "stream",
        ),
        (
            format!(r#"{{"model":"llama3.1-8b","messages":{message},"n":"two"}}"#),
            "n",
        ),
        (
            format!(
                "{{\"model\":\"llama3.1-8b\",\"messages\":{message},\"x\":{}1{}}}",
                "[".repeat(5000),
                "]".repeat(5000)
            ),
            "",
        ),
    ];
    for (body, named) in cases {
        let reply = bench.send(body.clone(), &[]).await;
        let shown = &body[..body.len().min(120)];
        assert_eq!(
            reply.error(),
            (400, "wrong_api_format".into()),
            "{shown}: {}",
            reply.text()
        );
        let error = reply.json();
        assert_eq!(error["type"], "invalid_request_error");
        let said = format!("{} {}", error["param"], error["message"]);
        assert!(said.contains(named), "{shown}: {said}");
    }
    let reply = bench
        .send(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'], &[])
        .await;
    assert_eq!(reply.error().0, 400);
    assert!(bench.upstream().recorder.requests().is_empty());
    assert!(
        bench.journal().await.is_empty(),
        "what is no request is no exchange"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_readers_would_read_differently_reaches_neither() {
    let bench = Bench::of(CHAIN).await;
    let message = r#"[{"role":"user","content":"say: hi"}]"#;
    for (member, param) in [
        (r#""Messages":[]"#, "Messages"),
        (r#""me\u017f\u017fages":[]"#, "me\u{17f}\u{17f}ages"),
        (r#""x":{"a":1,"A":2}"#, "x.A"),
    ] {
        let body = format!(r#"{{"model":"llama3.1-8b","messages":{message},{member}}}"#);
        let reply = bench.send(body, &[]).await;
        assert_eq!(reply.error(), (400, "wrong_api_format".into()));
        assert_eq!(reply.json()["param"], param);
    }
    let body = r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":"say: hi","Content":"attack"}]}"#;
    assert_eq!(bench.send(body, &[]).await.error().0, 400);
    assert!(bench.upstream().recorder.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_about_a_body_repeats_little_of_it() {
    let bench = Bench::of(CHAIN).await;
    let long = "k".repeat(1 << 20);
    let message = r#"[{"role":"user","content":"say: hi"}]"#;
    for body in [
        format!(r#"{{"model":"llama3.1-8b","messages":{message},"{long}":1,"{long}":1}}"#),
        format!(r#"{{"model":"{long}","messages":{message}}}"#),
        format!(r#"{{"model":"llama3.1-8b","messages":[{{"role":"{long}","content":"hi"}}]}}"#),
        format!(r#"{{"model":"{}","messages":{message}}}"#, "m".repeat(256)),
    ] {
        let reply = bench.send(body, &[]).await;
        assert!(matches!(reply.error().0, 400 | 404), "{}", reply.error().0);
        assert!(reply.text().len() < 2048, "{} bytes", reply.text().len());
    }
    assert!(bench.upstream().recorder.requests().is_empty());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_policy_can_read_goes_on_only_where_a_setting_says_so() {
    let pictured = |kind: &str| {
        let content = json!([
            {"type": "text", "text": "say: hi"},
            {"type": kind, kind: {"url": "data:image/png;base64,AAAA"}},
        ]);
        with(
            ask(""),
            json!({"messages": [{"role": "user", "content": content}]}),
        )
    };
    let bench = Bench::of(CHAIN).await;
    for kind in ["image_url", "input_audio", "file", "hologram"] {
        let reply = bench.chat(&pictured(kind)).await;
        assert_eq!(reply.error(), (400, "opaque_part".into()), "{kind}");
        let error = reply.json();
        assert_eq!(error["param"], "/messages/0/content/1");
        let said = error["message"].as_str().unwrap_or_default();
        assert!(said.contains("requests: {opaque_parts: pass}"), "{said}");
    }
    assert!(bench.upstream().recorder.requests().is_empty());
    // A setting lets it through, and where no stage judges requests there is nothing to be read for.
    let lets = format!("{CHAIN}\nrequests: {{opaque_parts: pass}}");
    let shadow = CHAIN.replace(
        "[prompt-injection, pii-detector, audit-logger]",
        "[{id: pii-detector, mode: shadow}]",
    );
    for config in [lets, shadow] {
        let bench = Bench::of(&config).await;
        let reply = bench.chat(&pictured("image_url")).await;
        assert_ne!(reply.error().1, "opaque_part", "{}", reply.text());
        assert_eq!(bench.upstream().recorder.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_past_ten_mebibytes_is_too_large() {
    let bench = Bench::of(CHAIN).await;
    let large = ask(&"x".repeat(10 << 20)).to_string();
    assert_eq!(
        bench.send(large, &[]).await.error(),
        (413, "request_too_large".into())
    );
    // One that doesn't say how long it is.
    let chunks = (0..11).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    assert_eq!(
        bench.send(body, &[]).await.error(),
        (413, "request_too_large".into())
    );
    assert_eq!(bench.chat(&ask("say: still here")).await.status, 200);
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_no_target_takes_does_not_exist() {
    let bench = Bench::of(CHAIN).await;
    for model in ["nothing", "openai/llama3.1-8b", "cerebras/nothing", ""] {
        let reply = bench
            .chat(&with(ask("say: hi"), json!({"model": model})))
            .await;
        let (status, code) = reply.error();
        assert!(
            matches!(
                (status, code.as_str()),
                (404, "model_not_found") | (400, "wrong_api_format")
            ),
            "{model}: {}",
            reply.text()
        );
        assert!(status == 404 || model.is_empty(), "{model}");
        assert_eq!(reply.json()["param"], "model");
    }
    assert_eq!(
        bench
            .chat(&with(
                ask("say: hi"),
                json!({"model": "cerebras/llama3.1-8b"})
            ))
            .await
            .status,
        200
    );
    // The chain judged them, so the journal knows of them.
    let journal = bench.journal().await;
    assert_eq!(journal.len(), 4, "{journal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_and_models_are_as_clients_expect() {
    let bench = Bench::of(CHAIN).await;
    for path in [
        "/v1/models",
        "/v1/v1/models",
        "/v1/models/",
        "/openai/v1/models",
        "/openai/v1/v1//models/",
        "/public/v1/models",
        "/v1/models?format=openrouter",
        "/anthropic/v1/models",
    ] {
        let reply = bench.get(path).await;
        let models = reply.json();
        assert!(
            reply.status == 200
                && models["data"]
                    .as_array()
                    .is_some_and(|data| !data.is_empty()),
            "{path}: {models}"
        );
    }
    for path in [
        "/v1/models/llama3.1-8b",
        "/v1/models/cerebras/llama3.1-8b",
        "/openai/v1/models/cerebras%2Fllama3.1-8b",
        "/public/v1/models/llama3.1-8b",
        "/anthropic/v1/models/llama3.1-8b",
    ] {
        assert_eq!(bench.get(path).await.json()["id"], "llama3.1-8b", "{path}");
    }
    let public = bench.get("/public/v1/models/llama3.1-8b").await.json();
    assert!(public["pricing"].is_object(), "{public}");
    let router = bench.get("/v1/models?format=openrouter").await.json();
    let first = router["data"][0]["id"].as_str().unwrap();
    assert!(first.starts_with("cerebras/"), "{router}");
    let error = bench.get("/anthropic/v1/models/none").await.json();
    assert_eq!(error["error"]["type"], "not_found_error", "{error}");
    // The upstream's word for a wrong form is told, from wherever it comes.
    assert_eq!(bench.get("/v1/models?format=x").await.status, 400);
    let asked = bench.upstream().recorder.requests().len();
    for path in ["/v1/embeddings", "/openai/v1/files/x", "/v1/realtime"] {
        let refused = (400, "unsupported_operation".into());
        assert_eq!(bench.get(path).await.error(), refused, "{path}");
    }
    assert_eq!(bench.upstream().recorder.requests().len(), asked);
    assert_eq!(
        bench.get("/v1/models/none").await.error(),
        (404, "model_not_found".into())
    );
    assert_eq!(bench.get("/v1/tcp_warming").await.text(), "{}");
    assert_eq!(
        bench.get("/v1/chat/completions").await.error(),
        (405, "method_not_allowed".into())
    );
    assert_eq!(
        bench.get("/v1/completions").await.error(),
        (405, "method_not_allowed".into())
    );
    assert_eq!(
        bench.get("/v1/responses/resp_1").await.error(),
        (404, "not_offered".into())
    );
    assert_eq!(
        bench.get("/elsewhere").await.error(),
        (404, "unknown_route".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_of_several_targets_are_one_list_and_an_alias_is_one_of_them() {
    let config = "policies: {chain: []}\n\
                  providers: {targets: [{id: first, provider: \"cerebras:chat:gpt-oss-120b\", base_url: \"http://@0/v1\"}, \
                    {id: second, provider: other, model: llama3.1-8b, base_url: \"http://@1/v1\"}]}\n\
                  models: {aliases: {small: llama3.1-8b}}";
    let upstreams = vec![Upstream::simulated().await, Upstream::simulated().await];
    let bench = Bench::before(config, upstreams).await;
    for path in ["/v1/models", "/public/v1/models", "/anthropic/v1/models"] {
        let list = bench.get(path).await.json();
        let ids: Vec<&str> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["gpt-oss-120b", "llama3.1-8b", "small"], "{path}");
    }
    for model in ["small", "other/small", "other/llama3.1-8b"] {
        let asked = with(ask("say: hi"), json!({"model": model}));
        let reply = bench.chat(&asked).await;
        assert_eq!(
            (reply.status, reply.header("x-witgate-target")),
            (200, "second"),
            "{model}"
        );
    }
    let requests = bench.upstreams[1].recorder.requests();
    let asked = requests.iter().filter(|request| !request.body.is_empty());
    let models: Vec<Value> = asked
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["model"].clone())
        .collect();
    assert_eq!(models, ["llama3.1-8b"; 3]);
    // Of a model that is none here nobody is asked, though a target would know it.
    assert_eq!(
        bench.get("/v1/models/zai-glm-4.7").await.error(),
        (404, "model_not_found".into())
    );
    bench.settled().await;
}
