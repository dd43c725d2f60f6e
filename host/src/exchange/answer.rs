//! The way of an answer's text through the stages: passages, holding back, replacing, denying.
//!
//! Deltas go in with the place they came from; what comes out says, for each place, whether its text goes as it came or is
//! another now, and what text is new. Nothing here knows how an answer looks on the wire, and it is the same for streams and
//! whole answers. It reads beside «Answers» in the contract.
//!
//! What must stay true: every place that goes in comes out exactly once, or its choice is denied; within a channel of a choice the
//! order stays; after a denial nothing of that choice comes out.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};
use tokio::time::{Duration, Instant};

use crate::policy::types::{Channel, Denial, Edit};

/// Where a delta came from: a chunk, and which of its pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chunk: u64,
    pub(super) piece: u32,
}

/// Which of a choice's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Content,
    Reasoning,
    Refusal,
    Tool(u32),
}

impl Lane {
    /// Tool calls stand beside each other; any two other channels of a choice follow one another.
    fn beside(self, other: Lane) -> bool {
        self == other || matches!((self, other), (Lane::Tool(_), Lane::Tool(_)))
    }
}

/// One piece of text on its way in.
#[derive(Clone, Debug)]
pub(super) struct Delta<'a> {
    pub(super) choice: u32,
    pub(super) lane: Lane,
    pub(super) place: Option<Place>,
    pub(super) text: Cow<'a, str>,
}

/// What is to be done on the wire, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Out {
    /// The text at that place goes as it came.
    AsCame(Place),
    /// The text at that place is this now; empty where it was removed or has moved.
    Changed(Place, String),
    /// Text that has no place of its own.
    Added {
        choice: u32,
        lane: Lane,
        text: String,
    },
    /// That choice ends here; whatever of it has not come out never will.
    Denied {
        choice: u32,
        stage: usize,
        denial: Denial,
    },
}

/// What a failed call means.
#[derive(Debug)]
pub(super) enum Fault {
    /// `on_error: skip`: go on without that stage.
    Skip,
    /// `on_error: deny`: the exchange ends. The stage's index in the chain.
    End(usize),
}

impl Fault {
    /// The stage that ended the exchange, by index in the chain.
    pub(super) fn stage(&self) -> usize {
        match self {
            Fault::Skip => usize::MAX,
            Fault::End(stage) => *stage,
        }
    }
}

/// How much, and for how long, a stage may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldLimits {
    pub(super) bytes: u64,
    pub(super) time: Duration,
}

/// The stages that an answer passes, in the order of answers. Calls on a stage that was skipped aren't made.
pub(super) trait Stages: Send {
    type Passage: Send;

    fn count(&self) -> usize;
    /// That stage's index in the chain.
    fn index(&self, at: usize) -> usize;
    fn hold_limits(&self, at: usize) -> HoldLimits;
    /// A channel begins.
    fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel,
    ) -> impl Future<Output = Result<Option<Self::Passage>, Fault>> + Send;
    fn on_delta(
        &mut self,
        at: usize,
        passage: &Self::Passage,
        text: &str,
    ) -> impl Future<Output = Result<Edit, Fault>> + Send;
    fn on_end(
        &mut self,
        at: usize,
        passage: Self::Passage,
        finish: &str,
    ) -> impl Future<Output = Result<Edit, Fault>> + Send;
    /// It held more than it may, or for longer: a failure of the stage.
    fn held_too_much(&mut self, at: usize, why: String) -> Fault;
    /// It edited a tool call's arguments last, and they are no longer JSON: a failure of the stage.
    fn broke_arguments(&mut self, at: usize) -> Fault;
}

/// The answer of one exchange on its way.
pub(super) struct Answer<P> {
    choices: Vec<Choice<P>>,
    /// Deltas that went in.
    pub(super) deltas: u64,
    /// When the text that is held for longest must have gone. `None`: nothing is held.
    expiry: Option<Instant>,
}

struct Choice<P> {
    index: u32,
    denied: bool,
    open: SmallVec<[Open<P>; 1]>,
}

