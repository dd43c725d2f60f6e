//! What the operator may set, under `policy.pii-detector`.

use serde::{Deserialize, Deserializer};
use witgate_policy::redact::Action;

use crate::entity::Entity;
use crate::find::{HOMES, Home};

/// What a match is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `[CARD]`.
    #[default]
    Label,
    /// Asterisks in the same shape. The last four letters or digits of cards, accounts, phone and social security numbers
    /// stay.
    Mask,
    /// `[CARD:1a2b3c4d]`: the same text for the same value, so that a reader can tell which matches belong together.
    Hash,
}

/// A set of entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(u16);

impl Set {
    /// Whether this entity is in the set.
    pub fn has(self, entity: Entity) -> bool {
        self.0 & (1 << entity as u16) != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// All but dates of birth: people write of the dead, too.
impl Default for Set {
    fn default() -> Set {
        let mut all = Entity::ALL.to_vec();
        all.retain(|entity| *entity != Entity::BirthDate);
        all.into_iter().collect()
    }
}

impl FromIterator<Entity> for Set {
    fn from_iter<T: IntoIterator<Item = Entity>>(entities: T) -> Set {
        let bits = entities.into_iter().map(|entity| 1 << entity as u16);
        Set(bits.fold(0, |all, one| all | one))
    }
}

impl<'de> Deserialize<'de> for Set {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Set, D::Error> {
        let entities = Vec::<Entity>::deserialize(deserializer)?;
        Ok(entities.into_iter().collect())
    }
}

/// The regions whose phone numbers are found as they are written at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regions(u64);

impl Regions {
    pub(crate) fn homes(self) -> impl Iterator<Item = &'static Home> {
        let all = HOMES.iter().enumerate();
        all.filter(move |(n, _)| self.0 & 1 << n != 0)
            .map(|(_, home)| home)
    }
}

/// All that there are plans for.
impl Default for Regions {
    fn default() -> Regions {
        Regions(u64::MAX)
    }
}

impl<'de> Deserialize<'de> for Regions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Regions, D::Error> {
        let mut regions = 0;
        for name in Vec::<String>::deserialize(deserializer)? {
            match HOMES.iter().position(|home| home.region == name) {
                Some(at) => regions |= 1 << at,
                None => {
                    let all: Vec<_> = HOMES.iter().map(|home| home.region).collect();
                    return Err(serde::de::Error::custom(format!(
                        "there is no plan for the region `{name}`; there are {}",
                        all.join(", ")
                    )));
                }
            }
        }
        Ok(Regions(regions))
    }
}

/// What to look for, and where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope {
    /// Which entities.
    pub entities: Set,
    /// Whose phone numbers.
    pub regions: Regions,
    /// Private IP addresses, too.
    pub private_ips: bool,
}

/// The settings: what to look for, and what to do with a match.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) action: Action,
    #[serde(default)]
    pub(crate) entities: Set,
    #[serde(default)]
    pub(crate) regions: Regions,
    /// Whether addresses of private networks are found, too.
    #[serde(default)]
    pub(crate) private_ips: bool,
    #[serde(default)]
    pub(crate) format: Format,
    /// Goes before each value that is hashed, so that nobody can try values out.
    #[serde(default)]
    pub(crate) salt: String,
    #[serde(default = "yes")]
    pub(crate) requests: bool,
    #[serde(default = "yes")]
    pub(crate) answers: bool,
}

fn yes() -> bool {
    true
}
