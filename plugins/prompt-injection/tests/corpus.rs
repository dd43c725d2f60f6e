//! Attacks that are denied, and harmless texts that pass, at the default threshold.

#![expect(clippy::unwrap_used, reason = "a test")]

use prompt_injection::{Origin, Scanner};

const THRESHOLD: f32 = 0.5;

fn texts(file: &'static str) -> Vec<&'static str> {
    file.split("\n===\n")
        .map(str::trim_end)
        .filter(|text| !text.is_empty())
        .collect()
}

/// The texts on the wrong side of the threshold, each with its findings.
fn wrong(file: &'static str, origin: Origin, attack: bool) -> Vec<String> {
    let scanner = Scanner::new().unwrap();
    let mut wrong = Vec::new();
    for text in texts(file) {
        let score = scanner.scan(text, origin);
        if (score.value >= THRESHOLD) != attack {
            let kinds: Vec<_> = score
                .kinds()
                .map(|(kind, count)| format!("{} {count}", kind.code()))
                .collect();
            wrong.push(format!("{:.2} [{}] {text}", score.value, kinds.join(", ")));
        }
    }
    wrong
}

fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} texts:\n{}",
        wrong.len(),
        wrong.join("\n---\n")
    );
}

#[test]
fn attacks_are_found() {
    let attacks = include_str!("corpus/attacks.txt");
    assert!(texts(attacks).len() >= 60);
    assert_none(&wrong(attacks, Origin::Person, true));
}

#[test]
fn attacks_in_tool_results_are_found() {
    assert_none(&wrong(
        include_str!("corpus/tool_attacks.txt"),
        Origin::Tool,
        true,
    ));
}

#[test]
fn harmless_texts_pass() {
    let benign = include_str!("corpus/benign.txt");
    assert!(texts(benign).len() >= 80);
    // They are full of the words of attacks, of which training lets one in 200 be denied.
    let wrong = wrong(benign, Origin::Person, false);
    assert!(wrong.len() * 50 <= texts(benign).len(), "{wrong:#?}");
}

#[test]
fn harmless_tool_results_pass() {
    assert_none(&wrong(
        include_str!("corpus/tool_benign.txt"),
        Origin::Tool,
        false,
    ));
}