/// A channel that has begun, and where each stage stands with it.
struct Open<P> {
    lane: Lane,
    stops: SmallVec<[Stop<P>; 4]>,
    /// Of a tool call that any stage sees: its arguments, to compare at its end.
    arguments: Option<Arguments>,
}

/// Arguments as they came and as they went: edits must leave JSON what was JSON.
#[derive(Default)]
struct Arguments {
    came: String,
    went: String,
    /// The stage that edited last.
    editor: Option<usize>,
}

impl Arguments {
    /// The stage that broke them, if one did.
    fn broken_by(&self) -> Option<usize> {
        let editor = self.editor?;
        let parses = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        (parses(&self.came) && !parses(&self.went)).then_some(editor)
    }
}

struct Stop<P> {
    passage: Option<P>,
    hold: Hold,
}

/// What a stage keeps back of a channel.
#[derive(Default)]
struct Hold {
    items: Vec<Held>,
    bytes: u64,
}

struct Held {
    place: Option<Place>,
    text: String,
    changed: bool,
    opens: bool,
    since: Instant,
}

/// A piece of text between two stages.
struct Item<'a> {
    place: Option<Place>,
    text: Cow<'a, str>,
    changed: bool,
    /// Delivered although it is empty: it opens a tool call.
    opens: bool,
}

type Items<'a> = SmallVec<[Item<'a>; 2]>;

/// Items that wait before a stage.
struct Work<'a> {
    choice: usize,
    open: usize,
    from: usize,
    items: Items<'a>,
}

impl<P: Send> Answer<P> {
    pub(super) fn new() -> Self {
        Answer {
            choices: Vec::new(),
            deltas: 0,
            expiry: None,
        }
    }

    /// Whether any choice was denied.
    pub(super) fn any_denied(&self) -> bool {
        self.choices.iter().any(|choice| choice.denied)
    }

    /// The choices that were denied.
    pub(super) fn denied_choices(&self) -> SmallVec<[u32; 1]> {
        let denied = self.choices.iter().filter(|choice| choice.denied);
        denied.map(|choice| choice.index).collect()
    }

    /// How many choices were denied.
    pub(super) fn denied(&self) -> usize {
        self.choices.iter().filter(|choice| choice.denied).count()
    }

    /// When held text expires, if nothing comes to free it.
    pub(super) fn expiry(&self) -> Option<Instant> {
        self.expiry
    }

