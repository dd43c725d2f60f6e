//! Files change while exchanges run.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use crate::files::{Mount, recreate, touch, write_in_pieces};
use crate::scene::{NONE, Scene, TONE_HERE, component, in_two_parts, other, replace, text, tone};
use crate::support::{Process, Upstream, ask, ask_stream, json, until};

#[tokio::test]
async fn a_stream_keeps_its_chain_and_the_next_request_gets_the_new_one() {
    let upstream = in_two_parts().await;
    let scene = Scene::of(&tone(3), upstream.address).await;
    let mut before = scene.gateway.open(&ask_stream("hello")).await;
    before.read_until("one.").await;

    scene.configure(NONE).await;
    scene.runs(2).await;
    let mut after = scene.gateway.open(&ask_stream("HELLO")).await;
    after.read_until("one!").await;
    assert!(before.header("x-witgate-chain").starts_with("1-"));
    assert!(after.header("x-witgate-chain").starts_with("2-"));
    assert!(before.header("x-witgate-policies").contains("tone"));
    assert!(!after.header("x-witgate-policies").contains("tone"));

    upstream.go_on();
    upstream.go_on();
    let (before, after) = (before.finish().await, after.finish().await);
    assert!(before.is_done() && after.is_done());
    assert_eq!(before.said().content(), "one. two.");
    assert_eq!(after.said().content(), "one! two!");

    scene.configure(&tone(5)).await;
    scene.runs(3).await;
    let denied = scene.gateway.chat(&ask("SHOUTS")).await;
    assert_eq!(denied.error(), (403, "shouting".into()));
    assert_eq!(
        scene.metric("witgate_reloads_total{result=\"ok\"}").await,
        2
    );
}

#[tokio::test]
async fn a_component_replaced_under_a_stream_answers_the_next_request() {
    let upstream = in_two_parts().await;
    let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
    let file = folder.path().join("tone.wasm");
    std::fs::write(&file, &bytes).unwrap();
    let scene = Scene::within(folder, TONE_HERE, upstream.address).await;
    let first = scene.gateway.chat(&ask("HELLO")).await;
    assert_eq!(first.json()["message"], "please don't shout");
    let mut stream = scene.gateway.open(&ask_stream("hello")).await;
    stream.read_until("one.").await;

    replace(&file, other(&bytes));
    scene.runs(2).await;
    let second = scene.gateway.chat(&ask("HELLO")).await;
    assert_eq!(second.json()["message"], "please talk softly");
    assert_ne!(
        first.header("x-witgate-chain")[2..],
        second.header("x-witgate-chain")[2..]
    );

    upstream.go_on();
    let stream = stream.finish().await;
    assert_eq!(
        stream.header("x-witgate-chain"),
        first.header("x-witgate-chain")
    );
    assert_eq!(stream.said().content(), "one. two.");
}

