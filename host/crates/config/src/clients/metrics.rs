//! `clients.metrics`: by how many names of who asked requests are counted.

use super::optional;
use crate::fields::Field;

/// How many names of each sort are told apart in the metrics; further ones are counted together. 0: requests aren't counted by these names at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientMetrics {
    /// Principals: clients' ids, or what tokens say.
    pub principals: usize,
    /// Teams.
    pub teams: usize,
    /// Roles.
    pub roles: usize,
}

impl Default for ClientMetrics {
    fn default() -> Self {
        ClientMetrics {
            principals: 64,
            teams: 64,
            roles: 64,
        }
    }
}

/// The most names of one sort: each may become five series.
const MOST: u64 = 4096;

impl ClientMetrics {
    /// What counts where nothing is said. With tokens a principal is a person, whom a provider names: that is nothing for metrics unless an operator says so.
    pub(super) fn usual(with_tokens: bool) -> ClientMetrics {
        let usual = ClientMetrics::default();
        ClientMetrics {
            principals: if with_tokens { 0 } else { usual.principals },
            ..usual
        }
    }
}

pub(super) fn read(field: &Field<'_>, usual: ClientMetrics) -> Option<ClientMetrics> {
    let fields = field.fields(&["principals", "teams", "roles"])?;
    let names = |key| optional(&fields, key, |field| field.integer(0..=MOST));
    let (principals, teams, roles) = (names("principals"), names("teams"), names("roles"));
    let or = |said: Option<u64>, usual| said.map_or(usual, |said| said as usize);
    Some(ClientMetrics {
        principals: or(principals?, usual.principals),
        teams: or(teams?, usual.teams),
        roles: or(roles?, usual.roles),
    })
}
