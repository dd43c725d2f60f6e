//! The code that `wit-bindgen` generates from the contract. It is no part of this crate's stable interface: use the types
//! and modules at the root.
//!
//! `wit` is a copy of the contract's own folder, so that a copy of this crate builds anywhere; a test compares the two.

wit_bindgen::generate!({
    world: "policy-component-with-all-grants",
    path: "wit",
    pub_export_macro: true,
    default_bindings_module: "witgate_policy::bindings",
    additional_derives: [PartialEq],
});
