//! What tokens cost, in millionths of the operator's currency.

use std::collections::BTreeMap;

use metering::Tokens;
use serde::Deserialize;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    input: f64,
    cached_input: Option<f64>,
    output: f64,
}

/// Where prices come from.
#[derive(Debug)]
pub(crate) enum Cost {
    /// From these settings, in millionths for a million tokens: of the request, of the request and cached, of the answer.
    Prices(BTreeMap<String, [i64; 3]>),
    /// From the gateway's configuration, which tells them when all is over. Before, each request is taken to cost so much.
    Hosts { reserve: i64 },
}

/// An amount in millionths. The error says why it is none.
pub(crate) fn micros(amount: f64) -> Result<i64, String> {
    let scaled = amount * 1e6;
    let rounded = scaled.round();
    if !(0.0..=9e15).contains(&rounded) {
        return Err(format!(
            "{amount} is no amount; it is 0 or more, and less than 9 billion"
        ));
    }
    if (scaled - rounded).abs() > 1e-3 {
        return Err(format!("{amount} has more than six decimals"));
    }
    // Exact below 2^53.
    Ok(rounded as i64)
}

impl Price {
    pub(crate) fn check(self) -> Result<[i64; 3], String> {
        let cached = self.cached_input.unwrap_or(self.input);
        Ok([micros(self.input)?, micros(cached)?, micros(self.output)?])
    }
}

impl Cost {
    /// What to take before it is known. `None`: the model has no price.
    pub(crate) fn reserve(&self, tokens: Tokens, model: &str) -> Option<i64> {
        match self {
            Cost::Prices(_) => self.of(tokens, model),
            Cost::Hosts { reserve } => Some(*reserve),
        }
    }

    /// What so many tokens of a model cost by these settings.
    pub(crate) fn of(&self, tokens: Tokens, model: &str) -> Option<i64> {
        let Cost::Prices(prices) = self else {
            return None;
        };
        let [input, cached, output] = prices.get(model)?.map(i128::from);
        let fresh = tokens.prompt.saturating_sub(tokens.cached);
        let all = i128::from(fresh) * input
            + i128::from(tokens.cached) * cached
            + i128::from(tokens.completion) * output;
        // Rounded once, up: so that a sum of many small ones isn't nothing.
        let micros = (all + 999_999) / 1_000_000;
        Some(i64::try_from(micros).unwrap_or(i64::MAX / 4))
    }
}
