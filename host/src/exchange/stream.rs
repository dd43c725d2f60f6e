//! A streamed answer: from upstream's events to what the client gets.
//!
//! A chunk goes out as the very bytes that came unless a text in it changed. While one of its texts is held, the chunk waits as a
//! [`Carrier`]; nothing else waits for it. Texts that have no chunk of their own get one that looks like the upstream's.

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use tokio::time::Instant;

use super::passages::{Aborted, AnswerStages, Delta, Output, Passages, StageId, TextRef};
use crate::wire::choices::chunk::{Chunk, NotAChunk, Piece, needs_parse};
use crate::wire::choices::envelope::Envelope;
use crate::wire::choices::splice::set_texts;
use crate::wire::choices::split::{Rest, only, without, without_any_choice, without_choices};
use crate::wire::sse::{self, DEFAULT_CAP, Event, Framer, TooLong};
use crate::wire::{ChannelKey, Usage};

/// Why a stream ends before its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// That stage failed, and its `on_error` is deny.
    Stage(StageId),
    /// The upstream said so itself, in an event that has been passed on.
    Said,
    /// The upstream sent what can't be read.
    NotAChunk(NotAChunk),
    /// An event past the cap.
    TooLong(TooLong),
}

/// What is learned on the way, for the outcome.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) usage: Option<Usage>,
    pub(super) model: Option<String>,
    pub(super) finishes: Vec<(u32, String)>,
    pub(super) first_delta: Option<Instant>,
    /// `[DONE]` came.
    pub(super) done: bool,
}

/// One streamed answer on its way to the client.
pub(super) struct Streamer<P> {
    pub(super) answer: Passages<P>,
    denied: SmallVec<[u32; 1]>,
    pub(super) seen: Seen,
    framer: Framer,
    envelope: Option<Envelope>,
    carriers: SmallVec<[Carrier; 2]>,
    chunks: u64,
    outs: Vec<Output>,
    ready: Vec<Bytes>,
}

/// A chunk of which a text is held.
struct Carrier {
    chunk: u64,
    /// The first of its pieces; more than 0 where the chunk was split.
    first: u32,
    raw: Bytes,
    data: Bytes,
    fates: SmallVec<[Fate; 2]>,
    /// Comments and blank lines that came behind it: they keep their place.
    after: Vec<Bytes>,
}

#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Waiting,
    AsCame,
    Text(String),
    /// Its choice was denied.
    Gone,
}

impl Carrier {
    fn whole(chunk: u64, event: &Event, data: &Bytes, pieces: usize) -> Self {
        Carrier {
            chunk,
            first: 0,
            raw: event.raw.clone(),
            data: data.clone(),
            fates: smallvec![Fate::Waiting; pieces],
            after: Vec::new(),
        }
    }

    fn has(&self, place: TextRef) -> bool {
        self.chunk == place.chunk
            && (self.first..self.first + self.fates.len() as u32).contains(&place.piece)
    }

    fn waits(&self) -> bool {
        self.fates.contains(&Fate::Waiting)
    }
}

