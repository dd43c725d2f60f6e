//! Shows the model placeholders for personal data, and the client the data.

mod placeholder;
mod policy;
mod settings;
mod vault;

#[cfg(test)]
mod tests;

pub use policy::PiiVault;
pub use settings::Settings;

witgate_policy::export!(PiiVault);
