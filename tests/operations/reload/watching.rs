//! However a file changes, the gateway notices.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use crate::files::{Mount, recreate, write_in_pieces};
use crate::scene::{NONE, Scene, TONE_HERE, component, other, replace, text, tone};
use crate::support::{Process, Upstream, ask, until};

#[tokio::test]
async fn files_written_in_place_are_seen() {
    let upstream = Upstream::simulated().await;
    let (scene, bytes) = Scene::of_tone_here(upstream.address).await;
    std::fs::write(scene.folder().join("tone.wasm"), other(&bytes)).unwrap();
    scene.runs(2).await;
    let denied = scene.gateway.chat(&ask("HELLO")).await;
    assert_eq!(denied.json()["message"], "please talk softly");
    let config = text(scene.folder(), NONE, upstream.address).await;
    std::fs::write(scene.file(), config).unwrap();
    scene.runs(3).await;
    assert_eq!(scene.gateway.chat(&ask("HELLO")).await.status, 200);
}

#[tokio::test]
async fn files_deleted_and_written_again_are_seen_and_missed_by_nobody_meanwhile() {
    let upstream = Upstream::simulated().await;
    let (scene, bytes) = Scene::of_tone_here(upstream.address).await;
    let component = scene.folder().join("tone.wasm");
    for (file, why) in [(&component, "tone.wasm"), (&scene.file(), "policy-config")] {
        let before = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        scene.refused(why).await;
        let denied = scene.gateway.chat(&ask("HELLO")).await;
        assert_eq!(denied.header("x-witgate-policies"), "tone=deny");
        std::fs::write(file, before).unwrap();
        until("all is well again", async || {
            (scene.status().await["last_reload"]["ok"] == true).then_some(())
        })
        .await;
    }
    // And faster than anyone looks.
    let generation = scene.status().await["generation"].as_u64().unwrap();
    recreate(&component, other(&bytes)).await;
    scene.runs(generation + 1).await;
    recreate(
        &scene.file(),
        text(scene.folder(), NONE, upstream.address).await,
    )
    .await;
    scene.runs(generation + 2).await;
    assert_eq!(scene.gateway.chat(&ask("HELLO")).await.status, 200);
}

#[tokio::test]
async fn files_written_in_pieces_run_once_they_are_whole() {
    let upstream = Upstream::simulated().await;
    let (scene, bytes) = Scene::of_tone_here(upstream.address).await;
    write_in_pieces(&scene.folder().join("tone.wasm"), other(&bytes), 9).await;
    // Were a piece of it ever loaded, it would be a generation of its own: `runs` takes none but the next.
    scene.runs(2).await;
    let denied = scene.gateway.chat(&ask("HELLO")).await;
    assert_eq!(denied.json()["message"], "please talk softly");
    // No beginning of this text is a configuration: what it must have is closed by its last letter.
    let config = format!(
        "journal: {{store: \"sqlite:{}\"}}\n{NONE}\
         providers: {{targets: [{{id: sim, provider: cerebras, base_url: \"http://@0/v1\"}}]}}",
        scene.gateway.journal().display()
    );
    let config = text(scene.folder(), &config, upstream.address).await;
    write_in_pieces(&scene.file(), config, 9).await;
    scene.runs(3).await;
    assert_eq!(scene.gateway.chat(&ask("HELLO")).await.status, 200);
}

#[tokio::test]
async fn a_component_in_a_mounted_folder_is_seen() {
    let upstream = Upstream::simulated().await;
    let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
    let mut mount = Mount::create(folder.path().join("policies"));
    mount.publish(&[("tone.wasm", &bytes)]);
    let config = TONE_HERE.replace("./tone", "./policies/tone");
    let scene = Scene::within(folder, &config, upstream.address).await;
    for (generation, bytes, message) in [
        (2, &other(&bytes), "please talk softly"),
        (3, &bytes, "please don't shout"),
    ] {
        mount.publish(&[("tone.wasm", bytes)]);
        scene.runs(generation).await;
        let denied = scene.gateway.chat(&ask("HELLO")).await;
        assert_eq!(denied.json()["message"], message);
    }
}

