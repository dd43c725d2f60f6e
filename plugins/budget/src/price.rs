//! What tokens cost, in millionths of the operator's currency.

use std::collections::BTreeMap;

use metering::Tokens;
use serde::Deserialize;
use witgate_policy::request;

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
    /// From the gateway's configuration. What has none there is taken to cost so much, if that is said.
    Hosts { otherwise: Option<i64> },
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
    /// Whether the model has a price in these settings.
    pub(crate) fn names(&self, model: &str) -> bool {
        matches!(self, Cost::Prices(prices) if prices.contains_key(model))
    }

    /// What so many tokens of a model cost. `None`: it has no price.
    pub(crate) fn of(&self, tokens: Tokens, model: &str) -> Option<i64> {
        let prices = match self {
            Cost::Prices(prices) => prices,
            Cost::Hosts { otherwise } => {
                let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
                let (prompt, completion) = (count(tokens.prompt), count(tokens.completion));
                let cost = request::cost_of(model, prompt, completion);
                let cost = cost.map(|micros| i64::try_from(micros).unwrap_or(i64::MAX / 4));
                return cost.or(*otherwise);
            }
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
