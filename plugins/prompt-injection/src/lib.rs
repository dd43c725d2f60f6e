#![doc = include_str!("../README.md")]
//!
//! # A tour
//!
//! - [`PromptInjection`] is the policy: its settings, and its verdict on a request. It reads messages by way of `message`.
//! - [`scan`] turns a text into a [`Score`]: `plain` looks quickly, `fold` undoes disguises, `decode` undoes
//!   encodings, `lexicon` finds the anchor words, [`signals`] judge what they do together, `context` whether they are
//!   said or only spoken of, `patterns` are the operator's own.

mod context;
mod decode;
mod fold;
mod lexicon;
mod message;
mod patterns;
mod plain;
mod policy;
pub mod scan;
pub mod score;
pub mod signals;
mod squeeze;
mod steps;

pub use policy::PromptInjection;
pub use scan::{Scanner, Score};
pub use signals::{Kind, Origin};

witgate_policy::export!(PromptInjection);
