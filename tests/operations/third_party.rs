//! A policy as a stranger writes one: built by plain cargo, outside the workspace, and named by its file.

use crate::scene::{Scene, component, tone};
use crate::support::{Upstream, ask, ask_stream};

#[tokio::test]
async fn its_verdicts_and_its_edits_reach_the_client() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of(&tone(3), upstream.address).await;
    let stages = scene.status().await["stages"].take();
    assert_eq!(stages[0]["policy"], "tone-police", "{stages}");
    assert_eq!(stages[0]["instances"], "snapshot", "{stages}");

    let denied = scene.gateway.chat(&ask("say: LOUD")).await;
    assert_eq!(denied.error(), (403, "shouting".into()));
    assert_eq!(denied.json()["param"], "tone");
    assert_eq!(denied.json()["message"], "please don't shout");
    assert_eq!(denied.header("x-witgate-policies"), "tone=deny");
    assert!(upstream.bodies().is_empty());

    let whole = scene.gateway.chat(&ask("say: Hey! You there!!")).await;
    assert_eq!(whole.said().content(), "Hey. You there..");
    let stream = scene
        .gateway
        .chat(&ask_stream("say: Hey! You there!!"))
        .await;
    assert_eq!(stream.said().content(), "Hey. You there..");
    assert!(stream.is_done(), "{}", stream.text());
}

#[tokio::test]
async fn a_pinned_digest_takes_no_other_file() {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(component().await)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let upstream = Upstream::simulated().await;
    let pinned = |digest: &str| {
        tone(3).replace(
            "id: tone,",
            &format!("id: tone, digest: \"sha256:{digest}\","),
        )
    };
    let scene = Scene::of(&pinned(&digest), upstream.address).await;
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 403);
    scene.configure(&pinned(&"0".repeat(64))).await;
    scene.refused(&digest).await;
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 403);
}
