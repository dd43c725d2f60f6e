//! A secret of the gateway's own, as it may turn up in what others say: a target, or a service that a policy asks.

pub mod lean_json;
mod own_secret;

pub use own_secret::OwnSecret;
