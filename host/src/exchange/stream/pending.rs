//! Chunks that wait: one of whose texts, at least, is held by a stage.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::exchange::passages::TextRef;
use crate::wire::ChannelKey;
use crate::wire::choices::chunk::{Chunk, NotAChunk};
use crate::wire::choices::render::{ChunkEvent, Rest};

/// So many lines that say nothing keep their place behind a chunk that waits, and so long ones, in bytes.
const LINES: usize = 16;
const LINE: usize = 256;

/// What has become of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextState {
    Waiting,
    AsCame,
    Changed(String),
    /// Its choice was denied.
    Gone,
}

/// One text of a chunk.
#[derive(Debug)]
pub(super) struct Text {
    /// Its number in the chunk as the upstream sent it.
    pub(super) piece: u32,
    pub(super) choice: u32,
    pub(super) channel: ChannelKey,
    pub(super) state: TextState,
}

pub(super) type Texts = SmallVec<[Text; 2]>;

/// A chunk of which a text is held. The texts that it carries are of one choice.
#[derive(Debug)]
pub(super) struct PendingChunk {
    /// Its number in the stream.
    pub(super) number: u64,
    pub(super) event: ChunkEvent,
    pub(super) texts: Texts,
    /// Comments and blank lines that came behind it: the first few keep their place.
    pub(super) after: Vec<Bytes>,
}

impl PendingChunk {
    pub(super) fn text(&mut self, place: TextRef) -> Option<&mut Text> {
        let mut texts = self.texts.iter_mut();
        texts.find(|text| self.number == place.chunk && text.piece == place.piece)
    }

    pub(super) fn waits(&self) -> bool {
        let mut texts = self.texts.iter();
        texts.any(|text| text.state == TextState::Waiting)
    }

    /// Whether it keeps back a text of that channel that may go, for the sake of another that may not.
    pub(super) fn keeps_back(&self, choice: u32, channel: ChannelKey) -> bool {
        let free = |text: &Text| {
            (text.choice, text.channel) == (choice, channel) && text.state != TextState::Waiting
        };
        self.waits() && self.texts.iter().any(free)
    }

    /// Whether what came behind it, and says nothing, waits with it. A few short lines do: a chunk may wait for long.
    pub(super) fn takes(&self, line: &Bytes) -> bool {
        self.after.len() < LINES && line.len() <= LINE
    }

    /// The channels of its texts that may go.
    pub(super) fn free(&self) -> SmallVec<[(u32, ChannelKey); 2]> {
        let free = |text: &&Text| text.state != TextState::Waiting;
        let free = self.texts.iter().filter(free);
        free.map(|text| (text.choice, text.channel)).collect()
    }

    /// The chunk with what has become of its texts, as the client gets it.
    pub(super) fn render(&self, out: &mut Vec<Bytes>) -> Result<(), NotAChunk> {
        if self
            .texts
            .iter()
            .all(|text| text.state == TextState::AsCame)
        {
            out.push(self.event.raw.clone());
        } else {
            let chunk = self.event.chunk()?;
            out.extend(render(&chunk, &self.event, &self.texts));
        }
        Ok(())
    }

    /// Sends the texts that may go, and waits on with the others.
    pub(super) fn split(self, out: &mut Vec<Bytes>) -> Result<Vec<PendingChunk>, NotAChunk> {
        // The chunk borrows the event; a clone of it is two counts.
        let event = self.event.clone();
        let chunk = event.chunk()?;
        let mut waiting = Vec::new();
        settle(
            &chunk,
            self.event,
            self.number,
            self.texts,
            &mut waiting,
            out,
        )?;
        if let Some(last) = waiting.last_mut() {
            last.after = self.after;
        }
        Ok(waiting)
    }
}

/// Sends a chunk; or keeps it while its text is held; or splits it where only some of it is held, so that nothing waits for
/// another's sake. `texts` are the texts of `chunk`, one each.
pub(super) fn settle(
    chunk: &Chunk<'_>,
    event: ChunkEvent,
    number: u64,
    texts: Texts,
    pending: &mut impl Extend<PendingChunk>,
    ready: &mut Vec<Bytes>,
) -> Result<(), NotAChunk> {
    let held: SmallVec<[usize; 2]> = (texts.iter().zip(0..))
        .filter(|(text, _)| text.state == TextState::Waiting)
        .map(|(_, at)| at)
        .collect();
    if held.is_empty() {
        ready.extend(render(chunk, &event, &texts));
        return Ok(());
    }
    if held.len() == texts.len() && chunk.choices.len() <= 1 {
        pending.extend([PendingChunk {
            number,
            event,
            texts,
            after: Vec::new(),
        }]);
        return Ok(());
    }
    let (alone, rest) = chunk.hold_back(&event, &held)?;
    let (waiting, left): (Texts, Texts) =
        (texts.into_iter()).partition(|text| text.state == TextState::Waiting);
    let waiting = waiting.into_iter().zip(alone);
    pending.extend(waiting.map(|(text, event)| PendingChunk {
        number,
        event,
        texts: SmallVec::from_iter([text]),
        after: Vec::new(),
    }));
    settle_rest(rest, number, left, pending, ready)
}

/// The same for what is left of a chunk.
pub(super) fn settle_rest(
    rest: Rest,
    number: u64,
    texts: Texts,
    pending: &mut impl Extend<PendingChunk>,
    ready: &mut Vec<Bytes>,
) -> Result<(), NotAChunk> {
    match rest {
        Rest::Nothing => Ok(()),
        Rest::Aside(event) => {
            ready.push(event);
            Ok(())
        }
        Rest::Chunk(event) => {
            let chunk_event = event.clone();
            settle(&chunk_event.chunk()?, event, number, texts, pending, ready)
        }
    }
}

/// The event as it goes; nothing where nothing is left to say.
fn render(chunk: &Chunk<'_>, event: &ChunkEvent, texts: &Texts) -> Option<Bytes> {
    let changed = texts
        .iter()
        .enumerate()
        .filter_map(|(at, text)| match &text.state {
            TextState::Changed(text) => Some((at, text.as_str())),
            _ => None,
        });
    let changed: SmallVec<[_; 2]> = changed.collect();
    if changed.is_empty() {
        return Some(event.raw.clone());
    }
    chunk.render(event, &changed)
}
