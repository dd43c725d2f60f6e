//! Sends requests to those targets alone whose operator declares that they keep nothing, in a region of ours.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtHome {
    /// The regions, as the targets' `data_policy` names them.
    regions: Vec<String>,
}

impl Policy for AtHome {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let allowed = request::targets().into_iter().filter(|it| self.allows(it));
        match request::restrict_targets(allowed.map(|it| it.id)) {
            Ok(()) => Verdict::Proceed,
            Err(_) => Verdict::deny("no-target", "nobody at home promises to keep nothing"),
        }
    }
}

impl AtHome {
    /// What isn't declared isn't promised.
    fn allows(&self, target: &Target) -> bool {
        let declared = &target.data_policy;
        let region = declared.region.as_ref();
        declared.retention_days == Some(0) && region.is_some_and(|it| self.regions.contains(it))
    }
}

witgate_policy::export!(AtHome);

#[cfg(test)]
mod tests {
    use witgate_policy::testing::{self, Request};
    use witgate_policy::{DataPolicy, Target, Verdict, serde_json::json};

    #[test]
    fn what_is_not_declared_is_not_promised() {
        let policy = testing::configure::<super::AtHome>(json!({"regions": ["eu"]}));
        let policy = policy.expect("these are settings");
        let asked = |data_policy: DataPolicy| {
            let id = "it".to_owned();
            let target = Target { id, provider: "cerebras".into(), model: None, data_policy };
            policy.exchange(Request::user("hi").targets(vec![target])).on_request()
        };
        let keeps = |days| DataPolicy {
            retention_days: days,
            region: Some("eu".into()),
            ..DataPolicy::default()
        };
        assert_eq!(asked(keeps(Some(0))), Verdict::Proceed);
        assert!(matches!(asked(keeps(None)), Verdict::Deny(_)));
        assert!(matches!(asked(DataPolicy::default()), Verdict::Deny(_)));
    }
}
