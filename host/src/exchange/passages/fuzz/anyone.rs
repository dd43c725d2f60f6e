//! Stages that do anything, and a ledger of what went in and what came out.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;

use crate::policy::types::Replacement;

use super::*;

/// Stages that read their part from the script.
pub(in crate::exchange) struct Anyone<'s> {
    pub(in crate::exchange) script: Unstructured<'s>,
    stages: Vec<StageScript>,
    /// Tool calls, by stage and passage, that were told to it.
    opened: BTreeSet<(usize, u64)>,
    /// Choices that they finished.
    pub(in crate::exchange) finished: BTreeSet<u32>,
    passages: u64,
}

/// One of them.
struct StageScript {
    limits: HoldLimits,
    /// What its failure means.
    skips: bool,
    off: bool,
}

/// A passage knows whether it is a tool call's, and goes by number.
pub(in crate::exchange) struct Passage {
    number: u64,
    choice: u32,
    tool: bool,
}

impl Anyone<'_> {
    fn fails(&mut self, at: usize) -> StageFailure {
        let stage = &mut self.stages[at];
        assert!(!stage.off, "stage {at} was skipped and failed again");
        stage.off = true;
        if stage.skips {
            StageFailure::Skip
        } else {
            StageFailure::Abort(Aborted(StageId(at)))
        }
    }

    fn text(&mut self) -> String {
        let length = next(&mut self.script, 5);
        (0..length)
            .map(|_| char::from(b'a' + next(&mut self.script, 26)))
            .collect()
    }

    fn edit(&mut self, at: usize) -> Result<Edit, StageFailure> {
        Ok(match next(&mut self.script, 20) {
            0..=4 => Edit::Forward,
            5..=8 => Edit::Hold,
            9 | 10 => Edit::HoldLast(next(&mut self.script, 16).into()),
            11 => Edit::HoldLast(self.script.arbitrary().unwrap_or(u32::MAX)),
            12 | 13 => Edit::Replace(self.text()),
            14 => return Err(self.fails(at)),
            16 | 17 => Edit::ReplaceAndHoldLast(Replacement {
                text: self.text(),
                held: next(&mut self.script, 16).into(),
            }),
            18 | 19 => Edit::Finish(self.text()),
            _ => Edit::Deny(Denial {
                code: String::new(),
                message: String::new(),
                status: None,
                retry_after: None,
            }),
        })
    }
}

impl AnswerStages for Anyone<'_> {
    type Passage = Passage;

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

    fn hold_limits(&self, at: usize) -> HoldLimits {
        self.stages[at].limits
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<Passage>, StageFailure> {
        if self.stages[at].off {
            return Ok(None);
        }
        match next(&mut self.script, 12) {
            0 => Err(self.fails(at)),
            1 => Ok(None),
            _ => {
                self.passages += 1;
                Ok(Some(Passage {
                    number: self.passages,
                    choice,
                    tool: matches!(channel, Channel::ToolArguments(_)),
                }))
            }
        }
    }

    async fn on_delta(
        &mut self,
        at: usize,
        passage: &Passage,
        text: &str,
    ) -> Result<Edit, StageFailure> {
        assert!(!self.stages[at].off, "stage {at} was skipped and is told");
        let opens = passage.tool && self.opened.insert((at, passage.number));
        assert!(opens || !text.is_empty(), "stage {at} is told nothing");
        let edit = self.edit(at)?;
        if matches!(edit, Edit::Finish(_)) && !passage.tool {
            self.finished.insert(passage.choice);
        }
        Ok(edit)
    }

    async fn on_end(&mut self, at: usize, _: Passage, _: &str) -> Result<Edit, StageFailure> {
        assert!(!self.stages[at].off, "stage {at} was skipped and is told");
        self.edit(at)
    }

    fn held_too_much(&mut self, at: usize, _: String) -> StageFailure {
        self.fails(at)
    }

    fn misused(&mut self, at: usize, _: String) -> StageFailure {
        self.fails(at)
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        // It may have been skipped since for something else.
        self.stages[at].off = false;
        self.fails(at)
    }

    fn denied(&mut self, _: StageId, _: u32, _: &Denial) {}
}

/// What went in and what came out, place by place.
#[derive(Default)]
struct Ledger {
    /// Choice, channel and text of each place, by chunk.
    went_in: Vec<(u32, ChannelKey, String)>,
    came_out: BTreeSet<u64>,
    /// The last place that came out with its text, by choice and channel.
    last: BTreeMap<(u32, ChannelKey), u64>,
    /// Choices that stages denied or finished.
    ended: BTreeSet<u32>,
}

