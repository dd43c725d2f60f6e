//! The manifest with which others take the gateway into their benchmarks: each of its commands does what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Upstream, Value, ask};

/// The checkout, in which the commands run.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest() -> Value {
    let text = std::fs::read_to_string(root().join("docs/benchmarks/witgate.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// Runs a command of the manifest with these variables, and returns what it printed.
async fn run(command: &Value, variables: Vec<(String, String)>) -> String {
    let command = command.as_str().unwrap().to_owned();
    let done = tokio::task::spawn_blocking(move || {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &command]).current_dir(root());
        shell.envs(variables).output().unwrap()
    });
    let done = done.await.unwrap();
    let [out, err] = [done.stdout, done.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(done.status.success(), "{out}{err}");
    out
}

#[tokio::test]
async fn each_variant_of_the_manifest_is_configured_started_asked_and_stopped() {
    let manifest = manifest();
    let upstream = Upstream::simulated().await;
    let variants = manifest["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 2);
    for variant in variants {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        let mut variables: Vec<(String, String)> = [
            ("UPSTREAM", format!("http://{}/v1", upstream.address)),
            ("LISTEN", "127.0.0.1:0".to_owned()),
            ("ADMIN", "127.0.0.1:0".to_owned()),
            ("FOLDER", at.clone()),
            ("WITGATE", env!("CARGO_BIN_EXE_witgate").to_owned()),
            (
                "XDG_CACHE_HOME",
                crate::support::kept().display().to_string(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in variant["environment"].as_object().unwrap() {
            variables.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
        run(&manifest["configure"], variables.clone()).await;
        let endpoint = run(&manifest["start"], variables.clone()).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .post(endpoint.trim())
            .body(ask("say: hello").to_string());
        let request = request.header("content-type", "application/json");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let bundled = variant["name"] == "bundled-policies";
        assert_eq!(answer.headers().contains_key("x-witgate-policies"), bundled);
        assert!(answer.text().await.unwrap().contains("hello"));
        run(&manifest["stop"], variables).await;
        assert!(
            client.get(endpoint.trim()).send().await.is_err(),
            "it runs on"
        );
    }
}

#[test]
fn the_manifest_installs_what_the_script_starts() {
    let manifest = manifest();
    let script = std::fs::read_to_string(root().join("docs/benchmarks/witgate.sh")).unwrap();
    for step in ["install", "configure", "start", "stop"] {
        let command = manifest[step].as_str().unwrap();
        assert_eq!(command, format!("sh docs/benchmarks/witgate.sh {step}"));
        assert!(script.contains(&format!("\n  {step})\n")), "{step}");
    }
    assert!(script.contains("cargo build --release"));
    assert!(script.contains("/release/witgate"));
    let usual = manifest["environment"].as_object().unwrap();
    for (name, value) in usual {
        let default = format!("${{{name}:-{}}}", value.as_str().unwrap());
        assert!(script.contains(&default), "{name}");
    }
}
