#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::json;

use super::*;
use crate::{Channel, Edit, Ending, Finding, Passage, Role, Verdict, journal, report, request};

/// A policy that answers each delta by its first letter, and edits the request as its settings say.
#[derive(Clone, Debug)]
struct Puppet {
    script: Vec<String>,
    deny: bool,
    deltas: u32,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Orders {
    #[serde(default)]
    script: Vec<String>,
    #[serde(default)]
    deny: bool,
}

struct Strings;

impl Policy for Puppet {
    type Settings = Orders;

    fn new(Orders { script, deny }: Orders) -> Result<Self, String> {
        Ok(Puppet {
            script,
            deny,
            deltas: 0,
        })
    }

    fn on_request(&mut self) -> Verdict {
        for line in &self.script {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("replace", text) => request::replace_segment(1, text),
                ("insert", text) => request::insert_message(1, Role::System, text).unwrap(),
                ("model", model) => request::set("/model", Some(model)).unwrap(),
                ("drop", pointer) => request::set(pointer, None).unwrap(),
                ("far", _) => request::replace_segment(99, ""),
                ("code", code) => report(code, 1),
                (other, _) => panic!("no such line: {other}"),
            }
        }
        assert_eq!(
            request::segments()[1].text,
            "two",
            "reads stay as they were"
        );
        if self.deny {
            Verdict::deny("no", "no")
        } else {
            Verdict::Proceed
        }
    }

    fn on_answer(&mut self, _: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        (*channel != Channel::Reasoning).then(|| Box::new(Strings) as Box<_>)
    }

    fn on_complete(&mut self) {
        report("deltas", self.deltas);
        if let Err(error) = journal::append("{}") {
            crate::log::error!("{error}");
        }
    }
}

impl Passage<Puppet> for Strings {
    fn on_delta(&mut self, policy: &mut Puppet, text: &str) -> Edit {
        policy.deltas += 1;
        match text.chars().next() {
            Some('h') => Edit::Hold,
            Some(digit @ '0'..='9') => Edit::HoldLast(u32::from(digit) - u32::from('0')),
            Some('r') => Edit::replace("R"),
            Some('e') => Edit::replace(""),
            Some('d') => Edit::deny("word", "no"),
            _ => Edit::Forward,
        }
    }

    fn on_end(&mut self, _: &mut Puppet, finish: &str) -> Edit {
        match finish {
            "hold" => Edit::Hold,
            "hold-last" => Edit::HoldLast(0),
            "add" => Edit::replace("!"),
            "plus" => Edit::replace("+"),
            _ => Edit::Forward,
        }
    }
}

fn puppet(settings: serde_json::Value) -> Exchange<Puppet> {
    let request = Request::user("one")
        .part("two")
        .message(Role::Assistant, "three");
    configure::<Puppet>(settings).unwrap().exchange(request)
}

fn answer(deltas: &[&str], finish: &str) -> Answer {
    puppet(json!({})).answer_on(0, Channel::Content, deltas, finish)
}

#[test]
fn edits_of_the_request_count_when_it_proceeds() {
    let script = json!([
        "insert sys",
        "replace TWO",
        "model \"other\"",
        "insert sys2"
    ]);
    let mut exchange = puppet(json!({"script": script}));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    assert_eq!(exchange.texts(), ["one", "TWO", "sys", "sys2", "three"]);
    assert_eq!(exchange.request().body()["model"], "other");

    let mut exchange = puppet(json!({"script": script, "deny": true}));
    assert_eq!(exchange.on_request(), Verdict::deny("no", "no"));
    assert_eq!(exchange.texts(), ["one", "two", "three"]);
}

#[test]
#[should_panic(expected = "no segment 99, there are 3")]
fn an_index_out_of_range_is_a_fault() {
    puppet(json!({"script": ["far"]})).on_request();
}