impl Ledger {
    fn take(&mut self, outs: Vec<Output>) {
        for out in outs {
            let choice = match &out {
                Output::AsCame(place) | Output::Changed(place, _) => {
                    let (choice, key, came) = &self.went_in[place.chunk as usize];
                    assert!(
                        self.came_out.insert(place.chunk),
                        "{place:?} came out twice"
                    );
                    // A place with no text waits for nothing, and so may come before one that is held.
                    let text = match &out {
                        Output::Changed(_, text) => text,
                        _ => came,
                    };
                    if !text.is_empty() {
                        let before = self.last.insert((*choice, *key), place.chunk);
                        let in_order = before.is_none_or(|before| before < place.chunk);
                        assert!(in_order, "{place:?} came out after {before:?}");
                    }
                    *choice
                }
                Output::Added { choice, text, .. } => {
                    assert!(!text.is_empty(), "nothing was added");
                    *choice
                }
                Output::Denied { choice, .. } | Output::Finished { choice } => *choice,
            };
            assert!(!self.ended.contains(&choice), "{out:?} after the end");
            if matches!(out, Output::Denied { .. } | Output::Finished { .. }) {
                self.ended.insert(choice);
            }
        }
    }

    /// Places of choices that no stage ended, still inside.
    fn inside(&self, of: Option<u32>) -> usize {
        let places = self.went_in.iter().zip(0_u64..);
        places
            .filter(|((choice, ..), _)| of.is_none_or(|of| of == *choice))
            .filter(|((choice, ..), chunk)| {
                !self.ended.contains(choice) && !self.came_out.contains(chunk)
            })
            .count()
    }
}

impl<'s> Anyone<'s> {
    /// One to five stages; what each may hold and what its failure means, the script says.
    pub(in crate::exchange) fn draw(mut script: Unstructured<'s>) -> Self {
        let stages = (0..=next(&mut script, 4))
            .map(|_| StageScript {
                limits: HoldLimits {
                    bytes: next(&mut script, 40).into(),
                    time: Duration::from_millis(u64::from(next(&mut script, 8)) + 1),
                },
                skips: next(&mut script, 4) > 0,
                off: false,
            })
            .collect();
        Anyone {
            script,
            stages,
            opened: BTreeSet::new(),
            finished: BTreeSet::new(),
            passages: 0,
        }
    }
}

pub(super) async fn run(script: Unstructured<'_>) {
    let mut stages = Anyone::draw(script);
    let mut answer = Passages::new();
    let mut ledger = Ledger::default();
    for _ in 0..STEPS {
        if stages.script.is_empty() {
            break;
        }
        let mut outs = Vec::new();
        let step = next(&mut stages.script, 16);
        let finished = match step {
            0..=12 => {
                let choice = u32::from(next(&mut stages.script, 3));
                let key = key(next(&mut stages.script, 5));
                let text = match key {
                    ChannelKey::ToolArguments(_) => {
                        ["", "{}", "{", "}", "1"][usize::from(step % 5)].to_owned()
                    }
                    _ => format!("{}.", stages.text()),
                };
                let delta = Delta {
                    choice,
                    channel: &Channel::from(key),
                    place: Some(place(ledger.went_in.len() as u64)),
                    text: text.clone().into(),
                };
                ledger.went_in.push((choice, key, text));
                answer.push(&mut stages, delta, &mut outs).await
            }
            13 => {
                let choice = u32::from(next(&mut stages.script, 3));
                let finished = answer.finish(&mut stages, choice, "stop", &mut outs).await;
                ledger.take(std::mem::take(&mut outs));
                if finished.is_ok() {
                    assert_eq!(ledger.inside(Some(choice)), 0, "choice {choice} is over");
                }
                finished
            }
            _ => {
                let passed = u64::from(next(&mut stages.script, 12));
                tokio::time::advance(Duration::from_millis(passed)).await;
                Ok(())
            }
        };
        ledger.take(outs);
        if finished.is_err() {
            // The exchange is over.
            return;
        }
    }
    let mut outs = Vec::new();
    let finished = answer.finish_all(&mut stages, &mut outs).await;
    ledger.take(outs);
    if finished.is_ok() {
        assert_eq!(ledger.inside(None), 0, "lost");
    }
}
