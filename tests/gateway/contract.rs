//! The contract's cases in the gateway: `tests/contract/cases.yaml`, which the SDK's double of the host must pass too.

#[path = "../contract/case.rs"]
mod case;
#[path = "../sandbox/support/log.rs"]
mod log;

use case::{Came, Case, cases};
use log::Log;

use crate::support::scripted::{Scripted, Step, event};
use crate::support::*;

const KEY: &str = "sesame-team-a";

/// Two targets that take any model, one that is pinned, and a client with a key.
fn config(key: &std::path::Path, settings: &Value) -> String {
    let target = |id: &str, model: &str, more: &str| {
        format!(
            "{{id: {id}, provider: \"cerebras{model}\", base_url: \"http://@0/v1\", parameters: pass{more}}}"
        )
    };
    format!(
        "policies: {{headers: [x-puppet, x-other, x-shade, x-play, x-misdeed, x-team, user-agent], chain: [{{id: player, component: @player, grants: [journal, counters, kv, {{http: {{hosts: [https://service.invalid]}}}}]}}]}}\n\
         requests: {{opaque_parts: pass}}\n\
         policy: {{player: {settings}}}\n\
         pricing: {{models: {{dear-model: {{input: 0.85, output: 1.20}}}}}}\n\
         clients: {{keys: [{{id: team-a, team: blue, roles: [writer, reader], secret_ref: {{file: {}}}}}]}}\n\
         providers: {{targets: [{}, {}, {}]}}",
        key.display(),
        target("one", "", ""),
        target(
            "two",
            "",
            ", data_policy: {retention_days: 30, training_opt_out: true, region: eu}"
        ),
        target("pinned", ":chat:other-model", ""),
    )
}

/// On one thread, so that what is logged is found there.
#[tokio::test]
async fn the_host_does_what_its_double_does() {
    plays("@player", cases()).await;
}

/// The player of an older contract, as it was built then, with the cases of then.
async fn plays_kept(kept: &[u8], cases: &str) {
    let folder = tempfile::tempdir().unwrap();
    let player = folder.path().join("player.wasm");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(kept), &mut bytes).unwrap();
    std::fs::write(&player, bytes).unwrap();
    plays(player.to_str().unwrap(), case::read(cases)).await;
}

#[tokio::test]
async fn the_host_does_what_it_did_for_a_component_of_0_1_0() {
    let kept = include_bytes!("../golden/0.1.0/player.rust.wasm.gz");
    plays_kept(kept, include_str!("../golden/0.1.0/player.cases.yaml")).await;
}

#[tokio::test]
async fn the_host_does_what_it_did_for_a_component_of_1_0_0() {
    let kept = include_bytes!("../golden/1.0.0/player.rust.wasm.gz");
    plays_kept(kept, include_str!("../golden/1.0.0/player.cases.yaml")).await;
}

/// Plays the cases with that component.
async fn plays(player: &str, cases: Vec<Case>) {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let config =
        |key: &std::path::Path, settings: &Value| config(key, settings).replace("@player", player);
    let nothing = json!({"configure": []});
    let bench = Bench::of(&config(&key, &nothing)).await;
    let mut differs = Vec::new();
    let mut failures = Failures::of(&bench).await;
    let mut configured = nothing;
    for case in cases {
        let log = Log::new();
        let settings = case.settings();
        if settings != configured {
            bench.configure(&config(&key, &settings));
            let reply = bench.tell_admin("/reload").await;
            if let Some(("configure", class)) = case.failure() {
                if reply.status == 200 || !reply.text().contains(class) {
                    let said = reply.text();
                    differs.push(format!("{}: it was to fail: {said}", case.name));
                }
                continue;
            }
            assert_eq!(reply.status, 200, "{}: {}", case.name, reply.text());
            configured = settings;
        }
        let came = play(&bench, &case, &log).await;
        let failed = failures.since(&bench).await;
        let wanted = case.failure();
        let wanted = wanted.map(|(hook, class)| (hook.to_owned(), class.to_owned()));
        if failed != wanted.clone().into_iter().collect::<Vec<_>>() {
            let name = &case.name;
            differs.push(format!("{name}: failed {failed:?}, and not {wanted:?}"));
        } else if wanted.is_none() {
            differs.extend(case.differs(&came));
        }
    }
    assert!(differs.is_empty(), "{}", differs.join("\n"));
}

