//! What training and the report read: JSON lines with `text` and, if they like, `origin` (`person` or `tool`) come in.
//!
//! `detect features` writes each text's hashed features: the number of its blocks, and for each the number of its words and of its
//! features, and the features, as 32-bit little-endian numbers; a feature's three highest bits are its group.
//! `detect words` writes a line for each text, with its words as the scorer takes them.
//! `detect rules` writes a line for each text, with what the rules alone make of it; `detect scores` one with all there is.

use std::io::{self, BufRead, BufWriter, Write};

use prompt_injection::{Origin, Scanner};
use witgate_policy::serde_json::{Value, from_str, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let scanner = Scanner::new()?;
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let row: Value = from_str(&line?)?;
        let text = row["text"].as_str().ok_or("a line has no text")?;
        let origin = match row["origin"].as_str() {
            Some("tool") => Origin::Tool,
            _ => Origin::Person,
        };
        if mode == "features" {
            let blocks = scanner.features(text);
            out.write_all(&(blocks.len() as u32).to_le_bytes())?;
            for block in blocks {
                out.write_all(&block.words.to_le_bytes())?;
                out.write_all(&(block.all.len() as u32).to_le_bytes())?;
                for (group, hash) in block.all {
                    out.write_all(&((group as u32) << 29 | hash >> 3).to_le_bytes())?;
                }
            }
        } else if mode == "words" {
            writeln!(out, "{}", scanner.words(text))?;
        } else if mode == "rules" {
            let [person, tool] =
                [Origin::Person, Origin::Tool].map(|origin| scanner.rules(text, origin).value);
            writeln!(out, "{}", json!({"person": person, "tool": tool}))?;
        } else {
            let score = scanner.scan(text, origin);
            let margins = scanner.margins(text, origin);
            let kinds: Vec<&str> = score.kinds().map(|(kind, _)| kind.code()).collect();
            writeln!(
                out,
                "{}",
                json!({"score": score.value, "kinds": kinds, "short": margins.short, "long": margins.long,
                    "spread": margins.spread, "blocks": margins.blocks, "disguised": margins.disguised})
            )?;
        }
    }
    Ok(())
}
