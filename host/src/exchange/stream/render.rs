//! What the stages decided, carried out on a stream's chunks.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use smallvec::SmallVec;

use super::pending::{PendingChunk, Text, TextState, Texts};
use crate::exchange::assembled::Render;
use crate::exchange::passages::{STOP, TextRef};
use crate::wire::ChannelKey;
use crate::wire::choices::chunk::{Chunk, NotAChunk};
use crate::wire::choices::compose::Denied;
use crate::wire::choices::envelope::Envelope;
use crate::wire::choices::render::{ChunkEvent, Rest};
use crate::wire::sse;

/// The chunk at hand.
pub(super) struct Current<'a, 'd> {
    chunk: &'a Chunk<'d>,
    event: &'a ChunkEvent,
    number: u64,
    pub(super) texts: Texts,
}

impl<'a, 'd> Current<'a, 'd> {
    pub(super) fn new(chunk: &'a Chunk<'d>, event: &'a ChunkEvent, number: u64) -> Self {
        let texts = chunk.pieces.iter().zip(0..).map(|(piece, number)| Text {
            piece: number,
            choice: piece.choice,
            channel: piece.channel.key(),
            state: TextState::Waiting,
        });
        Current {
            chunk,
            event,
            number,
            texts: texts.collect(),
        }
    }

    fn text(&mut self, place: TextRef) -> Option<&mut Text> {
        let here = self.number == place.chunk;
        self.texts.get_mut(place.piece as usize).filter(|_| here)
    }

    /// Puts text that is added after a text of the chunk into it: so it stands before the chunk's finish. `false` where it can't.
    fn merge(&mut self, choice: u32, channel: ChannelKey, text: &str) -> bool {
        let same = |known: &Text| (known.choice, known.channel) == (choice, channel);
        let Some(at) = self.texts.iter().rposition(same) else {
            return false;
        };
        match &mut self.texts[at].state {
            state @ TextState::AsCame => {
                let mut joined = self.chunk.pieces[at].text.to_string();
                joined.push_str(text);
                *state = TextState::Changed(joined);
                true
            }
            TextState::Changed(before) => {
                before.push_str(text);
                true
            }
            TextState::Waiting | TextState::Gone => false,
        }
    }
}

/// One fold of a stream.
pub(super) struct StreamRender<'a, 'd> {
    pub(super) envelope: Option<&'a Envelope>,
    pub(super) pending: &'a mut Vec<PendingChunk>,
    pub(super) ready: &'a mut Vec<Bytes>,
    pub(super) current: Option<Current<'a, 'd>>,
    /// What goes behind the current chunk.
    pub(super) last: Vec<Bytes>,
}

impl<'a> StreamRender<'a, '_> {
    /// What new chunks look like: a delta came before whatever is made here.
    fn envelope(&self) -> &'a Envelope {
        self.envelope.expect("a delta came before")
    }
}

impl Render for StreamRender<'_, '_> {
    fn text(&mut self, place: TextRef, text: Option<String>) -> Result<(), NotAChunk> {
        let state = text.map_or(TextState::AsCame, TextState::Changed);
        if let Some(text) = self
            .current
            .as_mut()
            .and_then(|current| current.text(place))
        {
            text.state = state;
            return Ok(());
        }
        let mut pending = self.pending.iter_mut().enumerate();
        let known = pending.find_map(|(at, pending)| Some((at, pending.text(place)?)));
        let Some((at, text)) = known else {
            debug_assert!(false, "a text came out that never went in");
            return Ok(());
        };
        text.state = state;
        if self.pending[at].waits() {
            return Ok(());
        }
        let mut whole = self.pending.remove(at);
        for text in &whole.texts {
            let earlier = whole.number;
            let_go(
                self.pending,
                self.ready,
                earlier,
                (text.choice, text.channel),
            )?;
        }
        whole.render(self.ready)?;
        self.ready.append(&mut whole.after);
        Ok(())
    }

    fn added(&mut self, choice: u32, channel: ChannelKey, text: String) -> Result<(), NotAChunk> {
        let current = self.current.as_mut();
        if current.is_some_and(|current| current.merge(choice, channel, &text)) {
            return Ok(());
        }
        let_go(self.pending, self.ready, u64::MAX, (choice, channel))?;
        let data = self.envelope().text_chunk(choice, &channel.into(), &text);
        self.ready.push(sse::event(&data));
        Ok(())
    }

    fn denied(&mut self, denied: &Denied<'_>) -> Result<(), NotAChunk> {
        self.drop_texts(denied.choice);
        let data = self.envelope().denied_chunk(denied);
        self.last.push(sse::event(&data));
        Ok(())
    }

