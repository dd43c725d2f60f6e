//! Which of the targets that take a model is asked first.
//!
//! It orders candidates; whoever stands behind is the fallback of whoever stands before. With one candidate there is nothing to do.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::candidates::Candidate;
use super::standing::BETTER;
use crate::config::Strategy;

/// A strategy, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Routing {
    strategy: Strategy,
    turn: AtomicUsize,
}

impl Routing {
    pub(super) fn new(strategy: Strategy) -> Routing {
        Routing {
            strategy,
            turn: AtomicUsize::new(0),
        }
    }

    /// Puts them into the order of trial for one request.
    pub(super) fn arrange(&self, candidates: &mut [Candidate]) {
        if candidates.len() < 2 {
            return;
        }
        match self.strategy {
            Strategy::Ordered => {}
            Strategy::Weighted => by_weight(candidates),
            Strategy::RoundRobin => self.in_turn(candidates),
            Strategy::LowestLatency => candidates.sort_by_cached_key(|candidate| {
                let seconds = candidate.target().health().first_token();
                (seconds * 1e6) as u64
            }),
            Strategy::Adaptive => {
                self.in_turn(candidates);
                // Power of two choices, of which one is whose turn it is: among equals it is round robin.
                let score = |candidate: &Candidate| candidate.target().health().score();
                let other = fastrand::usize(1..candidates.len());
                if score(&candidates[other]) < BETTER * score(&candidates[0]) {
                    candidates[..=other].rotate_right(1);
                }
            }
        }
    }

    fn in_turn(&self, candidates: &mut [Candidate]) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        candidates.rotate_left(turn % candidates.len());
    }
}

/// Each place goes to one of those that are left, as often as its weight says.
fn by_weight(candidates: &mut [Candidate]) {
    for place in 0..candidates.len() - 1 {
        let left = &candidates[place..];
        let total: u32 = left.iter().map(|it| it.target().weight()).sum();
        let mut at = fastrand::u32(..total);
        let chosen = left.iter().position(|it| {
            let weight = it.target().weight();
            let found = at < weight;
            at = at.saturating_sub(weight);
            found
        });
        let chosen = place + chosen.unwrap_or(0);
        candidates[place..=chosen].rotate_right(1);
    }
}
