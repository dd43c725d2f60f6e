//! A chunk on its way out: with other texts in it, without some of its choices, or in parts.

use bytes::Bytes;
use smallvec::SmallVec;

use super::chunk::{Chunk, NotAChunk};
use super::splice::set_texts;
use super::split;
use crate::{Dialect, sse};

/// An event and the chunk in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkEvent {
    /// How the chunk is read.
    pub dialect: Dialect,
    /// Every byte of the event.
    pub raw: Bytes,
    /// The chunk's JSON. Where it is one line of `raw`, it is a slice of it.
    pub data: Bytes,
}

impl ChunkEvent {
    /// An event made here, around that JSON.
    pub fn written(dialect: Dialect, data: Vec<u8>) -> Self {
        ChunkEvent {
            dialect,
            raw: sse::event(&data),
            data: data.into(),
        }
    }

    /// The event with other data. Where the data is one line of it, its other lines stay around that.
    pub fn with(&self, now: Vec<u8>) -> Self {
        let ChunkEvent { dialect, raw, data } = self;
        let at = (data.as_ptr() as usize).checked_sub(raw.as_ptr() as usize);
        let Some(at) = at.filter(|at| at + data.len() <= raw.len()) else {
            return ChunkEvent::written(*dialect, now);
        };
        let mut event = Vec::with_capacity(raw.len() - data.len() + now.len());
        event.extend_from_slice(&raw[..at]);
        event.extend_from_slice(&now);
        event.extend_from_slice(&raw[at + data.len()..]);
        let raw = Bytes::from(event);
        ChunkEvent {
            dialect: *dialect,
            data: raw.slice(at..at + now.len()),
            raw,
        }
    }

    /// Reads the chunk.
    ///
    /// # Errors
    /// As [`Dialect::chunk`].
    pub fn chunk(&self) -> Result<Chunk<'_>, NotAChunk> {
        self.dialect.chunk(&self.data)
    }
}

/// What is left of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing that anyone would miss.
    Nothing,
    /// An event with usage or an error, and without choices.
    Aside(Bytes),
    /// A chunk with choices.
    Chunk(ChunkEvent),
}

impl Rest {
    fn of(dialect: Dialect, rest: split::Rest) -> Rest {
        match rest {
            split::Rest::Nothing => Rest::Nothing,
            split::Rest::Usage(data) => Rest::Aside(sse::event(&data)),
            split::Rest::Chunk(data) => Rest::Chunk(ChunkEvent::written(dialect, data)),
        }
    }
}

/// `event` is in each of these the one that the chunk was read from.
impl Chunk<'_> {
    /// The event with other texts in the places of these pieces, by number, and all other bytes as they came. `None` where nothing
    /// is left to say. Choices with a changed text lose their logprobs, which would tell what was removed.
    pub fn render(&self, event: &ChunkEvent, texts: &[(usize, &str)]) -> Option<Bytes> {
        let mut slots: SmallVec<[_; 2]> = SmallVec::new();
        let mut nulled: SmallVec<[_; 2]> = SmallVec::new();
        for (number, text) in texts {
            let piece = &self.pieces[*number];
            slots.push((&piece.slot, *text));
            for span in self.logprobs_of(piece.choice) {
                if !nulled.contains(&span) {
                    nulled.push(span);
                }
            }
        }
        if matches!(texts, [(0, "")]) && !self.carries_more(0) {
            return None;
        }
        let data = set_texts(&event.data, &slots, &nulled);
        Some(event.with(data).raw)
    }

    /// Whether any of these choices stands in the chunk.
    pub fn mentions(&self, choices: &[u32]) -> bool {
        self.choices.iter().any(|choice| choices.contains(choice))
    }

    /// The chunk without those choices.
    ///
    /// # Errors
    /// [`NotAChunk`] where `event` isn't the chunk's.
    pub fn without(&self, event: &ChunkEvent, choices: &[u32]) -> Result<Rest, NotAChunk> {
        let rest = split::without_choices(&event.data, choices)?;
        Ok(Rest::of(event.dialect, rest))
    }

    /// What the chunk says beside its choices: usage, an error.
    ///
    /// # Errors
    /// [`NotAChunk`] where `event` isn't the chunk's.
    pub fn aside(&self, event: &ChunkEvent) -> Result<Rest, NotAChunk> {
        if self.choices.is_empty() {
            return Ok(Rest::Aside(event.raw.clone()));
        }
        let rest = split::without_any_choice(&event.data)?;
        Ok(Rest::of(event.dialect, rest))
    }

    /// Takes these pieces out, by number: each as a chunk with nothing else in it, in that order, and what is left.
    ///
    /// # Errors
    /// [`NotAChunk`] where `event` isn't the chunk's.
    pub fn hold_back(
        &self,
        event: &ChunkEvent,
        pieces: &[usize],
    ) -> Result<(SmallVec<[ChunkEvent; 2]>, Rest), NotAChunk> {
        let slots = pieces.iter().map(|number| &self.pieces[*number].slot);
        let slots: SmallVec<[_; 2]> = slots.collect();
        let alone = slots.iter().map(|slot| split::only(&event.data, slot));
        let alone = alone.map(|data| data.map(|data| ChunkEvent::written(event.dialect, data)));
        let alone = alone.collect::<Result<_, _>>()?;
        let rest = split::without(&event.data, &slots)?;
        Ok((alone, Rest::of(event.dialect, rest)))
    }
}
