//! The forged policies' misdeeds, each in a gateway of its own, before a stage that behaves.

use super::*;
use crate::guests::forged;

const QUESTION: &str = "chunk: 4 | think: Let me see. | say: hello! hello!";

/// A chain of that policy and a good one.
fn chain(file: &str, on_error: &str) -> String {
    format!(
        "policies: {{chain: [{{id: forged, component: {file}, on_error: {on_error}, grants: [journal]}}, \
         {{id: calm, component: @hostile}}]}}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_forged_misdeed_ends_as_on_error_says() {
    let folder = tempfile::tempdir().unwrap();
    let right = Bench::of("policies: {chain: [{id: calm, component: @hostile}]}").await;
    for (name, ends, policies) in forged::MISDEEDS {
        if matches!(ends, Ends::Unloaded) {
            continue;
        }
        let file = folder.path().join(format!("{name}.wasm"));
        std::fs::write(&file, policies()[0].component()).unwrap();
        for on_error in ["deny", "skip"] {
            let bench = Bench::of(&chain(file.to_str().unwrap(), on_error)).await;
            for streamed in [false, true] {
                let what = format!("{name}, streamed: {streamed}, on_error: {on_error}");
                let question = with(ask(QUESTION), json!({"stream": streamed}));
                let (reply, right) = tokio::join!(bench.chat(&question), right.chat(&question));
                match failure(ends) {
                    Some((_, class)) if on_error == "deny" => {
                        is_failure(&reply, &what, "forged", class);
                    }
                    _ => is_right(&reply, &what, &right),
                }
            }
            bench.settled().await;
        }
    }
}
