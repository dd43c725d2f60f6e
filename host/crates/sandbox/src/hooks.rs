//! The hooks of the contract, by name.

use super::types::Hooks;

/// The names of these hooks, in the order in which an exchange calls them.
pub fn hook_names(hooks: Hooks) -> Vec<&'static str> {
    let names = [
        (Hooks::ON_REQUEST, "on-request"),
        (Hooks::ON_ANSWER, "on-answer"),
        (Hooks::ON_COMPLETE, "on-complete"),
    ];
    let wanted = names.into_iter().filter(|(hook, _)| hooks.contains(*hook));
    wanted.map(|(_, name)| name).collect()
}