#[test]
#[should_panic(expected = "the finding's code `Not A Code` must match")]
fn a_code_that_is_no_code_is_a_fault() {
    puppet(json!({"script": ["code Not A Code"]})).on_request();
}

#[test]
fn held_chunks_go_as_they_came() {
    let held = answer(&["a", "h1", "h2", "b"], "stop");
    assert_eq!(held.chunks, ["a", "h1", "h2", "b"]);
    assert_eq!((held.most_held, held.untouched), (4, true));
    assert_eq!(held.most_deltas_held, 2);
    assert_eq!(answer(&["h1", "h2"], "stop").text, "h1h2");
}

#[test]
fn deltas_that_end_before_the_last_bytes_go_as_they_came() {
    // An addition at the end replaces the text that is held there.
    for (deltas, replaced) in [
        (&["h1", "h2", "0c"][..], "h1h20c+"),
        (&["h1", "h2", "1c"], "h1h2+"),
        (&["h1", "h2", "2c"], "h1h2+"),
        (&["h1", "h2", "3c"], "h1+"),
        (&["h1", "h2", "4c"], "h1+"),
        (&["h1", "h2", "5c"], "+"),
        (&["h1", "h2", "9c"], "+"),
        (&["9a", "2b", "hc", "3d"], "9a2b+"),
        (&["9a", "2b", "c"], "9a2bc+"),
        (&["9a", "2b", "r"], "9aR+"),
    ] {
        let answer = answer(deltas, "plus");
        assert_eq!(answer.text, replaced, "of {deltas:?}");
    }
    let late = answer(&["1a", "1b", "1c", "3d"], "stop");
    assert_eq!(late.chunks, ["1a", "1b", "1c", "3d"]);
    assert_eq!((late.most_held, late.most_deltas_held), (4, 2));
    assert!(late.untouched, "{late:?}");
    assert_eq!(answer(&["0a", "b"], "stop").most_deltas_held, 0);
}

#[test]
fn a_tool_call_opens_with_its_first_delta_whatever_is_held() {
    let call = Channel::ToolArguments(crate::ToolCall {
        index: 0,
        id: "c".into(),
        name: "f".into(),
    });
    let answer = puppet(json!({})).answer_on(0, call, &["", "5{}", "1 "], "stop");
    assert_eq!(answer.chunks, ["", "5{}", "1 "]);
}

#[test]
fn a_replacement_answers_for_all_that_is_held() {
    let replaced = answer(&["a", "h1", "h2", "r", "b"], "stop");
    assert_eq!(replaced.chunks, ["a", "R", "b"]);
    assert!(!replaced.untouched, "{replaced:?}");
    assert_eq!(answer(&["a", "h", "e", "b"], "stop").text, "ab");
    assert_eq!(answer(&["a", "h"], "add").text, "a!");
    assert_eq!(answer(&["a"], "add").text, "a!");
}

#[test]
fn a_denial_drops_what_is_held_and_ends_the_choice_alone() {
    let mut exchange = puppet(json!({}));
    let denied = exchange.answer(&["a", "h", "d", "b"]);
    assert_eq!(
        (denied.text.as_str(), denied.denial.unwrap().code.as_str()),
        ("a", "word")
    );
    assert_eq!(exchange.answer(&["more"]).text, "");
    assert_eq!(
        exchange
            .answer_on(1, Channel::Content, &["more"], "stop")
            .text,
        "more"
    );
    assert_eq!(exchange.policy().deltas, 4);
}

#[test]
#[should_panic(expected = "on_end answered `Edit::Hold`")]
fn a_hold_at_the_end_is_a_fault() {
    answer(&["a"], "hold");
}

#[test]
#[should_panic(expected = "on_end answered `Edit::HoldLast(0)`")]
fn a_hold_of_the_last_bytes_at_the_end_is_a_fault() {
    answer(&["a"], "hold-last");
}

