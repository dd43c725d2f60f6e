//! Holding back, with stages that do what bytes say.
//!
//! Two ways to look at it. `anything`: stages edit, fail and deny as they like; what must stay true of places is checked after
//! every step. `rewriters`: stages whose output is a function of the text alone, however they hold; then so is what comes out,
//! wherever the text was cut.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;
use tokio::runtime::Builder;

use super::*;

/// More steps than this find nothing new.
const STEPS: usize = 400;

/// The first byte says which of the two ways, the rest is the script.
pub(crate) fn hold_back(data: &[u8]) {
    let Some((way, script)) = data.split_first() else {
        return;
    };
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    let script = Unstructured::new(script);
    match way % 2 {
        0 => runtime.block_on(anything(script)),
        _ => runtime.block_on(rewriters(script)),
    }
}

/// The next number of the script, below `end`; 0 once the script is over.
fn next(script: &mut Unstructured<'_>, end: u8) -> u8 {
    script.arbitrary::<u8>().unwrap_or(0) % end
}

fn lane(number: u8) -> Lane {
    match number {
        0 => Lane::Content,
        1 => Lane::Reasoning,
        2 => Lane::Refusal,
        call => Lane::Tool(u32::from(call) - 3),
    }
}

/// A number for a lane, for maps.
fn number(lane: Lane) -> u32 {
    match lane {
        Lane::Content => 0,
        Lane::Reasoning => 1,
        Lane::Refusal => 2,
        Lane::Tool(call) => call + 3,
    }
}

fn place(chunk: u64) -> Place {
    Place { chunk, piece: 0 }
}

/// Stages that read their part from the script.
struct Anyone<'s> {
    script: Unstructured<'s>,
    stages: Vec<Mood>,
    /// Tool calls, by stage and passage, that were told to it.
    opened: BTreeSet<(usize, u64)>,
    passages: u64,
}

/// One of them.
struct Mood {
    limits: HoldLimits,
    /// What its failure means.
    skips: bool,
    off: bool,
}

/// A passage knows whether it is a tool call's, and goes by number.
struct Passage {
    number: u64,
    tool: bool,
}

impl Anyone<'_> {
    fn fails(&mut self, at: usize) -> Fault {
        let stage = &mut self.stages[at];
        assert!(!stage.off, "stage {at} was skipped and failed again");
        stage.off = true;
        if stage.skips {
            Fault::Skip
        } else {
            Fault::End(at)
        }
    }

    fn text(&mut self) -> String {
        let length = next(&mut self.script, 5);
        (0..length)
            .map(|_| char::from(b'a' + next(&mut self.script, 26)))
            .collect()
    }

    fn edit(&mut self, at: usize) -> Result<Edit, Fault> {
        Ok(match next(&mut self.script, 16) {
            0..=4 => Edit::Forward,
            5..=8 => Edit::Hold,
            9 | 10 => Edit::HoldLast(next(&mut self.script, 16).into()),
            11 => Edit::HoldLast(self.script.arbitrary().unwrap_or(u32::MAX)),
            12 | 13 => Edit::Replace(self.text()),
            14 => return Err(self.fails(at)),
            _ => Edit::Deny(Denial {
                code: String::new(),
                message: String::new(),
                status: None,
                retry_after: None,
            }),
        })
    }
}

impl Stages for Anyone<'_> {
    type Passage = Passage;

    fn count(&self) -> usize {
        self.stages.len()
    }

    fn index(&self, at: usize) -> usize {
        at
    }

    fn hold_limits(&self, at: usize) -> HoldLimits {
        self.stages[at].limits
    }

    async fn on_answer(
        &mut self,
        at: usize,
        _: u32,
        channel: &Channel,
    ) -> Result<Option<Passage>, Fault> {
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
                    tool: matches!(channel, Channel::ToolArguments(_)),
                }))
            }
        }
    }

    async fn on_delta(&mut self, at: usize, passage: &Passage, text: &str) -> Result<Edit, Fault> {
        assert!(!self.stages[at].off, "stage {at} was skipped and is told");
        let opens = passage.tool && self.opened.insert((at, passage.number));
        assert!(opens || !text.is_empty(), "stage {at} is told nothing");
        self.edit(at)
    }

    async fn on_end(&mut self, at: usize, _: Passage, _: &str) -> Result<Edit, Fault> {
        assert!(!self.stages[at].off, "stage {at} was skipped and is told");
        self.edit(at)
    }

    fn held_too_much(&mut self, at: usize, _: String) -> Fault {
        self.fails(at)
    }

    fn broke_arguments(&mut self, at: usize) -> Fault {
        // It may have been skipped since for something else.
        self.stages[at].off = false;
        self.fails(at)
    }
}

/// What went in and what came out, place by place.
#[derive(Default)]
struct Ledger {
    /// Choice, lane and text of each place, by chunk.
    went_in: Vec<(u32, Lane, String)>,
    came_out: BTreeSet<u64>,
    /// The last place that came out with its text, by choice and lane.
    last: BTreeMap<(u32, u32), u64>,
    denied: BTreeSet<u32>,
}