impl<P: Send> Streamer<P> {
    /// `envelope`: what new chunks look like, where no upstream shows it.
    pub(super) fn new(envelope: Option<Envelope>) -> Self {
        Streamer {
            answer: Passages::new(),
            denied: SmallVec::new(),
            seen: Seen::default(),
            framer: Framer::new(DEFAULT_CAP),
            envelope,
            carriers: SmallVec::new(),
            chunks: 0,
            outs: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// When held text expires, if nothing comes to free it.
    pub(super) fn expiry(&self) -> Option<Instant> {
        self.answer.expiry()
    }

    /// The choices that were denied.
    pub(super) fn denied(&self) -> &[u32] {
        &self.denied
    }

    /// Takes what was read from the upstream; what may go out is in [`take`](Streamer::take) then, also after an error.
    pub(super) async fn read<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        bytes: Bytes,
    ) -> Result<(), Broken> {
        self.framer.push(bytes);
        while let Some(event) = self.framer.next().map_err(Broken::TooLong)? {
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

    /// Held text is late: its stages have failed.
    pub(super) async fn expire<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
    ) -> Result<(), Broken> {
        let fault = self
            .answer
            .expire(stages, Instant::now(), &mut self.outs)
            .await;
        self.finish_step(stages, None, fault)
    }

    /// The upstream's bytes are over. What came without its end goes the way of all events, as if its end had come.
    pub(super) async fn end<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
    ) -> Result<(), Broken> {
        let Some(rest) = self.framer.finish() else {
            return Ok(());
        };
        let ended: Vec<u8> = [&rest[..], b"\n\n"].concat();
        self.framer = Framer::new(DEFAULT_CAP);
        let before = self.ready.len();
        let read = self.read(stages, ended.into()).await;
        if !stages.may_change_answer() {
            // The end was for being read; it goes as it came.
            self.ready.truncate(before);
            self.ready.push(rest);
        }
        read
    }

    /// Whether the upstream's bytes may end here: it said so, or every one of so many choices has finished or was denied.
    pub(super) fn is_complete(&self, choices: usize) -> bool {
        let mut ended = self.denied.clone();
        ended.extend(self.seen.finishes.iter().map(|(choice, _)| *choice));
        ended.sort_unstable();
        ended.dedup();
        self.seen.done || ended.len() >= choices && self.carriers.is_empty()
    }

    async fn event<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        event: Event,
    ) -> Result<(), Broken> {
        // An event without data says nothing.
        let Some(data) = event.data.clone().filter(|data| !data.is_empty()) else {
            match self.carriers.last_mut() {
                Some(carrier) => carrier.after.push(event.raw),
                None => self.ready.push(event.raw),
            }
            return Ok(());
        };
        if event.is_done() {
            self.seen.done = true;
            let fault = self.answer.finish_all(stages, &mut self.outs).await;
            self.finish_step(stages, None, fault)?;
            self.ready.push(event.raw);
            return Ok(());
        }
        if !stages.may_change_answer() {
            if stages.count() > 0 {
                self.show(stages, &data).await;
            }
            return self.pass(event, &data);
        }
        if !self.denied.is_empty() {
            return self.remaining(stages, &data).await;
        }
        self.chunk(stages, event, data).await
    }

    /// All who look are in shadow: they are shown what can be read, and whatever they say, nothing comes of it.
    async fn show<S: AnswerStages<Passage = P>>(&mut self, stages: &mut S, data: &Bytes) {
        let Ok(chunk) = Chunk::parse(data) else {
            return;
        };
        if chunk.error.is_none() {
            self.chunks += 1;
            let shown = self.texts(stages, &chunk, self.chunks).await;
            debug_assert!(shown.is_ok(), "a stage in shadow ended an exchange");
        }
        self.outs.clear();
    }

    /// Nobody judges: the bytes go as they came, and only what ends an answer is read.
    fn pass(&mut self, event: Event, data: &Bytes) -> Result<(), Broken> {
        self.seen.first_delta.get_or_insert_with(Instant::now);
        let broken = match needs_parse(data).then(|| Chunk::parse(data)) {
            Some(Ok(chunk)) => {
                self.note(&chunk);
                chunk.error.is_some()
            }
            _ => false,
        };
        self.ready.push(event.raw);
        if broken { Err(Broken::Said) } else { Ok(()) }
    }