#[test]
fn a_declined_channel_costs_no_calls() {
    let mut exchange = puppet(json!({}));
    let answer = exchange.answer_on(0, Channel::Reasoning, &["r", "", "d"], "stop");
    assert_eq!((answer.text.as_str(), answer.denial), ("rd", None));
    assert_eq!(exchange.policy().deltas, 0);
}

#[test]
fn the_end_gives_what_was_left_behind() {
    let mut exchange = puppet(json!({}));
    exchange.answer(&["a", "b"]);
    let record = exchange.complete(Outcome::completed());
    assert_eq!(record.findings, [Finding::new("deltas", 2)]);
    assert_eq!(record.entries(), [json!({})]);

    let mut exchange = puppet(json!({}));
    exchange.fail_journal("full");
    let record = exchange.complete(Outcome::ended(Ending::Disconnected));
    assert_eq!(record.log, [(Level::Error, "full".into())]);
    assert_eq!(record.journal, [""; 0]);
}

/// Says as much as it can, and more.
#[derive(Clone, Debug, serde::Deserialize)]
struct Talker {}

impl Policy for Talker {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn on_request(&mut self) -> Verdict {
        for n in 0..70 {
            report(format!("code-{n}"), 1);
            crate::log::info!("one");
            crate::log::info!("two");
        }
        let append = |_: &u32| journal::append("{}").is_ok();
        assert_eq!((0..70).filter(append).count(), 64);
        Verdict::Proceed
    }

    fn on_complete(&mut self) {
        for n in 0..70 {
            report(format!("code-{n}"), 1);
        }
        journal::append("{}").unwrap_err();
    }
}

#[test]
fn what_a_policy_says_is_bounded() {
    let policy = configure::<Talker>(json!({})).unwrap();
    let mut exchange = policy.exchange(Request::user("hello"));
    exchange.on_request();
    assert_eq!(exchange.findings().len(), 64);
    let record = exchange.complete(Outcome::completed());
    assert_eq!((record.log.len(), record.journal.len()), (100, 64));
    // Those that came first are known, and the others have room of their own.
    assert_eq!((record.findings.len(), record.findings[0].count), (70, 2));

    let long = format!("{{\"long\":\"{}\"}}", "x".repeat(1 << 20));
    let mut state = imports::State::default();
    imports::within(&mut state, Phase::Complete, || {
        journal::append(&long).unwrap_err();
        crate::log::info!("{}", "é".repeat(5_000));
    });
    assert_eq!(state.log[0].1, "é".repeat(4_096));
}

#[test]
#[should_panic(expected = "gives another text than whole")]
fn a_policy_that_looks_at_chunks_is_found_out() {
    let policy = configure::<Puppet>(json!({})).unwrap();
    policy.every_chunking_of(&Request::user("one").part("two"), "xxrxx");
}

/// Reports each delta, or tags it.
#[derive(Clone, serde::Deserialize)]
struct Gossip {
    tags: bool,
}

impl Policy for Gossip {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn on_answer(&mut self, _: u32, _: &Channel) -> Option<Box<dyn Passage<Self>>> {
        struct Telling;
        impl Passage<Gossip> for Telling {
            fn on_delta(&mut self, policy: &mut Gossip, _: &str) -> Edit {
                match policy.tags {
                    true => drop(request::tag("delta", "came")),
                    false => report("delta", 1),
                }
                Edit::Forward
            }
        }
        Some(Box::new(Telling))
    }
}

#[test]
#[should_panic(expected = "other things are found in the answer than whole")]
fn a_policy_that_reports_chunks_is_found_out() {
    let policy = configure::<Gossip>(json!({"tags": false})).unwrap();
    policy.every_chunking("ab");
}

#[test]
#[should_panic(expected = "the exchange has other tags than whole")]
fn a_policy_that_tags_chunks_is_found_out() {
    let policy = configure::<Gossip>(json!({"tags": true})).unwrap();
    policy.every_chunking("ab");
}