impl Ledger {
    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            let choice = match &out {
                Out::AsCame(place) | Out::Changed(place, _) => {
                    let (choice, lane, came) = &self.went_in[place.chunk as usize];
                    assert!(
                        self.came_out.insert(place.chunk),
                        "{place:?} came out twice"
                    );
                    // A place with no text waits for nothing, and so may come before one that is held.
                    let text = match &out {
                        Out::Changed(_, text) => text,
                        _ => came,
                    };
                    if !text.is_empty() {
                        let before = self.last.insert((*choice, number(*lane)), place.chunk);
                        let in_order = before.is_none_or(|before| before < place.chunk);
                        assert!(in_order, "{place:?} came out after {before:?}");
                    }
                    *choice
                }
                Out::Added { choice, text, .. } => {
                    assert!(!text.is_empty(), "nothing was added");
                    *choice
                }
                Out::Denied { choice, .. } => *choice,
            };
            assert!(!self.denied.contains(&choice), "{out:?} after the denial");
            if matches!(out, Out::Denied { .. }) {
                self.denied.insert(choice);
            }
        }
    }

    /// Places of choices that weren't denied, still inside.
    fn inside(&self, of: Option<u32>) -> usize {
        let places = self.went_in.iter().zip(0_u64..);
        places
            .filter(|((choice, ..), _)| of.is_none_or(|of| of == *choice))
            .filter(|((choice, ..), chunk)| {
                !self.denied.contains(choice) && !self.came_out.contains(chunk)
            })
            .count()
    }
}

async fn anything(mut script: Unstructured<'_>) {
    let stages = (0..=next(&mut script, 4))
        .map(|_| Mood {
            limits: HoldLimits {
                bytes: next(&mut script, 40).into(),
                time: Duration::from_millis(u64::from(next(&mut script, 8)) + 1),
            },
            skips: next(&mut script, 4) > 0,
            off: false,
        })
        .collect();
    let mut stages = Anyone {
        script,
        stages,
        opened: BTreeSet::new(),
        passages: 0,
    };
    let mut answer = Answer::new();
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
                let lane = lane(next(&mut stages.script, 5));
                let text = match lane {
                    Lane::Tool(_) => ["", "{}", "{", "}", "1"][usize::from(step % 5)].to_owned(),
                    _ => format!("{}.", stages.text()),
                };
                let delta = Delta {
                    choice,
                    lane,
                    place: Some(place(ledger.went_in.len() as u64)),
                    text: text.clone().into(),
                };
                ledger.went_in.push((choice, lane, text));
                let channel = || match lane {
                    Lane::Tool(_) => Channel::ToolArguments(crate::policy::types::ToolCall {
                        index: 0,
                        id: String::new(),
                        name: String::new(),
                    }),
                    _ => Channel::Content,
                };
                answer.push(&mut stages, delta, channel, &mut outs).await
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
                let now = Instant::now();
                let expired = answer.expire(&mut stages, now, &mut outs).await;
                if expired.is_ok() {
                    assert!(answer.expiry().is_none_or(|expiry| expiry > now));
                }
                expired
            }
        };
        ledger.take(outs);
        if let Err(fault) = finished {
            assert!(matches!(fault, Fault::End(_)), "a skip ends nothing");
            // The exchange is over.
            return;
        }
        let denied = answer.denied_choices().into_iter().collect();
        assert_eq!(ledger.denied, denied);
        assert!(
            answer.expiry().is_some() || ledger.inside(None) == 0,
            "held for ever"
        );
    }
    let mut outs = Vec::new();
    let finished = answer.finish_all(&mut stages, &mut outs).await;
    ledger.take(outs);
    if finished.is_ok() {
        assert_eq!(ledger.inside(None), 0, "lost");
        assert_eq!(answer.expiry(), None);
    }
}

/// What a rewriter makes of a channel's whole text.
#[derive(Clone, Copy)]
enum Rule {
    Same,
    Upper,
    WithoutVowels,
    /// Every "ab" becomes "Z", also one that was cut.
    Pairs,
    Appends,
}

impl Rule {
    fn of(self, text: &str) -> String {
        match self {
            Rule::Same => text.to_owned(),
            Rule::Upper => text.to_uppercase(),
            Rule::WithoutVowels => text.replace(['a', 'e', 'A', 'E'], ""),
            Rule::Pairs => text.replace("ab", "Z"),
            Rule::Appends => format!("{text}!"),
        }
    }
}

/// Stages with a rule each. When to hold and for how long, the script says.
struct Rewriters<'s> {
    script: Unstructured<'s>,
    rules: Vec<Rule>,
    /// By stage and choice: what it holds, and what it took back from the end of what it let out.
    held: BTreeMap<(usize, u32), (String, String)>,
}

