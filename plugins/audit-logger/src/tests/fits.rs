//! An entry fits, whatever was in the exchange, and says what it hasn't as a whole.

use super::*;

/// The most that the journal takes.
const MEBIBYTE: usize = 1 << 20;

/// Texts of that many bytes that are hard to keep: long, escaped to six times their length, of long letters.
fn texts(bytes: usize) -> [String; 4] {
    ["a", "\u{1}", "\"", "\u{1f600}"].map(|letter| letter.repeat(bytes / letter.len()))
}

fn completed(settings: &Value, request: Request, outcome: Outcome) -> (String, Value) {
    let policy = testing::configure::<AuditLogger>(settings.clone()).unwrap();
    let line = policy.exchange(request).complete(outcome).journal.remove(0);
    let entry = serde_json::from_str(&line).unwrap();
    (line, entry)
}

/// A chain whose every stage says as much as the host lets it, and more.
fn talkative(stages: usize, text: &str) -> Vec<Account> {
    let account = |at| Account {
        stage: format!("stage-{at}"),
        verdict: "proceed".into(),
        denial: Some(Denial::new("code", text.get(..4096).unwrap_or(text))),
        findings: (0..64)
            .map(|_| Finding::new("code", 1).with_detail(text.get(..1024).unwrap_or(text)))
            .collect(),
    };
    (0..stages).map(account).collect()
}

#[test]
fn an_entry_fits_whatever_was_in_the_exchange() {
    let many =
        |messages: Vec<Value>| Request::from_body(json!({"model": "m", "messages": messages}));
    let message = |text: &str| json!({"role": "user", "content": text});
    for text in texts(2 * MEBIBYTE) {
        let short = text.get(..1200).unwrap();
        let requests: [&dyn Fn() -> Request; 6] = [
            &|| Request::user("hello").model(&text),
            &|| {
                Request::user(&text)
                    .principal(&text)
                    .team(&text)
                    .roles(vec![text.get(..1200).unwrap_or(&text); 1_000])
                    .id(&text)
                    .endpoint(&text)
            },
            &|| many(vec![message(short); 3_000]),
            &|| many(vec![message(""); 150_000]),
            &|| many(vec![message("x"); 5_000]).model(&text),
            &|| {
                many(vec![
                    json!({"role": "assistant", "tool_calls": [{"id": "", "type": "function",
                "function": {"name": text, "arguments": short}}]});
                    3
                ])
            },
        ];
        let word = || text.clone();
        let outcomes: [&dyn Fn() -> Outcome; 4] = [
            &Outcome::completed,
            &|| Outcome {
                finish_reasons: vec![word(); 3],
                model: Some(word()),
                target: Some(word()),
                ..Outcome::completed()
            },
            &|| Outcome {
                finish_reasons: vec![short.into(); 5_000],
                tags: (0..5_000)
                    .map(|at| (format!("{at}-{short}"), short.into()))
                    .collect(),
                ..Outcome::completed()
            },
            &|| Outcome {
                stages: talkative(1_000, &text),
                ..Outcome::completed()
            },
        ];
        for capture in ["none", "hash", "full"] {
            let settings = json!({"capture": capture});
            // Each with a plain other half, and the worst of both.
            let plain = || Request::user("hello");
            let pairs = requests
                .iter()
                .map(|request| (request(), Outcome::completed()))
                .chain(outcomes.iter().map(|outcome| (plain(), outcome())))
                .chain([
                    (requests[1](), outcomes[3]()),
                    (requests[2](), outcomes[2]()),
                ]);
            for (at, (request, outcome)) in pairs.enumerate() {
                let (line, entry) = completed(&settings, request, outcome);
                let letter = text.chars().next();
                assert!(
                    line.len() <= MEBIBYTE,
                    "{letter:?} {capture} {at}: {}",
                    line.len()
                );
                assert!(!line.contains('\n') && entry["ended"] == "completed");
            }
        }
    }
}

#[test]
fn what_was_cut_is_marked_with_the_length_and_the_hash_of_the_whole() {
    let text = "x".repeat(MEBIBYTE + 1);
    let request = Request::user(&text).model(&text);
    let (_, entry) = completed(&json!({"capture": "full"}), request, Outcome::completed());
    let model = entry["model"].as_str().unwrap();
    assert!(
        model.len() < 600 && model.starts_with("xxx") && model.ends_with('…'),
        "{model}"
    );
    // head -c 1048577 /dev/zero | tr '\0' x | sha256sum
    let sha256 = "154b8ed3c2383ce429058768595935faf7851b5c38db2b1732594be1d88bc05a";
    let cut = |at: &str| json!({"at": at, "bytes": MEBIBYTE + 1, "sha256": sha256});
    let expected = json!([cut("/model"), cut("/capture/segments/0/text")]);
    assert_eq!(entry["cut"], expected);
}

#[test]
fn what_is_left_out_of_an_array_is_counted() {
    let messages = vec![json!({"role": "user", "content": "x"}); 150_000];
    let request = Request::from_body(json!({"model": "m", "messages": messages}));
    let outcome = Outcome {
        stages: talkative(100, &"\u{1}".repeat(1024)),
        ..Outcome::completed()
    };
    let (_, entry) = completed(&json!({"capture": "full"}), request, outcome);
    let length = |at: &str| entry.pointer(at).unwrap().as_array().unwrap().len();
    let more = |at: &str| {
        let cuts = entry["cut"].as_array().unwrap().iter();
        let cut = cuts
            .clone()
            .find(|cut| cut["at"] == at && cut["more"].is_u64());
        cut.unwrap_or_else(|| panic!("{at} is not marked")).clone()
    };
    let rest = more("/capture/segments");
    let left_out = 150_000 - length("/capture/segments");
    assert_eq!(
        (&rest["more"], &rest["bytes"]),
        (&json!(left_out), &json!(left_out))
    );
    assert_eq!(rest["sha256"].as_str().unwrap().len(), 64);
    // Each stage's verdict is there, whatever the others have to tell.
    assert_eq!(length("/stages"), 100);
    assert_eq!(
        more("/stages/99/findings")["more"],
        64 - length("/stages/99/findings")
    );
}
