//! `witgate policy test`: samples at every cut, without a configuration.

use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Stdio};

use super::{Running, Workspace};
use crate::scene::{NONE, TONE_HERE, component};
use crate::support::process::{Done, witgate};
use crate::support::{json, soon};

const GOOD: &str = "\
# The tone's samples.
- name: A request that shouts is denied
  when: {limit: 3}
  request: {messages: [{role: user, content: HELLO}]}
  expect: {verdict: deny, code: shouting}

- name: An answer is softened
  request: {messages: [{role: user, content: hello}]}
  answer: Hey!! You
  expect: {verdict: proceed, text: Hey.. You}
";

const TEST: &str = "policy test tone.wasm --settings {\"limit\":3} --seed 7";

/// Runs a line, with the component where it lies.
async fn test(workspace: &Workspace, line: &str) -> Done {
    let component = workspace.folder.path().join("tone.wasm");
    let component = component.to_str().unwrap();
    workspace.run(&line.replace("tone.wasm", component)).await
}

async fn workspace(samples: &str) -> Workspace {
    let workspace = Workspace::with(NONE).await;
    workspace.tone(component().await);
    std::fs::write(workspace.folder.path().join("tone.samples.yaml"), samples).unwrap();
    workspace
}

#[tokio::test]
async fn a_policy_is_tested_at_every_cut() {
    let workspace = workspace(GOOD).await;
    let done = test(&workspace, &format!("{TEST} --format json")).await;
    assert_eq!(done.code, 0, "{done:?}");
    let found = done.json();
    assert_eq!((&found["ok"], &found["seed"]), (&json!(true), &json!(7)));
    // Whole, character by character, at each of eight places between nine characters, and eight times at random.
    assert_eq!(found["cases"][1]["runs"], 1 + 1 + 8 + 8);
    let other = test(&workspace, "policy test tone.wasm --settings {\"limit\":9}").await;
    assert_eq!(other.code, 0, "{other:?}");
    assert!(
        other.out.contains("1 passed, 0 failed, 1 skipped"),
        "{other:?}"
    );
}

#[tokio::test]
async fn every_sample_that_does_not_hold_is_shown() {
    let wrong = GOOD
        .replace("code: shouting", "code: loud")
        .replace("Hey.. You", "Hey!! You");
    let workspace = workspace(&wrong).await;
    let done = test(&workspace, TEST).await;
    assert_eq!(done.code, 1, "{done:?}");
    for said in [
        "- the verdict deny with the code `loud`",
        "+ the verdict deny with the code `shouting`",
        "- Hey!! You\n",
        "+ Hey.. You\n",
        "0 passed, 2 failed, 0 skipped",
        "seed 7",
    ] {
        assert!(done.out.contains(said), "no {said:?} in {}", done.out);
    }
    let junit = test(&workspace, &format!("{TEST} --format junit")).await;
    assert!(
        junit.code == 1
            && junit.out.contains("failures=\"2\"")
            && junit.out.contains("<failure message="),
        "{junit:?}"
    );
}

#[tokio::test]
async fn what_came_is_written_where_that_is_wanted() {
    let wrong = GOOD
        .replace("code: shouting", "code: loud")
        .replace("Hey.. You", "Hey!! You");
    let workspace = workspace(&wrong).await;
    let done = test(&workspace, &format!("{TEST} --update")).await;
    assert_eq!(done.code, 0, "{done:?}");
    let file = workspace.folder.path().join("tone.samples.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(
        text.starts_with("# The tone's samples.\n") && text.contains("text: \"Hey.. You\"\n"),
        "{text}"
    );
    assert_eq!(test(&workspace, TEST).await.code, 0);
}

#[tokio::test]
async fn a_whole_chain_is_tested_by_the_cases_of_its_configuration() {
    let config = |text: &str| {
        format!(
            "{TONE_HERE}testing: {{suites: [{{name: smoke, cases: [
              {{name: blocks, input: {{messages: [{{role: user, content: HELLO}}]}}, expected: {{verdict: block, reason_code: shouting}}}},
              {{name: softens, input: {{messages: [{{role: user, content: hi}}], upstream_response: Oh! Yes}}, expected: {{verdict: allow, text: {text}}}}}]}}]}}\n"
        )
    };
    let workspace = Workspace::with(&config("Oh. Yes")).await;
    workspace.tone(component().await);
    let test = "policy test --policy-config @";
    let done = workspace.run(test).await;
    assert!(done.code == 0 && done.out.contains("2 passed"), "{done:?}");
    workspace.write(&config("Oh! Yes")).await;
    let done = workspace.run(test).await;
    assert!(
        done.code == 1 && done.out.contains("✗ smoke: softens"),
        "{done:?}"
    );
    workspace.write(TONE_HERE).await;
    let done = workspace.run(test).await;
    assert!(
        done.code == 1 && done.err.contains("there is nothing to test with"),
        "{done:?}"
    );
    let both = workspace
        .run("policy test bundled:pii-detector --policy-config @")
        .await;
    assert_eq!(both.code, 2, "{both:?}");
}

#[tokio::test]
async fn a_watched_policy_is_tested_again_when_its_samples_change() {
    let workspace = workspace(GOOD).await;
    let folder = workspace.folder.path();
    let mut command = witgate(folder);
    command
        .args(["policy", "test", "--watch", "--settings", "{\"limit\": 3}"])
        .arg(folder.join("tone.wasm"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let lines = until_said(lines, "2 passed, 0 failed").await;
    std::fs::write(
        folder.join("tone.samples.yaml"),
        GOOD.replace("Hey.. You", "Hey!! You"),
    )
    .unwrap();
    until_said(lines, "1 passed, 1 failed").await;
}

/// Reads on, up to a line that begins so.
async fn until_said(
    mut lines: Lines<BufReader<ChildStdout>>,
    wanted: &'static str,
) -> Lines<BufReader<ChildStdout>> {
    let read = tokio::task::spawn_blocking(move || {
        let said = lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| line.starts_with(wanted));
        (said, lines)
    });
    let (said, lines) = soon("the policy is tested", read).await.unwrap();
    assert!(said, "it ended without {wanted:?}");
    lines
}

#[tokio::test]
async fn a_test_that_can_not_be_run_says_why() {
    let workspace = workspace(GOOD).await;
    for (line, code, said) in [
        ("policy test tone.wasm --settings 3", 2, "must be an object"),
        (
            "policy test tone.wasm --samples none.yaml",
            2,
            "there are no samples",
        ),
        (
            "policy test bundled:pii-detector --update",
            2,
            "no file to write to",
        ),
        ("policy test bundled:none", 1, "no policy is bundled"),
        ("policy test tone.wasm", 1, "limit"),
    ] {
        let done = test(&workspace, line).await;
        assert!(
            done.code == code && done.err.contains(said),
            "{line}: {done:?}"
        );
    }
}
