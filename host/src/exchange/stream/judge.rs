//! A chunk on its way through the stages, where one of them enforces: what none of them could judge doesn't get there.

use super::{AnswerStream, OutOfTurn, StreamError};
use crate::config::UnknownMembers;
use crate::exchange::errors;
use crate::exchange::passages::{AnswerStages, Output};
use crate::wire::choices::chunk::Chunk;
use crate::wire::choices::render::{ChunkEvent, Rest};

/// Chunks that wait may be as large as this together, and each as large as that, in bytes.
const WAITING: usize = 4 << 20;
const CHUNK: usize = 4 << 10;

impl<P: Send> AnswerStream<P> {
    /// Takes a chunk through the stages. `failed`: the event's own name says that it is an error.
    pub(super) async fn chunk<S: AnswerStages<Passage = P>>(
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
            if let Rest::Aside(aside) = chunk.aside(event)? {
                self.said(event, aside);
            }
            return Err(StreamError::Said);
        }
        if failed {
            let error = self.dialect.error_event(&errors::event(&errors::said()));
            self.ready.push(error);
            return Err(StreamError::Said);
        }
        if !chunk.mentions(self.assembled.ended()) {
            return self.live(stages, chunk, event).await;
        }
        match chunk.without(event, self.assembled.ended())? {
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
            if self.assembled.ended().contains(&piece.choice) {
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
}
