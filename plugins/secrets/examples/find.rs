//! Finds secrets in JSON lines, for the reports in `tools/detection`: reads `{"text": ...}`, writes the list of what was found in it, each
//! `[rule, value]`.

use std::io::{BufRead, Write};

use secrets::SecretFinder;
use witgate_policy::redact::find_all;
use witgate_policy::serde_json::{Value, from_str, json};

fn main() -> std::io::Result<()> {
    let finder = SecretFinder::of_all();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let row: Value = from_str(&line?)?;
        let text = row["text"].as_str().unwrap_or_default();
        let found: Vec<Value> = find_all(&finder, text)
            .into_iter()
            .map(|it| json!([secret_rules::name(it.kind), &text[it.start..it.end]]))
            .collect();
        writeln!(out, "{}", Value::from(found))?;
    }
    Ok(())
}
