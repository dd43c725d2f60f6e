//! Requests by team. Teams come with the configuration and with tokens, so their number isn't this process's to say: so many are told apart, and the
//! others are counted together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::encode_count;

/// Teams that are told apart.
const TEAMS: usize = 64;

/// What all others are counted under.
const OTHERS: &str = "other";

/// The classes of statuses: a team's requests are looked at by these.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of each team, by class of status.
#[derive(Clone, Debug, Default)]
pub(super) struct Teams(Arc<Mutex<BTreeMap<Box<str>, [u64; CLASSES.len()]>>>);

impl Teams {
    /// Counts a request. Once for each, and no more than a look-up under the lock.
    pub(super) fn add(&self, team: &str, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let mut teams = self.0.lock();
        if let Some(counts) = teams.get_mut(team) {
            counts[class] += 1;
            return;
        }
        // The place of the others isn't among those that are bounded.
        let others = usize::from(teams.contains_key(OTHERS));
        let team = if teams.len() - others < TEAMS {
            team
        } else {
            OTHERS
        };
        teams.entry(team.into()).or_default()[class] += 1;
    }
}

/// The text as it stands between quotes. The encoder writes values as they are: all other labels are names of a few letters, and a team is what a
/// provider's user may be able to choose.
fn escaped(team: &str) -> String {
    let team = team.replace('\\', r"\\").replace('"', r#"\""#);
    team.replace('\n', r"\n")
}

impl Collector for Teams {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests answered of clients with a team, by team and class of status.";
        let counter = MetricType::Counter;
        let mut family = encoder.encode_descriptor("team_requests", help, None, counter)?;
        let teams = self.0.lock().clone();
        for (team, counts) in &teams {
            let team = escaped(team);
            for (class, count) in CLASSES.iter().zip(counts) {
                if *count > 0 {
                    encode_count(&mut family, &[("team", &team), ("status", class)], *count)?;
                }
            }
        }
        Ok(())
    }
}
