//! What a component says of itself beside its code: its author's manifest, and which tools made it. Both are custom sections, so nothing runs
//! to read them, and both are whatever a stranger wrote there.

use wasmparser::{BinaryReader, ProducersSectionReader};

use super::error::LoadError;
use super::limits::MAX_SIZE;
use super::spec::StageSpec;
use serde_json::Value;
use witgate_config::{LeastLimits, Limits, Manifest, mismatches};

/// The name of the custom section in which the manifest is, as JSON.
pub const SECTION: &str = "witgate:manifest";

/// How errors call it.
const ORIGIN: &str = "its manifest";

/// Producers that are told, and bytes of each of their texts.
const PRODUCERS: usize = 32;
const PRODUCER_TEXT: usize = 100;

/// A language or a tool that made a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// The component with that manifest at its end. Call it once: a component with two manifests is refused.
///
/// # Errors
/// A sentence: the manifest or the whole would be too large.
pub fn with_manifest(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, String> {
    let json = manifest.to_json().to_string();
    if json.len() > Manifest::MOST {
        return Err(format!(
            "the manifest has {} bytes, and may have {}; shorten its schema",
            json.len(),
            Manifest::MOST
        ));
    }
    let mut bytes = component.to_vec();
    custom(SECTION, json.as_bytes(), &mut bytes);
    match bytes.len() {
        size if size > MAX_SIZE => Err(format!(
            "with its manifest it has {size} bytes, and a component may have {MAX_SIZE}"
        )),
        _ => Ok(bytes),
    }
}

/// The component with these producers at its end, in a section as tools write it. Those of before stay.
pub fn with_producers(component: &[u8], producers: &[Producer]) -> Vec<u8> {
    let mut section = Vec::new();
    unsigned(producers.len(), &mut section);
    for producer in producers {
        text(&producer.field, &mut section);
        unsigned(1, &mut section);
        text(&producer.name, &mut section);
        text(&producer.version, &mut section);
    }
    let mut bytes = component.to_vec();
    custom("producers", &section, &mut bytes);
    bytes
}

/// Writes a custom section, whose id is 0.
fn custom(name: &str, data: &[u8], into: &mut Vec<u8>) {
    let mut section = Vec::with_capacity(name.len() + data.len() + 8);
    text(name, &mut section);
    section.extend_from_slice(data);
    into.push(0);
    unsigned(section.len(), into);
    into.extend_from_slice(&section);
}

fn text(text: &str, into: &mut Vec<u8>) {
    unsigned(text.len(), into);
    into.extend_from_slice(text.as_bytes());
}

/// A number as WebAssembly writes it: seven bits a byte, the lowest first.
fn unsigned(mut number: usize, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// What is gathered while a component's sections are read.
#[derive(Default)]
pub(super) struct Said {
    pub(super) manifest: Option<Manifest>,
    pub(super) producers: Vec<Producer>,
}

impl Said {
    /// Takes a custom section; of modules within the component, too, `outermost` telling which.
    pub(super) fn section(
        &mut self,
        (name, data): (&str, &[u8]),
        outermost: bool,
    ) -> Result<(), LoadError> {
        if name == SECTION && outermost {
            if self.manifest.is_some() {
                return Err(LoadError::TwoManifests);
            }
            let manifest = Manifest::from_json(data, ORIGIN).map_err(LoadError::Manifest)?;
            self.manifest = Some(manifest);
        }
        if name == "producers" {
            self.produced(data);
        }
        Ok(())
    }

    /// A section that can't be read tells nothing: no policy runs better for it.
    fn produced(&mut self, data: &[u8]) {
        let Ok(fields) = ProducersSectionReader::new(BinaryReader::new(data, 0)) else {
            return;
        };
        for field in fields.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                let producer = Producer {
                    field: short(field.name),
                    name: short(value.name),
                    version: short(value.version),
                };
                if self.producers.len() < PRODUCERS && !self.producers.contains(&producer) {
                    self.producers.push(producer);
                }
            }
        }
    }
}

/// For a terminal, on which nothing of it is an order.
fn short(text: &str) -> String {
    let text = text.replace(char::is_control, "\u{fffd}");
    text[..text.floor_char_boundary(PRODUCER_TEXT)].to_owned()
}