    /// Takes a delta in. `channel` says what begins, if it is the first of its channel.
    pub(super) async fn push<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        delta: Delta<'_>,
        channel: impl FnOnce() -> Channel + Send,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        self.deltas += 1;
        let choice = self.choice(delta.choice);
        if self.choices[choice].denied {
            return Ok(());
        }
        if self.choices[choice]
            .open
            .iter()
            .any(|open| !open.lane.beside(delta.lane))
        {
            // Another channel begins: what was open is over, and nobody knows yet how the choice will finish.
            self.close(stages, choice, "", out).await?;
            if self.choices[choice].denied {
                return Ok(());
            }
        }
        let known = self.choices[choice]
            .open
            .iter()
            .position(|open| open.lane == delta.lane);
        let opens = known.is_none();
        let open = match known {
            Some(open) => open,
            None => {
                self.open(stages, choice, delta.lane, channel(), out)
                    .await?
            }
        };
        if self.choices[choice].denied {
            // A stage failed over the opening, and what it had held was denied further on.
            return Ok(());
        }
        if let Some(arguments) = &mut self.choices[choice].open[open].arguments {
            arguments.came.push_str(&delta.text);
        }
        let item = Item {
            place: delta.place,
            text: delta.text,
            changed: false,
            opens: opens && matches!(delta.lane, Lane::Tool(_)),
        };
        let work = Work {
            choice,
            open,
            from: 0,
            items: smallvec![item],
        };
        self.flow(stages, work, out).await
    }

    /// The choice finishes: every channel of it ends.
    pub(super) async fn finish<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        choice: u32,
        finish: &str,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        let choice = self.choice(choice);
        if !self.choices[choice].denied {
            self.close(stages, choice, finish, out).await?;
        }
        Ok(())
    }

    /// The answer is over: what is still open ends.
    pub(super) async fn finish_all<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        for choice in 0..self.choices.len() {
            self.close(stages, choice, "", out).await?;
        }
        Ok(())
    }

    /// Time has passed: stages that held for too long have failed.
    pub(super) async fn expire<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        now: Instant,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        for at in 0..stages.count() {
            let limit = stages.hold_limits(at).time;
            let late = |stop: &Stop<P>| stop.hold.since().is_some_and(|since| since + limit <= now);
            let mut stops = self.choices.iter().flat_map(|choice| &choice.open);
            if stops.any(|open| open.stops.get(at).is_some_and(late)) {
                let why = format!(
                    "held text for longer than its held_time of {} ms",
                    limit.as_millis()
                );
                match stages.held_too_much(at, why) {
                    Fault::Skip => self.skip(stages, at, out).await?,
                    end => return Err(end),
                }
            }
        }
        self.reckon_expiry(stages);
        Ok(())
    }

    fn choice(&mut self, index: u32) -> usize {
        let known = self.choices.iter().position(|choice| choice.index == index);
        known.unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                denied: false,
                open: SmallVec::new(),
            });
            self.choices.len() - 1
        })
    }

    async fn open<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        choice: usize,
        lane: Lane,
        channel: Channel,
        out: &mut Vec<Out>,
    ) -> Result<usize, Fault> {
        let index = self.choices[choice].index;
        let mut stops = SmallVec::new();
        let mut skipped: SmallVec<[usize; 1]> = SmallVec::new();
        for at in 0..stages.count() {
            let passage = match stages.on_answer(at, index, &channel).await {
                Ok(passage) => passage,
                Err(Fault::Skip) => {
                    skipped.push(at);
                    None
                }
                Err(end) => return Err(end),
            };
            stops.push(Stop {
                passage,
                hold: Hold::default(),
            });
        }
        let seen = stops.iter().any(|stop: &Stop<P>| stop.passage.is_some());
        self.choices[choice].open.push(Open {
            lane,
            stops,
            arguments: (seen && matches!(lane, Lane::Tool(_))).then(Arguments::default),
        });
        let open = self.choices[choice].open.len() - 1;
        // The last first: what it held came before, and must not meet it again.
        for at in skipped.into_iter().rev() {
            self.skip(stages, at, out).await?;
        }
        Ok(open)
    }

    /// Ends every open channel of a choice, stage by stage: what one adds passes the later ones before their own end.
    async fn close<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        choice: usize,
        finish: &str,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        for open in 0..self.choices[choice].open.len() {
            for at in 0..stages.count() {
                if self.choices[choice].denied {
                    return Ok(());
                }
                let stop = &mut self.choices[choice].open[open].stops[at];
                let Some(passage) = stop.passage.take() else {
                    continue;
                };
                let edit = match stages.on_end(at, passage, finish).await {
                    Ok(edit) => edit,
                    Err(Fault::Skip) => {
                        self.skip(stages, at, out).await?;
                        continue;
                    }
                    Err(end) => return Err(end),
                };
                let stop = &mut self.choices[choice].open[open].stops[at];
                let mut items = stop.hold.release();
                match edit {
                    Edit::Forward | Edit::Hold | Edit::HoldLast(_) => {}
                    Edit::Replace(text) => {
                        replace(&mut items, text);
                        self.choices[choice].open[open].edited(at);
                    }
                    Edit::Deny(denial) => {
                        self.deny(stages, choice, at, denial, out);
                        return Ok(());
                    }
                }
                if !items.is_empty() {
                    let work = Work {
                        choice,
                        open,
                        from: at + 1,
                        items,
                    };
                    self.flow(stages, work, out).await?;
                }
            }
            let arguments = self.choices[choice]
                .open
                .get(open)
                .and_then(|open| open.arguments.as_ref());
            if let Some(at) = arguments.and_then(Arguments::broken_by) {
                match stages.broke_arguments(at) {
                    Fault::Skip => self.skip(stages, at, out).await?,
                    end => return Err(end),
                }
            }
        }
        self.choices[choice].open.clear();
        self.reckon_expiry(stages);
        Ok(())
    }

    /// Carries items through the stages from where they wait.
    async fn flow<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        work: Work<'_>,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        let count = stages.count();
        let mut todo: SmallVec<[Work<'_>; 1]> = smallvec![work];
        while let Some(mut work) = todo.pop() {
            let mut ending = None;
            for at in work.from..count {
                if work.items.is_empty() || self.choices[work.choice].denied {
                    break;
                }
                let Open {
                    stops, arguments, ..
                } = &mut self.choices[work.choice].open[work.open];
                let Stop { passage, hold } = &mut stops[at];
                let Some(seen) = passage else {
                    continue;
                };
                let mut onward = Items::new();
                let mut skipped = false;
                for item in std::mem::take(&mut work.items) {
                    if skipped || (item.text.is_empty() && !item.opens) {
                        // What was removed before is not told of, and waits for nothing.
                        onward.push(item);
                        continue;
                    }
                    let (item, fault) = match stages.on_delta(at, seen, &item.text).await {
                        Ok(Edit::Forward | Edit::HoldLast(0)) => {
                            hold.release_into(&mut onward);
                            onward.push(item);
                            continue;
                        }
                        Ok(edit @ (Edit::Hold | Edit::HoldLast(_))) => {
                            let mut wanted = u64::MAX;
                            if let Edit::HoldLast(bytes) = edit {
                                hold.release_before(item.text.len(), bytes, &mut onward);
                                wanted = bytes.into();
                            }
                            match hold.keep(item, wanted, stages.hold_limits(at)) {
                                Ok(()) => continue,
                                Err((item, why)) => (item, stages.held_too_much(at, why)),
                            }
                        }
                        Ok(Edit::Replace(text)) => {
                            let mut items = hold.release();
                            items.push(item);
                            replace(&mut items, text);
                            onward.extend(items);
                            if let Some(arguments) = arguments {
                                arguments.editor = Some(at);
                            }
                            continue;
                        }
                        Ok(Edit::Deny(denial)) => {
                            // What this stage has let out before still has the later ones to pass.
                            ending = Some((at, denial));
                            break;
                        }
                        Err(fault) => (item, fault),
                    };
                    match fault {
                        Fault::Skip => skipped = true,
                        end => return Err(end),
                    }
                    hold.release_into(&mut onward);
                    onward.push(item);
                }
                if skipped {
                    // What it held of other channels goes on too.
                    self.release_all(at, &mut todo);
                }
                work.items = onward;
            }
            if !self.choices[work.choice].denied {
                emit(&mut self.choices[work.choice], work.open, work.items, out);
                if let Some((at, denial)) = ending {
                    self.deny(stages, work.choice, at, denial, out);
                }
            }
        }
        self.reckon_expiry(stages);
        Ok(())
    }

    /// Goes on without a stage: what it held goes to the next.
    async fn skip<S: Stages<Passage = P>>(
        &mut self,
        stages: &mut S,
        at: usize,
        out: &mut Vec<Out>,
    ) -> Result<(), Fault> {
        let mut todo: SmallVec<[Work<'_>; 1]> = SmallVec::new();
        self.release_all(at, &mut todo);
        for work in todo {
            self.flow(stages, work, out).await?;
        }
        Ok(())
    }

    fn release_all<'a>(&mut self, at: usize, todo: &mut SmallVec<[Work<'a>; 1]>) {
        for (choice, known) in self.choices.iter_mut().enumerate() {
            for (open, lane) in known.open.iter_mut().enumerate() {
                let Some(stop) = lane.stops.get_mut(at) else {
                    continue;
                };
                stop.passage = None;
                let items = stop.hold.release();
                if !items.is_empty() {
                    todo.push(Work {
                        choice,
                        open,
                        from: at + 1,
                        items,
                    });
                }
            }
        }
    }

    fn deny<S: Stages<Passage = P>>(
        &mut self,
        stages: &S,
        choice: usize,
        at: usize,
        denial: Denial,
        out: &mut Vec<Out>,
    ) {
        let choice = &mut self.choices[choice];
        choice.denied = true;
        choice.open.clear();
        out.push(Out::Denied {
            choice: choice.index,
            stage: stages.index(at),
            denial,
        });
        self.reckon_expiry(stages);
    }

    fn reckon_expiry<S: Stages<Passage = P>>(&mut self, stages: &S) {
        let opens = self.choices.iter().flat_map(|choice| &choice.open);
        let stops = opens.flat_map(|open| open.stops.iter().enumerate());
        self.expiry = stops
            .filter_map(|(at, stop)| Some(stop.hold.since()? + stages.hold_limits(at).time))
            .min();
    }
}

