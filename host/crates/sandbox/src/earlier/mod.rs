//! The contract 0.1.0, for components that were built against it, and its words in those of the present one. What such a component may call stands
//! beside what others may, in `imports` and `grants`.
//!
//! What must stay true: a component of then finds all that it had, and behaves as it did. Of what has come since it is shown what it knows: another
//! speaker as `user`, another channel as content.

mod types;

pub(super) use generated::witgate::policy as wit;
pub(super) use generated::{
    PolicyComponentWithAllGrants as Bindings, PolicyComponentWithAllGrantsPre as BindingsPre,
};

/// Its version.
pub(super) const CONTRACT: &str = "0.1.0";

mod generated {
    wasmtime::component::bindgen!({
        world: "policy-component-with-all-grants",
        path: "../../../wit/0.1.0",
        imports: {
            "witgate:policy/journal.append": async | trappable,
            "witgate:policy/counters": async | trappable,
            "witgate:policy/kv": async | trappable,
            "witgate:policy/http": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}