#[test]
#[should_panic(expected = "gives another text than whole")]
fn a_policy_is_found_out_on_every_channel() {
    let policy = configure::<Puppet>(json!({})).unwrap();
    let request = Request::user("one").part("two");
    let call = Channel::arguments("f");
    policy.chunkings().after(&request).on(call).of("[rrr]");
}

/// Reads and writes values where the contract has JSON.
#[derive(Clone)]
struct Typed;

impl Policy for Typed {
    type Settings = crate::NoSettings;

    fn new(_: crate::NoSettings) -> Result<Self, String> {
        Ok(Typed)
    }

    fn on_request(&mut self) -> Verdict {
        assert_eq!(request::read("/temperature"), Ok(Some(0.5)));
        assert_eq!(request::read::<u32>("/top_p"), Ok(None));
        assert_eq!(
            request::read::<u32>("/model").unwrap_err(),
            "`/model` of the request: invalid type: string \"m\", expected u32 at line 1 column 3"
        );
        request::write("/stop", &["a", "b"]).unwrap();
        request::remove("/temperature").unwrap();
        request::write("/n", &2).unwrap_err();
        crate::kv::write("seen", &(1, "x"), 60).unwrap();
        assert_eq!(crate::kv::read("seen"), Ok(Some((1, "x".to_owned()))));
        let error = crate::kv::read::<u32>("seen").unwrap_err();
        assert!(error.starts_with("what is kept under `seen`: "), "{error}");
        journal::write(&json!({"seen": 1})).unwrap();
        journal::write("no object").unwrap_err();
        Verdict::Proceed
    }
}

#[test]
fn values_stand_for_their_json() {
    let policy = configure::<Typed>(json!({})).unwrap();
    let request = Request::user("hi").with("model", json!("m"));
    let mut exchange = policy.exchange(request.with("temperature", json!(0.5)));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let body = exchange.request().body();
    assert_eq!(
        (&body["stop"], body.get("temperature")),
        (&json!(["a", "b"]), None)
    );
    let record = exchange.complete(Outcome::completed());
    assert_eq!(record.entries(), [json!({"seen": 1})]);
}

#[test]
fn segments_are_every_text_that_the_model_reads() {
    let request = Request::from_body(json!({
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "assistant", "content": null, "reasoning": "b",
             "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "content": [{"type": "text", "text": "c"}, {"type": "image_url"}]},
        ],
        "prediction": {"type": "content", "content": "d"},
    }));
    let texts: Vec<_> = request
        .segments()
        .into_iter()
        .map(|s| (s.message, s.role, s.text))
        .collect();
    let expected = [
        (0, Role::System, "a"),
        (1, Role::Assistant, "b"),
        (1, Role::Assistant, "{}"),
        (2, Role::Tool, "c"),
        (3, Role::Assistant, "d"),
    ];
    assert_eq!(texts, expected.map(|(m, r, t)| (m, r, t.to_string())));
}

#[test]
fn a_text_completion_has_prompts_in_the_place_of_messages() {
    let request = Request::prompt("one").with("suffix", json!("two"));
    let segments = request.segments().into_iter();
    let segments: Vec<_> = segments.map(|it| (it.message, it.role, it.text)).collect();
    let user = |message, text: &str| (message, Role::User, text.to_owned());
    assert_eq!(segments, [user(0, "one"), user(1, "two")]);
    let replace = json!({"script": ["replace 2", "code as-usual"]});
    let mut exchange = configure::<Puppet>(replace).unwrap().exchange(request);
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    assert_eq!(exchange.request().body()["suffix"], "2");
    assert_eq!(exchange.request().body()["prompt"], "one");
}

#[derive(Clone)]
struct Once {
    seen: std::rc::Rc<std::cell::Cell<u32>>,
}

impl Policy for Once {
    type Settings = crate::NoSettings;

