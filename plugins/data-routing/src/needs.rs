//! What a target must promise.

use witgate_policy::Target;

/// What is asked of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Needs {
    /// It keeps what it is sent for no more days.
    pub(crate) most_days: Option<u32>,
    /// It trains no models on it.
    pub(crate) no_training: bool,
    /// It handles it in one of these; anywhere, where there are none.
    pub(crate) regions: Vec<String>,
    /// It is one of these; any, where there are none.
    pub(crate) targets: Vec<String>,
}

impl Needs {
    pub(crate) fn is_none(&self) -> bool {
        *self == Needs::default()
    }

    /// What it doesn't promise of that, if anything.
    pub(crate) fn unmet(&self, target: &Target, trusts_silence: bool) -> Option<String> {
        let said = &target.data_policy;
        let silent = |what: &str| (!trusts_silence).then(|| format!("{what} isn't declared"));
        if !self.targets.is_empty() && !self.targets.contains(&target.id) {
            return Some("it isn't among `targets`".into());
        }
        if let Some(most) = self.most_days {
            match said.retention_days {
                Some(days) if days > most => return Some(format!("it keeps data for {days} days")),
                Some(_) => {}
                None => {
                    if let Some(why) = silent("for how long it keeps data") {
                        return Some(why);
                    }
                }
            }
        }
        if self.no_training {
            match said.trains {
                Some(true) => return Some("it trains models on data".into()),
                Some(false) => {}
                None => {
                    if let Some(why) = silent("whether it trains models on data") {
                        return Some(why);
                    }
                }
            }
        }
        if !self.regions.is_empty() {
            match &said.region {
                Some(region) if !self.regions.contains(region) => {
                    return Some(format!("it handles data in `{region}`"));
                }
                Some(_) => {}
                None => return silent("where it handles data"),
            }
        }
        None
    }

    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let mut needs = Vec::new();
        match self.most_days {
            Some(0) => needs.push("kept by nobody".to_owned()),
            Some(days) => needs.push(format!("kept for no more than {days} days")),
            None => {}
        }
        if self.no_training {
            needs.push("trained on by nobody".into());
        }
        if !self.regions.is_empty() {
            needs.push(format!("handled in {}", self.regions.join(" or ")));
        }
        if !self.targets.is_empty() {
            needs.push("sent to certain targets alone".into());
        }
        format!("it must be {}", needs.join(", and "))
    }
}
