//! Finds personal data in JSON lines, for the reports in `tools/detection`: reads `{"text": ...}`, writes the list of what was found in it, each
//! `[entity, value]`. Keys are `secrets`' to find.

use std::io::{BufRead, Write};

use pii_detector::{Detector, Entity, Format, Scope};
use witgate_policy::redact::find_all;
use witgate_policy::serde_json::{Value, from_str, json};

fn main() -> std::io::Result<()> {
    let detector = Detector::new(Scope::default(), Format::Label, String::new());
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let row: Value = from_str(&line?)?;
        let text = row["text"].as_str().unwrap_or_default();
        let found: Vec<Value> = find_all(&detector, text)
            .into_iter()
            .map(|it| json!([Entity::ALL[it.kind].name(), &text[it.start..it.end]]))
            .collect();
        writeln!(out, "{}", Value::from(found))?;
    }
    Ok(())
}