    /// What had come out of chunks of the choice goes in chunks of its own: of the rest of these nothing goes.
    fn finished(&mut self, choice: u32) -> Result<(), NotAChunk> {
        let envelope = self.envelope();
        let waiting = self.pending.iter().map(|pending| &pending.event);
        let current = self.current.iter().map(|current| current.event);
        if waiting.chain(current).any(|event| opens(event, choice)) {
            self.ready.push(sse::event(&envelope.role_chunk(choice)));
        }
        let mut waiting = Vec::new();
        for pending in self.pending.iter() {
            let chunk = pending.event.chunk()?;
            waiting.extend(decided(envelope, choice, &chunk, &pending.texts));
        }
        self.ready.append(&mut waiting);
        let current = self.current.iter();
        let current = current.flat_map(|it| decided(envelope, choice, it.chunk, &it.texts));
        let current: Vec<Bytes> = current.collect();
        self.last.extend(current);
        self.drop_texts(choice);
        let data = self.envelope().finish_chunk(choice, STOP, None);
        self.last.push(sse::event(&data));
        Ok(())
    }
}

impl StreamRender<'_, '_> {
    /// Chunks that wait with text of the choice are dropped. A usage in one of them stays.
    fn drop_texts(&mut self, choice: u32) {
        let ready = &mut *self.ready;
        self.pending.retain_mut(|pending| {
            if pending.texts.iter().all(|text| text.choice != choice) {
                return true;
            }
            let event = &pending.event;
            let rest = event
                .chunk()
                .and_then(|chunk| chunk.without(event, &[choice]));
            if let Ok(Rest::Aside(event)) = rest {
                ready.push(event);
            }
            ready.append(&mut pending.after);
            false
        });
        let texts = self
            .current
            .iter_mut()
            .flat_map(|current| &mut current.texts);
        for text in texts.filter(|text| text.choice == choice) {
            text.state = TextState::Gone;
        }
    }
}

/// Whether the event says who speaks in that choice: a client begins a message with it.
fn opens(event: &ChunkEvent, choice: u32) -> bool {
    #[derive(Deserialize)]
    struct Spoken {
        #[serde(default)]
        choices: Vec<Voiced>,
    }
    #[derive(Deserialize)]
    struct Voiced {
        #[serde(default)]
        index: u32,
        #[serde(default)]
        delta: Role,
    }
    #[derive(Default, Deserialize)]
    struct Role {
        role: Option<IgnoredAny>,
    }
    let spoken = serde_json::from_slice::<Spoken>(&event.data);
    let said = |it: &Voiced| it.index == choice && it.delta.role.is_some();
    spoken.is_ok_and(|it| it.choices.iter().any(said))
}

/// The texts of a chunk that have come out, of that choice, as chunks of their own.
fn decided(
    envelope: &Envelope,
    choice: u32,
    chunk: &Chunk<'_>,
    texts: &Texts,
) -> SmallVec<[Bytes; 1]> {
    let mine = texts.iter().zip(&chunk.pieces);
    let mine = mine.filter(|(text, _)| text.choice == choice);
    let came = mine.filter_map(|(text, piece)| {
        let now = match &text.state {
            TextState::AsCame => &*piece.text,
            TextState::Changed(now) => now,
            TextState::Waiting | TextState::Gone => return None,
        };
        let data = envelope.text_chunk(choice, &piece.channel, now);
        (!now.is_empty()).then(|| sse::event(&data))
    });
    came.collect()
}

/// More text of that channel of a choice is about to go. Chunks before that one may keep back text of the channel only for the sake of
/// another channel's text beside it: such text goes first.
pub(super) fn let_go(
    pending: &mut Vec<PendingChunk>,
    ready: &mut Vec<Bytes>,
    before: u64,
    (choice, channel): (u32, ChannelKey),
) -> Result<(), NotAChunk> {
    let keeps = |it: &PendingChunk| it.number < before && it.keeps_back(choice, channel);
    while let Some(at) = pending.iter().position(keeps) {
        // Its texts of other channels go along, and so chunks before it may keep back some of these.
        let number = pending[at].number;
        for other in pending[at].free() {
            if other != (choice, channel) {
                let_go(pending, ready, number, other)?;
            }
        }
        let mine = |it: &PendingChunk| it.number == number && keeps(it);
        if let Some(at) = pending.iter().position(mine) {
            let waiting = pending.remove(at).split(ready)?;
            pending.splice(at..at, waiting);
        }
    }
    Ok(())
}