impl Stages for Rewriters<'_> {
    /// The choice: each has one channel open.
    type Passage = u32;

    fn count(&self) -> usize {
        self.rules.len()
    }

    fn index(&self, at: usize) -> usize {
        at
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
        _: &Channel,
    ) -> Result<Option<u32>, Fault> {
        let before = self.held.insert((at, choice), Default::default());
        assert!(
            before.is_none(),
            "a channel begins before the last one has ended"
        );
        Ok(Some(choice))
    }

    async fn on_delta(&mut self, at: usize, choice: &u32, text: &str) -> Result<Edit, Fault> {
        let rule = self.rules[at];
        let draw = next(&mut self.script, 4);
        let (held, carried) = self.held.get_mut(&(at, *choice)).expect("it was opened");
        if matches!(rule, Rule::Same) {
            return Ok(match draw {
                0 => Edit::Forward,
                1 => Edit::Hold,
                2 => Edit::HoldLast(next(&mut self.script, 12).into()),
                _ => Edit::HoldLast(self.script.arbitrary().unwrap_or(0)),
            });
        }
        held.push_str(text);
        if draw == 0 {
            return Ok(Edit::Hold);
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

    async fn on_end(&mut self, at: usize, choice: u32, _: &str) -> Result<Edit, Fault> {
        let rule = self.rules[at];
        let (held, carried) = self.held.remove(&(at, choice)).expect("it was opened");
        Ok(match rule {
            Rule::Same => Edit::Forward,
            rule => Edit::Replace(rule.of(&(carried + &held))),
        })
    }

    fn held_too_much(&mut self, at: usize, why: String) -> Fault {
        panic!("stage {at} {why}")
    }

    fn broke_arguments(&mut self, at: usize) -> Fault {
        panic!("stage {at} broke what are no arguments")
    }
}

async fn rewriters(mut script: Unstructured<'_>) {
    let rules = [
        Rule::Same,
        Rule::Upper,
        Rule::WithoutVowels,
        Rule::Pairs,
        Rule::Appends,
    ];
    let rules: Vec<Rule> = (0..=next(&mut script, 4))
        .map(|_| rules[usize::from(next(&mut script, 5))])
        .collect();
    let mut stages = Rewriters {
        script,
        rules: rules.clone(),
        held: BTreeMap::new(),
    };
    let mut answer = Answer::new();
    let mut outs = Vec::new();
    let mut pieces: Vec<(u32, Lane, String)> = Vec::new();
    for _ in 0..STEPS {
        if stages.script.is_empty() {
            break;
        }
        let draw = next(&mut stages.script, 64);
        let (choice, lane) = (u32::from(draw % 2), lane(u8::from(draw > 48)));
        let length = next(&mut stages.script, 4);
        let text: String = (0..=length)
            .map(|_| char::from(b'a' + next(&mut stages.script, 6)))
            .collect();
        let delta = Delta {
            choice,
            lane,
            place: Some(place(pieces.len() as u64)),
            text: Cow::Borrowed(&text),
        };
        let channel = || Channel::Content;
        let pushed = answer.push(&mut stages, delta, channel, &mut outs).await;
        pushed.expect("nobody fails");
        pieces.push((choice, lane, text));
    }
    let finished = answer.finish_all(&mut stages, &mut outs).await;
    finished.expect("nobody fails");

    let mut said: BTreeMap<(u32, u32), String> = BTreeMap::new();
    for out in &outs {
        let (choice, lane, text) = match out {
            Out::AsCame(place) => {
                let (choice, lane, text) = &pieces[place.chunk as usize];
                (*choice, *lane, text)
            }
            Out::Changed(place, text) => {
                let (choice, lane, _) = &pieces[place.chunk as usize];
                (*choice, *lane, text)
            }
            Out::Added { choice, lane, text } => (*choice, *lane, text),
            Out::Denied { .. } => panic!("nobody denies"),
        };
        said.entry((choice, number(lane)))
            .or_default()
            .push_str(text);
    }
    assert_eq!(said, rewritten(&rules, &pieces));
}

/// What comes out by the rules alone, by choice and lane.
fn rewritten(rules: &[Rule], pieces: &[(u32, Lane, String)]) -> BTreeMap<(u32, u32), String> {
    // The channels of each choice, in order, with their whole texts.
    let mut channels: BTreeMap<u32, Vec<(Lane, String)>> = BTreeMap::new();
    for (choice, lane, text) in pieces {
        let known = channels.entry(*choice).or_default();
        match known.last_mut() {
            Some((last, all)) if last == lane => all.push_str(text),
            _ => known.push((*lane, text.clone())),
        }
    }
    let mut said: BTreeMap<(u32, u32), String> = BTreeMap::new();
    for (choice, channels) in channels {
        for (lane, text) in channels {
            let text = rules.iter().fold(text, |text, rule| rule.of(&text));
            let all = said.entry((choice, number(lane))).or_default();
            all.push_str(&text);
        }
    }
    said
}
