//! Stages that rewrite a text, and what must come of it.

use std::collections::BTreeMap;

use arbitrary::Unstructured;

use crate::policy::types::Replacement;

use super::*;

/// What a rewriter makes of a channel's whole text.
#[derive(Clone, Copy)]
pub(in crate::exchange) enum Rule {
    Same,
    /// The same text, and not always as it came: parts of it are put in their own place.
    Retyped,
    Upper,
    WithoutVowels,
    /// Every "ab" becomes "Z", also one that was cut.
    Pairs,
    Appends,
}

impl Rule {
    fn of(self, text: &str) -> String {
        match self {
            Rule::Same | Rule::Retyped => text.to_owned(),
            Rule::Upper => text.to_uppercase(),
            Rule::WithoutVowels => text.replace(['a', 'e', 'A', 'E'], ""),
            Rule::Pairs => text.replace("ab", "Z"),
            Rule::Appends => format!("{text}!"),
        }
    }
}

/// Stages with a rule each. When to hold and for how long, the script says. One that retypes may fail at any time: what it
/// held isn't lost.
pub(in crate::exchange) struct Rewriters<'s> {
    script: Unstructured<'s>,
    rules: Vec<Rule>,
    /// The stages that failed, and were skipped.
    off: Vec<usize>,
    /// By stage and channel: what it holds, and what it took back from the end of what it let out.
    held: BTreeMap<(usize, (u32, ChannelKey)), (String, String)>,
}

impl AnswerStages for Rewriters<'_> {
    /// The channel, and its choice.
    type Passage = (u32, ChannelKey);

    fn count(&self) -> usize {
        self.rules.len()
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
        HoldLimits {
            bytes: u64::MAX,
            time: Duration::from_secs(1),
        }
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<Self::Passage>, StageFailure> {
        if self.off.contains(&at) {
            return Ok(None);
        }
        let passage = (choice, channel.key());
        let before = self.held.insert((at, passage), Default::default());
        assert!(before.is_none(), "a channel begins twice");
        Ok(Some(passage))
    }

    async fn on_delta(
        &mut self,
        at: usize,
        passage: &Self::Passage,
        text: &str,
    ) -> Result<Edit, StageFailure> {
        let rule = self.rules[at];
        let draw = next(&mut self.script, 8);
        let (held, carried) = self.held.get_mut(&(at, *passage)).expect("it was opened");
        if matches!(rule, Rule::Same) {
            return Ok(match draw {
                0 | 1 => Edit::Forward,
                2 | 3 => Edit::Hold,
                4 | 5 => Edit::HoldLast(next(&mut self.script, 12).into()),
                _ => Edit::HoldLast(self.script.arbitrary().unwrap_or(0)),
            });
        }
        if matches!(rule, Rule::Retyped) {
            held.push_str(text);
            return Ok(match draw {
                0 => {
                    held.clear();
                    Edit::Forward
                }
                1 => Edit::Hold,
                2 if next(&mut self.script, 4) == 0 => {
                    self.off.push(at);
                    self.held.retain(|(of, _), _| *of != at);
                    return Err(StageFailure::Skip);
                }
                2 | 3 => {
                    let open = usize::from(next(&mut self.script, 12)).min(held.len());
                    let open = held.floor_char_boundary(held.len() - open);
                    let open = held.split_off(open);
                    let text = std::mem::replace(held, open);
                    let held = held.len() as u32;
                    Edit::ReplaceAndHoldLast(Replacement { text, held })
                }
                4 => Edit::HoldLast(u32::MAX),
                // All goes, in one way or the other.
                5 => {
                    held.clear();
                    Edit::HoldLast(0)
                }
                _ => Edit::Replace(std::mem::take(held)),
            });
        }
        held.push_str(text);
        if draw < 2 {
            return Ok(Edit::Hold);
        }
        if draw == 7 && matches!(rule, Rule::Pairs) && carried.is_empty() {
            let open = if held.ends_with('a') { "a" } else { "" };
            let decided = rule.of(&held[..held.len() - open.len()]);
            open.clone_into(held);
            return Ok(Edit::ReplaceAndHoldLast(Replacement {
                text: decided,
                held: open.len() as u32,
            }));
        }
        let mut all = std::mem::take(carried) + &std::mem::take(held);
        if matches!(rule, Rule::Pairs) && all.ends_with('a') {
            // Its other half may come.
            all.pop();
            carried.push('a');
        }
        let rule = if matches!(rule, Rule::Appends) {
            Rule::Same
        } else {
            rule
        };
        Ok(Edit::Replace(rule.of(&all)))
    }

    async fn on_end(
        &mut self,
        at: usize,
        passage: Self::Passage,
        _: &str,
    ) -> Result<Edit, StageFailure> {
        let rule = self.rules[at];
        let (held, carried) = self.held.remove(&(at, passage)).expect("it was opened");
        Ok(match rule {
            Rule::Same | Rule::Retyped => Edit::Forward,
            rule => Edit::Replace(rule.of(&(carried + &held))),
        })
    }

    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure {
        panic!("stage {at} {why}")
    }

    fn misused(&mut self, at: usize, why: String) -> StageFailure {
        panic!("stage {at} {why}")
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        panic!("stage {at} broke what are no arguments")
    }

    fn denied(&mut self, _: StageId, _: u32, _: &Denial) {}
}

