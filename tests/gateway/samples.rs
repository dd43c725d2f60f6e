//! The exchanges that a policy ships beside itself: they run before it serves, and leave nothing behind.

use std::path::{Path, PathBuf};

use crate::support::*;

const SHOWS: &str = "policies: {chain: [audit-logger]}";

/// A policy beside the configuration, and its samples.
struct Shipped {
    bench: Bench,
    samples: PathBuf,
}

impl Shipped {
    /// Nothing of it runs yet.
    async fn aside(component: &'static Path) -> Self {
        let bench = Bench::of(SHOWS).await;
        let file = bench.folder.path().join("shipped.wasm");
        std::fs::copy(component, file).unwrap();
        let samples = bench.folder.path().join("shipped.samples.yaml");
        Shipped { bench, samples }
    }

    /// The third party's policy.
    async fn tone() -> Self {
        let component = tokio::task::spawn_blocking(policies::third_party).await;
        Self::aside(component.unwrap()).await
    }

    /// The policy that does what the request says.
    async fn puppet() -> Self {
        let component = tokio::task::spawn_blocking(policies::puppet).await;
        Self::aside(component.unwrap()).await
    }

    /// Writes samples in one step.
    fn ships(&self, samples: &str) {
        let aside = self.bench.folder.path().join("aside.samples");
        std::fs::write(&aside, samples).unwrap();
        std::fs::rename(aside, &self.samples).unwrap();
    }

    /// Puts it in the chain.
    fn configure(&self, settings: &str) {
        self.configure_as("on_error: skip", settings);
    }

    fn configure_as(&self, more: &str, settings: &str) {
        self.bench.configure(&format!(
            "policies: {{chain: [{{id: shipped, component: ./shipped.wasm, {more}}}, audit-logger]}}\n\
             policy: {{shipped: {settings}}}"
        ));
    }

    async fn runs(&self, generation: u64) {
        let wanted = |last: &Value| last["generation"] == generation;
        let what = format!("generation {generation} runs");
        self.bench.reloaded(&what, wanted).await;
    }

    /// Waits until it is refused, and returns the sentence.
    async fn refused(&self, words: &str) -> String {
        let said = |last: &Value| last["error"].as_str().unwrap_or_default().to_owned();
        let status = self
            .bench
            .reloaded(words, |last| said(last).contains(words))
            .await;
        said(&status["last_reload"])
    }
}

