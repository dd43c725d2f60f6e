//! What `wit-bindgen` makes of the contract. Not part of this crate's promise: use the types and modules at the root.
//!
//! `wit` is a link to the contract's own folder, so that there is one text of it; packaging follows the link.

wit_bindgen::generate!({
    world: "policy-component-with-all-grants",
    path: "wit",
    pub_export_macro: true,
    default_bindings_module: "witgate_policy::bindings",
    additional_derives: [PartialEq],
});
