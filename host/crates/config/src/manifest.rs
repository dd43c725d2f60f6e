//! What a policy says of itself to those who run it: what it needs, why, and whose it is.
//!
//! Its author writes it into `policy.yaml` beside the sources, and building puts it into the component as JSON. Both are read here, by the
//! same rules: the author's file strictly, since a misspelt key would be lost in silence; a component's so that a newer one may say more.

use super::checked;
use super::error::{ConfigError, Position, Problem};
use super::fields::{Field, Fields, Report};
use super::limits::{self, LeastLimits};
use super::nearest::suggestion;
use super::stages::Grant;
use super::tree::Node;
use serde_json::{Map, Value, json};

/// What a policy says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The policy's name: an id.
    pub name: String,
    /// Its version; none in the author's file, where the sources say it.
    pub version: Option<String>,
    /// What it does, in a sentence.
    pub description: Option<String>,
    /// By an SPDX expression.
    pub license: Option<String>,
    /// Where more is said of it.
    pub homepage: Option<String>,
    /// The grants that it needs.
    pub grants: Vec<NeededGrant>,
    /// The limits below which it doesn't work.
    pub limits: LeastLimits,
    /// A JSON Schema of its settings.
    pub schema: Option<Value>,
}

/// A grant that a policy needs, by name: it need not be one that this release has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededGrant {
    /// The name of its interface in the contract.
    pub name: String,
    /// What the policy does with it.
    pub why: String,
}

/// The author's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// What goes into the component. Its schema isn't read yet.
    pub manifest: Manifest,
    /// The file of the schema, relative to this one.
    pub schema: Option<String>,
    /// What the policy is tried with: an object.
    pub settings: Value,
}

/// What a component's has.
const KEYS: [&str; 8] = [
    "name",
    "version",
    "description",
    "license",
    "homepage",
    "grants",
    "limits",
    "schema",
];

impl PolicyFile {
    /// Reads the author's file. Messages call it `origin`.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn parse(text: &str, origin: &str) -> Result<PolicyFile, ConfigError> {
        checked(text, origin, |document, _| {
            let fields = document.fields(&[
                "name",
                "description",
                "license",
                "homepage",
                "grants",
                "limits",
                "schema",
                "settings",
            ])?;
            for grant in fields
                .get("grants")
                .and_then(Field::entries)
                .into_iter()
                .flatten()
            {
                let names = Grant::ALL.map(Grant::as_str);
                let (name, field) = grant;
                if !names.contains(&name) {
                    field.problem_at_key(format!(
                        "unknown grant `{name}`{}",
                        suggestion(name, &names)
                    ));
                }
            }
            let schema = fields
                .get("schema")
                .map(|field| field.text_within(1..=4096));
            let settings = fields.get("settings").map(|field| match field.node {
                Node::Map(_) => Some(field.node.to_json()),
                other => {
                    field.problem(format!("expected a mapping, found {}", other.kind()));
                    None
                }
            });
            let manifest = read(&fields);
            Some(PolicyFile {
                manifest: manifest?,
                schema: match schema {
                    Some(schema) => Some(schema?.to_owned()),
                    None => None,
                },
                settings: match settings {
                    Some(settings) => settings?,
                    None => Value::Object(Map::new()),
                },
            })
        })
    }
}

impl Manifest {
    /// The most bytes that it may have in a component.
    pub const MOST: usize = 256 << 10;

    /// Reads what a component says of itself. Keys that nobody knows are passed over. Messages call it `origin`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_json(json: &[u8], origin: &str) -> Result<Manifest, ConfigError> {
        let failed = |path: String, message: String| ConfigError::Invalid {
            origin: origin.to_owned(),
            problems: vec![Problem {
                at: Position::default(),
                path,
                message,
            }],
        };
        if json.len() > Manifest::MOST {
            let (has, most) = (json.len(), Manifest::MOST);
            return Err(failed(
                String::new(),
                format!("it has {has} bytes, and may have {most}"),
            ));
        }
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| failed(String::new(), format!("it isn't JSON: {error}")))?;
        let root = Node::from(&value);
        let report = Report::default();
        let document = Field::root(&root, &report);
        let manifest = document.known_fields(&KEYS).and_then(|fields| {
            let version = fields.get("version").map(|it| it.text_within(1..=100));
            let schema = fields.get("schema").map(|field| match field.node {
                Node::Map(_) | Node::Bool(_) => Some(field.node.to_json()),
                other => {
                    field.problem(format!(
                        "a JSON Schema is an object, and this is {}",
                        other.kind()
                    ));
                    None
                }
            });
            let mut manifest = read(&fields)?;
            manifest.version = match version {
                Some(version) => Some(version?.to_owned()),
                None => None,
            };
            manifest.schema = match schema {
                Some(schema) => Some(schema?),
                None => None,
            };
            Some(manifest)
        });
        let problems = report.into_problems().into_iter();
        let problems: Vec<Problem> = problems
            .map(|(place, message)| Problem {
                at: Position::default(),
                path: place.to_string(),
                message,
            })
            .collect();
        match manifest {
            Some(manifest) if problems.is_empty() => Ok(manifest),
            _ => Err(ConfigError::Invalid {
                origin: origin.to_owned(),
                problems,
            }),
        }
    }

    /// As it stands in a component.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        json.insert("name".to_owned(), json!(self.name));
        let texts = [
            ("version", &self.version),
            ("description", &self.description),
            ("license", &self.license),
            ("homepage", &self.homepage),
        ];
        for (key, text) in texts {
            json.extend(text.as_ref().map(|text| (key.to_owned(), json!(text))));
        }
        let grants = self.grants.iter();
        let grants: Map<String, Value> = grants
            .map(|grant| (grant.name.clone(), json!(grant.why)))
            .collect();
        let limits: Map<String, Value> = self
            .limits
            .named()
            .map(|(name, least)| (name.to_owned(), json!(least)))
            .collect();
        for (key, map) in [("grants", grants), ("limits", limits)] {
            if !map.is_empty() {
                json.insert(key.to_owned(), Value::Object(map));
            }
        }
        json.extend(self.schema.clone().map(|it| ("schema".to_owned(), it)));
        Value::Object(json)
    }

    /// Why the policy wants that grant, in its author's words.
    pub fn why(&self, grant: &str) -> Option<&str> {
        let needed = self.grants.iter().find(|needed| needed.name == grant);
        needed.map(|needed| needed.why.as_str())
    }
}