    /// Some choice was denied: nothing of it goes on.
    async fn remaining<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        data: &Bytes,
    ) -> Result<(), Broken> {
        let chunk = Chunk::parse(data).map_err(Broken::NotAChunk)?;
        self.note(&chunk);
        let denied = self.denied.clone();
        let data = match without_choices(data, &denied).map_err(Broken::NotAChunk)? {
            Rest::Nothing => return Ok(()),
            Rest::Usage(data) => {
                self.ready.push(sse::event(&data));
                return if chunk.error.is_some() {
                    Err(Broken::Said)
                } else {
                    Ok(())
                };
            }
            Rest::Chunk(data) => Bytes::from(data),
        };
        let event = Event {
            raw: sse::event(&data),
            data: Some(data.clone()),
            name: None,
        };
        self.chunk(stages, event, data).await
    }

    async fn chunk<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        event: Event,
        data: Bytes,
    ) -> Result<(), Broken> {
        let chunk = Chunk::parse(&data).map_err(Broken::NotAChunk)?;
        self.note(&chunk);
        if chunk.error.is_some() {
            if chunk.choices == 0 {
                self.ready.push(event.raw);
            } else if let Rest::Usage(data) =
                without_any_choice(&data).map_err(Broken::NotAChunk)?
            {
                // No stage has seen what its choices say.
                self.ready.push(sse::event(&data));
            }
            return Err(Broken::Said);
        }
        if self.envelope.is_none() {
            self.envelope = Some(Envelope::of(&data).map_err(Broken::NotAChunk)?);
        }
        self.chunks += 1;
        let number = self.chunks;
        let fault = self.texts(stages, &chunk, number).await;
        // Nearly every chunk: one text, and it goes as it came.
        let mine = |out: &Output| matches!(out, Output::AsCame(place) if place.chunk == number);
        if fault.is_ok() && chunk.pieces.len() == 1 && self.outs.len() == 1 && mine(&self.outs[0]) {
            self.outs.clear();
            self.ready.push(event.raw);
            return Ok(());
        }
        self.finish_step(
            stages,
            Some(Current {
                chunk,
                event: &event,
                data: &data,
                number,
            }),
            fault,
        )
    }

    /// Takes a chunk's texts through the stages, and tells them of the choices that finish.
    async fn texts<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        chunk: &Chunk<'_>,
        number: u64,
    ) -> Result<(), Aborted> {
        for (index, piece) in chunk.pieces.iter().enumerate() {
            self.seen.first_delta.get_or_insert_with(Instant::now);
            let delta = Delta {
                choice: piece.choice,
                channel: &piece.channel,
                place: Some(TextRef {
                    chunk: number,
                    piece: index as u32,
                }),
                text: Cow::Borrowed(&piece.text),
            };
            self.answer.push(stages, delta, &mut self.outs).await?;
        }
        for (choice, finish) in &chunk.finishes {
            self.answer
                .finish(stages, *choice, finish, &mut self.outs)
                .await?;
        }
        Ok(())
    }

    fn note(&mut self, chunk: &Chunk<'_>) {
        if chunk.usage.is_some() {
            self.seen.usage = chunk.usage;
        }
        if self.seen.model.is_none() {
            self.seen.model = chunk.model.as_deref().map(str::to_owned);
        }
        for (choice, finish) in &chunk.finishes {
            self.seen.finishes.push((*choice, finish.to_string()));
        }
    }

    /// Carries out what the stages decided, in order; the current chunk goes last, and a denial's chunk after it.
    fn finish_step<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        current: Option<Current<'_>>,
        fault: Result<(), Aborted>,
    ) -> Result<(), Broken> {
        if let Err(Aborted(stage)) = fault {
            // Of the step in which a stage failed nothing goes out: no finish either.
            self.outs.clear();
            return Err(Broken::Stage(stage));
        }
        let mut outs = std::mem::take(&mut self.outs);
        let mut here = current
            .as_ref()
            .filter(|current| !current.chunk.pieces.is_empty())
            .map(|current| {
                Carrier::whole(
                    current.number,
                    current.event,
                    current.data,
                    current.chunk.pieces.len(),
                )
            });
        let mut last = Vec::new();
        for out in outs.drain(..) {
            match out {
                Output::AsCame(place) => self.resolve(&mut here, place, Fate::AsCame)?,
                Output::Changed(place, text) => self.resolve(&mut here, place, Fate::Text(text))?,
                Output::Added {
                    choice,
                    channel,
                    text,
                } => {
                    let merged =
                        current
                            .as_ref()
                            .zip(here.as_mut())
                            .is_some_and(|(current, here)| {
                                merge(current, here, choice, channel, &text)
                            });
                    if !merged {
                        self.added(choice, channel, &text);
                    }
                }
                Output::Denied {
                    choice,
                    stage,
                    denial,
                } => {
                    stages.denied(stage, choice, &denial);
                    self.denied.push(choice);
                    self.drop_choice(choice);
                    if let (Some(current), Some(here)) = (&current, &mut here) {
                        for (piece, fate) in current.chunk.pieces.iter().zip(&mut here.fates) {
                            if piece.choice == choice {
                                *fate = Fate::Gone;
                            }
                        }
                    }
                    let envelope = self
                        .envelope
                        .as_ref()
                        .expect("a delta came before its denial");
                    let data = envelope.denied_chunk(
                        choice,
                        stages.name(stage),
                        &denial.code,
                        &denial.message,
                    );
                    last.push(sse::event(&data));
                }
            }
        }
        self.outs = outs;
        if let Some(current) = current {
            self.emit_current(current, here)?;
        }
        self.ready.append(&mut last);
        Ok(())
    }

    fn resolve(
        &mut self,
        here: &mut Option<Carrier>,
        place: TextRef,
        fate: Fate,
    ) -> Result<(), Broken> {
        if let Some(here) = here.as_mut().filter(|here| here.has(place)) {
            here.fates[(place.piece - here.first) as usize] = fate;
            return Ok(());
        }
        let Some(at) = self.carriers.iter().position(|carrier| carrier.has(place)) else {
            debug_assert!(false, "a text came out that never went in");
            return Ok(());
        };
        let carrier = &mut self.carriers[at];
        carrier.fates[(place.piece - carrier.first) as usize] = fate;
        if !carrier.waits() {
            let mut carrier = self.carriers.remove(at);
            if carrier.fates.iter().all(|fate| *fate == Fate::AsCame) {
                self.ready.push(carrier.raw);
            } else {
                let chunk = Chunk::parse(&carrier.data).map_err(Broken::NotAChunk)?;
                let bytes = rewritten(&chunk, &carrier.raw, &carrier.data, &carrier.fates);
                self.ready.extend(bytes);
            }
            self.ready.append(&mut carrier.after);
        }
        Ok(())
    }

    fn added(&mut self, choice: u32, channel: ChannelKey, text: &str) {
        let envelope = self
            .envelope
            .as_ref()
            .expect("a delta came before what is added to it");
        let data = envelope.text_chunk(choice, &channel.into(), text);
        self.ready.push(sse::event(&data));
    }

    /// A choice was denied: chunks that waited with its text are dropped. A usage in one of them stays.
    fn drop_choice(&mut self, choice: u32) {
        let ready = &mut self.ready;
        self.carriers.retain(|carrier| {
            let Ok(chunk) = Chunk::parse(&carrier.data) else {
                return false;
            };
            let mine = chunk.pieces.iter().any(|piece| piece.choice == choice);
            if mine && let Ok(Rest::Usage(data)) = without_choices(&carrier.data, &[choice]) {
                ready.push(sse::event(&data));
            }
            if mine {
                ready.append(&mut carrier.after);
            }
            !mine
        });
    }

    /// The current chunk, when the fate of each of its texts is known or waits.
    fn emit_current(&mut self, current: Current<'_>, here: Option<Carrier>) -> Result<(), Broken> {
        let Current {
            chunk,
            event,
            data,
            number,
        } = current;
        let fates = here.map(|here| here.fates).unwrap_or_default();
        let pieces: Pieces = fates
            .into_iter()
            .enumerate()
            .map(|(index, fate)| (index as u32, fate))
            .collect();
        let denied = match !self.denied.is_empty() {
            true => self.denied.clone(),
            false => SmallVec::new(),
        };
        let touched = chunk
            .pieces
            .iter()
            .any(|piece| denied.contains(&piece.choice))
            || chunk
                .finishes
                .iter()
                .any(|(choice, _)| denied.contains(choice));
        if !touched {
            return self.settle(&chunk, &event.raw, data, number, pieces);
        }
        let rest = without_choices(data, &denied).map_err(Broken::NotAChunk)?;
        let left = chunk.pieces.iter().zip(pieces);
        let left = left
            .filter(|(piece, _)| !denied.contains(&piece.choice))
            .map(|(_, piece)| piece);
        self.settle_rest(rest, number, left.collect())
    }

    /// What is left of a chunk, as a chunk of its own.
    fn settle_rest(&mut self, rest: Rest, number: u64, pieces: Pieces) -> Result<(), Broken> {
        match rest {
            Rest::Nothing => Ok(()),
            Rest::Usage(data) => {
                self.ready.push(sse::event(&data));
                Ok(())
            }
            Rest::Chunk(data) => {
                let data = Bytes::from(data);
                let chunk = Chunk::parse(&data).map_err(Broken::NotAChunk)?;
                self.settle(&chunk, &sse::event(&data), &data, number, pieces)
            }
        }
    }

    /// Sends a chunk, or keeps it while its text is held, or splits it where only some of it is held.
    fn settle(
        &mut self,
        chunk: &Chunk<'_>,
        raw: &Bytes,
        data: &Bytes,
        number: u64,
        pieces: Pieces,
    ) -> Result<(), Broken> {
        let waiting = pieces
            .iter()
            .filter(|(_, fate)| *fate == Fate::Waiting)
            .count();
        if waiting == 0 {
            if pieces.iter().all(|(_, fate)| *fate == Fate::AsCame) {
                self.ready.push(raw.clone());
            } else {
                let fates: SmallVec<[Fate; 2]> = pieces.into_iter().map(|(_, fate)| fate).collect();
                self.ready.extend(rewritten(chunk, raw, data, &fates));
            }
            return Ok(());
        }
        if waiting == pieces.len() && chunk.choices <= 1 {
            // The pieces of one choice stand together, so the first one's number is enough.
            self.carriers.push(Carrier {
                chunk: number,
                first: pieces[0].0,
                raw: raw.clone(),
                data: data.clone(),
                fates: smallvec![Fate::Waiting; waiting],
                after: Vec::new(),
            });
            return Ok(());
        }
        // Only some of it is held: that waits by itself, and the rest goes.
        let mut slots: SmallVec<[_; 2]> = SmallVec::new();
        let mut left = Pieces::new();
        for (piece, (index, fate)) in chunk.pieces.iter().zip(pieces) {
            if fate != Fate::Waiting {
                left.push((index, fate));
                continue;
            }
            slots.push(&piece.slot);
            let data = Bytes::from(only(data, &piece.slot).map_err(Broken::NotAChunk)?);
            self.carriers.push(Carrier {
                chunk: number,
                first: index,
                raw: sse::event(&data),
                data,
                fates: smallvec![Fate::Waiting],
                after: Vec::new(),
            });
        }
        let rest = without(data, &slots).map_err(Broken::NotAChunk)?;
        self.settle_rest(rest, number, left)
    }
}