/// One to five rules.
pub(in crate::exchange) fn draw(script: &mut Unstructured<'_>) -> Vec<Rule> {
    let rules = [
        Rule::Same,
        Rule::Retyped,
        Rule::Upper,
        Rule::WithoutVowels,
        Rule::Pairs,
        Rule::Appends,
    ];
    (0..=next(script, 4))
        .map(|_| rules[usize::from(next(script, 6))])
        .collect()
}

/// What the rules make of a channel's whole text.
pub(in crate::exchange) fn applied(rules: &[Rule], text: String) -> String {
    rules.iter().fold(text, |text, rule| rule.of(&text))
}

impl<'s> Rewriters<'s> {
    pub(in crate::exchange) fn new(script: Unstructured<'s>, rules: &[Rule]) -> Self {
        Rewriters {
            script,
            rules: rules.to_vec(),
            off: Vec::new(),
            held: BTreeMap::new(),
        }
    }
}

pub(super) async fn run(mut script: Unstructured<'_>) {
    let rules = draw(&mut script);
    let mut stages = Rewriters::new(script, &rules);
    let mut answer = Passages::new();
    let mut outs = Vec::new();
    let mut pieces: Vec<(u32, ChannelKey, String)> = Vec::new();
    for _ in 0..STEPS {
        if stages.script.is_empty() {
            break;
        }
        let draw = next(&mut stages.script, 64);
        let (choice, key) = (u32::from(draw % 2), key(u8::from(draw > 48)));
        let length = next(&mut stages.script, 4);
        let text: String = (0..=length)
            .map(|_| char::from(b'a' + next(&mut stages.script, 6)))
            .collect();
        let delta = Delta {
            choice,
            channel: &Channel::from(key),
            place: Some(place(pieces.len() as u64)),
            text: Cow::Borrowed(&text),
        };
        let pushed = answer.push(&mut stages, delta, &mut outs).await;
        pushed.expect("nobody fails");
        pieces.push((choice, key, text));
    }
    let finished = answer.finish_all(&mut stages, &mut outs).await;
    finished.expect("nobody fails");

    let mut said: BTreeMap<(u32, ChannelKey), String> = BTreeMap::new();
    for out in &outs {
        let (choice, key, text) = match out {
            Output::AsCame(place) => {
                let (choice, key, text) = &pieces[place.chunk as usize];
                (*choice, *key, text)
            }
            Output::Changed(place, text) => {
                let (choice, key, _) = &pieces[place.chunk as usize];
                (*choice, *key, text)
            }
            Output::Added {
                choice,
                channel,
                text,
            } => (*choice, *channel, text),
            Output::Denied { .. } | Output::Finished { .. } => panic!("nobody denies"),
        };
        said.entry((choice, key)).or_default().push_str(text);
    }
    said.retain(|_, text| !text.is_empty());
    assert_eq!(said, rewritten(&rules, &pieces));
}

/// What comes out by the rules alone, by choice and channel.
fn rewritten(
    rules: &[Rule],
    pieces: &[(u32, ChannelKey, String)],
) -> BTreeMap<(u32, ChannelKey), String> {
    let mut said: BTreeMap<(u32, ChannelKey), String> = BTreeMap::new();
    for (choice, key, text) in pieces {
        // A choice without any content has an empty one.
        said.entry((*choice, ChannelKey::Content)).or_default();
        said.entry((*choice, *key)).or_default().push_str(text);
    }
    for text in said.values_mut() {
        *text = applied(rules, std::mem::take(text));
    }
    said.retain(|_, text| !text.is_empty());
    said
}
