//! A streamed answer: from upstream's events to what the client gets.
//!
//! A chunk goes out as the very bytes that came unless a text in it changed. While one of its texts is held, the chunk waits as a
//! [`PendingChunk`]; nothing else waits for it. Texts that have no chunk of their own get one that looks like the upstream's.
//!
//! - [`facts`]: what it says beside its texts, and why it may end early;
//! - [`pending`]: chunks that wait, and how a chunk goes in parts;
//! - [`render`]: what the stages decided, carried out on chunks;
//! - [`pump`]: from the upstream to the client.

mod facts;
mod pending;
mod pump;
mod render;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::time::Instant;

pub(super) use self::facts::{OutOfTurn, StreamError, StreamFacts};
use self::pending::{PendingChunk, Text, TextState, Texts, settle, settle_rest};
use self::render::{Current, StreamRender};
use super::assembled::Assembled;
use super::errors;
use super::passages::{Aborted, AnswerStages, Delta, Output, Passages, TextRef};
use crate::config::UnknownMembers;
use crate::wire::Dialect;
use crate::wire::choices::chunk::Chunk;
use crate::wire::choices::envelope::Envelope;
use crate::wire::choices::render::{ChunkEvent, Rest};
use crate::wire::sse::{DEFAULT_CAP, Event, Framer};

/// Chunks that wait may be as large as this together, and each as large as that, in bytes.
const WAITING: usize = 4 << 20;
const CHUNK: usize = 4 << 10;

/// One streamed answer on its way to the client. `P` is what a stage has of a passage.
pub(super) struct AnswerStream<P> {
    dialect: Dialect,
    unknown: UnknownMembers,
    passages: Passages<P>,
    assembled: Assembled,
    facts: StreamFacts,
    framer: Framer,
    envelope: Option<Envelope>,
    pending: Vec<PendingChunk>,
    chunks: u64,
    /// Events that no stage saw.
    unseen: u64,
    outputs: Vec<Output>,
    ready: Vec<Bytes>,
}

impl<P: Send> AnswerStream<P> {
    /// `unknown`: what becomes of members that no stage can read.
    pub(super) fn new(dialect: Dialect, unknown: UnknownMembers) -> Self {
        AnswerStream {
            dialect,
            unknown,
            passages: Passages::new(),
            assembled: Assembled::default(),
            facts: StreamFacts::default(),
            framer: Framer::new(DEFAULT_CAP),
            envelope: None,
            pending: Vec::new(),
            chunks: 0,
            unseen: 0,
            outputs: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// What came out of the stages so far.
    pub(super) fn assembled(&self) -> &Assembled {
        &self.assembled
    }

    /// What the stream said so far.
    pub(super) fn facts(&self) -> &StreamFacts {
        &self.facts
    }

    /// How many deltas went through the stages; where no stage sees the answer, how many events came.
    pub(super) fn deltas(&self) -> u64 {
        self.passages.deltas() + self.unseen
    }

    /// Takes what was read from the upstream. Afterwards [`take`](Self::take) has what may go out, also after an error.
    pub(super) async fn read<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        bytes: Bytes,
    ) -> Result<(), StreamError> {
        self.framer.push(bytes);
        while let Some(event) = self.framer.next().map_err(StreamError::TooLong)? {
            self.event(stages, event).await?;
        }
        Ok(())
    }

    /// Everything that may go out now, as one piece. `read` is what was read last: where all of it goes as it came, that is what
    /// is given out, uncopied.
    pub(super) fn take(&mut self, read: Option<&Bytes>) -> Option<Bytes> {
        match self.ready.len() {
            0 => None,
            1 => self.ready.pop(),
            _ => {
                let joined = read.and_then(|read| neighbours(read, &self.ready));
                let joined = joined.unwrap_or_else(|| self.ready.concat().into());
                self.ready.clear();
                Some(joined)
            }
        }
    }

    /// The upstream's bytes are over. What came without its end goes the way of all events, as if its end had come.
    pub(super) async fn end<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
    ) -> Result<(), StreamError> {
        let Some(rest) = self.framer.finish() else {
            return Ok(());
        };
        let ended: Vec<u8> = [&rest[..], b"\n\n"].concat();
        self.framer = Framer::new(DEFAULT_CAP);
        let before = self.ready.len();
        let read = self.read(stages, ended.into()).await;
        if !stages.may_change_answer() {
            // The added end was for reading alone: the bytes go as they came.
            self.ready.truncate(before);
            self.ready.push(rest);
        }
        read
    }

    /// Whether the upstream's bytes may end here: every one of so many choices has finished or was denied; or every one that began, where
    /// the upstream said that this was all.
    pub(super) fn is_complete(&self, choices: usize) -> bool {
        if self.facts.done {
            return self.is_all();
        }
        let mut ended: SmallVec<[u32; 2]> = SmallVec::from_slice(self.assembled.denied());
        ended.extend(self.facts.finishes.iter().map(|(choice, _)| *choice));
        ended.sort_unstable();
        ended.dedup();
        ended.len() >= choices && self.is_all()
    }