/// The pieces of a chunk: each one's number in the chunk as it came, and its fate.
type Pieces = SmallVec<[(u32, Fate); 2]>;

/// The chunk at hand.
struct Current<'a> {
    chunk: Chunk<'a>,
    event: &'a Event,
    data: &'a Bytes,
    number: u64,
}

/// Text that is added after a text of the current chunk goes into it: so it stands before the chunk's finish.
fn merge(
    current: &Current<'_>,
    here: &mut Carrier,
    choice: u32,
    key: ChannelKey,
    text: &str,
) -> bool {
    let same = |piece: &Piece<'_>| piece.choice == choice && piece.channel.key() == key;
    let Some(index) = current.chunk.pieces.iter().rposition(same) else {
        return false;
    };
    match &mut here.fates[index] {
        fate @ Fate::AsCame => {
            let mut joined = current.chunk.pieces[index].text.to_string();
            joined.push_str(text);
            *fate = Fate::Text(joined);
            true
        }
        Fate::Text(before) => {
            before.push_str(text);
            true
        }
        Fate::Waiting | Fate::Gone => false,
    }
}

/// The event with other texts in their places and all other bytes as they came; nothing where nothing is left to say.
fn rewritten(chunk: &Chunk<'_>, raw: &Bytes, data: &Bytes, fates: &[Fate]) -> Option<Bytes> {
    let mut texts: SmallVec<[_; 2]> = SmallVec::new();
    let mut nulled: SmallVec<[_; 2]> = SmallVec::new();
    for (piece, fate) in chunk.pieces.iter().zip(fates) {
        if let Fate::Text(text) = fate {
            texts.push((&piece.slot, text.as_str()));
            for span in chunk.logprobs_of(piece.choice) {
                if !nulled.contains(&span) {
                    nulled.push(span);
                }
            }
        }
    }
    let emptied = matches!(fates, [Fate::Text(text)] if text.is_empty());
    if emptied && !chunk.carries_more(0) {
        return None;
    }
    let data_now = set_texts(data, &texts, &nulled);
    // Where the data is one line of the event, the event's other lines stay around it.
    let at = (data.as_ptr() as usize).checked_sub(raw.as_ptr() as usize);
    match at.filter(|at| at + data.len() <= raw.len()) {
        Some(at) => {
            let mut event = Vec::with_capacity(raw.len() - data.len() + data_now.len());
            event.extend_from_slice(&raw[..at]);
            event.extend_from_slice(&data_now);
            event.extend_from_slice(&raw[at + data.len()..]);
            Some(event.into())
        }
        None => Some(sse::event(&data_now)),
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