async fn play(bench: &Bench, case: &Case, log: &Log) -> Came {
    let before = bench.upstream().bodies().len();
    let script = case.script();
    let key = format!("Bearer {KEY}");
    let mut headers = vec![("authorization", key.as_str()), ("x-play", script.as_str())];
    let own = case.headers.iter();
    headers.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
    let body = case.body();
    let route = match body.get("prompt") {
        Some(_) => "completions",
        None => "chat/completions",
    };
    let reply = bench.send_to(route, body.to_string(), &headers).await;
    let id = reply.header("x-request-id");
    let mine = |name: &str| name.starts_with("x-policy-") || name.contains("ratelimit");
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value));
    // The upstream has limits of its own, which it tells; the policies' are small.
    let upstreams = |name: &str| !script.contains(name);
    let headers = headers.filter(|(name, _)| mine(name) && !upstreams(name));
    let headers =
        headers.map(|(name, value)| (name.to_owned(), value.to_str().unwrap().to_owned()));
    let headers = headers.collect();
    let journal = bench.journal().await;
    let mut came = Came {
        request: bench.upstream().bodies().get(before).cloned(),
        log: log.of_policies(),
        headers,
        ..Came::default()
    };
    // The host's own, about what wasn't kept, has no part in the case.
    let mine = |entry: &&Value| entry["id"] == id && entry["unrecorded"].is_null();
    if let Some(entry) = journal.iter().find(mine) {
        came.gave = entry["gave"].clone();
        came.tags = entry["tags"].clone();
        came.findings = entry["findings"].clone();
    }
    if !case.answer.is_empty() && reply.status == 200 {
        let events = reply.events();
        let deltas = events.iter().map(|event| &event["choices"][0]["delta"]);
        let texts = deltas.flat_map(|delta| {
            let arguments = &delta["tool_calls"][0]["function"]["arguments"];
            [&delta["content"], arguments]
        });
        let texts = texts.filter_map(Value::as_str);
        came.chunks = texts
            .filter(|text| !text.is_empty())
            .map(Into::into)
            .collect();
        let denied = reply.said().denials.remove(&0);
        came.denied = denied.and_then(|denied| Some(denied["code"].as_str()?.to_owned()));
    } else if case.proceeds() && reply.status == 403 {
        came.denied = Some(reply.error().1);
    }
    came
}

/// How often the player failed, by hook and class.
struct Failures(Vec<(String, u64)>);

impl Failures {
    async fn of(bench: &Bench) -> Self {
        let metrics = bench.ask_admin("/metrics").await;
        let lines = metrics.text().lines();
        let counts = lines.filter_map(|line| {
            let labels = line.strip_prefix("witgate_stage_failures_total{")?;
            let (labels, count) = labels.split_once("} ")?;
            Some((labels.to_owned(), count.parse().unwrap()))
        });
        Failures(counts.collect())
    }

    /// Hook and class of each failure since it was last asked.
    async fn since(&mut self, bench: &Bench) -> Vec<(String, String)> {
        let before = std::mem::replace(self, Self::of(bench).await);
        let mut new = Vec::new();
        for (labels, count) in &self.0 {
            let known = before.0.iter().find(|(known, _)| known == labels);
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap();
                rest.split_once('"').unwrap().0.to_owned()
            };
            for _ in known.map_or(0, |(_, count)| *count)..*count {
                new.push((label("hook"), label("class")));
            }
        }
        new
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_out_is_known_of_an_exchange_whose_client_left() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let events = event("one ") + &event("two ");
    let upstream = Scripted::serve(vec![Step::Write(events.clone()), Step::Gate]).await;
    let config = config(&key, &json!({"configure": []}));
    let bench = Bench::to(&config, vec![upstream.address]).await;
    let authorization = format!("Bearer {KEY}");
    let play = json!({"on-complete": [["ended"], ["deltas"], ["sent-bytes"]]}).to_string();
    let headers = [("authorization", &*authorization), ("x-play", &*play)];
    let mut stream = bench.open(&ask_stream("hi"), &headers).await;
    stream.read_until("two ").await;
    drop(stream);
    let journal = bench.journal().await;
    assert_eq!(
        journal[0]["gave"]["on-complete"],
        json!(["disconnected", 2, events.len()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_panics_while_it_is_configured_is_refused_with_what_it_said_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let bench = Bench::of(&config(&key, &json!({"configure": []}))).await;
    bench.configure(&config(&key, &json!({"configure": [["nothing"]]})));
    let reply = bench.tell_admin("/reload").await;
    let said = reply.text();
    assert!(reply.status != 200 && said.contains("no call is"), "{said}");
    assert!(said.contains("src/lib.rs:"), "{said}");
}
