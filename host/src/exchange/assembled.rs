//! What came out of the stages: one rule for streams, whole answers and answers of a stage's own, which differ in [`Render`] alone.

use smallvec::SmallVec;

use super::errors;
use super::passages::{AnswerStages, Output, STOP, StageId, TextRef};
use crate::policy::types::Denial;
use crate::wire::ChannelKey;
use crate::wire::choices::chunk::NotAChunk;
use crate::wire::choices::compose::Denied;

/// How what came out becomes an answer.
pub(super) trait Render {
    /// The text at that place goes, as it came or as another.
    fn text(&mut self, place: TextRef, text: Option<String>) -> Result<(), NotAChunk>;

    /// Text that has no place of its own goes.
    fn added(&mut self, choice: u32, channel: ChannelKey, text: String) -> Result<(), NotAChunk>;

    /// A choice ends: what of it has not gone never will.
    fn denied(&mut self, denied: &Denied<'_>) -> Result<(), NotAChunk>;

    /// A choice ends as if the model had stopped: what of it has not come out never will.
    fn finished(&mut self, choice: u32) -> Result<(), NotAChunk>;
}

/// The choices of an answer that stages ended, and why.
#[derive(Debug, Default)]
pub(super) struct Assembled {
    denials: SmallVec<[ChoiceDenial; 1]>,
    /// The choices that were denied or finished.
    ended: SmallVec<[u32; 1]>,
    /// Those that were finished.
    finished: SmallVec<[u32; 1]>,
}

/// A choice that a stage ended.
#[derive(Debug)]
pub(super) struct ChoiceDenial {
    pub(super) choice: u32,
    pub(super) stage: StageId,
    pub(super) denial: Denial,
}

impl Assembled {
    /// Carries out what the stages decided, in order, and leaves `outputs` empty.
    pub(super) fn fold<S: AnswerStages>(
        &mut self,
        outputs: &mut Vec<Output>,
        stages: &mut S,
        render: &mut impl Render,
    ) -> Result<(), NotAChunk> {
        for output in outputs.drain(..) {
            match output {
                Output::AsCame(place) => render.text(place, None)?,
                Output::Changed(place, text) => render.text(place, Some(text))?,
                Output::Added {
                    choice,
                    channel,
                    text,
                } => render.added(choice, channel, text)?,
                Output::Denied {
                    choice,
                    stage,
                    denial,
                } => {
                    stages.denied(stage, choice, &denial);
                    render.denied(&told(choice, stages.name(stage), &denial))?;
                    self.ended.push(choice);
                    self.denials.push(ChoiceDenial {
                        choice,
                        stage,
                        denial,
                    });
                }
                Output::Finished { choice } => {
                    render.finished(choice)?;
                    self.ended.push(choice);
                    self.finished.push(choice);
                }
            }
        }
        Ok(())
    }

    /// The choices that stages ended: nothing more of them goes.
    pub(super) fn ended(&self) -> &[u32] {
        &self.ended
    }

    /// Those of them that were finished, and not denied.
    pub(super) fn finished(&self) -> &[u32] {
        &self.finished
    }

    /// The denials in the order of choices.
    pub(super) fn denials(&self) -> Vec<&ChoiceDenial> {
        let mut denials: Vec<_> = self.denials.iter().collect();
        denials.sort_by_key(|denial| denial.choice);
        denials
    }

