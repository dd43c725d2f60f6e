//! Says `system` where a client says `developer`, for models that know one of the two.

use witgate_policy::prelude::*;

/// The policy.
#[derive(Clone)]
pub struct Roles;

impl Policy for Roles {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Roles)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        for (at, role) in request::messages().into_iter().enumerate() {
            if role != Role::Developer {
                continue;
            }
            if let Err(why) = request::write(&format!("/messages/{at}/role"), "system") {
                return Verdict::deny("role", why);
            }
        }
        Verdict::Proceed
    }
}

witgate_policy::export!(Roles);

#[cfg(test)]
mod tests {
    use witgate_policy::testing::{self, Request};
    use witgate_policy::{Role, serde_json::json};

    #[test]
    fn one_role_stands_for_the_other() {
        let policy = testing::configure::<super::Roles>(json!({})).expect("there are none");
        let request = Request::new().message(Role::Developer, "Be kind.").message(Role::User, "hi");
        let mut exchange = policy.exchange(request);
        exchange.on_request();
        assert_eq!(exchange.request().body()["messages"][0]["role"], "system");
        assert_eq!(exchange.request().body()["messages"][1]["role"], "user");
    }
}