/// The policy works within these limits, by its author's word.
pub(super) fn fits(needed: &LeastLimits, given: &Limits) -> Result<(), LoadError> {
    let missing = needed.missing(given);
    if missing.is_empty() {
        return Ok(());
    }
    let each = missing
        .iter()
        .map(|(name, needed, given)| format!("limits.{name} is {given} and must be {needed}"));
    let write = missing
        .iter()
        .map(|(name, needed, _)| format!("{name}: {needed}"));
    Err(LoadError::TooSmall {
        missing: each.collect::<Vec<_>>().join(", "),
        write: write.collect::<Vec<_>>().join(", "),
    })
}

/// The settings are what their schema says, as far as one is known.
pub(super) fn allows(schema: Option<&Value>, spec: &StageSpec) -> Result<(), LoadError> {
    let Some(schema) = schema else {
        return Ok(());
    };
    let settings: Value = serde_json::from_str(&spec.settings).unwrap_or_default();
    let mismatches = mismatches(schema, &settings);
    if mismatches.is_empty() {
        return Ok(());
    }
    Err(LoadError::Settings {
        id: spec.id.to_string(),
        mismatches,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::component::inspect;

    /// The least component: nothing is in it, so it is no policy.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn read(sections: &[(&str, &[u8])]) -> Result<Said, LoadError> {
        let mut said = Said::default();
        for section in sections {
            said.section(*section, true)?;
        }
        Ok(said)
    }

    #[test]
    fn a_manifest_is_a_section_that_leaves_the_component_what_it_was() {
        let manifest = Manifest {
            name: "a".to_owned(),
            description: Some("é".repeat(200)),
            ..Manifest::default()
        };
        let bytes = with_manifest(EMPTY, &manifest).unwrap();
        assert!(bytes.starts_with(EMPTY));
        // It parses whole, up to what an empty component lacks.
        assert!(matches!(inspect(&bytes), Err(LoadError::NotAPolicy)));
        let json = manifest.to_json().to_string();
        assert!(bytes.ends_with(json.as_bytes()));
        let twice = with_manifest(&bytes, &manifest).unwrap();
        assert!(matches!(inspect(&twice), Err(LoadError::TwoManifests)));
    }

    #[test]
    fn a_hostile_manifest_is_a_sentence() {
        let deep = [b'['; 200_000];
        let wrong: [(&[u8], &str); 6] = [
            (b"", "isn't JSON"),
            (b"\xff\xfe", "isn't JSON"),
            (&deep, "isn't JSON"),
            (b"{\"name\":\"../../etc\"}", "can't be an id"),
            (
                b"{\"name\":\"a\",\"limits\":{\"memory\":\"9GiB\"}}",
                "limits.memory",
            ),
            (&[b' '; Manifest::MOST + 1], "may have"),
        ];
        for (bytes, why) in wrong {
            let error = read(&[(SECTION, bytes)]).err().unwrap().to_string();
            assert!(error.contains(why) && error.contains("manifest"), "{error}");
        }
    }

    #[test]
    fn producers_are_told_once_and_without_orders_to_a_terminal() {
        let producer = Producer {
            field: "language".to_owned(),
            name: "Rust".to_owned(),
            version: "1\u{1b}".to_owned(),
        };
        let bytes = with_producers(EMPTY, &[producer.clone(), producer]);
        let section = &bytes[EMPTY.len() + 2 + "producers".len() + 1..];
        let said = read(&[("producers", section), ("producers", b"\xff\xff")]).unwrap();
        let [producer] = &said.producers[..] else {
            panic!("{:?}", said.producers);
        };
        assert_eq!((&*producer.name, &*producer.version), ("Rust", "1\u{fffd}"));
    }

    #[test]
    fn what_is_too_small_is_told_with_what_to_write() {
        let needed = LeastLimits {
            memory: Some(128 << 20),
            held_text: Some(1),
            ..LeastLimits::default()
        };
        let error = fits(&needed, &Limits::default()).unwrap_err().to_string();
        assert!(
            error.contains("limits.memory is 64MiB and must be 128MiB")
                && error.contains("limits: {memory: 128MiB}"),
            "{error}"
        );
        let enough = needed.within(Limits::default());
        assert!(fits(&needed, &enough).is_ok());
    }
}