/// One sample whose request has those orders for the puppet.
fn ordered(orders: &str) -> String {
    format!(
        "- name: It does as ordered\n  request: {{messages: [{{role: user, content: hi}}], puppet: {orders}}}\n  answer: some text\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_that_hold_let_the_policy_in_and_leave_nothing_behind() {
    let tone = Shipped::tone().await;
    tone.ships(include_str!("../third-party/tone_police.samples.yaml"));
    tone.configure("{limit: 3}");
    tone.runs(2).await;

    // The audit-logger has samples of its own, and writes an entry for each exchange.
    let bench = &tone.bench;
    assert_eq!(bench.journal().await.len(), 0);
    assert_eq!(bench.gateway.services().journal.stats().entries, 0);
    assert_eq!(bench.metrics.instances_created.get(), 0);
    assert_eq!(bench.metrics.deltas.get(), 0);
    let metrics = bench.ask_admin("/metrics").await;
    for line in metrics
        .text()
        .lines()
        .filter(|line| line.contains("stage="))
    {
        assert!(line.ends_with(" 0"), "{line}");
    }

    let denied = bench.chat(&ask("LOUD")).await;
    assert_eq!(denied.error(), (403, "shouting".into()));
    assert_eq!(bench.journal().await.len(), 1);
    assert_eq!(bench.metrics.instances_created.get(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_tutorial_ends_with_holds_to_its_samples() {
    let component = tokio::task::spawn_blocking(policies::codenames).await;
    let codenames = Shipped::aside(component.unwrap()).await;
    codenames.ships(include_str!(
        "../../plugins/examples/cookbook/codenames.samples.yaml"
    ));
    codenames.configure("{names: [Project Lynx]}");
    codenames.runs(2).await;
    let reply = codenames.bench.chat(&ask("say: our project lynx")).await;
    let said = reply.header("x-witgate-policies");
    assert_eq!(said, "shipped=edit, audit-logger=proceed");
    codenames.configure("{names: [Project Lynx], action: deny}");
    codenames.runs(3).await;
    let denied = codenames.bench.chat(&ask("project lynx")).await;
    assert_eq!(denied.error(), (403, "codename".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_that_does_not_hold_keeps_the_policy_out_until_it_is_right() {
    let tone = Shipped::tone().await;
    let sample = "- name: A shout is denied\n  request: {messages: [{role: user, content: LOUD}]}\n  expect: {verdict: deny, code: ";
    tone.ships(&format!("{sample}rude}}\n"));
    tone.configure("{limit: 3}");
    let said = tone.refused("A shout is denied").await;
    assert!(said.starts_with("stage `shipped`: /"), "{said}");
    let sentence = "shipped.samples.yaml: sample \"A shout is denied\" (whole): expected the verdict deny with the code `rude`, and what \
         came is the verdict deny with the code `shouting`; if the policy and its settings are right, correct the sample";
    assert!(said.ends_with(sentence), "{said}");
    let reply = tone.bench.chat(&ask("say: LOUD")).await;
    assert_eq!(
        (reply.status, reply.header("x-witgate-policies")),
        (200, "audit-logger=proceed")
    );

    // Nothing but the samples changes from here on.
    tone.ships(&format!("{sample}shouting}}\n"));
    tone.runs(2).await;
    tone.ships("- name: No list\n  requets: {}\n");
    assert!(tone.refused("requets").await.contains("line 2"));
    std::fs::remove_file(&tone.samples).unwrap();
    tone.runs(3).await;
    std::fs::create_dir(&tone.samples).unwrap();
    tone.refused("it can't be read").await;
    std::fs::remove_dir(&tone.samples).unwrap();
    tone.ships("[]");
    tone.runs(4).await;
    assert_eq!(tone.bench.chat(&ask("LOUD")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_for_other_settings_are_skipped() {
    let tone = Shipped::tone().await;
    let sample = "- name: A shout is fine\n  when: {limit: 3}\n  request: {messages: [{role: user, content: LOUD}]}\n  expect: {verdict: proceed}\n";
    tone.ships(sample);
    tone.configure("{limit: 4}");
    tone.runs(2).await;
    tone.configure("{limit: 3}");
    tone.refused("A shout is fine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_shadow_a_policy_is_tested_for_what_it_would_do() {
    let tone = Shipped::tone().await;
    tone.ships(include_str!("../third-party/tone_police.samples.yaml"));
    tone.configure_as("mode: shadow, breaker: deny", "{limit: 3}");
    tone.runs(2).await;
    let reply = tone.bench.chat(&ask("say: LOUD")).await;
    assert_eq!(
        (reply.status, reply.header("x-witgate-policies")),
        (200, "shipped=shadow:deny, audit-logger=proceed")
    );
    tone.ships("- {name: It passes, request: {messages: [{role: user, content: LOUD}]}, expect: {verdict: proceed}}");
    tone.refused("what came is the verdict deny").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_fails_in_a_sample_is_kept_out_with_the_class() {
    let puppet = Shipped::puppet().await;
    puppet.configure("{}");
    puppet.runs(2).await;
    for (orders, words) in [
        (
            "{request: trap}",
            "failed in on-request (trap: panicked at src/lib.rs:",
        ),
        ("{request: spin}", "failed in on-request (deadline: "),
        (
            "{answer: {at: text, then: trap}}",
            "failed in on-delta (trap: panicked at src/lib.rs:",
        ),
        (
            "{answer: {at: some, then: spin}}",
            "failed in on-delta (deadline: ",
        ),
        (
            "{complete: trap}",
            "failed in on-complete (trap: panicked at src/lib.rs:",
        ),
        ("{complete: spin}", "failed in on-complete (deadline: "),
    ] {
        puppet.ships(&ordered(orders));
        puppet.refused(words).await;
    }
    let long = "x".repeat(100_000);
    let floods = ordered(&format!("{{answer: {{then: {{replace: {long}}}}}}}"));
    puppet.ships(&floods.replace("some text", &"a".repeat(100)));
    puppet.refused("a stream of more than").await;
    puppet.ships(&ordered("{}"));
    puppet.runs(3).await;
    let metrics = puppet.bench.ask_admin("/metrics").await;
    let failures = "witgate_stage_failures_total{";
    assert!(!metrics.text().contains(failures), "{}", metrics.text());
    puppet.bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_must_not_depend_on_where_an_answer_is_cut() {
    let puppet = Shipped::puppet().await;
    puppet.ships(&ordered("{answer: {then: {replace: x}}}"));
    puppet.configure("{}");
    let said = puppet.refused("It does as ordered").await;
    assert!(said.contains("of the whole answer came \"x\", and of the same answer cut at every character came \"xxxxxxxxx\""), "{said}");
    puppet.ships(&ordered("{answer: {at: text, then: {deny: over}}}"));
    puppet.runs(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_are_run_through_every_kind_of_exchange() {
    let puppet = Shipped::puppet().await;
    let responds =
        "{request: {respond: [{reasoning: [0, hm]}, {content: [0, no]}, {content: [0, pe]}]}}";
    let rewrites = "{request: {rewrite: other}, answer: {then: {add: '!'}}}";
    let samples = [
        ordered(responds) + "  expect: {verdict: respond, text: nope}\n",
        ordered(rewrites).replace("It does", "It rewrites")
            + "  expect: {verdict: proceed, text: some text!}\n",
        ordered("{answer: {at: text, then: {deny: over}}}").replace("It does", "It ends")
            + "  expect: {verdict: deny, code: over}\n",
        ordered("{answer: {then: hold}}").replace("It does", "It holds")
            + "  expect: {text: some text}\n",
    ];
    puppet.ships(&samples.concat());
    puppet.configure("{}");
    puppet.runs(2).await;
    puppet.ships(&(ordered(responds) + "  expect: {text: no}\n"));
    let said = puppet.refused("\"nope\"").await;
    assert!(said.contains("expected the text \"no\""), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_has_all_that_an_exchange_has() {
    let puppet = Shipped::puppet().await;
    let orders = r#"{"request": {"rewrite": "asked otherwise"}, "answer": {"at": "secret", "then": {"deny": "leak"}}}"#;
    puppet.ships(&format!(
        r#"
- name: What the model sees is told
  request: {{messages: [{{role: user, content: hi}}]}}
  headers: {{x-puppet: '{orders}'}}
  principal: team-a
  reasoning: [some, " thought"]
  answer: said
  calls: [{{name: look, arguments: '{{"a": 1}}'}}, {{name: look, arguments: ['{{', '}}']}}]
  finish: length
  expect:
    text: said
    reasoning: some thought
    arguments: ['{{"a": 1}}', '{{}}']
    request: {{/messages/0/content: asked otherwise, /messages/1: null}}
- name: Arguments are judged
  request: {{messages: [{{role: user, content: hi}}]}}
  headers: {{x-puppet: '{orders}'}}
  calls: [{{name: look, arguments: '{{"a": "secret"}}'}}]
  expect: {{verdict: deny, code: leak}}
"#
    ));
    puppet.configure("{}");
    puppet.runs(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sample_that_does_not_hold_is_told_and_a_file_of_another_name_too() {
    let tone = Shipped::tone().await;
    let sample = |name: &str, more: &str| {
        format!(
            "- {{name: {name}, request: {{messages: [{{role: user, content: LOUD}}]}}, expect: {more}}}\n"
        )
    };
    tone.ships(
        &[
            sample("one", "{verdict: proceed}"),
            sample("two", "{code: shouting}"),
            sample("three", "{request: {/messages/0/content: quiet}}"),
        ]
        .concat(),
    );
    tone.configure("{limit: 3}");
    let said = tone.refused("2 samples don't hold").await;
    for words in [
        "sample \"one\"",
        "sample \"three\"",
        "a request to the model",
    ] {
        assert!(said.contains(words), "no {words}: {said}");
    }
    assert!(!said.contains("\"two\""), "{said}");
    let other = tone.samples.with_extension("yml");
    std::fs::rename(&tone.samples, &other).unwrap();
    tone.configure("{limit: 4}");
    let said = tone.refused("shipped.samples.yml isn't read").await;
    assert!(said.contains("shipped.samples.yaml"), "{said}");
    std::fs::remove_file(other).unwrap();
}