#[tokio::test]
async fn links_that_are_swapped_are_seen() {
    let simulator = Upstream::simulated().await;
    let upstream = simulator.address;
    // A link to the file, a link to its folder, and both, as a volume in Kubernetes has them.
    for (given, swapped) in [
        (
            "policy-config.yaml",
            "policy-config.yaml -> @/policy-config.yaml",
        ),
        ("current/policy-config.yaml", "current -> @"),
        ("policy-config.yaml", "..data -> @"),
    ] {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let at = folder.path();
        for (version, config) in [("v1", tone(3)), ("v2", tone(4)), ("v3", tone(5))] {
            std::fs::create_dir(at.join(version)).unwrap();
            let text = text(at, &config, upstream).await;
            std::fs::write(at.join(version).join("policy-config.yaml"), text).unwrap();
        }
        let (name, target) = swapped.split_once(" -> ").unwrap();
        let link = |version: &str| {
            let aside = at.join("aside");
            symlink(target.replace('@', version), &aside).unwrap();
            std::fs::rename(aside, at.join(name)).unwrap();
        };
        link("v1");
        if name == "..data" {
            symlink("..data/policy-config.yaml", at.join(given)).unwrap();
        }
        let given = at.join(given).to_str().unwrap().to_owned();
        let gateway = Process::with(folder.clone(), &["--policy-config", &given]).await;
        let scene = Scene { gateway, upstream };
        for (number, version) in [(2, "v2"), (3, "v3")] {
            link(version);
            scene.runs(number).await;
        }
        assert_eq!(
            scene.gateway.chat(&ask("SHOUT")).await.status,
            200,
            "{swapped}"
        );
        assert_eq!(
            scene.gateway.chat(&ask("SHOUTS")).await.status,
            403,
            "{swapped}"
        );
    }
}

#[tokio::test]
async fn a_busy_neighbour_in_the_folder_puts_nothing_off() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of(NONE, upstream.address).await;
    let noise = scene.folder().join("noise.log");
    let neighbour = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            std::fs::write(&noise, "x").unwrap();
        }
    });
    scene.configure(&tone(3)).await;
    scene.runs(2).await;
    assert!(!neighbour.is_finished());
    neighbour.abort();
}

#[tokio::test]
async fn a_folder_replaced_as_a_whole_is_seen_and_watched_on() {
    let upstream = Upstream::simulated().await;
    let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
    let at = folder.path();
    for (name, bytes) in [("policies", &bytes), ("new", &other(&bytes))] {
        std::fs::create_dir(at.join(name)).unwrap();
        std::fs::write(at.join(name).join("tone.wasm"), bytes).unwrap();
    }
    let config = TONE_HERE.replace("./tone", "./policies/tone");
    let scene = Scene::within(folder.clone(), &config, upstream.address).await;
    let said = async || {
        let denied = scene.gateway.chat(&ask("HELLO")).await;
        denied.json()["message"].as_str().unwrap().to_owned()
    };
    std::fs::rename(at.join("policies"), at.join("old")).unwrap();
    std::fs::rename(at.join("new"), at.join("policies")).unwrap();
    scene.runs(2).await;
    assert_eq!(said().await, "please talk softly");
    replace(&at.join("policies/tone.wasm"), &bytes);
    scene.runs(3).await;
    assert_eq!(said().await, "please don't shout");
}

/// Written to under another name in another folder, which no watch on this one tells of.
#[tokio::test]
async fn a_change_that_nobody_is_told_of_is_found() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of(NONE, upstream.address).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("linked.yaml");
    std::fs::hard_link(scene.file(), &other).unwrap();
    let config = text(scene.folder(), &tone(3), upstream.address).await;
    std::fs::write(&other, config).unwrap();
    scene.runs(2).await;
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 403);
}
