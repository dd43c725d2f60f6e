//! Lets the model have some tools and no others, whatever the client offers and whatever the model makes up.

use std::collections::BTreeSet;

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// The names of those that may be offered and called.
    allow: BTreeSet<String>,
}

impl Policy for Tools {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_ANSWER
    }

    fn on_request(&mut self) -> Verdict {
        let offered = request::tools();
        match offered.iter().find(|it| !self.allow.contains(&it.name)) {
            Some(tool) => Verdict::deny("tool", format!("`{}` isn't allowed here", tool.name)),
            None => Verdict::Proceed,
        }
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        // `None`: nothing more is asked of what passes.
        let call = channel.tool_call()?;
        (!self.allow.contains(&call.name)).then(|| Box::new(Refused) as _)
    }
}

/// A call opens before its name goes out, so nothing of it does.
struct Refused;

impl Passage<Tools> for Refused {
    fn on_delta(&mut self, _policy: &mut Tools, _text: &str) -> Edit {
        Edit::deny("tool", "the model called a tool that isn't allowed here")
    }
}

witgate_policy::export!(Tools);

#[cfg(test)]
mod tests {
    use witgate_policy::{Channel, Verdict, serde_json::json, testing};

    #[test]
    fn neither_offered_nor_called() {
        let policy = testing::configure::<super::Tools>(json!({"allow": ["look_up"]}));
        let policy = policy.expect("these are settings");
        let offer = |name: &str| {
            let tools = json!([{"type": "function", "function": {"name": name}}]);
            let request = testing::Request::user("hi").with("tools", tools);
            policy.exchange(request).on_request()
        };
        assert_eq!(offer("look_up"), Verdict::Proceed);
        assert!(matches!(offer("delete"), Verdict::Deny(_)));
        let called = |name: &str| policy.chunkings().on(Channel::arguments(name)).of("{}");
        assert!(called("look_up").untouched);
        assert_eq!((called("delete").text.as_str(), called("delete").denial.is_some()), ("", true));
    }
}
