//! Stages that are shown what interests them alone.

use std::collections::BTreeMap;

use super::*;

/// A stage that puts `X` in the place of each word with an `@`. It holds a word until its end.
#[derive(Default)]
struct Redacts {
    held: String,
    owes: bool,
}

impl Redacts {
    fn says(&mut self, text: &str, end: bool) -> Edit {
        self.held.push_str(text);
        let open = match self.held.rfind(|c: char| c.is_ascii_whitespace()) {
            _ if end => self.held.len(),
            Some(at) => at + 1,
            None => 0,
        };
        if !self.owes && !self.held[..open].contains('@') {
            return if open == self.held.len() {
                self.held.clear();
                Edit::Forward
            } else {
                Edit::Hold
            };
        }
        let open = self.held.split_off(open);
        let done = std::mem::replace(&mut self.held, open);
        self.owes = !self.held.is_empty();
        Edit::Replace(redacted(&done))
    }
}

fn redacted(text: &str) -> String {
    let words = text.split_inclusive(|c: char| c.is_ascii_whitespace());
    let redacted = words.map(|word| match word.trim_end().contains('@') {
        true => word.replace(word.trim_end(), "X"),
        false => word.to_owned(),
    });
    redacted.collect()
}

fn redacts() -> (OnDelta, OnEnd) {
    let stage = Arc::new(parking_lot::Mutex::new(Redacts::default()));
    let at_end = stage.clone();
    super::stage(
        move |text| stage.lock().says(text, false),
        move |_| at_end.lock().says("", true),
    )
}

fn asleep(stages: Vec<(OnDelta, OnEnd)>) -> Run {
    let mut script = Script::new(stages);
    script.interest = Some(Arc::new(Interest::new("@").unwrap()));
    Run::new(script)
}

#[tokio::test]
async fn of_text_without_interest_the_stage_is_told_nothing_and_the_last_word_is_late() {
    let mut run = asleep(vec![stage(forward, |_| panic!("it was never made"))]);
    assert_eq!(run.content("one").await, []);
    assert_eq!(run.content(" tw").await, [came(0)]);
    assert_eq!(run.content("o").await, []);
    assert_eq!(run.content(" three. ").await, [came(1), came(2), came(3)]);
    assert_eq!(run.content("four").await, []);
    assert_eq!(run.finish().await, [came(4)]);
    assert!(run.script.opened.is_empty() && run.script.saw[0].is_empty());
}

#[tokio::test]
async fn a_word_that_matches_wakes_the_stage_which_is_shown_it_from_its_beginning() {
    let mut run = asleep(vec![stage(forward, forward)]);
    assert_eq!(run.content("a b").await, []);
    assert_eq!(run.content("c@").await, []);
    assert_eq!(run.content("d e").await, [came(0), came(1)]);
    assert_eq!(run.script.saw[0], ["b", "c@", "d "]);
    // It let all go, so it sleeps again.
    assert_eq!(run.content("f g ").await, [came(2), came(3)]);
    assert_eq!(run.content("h@i").await, [came(4)]);
    assert_eq!(run.content("j k").await, []);
    assert_eq!(run.finish().await, [came(5)]);
    assert_eq!(run.script.saw[0][3..], ["h@i", "j "]);
    assert_eq!(run.script.opened, [ChannelKey::Content]);
}

#[tokio::test]
async fn while_it_holds_it_is_shown_every_word() {
    let mut run = asleep(vec![stage(|_| Edit::Hold, forward)]);
    run.content("a @ b").await;
    run.content(" c").await;
    run.content("d e").await;
    assert_eq!(run.script.saw[0], ["@ ", "b", " ", "c", "d "]);
    assert_eq!(run.finish().await, [came(0), came(1), came(2)]);
    assert_eq!(run.script.saw[0][5..], ["e"]);
}

#[tokio::test]
async fn a_stage_that_holds_the_last_nothing_stays_awake() {
    let mut run = asleep(vec![stage(|_| Edit::HoldLast(0), forward)]);
    run.content("@ ").await;
    assert_eq!(run.content("b ").await, [came(1)]);
    assert_eq!(run.script.saw[0], ["@ ", "b "]);
}

#[tokio::test]
async fn what_replaces_a_word_leaves_the_rest_of_the_chunk() {
    let mut run = asleep(vec![redacts()]);
    assert_eq!(run.content("to a@b or").await, []);
    assert_eq!(run.content(" me").await, [changed(0, "to X or")]);
    assert_eq!(run.content("@b").await, []);
    assert_eq!(run.finish().await, [changed(1, " "), changed(2, "X")]);
}

