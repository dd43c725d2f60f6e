//! What upstreams have sent, and what clients get of it: files, so that a change of one byte is seen.
//!
//! In `golden/<dialect>` lies for each case what came (`.chat.sse`, `.chat.json`) and what goes out beside it. To write what goes out anew, after a
//! look at why it changed: `GOLDEN=write cargo test -p witgate-wire --test golden`, and read the difference before it is committed.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use witgate_wire::bridge::Bridge;

/// The dialects that no upstream speaks, each with its folder.
const DIALECTS: [(&str, Bridge); 1] = [("messages", Bridge::Messages)];

/// What a client gets of these bytes, cut so.
fn streamed(bridge: &Bridge, bytes: &[u8], size: usize) -> Vec<u8> {
    let mut writer = bridge.stream().unwrap();
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        out.extend_from_slice(&writer.write(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&writer.end());
    out
}

fn told(bridge: &Bridge, came: &Path) -> Vec<u8> {
    let bytes = fs::read(came).unwrap();
    if came.extension().unwrap() == "json" {
        let mut told = bridge.whole(bytes.into()).unwrap().to_vec();
        told.push(b'\n');
        return told;
    }
    let all = streamed(bridge, &bytes, bytes.len());
    for size in 1..bytes.len() {
        let cut = streamed(bridge, &bytes, size);
        assert!(cut == all, "{} in pieces of {size}", came.display());
    }
    all
}

fn check(dialect: &str, bridge: &Bridge) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(dialect);
    let files = fs::read_dir(&folder).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    let is_source = |file: &&PathBuf| file.to_str().unwrap().contains(".chat.");
    let sources: Vec<&PathBuf> = files.iter().filter(is_source).collect();
    for came in &sources {
        let name = came
            .to_str()
            .unwrap()
            .replace(".chat.", &format!(".{dialect}."));
        let told = told(bridge, came);
        if std::env::var("GOLDEN").is_ok_and(|it| it == "write") {
            fs::write(&name, &told).unwrap();
        }
        let expected = fs::read(&name).unwrap_or_default();
        assert_eq!(
            String::from_utf8_lossy(&told),
            String::from_utf8_lossy(&expected),
            "{name}"
        );
    }
    let files = fs::read_dir(folder).unwrap().count();
    assert_eq!(sources.len() * 2, files, "a file has no other half");
    sources.len()
}

#[test]
fn what_clients_get_of_what_came_is_what_was_kept() {
    for (dialect, bridge) in &DIALECTS {
        assert!(check(dialect, bridge) > 0, "{dialect} has no case");
    }
}
