//! The contract as Rust types: what `bindgen!` makes of `wit/`, and which version of it that is. [`earlier`](super::earlier) has the one before.
//!
//! The world with all grants is used so that every interface has its types; what is linked for a component is only what its
//! stage was granted (see [`super::grants`]).

pub use generated::witgate::policy::types;

/// The typed view of an instance.
pub(super) use generated::PolicyComponentWithAllGrants as Bindings;
/// A linked component, from which typed instances are made.
pub(super) use generated::PolicyComponentWithAllGrantsPre as BindingsPre;
/// The contract's interfaces: what a guest may call.
pub(super) use generated::witgate::policy as wit;

/// The version of the contract that this gateway speaks.
pub const CONTRACT: &str = "1.0.0";

mod generated {
    #![expect(
        missing_docs,
        reason = "generated; the documentation is in wit/policy.wit"
    )]

    wasmtime::component::bindgen!({
        world: "policy-component-with-all-grants",
        path: "../../../wit",
        imports: {
            "witgate:policy/journal.append": async | trappable,
            "witgate:policy/counters": async | trappable,
            "witgate:policy/kv": async | trappable,
            "witgate:policy/http": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        additional_derives: [PartialEq],
    });
}
