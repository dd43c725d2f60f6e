//! The scores that a policy's findings tell, as a histogram: for choosing a threshold from what was seen.

use std::io::{self, Write};

const BINS: usize = 10;
/// The longest bar, in characters.
const WIDEST: usize = 40;

/// How many entries have a score in each tenth.
#[derive(Debug, Default)]
pub(super) struct Scores([usize; BINS]);

impl Scores {
    /// Counts an entry with this score, from 0 to 1.
    pub(super) fn add(&mut self, score: f64) {
        let bin = (score.clamp(0.0, 1.0) * BINS as f64) as usize;
        self.0[bin.min(BINS - 1)] += 1;
    }

    /// Writes a line for each tenth, if there is a score at all.
    pub(super) fn show(&self, policy: &str, out: &mut impl Write) -> io::Result<()> {
        let most = self.0.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return Ok(());
        }
        writeln!(out, "\nscores of {policy}, by the highest of each entry")?;
        for (bin, count) in self.0.iter().enumerate() {
            let bar = "#".repeat((count * WIDEST).div_ceil(most));
            let line = format!("0.{bin}  {count:>6}  {bar}");
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The score that a finding's detail begins with: `score 0.83, ...`.
pub(super) fn of(detail: &str) -> Option<f64> {
    let rest = detail.strip_prefix("score ")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let score = rest[..end].trim_end_matches('.').parse::<f64>().ok()?;
    (0.0..=1.0).contains(&score).then_some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_what_a_detail_begins_with() {
        assert_eq!(of("score 0.83, user text"), Some(0.83));
        assert_eq!(of("score 1"), Some(1.0));
        for none in ["", "score", "score x", "score 7", "the score 0.5"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
