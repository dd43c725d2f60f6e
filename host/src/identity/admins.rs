//! Who may use the admin listener.

use std::sync::Arc;

use http::HeaderMap;

use crate::api::{Keys, NotAdmitted};
use crate::config::AdminRole;

/// The tokens of the admin listener, of one configuration.
#[derive(Debug, Default)]
pub struct Admins {
    keys: Keys,
    /// The ids of those who may do more than read.
    operators: Vec<String>,
}

impl Admins {
    /// For tokens that are known as clients' keys are. `operators`: the ids of those who may change something.
    pub fn new(keys: Keys, operators: Vec<String>) -> Self {
        Self { keys, operators }
    }

    /// Lets somebody in who shows a token for what it takes, and says who that is. Without any token in the configuration it is anyone: the
    /// listener's address or its certificates protect it then.
    ///
    /// # Errors
    /// There are tokens, and the request carries none of them, or one that isn't enough.
    pub fn admit(
        &self,
        headers: &HeaderMap,
        takes: AdminRole,
    ) -> Result<Option<Arc<str>>, NotAdmitted> {
        let Some(id) = self.keys.authenticate(headers)?.principal else {
            return Ok(None);
        };
        let enough = match takes {
            AdminRole::Viewer => true,
            AdminRole::Operator => self.operators.iter().any(|operator| **operator == *id),
        };
        match enough {
            true => Ok(Some(id)),
            false => Err(NotAdmitted::Viewer),
        }
    }
}
