//! Recorded answers of upstreams, and what clients of a dialect that no upstream speaks get of them, byte for byte.
//!
//! `golden/DIALECT/CASE.upstream.sse` becomes `CASE.client.sse`, and `.json` in the same way; the request is `CASE.request.json` where there
//! is one. `WRITE_GOLDEN=1 cargo test --workspace --test golden` writes the clients' files anew: look at the difference then.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use witgate_wire::Endpoint;
use witgate_wire::bridge::Bridge;

/// The files of a dialect that end so, in order.
fn upstreams(dialect: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder.join(dialect)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let ending = format!(".upstream.{ending}");
    let mut files: Vec<_> = files
        .filter(|file| file.to_str().unwrap().ends_with(&ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{dialect} has recordings");
    files
}

/// Another file of the same case.
fn beside(upstream: &Path, of: &str) -> PathBuf {
    let name = upstream.to_str().unwrap();
    name.replace(".upstream.", of).into()
}

/// What the request of that case asks of its answer.
fn bridge(endpoint: Endpoint, upstream: &Path, stream: bool) -> std::sync::Arc<Bridge> {
    let file = beside(upstream, ".request.").with_extension("json");
    let request = fs::read_to_string(file);
    let request = request.unwrap_or(
        match endpoint {
            Endpoint::Messages => {
                r#"{"model":"gpt-oss-120b","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#
            }
            _ => r#"{"model":"gpt-oss-120b","input":"Hi"}"#,
        }
        .into(),
    );
    let stream = format!(r#"{{"stream":{stream},"#);
    let request = request.replacen('{', &stream, 1);
    let request = endpoint.read(request.into()).unwrap();
    request.bridge().unwrap().clone()
}

/// Compares, or writes.
fn is_as_recorded(upstream: &Path, client: &[u8]) {
    let file = beside(upstream, ".client.");
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        fs::write(&file, client).unwrap();
    }
    let recorded = fs::read(&file).unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(client),
        String::from_utf8_lossy(&recorded),
        "{}",
        file.display()
    );
}

/// Each event is named as its type is, is one line of JSON, and has the next number where it has any.
fn is_well_formed(endpoint: Endpoint, events: &[u8]) {
    let events = std::str::from_utf8(events).unwrap();
    let lines = events.split_terminator("\n\n");
    let lines = lines.filter(|event| !event.starts_with(':'));
    for (number, event) in lines.enumerate() {
        let (name, data) = event.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        if endpoint == Endpoint::Responses {
            assert_eq!(data["sequence_number"], number);
        }
    }
}

fn streamed(bridge: &Bridge, pieces: &[&[u8]]) -> Vec<u8> {
    let mut writer = bridge.stream().unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&writer.write(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&writer.end());
    out
}

fn every_recording(endpoint: Endpoint, dialect: &str) {
    for upstream in upstreams(dialect, "sse") {
        let bridge = bridge(endpoint, &upstream, true);
        let bytes = fs::read(&upstream).unwrap();
        let whole = streamed(&bridge, &[&bytes]);
        is_well_formed(endpoint, &whole);
        // Where an upstream names no time, the answer has the time at which it began.
        let has_time = !upstream.ends_with("error_at_once.upstream.sse");
        if has_time {
            is_as_recorded(&upstream, &whole);
        }
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            let again = streamed(&bridge, &[before, after]);
            let same = again == whole || !has_time && again.len() == whole.len();
            assert!(same, "{} cut at {cut}", upstream.display());
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(streamed(&bridge, &single).len(), whole.len());
    }
    for upstream in upstreams(dialect, "json") {
        let bridge = bridge(endpoint, &upstream, false);
        let bytes = Bytes::from(fs::read(&upstream).unwrap());
        let client = bridge.whole(bytes).unwrap();
        let _: serde_json::Value = serde_json::from_slice(&client).unwrap();
        is_as_recorded(&upstream, &client);
    }
}

#[test]
fn responses_are_written_as_recorded_however_the_upstream_is_cut() {
    every_recording(Endpoint::Responses, "responses");
}

#[test]
fn messages_are_written_as_recorded_however_the_upstream_is_cut() {
    every_recording(Endpoint::Messages, "messages");
}
