//! Whether a component that doesn't fit was built against a newer contract: it calls functions that an interface of this one hasn't.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::component::{Contract, PACKAGE};
use super::error::LoadError;

/// A contract, whose names are read where something is missing.
fn wit(contract: Contract) -> &'static str {
    match contract {
        Contract::Now => include_str!("../../../../wit/policy.wit"),
        Contract::Earlier => include_str!("../../../../wit/0.1.0/policy.wit"),
    }
}

/// The first function that it calls and that the contract hasn't.
pub(super) fn missing(
    engine: &Engine,
    component: &Component,
    contract: Contract,
) -> Option<LoadError> {
    for (name, import) in component.component_type().imports(engine) {
        let interface = name
            .strip_prefix(PACKAGE)
            .unwrap_or_default()
            .split_once('@');
        let (Some((interface, _)), ComponentItem::ComponentInstance(instance)) =
            (interface, import.ty)
        else {
            continue;
        };
        for (function, item) in instance.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_))
                && !has(wit(contract), interface, function)
            {
                return Some(LoadError::Newer {
                    interface: interface.to_owned(),
                    function: function.to_owned(),
                });
            }
        }
    }
    None
}

/// Whether an interface of the contract has that function: `wit/policy.wit` has each on a line of its own, and a `}` alone ends an interface.
fn has(wit: &str, interface: &str, function: &str) -> bool {
    let begins = format!("interface {interface} {{");
    let within = wit.lines().skip_while(|line| *line != begins);
    let mut within = within.take_while(|line| *line != "}");
    within.any(|line| {
        let named = line.trim_start().split_once(": func(");
        named.is_some_and(|(name, _)| name == function)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_in_their_interface_alone() {
        let now = wit(Contract::Now);
        for (interface, function) in [
            ("request", "replace-segment"),
            ("host", "count"),
            ("outcome", "total-us"),
            ("kv", "put"),
        ] {
            assert!(has(now, interface, function), "{interface} {function}");
        }
        for (interface, function) in [
            ("request", "count"),
            ("host", "total-us"),
            ("none", "put"),
            ("kv", "pu"),
        ] {
            assert!(!has(now, interface, function), "{interface} {function}");
        }
        let earlier = wit(Contract::Earlier);
        assert!(has(earlier, "request", "roles") && has(earlier, "kv", "put-new"));
        assert!(has(now, "request", "tool-of") && !has(earlier, "request", "tool-of"));
    }
}