impl Held {
    fn into_item<'a>(self) -> Item<'a> {
        Item {
            place: self.place,
            text: Cow::Owned(self.text),
            changed: self.changed,
            opens: self.opens,
        }
    }
}

impl<P> Open<P> {
    fn edited(&mut self, at: usize) {
        if let Some(arguments) = &mut self.arguments {
            arguments.editor = Some(at);
        }
    }
}

impl Hold {
    /// Keeps an item. What counts is what the stage asked to keep: a delta may be longer than the open end of it.
    fn keep<'a>(
        &mut self,
        item: Item<'a>,
        wanted: u64,
        limits: HoldLimits,
    ) -> Result<(), (Item<'a>, String)> {
        let bytes = self.bytes + item.text.len() as u64;
        if bytes.min(wanted) > limits.bytes {
            let why = format!("held more than its held_text of {} bytes", limits.bytes);
            return Err((item, why));
        }
        self.bytes = bytes;
        self.items.push(Held {
            since: Instant::now(),
            place: item.place,
            text: item.text.into_owned(),
            changed: item.changed,
            opens: item.opens,
        });
        Ok(())
    }

    fn release_into(&mut self, items: &mut Items<'_>) {
        if !self.items.is_empty() {
            items.extend(self.release());
        }
    }

    fn release<'a>(&mut self) -> Items<'a> {
        self.bytes = 0;
        self.items.drain(..).map(Held::into_item).collect()
    }

    /// Lets go what ends before the last `bytes` of all, where `coming` more are about to be kept.
    fn release_before(&mut self, coming: usize, bytes: u32, items: &mut Items<'_>) {
        let mut after = self.bytes + coming as u64;
        let decided = self.items.iter().take_while(|held| {
            after -= held.text.len() as u64;
            after >= u64::from(bytes)
        });
        let count = decided.count();
        for held in self.items.drain(..count) {
            self.bytes -= held.text.len() as u64;
            items.push(held.into_item());
        }
    }

    /// Since when its oldest text is kept.
    fn since(&self) -> Option<Instant> {
        self.items.first().map(|held| held.since)
    }
}

