//! A whole answer goes the way of a stream: cut into deltas, and put together again from what comes out.

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::SmallVec;

use super::passages::{Aborted, AnswerStages, Delta, Output, Passages, StageId, TextRef};
use crate::policy::types::Denial;
use crate::wire::choices::whole::WholeAnswer as Body;

/// The longest delta that a whole answer is cut into, in bytes.
const PIECE: usize = 4 << 10;

/// What the stages made of a whole answer.
pub(super) struct Passed {
    /// The body to send.
    pub(super) body: Bytes,
    /// The choices that were denied: by which stage, and why.
    pub(super) denied: SmallVec<[(u32, StageId, Denial); 1]>,
    /// Deltas that went through.
    pub(super) deltas: u64,
}

impl Passed {
    /// An answer that no stage sees.
    pub(super) fn untouched(body: &Body) -> Self {
        Passed {
            body: body.to_bytes(),
            denied: SmallVec::new(),
            deltas: 0,
        }
    }
}

/// Takes every text of the answer through the stages.
pub(super) async fn pass<S: AnswerStages>(
    stages: &mut S,
    mut body: Body,
) -> Result<Passed, Aborted> {
    let mut answer = Passages::<S::Passage>::new();
    let mut outs = Vec::new();
    let texts = body.texts();
    for (number, text) in texts.iter().enumerate() {
        if number > 0 && texts[number - 1].choice != text.choice {
            end_choice(
                stages,
                &body,
                texts[number - 1].choice,
                &mut answer,
                &mut outs,
            )
            .await?;
        }
        for (index, piece) in pieces(&text.text).enumerate() {
            let delta = Delta {
                choice: text.choice,
                channel: &text.channel,
                place: Some(TextRef {
                    chunk: number as u64,
                    piece: index as u32,
                }),
                text: Cow::Borrowed(piece),
            };
            answer.push(stages, delta, &mut outs).await?;
        }
    }
    if let Some(last) = texts.last() {
        end_choice(stages, &body, last.choice, &mut answer, &mut outs).await?;
    }
    answer.finish_all(stages, &mut outs).await?;

    let mut denied = SmallVec::new();
    for (number, text) in changed(&body, &outs) {
        body.set_text(number, text);
    }
    for out in outs {
        if let Output::Denied {
            choice,
            stage,
            denial,
        } = out
        {
            stages.denied(stage, choice, &denial);
            body.deny_choice(choice, stages.name(stage), &denial.code, &denial.message);
            denied.push((choice, stage, denial));
        }
    }
    Ok(Passed {
        body: body.to_bytes(),
        denied,
        deltas: answer.deltas(),
    })
}

async fn end_choice<S: AnswerStages>(
    stages: &mut S,
    body: &Body,
    choice: u32,
    answer: &mut Passages<S::Passage>,
    outs: &mut Vec<Output>,
) -> Result<(), Aborted> {
    let finish = body.finishes().iter().find(|(index, _)| *index == choice);
    let finish = finish.map_or("", |(_, finish)| finish);
    answer.finish(stages, choice, finish, outs).await
}

/// The texts that are other ones now, put together from what came out, in order.
fn changed(body: &Body, outs: &[Output]) -> Vec<(usize, String)> {
    let as_came = |out: &Output| matches!(out, Output::AsCame(_) | Output::Denied { .. });
    if outs.iter().all(as_came) {
        return Vec::new();
    }
    let texts = body.texts();
    let cut: Vec<Vec<&str>> = texts
        .iter()
        .map(|text| pieces(&text.text).collect())
        .collect();
    let mut built: Vec<String> = vec![String::new(); texts.len()];
    for out in outs {
        match out {
            Output::AsCame(place) => {
                let number = place.chunk as usize;
                built[number].push_str(cut[number][place.piece as usize]);
            }
            Output::Changed(place, text) => built[place.chunk as usize].push_str(text),
            Output::Added {
                choice,
                channel,
                text,
            } => {
                let known = texts
                    .iter()
                    .rposition(|known| known.choice == *choice && known.channel.key() == *channel);
                if let Some(number) = known {
                    built[number].push_str(text);
                }
            }
            Output::Denied { .. } => {}
        }
    }
    built.into_iter().enumerate().collect()
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
