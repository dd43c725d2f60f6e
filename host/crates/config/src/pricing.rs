//! `pricing`: what tokens cost.
//!
//! Money is counted in millionths of the currency, as whole numbers: so sums are exact, whatever their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{Field, Fields};
use super::tree::Node;

/// The most models that may have a price.
const MOST: usize = 1024;

/// The highest price of a million tokens, in the currency.
const HIGHEST: f64 = 1_000_000.0;

const MILLION: u64 = 1_000_000;

/// What tokens cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PricingConfig {
    /// By the name under which a target is asked for the model. What isn't here has no price.
    pub models: Arc<BTreeMap<String, Price>>,
}

/// What a million tokens cost, in millionths of the currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Of a request, without those that were cached.
    pub input: u64,
    /// Of a request, those that were cached.
    pub cached_input: u64,
    /// Of an answer, reasoning included.
    pub output: u64,
}

impl Price {
    /// What so many tokens cost together, in millionths of the currency, rounded once.
    pub fn of(&self, input: u64, cached_input: u64, output: u64) -> u64 {
        let parts = [
            (self.input, input),
            (self.cached_input, cached_input),
            (self.output, output),
        ];
        let sum = parts.iter().fold(0u128, |sum, (price, tokens)| {
            sum.saturating_add(u128::from(*price) * u128::from(*tokens))
        });
        let million = u128::from(MILLION);
        u64::try_from(sum.saturating_add(million / 2) / million).unwrap_or(u64::MAX)
    }
}

/// Reads `pricing` out of the document. Without it nothing has a price.
pub(super) fn read(document: &Fields<'_>) -> Option<PricingConfig> {
    let Some(field) = document.get("pricing") else {
        return Some(PricingConfig::default());
    };
    let fields = field.fields(&["models"])?;
    let Some(models) = fields.get("models") else {
        return Some(PricingConfig::default());
    };
    let entries = models.entries()?;
    if entries.len() > MOST {
        models.problem(format!(
            "expected at most {MOST} entries, found {}",
            entries.len()
        ));
        return None;
    }
    let read: Vec<_> = entries
        .iter()
        .map(|(model, field)| Some(((*model).to_owned(), price(field)?)))
        .collect();
    let models: Option<BTreeMap<_, _>> = read.into_iter().collect();
    Some(PricingConfig {
        models: Arc::new(models?),
    })
}

fn price(field: &Field<'_>) -> Option<Price> {
    let fields = field.fields(&["input", "cached_input", "output"])?;
    let input = fields.required("input").and_then(amount);
    let output = fields.required("output").and_then(amount);
    let cached_input = match fields.get("cached_input") {
        Some(field) => amount(field),
        None => input,
    };
    Some(Price {
        input: input?,
        cached_input: cached_input?,
        output: output?,
    })
}

/// An amount of the currency, in its millionths.
fn amount(field: &Field<'_>) -> Option<u64> {
    let value = match field.node {
        Node::Number(number) => number.as_f64(),
        _ => None,
    };
    let micros = value.filter(|value| (0.0..=HIGHEST).contains(value));
    let micros = micros.map(|value| value * MILLION as f64);
    // What isn't a whole number of millionths is further from one than a binary fraction ever is.
    match micros.filter(|micros| (micros - micros.round()).abs() < 0.001) {
        Some(micros) => Some(micros.round() as u64),
        None => {
            field.problem(
                "expected what a million tokens cost, a number from 0 to 1000000 with at most six decimals, such as 0.85",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_and_rounded_once() {
        let price = Price {
            input: 850_000,
            cached_input: 425_000,
            output: 1_200_000,
        };
        assert_eq!(price.of(1_000_000, 0, 0), 850_000);
        assert_eq!(price.of(0, 1_000_000, 1_000_000), 1_625_000);
        // 8.5 + 1.2 millionths.
        assert_eq!(price.of(10, 0, 1), 10);
        assert_eq!(price.of(1, 0, 0), 1);
        assert_eq!(price.of(0, 1, 0), 0);
        assert_eq!(price.of(0, 0, 0), 0);
        let dear = Price {
            input: u64::MAX,
            cached_input: u64::MAX,
            output: u64::MAX,
        };
        assert_eq!(dear.of(u64::MAX, u64::MAX, u64::MAX), u64::MAX);
    }
}