/// The text takes the last one's place; the others are emptied. With none there, it is text of its own.
fn replace(items: &mut Items<'_>, text: String) {
    match items.split_last_mut() {
        Some((last, others)) => {
            for other in others {
                other.text = Cow::Borrowed("");
                other.changed = true;
            }
            last.text = Cow::Owned(text);
            last.changed = true;
        }
        None if text.is_empty() => {}
        None => items.push(Item {
            place: None,
            text: Cow::Owned(text),
            changed: true,
            opens: false,
        }),
    }
}

/// What has passed every stage.
fn emit<P>(choice: &mut Choice<P>, open: usize, items: Items<'_>, out: &mut Vec<Out>) {
    let Open {
        lane, arguments, ..
    } = &mut choice.open[open];
    let lane = *lane;
    for item in items {
        if let Some(arguments) = arguments {
            arguments.went.push_str(&item.text);
        }
        match item.place {
            Some(place) if item.changed => out.push(Out::Changed(place, item.text.into_owned())),
            Some(place) => out.push(Out::AsCame(place)),
            None if item.text.is_empty() && !item.opens => {}
            None => out.push(Out::Added {
                choice: choice.index,
                lane,
                text: item.text.into_owned(),
            }),
        }
    }
}

#[cfg(any(test, fuzzing))]
#[path = "answer_fuzz/mod.rs"]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::hold_back;

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
