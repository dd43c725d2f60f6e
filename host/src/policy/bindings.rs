//! The contract as Rust types: what `bindgen!` makes of `wit/`.
//!
//! The world with all grants is used so that every interface has its types; what is linked for a component is only what its
//! stage was granted (see [`super::linker`]).
#![expect(
    missing_docs,
    reason = "generated; the documentation is in wit/policy.wit"
)]

wasmtime::component::bindgen!({
    world: "policy-component-with-all-grants",
    path: "../wit",
    imports: {
        "witgate:policy/journal.append": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    additional_derives: [PartialEq],
});
