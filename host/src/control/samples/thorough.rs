//! One sample at every cut. A stage runs its samples at three cuts before it serves, for that must be quick; whoever writes a policy wants to
//! know of each place where a model may cut its answer, and of all that doesn't hold.

use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::Instrument;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::expect::Actual;
use super::{Cut, Sample, run};
use crate::policy::{Chain, Loaded, Stage};

/// The most cuts in two of one sample: of a longer text every so many characters, so that a text of any length ends.
const MAX_SINGLE: usize = 2048;
/// Cuts at random of one sample.
const RANDOM: u64 = 8;

/// What came of a sample at every cut.
#[derive(Debug)]
pub struct Outcome {
    /// How many times it ran.
    pub runs: usize,
    /// What doesn't hold.
    pub problems: Vec<Problem>,
    /// What `expect` would be if what came of the whole answer is right. `None`: the policy failed, or what comes depends on the cut.
    pub came: Option<Map<String, Value>>,
}

/// One thing that doesn't hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// How the sample was run when it was first seen.
    pub cut: String,
    /// What it is: `the text`, say.
    pub what: String,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub came: String,
    /// At how many other cuts the same thing doesn't hold.
    pub others: usize,
}

impl Outcome {
    fn add(&mut self, cut: Cut, what: String, expected: String, came: String) {
        if let Some(known) = self.problems.iter_mut().find(|known| known.what == what) {
            known.others += 1;
            return;
        }
        self.problems.push(Problem {
            cut: cut.to_string(),
            what,
            expected,
            came,
            others: 0,
        });
    }
}

impl Sample {
    /// Runs it through these stages, whole and at every cut: as it is given, at each single place, one character at a time, and at random from the seed.
    /// `answers`: the order of the stages' ids for answers, where it is another. Runs guests: not for a runtime worker.
    pub async fn test(
        &self,
        stages: &[Arc<Loaded>],
        answers: Option<&[String]>,
        seed: u64,
    ) -> Outcome {
        let mut outcome = Outcome {
            runs: 0,
            problems: Vec::new(),
            came: None,
        };
        let of = |sleepless| {
            let stages = stages.iter().cloned();
            let stages = stages.map(|stage| Stage::scripted(stage, self.replies(), sleepless));
            Chain::new(stages.collect(), answers)
        };
        let chain = of(false);
        let whole = self.tested(&chain, Cut::Whole, None, &mut outcome).await;
        let mut same = whole.is_some();
        for cut in self.every_cut(seed) {
            let run = self.tested(&chain, cut, whole.as_ref(), &mut outcome);
            // What the policy logs was seen of the whole answer; a thousand times more would hide the rest.
            let came = run.with_subscriber(NoSubscriber::default()).await;
            same &= whole
                .as_ref()
                .zip(came.as_ref())
                .is_some_and(|(whole, came)| whole.differs(came).is_none());
        }
        if let Some(whole) = &whole
            && chain
                .stages()
                .iter()
                .any(|stage| stage.interest().is_some())
        {
            let sleepless = of(true);
            outcome.runs += 1;
            let all = run::run(&sleepless, self, Cut::Whole)
                .with_subscriber(NoSubscriber::default())
                .await;
            if let Ok(all) = all
                && let Some((all, came)) = all.differs_in_all(whole)
            {
                same = false;
                let what = "what the policy's interest makes it miss";
                outcome.add(Cut::Whole, what.into(), all, came);
            }
        }
        outcome.came = whole
            .filter(|_| same)
            .map(|whole| self.expect().replaced(&whole));
        outcome
    }

    /// Runs it once. What is told of a cut is what differs from the whole answer.
    async fn tested(
        &self,
        chain: &Chain,
        cut: Cut,
        whole: Option<&Actual>,
        outcome: &mut Outcome,
    ) -> Option<Actual> {
        let span = tracing::info_span!("sample", name = self.name());
        outcome.runs += 1;
        let came = match run::run(chain, self, cut).instrument(span).await {
            Ok(came) => came,
            Err((hook, failure)) => {
                let what = format!("the call {}", hook.as_str());
                outcome.add(cut, what, "no failure".into(), failure.to_string());
                return None;
            }
        };
        if let Some((one, other)) = whole.and_then(|whole| whole.differs(&came)) {
            let what = "the same answer, cut another way";
            outcome.add(cut, what.into(), one, other);
            return Some(came);
        }
        let known = whole.map(|whole| self.expect().differences(whole));
        for difference in self.expect().differences(&came) {
            if known
                .iter()
                .flatten()
                .any(|known| known.what == difference.what)
            {
                continue;
            }
            outcome.add(cut, difference.what, difference.expected, difference.came);
        }
        Some(came)
    }

    fn every_cut(&self, seed: u64) -> impl Iterator<Item = Cut> {
        let length = self.said().longest();
        let step = length.div_ceil(MAX_SINGLE).max(1);
        let single = (1..length).step_by(step).map(Cut::After);
        let random = (0..RANDOM).map(move |round| Cut::Random(seed.wrapping_add(round)));
        self.cuts()
            .chain(single)
            .chain(random.filter(move |_| length > 1))
    }
}