fn read(fields: &Fields<'_>) -> Option<Manifest> {
    let text = |key: &str, most: usize| match fields.get(key) {
        Some(field) => field
            .text_within(1..=most)
            .map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    let name = fields.required("name").and_then(Field::id);
    let description = text("description", 2000);
    let license = text("license", 200);
    let homepage = text("homepage", 2000);
    let grants = match fields.get("grants") {
        Some(field) => grants(field),
        None => Some(Vec::new()),
    };
    let limits = match fields.get("limits") {
        Some(field) => limits::read_least(field),
        None => Some(LeastLimits::default()),
    };
    Some(Manifest {
        name: name?.to_owned(),
        version: None,
        description: description?,
        license: license?,
        homepage: homepage?,
        grants: grants?,
        limits: limits?,
        schema: None,
    })
}

/// `grants: {NAME: why}`.
fn grants(field: &Field<'_>) -> Option<Vec<NeededGrant>> {
    let mut grants = Vec::new();
    let mut complete = true;
    for (name, field) in field.entries()? {
        match field.text_within(1..=500) {
            Some(why) => grants.push(NeededGrant {
                name: name.to_owned(),
                why: why.to_owned(),
            }),
            None => complete = false,
        }
    }
    complete.then_some(grants)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use std::time::Duration;

    const FILE: &str = "\
name: budget
description: Keeps each client's tokens.
license: Apache-2.0
grants: {counters: it keeps each client's sum}
limits: {memory: 128MiB, held_time: 5s}
schema: settings.schema.json
settings: {tokens: 3}
";

    #[test]
    fn what_the_author_writes_comes_back_from_the_component() {
        let file = PolicyFile::parse(FILE, "policy.yaml").unwrap();
        assert_eq!(file.schema.as_deref(), Some("settings.schema.json"));
        assert_eq!(file.settings, json!({"tokens": 3}));
        let manifest = Manifest {
            version: Some("1.2.3".to_owned()),
            schema: Some(json!({"type": "object", "x": "${no reference}"})),
            ..file.manifest
        };
        assert_eq!(manifest.limits.memory, Some(128 << 20));
        assert_eq!(manifest.limits.held_time, Some(Duration::from_secs(5)));
        let json = manifest.to_json().to_string();
        let read = Manifest::from_json(json.as_bytes(), "the manifest").unwrap();
        assert_eq!(read, manifest);
        assert_eq!(read.why("counters"), Some("it keeps each client's sum"));
    }

    #[test]
    fn a_misspelt_key_of_the_author_s_is_an_error_with_its_place() {
        let text = FILE.replace("homepage", "").replace("license", "licence");
        let error = PolicyFile::parse(&text, "policy.yaml")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("policy.yaml:3:1") && error.contains("license"),
            "{error}"
        );
        let error = PolicyFile::parse(&FILE.replace("counters", "counter"), "policy.yaml");
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("unknown grant `counter`") && error.contains("counters"),
            "{error}"
        );
    }

    #[test]
    fn a_component_may_say_more_than_is_known_and_nothing_wrong() {
        let read = |json: Value| Manifest::from_json(json.to_string().as_bytes(), "the manifest");
        let more =
            read(json!({"name": "a", "of-a-later-release": [1], "grants": {"later": "why"}}));
        assert_eq!(more.unwrap().grants[0].name, "later");
        let wrong = [
            (json!([]), "a mapping"),
            (json!({}), "`name`"),
            (json!({"name": "A b"}), "can't be an id"),
            (
                json!({"name": "a", "limits": {"memory": "1EiB"}}),
                "limits.memory",
            ),
            (json!({"name": "a", "grants": ["kv"]}), "grants"),
            (json!({"name": "a", "schema": 3}), "schema"),
            (
                json!({"name": "a", "description": "x".repeat(3000)}),
                "2000 characters",
            ),
        ];
        for (json, said) in wrong {
            let error = read(json.clone()).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
        for bytes in [
            &b""[..],
            b"{",
            b"\xff",
            &[b'['; 100_000],
            &[b' '; Manifest::MOST + 1],
        ] {
            assert!(Manifest::from_json(bytes, "the manifest").is_err());
        }
    }
}