#[tokio::test]
async fn the_last_word_may_match_at_its_end_alone() {
    let mut run = asleep(vec![redacts()]);
    assert_eq!(run.content("a@").await, []);
    assert_eq!(run.finish().await, [changed(0, "X")]);
}

#[tokio::test]
async fn how_arguments_begin_the_stage_is_shown_and_a_backslash_wakes_it() {
    let mut run = asleep(vec![stage(forward, forward)]);
    let call = ChannelKey::ToolArguments(0);
    run.push(0, call, "").await.unwrap();
    run.push(0, call, "{\"a\": \"x y ").await.unwrap();
    run.push(0, call, "z \\u0040 ").await.unwrap();
    assert_eq!(run.script.saw[0], ["{\"a\": \"x y ", "\\u0040 "]);
}

#[tokio::test]
async fn a_word_past_the_longest_counts_as_matching() {
    let mut run = asleep(vec![stage(forward, forward)]);
    run.content(&"x".repeat(256)).await;
    assert!(run.script.saw[0].is_empty());
    run.content("x").await;
    assert_eq!(run.script.saw[0].concat().len(), 257);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_takes_too_long_to_come_is_shown() {
    let mut run = asleep(vec![stage(forward, forward)]);
    let mut out = run.content("s").await;
    for _ in 0..16 {
        assert_eq!(out, [], "{:?}", run.script.saw);
        tokio::time::advance(Duration::from_secs(9)).await;
        out = run.content("s").await;
    }
    assert_eq!(out.len(), 17);
    assert_eq!(run.script.saw[0].concat().len(), 17);
}

#[tokio::test]
async fn a_skipped_stage_lets_go_what_it_wasnt_shown_and_is_told_no_more() {
    let failing: (OnDelta, OnEnd) = (Box::new(|_| Err(StageFailure::Skip)), Box::new(forward));
    let mut run = asleep(vec![failing]);
    assert_eq!(run.content("a @ b").await, [came(0)]);
    assert_eq!(run.content(" c@d e@").await, [came(1)]);
    assert_eq!(run.finish().await, []);
    assert_eq!(run.script.saw[0], ["@ "]);
}

#[tokio::test]
async fn what_it_was_shown_counts_as_held_and_no_more() {
    let mut run = asleep(vec![stage(|_| Edit::Hold, forward)]);
    run.script.limits.bytes = 3;
    assert!(
        run.push(0, ChannelKey::Content, "long words @ more")
            .await
            .is_ok()
    );
    let failed = run.push(0, ChannelKey::Content, "over ").await;
    assert_eq!(failed, Err(Aborted(StageId(0))));
}

/// What comes out, by place: each of them once.
fn text(outs: Vec<Output>, pieces: &[String]) -> String {
    let mut seen = BTreeMap::new();
    let mut text = String::new();
    for out in outs {
        let (place, piece) = match out {
            Output::AsCame(place) => (Some(place), pieces[place.chunk as usize].clone()),
            Output::Changed(place, text) => (Some(place), text),
            Output::Added { text, .. } => (None, text),
            Output::Denied { .. } | Output::Finished { .. } => panic!("nobody denies"),
        };
        if let Some(place) = place {
            assert!(seen.insert(place.chunk, ()).is_none(), "{place:?} twice");
        }
        text.push_str(&piece);
    }
    let all = pieces.iter().filter(|piece| !piece.is_empty()).count();
    assert_eq!(seen.len(), all, "not all places came out");
    text
}

proptest! {
    #[test]
    fn with_and_without_interest_the_same_text_comes_out_at_every_cut(
        pieces in prop::collection::vec("[ab@ \n]{1,6}", 0..12),
        stages in 1usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let expected = redacted(&pieces.concat());
        for sleeps in [false, true] {
            let stages = (0..stages).map(|_| redacts()).collect();
            let mut run = if sleeps { asleep(stages) } else { Run::new(Script::new(stages)) };
            let mut outs = Vec::new();
            runtime.block_on(async {
                for piece in &pieces {
                    outs.extend(run.content(piece).await);
                }
                outs.extend(run.finish().await);
            });
            prop_assert_eq!(text(outs, &pieces), expected.clone());
            let calm = !pieces.concat().contains('@');
            prop_assert!(!(sleeps && calm) || run.script.saw.iter().all(Vec::is_empty));
        }
    }
}
