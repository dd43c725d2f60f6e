//! A streamed answer: from upstream's events to what the client gets.
//!
//! A chunk goes out as the very bytes that came unless a text in it changed. While one of its texts is held, the chunk waits as a
//! [`PendingChunk`]; nothing else waits for it. Texts that have no chunk of their own get one that looks like the upstream's.
//!
//! - [`facts`]: what it says beside its texts, and why it may end early;
//! - [`judge`]: a chunk on its way through the stages, and what they can't judge;
//! - [`pending`]: chunks that wait, and how a chunk goes in parts;
//! - [`render`]: what the stages decided, carried out on chunks;
//! - [`pump`]: from the upstream to the client.

mod facts;
mod judge;
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
use crate::upstream::{ErrorBody, OwnSecret};
use crate::wire::Dialect;
use crate::wire::choices::chunk::Chunk;
use crate::wire::choices::envelope::Envelope;
use crate::wire::choices::render::ChunkEvent;
use crate::wire::sse::{DEFAULT_CAP, Event, Framer};

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
    /// The target's own, struck out of its errors.
    secret: OwnSecret,
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
            secret: OwnSecret::default(),
        }
    }

    /// The same, of a target with this secret.
    pub(super) fn without(mut self, secret: &OwnSecret) -> Self {
        self.secret = secret.clone();
        self
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
        if !stages.may_change_answer()
            && !matches!(read, Err(StreamError::NotEvents | StreamError::Said))
        {
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
        self.ended() >= choices && self.is_all()
    }

    /// Whether the upstream can be let go: each of so many choices has ended, and stages ended one at least, so that what the upstream
    /// might add isn't waited for.
    pub(super) fn has_enough(&self, choices: usize) -> bool {
        !self.assembled.ended().is_empty() && self.ended() >= choices
    }

    /// How many choices have ended: by the upstream, or by stages.
    fn ended(&self) -> usize {
        let mut ended: SmallVec<[u32; 2]> = SmallVec::from_slice(self.assembled.ended());
        ended.extend(self.facts.finishes.iter().map(|(choice, _)| *choice));
        ended.sort_unstable();
        ended.dedup();
        ended.len()
    }

    /// Whether each choice that began has ended. What couldn't be read, and needn't, may have been an end.
    fn is_all(&self) -> bool {
        self.facts.unread || self.facts.all_finished(self.assembled.ended())
    }

    async fn event<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        event: Event,
    ) -> Result<(), StreamError> {
        let is_end = self.dialect.is_end(&event);
        if !event.is_of_lines() {
            return Err(StreamError::NotEvents);
        }
        let Event { raw, data, name } = event;
        // An event without data says nothing.
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            match self.pending.last_mut().filter(|it| it.takes(&raw)) {
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
        if said {
            let raw = event.raw.clone();
            self.said(&event, raw);
            return Err(StreamError::Said);
        }
        self.ready.push(event.raw);
        Ok(())
    }

    /// What the upstream says in breaking off goes out as it came, unless it repeats the target's secret.
    fn said(&mut self, event: &ChunkEvent, as_it_came: Bytes) {
        let secret = &self.secret;
        let goes = if secret.is_in(&event.data) || secret.is_in(&event.raw) {
            let error = ErrorBody::parse(200, &event.data, secret).into();
            self.dialect.error_event(&errors::event(&error))
        } else {
            as_it_came
        };
        self.ready.push(goes);
    }

    /// Takes a chunk's texts through the stages, and tells them of the choices that finish.
    pub(super) async fn texts<S: AnswerStages<Passage = P>>(
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
            current: current.map(|(chunk, event)| Current::new(chunk, event, self.chunks)),
            last: Vec::new(),
        };
        self.assembled
            .fold(&mut self.outputs, stages, &mut render)?;
        for choice in self.assembled.finished() {
            self.facts.stopped(*choice);
        }
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
        let ended = self.assembled.ended();
        if !chunk.mentions(ended) {
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
        texts.retain(|text| !ended.contains(&text.choice));
        let rest = chunk.without(event, ended)?;
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
