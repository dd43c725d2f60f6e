//! Samples: exchanges that a policy ships beside itself, with what must come of them. They run on a stage before it serves, through
//! the same code as every exchange, so that what doesn't fit its settings or its limits is found before the chain is swapped.
//!
//! - [`file`] is the format, from text to checked samples.
//! - [`said`] is what the model says in one.
//! - [`run`] takes one sample through its stage, cut one way.
//! - [`suites`] makes samples of a configuration's `testing.suites`.
//! - [`thorough`] runs one at every cut, and tells all that doesn't hold, for whoever writes a policy.
//! - [`expect`] compares what came with what was expected, in sentences.
//!
//! What must stay true: nothing of a sample is kept or counted. It runs on what was loaded, before anything is attached to it.

mod expect;
mod file;
mod run;
mod said;
mod suites;
mod thorough;

use std::fmt;
use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout_at};
use tracing::Instrument;

use self::expect::Actual;
use crate::metrics::Hook;
use crate::policy::{Chain, Failure, Loaded, Stage};

pub use file::{MAX_SAMPLES, MAX_SIZE, Sample, Samples};
pub use suites::{SuiteError, suites};
pub use thorough::{Outcome, Problem};

/// How long all samples of a stage may take together. Each call has its own limits; there may be many that wait.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many samples ran, and how many were skipped since they are for other settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples that ran, and held.
    pub ran: usize,
    /// Samples for other settings.
    pub skipped: usize,
}

/// Why a stage with these samples may not serve: the samples can't be read, or one of them doesn't hold.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Nothing in the file.
    #[error("it is empty; was it still being written? Remove it to load without samples")]
    Empty,
    /// Past the cap.
    #[error("it has more than {MAX_SIZE} bytes, the most that samples may have")]
    TooLarge,
    /// Not the YAML that it should be.
    #[error("it isn't a list of samples: {0}")]
    Malformed(String),
    /// Past the cap.
    #[error("it has {0} samples, and may have {MAX_SAMPLES}")]
    TooMany(usize),
    /// Sentences about a sample name it.
    #[error("sample {number} is named {name:?}; {why}")]
    Name {
        /// Its place in the list, from 1.
        number: usize,
        /// The name.
        name: String,
        /// What to do.
        why: &'static str,
    },
    /// The gateway wouldn't take such a request.
    #[error("sample {sample:?}: its request is none that a client could send: {why}")]
    Request {
        /// The sample's name.
        sample: String,
        /// What is wrong with it.
        why: String,
    },
    /// A call failed.
    #[error(
        "sample {sample:?} ({cut}): the policy failed in {} ({failure}); correct the policy, or give the stage the limits that it needs",
        hook.as_str()
    )]
    Failed {
        /// The sample's name.
        sample: String,
        /// How it was run.
        cut: Cut,
        /// Which call.
        hook: Hook,
        /// How.
        failure: Failure,
    },
    /// Something else came of it.
    #[error(
        "sample {sample:?} ({cut}): expected {expected}, and what came is {came}; if the policy and its settings are right, correct the sample"
    )]
    Unexpected {
        /// The sample's name.
        sample: String,
        /// How it was run.
        cut: Cut,
        /// What the sample says.
        expected: String,
        /// What came.
        came: String,
    },
    /// What comes depends on where the answer is cut.
    #[error(
        "sample {sample:?}: of the whole answer came {whole}, and of the same answer {cut} came {other}; a policy must decide by the text \
         and not by the chunk"
    )]
    Cut {
        /// The sample's name.
        sample: String,
        /// What came of the whole answer.
        whole: String,
        /// How it was cut then.
        cut: Cut,
        /// What came then.
        other: String,
    },
    /// The policy breaks the promise that its interest is.
    #[error(
        "sample {sample:?}: where the policy is shown everything came {all}, and where it is shown what its interest matches came {came}; its \
         interest must match a word of all that matters to it"
    )]
    Interest {
        /// The sample's name.
        sample: String,
        /// What came where it was shown everything.
        all: String,
        /// What came otherwise.
        came: String,
    },
    /// More than one doesn't hold.
    #[error("{} samples don't hold:{}", .0.len(), each(.0))]
    Several(Vec<SampleError>),
    /// Together they waited for too long.
    #[error(
        "sample {sample:?} was still running when the samples of this stage had taken {} s together; a policy that waits so long holds up \
         every exchange",
        TIMEOUT.as_secs()
    )]
    Slow {
        /// The name of the one that ran then.
        sample: String,
    },
}

