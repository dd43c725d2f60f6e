//! Text on its way through stages that are plain functions. The file is long because each rule of the contract is a test of its own.

#![expect(clippy::unwrap_used, reason = "a test")]

mod sleeping;

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use tokio::time::Duration;

use super::*;
use crate::policy::Interest;
use crate::policy::types::{Edit, Replacement};

/// One scripted stage: what it says to each delta, and at the end.
pub(in crate::exchange) type OnDelta = Box<dyn FnMut(&str) -> Result<Edit, StageFailure> + Send>;
pub(in crate::exchange) type OnEnd = Box<dyn FnMut(&str) -> Edit + Send>;

pub(in crate::exchange) struct Script {
    stages: Vec<(OnDelta, OnEnd)>,
    limits: HoldLimits,
    /// What `held_too_much` means.
    too_much: fn() -> StageFailure,
    /// What it said that can't be said.
    misuse: Option<String>,
    /// The choice whose openings the stages fail over.
    fails_to_open: Option<u32>,
    /// Only the first one does.
    fails_alone: bool,
    /// What each stage saw.
    pub(in crate::exchange) saw: Vec<Vec<String>>,
    /// The channels that were opened, as the first stage was told.
    opened: Vec<ChannelKey>,
    off: Vec<bool>,
    /// What every stage looks out for.
    interest: Option<Arc<Interest>>,
}

impl Script {
    pub(in crate::exchange) fn new(stages: Vec<(OnDelta, OnEnd)>) -> Self {
        Script {
            saw: vec![Vec::new(); stages.len()],
            opened: Vec::new(),
            off: vec![false; stages.len()],
            stages,
            limits: HoldLimits {
                bytes: 1024,
                time: Duration::from_secs(2),
            },
            too_much: || StageFailure::Abort(Aborted(StageId(0))),
            misuse: None,
            fails_to_open: None,
            fails_alone: false,
            interest: None,
        }
    }

    pub(in crate::exchange) fn of(
        delta: impl FnMut(&str) -> Edit + Send + 'static,
        end: impl FnMut(&str) -> Edit + Send + 'static,
    ) -> Self {
        Script::new(vec![stage(delta, end)])
    }
}

pub(in crate::exchange) fn stage(
    mut delta: impl FnMut(&str) -> Edit + Send + 'static,
    end: impl FnMut(&str) -> Edit + Send + 'static,
) -> (OnDelta, OnEnd) {
    (Box::new(move |text| Ok(delta(text))), Box::new(end))
}

pub(in crate::exchange) fn forward(_: &str) -> Edit {
    Edit::Forward
}

impl AnswerStages for Script {
    type Passage = ();

    fn count(&self) -> usize {
        self.stages.len()
    }

    fn may_change_answer(&self) -> bool {
        true
    }

    fn stage(&self, at: usize) -> StageId {
        StageId(at)
    }

    fn name(&self, _: StageId) -> &str {
        "stage"
    }

    fn hold_limits(&self, _: usize) -> HoldLimits {
        self.limits
    }

    fn interest(&self, at: usize, _: u32) -> Option<Arc<Interest>> {
        self.interest.clone().filter(|_| !self.off[at])
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<()>, StageFailure> {
        if at == 0 {
            self.opened.push(channel.key());
        }
        let fails = !self.off[at] && (at == 0 || !self.fails_alone);
        if fails && self.fails_to_open == Some(choice) {
            self.off[at] = true;
            return Err(StageFailure::Skip);
        }
        Ok((!self.off[at]).then_some(()))
    }

    async fn on_delta(&mut self, at: usize, (): &(), text: &str) -> Result<Edit, StageFailure> {
        self.saw[at].push(text.to_owned());
        let said = (self.stages[at].0)(text);
        self.off[at] |= matches!(said, Err(StageFailure::Skip));
        said
    }

    async fn on_end(&mut self, at: usize, (): (), finish: &str) -> Result<Edit, StageFailure> {
        Ok((self.stages[at].1)(finish))
    }

    fn held_too_much(&mut self, at: usize, _: String) -> StageFailure {
        self.off[at] = true;
        (self.too_much)()
    }

    fn misused(&mut self, at: usize, why: String) -> StageFailure {
        self.misuse = Some(why);
        self.off[at] = true;
        StageFailure::Skip
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        StageFailure::Abort(Aborted(StageId(at)))
    }

    fn denied(&mut self, _: StageId, _: u32, _: &Denial) {}
}

struct Run {
    answer: Passages<()>,
    script: Script,
    outs: Vec<Output>,
    next: u64,
}

impl Run {
    fn new(script: Script) -> Self {
        Run {
            answer: Passages::new(),
            script,
            outs: Vec::new(),
            next: 0,
        }
    }