#[tokio::test]
async fn what_is_wrong_leaves_the_chain_and_says_why_until_it_is_right() {
    let upstream = Upstream::simulated().await;
    let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
    let file = folder.path().join("tone.wasm");
    std::fs::write(&file, &bytes).unwrap();
    let scene = Scene::within(folder, TONE_HERE, upstream.address).await;
    let label = scene
        .gateway
        .chat(&ask("hello"))
        .await
        .header("x-witgate-chain")
        .to_owned();
    let still = async |failures: u64| {
        let denied = scene.gateway.chat(&ask("HELLO")).await;
        assert_eq!(denied.error(), (403, "shouting".into()));
        assert_eq!(denied.header("x-witgate-chain"), label);
        assert_eq!(scene.metric("witgate_config_generation").await, 1);
        assert!(
            scene
                .metric("witgate_reloads_total{result=\"failed\"}")
                .await
                >= failures
        );
        assert_eq!(
            scene.gateway.ask_admin("/readyz").await.unwrap().status,
            200
        );
    };

    scene.configure("policies: {chian: []}\n").await;
    scene.refused("chian").await;
    still(1).await;
    scene
        .configure(&TONE_HERE.replace("limit: 3", "limit: lots"))
        .await;
    scene.refused("policy.tone").await;
    still(2).await;
    scene
        .configure(&TONE_HERE.replace("tone.wasm", "none.wasm"))
        .await;
    scene.refused("none.wasm").await;
    still(3).await;
    // Truncated while the configuration was wrong: one reason gives way to the next.
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    scene.configure(TONE_HERE).await;
    scene.refused("cut short").await;
    still(4).await;

    // Back to the very same content, and what runs goes on as it is.
    std::fs::write(&file, &bytes).unwrap();
    let well = || {
        scene
            .gateway
            .log()
            .matches("the files say again what runs")
            .count()
    };
    let is_well = async |times: usize| {
        until("the state is well again", async || {
            (well() == times).then_some(())
        })
        .await;
        let status = scene.status().await;
        assert_eq!(
            (&status["last_reload"]["ok"], &status["generation"]),
            (&json!(true), &json!(1)),
            "{status}"
        );
    };
    is_well(1).await;
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);

    // Also after a mistake that never became a configuration.
    scene.configure("policies: [").await;
    scene.refused("").await;
    scene.configure(TONE_HERE).await;
    is_well(2).await;

    scene
        .configure(&TONE_HERE.replace("limit: 3", "limit: 5"))
        .await;
    scene.runs(2).await;
}

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
async fn clients_and_targets_follow_a_reload() {
    let (first, second) = (Upstream::simulated().await, Upstream::simulated().await);
    let mut scene = Scene::of(NONE, first.address).await;
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    assert_eq!((first.bodies().len(), second.bodies().len()), (1, 0));
    scene.upstream = second.address;
    scene.configure(NONE).await;
    scene.runs(2).await;
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    assert_eq!((first.bodies().len(), second.bodies().len()), (1, 1));

    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, "sesame").unwrap();
    let clients = format!(
        "{NONE}clients: {{keys: [{{id: a, secret_ref: {{file: {}}}}}]}}\n",
        key.display()
    );
    scene.configure(&clients).await;
    scene.runs(3).await;
    let without = scene.gateway.chat(&ask("hello")).await;
    assert_eq!(without.error(), (401, "missing_api_key".into()));
    assert_eq!(with_key(&scene, "sesame").await, 200);

    // Nothing that is watched changes: the signal alone makes it read the key.
    std::fs::write(&key, "another").unwrap();
    scene.signal("-HUP");
    scene.runs(4).await;
    assert_eq!(with_key(&scene, "sesame").await, 401);
    assert_eq!(with_key(&scene, "another").await, 200);
    std::fs::remove_file(&key).unwrap();
    scene.signal("-HUP");
    scene.refused("clients.keys: `a`").await;
    assert_eq!(with_key(&scene, "another").await, 200);
    std::fs::write(&key, "third").unwrap();
    scene.signal("-HUP");
    scene.runs(5).await;
    assert_eq!(with_key(&scene, "third").await, 200);
    let log = scene.gateway.log();
    assert!(
        !["sesame", "another", "third"]
            .iter()
            .any(|key| log.contains(&format!("{key}\"")))
    );
}

async fn with_key(scene: &Scene, key: &str) -> u16 {
    let url = format!("http://{}/v1/chat/completions", scene.gateway.traffic);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(url)
        .bearer_auth(key)
        .body(ask("hello").to_string());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn another_store_for_the_journal_says_that_it_takes_a_restart() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of("policies: {chain: [audit-logger]}\n", upstream.address).await;
    let elsewhere = scene.folder().join("elsewhere.db");
    let store = format!("journal: {{store: \"sqlite:{}\"}}\n", elsewhere.display());
    scene
        .configure(&format!("policies: {{chain: [audit-logger]}}\n{store}"))
        .await;
    scene.runs(2).await;
    let told = scene.status().await["last_reload"]["needs_restart"].take();
    assert!(
        told[0].as_str().unwrap().contains("journal.store"),
        "{told}"
    );
    scene.logs("restart witgate to move the journal").await;
    // It stays so until the restart, or until the change is taken back.
    scene.configure(&format!("{NONE}{store}")).await;
    scene.runs(3).await;
    assert_eq!(
        scene.status().await["last_reload"]["needs_restart"][0],
        told[0]
    );
    scene.configure("policies: {chain: [audit-logger]}\n").await;
    scene.runs(4).await;
    assert_eq!(
        scene.status().await["last_reload"]["needs_restart"],
        json!([])
    );
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn the_same_content_is_no_new_generation() {
    let simulator = Upstream::simulated().await;
    let upstream = simulator.address;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, text(folder.path(), &tone(3), upstream).await).unwrap();
    let args = [
        "--policy-config",
        file.to_str().unwrap(),
        "--log",
        "witgate=debug",
    ];
    let scene = Scene {
        gateway: Process::with(folder.clone(), &args).await,
        upstream,
    };
    // Once for what changed before it was watched, then for the same bytes, for the touch, and for the signal.
    let reloads = || scene.gateway.log().matches("nothing changed").count();
    let more = async |than: usize| {
        until("it has looked again", async || {
            (reloads() > than).then_some(())
        })
        .await;
        reloads()
    };
    let seen = more(0).await;
    replace(&file, std::fs::read(&file).unwrap());
    let seen = more(seen).await;
    touch(&file);
    let seen = more(seen).await;
    scene.signal("-HUP");
    more(seen).await;
    scene.runs(1).await;
    assert!(scene.status().await["last_reload"].is_null());
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