/// Samples that one sentence tells of.
const TOLD: usize = 8;

fn each(errors: &[SampleError]) -> String {
    let told = errors.iter().take(TOLD).map(|error| format!("\n- {error}"));
    let mut text: String = told.collect();
    if errors.len() > TOLD {
        text.push_str("\n- and others");
    }
    text
}

/// How a sample is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its answer comes whole.
    Whole,
    /// Its answer is a stream, and every character a delta.
    Characters,
    /// Its answer is a stream of the texts that the sample lists.
    AsGiven,
    /// Its answer is a stream, and each text of it comes in two deltas, the first of so many characters.
    After(usize),
    /// Its answer is a stream, cut at places that follow from this seed.
    Random(u64),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Whole => f.write_str("whole"),
            Cut::Characters => f.write_str("cut at every character"),
            Cut::AsGiven => f.write_str("cut as the sample gives it"),
            Cut::After(characters) => write!(f, "cut in two after {characters} characters"),
            Cut::Random(seed) => write!(f, "cut at random, from {seed}"),
        }
    }
}

impl Samples {
    /// Runs every sample that is for the stage's settings. Runs guests: not for a runtime worker.
    ///
    /// # Errors
    /// Each sample that doesn't hold.
    pub async fn run(&self, loaded: &Arc<Loaded>) -> Result<Counts, SampleError> {
        let settings = serde_json::from_str(&loaded.spec().settings).unwrap_or_default();
        let deadline = Instant::now() + TIMEOUT;
        let mut tally = Counts::default();
        let mut errors = Vec::new();
        for sample in self.iter() {
            if !sample.is_for(&settings) {
                tally.skipped += 1;
                continue;
            }
            match timeout_at(deadline, sample.run(loaded)).await {
                Ok(Ok(())) => tally.ran += 1,
                Ok(Err(error)) => errors.push(error),
                Err(_) => {
                    let sample = sample.name().to_owned();
                    errors.push(SampleError::Slow { sample });
                    break;
                }
            }
        }
        match errors.len() {
            0 => Ok(tally),
            1 => Err(errors.remove(0)),
            _ => Err(SampleError::Several(errors)),
        }
    }
}

impl Sample {
    /// Runs it cut every way: the same must come of each, and what is expected.
    ///
    /// # Errors
    /// The first cut at which it doesn't hold.
    pub async fn run(&self, loaded: &Arc<Loaded>) -> Result<(), SampleError> {
        // What the policy logs in a sample, and what is logged of it, is not of a client's exchange.
        let span = tracing::info_span!("sample", stage = %loaded.spec().id, name = self.name());
        // In shadow, too, they say what the policy does out of it.
        let stage = Stage::scripted(loaded.clone(), self.replies(), false);
        let wakeful = stage.interest().is_none();
        let chain = Chain::new(vec![stage], None);
        let came = self.run_every_cut(&chain).instrument(span.clone()).await?;
        if wakeful {
            return Ok(());
        }
        let sleepless = Stage::scripted(loaded.clone(), self.replies(), true);
        let sleepless = Chain::new(vec![sleepless], None);
        let all = self.run_every_cut(&sleepless).instrument(span).await?;
        all.differs_in_all(&came).map_or(Ok(()), |(all, came)| {
            let sample = self.name().to_owned();
            Err(SampleError::Interest { sample, all, came })
        })
    }

    async fn run_every_cut(&self, chain: &Chain) -> Result<Actual, SampleError> {
        let whole = self.run_cut(chain, Cut::Whole).await?;
        for cut in self.cuts() {
            let actual = self.run_cut(chain, cut).await?;
            if let Some((whole, other)) = whole.differs(&actual) {
                let sample = self.name().to_owned();
                return Err(SampleError::Cut {
                    sample,
                    whole,
                    cut,
                    other,
                });
            }
        }
        Ok(whole)
    }

    async fn run_cut(&self, chain: &Chain, cut: Cut) -> Result<expect::Actual, SampleError> {
        let sample = || self.name().to_owned();
        let actual = run::run(chain, self, cut).await;
        let actual = actual.map_err(|(hook, failure)| SampleError::Failed {
            sample: sample(),
            cut,
            hook,
            failure,
        })?;
        match self.expect().differs(&actual) {
            None => Ok(actual),
            Some((expected, came)) => Err(SampleError::Unexpected {
                sample: sample(),
                cut,
                expected,
                came,
            }),
        }
    }
}