    /// Whether each choice that began has ended. What couldn't be read, and needn't, may have been an end.
    fn is_all(&self) -> bool {
        self.facts.unread || self.facts.all_finished(self.assembled.denied())
    }

    async fn event<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        event: Event,
    ) -> Result<(), StreamError> {
        let is_end = self.dialect.is_end(&event);
        let Event { raw, data, name } = event;
        // An event without data says nothing.
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            match self.pending.last_mut() {
                Some(pending) => pending.after.push(raw),
                None => self.ready.push(raw),
            }
            return Ok(());
        };
        if is_end {
            self.facts.done = true;
            // An end before a choice's finish is none: what the pump then finds is that the answer broke off.
            if self.is_all() {
                self.ready.push(raw);
            }
            return Ok(());
        }
        let dialect = self.dialect;
        let event = ChunkEvent { dialect, raw, data };
        if stages.may_change_answer() {
            let failed = name.as_deref() == Some(b"error");
            return self.chunk(stages, event, failed).await;
        }
        if stages.count() > 0 {
            self.show(stages, &event).await;
        } else {
            self.unseen += 1;
        }
        self.pass(event)
    }

    /// Only stages in shadow see the answer. They are shown what can be read, and nothing comes of what they say.
    async fn show<S: AnswerStages<Passage = P>>(&mut self, stages: &mut S, event: &ChunkEvent) {
        let Ok(chunk) = event.chunk() else {
            return;
        };
        if chunk.error.is_none() {
            self.chunks += 1;
            let shown = self.texts(stages, &chunk).await;
            debug_assert!(shown.is_ok(), "a stage in shadow ended an exchange");
        }
        self.outputs.clear();
    }

    /// No enforcing stage sees the answer: forwards the bytes, and reads only what ends an answer.
    fn pass(&mut self, event: ChunkEvent) -> Result<(), StreamError> {
        self.facts.first_delta.get_or_insert_with(Instant::now);
        let mut said = false;
        if self.dialect.needs_parse(&event.data) {
            match event.chunk() {
                Ok(chunk) => {
                    self.facts.note(&chunk);
                    said = chunk.error.is_some();
                }
                Err(_) => self.facts.unread = true,
            }
        }
        self.ready.push(event.raw);
        if said { Err(StreamError::Said) } else { Ok(()) }
    }

    async fn chunk<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        event: ChunkEvent,
        failed: bool,
    ) -> Result<(), StreamError> {
        let chunk = event.chunk()?;
        if !chunk.is_readable(&event.data) {
            let refused = chunk
                .unknown
                .filter(|_| self.unknown == UnknownMembers::Refuse);
            if let (Some(place), None) = (refused, &chunk.error) {
                return Err(OutOfTurn::Unknown(place).into());
            }
            let passes = self.unknown == UnknownMembers::Pass;
            let data = chunk.readable(&event.data, passes)?;
            drop(chunk);
            let event = event.with(data);
            let as_it_came = self.judge(stages, &event.chunk()?, &event, failed).await?;
            if as_it_came {
                self.ready.push(event.raw);
            }
            return Ok(());
        }
        let as_it_came = self.judge(stages, &chunk, &event, failed).await?;
        drop(chunk);
        if as_it_came {
            self.ready.push(event.raw);
        }
        Ok(())
    }

    /// Takes a chunk in which a stage can read everything. `failed`: the event's own name says that it is an error. Returns whether the
    /// event goes as it came, and nothing else is to be done.
    async fn judge<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        chunk: &Chunk<'_>,
        event: &ChunkEvent,
        failed: bool,
    ) -> Result<bool, StreamError> {
        self.in_turn(chunk)?;
        self.facts.note(chunk);
        if chunk.error.is_some() {
            // No stage has seen what the chunk's choices say, so they don't go.
            if let Rest::Aside(event) = chunk.aside(event)? {
                self.ready.push(event);
            }
            return Err(StreamError::Said);
        }
        if failed {
            let error = self.dialect.error_event(&errors::event(&errors::said()));
            self.ready.push(error);
            return Err(StreamError::Said);
        }
        if !chunk.mentions(self.assembled.denied()) {
            return self.live(stages, chunk, event).await;
        }
        match chunk.without(event, self.assembled.denied())? {
            Rest::Nothing => {}
            Rest::Aside(event) => self.ready.push(event),
            Rest::Chunk(event) => {
                let as_it_came = self.live(stages, &event.chunk()?, &event).await?;
                if as_it_came {
                    self.ready.push(event.raw);
                }
            }
        }
        Ok(false)
    }

    /// Whether the chunk's texts may come here.
    fn in_turn(&self, chunk: &Chunk<'_>) -> Result<(), OutOfTurn> {
        for piece in &chunk.pieces {
            if self.assembled.denied().contains(&piece.choice) {
                continue;
            }
            if self.facts.has_finished(piece.choice) {
                return Err(OutOfTurn::AfterFinish);
            }
            if self.facts.done {
                return Err(OutOfTurn::AfterEnd);
            }
            if !self.passages.fits(piece.choice, &piece.channel) {
                return Err(OutOfTurn::LateName);
            }
        }
        Ok(())
    }

    /// Takes a chunk through the stages. No choice in it was denied before. Returns whether the event goes as it came and nothing else
    /// is to be done: so it is nearly always, with the chunk's one text.
    async fn live<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        chunk: &Chunk<'_>,
        event: &ChunkEvent,
    ) -> Result<bool, StreamError> {
        if self.envelope.is_none() {
            self.envelope = Some(self.dialect.envelope(&event.data)?);
        }
        self.chunks += 1;
        let passed = self.texts(stages, chunk).await;
        if let ([Output::AsCame(place)], 1, Ok(())) =
            (&self.outputs[..], chunk.pieces.len(), &passed)
            && place.chunk == self.chunks
            && self.pending.is_empty()
        {
            self.outputs.clear();
            return Ok(true);
        }
        self.fold(stages, Some((chunk, event)), passed)?;
        self.is_light()?;
        Ok(false)
    }

    /// Stages bound the text that they hold, and what stands around it in its chunks is the upstream's: it isn't kept without bound either.
    /// Looked at now and then, for it is a sum.
    fn is_light(&self) -> Result<(), OutOfTurn> {
        let waiting = self.pending.len();
        if waiting == 0 || !waiting.is_multiple_of(16) {
            return Ok(());
        }
        let bytes: usize = self.pending.iter().map(|it| it.event.raw.len()).sum();
        if bytes > WAITING + waiting * CHUNK {
            return Err(OutOfTurn::Heavy);
        }
        Ok(())
    }

    /// Takes a chunk's texts through the stages, and tells them of the choices that finish.
    async fn texts<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        chunk: &Chunk<'_>,
    ) -> Result<(), Aborted> {
        for (piece, number) in chunk.pieces.iter().zip(0..) {
            self.facts.first_delta.get_or_insert_with(Instant::now);
            let delta = Delta {
                choice: piece.choice,
                channel: &piece.channel,
                place: Some(TextRef {
                    chunk: self.chunks,
                    piece: number,
                }),
                text: Cow::Borrowed(&piece.text),
            };
            self.passages.push(stages, delta, &mut self.outputs).await?;
        }
        for (choice, finish) in &chunk.finishes {
            self.passages
                .finish(stages, *choice, finish, &mut self.outputs)
                .await?;
        }
        Ok(())
    }

    /// Carries out what the stages decided, in order; the current chunk goes last, and a denial's chunk after it.
    fn fold<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        current: Option<(&Chunk<'_>, &ChunkEvent)>,
        passed: Result<(), Aborted>,
    ) -> Result<(), StreamError> {
        if let Err(Aborted(stage)) = passed {
            // Of the step in which a stage failed nothing goes out: no finish either.
            self.outputs.clear();
            return Err(StreamError::Stage(stage));
        }
        let mut render = StreamRender {
            envelope: self.envelope.as_ref(),
            pending: &mut self.pending,
            ready: &mut self.ready,
            current: current.map(|(chunk, _)| Current::new(chunk, self.chunks)),
            last: Vec::new(),
        };
        self.assembled
            .fold(&mut self.outputs, stages, &mut render)?;
        let mut last = render.last;
        let texts = render.current.map(|current| current.texts);
        if let (Some((chunk, event)), Some(texts)) = (current, texts) {
            self.send_current(chunk, event, texts)?;
        }
        self.ready.append(&mut last);
        Ok(())
    }

    /// The current chunk goes, now that it is known of each of its texts what becomes of it, or that it waits.
    fn send_current(
        &mut self,
        chunk: &Chunk<'_>,
        event: &ChunkEvent,
        mut texts: Texts,
    ) -> Result<(), StreamError> {
        let number = self.chunks;
        for Text {
            choice,
            channel,
            state,
            ..
        } in &texts
        {
            if !matches!(state, TextState::Waiting | TextState::Gone) {
                let text = (*choice, *channel);
                render::let_go(&mut self.pending, &mut self.ready, number, text)?;
            }
        }
        let denied = self.assembled.denied();
        if !chunk.mentions(denied) {
            let event = event.clone();
            return Ok(settle(
                chunk,
                event,
                number,
                texts,
                &mut self.pending,
                &mut self.ready,
            )?);
        }
        texts.retain(|text| !denied.contains(&text.choice));
        let rest = chunk.without(event, denied)?;
        Ok(settle_rest(
            rest,
            number,
            texts,
            &mut self.pending,
            &mut self.ready,
        )?)
    }
}

/// The part of `whole` that these are, if they lie in it one right after the other.
fn neighbours(whole: &Bytes, parts: &[Bytes]) -> Option<Bytes> {
    let base = whole.as_ptr() as usize;
    let start = (parts.first()?.as_ptr() as usize).checked_sub(base)?;
    let mut end = start;
    for part in parts {
        if part.as_ptr() as usize != base + end {
            return None;
        }
        end += part.len();
    }
    (end <= whole.len()).then(|| whole.slice(start..end))
}
