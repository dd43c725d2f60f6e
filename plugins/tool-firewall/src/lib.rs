//! Says which tools a model may be offered and may call, and with which arguments.

mod globs;
mod policy;
mod request;
mod rules;
mod settings;

#[cfg(test)]
mod tests;

pub use policy::ToolFirewall;
pub use settings::Settings;

witgate_policy::export!(ToolFirewall);
