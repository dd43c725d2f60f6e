#![expect(clippy::unwrap_used, reason = "tests")]

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::journal::{Entry, Journal, Options};

use super::{AuditArgs, execute};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    audit: AuditArgs,
}

/// Runs a command. Returns the exit code, the output and the complaint.
fn audit(scene: &Scene, line: &str) -> (u8, String, String) {
    let store = format!("sqlite:{}", scene.path().display());
    let mut words: Vec<_> = std::iter::once("audit")
        .chain(line.split_whitespace())
        .collect();
    words.extend(["--store", &store]);
    let args = match Cli::try_parse_from(words) {
        Ok(cli) => cli.audit,
        Err(error) => return (error.exit_code() as u8, String::new(), error.to_string()),
    };
    let mut out = Vec::new();
    let (code, complaint) = execute(&args, &mut out);
    let complaint = complaint.map(|complaint| complaint.to_string());
    (
        code,
        String::from_utf8(out).unwrap(),
        complaint.unwrap_or_default(),
    )
}

struct Scene(TempDir);

impl Scene {
    /// Four entries: one proceeds, one is denied by `pii`, one has a finding of `pii`, one is a policy's own.
    async fn new() -> Scene {
        let scene = Scene(tempfile::tempdir().unwrap());
        let journal = Journal::open(&scene.path(), Options::default())
            .await
            .unwrap();
        let stages = |verdict: &str, findings: Value| {
            json!([
                {"policy": "prompt-injection", "verdict": "shadow:proceed", "findings": []},
                {"policy": "pii", "verdict": verdict, "findings": findings},
                {"policy": "audit-logger", "verdict": "unreached", "findings": []},
            ])
        };
        let usage = json!({"prompt_tokens": 7, "completion_tokens": 5});
        for (stage, body) in [
            (
                "audit-logger",
                json!({"id": "r-1", "model": "m-1", "verdict": "proceed", "ended": "completed",
                "stages": stages("proceed", json!([])), "usage": usage, "total_us": 1500, "target": "t"}),
            ),
            (
                "audit-logger",
                json!({"id": "r-2", "model": "=m()", "verdict": "deny", "policy": "pii", "code": "email",
                "ended": "denied", "stages": stages("deny", json!([]))}),
            ),
            (
                "audit-logger",
                json!({"id": "r-3", "model": "m-1\u{1b}[2J", "verdict": "proceed", "ended": "completed",
                "stages": stages("proceed", json!([{"code": "email", "count": 1}]))}),
            ),
            ("tone", json!({"mood": [1, 2]})),
        ] {
            let request_id = body["id"].as_str().unwrap_or("r-4").to_owned();
            let entry = Entry {
                stage: stage.to_owned(),
                request_id,
                body: body.to_string(),
            };
            journal.append(entry).await.unwrap();
        }
        journal.close().await;
        scene
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("journal.db")
    }

    fn tamper(&self, sql: &str) {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        let triggers = "DROP TRIGGER entries_keep; DROP TRIGGER entries_stay;";
        conn.execute_batch(&format!("{triggers} {sql}")).unwrap();
    }

