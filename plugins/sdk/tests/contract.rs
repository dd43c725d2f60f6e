//! The contract's cases in the double of the host: `tests/contract/cases.yaml`, which the gateway must pass too.
//!
//! The cases and the policy that plays them lie outside of this crate: this test is the repository's alone.
#![expect(unreachable_pub, reason = "nothing is reached from outside a test")]

#[path = "../../../tests/contract/case.rs"]
mod case;
#[path = "../../../tests/contract/player/src/lib.rs"]
mod player;

use std::panic::{AssertUnwindSafe, catch_unwind};

use case::{Came, Case, cases};
use player::Player;
use serde_json::json;
use witgate_policy::testing::{self, Configured, Outcome, Request};
use witgate_policy::{Channel, DataPolicy, Finding, Target, ToolCall, Verdict};

#[test]
fn the_double_does_what_the_host_does() {
    let mut differs = Vec::new();
    for case in cases() {
        let came = catch_unwind(AssertUnwindSafe(|| play(&case)));
        match (came, case.failure()) {
            (Ok(came), None) => differs.extend(case.differs(&came)),
            (Ok(_), Some((hook, _))) => {
                differs.push(format!("{}: nothing failed in {hook}", case.name));
            }
            (Err(panic), failure) => {
                let said = said(&*panic);
                if failure.is_none() || said.contains("no call is") {
                    differs.push(format!("{}: it failed: {said}", case.name));
                }
            }
        }
    }
    assert!(differs.is_empty(), "{}", differs.join("\n"));
}

#[test]
fn the_double_has_the_hosts_own_table_of_shapes() {
    assert_eq!(
        include_str!("../src/testing/shape.rs"),
        include_str!("../../../host/crates/wire/src/chat/shape.rs")
    );
}

#[test]
fn the_sdk_has_the_contract_itself() {
    let (here, contract) = (
        include_str!("../wit/policy.wit"),
        include_str!("../../../wit/policy.wit"),
    );
    assert!(here == contract, "copy wit/policy.wit to plugins/sdk/wit");
}

fn play(case: &Case) -> Came {
    let policy: Configured<Player> =
        testing::configure(case.settings()).expect("it takes its settings");
    let mut exchange = policy.exchange(request(case));
    let mut came = Came::default();
    if exchange.on_request() == Verdict::Proceed {
        came.request = Some(exchange.request().body().clone());
    }
    if case.proceeds() {
        let deltas: Vec<&str> = case.answer.iter().map(String::as_str).collect();
        let answer = match (&case.tool, &deltas[..]) {
            (Some(tool), deltas) => {
                let call = ToolCall {
                    index: 0,
                    id: "call_0".into(),
                    name: tool.clone(),
                };
                exchange.answer_on(0, Channel::ToolArguments(call), deltas, "tool_calls")
            }
            (None, deltas) if case.thought.is_some() => {
                let thought = exchange.open(0, Channel::Reasoning);
                exchange.delta(thought, case.thought.as_deref().expect("it is some"));
                let content = exchange.open(0, Channel::Content);
                for delta in deltas {
                    exchange.delta(content, delta);
                }
                exchange.end(thought, "stop");
                exchange.end(content, "stop")
            }
            (None, []) if !case.silent => exchange.answer(&["hi"]),
            (None, deltas) => exchange.answer(deltas),
        };
        came.denied = answer.denial.map(|denial| denial.code);
        if !case.answer.is_empty() {
            came.chunks = answer.chunks;
            came.chunks.retain(|chunk| !chunk.is_empty());
        }
    }
    came.headers = exchange.answer_headers().iter().cloned().collect();
    let found = exchange.findings().iter();
    came.findings = found
        .map(
            |Finding {
                 code,
                 count,
                 detail,
             }| json!([code, count, detail]),
        )
        .collect();
    let record = exchange.complete(Outcome::completed());
    let entry = record.entries().pop().expect("the player's entry");
    came.gave = entry["gave"].clone();
    came.tags = entry["tags"].clone();
    came.log = record.log.into_iter().map(|(_, line)| line).collect();
    came
}

/// The request as the gateway of the other test gets it: with its targets, of a client that it knows.
fn request(case: &Case) -> Request {
    let target = |id: &str, model: Option<&str>, data_policy: DataPolicy| Target {
        id: id.into(),
        provider: "cerebras".into(),
        model: model.map(Into::into),
        data_policy,
    };
    let declared = DataPolicy {
        retention_days: Some(30),
        trains: Some(false),
        region: Some("eu".into()),
    };
    let targets = vec![
        target("one", None, DataPolicy::default()),
        target("two", None, declared),
        target("pinned", Some("other-model"), DataPolicy::default()),
    ];
    let request = Request::from_body(case.body())
        .principal("team-a")
        .team("blue")
        .roles(["writer", "reader"])
        .targets(targets)
        .price("dear-model", 850_000, 1_200_000)
        .header("authorization", "Bearer sesame")
        .header("x-play", &case.script());
    let headers = case.headers.iter();
    headers.fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
    text.unwrap_or_default()
}
