//! What examples reach on sentences that nothing was learned from. They were written before these figures were first seen, and nothing was changed for
//! them since; so the figures are what an operator may expect of eighteen sentences a topic. Many of the ordinary sentences have words of the topics on purpose.

use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Request};

use crate::Topics;

const TOPICS: [(&str, &str, &str); 3] = [
    (
        "investing",
        include_str!("held_out/investing.examples.txt"),
        include_str!("held_out/investing.found.txt"),
    ),
    (
        "medical",
        include_str!("held_out/medical.examples.txt"),
        include_str!("held_out/medical.found.txt"),
    ),
    (
        "weapons",
        include_str!("held_out/weapons.examples.txt"),
        include_str!("held_out/weapons.found.txt"),
    ),
];

const ORDINARY: &str = include_str!("held_out/ordinary.txt");

fn forbidding(likelihood: f64) -> Configured<Topics> {
    let topics = TOPICS.map(|(name, examples, _)| {
        let examples: Vec<&str> = examples.lines().collect();
        (
            name,
            json!({"examples": examples, "likelihood": likelihood}),
        )
    });
    let forbidden: Value = topics
        .into_iter()
        .map(|(name, topic)| (name.to_owned(), topic))
        .collect();
    let settings = json!({"forbidden": forbidden, "action": "report"});
    testing::configure(settings).expect("the settings make sense")
}

/// How many of the sentences are taken for one of these topics.
fn taken(policy: &Configured<Topics>, sentences: &str, topics: &[&str]) -> usize {
    let is_taken = |sentence: &&str| {
        let mut exchange = policy.exchange(Request::user(sentence));
        assert_eq!(exchange.on_request(), Verdict::Proceed);
        let mut codes = exchange.findings().iter().map(|it| it.code.clone());
        codes.any(|code| topics.iter().any(|topic| code == format!("topics.{topic}")))
    };
    sentences.lines().filter(is_taken).count()
}

#[test]
fn what_examples_reach_on_sentences_that_nobody_learned_from() {
    let policy = forbidding(0.8);
    let names = TOPICS.map(|(name, _, _)| name);
    let found = TOPICS.map(|(name, _, found)| taken(&policy, found, &[name]));
    let wrong = TOPICS.map(|(name, _, found)| {
        let others: Vec<&str> = names.into_iter().filter(|other| *other != name).collect();
        taken(&policy, found, &others)
    });
    let ordinary = taken(&policy, ORDINARY, &names);
    // The figures are 12, 10 and 9 of 15, 4 of 40, and none for another topic. What a change of another kind moves by one is no fault.
    let enough = found.into_iter().zip([11, 9, 8]);
    assert!(
        enough.into_iter().all(|(found, least)| found >= least),
        "{found:?}"
    );
    assert_eq!(wrong, [0; 3]);
    assert!(ordinary <= 5, "{ordinary}");
}
