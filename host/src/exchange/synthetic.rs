//! An answer that a stage gives in the model's place: its text passes every other stage, then becomes an ordinary completion.

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::SmallVec;

use super::assembled::{Assembled, Render, stopped, told};
use super::passages::{Aborted, AnswerStages, Delta, Passages, STOP, TextRef};
use super::stage_run::Response;
use super::translate::channel_from_policy;
use crate::wire::choices::chunk::NotAChunk;
use crate::wire::choices::compose::{Composition, Denied};
use crate::wire::{Channel, ChannelKey, Dialect};

/// What came out of the other stages.
pub(super) struct Synthetic {
    /// Why choices end, by choice, where the stage said so or another one finished them.
    finishes: Vec<(u32, String)>,
    /// In order, each with its choice and the channel as the policy named it.
    texts: Vec<(u32, Channel<'static>, String)>,
    choices: SmallVec<[u32; 1]>,
    pub(super) assembled: Assembled,
    /// Deltas that went through.
    pub(super) deltas: u64,
}

/// Takes the deltas through every other stage.
pub(super) async fn respond<S: AnswerStages>(
    stages: &mut S,
    response: &Response,
) -> Result<Synthetic, Aborted> {
    let deltas: Vec<_> = response
        .deltas
        .iter()
        .map(|delta| {
            (
                delta.choice,
                channel_from_policy(&delta.channel),
                &*delta.text,
            )
        })
        .collect();
    let mut choices: SmallVec<[u32; 1]> = deltas.iter().map(|(choice, ..)| *choice).collect();
    choices.sort_unstable();
    choices.dedup();
    if choices.is_empty() {
        choices.push(0);
    }
    let mut passages = Passages::new();
    let mut outputs = Vec::new();
    for (choice, channel, text) in &deltas {
        let delta = Delta {
            choice: *choice,
            channel,
            place: None,
            text: Cow::Borrowed(text),
        };
        passages.push(stages, delta, &mut outputs).await?;
    }
    for choice in &choices {
        let calls = deltas
            .iter()
            .any(|(of, channel, _)| of == choice && channel.key().is_call());
        let said = response.finishes.iter().find(|(of, _)| of == choice);
        let finish = match said {
            Some((_, finish)) => finish,
            None if calls => "tool_calls",
            None => STOP,
        };
        passages
            .finish(stages, *choice, finish, &mut outputs)
            .await?;
    }
    let mut assembled = Assembled::default();
    let mut render = SyntheticRender {
        deltas: &deltas,
        texts: Vec::new(),
    };
    assembled
        .fold(&mut outputs, stages, &mut render)
        .expect("nothing is read here");
    let mut finishes = response.finishes.clone();
    for choice in assembled.finished() {
        stopped(&mut finishes, *choice);
    }
    Ok(Synthetic {
        finishes,
        texts: render.texts,
        choices,
        assembled,
        deltas: passages.deltas(),
    })
}

impl Synthetic {
    /// How many choices it has.
    pub(super) fn choices(&self) -> usize {
        self.choices.len()
    }

    /// The finish reason of each choice.
    pub(super) fn finishes<S: AnswerStages>(&self, stages: &S) -> Vec<(u32, String)> {
        self.composed("", "", stages, |composition| {
            let finish = |choice: &u32| (*choice, composition.finish(*choice).to_owned());
            self.choices.iter().map(finish).collect()
        })
    }

    /// The answer as a client gets it.
    pub(super) fn render<S: AnswerStages>(
        &self,
        dialect: Dialect,
        (id, model): (&str, &str),
        stream: bool,
        stages: &S,
    ) -> Bytes {
        self.composed(id, model, stages, |composition| {
            dialect.compose(composition, stream)
        })
    }

    fn composed<S: AnswerStages, T>(
        &self,
        id: &str,
        model: &str,
        stages: &S,
        then: impl FnOnce(&Composition<'_>) -> T,
    ) -> T {
        let denials = self.assembled.denials();
        let denied: Vec<Denied<'_>> = denials
            .iter()
            .map(|it| told(it.choice, stages.name(it.stage), &it.denial))
            .collect();
        then(&Composition {
            id,
            model,
            choices: &self.choices,
            texts: &self.texts,
            denied: &denied,
            finishes: &self.finishes,
        })
    }
}

/// Collects the texts. None has a place, so all that comes out is added.
struct SyntheticRender<'a> {
    deltas: &'a [(u32, Channel<'static>, &'a str)],
    texts: Vec<(u32, Channel<'static>, String)>,
}

impl Render for SyntheticRender<'_> {
    fn text(&mut self, place: TextRef, _: Option<String>) -> Result<(), NotAChunk> {
        debug_assert!(
            false,
            "{place:?} came out, and no delta went in with a place"
        );
        Ok(())
    }

    fn added(&mut self, choice: u32, channel: ChannelKey, text: String) -> Result<(), NotAChunk> {
        let mut named = self.deltas.iter();
        let named = named.find(|(of, named, _)| (*of, named.key()) == (choice, channel));
        let channel = named.map_or(channel.into(), |(_, named, _)| named.clone());
        self.texts.push((choice, channel, text));
        Ok(())
    }

    fn denied(&mut self, _: &Denied<'_>) -> Result<(), NotAChunk> {
        Ok(())
    }

    /// What came out of it is all that there is of it.
    fn finished(&mut self, _: u32) -> Result<(), NotAChunk> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::passages::tests::{Script, forward};
    use crate::policy::types::{self, Edit};

    #[tokio::test]
    async fn a_choice_that_another_stage_finishes_says_so_whatever_the_response_said() {
        let mut stages = Script::of(
            |text| match text {
                "now" => Edit::Finish("!".into()),
                _ => Edit::Forward,
            },
            forward,
        );
        let content = |choice, text: &str| types::Delta {
            choice,
            channel: types::Channel::Content,
            text: text.into(),
        };
        let response = Response {
            deltas: vec![content(0, "now"), content(1, "never")],
            finishes: vec![(0, "length".into()), (1, "length".into())],
        };
        let synthetic = respond(&mut stages, &response).await.ok();
        let synthetic = synthetic.expect("no stage fails");
        let finishes = synthetic.finishes(&stages);
        assert_eq!(finishes, [(0, "stop".into()), (1, "length".into())]);
    }
}