    fn new(_: crate::NoSettings) -> Result<Self, String> {
        let seen = std::rc::Rc::default();
        Ok(Once { seen })
    }

    fn on_request(&mut self) -> Verdict {
        self.seen.set(self.seen.get() + 1);
        assert_eq!(self.seen.get(), 1, "another exchange was here before");
        Verdict::Proceed
    }
}

#[test]
fn exchanges_share_nothing_as_in_the_sandbox() {
    let policy = configure::<Once>(json!({})).unwrap();
    for _ in 0..2 {
        policy.exchange(Request::user("hi")).on_request();
    }
}

/// Counts requests, and remembers the last one's words.
#[derive(Clone, Debug, serde::Deserialize)]
struct Counter {
    most: i64,
}

impl Policy for Counter {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn on_request(&mut self) -> Verdict {
        let said = request::segments().remove(0).text;
        let before = crate::kv::get("last").unwrap();
        crate::kv::put("last", &said, 60).unwrap();
        crate::log::info!("{}", before.unwrap_or_default());
        match crate::counters::take("requests", 1, 3600, self.most) {
            Ok(Some(_)) => Verdict::Proceed,
            Ok(None) => Verdict::deny("counter.full", "no more"),
            Err(why) => Verdict::deny("counter.unknown", &why),
        }
    }

    fn on_complete(&mut self) {
        crate::counters::add("completed", 1, 3600).unwrap();
    }
}

#[test]
fn what_one_exchange_keeps_the_next_one_finds() {
    let policy = configure::<Counter>(json!({"most": 2})).unwrap();
    let state = StageState::default();
    let at = Request::user("").received_at;
    let mut last = Vec::new();
    for (number, says) in ["one", "two", "three"].into_iter().enumerate() {
        let mut exchange = policy.exchange(Request::user(says));
        exchange.keep_in(&state);
        let passes = matches!(exchange.on_request(), Verdict::Proceed);
        assert_eq!(passes, number < 2, "{says}");
        let record = exchange.complete(Outcome::completed());
        last.push(record.log[0].1.clone());
    }
    assert_eq!(last, ["", "one", "two"]);
    assert_eq!(state.sum("requests", 3600, at), 2);
    assert_eq!(state.sum("completed", 3600, at), 3);
    // One that was given nothing to share begins with nothing, and leaves nothing.
    let mut alone = policy.exchange(Request::user("alone"));
    assert_eq!(alone.on_request(), Verdict::Proceed);
    assert_eq!(state.sum("requests", 3600, at), 2);

    state.fail("can't be kept now");
    let mut exchange = policy.exchange(Request::user("four"));
    exchange.keep_in(&StageState::default());
    exchange.on_request();
    assert_eq!(state.keys(), ["last"]);
}

#[test]
fn what_is_kept_expires_and_windows_pass() {
    let state = StageState::default();
    state.put("k", "v", 10, 1_000_000).unwrap();
    assert_eq!(state.get("k", 1_009_999).unwrap().as_deref(), Some("v"));
    assert_eq!(state.get("k", 1_010_000).unwrap(), None);
    assert_eq!(state.put_new("k", "w", 10, 1_009_999), Ok(false));
    assert_eq!(state.put_new("k", "w", 10, 1_010_000), Ok(true));
    assert_eq!(state.put_new("k", "x", 10, 1_010_000), Ok(false));
    assert_eq!(state.take("s", 1, 60, 1, 60_000), Ok(Some(1)));
    assert_eq!(state.take("s", 1, 60, 1, 119_999), Ok(None));
    assert_eq!(state.take("s", 1, 60, 1, 120_000), Ok(Some(1)));
    state.take("s", 1, 0, 1, 0).unwrap_err();
    state
        .put("k", &"v".repeat((1 << 20) + 1), 1, 0)
        .unwrap_err();
    state.get(&"k".repeat(257), 0).unwrap_err();
}
