//! A whole answer goes the way of a stream: cut into deltas, and put together again from what comes out.

use std::borrow::Cow;

use super::assembled::{Assembled, Render};
use super::passages::{Aborted, AnswerStages, Delta, Output, Passages, TextRef};
use crate::wire::ChannelKey;
use crate::wire::choices::chunk::NotAChunk;
use crate::wire::choices::compose::Denied;
use crate::wire::choices::whole::WholeAnswer;

/// The longest delta that a whole answer is cut into, in bytes.
const PIECE: usize = 4 << 10;

/// A whole answer as the stages made it.
pub(super) struct Filtered {
    pub(super) body: WholeAnswer,
    pub(super) assembled: Assembled,
    /// The deltas that it came in; where no stage sees it, its texts.
    pub(super) deltas: u64,
}

impl Filtered {
    /// An answer that no stage sees.
    pub(super) fn untouched(body: WholeAnswer) -> Self {
        Filtered {
            deltas: body.texts().len() as u64,
            assembled: Assembled::default(),
            body,
        }
    }
}

/// Takes every text of the answer through the stages.
pub(super) async fn filter<S: AnswerStages>(
    stages: &mut S,
    mut body: WholeAnswer,
) -> Result<Filtered, Aborted> {
    let mut passages = Passages::new();
    let mut outputs = Vec::new();
    let texts = body.texts();
    let mut starts: Vec<Vec<usize>> = Vec::with_capacity(texts.len());
    for (text, number) in texts.iter().zip(0_u64..) {
        let mut start = 0;
        starts.push(Vec::new());
        for (piece, index) in pieces(&text.text).zip(0..) {
            let delta = Delta {
                choice: text.choice,
                channel: &text.channel,
                place: Some(TextRef {
                    chunk: number,
                    piece: index,
                }),
                text: Cow::Borrowed(piece),
            };
            passages.push(stages, delta, &mut outputs).await?;
            starts[number as usize].push(start);
            start += piece.len();
        }
        let next = texts.get(number as usize + 1);
        if next.is_none_or(|next| next.choice != text.choice) {
            let mut finishes = body.finishes().iter();
            let finish = finishes.find(|(choice, _)| *choice == text.choice);
            let finish = finish.map_or("", |(_, finish)| finish);
            passages
                .finish(stages, text.choice, finish, &mut outputs)
                .await?;
        }
    }
    passages.finish_all(stages, &mut outputs).await?;

    let mut assembled = Assembled::default();
    let mut render = WholeRender {
        changes: outputs
            .iter()
            .any(|output| matches!(output, Output::Changed(..) | Output::Added { .. })),
        now: vec![String::new(); texts.len()],
        starts,
        body: &mut body,
    };
    assembled
        .fold(&mut outputs, stages, &mut render)
        .expect("nothing is read here");
    let WholeRender { changes, now, .. } = render;
    if changes {
        for (number, text) in now.into_iter().enumerate() {
            body.set_text(number, text);
        }
    }
    Ok(Filtered {
        body,
        assembled,
        deltas: passages.deltas(),
    })
}

/// Puts the texts together again, in order.
struct WholeRender<'a> {
    body: &'a mut WholeAnswer,
    /// Any text is another one now.
    changes: bool,
    /// Where the pieces of each text begin.
    starts: Vec<Vec<usize>>,
    /// Each text as it is now, where any changes.
    now: Vec<String>,
}

impl Render for WholeRender<'_> {
    fn text(&mut self, place: TextRef, text: Option<String>) -> Result<(), NotAChunk> {
        if !self.changes {
            return Ok(());
        }
        let number = place.chunk as usize;
        match text {
            Some(text) => self.now[number].push_str(&text),
            None => {
                let (text, starts) = (&self.body.texts()[number].text, &self.starts[number]);
                let piece = place.piece as usize;
                let end = starts.get(piece + 1).copied().unwrap_or(text.len());
                self.now[number].push_str(&text[starts[piece]..end]);
            }
        }
        Ok(())
    }

    fn added(&mut self, choice: u32, channel: ChannelKey, text: String) -> Result<(), NotAChunk> {
        let mut known = self.body.texts().iter();
        let known = known.rposition(|it| (it.choice, it.channel.key()) == (choice, channel));
        if let Some(number) = known {
            self.now[number].push_str(&text);
        }
        Ok(())
    }

    fn denied(&mut self, denied: &Denied<'_>) -> Result<(), NotAChunk> {
        self.body.deny_choice(denied);
        Ok(())
    }
}

/// Cuts at character boundaries. A text that is empty is one piece: it opens a tool call.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        if text.len() <= PIECE {
            return Some(text);
        }
        let (piece, after) = text.split_at(text.floor_char_boundary(PIECE));
        rest = Some(after);
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_characters_and_loses_nothing() {
        let text = "é".repeat(5000);
        let cut: Vec<&str> = pieces(&text).collect();
        assert!(cut.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(cut.concat(), text);
        assert_eq!(cut.len(), 3);
    }

    #[test]
    fn an_empty_text_is_one_piece() {
        assert_eq!(pieces("").collect::<Vec<_>>(), [""]);
    }
}