    async fn push(
        &mut self,
        choice: u32,
        key: ChannelKey,
        text: &str,
    ) -> Result<Vec<Output>, Aborted> {
        let delta = Delta {
            choice,
            channel: &Channel::from(key),
            place: Some(place(self.next)),
            text: text.to_owned().into(),
        };
        self.next += 1;
        self.answer
            .push(&mut self.script, delta, &mut self.outs)
            .await?;
        Ok(std::mem::take(&mut self.outs))
    }

    async fn content(&mut self, text: &str) -> Vec<Output> {
        self.push(0, ChannelKey::Content, text).await.unwrap()
    }

    async fn finish(&mut self) -> Vec<Output> {
        self.answer
            .finish(&mut self.script, 0, "stop", &mut self.outs)
            .await
            .unwrap();
        std::mem::take(&mut self.outs)
    }
}

fn place(chunk: u64) -> TextRef {
    TextRef { chunk, piece: 0 }
}

fn came(chunk: u64) -> Output {
    Output::AsCame(place(chunk))
}

fn changed(chunk: u64, text: &str) -> Output {
    Output::Changed(place(chunk), text.into())
}

fn denial() -> Denial {
    Denial {
        code: "no".into(),
        message: "no".into(),
        status: None,
        retry_after: None,
    }
}

#[tokio::test]
async fn without_stages_all_goes_as_it_came() {
    let mut run = Run::new(Script::new(Vec::new()));
    assert_eq!(run.content("a").await, [came(0)]);
    assert_eq!(run.content("b").await, [came(1)]);
    assert_eq!(run.finish().await, []);
}

#[tokio::test]
async fn held_chunks_go_as_they_came_when_it_forwards() {
    let mut run = Run::new(Script::of(
        |text| {
            if text.ends_with('!') {
                Edit::Forward
            } else {
                Edit::Hold
            }
        },
        forward,
    ));
    assert_eq!(run.content("a").await, []);
    assert_eq!(run.content("b").await, []);
    assert_eq!(run.content("c!").await, [came(0), came(1), came(2)]);
    assert_eq!(run.content("d").await, []);
    assert_eq!(run.finish().await, [came(3)]);
}

#[tokio::test]
async fn hold_last_lets_go_what_ends_before_the_last_bytes() {
    let mut run = Run::new(Script::of(
        |text| Edit::HoldLast(text.trim_start().len() as u32),
        forward,
    ));
    assert_eq!(run.content("one").await, []);
    assert_eq!(run.content(" two").await, [came(0)]);
    assert_eq!(run.content(" three").await, [came(1)]);
    assert_eq!(run.content(" ").await, [came(2), came(3)]);
    assert_eq!(run.finish().await, []);
}

/// Puts `-` in the place of what comes before the last word, and holds that.
fn dashes(text: &str) -> Edit {
    let held = text.rfind(' ').map_or(text.len(), |at| text.len() - at - 1) as u32;
    let text = "-".into();
    Edit::ReplaceAndHoldLast(Replacement { text, held })
}

#[tokio::test]
async fn what_is_held_behind_a_text_goes_as_it_came_or_as_another() {
    let mut said = [
        Edit::Hold,
        dashes("one two"),
        Edit::HoldLast(4),
        Edit::Forward,
        dashes("six seven"),
        Edit::Replace("7".into()),
        dashes("eight nine"),
    ]
    .into_iter();
    let at_end = |_: &str| Edit::Replace("9.".into());
    let mut run = Run::new(Script::of(move |_| said.next().unwrap(), at_end));
    assert_eq!(run.content("one").await, []);
    let added = |text: &str| Output::Added {
        choice: 0,
        channel: ChannelKey::Content,
        text: text.into(),
    };
    // The text doesn't wait; what is held behind it has no place of its own.
    let went = run.content(" two").await;
    assert_eq!(went, [changed(0, ""), changed(1, "-")]);
    assert_eq!(run.content(" six").await, [added("two")]);
    assert_eq!(run.content("!").await, [came(2), came(3)]);
    assert_eq!(run.content("six seven").await, [changed(4, "-")]);
    assert_eq!(run.content("!").await, [changed(5, "7")]);
    assert_eq!(run.content("eight nine").await, [changed(6, "-")]);
    assert_eq!(run.finish().await, [added("9.")]);
}

#[tokio::test]
async fn nothing_of_what_is_held_behind_a_text_is_lost_with_its_stage() {
    let mut deltas = 0;
    let fails: OnDelta = Box::new(move |text| {
        deltas += 1;
        match deltas {
            1 => Ok(Edit::ReplaceAndHoldLast(Replacement {
                text: text[..2].into(),
                held: text.len() as u32 - 2,
            })),
            _ => Err(StageFailure::Skip),
        }
    });
    let mut run = Run::new(Script::new(vec![(fails, Box::new(forward))]));
    assert_eq!(run.content("Hello there,").await, [changed(0, "He")]);
    let went = run.content(" how are you?").await;
    assert_eq!(went, [changed(1, "llo there, how are you?")]);
    assert_eq!(run.content("Well?").await, [came(2)]);
    assert_eq!(run.finish().await, []);
}

#[tokio::test]
async fn what_stays_held_begins_with_a_character() {
    let says = |_: &str| {
        let text = String::new();
        Edit::ReplaceAndHoldLast(Replacement { text, held: 1 })
    };
    for interest in [None, Some("é")] {
        let mut script = Script::of(says, forward);
        script.interest = interest.map(|it| Arc::new(Interest::new(it).unwrap()));
        let mut run = Run::new(script);
        // A stage with an interest may be shown a word at its end alone.
        let went = [run.content("café").await, run.finish().await].concat();
        assert_eq!(went, [came(0)]);
        let misuse = run.script.misuse.unwrap();
        assert!(misuse.contains("within a character"), "{misuse}");
    }
}

#[tokio::test]
async fn a_choice_that_says_nothing_has_an_empty_content() {
    let deny = |_: &str| Edit::Deny(denial());
    let denied = |stage| Output::Denied {
        choice: 0,
        stage: StageId(stage),
        denial: denial(),
    };
    let mut run = Run::new(Script::of(forward, deny));
    assert_eq!(run.finish().await, [denied(0)]);
    let call = ChannelKey::ToolArguments(0);
    let mut run = Run::new(Script::new(vec![
        stage(forward, |_| Edit::Replace("added".into())),
        stage(forward, forward),
    ]));
    assert_eq!(run.push(0, call, "").await.unwrap(), [came(0)]);
    run.finish().await;
    assert_eq!(run.script.opened, [call, ChannelKey::Content]);
    // Once, however often it finishes; and what one adds the next is shown.
    assert_eq!(run.finish().await, []);
    assert_eq!(run.script.saw[1], ["", "added", "added"]);
}

#[tokio::test]
async fn hold_last_keeps_the_delta_that_the_bytes_begin_in() {
    let mut last = 0;
    let mut run = Run::new(Script::of(
        move |_| {
            last += 2;
            Edit::HoldLast(last)
        },
        forward,
    ));
    assert_eq!(run.content("ab").await, []);
    assert_eq!(run.content("cd").await, []);
    assert_eq!(run.content("efg").await, []);
    assert_eq!(run.finish().await, [came(0), came(1), came(2)]);
}

#[tokio::test]
async fn a_replacement_takes_the_last_place_and_empties_the_others() {
    let mut run = Run::new(Script::of(
        |text| {
            if text == "c" {
                Edit::Replace("X".into())
            } else {
                Edit::Hold
            }
        },
        forward,
    ));
    run.content("a").await;
    run.content("b").await;
    assert_eq!(
        run.content("c").await,
        [changed(0, ""), changed(1, ""), changed(2, "X")]
    );
}

#[tokio::test]
async fn what_is_added_at_the_end_has_no_place() {
    let mut run = Run::new(Script::of(forward, |_| Edit::Replace("bye".into())));
    run.content("a").await;
    let added = Output::Added {
        choice: 0,
        channel: ChannelKey::Content,
        text: "bye".into(),
    };
    assert_eq!(run.finish().await, [added]);
}

#[tokio::test]
async fn later_stages_see_what_earlier_ones_let_out_and_added_before_their_own_end() {
    let mut run = Run::new(Script::new(vec![
        stage(
            |text| Edit::Replace(text.to_uppercase()),
            |_| Edit::Replace("end".into()),
        ),
        stage(forward, forward),
    ]));
    run.content("a").await;
    run.finish().await;
    assert_eq!(run.script.saw, [vec!["a"], vec!["A", "end"]]);
}

#[tokio::test]
async fn removed_text_is_not_told_to_later_stages() {
    let mut run = Run::new(Script::new(vec![
        stage(|_| Edit::Replace(String::new()), forward),
        stage(forward, forward),
    ]));
    assert_eq!(run.content("a").await, [changed(0, "")]);
    assert_eq!(run.script.saw[1], Vec::<String>::new());
}

#[tokio::test]
async fn after_a_denial_nothing_of_the_choice_comes_out_and_other_choices_go_on() {
    let mut run = Run::new(Script::of(
        |text| {
            if text == "bad" {
                Edit::Deny(denial())
            } else {
                Edit::Hold
            }
        },
        forward,
    ));
    run.content("held").await;
    let outs = run.content("bad").await;
    assert!(
        matches!(
            outs[..],
            [Output::Denied {
                choice: 0,
                stage: StageId(0),
                ..
            }]
        ),
        "{outs:?}"
    );
    assert_eq!(run.content("more").await, []);
    assert_eq!(run.finish().await, []);
    assert_eq!(run.push(1, ChannelKey::Content, "other").await.unwrap(), []);
    run.answer
        .finish(&mut run.script, 1, "stop", &mut run.outs)
        .await
        .unwrap();
    assert_eq!(run.outs, [came(3)]);
}

#[tokio::test]
async fn what_was_let_out_before_a_denial_still_passes_the_later_stages() {
    let mut count = 0;
    let mut run = Run::new(Script::new(vec![
        stage(
            move |_| {
                count += 1;
                if count == 1 {
                    Edit::Hold
                } else {
                    Edit::Forward
                }
            },
            forward,
        ),
        stage(
            |text| {
                if text == "b" {
                    Edit::Deny(denial())
                } else {
                    Edit::Forward
                }
            },
            forward,
        ),
        stage(|_| Edit::Replace("seen".into()), forward),
    ]));
    run.content("a").await;
    let outs = run.content("b").await;
    assert!(
        matches!(&outs[..], [Output::Changed(_, text), Output::Denied { stage: StageId(1), .. }] if text == "seen"),
        "{outs:?}"
    );
}

#[tokio::test]
async fn text_that_another_channel_interrupts_is_one_passage() {
    for other in [
        ChannelKey::Reasoning,
        ChannelKey::Refusal,
        ChannelKey::ToolArguments(0),
    ] {
        // It holds a text until the end and then says what all of it was.
        let mut run = Run::new(Script::of(
            |text| {
                if text == "beside" {
                    Edit::Forward
                } else {
                    Edit::Hold
                }
            },
            |_| Edit::Replace("all".into()),
        ));
        assert_eq!(run.content("jane.doe@").await, []);
        // What is held doesn't hold up the other channel.
        assert_eq!(run.push(0, other, "beside").await.unwrap(), [came(1)]);
        assert_eq!(run.content("example.org").await, []);
        let outs = run.finish().await;
        assert_eq!(outs[..2], [changed(0, ""), changed(2, "all")], "{other:?}");
        assert_eq!(run.script.opened, [ChannelKey::Content, other]);
    }
}

#[tokio::test]
async fn every_channel_ends_with_its_choice_and_hears_how_it_finished() {
    let mut run = Run::new(Script::of(
        |_| Edit::Hold,
        |finish| Edit::Replace(format!("\"{finish}\"")),
    ));
    run.push(0, ChannelKey::Reasoning, "think").await.unwrap();
    run.push(0, ChannelKey::ToolArguments(0), "").await.unwrap();
    run.push(0, ChannelKey::ToolArguments(1), "{}")
        .await
        .unwrap();
    assert_eq!(run.content("say").await, []);
    assert_eq!(run.script.saw[0], ["think", "", "{}", "say"]);
    let all = [0, 1, 2, 3].map(|chunk| changed(chunk, "\"stop\""));
    assert_eq!(run.finish().await, all);
}

#[tokio::test]
async fn arguments_that_an_edit_breaks_are_a_fault_of_the_editor() {
    let mut run = Run::new(Script::of(|_| Edit::Replace("{oops".into()), forward));
    run.push(0, ChannelKey::ToolArguments(0), "{}")
        .await
        .unwrap();
    let end = run
        .answer
        .finish(&mut run.script, 0, "tool_calls", &mut run.outs)
        .await;
    assert!(matches!(end, Err(Aborted(StageId(0)))));
}

#[tokio::test]
async fn arguments_that_were_no_json_before_are_nobodys_fault() {
    let mut run = Run::new(Script::of(|_| Edit::Replace("{oops".into()), forward));
    run.push(0, ChannelKey::ToolArguments(0), "{")
        .await
        .unwrap();
    run.answer
        .finish(&mut run.script, 0, "length", &mut run.outs)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stage_that_is_skipped_lets_go_what_it_held_in_order() {
    let mut count = 0;
    let fails: OnDelta = Box::new(move |_| {
        count += 1;
        if count < 3 {
            Ok(Edit::Hold)
        } else {
            Err(StageFailure::Skip)
        }
    });
    let mut run = Run::new(Script::new(vec![
        (fails, Box::new(forward)),
        stage(forward, forward),
    ]));
    run.content("a").await;
    run.push(1, ChannelKey::Content, "other").await.unwrap();
    assert_eq!(run.content("c").await, [came(0), came(2), came(1)]);
    assert_eq!(run.content("d").await, [came(3)]);
    assert_eq!(run.script.saw[1], ["a", "c", "other", "d"]);
}

#[tokio::test]
async fn stages_that_fail_over_one_opening_are_not_told_what_the_others_held() {
    let mut script = Script::new(vec![
        stage(|_| Edit::Hold, forward),
        stage(forward, forward),
    ]);
    script.fails_to_open = Some(1);
    let mut run = Run::new(script);
    assert_eq!(run.content("a").await, []);
    assert_eq!(
        run.push(1, ChannelKey::Content, "b").await.unwrap(),
        [came(0), came(1)]
    );
    assert_eq!(run.script.saw, [vec!["a"], vec![]]);
}

#[tokio::test]
async fn holding_more_than_it_may_is_a_failure() {
    let mut script = Script::of(|_| Edit::Hold, forward);
    script.limits.bytes = 3;
    let mut run = Run::new(script);
    run.content("abc").await;
    assert!(matches!(
        run.push(0, ChannelKey::Content, "d").await,
        Err(Aborted(StageId(0)))
    ));
}

/// Deltas that come so far apart, each held, until one of them is too late.
async fn held_until(script: Script, apart: Duration) -> Result<(), Aborted> {
    let mut run = Run::new(script);
    for _ in 0..20 {
        run.push(0, ChannelKey::Content, "a").await?;
        tokio::time::advance(apart).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn holding_while_text_flows_for_longer_than_it_may_is_a_failure() {
    for (milliseconds, late) in [(100, false), (110, true), (1_000, true)] {
        let apart = Duration::from_millis(milliseconds);
        let held = held_until(Script::of(|_| Edit::Hold, forward), apart).await;
        assert_eq!(held.is_err(), late, "{apart:?}");
    }
    let lets_go = |_: &str| Edit::HoldLast(1);
    let held = held_until(Script::of(lets_go, forward), Duration::from_secs(1)).await;
    assert_eq!(held, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_upstreams_silence_is_no_failure_of_a_stage_that_holds() {
    let mut run = Run::new(Script::of(
        |text| {
            if text.ends_with('!') {
                Edit::Forward
            } else {
                Edit::Hold
            }
        },
        forward,
    ));
    let silence = || tokio::time::advance(Duration::from_secs(59));
    // Between words, within one, while another channel goes on, and before the finish.
    run.content("jane").await;
    silence().await;
    run.content("@example").await;
    for _ in 0..100 {
        tokio::time::advance(Duration::from_millis(50)).await;
        run.push(0, ChannelKey::Reasoning, "think!").await.unwrap();
    }
    silence().await;
    let outs = run.content(".org!").await;
    assert_eq!(outs, [came(0), came(1), came(102)]);
    run.content("held").await;
    silence().await;
    assert_eq!(run.finish().await, [came(103)]);
}

/// A stage that holds everything, removes what it is asked of at the end, and is skipped where it fails.
fn removes() -> Script {
    let mut script = Script::new(vec![
        stage(|_| Edit::Hold, |_| Edit::Replace("removed".into())),
        stage(forward, forward),
    ]);
    script.too_much = || StageFailure::Skip;
    script.limits.bytes = 6;
    script
}

#[tokio::test]
async fn what_must_go_at_a_limit_goes_with_the_stages_last_word() {
    let mut run = Run::new(removes());
    assert_eq!(run.content("secret").await, []);
    let other = run.push(1, ChannelKey::Content, "too").await.unwrap();
    assert_eq!(other, []);
    assert_eq!(
        run.content("s").await,
        [changed(0, ""), changed(2, "removed"), changed(1, "removed")]
    );
    // It is skipped from there on, and asked no more.
    assert_eq!(run.content("raw").await, [came(3)]);
    assert_eq!(run.finish().await, []);
    assert_eq!(run.script.saw[1], ["removed", "removed", "raw"]);
    assert!(run.script.off[0]);
}

#[tokio::test]
async fn a_stage_has_no_last_word_on_what_has_not_reached_it() {
    let mut script = removes();
    let holds_openings = |text: &str| match text {
        "" => Edit::Hold,
        _ => Edit::Forward,
    };
    script.stages.insert(0, stage(holds_openings, forward));
    script.saw.push(Vec::new());
    script.off.push(false);
    let mut run = Run::new(script);
    let call = ChannelKey::ToolArguments(0);
    assert_eq!(run.push(0, call, "").await.unwrap(), []);
    // The second stage is skipped for what it holds. What it says of the call would come before the call's name.
    assert_eq!(run.content("secrets").await, [changed(1, "removed")]);
    assert_eq!(run.push(0, call, "{}").await.unwrap(), [came(0), came(2)]);
    assert_eq!(run.script.saw[2], ["removed", "", "{}"]);
}

/// It ends the choice that is held, and the stage stays for the others, whatever its failure would mean.
#[tokio::test]
async fn a_last_word_may_be_a_denial() {
    let means: [fn() -> StageFailure; 2] = [
        || StageFailure::Skip,
        || StageFailure::Abort(Aborted(StageId(0))),
    ];
    for too_much in means {
        let mut script = removes();
        script.too_much = too_much;
        let mut asked = 0;
        script.stages[0].1 = Box::new(move |_| {
            asked += 1;
            match asked {
                1 => Edit::Deny(denial()),
                _ => Edit::Replace("removed".into()),
            }
        });
        let mut run = Run::new(script);
        run.content("secret").await;
        run.push(1, ChannelKey::Content, "too").await.unwrap();
        let denied = Output::Denied {
            choice: 0,
            stage: StageId(0),
            denial: denial(),
        };
        assert_eq!(run.content("s").await, [denied]);
        assert!(!run.script.off[0]);
        // One that has begun is held on, and one that begins is seen.
        assert_eq!(run.push(1, ChannelKey::Content, "!").await.unwrap(), []);
        assert_eq!(run.push(2, ChannelKey::Content, "raw").await.unwrap(), []);
        let finished = run.answer.finish(&mut run.script, 1, "stop", &mut run.outs);
        finished.await.unwrap();
        assert_eq!(
            std::mem::take(&mut run.outs),
            [changed(1, ""), changed(3, "removed")]
        );
        assert_eq!(run.script.saw[0], ["secret", "too", "s", "!", "raw"]);
    }
}

/// What a scripted stage does, drawn at random.
fn edits() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(0u8..7, 1..12), 1..4)
}

fn drawn(script: Vec<u8>) -> (OnDelta, OnEnd) {
    let mut at = 0;
    let mut next = move || {
        at += 1;
        script[(at - 1) % script.len()]
    };
    let mut end = next.clone();
    let delta = move |text: &str| match next() {
        0 | 1 => Edit::Forward,
        2 | 3 => Edit::Hold,
        4 => Edit::HoldLast((text.len() / 2) as u32),
        5 => Edit::Replace(format!("<{text}>")),
        _ => Edit::Replace(String::new()),
    };
    stage(delta, move |_| {
        if end() < 4 {
            Edit::Forward
        } else {
            Edit::Replace("end".into())
        }
    })
}

proptest! {
    /// However stages edit: each place comes out once, and texts in order within their channel.
    #[test]
    fn every_place_comes_out_once_and_texts_in_order(
        scripts in edits(),
        deltas in prop::collection::vec((0u32..2, 0u32..3, "[a-z]{1,4}"), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new(Script::new(scripts.into_iter().map(drawn).collect()));
            let mut keys = HashMap::new();
            let mut outs = Vec::new();
            for (choice, channel, text) in deltas {
                let key = [ChannelKey::Reasoning, ChannelKey::Content, ChannelKey::ToolArguments(0)][channel as usize];
                keys.insert(run.next, (choice, key));
                match run.push(choice, key, &text).await {
                    Ok(out) => outs.extend(out),
                    // Broken arguments end an exchange: fine, and nothing more is promised.
                    Err(_) => return,
                }
            }
            for choice in 0..2 {
                if run.answer.finish(&mut run.script, choice, "stop", &mut run.outs).await.is_err() {
                    return;
                }
            }
            outs.append(&mut run.outs);
            let mut last: HashMap<(u32, ChannelKey), u64> = HashMap::new();
            let mut seen = 0;
            for out in &outs {
                let (Output::AsCame(place) | Output::Changed(place, _)) = out else { continue };
                seen += 1;
                // A place that was emptied waits for nothing, and so may come before one that is held.
                if matches!(out, Output::Changed(_, text) if text.is_empty()) {
                    continue;
                }
                let before = last.insert(keys[&place.chunk], place.chunk);
                assert!(before.is_none_or(|before| before < place.chunk), "{outs:?}");
            }
            assert_eq!(seen, run.next, "{outs:?}");
        });
    }
}

/// What the stage before holds came after the end; the one behind is told of it, and nothing more comes.
#[tokio::test]
async fn a_stage_ends_a_choice_as_the_model_would() {
    let before = stage(
        |text| match text {
            "stop" => Edit::Hold,
            "after" => Edit::HoldLast(5),
            _ => Edit::Forward,
        },
        |_| panic!("what it holds came after the end"),
    );
    let finishing = stage(
        |text| match text {
            "stop" => Edit::Finish("end".into()),
            _ => Edit::Hold,
        },
        |_| panic!("it has said its last"),
    );
    let behind = stage(forward, |finish| Edit::Replace(format!("[{finish}]")));
    let mut run = Run::new(Script::new(vec![before, finishing, behind]));
    assert_eq!(run.content("a").await, []);
    assert_eq!(run.content("stop").await, []);
    let added = Output::Added {
        choice: 0,
        channel: ChannelKey::Content,
        text: "[stop]".into(),
    };
    let finished = Output::Finished { choice: 0 };
    assert_eq!(
        run.content("after").await,
        [changed(0, ""), changed(1, "end"), added, finished]
    );
    assert_eq!(run.content("more").await, []);
    assert_eq!(run.finish().await, []);
}

#[tokio::test]
async fn other_channels_of_a_choice_end_with_it_and_other_choices_go_on() {
    let mut run = Run::new(Script::of(
        |text| match text {
            "stop" => Edit::Finish(String::new()),
            "thought" => Edit::Hold,
            _ => Edit::Forward,
        },
        |finish| Edit::Replace(format!("[{finish}]")),
    ));
    let thought = run.push(0, ChannelKey::Reasoning, "thought").await;
    assert_eq!(thought.unwrap(), []);
    let other = run.push(1, ChannelKey::Content, "a").await;
    assert_eq!(other.unwrap(), [came(1)]);
    let finished = Output::Finished { choice: 0 };
    assert_eq!(
        run.content("stop").await,
        [changed(2, ""), changed(0, "[stop]"), finished]
    );
    let other = run.push(1, ChannelKey::Content, "b").await;
    assert_eq!(other.unwrap(), [came(3)]);
}

#[tokio::test]
async fn the_arguments_of_a_call_are_not_broken_off() {
    let mut run = Run::new(Script::of(|_| Edit::Finish("}".into()), forward));
    let outs = run.push(0, ChannelKey::ToolArguments(0), "{").await;
    assert_eq!(outs.unwrap(), [came(0)]);
    let misuse = run.script.misuse.as_deref();
    assert!(
        misuse.is_some_and(|it| it.contains("tool call")),
        "{misuse:?}"
    );
}

/// What a stage held goes on because it fails over another channel's opening: nothing of that channel goes behind the finish.
#[tokio::test]
async fn a_channel_over_whose_opening_a_choice_is_finished_does_not_begin() {
    for key in [ChannelKey::Reasoning, ChannelKey::ToolArguments(0)] {
        let holds = stage(|_| Edit::Hold, |_| panic!("it has failed"));
        let finishes = stage(
            |text| match text {
                "stop" => Edit::Finish("end".into()),
                _ => Edit::Forward,
            },
            forward,
        );
        let mut script = Script::new(vec![holds, finishes]);
        script.fails_alone = true;
        let mut run = Run::new(script);
        assert_eq!(run.content("stop").await, []);
        run.script.fails_to_open = Some(0);
        let finished = Output::Finished { choice: 0 };
        assert_eq!(
            run.push(0, key, "{}").await.unwrap(),
            [changed(0, "end"), finished]
        );
    }
}

/// The text that it denies came after the finish, as it would where the two came one after the other.
#[tokio::test]
async fn a_denial_of_text_behind_a_finish_is_none() {
    let releases = stage(
        |text| match text {
            "first" => Edit::Hold,
            _ => Edit::Forward,
        },
        forward,
    );
    let denies = stage(
        |text| match text {
            "second" => Edit::Deny(denial()),
            _ => Edit::Forward,
        },
        forward,
    );
    let finishes = stage(|_| Edit::Finish("end".into()), forward);
    let mut run = Run::new(Script::new(vec![releases, denies, finishes]));
    assert_eq!(run.content("first").await, []);
    let finished = Output::Finished { choice: 0 };
    assert_eq!(run.content("second").await, [changed(0, "end"), finished]);
}