    fn ids(&self, line: &str) -> Vec<String> {
        let (code, out, complaint) = audit(self, &format!("query --format json {line}"));
        assert_eq!((code, complaint.as_str()), (0, ""), "{line}");
        let found: Vec<Value> = serde_json::from_str(&out).unwrap();
        found
            .iter()
            .map(|entry| entry["request_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn verified(scene: &Scene, line: &str) -> (u8, Value) {
    let (code, out, _) = audit(scene, &format!("verify --format json {line}"));
    (code, serde_json::from_str(&out).unwrap())
}

#[tokio::test]
async fn verify_prints_a_head_that_it_finds_again() {
    let scene = Scene::new().await;
    let (code, found) = verified(&scene, "");
    assert_eq!(
        (code, &found["sound"], &found["entries"]),
        (0, &json!(true), &json!(4))
    );
    let head = found["head"].as_str().unwrap().to_owned();
    let (code, out, _) = audit(&scene, "verify");
    assert_eq!(code, 0);
    assert!(out.contains("is unbroken") && out.contains(&head), "{out}");

    let note = "UPDATE meta SET value = (SELECT seq || ' ' || lower(hex(hash)) FROM entries WHERE seq = 3) WHERE key = 'head'";
    scene.tamper(&format!("DELETE FROM entries WHERE seq = 4; {note}"));
    assert_eq!(verified(&scene, "").0, 0);
    let (code, found) = verified(&scene, &format!("--head {head}"));
    assert_eq!((code, &found["given_head"]), (1, &json!({"found": false})));
    let (code, out, _) = audit(&scene, &format!("verify --head {head}"));
    assert_eq!(code, 1);
    assert!(out.contains("NOT FOUND"), "{out}");
}

#[tokio::test]
async fn verify_says_what_it_can_not_know_without_a_head() {
    let scene = Scene::new().await;
    let (_, out, _) = audit(&scene, "verify");
    assert!(out.contains("It can't know"), "{out}");
    let head = verified(&scene, "").1["head"].as_str().unwrap().to_owned();
    let (_, out, _) = audit(&scene, &format!("verify --head {head}"));
    assert!(!out.contains("It can't know"), "{out}");
}

#[tokio::test]
async fn a_cut_end_and_an_emptied_journal_are_something_wrong() {
    for (sql, message) in [
        (
            "DELETE FROM entries WHERE seq >= 3",
            "entries 3 to 4 are missing (cut off)",
        ),
        (
            "DELETE FROM entries",
            "entries 1 to 4 are missing (cut off)",
        ),
    ] {
        let scene = Scene::new().await;
        scene.tamper(sql);
        let (code, found) = verified(&scene, "");
        assert_eq!(
            (code, &found["broken"]["what"]),
            (1, &json!("cut_off")),
            "{sql}"
        );
        let (code, out, _) = audit(&scene, "verify");
        assert!(code == 1 && out.contains(message), "{out}");
    }
}

#[tokio::test]
async fn a_prefix_that_no_retention_removed_is_something_wrong_with_a_head_too() {
    let scene = Scene::new().await;
    let head = verified(&scene, "").1["head"].as_str().unwrap().to_owned();
    let checkpoint = "INSERT INTO checkpoint SELECT seq, hash, at, seq FROM entries WHERE seq = 2";
    // While the journal is immutable the statement is refused.
    let conn = rusqlite::Connection::open(scene.path()).unwrap();
    let error = conn.execute_batch(checkpoint).unwrap_err().to_string();
    assert!(error.contains("the journal is immutable"), "{error}");
    scene.tamper(&format!(
        "DROP TRIGGER checkpoint_on_an_entry; {checkpoint}; DELETE FROM entries WHERE seq <= 2"
    ));
    for line in [String::new(), format!("--head {head}")] {
        let (code, found) = verified(&scene, &line);
        assert_eq!(
            (code, &found["broken"]["what"]),
            (1, &json!("checkpoint_mismatch")),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_configuration_names_the_store() {
    let scene = Scene::new().await;
    let config = scene.0.path().join("policy-config.yaml");
    let file = |text: &str| std::fs::write(&config, text).unwrap();
    let run = |line: &str| {
        let mut words = vec!["audit"];
        words.extend(line.split_whitespace());
        words.extend(["--policy-config", config.to_str().unwrap()]);
        let args = Cli::try_parse_from(words).unwrap().audit;
        let mut out = Vec::new();
        let (code, complaint) = execute(&args, &mut out);
        let complaint = complaint.map(|it| it.to_string()).unwrap_or_default();
        (code, String::from_utf8(out).unwrap(), complaint)
    };
    let pack =
        "pack: {name: test, version: 1.0.0, enabled: true}\npolicies: {chain: [audit-logger]}";
    file(&format!(
        "{pack}\njournal: {{store: \"sqlite:journal.db\"}}\n"
    ));
    for line in ["verify", "query", "export"] {
        let (code, out, complaint) = run(line);
        assert_eq!((code, complaint.as_str()), (0, ""), "{line}");
        assert!(out.contains("r-1") || line == "verify", "{out}");
    }
    file("journal: {stoer: x}\n");
    let (code, _, complaint) = run("verify");
    assert!(
        code == 2 && complaint.contains("stoer"),
        "{code} {complaint}"
    );
    let both = format!("--store sqlite:x --policy-config {}", config.display());
    assert_eq!(audit(&scene, &format!("verify {both}")).0, 2);
}

#[tokio::test]
async fn verify_names_the_first_broken_link() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE entries SET body = '{}' WHERE seq >= 2");
    let (code, found) = verified(&scene, "");
    assert_eq!(code, 1);
    assert_eq!(found["broken"]["seq"], 2);
    assert_eq!(found["broken"]["what"], "hash_mismatch");
    let (code, out, _) = audit(&scene, "verify");
    assert_eq!(code, 1);
    assert!(
        out.contains("BROKEN: entry 2 is not what was written"),
        "{out}"
    );
}

#[tokio::test]
async fn query_selects_by_verdict_model_policy_and_time() {
    let scene = Scene::new().await;
    for (line, ids) in [
        ("--verdict deny", vec!["r-2"]),
        ("--model m-1", vec!["r-1"]),
        ("--policy pii", vec!["r-2", "r-3"]),
        ("--policy prompt-injection", vec![]),
        ("--policy audit-logger", vec![]),
        ("--policy tone", vec!["r-4"]),
        ("--policy pii --verdict proceed", vec!["r-3"]),
        ("--limit 2", vec!["r-3", "r-4"]),
        ("--since -1h", vec!["r-1", "r-2", "r-3", "r-4"]),
        ("--until 24h", vec![]),
        ("--since 2020-01-01T00:00:00Z --until 2020-01-02", vec![]),
    ] {
        assert_eq!(scene.ids(line), ids, "{line}");
    }
}

#[tokio::test]
async fn the_table_has_a_line_an_entry_and_no_control_characters() {
    let scene = Scene::new().await;
    let (code, out, _) = audit(&scene, "query");
    assert_eq!(code, 0);
    let lines: Vec<Vec<_>> = out
        .lines()
        .map(|line| line.split_whitespace().skip(1).collect())
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[1],
        ["r-1", "m-1", "proceed", "-", "completed", "12", "1"]
    );
    assert_eq!(
        lines[2],
        ["r-2", "=m()", "deny", "pii/email", "denied", "-", "-"]
    );
    assert_eq!(lines[4], ["r-4", "-", "-", "-", "-", "-", "-"]);
    assert!(!out.contains('\u{1b}'), "{out}");
    let (_, out, _) = audit(&scene, "query --verdict none");
    assert_eq!(out, "No entry matches.\n");
}

#[tokio::test]
async fn an_export_has_all_that_the_hash_covers() {
    let scene = Scene::new().await;
    let (code, out, _) = audit(&scene, "export");
    assert_eq!(code, 0);
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    for pair in lines.windows(2) {
        assert_eq!(pair[0]["hash"], pair[1]["prev"]);
    }
    assert_eq!(lines[3]["stage"], "tone");
    // The body must be the very bytes of the journal, not a parser's copy of them.
    assert!(out.contains(r#""body":{"mood":[1,2]},"prev":"#), "{out}");
    assert_eq!(lines[3]["hash"], verified(&scene, "").1["head"]);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_exported_as_text() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE entries SET body = '{' || char(10) || '}' WHERE seq = 1; UPDATE entries SET body = 'x' WHERE seq = 2");
    let (_, out, _) = audit(&scene, "export");
    let bodies: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].clone())
        .collect();
    assert_eq!(bodies[..2], [json!("{\n}"), json!("x")]);
}

#[tokio::test]
async fn a_csv_has_no_formulas() {
    let scene = Scene::new().await;
    let output = scene.0.path().join("out.csv");
    let (code, out, complaint) = audit(
        &scene,
        &format!("export --format csv --output {}", output.display()),
    );
    assert_eq!((code, out.as_str(), complaint.as_str()), (0, "", ""));
    let mut csv = csv::Reader::from_path(&output).unwrap();
    let column = |name: &str, csv: &mut csv::Reader<_>| {
        csv.headers()
            .unwrap()
            .iter()
            .position(|title| title == name)
            .unwrap()
    };
    let model = column("model", &mut csv);
    let acted = column("acted", &mut csv);
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(&rows[1][model], "'=m()");
    assert_eq!(&rows[0][model], "m-1");
    assert_eq!(&rows[1][acted], "pii=deny");
}

#[tokio::test]
async fn misuse_is_told_apart() {
    let scene = Scene::new().await;
    let journal = scene.path();
    for line in [
        "verify --head abc",
        "query --since yesterday",
        "query --since 1h --until 2h",
        "query --limit 0",
        "query --store postgres://x",
        &format!("export --output {}", journal.display()),
    ] {
        let (code, out, complaint) = audit(&scene, line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(!complaint.is_empty(), "{line}");
    }
    assert_eq!(verified(&scene, "").0, 0);
    std::fs::remove_file(&journal).unwrap();
    let (code, _, complaint) = audit(&scene, "verify");
    assert_eq!(code, 2);
    assert!(
        complaint.starts_with("there is no journal at"),
        "{complaint}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_something_wrong() {
    let scene = Scene::new().await;
    std::fs::write(scene.path(), "x".repeat(5_000)).unwrap();
    let (code, _, complaint) = audit(&scene, "verify");
    assert_eq!(code, 1);
    assert!(
        complaint.contains("is not a witgate journal"),
        "{complaint}"
    );
}

#[tokio::test]
async fn a_query_of_a_policy_shows_its_scores() {
    let scene = Scene(tempfile::tempdir().unwrap());
    let journal = Journal::open(&scene.path(), Options::default())
        .await
        .unwrap();
    for (id, details) in [
        ("r-1", ["score 0.97, user text", "score 0.12, user text"]),
        ("r-2", ["score 0.31, tool text", "no score"]),
        ("r-3", ["score 0.95, user text", "score 1.00, tool text"]),
    ] {
        let findings = details.map(|detail| json!({"code": "c", "count": 1, "detail": detail}));
        let stages = json!([
            {"policy": "guard", "verdict": "proceed", "findings": findings},
            {"policy": "other", "verdict": "proceed", "findings": [{"code": "c", "count": 1, "detail": "score 0.5"}]},
        ]);
        let entry = Entry {
            stage: "audit-logger".to_owned(),
            request_id: id.to_owned(),
            body: json!({"id": id, "verdict": "proceed", "stages": stages}).to_string(),
        };
        journal.append(entry).await.unwrap();
    }
    journal.close().await;
    let (code, out, _) = audit(&scene, "query --policy guard");
    assert_eq!(code, 0);
    let histogram = out.split("\n\n").nth(1).unwrap();
    let counted: Vec<&str> = histogram
        .lines()
        .skip(1)
        .filter(|line| line.ends_with('#'))
        .collect();
    assert!(histogram.starts_with("scores of guard"), "{histogram}");
    assert_eq!(counted.len(), 2, "{histogram}");
    assert!(counted[0].starts_with("0.3       1  #"), "{histogram}");
    assert!(counted[1].starts_with("0.9       2  #"), "{histogram}");
    assert!(!audit(&scene, "query").1.contains("scores"));
}