    /// Where each of so many choices was denied, the one denial that the client is told: that of the first choice. The order in which
    /// choices are denied depends on where a stream was cut, the order of choices doesn't.
    pub(super) fn denial_of_all(&self, choices: usize) -> Option<&ChoiceDenial> {
        let all = !self.denials.is_empty() && self.denials.len() >= choices;
        let first = self.denials.iter().min_by_key(|denial| denial.choice);
        first.filter(|_| all)
    }
}

/// A stage finished that choice, whatever the upstream says of it.
pub(super) fn stopped(finishes: &mut Vec<(u32, String)>, choice: u32) {
    match finishes.iter_mut().find(|(of, _)| *of == choice) {
        Some((_, finish)) if finish == STOP => {}
        Some((_, finish)) => STOP.clone_into(finish),
        None => finishes.push((choice, STOP.to_owned())),
    }
}

/// A denial as a client reads it.
pub(super) fn told<'a>(choice: u32, policy: &'a str, denial: &'a Denial) -> Denied<'a> {
    Denied {
        choice,
        policy,
        code: &denial.code,
        message: &denial.message,
        status: errors::status_of(denial).as_u16(),
        retry_after: denial.retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::passages::fuzz::rewriters::Rewriters;

    /// Keeps what is rendered, in order.
    #[derive(Default)]
    struct Rendered(Vec<String>);

    impl Render for Rendered {
        fn text(&mut self, place: TextRef, text: Option<String>) -> Result<(), NotAChunk> {
            let text = text.as_deref().unwrap_or("as it came");
            self.0.push(format!("{}: {text}", place.chunk));
            Ok(())
        }

        fn added(&mut self, choice: u32, _: ChannelKey, text: String) -> Result<(), NotAChunk> {
            self.0.push(format!("added to {choice}: {text}"));
            Ok(())
        }

        fn denied(&mut self, denied: &Denied<'_>) -> Result<(), NotAChunk> {
            self.0
                .push(format!("{} denied: {}", denied.choice, denied.code));
            Ok(())
        }

        fn finished(&mut self, choice: u32) -> Result<(), NotAChunk> {
            self.0.push(format!("{choice} finished"));
            Ok(())
        }
    }

    fn denied(choice: u32, stage: usize, code: &str) -> Output {
        let denial = Denial {
            code: code.into(),
            message: String::new(),
            status: None,
            retry_after: None,
        };
        Output::Denied {
            choice,
            stage: StageId(stage),
            denial,
        }
    }

    fn folded(assembled: &mut Assembled, mut outputs: Vec<Output>) -> Vec<String> {
        let mut stages = Rewriters::new(arbitrary::Unstructured::new(&[]), &[]);
        let mut rendered = Rendered::default();
        let folded = assembled.fold(&mut outputs, &mut stages, &mut rendered);
        assert_eq!((folded, outputs), (Ok(()), Vec::new()));
        rendered.0
    }

    #[test]
    fn everything_is_rendered_in_the_order_in_which_it_came_out() {
        let place = TextRef { chunk: 7, piece: 0 };
        let outputs = vec![
            Output::AsCame(place),
            Output::Changed(place, "new".into()),
            Output::Added {
                choice: 1,
                channel: ChannelKey::Content,
                text: "more".into(),
            },
            denied(2, 0, "rude"),
            Output::Finished { choice: 1 },
        ];
        let rendered = folded(&mut Assembled::default(), outputs);
        assert_eq!(
            rendered,
            [
                "7: as it came",
                "7: new",
                "added to 1: more",
                "2 denied: rude",
                "1 finished"
            ]
        );
    }

    #[test]
    fn the_denial_of_the_first_choice_is_told_whichever_came_first() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut assembled = Assembled::default();
            for (count, choice) in order.into_iter().enumerate() {
                assert!(assembled.denial_of_all(3).is_none(), "after {count} of 3");
                let code = ["first", "second", "third"][choice as usize];
                folded(
                    &mut assembled,
                    vec![denied(choice, 2 - choice as usize, code)],
                );
            }
            let told = assembled.denial_of_all(3);
            let told = told.map(|it| (it.choice, it.stage, &*it.denial.code));
            assert_eq!(told, Some((0, StageId(2), "first")), "{order:?}");
            assert_eq!(assembled.ended(), order);
            let choices: Vec<u32> = assembled.denials().iter().map(|it| it.choice).collect();
            assert_eq!(choices, [0, 1, 2]);
        }
    }
}
