//! The kinds of data that are looked for.

use serde::Deserialize;

/// A kind of personal data or secret. Its number is the kind of its matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// An e-mail address.
    Email,
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
    /// A US social security number.
    Ssn,
    /// An IP address.
    Ip,
    /// A phone number.
    Phone,
    /// An API key, a token, a private key.
    ApiKey,
    /// A number that a state gives to a person.
    NationalId,
    /// The number of a US bank.
    RoutingNumber,
    /// A passport's number.
    Passport,
    /// A date of birth.
    BirthDate,
}

impl Entity {
    /// All entities, by number.
    pub const ALL: [Entity; 11] = [
        Entity::Email,
        Entity::Card,
        Entity::Iban,
        Entity::Ssn,
        Entity::Ip,
        Entity::Phone,
        Entity::ApiKey,
        Entity::NationalId,
        Entity::RoutingNumber,
        Entity::Passport,
        Entity::BirthDate,
    ];

    /// The entity's name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Entity::Email => "email",
            Entity::Card => "card",
            Entity::Iban => "iban",
            Entity::Ssn => "ssn",
            Entity::Ip => "ip",
            Entity::Phone => "phone",
            Entity::ApiKey => "api_key",
            Entity::NationalId => "national_id",
            Entity::RoutingNumber => "routing_number",
            Entity::Passport => "passport",
            Entity::BirthDate => "birth_date",
        }
    }

    /// The word that replaces a match, without the brackets.
    pub fn label(self) -> &'static str {
        match self {
            Entity::Email => "EMAIL",
            Entity::Card => "CARD",
            Entity::Iban => "IBAN",
            Entity::Ssn => "SSN",
            Entity::Ip => "IP",
            Entity::Phone => "PHONE",
            Entity::ApiKey => "API_KEY",
            Entity::NationalId => "NATIONAL_ID",
            Entity::RoutingNumber => "ROUTING_NUMBER",
            Entity::Passport => "PASSPORT",
            Entity::BirthDate => "BIRTH_DATE",
        }
    }
}
