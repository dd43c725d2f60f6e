//! The configured snapshot: the same bytes and settings make the same one, wherever.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use witgate::config::Config;
use witgate::generation::BuildInputs;
use witgate::policy::engine::EngineSettings;
use witgate::policy::{Instantiation, Sandbox, StageSpec};

use crate::guests::forge::Forged;
use crate::support::{guest, load_in, sandbox, settings, spec, spec_of};

/// Set for the child: where it finds the cache, and where it writes what it found.
const CACHE: &str = "WITGATE_TEST_CACHE";
const ANSWER: &str = "WITGATE_TEST_ANSWER";

fn with_cache(cache: PathBuf) -> Sandbox {
    Sandbox::new(EngineSettings {
        cache: Some(cache),
        ..settings()
    })
    .unwrap()
}

async fn digest(sandbox: &Sandbox, spec: StageSpec) -> String {
    let loaded = load_in(sandbox, spec, guest::component()).await.unwrap();
    loaded.stage.loaded().snapshot_digest().unwrap().to_owned()
}

/// Its settings hold what hashes and clocks could make different.
fn drawing() -> StageSpec {
    spec_of("draw-in-configure")
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path())
            } else {
                // The cache writes statistics beside its entries in its own time.
                usize::from(entry.path().extension().is_none())
            }
        })
        .sum()
}

/// Runs itself once more, as the other process.
#[tokio::test]
async fn the_same_in_this_process_and_in_another() {
    if let (Some(cache), Some(answer)) = (std::env::var_os(CACHE), std::env::var_os(ANSWER)) {
        let found = digest(&with_cache(cache.into()), drawing()).await;
        return std::fs::write(answer, found).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (cache, answer) = (folder.path().join("cache"), folder.path().join("answer"));
    let here = with_cache(cache.clone());
    let first = digest(&here, drawing()).await;
    let compiled = files(&cache);
    assert!(compiled > 0, "something was kept");
    assert_eq!(digest(&here, drawing()).await, first);
    assert_eq!(digest(&with_cache(cache.clone()), drawing()).await, first);

    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "snapshot::the_same_in_this_process_and_in_another",
        ])
        .env(CACHE, &cache)
        .env(ANSWER, &answer)
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    assert_eq!(std::fs::read_to_string(answer).unwrap(), first);
    assert_eq!(
        files(&cache),
        compiled,
        "nothing was compiled a second time"
    );

    // Another configuration is another snapshot, and does compile.
    let other = spec(&json!({"misdeed": "draw-in-configure", "note": "another"}));
    assert_ne!(digest(&here, other).await, first);
    assert!(files(&cache) > compiled);
}

/// What lies in the cache is run as native code: so nobody else may write there.
#[cfg(unix)]
#[tokio::test]
async fn a_cache_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let made = folder.path().join("made");
    let forged = Forged::default().component();
    load_in(&with_cache(made.clone()), spec(&json!({})), &forged)
        .await
        .unwrap();
    assert_eq!(mode(&made), 0o700);
    assert!(files(&made) > 0);

    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    load_in(&with_cache(open.clone()), spec(&json!({})), &forged)
        .await
        .unwrap();
    assert_eq!(files(&open), 0);
}

#[tokio::test]
async fn another_configuration_makes_another() {
    let sandbox = sandbox();
    let digests = [
        digest(sandbox, spec(&json!({}))).await,
        digest(sandbox, spec_of("peek")).await,
        digest(sandbox, spec_of("trap-in-on-delta")).await,
    ];
    assert_ne!(digests[0], digests[1]);
    assert_ne!(digests[1], digests[2]);
    assert_ne!(digests[0], digests[2]);
}

#[tokio::test]
async fn bundled_policies_load_as_slim_snapshots() {
    let inputs = BuildInputs::read(Config::embedded().unwrap()).unwrap();
    let stages = &inputs.config.stages;
    assert_eq!(stages.len(), 3);
    for stage in stages {
        let component = inputs.component(stage);
        let first = load_in(sandbox(), StageSpec::from(stage), component)
            .await
            .unwrap();
        match first.stage.loaded().instantiation() {
            Instantiation::Snapshot => {}
            Instantiation::PerInstance(why) => panic!("{}: {why}", stage.id),
        }
        // What they are compiled with makes components of the shape that is known.
        assert!(first.stage.loaded().is_slim(), "{}", stage.id);
        let again = load_in(sandbox(), StageSpec::from(stage), component)
            .await
            .unwrap();
        assert_eq!(
            first.stage.loaded().snapshot_digest(),
            again.stage.loaded().snapshot_digest()
        );
    }
}
