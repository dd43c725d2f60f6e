//! What the operator says.

use std::collections::BTreeMap;

use metering::keys::{Elsewhere, none_of};
use metering::{By, Estimate, Who};
use serde::Deserialize;

use crate::limit::{Budget, Unit};
use crate::period::Per;
use crate::price::{Cost, Price, micros};

/// The most budgets: each takes up to four calls of `counters`, of which an exchange may make 256.
const MOST: usize = 32;

/// The settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    budgets: Vec<Said>,
    /// What a million tokens cost, by model.
    prices: Option<BTreeMap<String, Price>>,
    /// What a request to a model without a price is taken to cost, where the prices are the gateway's.
    reserve: Option<f64>,
    #[serde(default)]
    estimate: Estimate,
    #[serde(default)]
    over: Over,
    // As others have them.
    #[serde(default)]
    max_daily_total: Elsewhere,
    #[serde(default)]
    transaction_limits: Elsewhere,
    #[serde(default)]
    agents: Elsewhere,
    #[serde(default)]
    max_limit: Elsewhere,
    #[serde(default)]
    reset_duration: Elsewhere,
    #[serde(default)]
    token_max_limit: Elsewhere,
    #[serde(default)]
    request_max_limit: Elsewhere,
}

/// What becomes of a request when a budget is spent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    /// It is denied, 429.
    #[default]
    Deny,
    /// This is the answer.
    Respond(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    name: Option<String>,
    tokens: Option<u64>,
    money: Option<f64>,
    per: Per,
    #[serde(default)]
    by: Vec<By>,
    #[serde(default)]
    principals: Vec<String>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    soft_percent: Option<u32>,
    over: Option<Over>,
}

/// The settings, checked.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) budgets: Vec<Budget>,
    pub(crate) cost: Cost,
    pub(crate) estimate: Estimate,
    pub(crate) over: Over,
}

impl Settings {
    pub(crate) fn check(self) -> Result<Checked, String> {
        none_of(&[
            (
                "max_daily_total",
                self.max_daily_total,
                "say `budgets: [{money: N, per: day}]`",
            ),
            (
                "transaction_limits",
                self.transaction_limits,
                "say `budgets: [{money: N, per: day}]`",
            ),
            (
                "agents",
                self.agents,
                "give each agent a key (`clients`), and say `budgets: [{money: N, per: day, by: [principal]}]`",
            ),
            (
                "max_limit",
                self.max_limit,
                "say `budgets: [{money: N, per: month, by: [principal]}]`",
            ),
            (
                "reset_duration",
                self.reset_duration,
                "say `per: day`, `week` or `month` in an entry of `budgets`",
            ),
            (
                "token_max_limit",
                self.token_max_limit,
                "say `budgets: [{tokens: N, per: day}]`, or take the policy `rate-limit` for minutes and hours",
            ),
            (
                "request_max_limit",
                self.request_max_limit,
                "the policy `rate-limit` counts requests",
            ),
        ])?;
        self.estimate.check()?;
        check_over("over", Some(&self.over))?;
        let mut budgets: Vec<Budget> = Vec::new();
        for (index, said) in self.budgets.into_iter().enumerate() {
            let budget = said.check(&format!("budgets[{index}]"))?;
            let same = |other: &&Budget| other.name == budget.name && other.who.by == budget.who.by;
            if let Some(other) = budgets.iter().find(same) {
                return Err(format!(
                    "`budgets[{index}]`: another budget keeps the same sums, those of `{}`; give each of the two a `name` of its own",
                    other.name
                ));
            }
            budgets.push(budget);
        }
        if budgets.is_empty() {
            return Err(
                "`budgets`: there is none, so nothing would be limited; say `budgets: [{tokens: 1000000, per: day, by: [principal]}]`, or take \
                 the stage out of the chain"
                    .into(),
            );
        }
        if budgets.len() > MOST {
            return Err(format!(
                "`budgets`: {} are more than the {MOST} that one stage counts; put some into a second one",
                budgets.len()
            ));
        }
        let money = budgets.iter().any(|budget| budget.unit == Unit::Money);
        let cost = match (self.prices, self.reserve) {
            (Some(_), _) if !money => {
                return Err(
                    "`prices`: no budget is of money; leave them out, or say `money` in one".into(),
                );
            }
            (None, Some(_)) if !money => {
                return Err(
                    "`reserve`: no budget is of money; leave it out, or say `money` in one".into(),
                );
            }
            (Some(_), Some(_)) => {
                return Err(
                    "`reserve`: with `prices` each model needs one of its own; leave it out, or leave the prices to the gateway's `pricing`"
                        .into(),
                );
            }
            (Some(prices), None) => {
                let mut checked = BTreeMap::new();
                for (model, price) in prices {
                    let price = price
                        .check()
                        .map_err(|why| format!("`prices.{model}`: {why}"))?;
                    checked.insert(model, price);
                }
                Cost::Prices(checked)
            }
            (None, None) => Cost::Hosts { otherwise: None },
            (None, Some(reserve)) => Cost::Hosts {
                otherwise: Some(micros(reserve).map_err(|why| format!("`reserve`: {why}"))?),
            },
        };
        Ok(Checked {
            budgets,
            cost,
            estimate: self.estimate,
            over: self.over,
        })
    }
}

fn check_over(at: &str, over: Option<&Over>) -> Result<(), String> {
    match over {
        Some(Over::Respond(text)) if text.is_empty() => Err(format!(
            "`{at}.respond`: an empty text answers nothing; say one, or `deny`"
        )),
        _ => Ok(()),
    }
}

impl Said {
    fn check(self, at: &str) -> Result<Budget, String> {
        let (unit, most) = match (self.tokens, self.money) {
            (Some(tokens), None) => (Unit::Tokens, i64::try_from(tokens).unwrap_or(i64::MAX)),
            (None, Some(money)) => {
                let money = micros(money).map_err(|why| format!("`{at}.money`: {why}"))?;
                (Unit::Money, money)
            }
            (Some(_), Some(_)) => {
                return Err(format!(
                    "`{at}`: a budget is of `tokens` or of `money`; make two of it"
                ));
            }
            (None, None) => {
                return Err(format!(
                    "`{at}`: it has nothing to spend; say `tokens: N` or `money: N`"
                ));
            }
        };
        if most == 0 {
            return Err(format!(
                "`{at}`: nothing can be spent of 0. To let nobody ask, take the policy `access`"
            ));
        }
        let soft = match self.soft_percent {
            Some(percent @ 1..=99) => {
                let soft = i128::from(most) * i128::from(percent) / 100;
                Some(i64::try_from(soft).unwrap_or(i64::MAX))
            }
            Some(percent) => {
                return Err(format!(
                    "`{at}.soft_percent`: {percent} is no part of the budget; it is 1 to 99"
                ));
            }
            None => None,
        };
        check_over(&format!("{at}.over"), self.over.as_ref())?;
        let who = Who {
            by: self.by,
            principals: self.principals,
            teams: self.teams,
            models: self.models,
        };
        who.check(at)?;
        let name = match self.name {
            Some(name) => metering::keys::name(&name)
                .map(|()| name)
                .map_err(|why| format!("`{at}.name`: {why}"))?,
            None => {
                let unit = match unit {
                    Unit::Tokens => "tokens",
                    Unit::Money => "money",
                };
                format!("{unit}-{}", self.per.name())
            }
        };
        Ok(Budget {
            name,
            unit,
            most,
            per: self.per,
            who,
            soft,
            over: self.over,
        })
    }
}
