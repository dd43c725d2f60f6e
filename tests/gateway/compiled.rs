//! What was compiled before and is damaged now is never run: neither at a start, nor at a reload of a gateway that serves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::support::process::witgate;
use crate::support::*;

const CHAIN: &str = "policies: {chain: [{id: puppet, component: '@puppet'}]}";

/// A gateway whose compiled components lie in its own folder.
async fn start(folder: &Arc<TempDir>, upstream: &Upstream) -> Process {
    let (file, _) = written(folder, CHAIN, upstream).await;
    let mut command: Command = witgate(folder.path());
    command.env("XDG_CACHE_HOME", folder.path());
    command.env("RUST_LOG", "info,witgate::policy::load=debug");
    let args = ["--policy-config", &file, "--listen", "127.0.0.1:0"];
    Process::start(command, folder.clone(), &args).await
}

/// How often it had something compiled so far: in processes of their own, and nowhere else.
fn compilations(gateway: &Process) -> usize {
    let log = gateway.log();
    assert!(!log.contains("compiled in this process"), "{log}");
    log.matches("compiled in a process of its own").count()
}

/// Has it read its files anew, and says what came of it.
async fn reload(gateway: &Process) -> Reply {
    let url = format!("http://{}/reload", gateway.admin);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Reply::read(client.post(url).send().await.unwrap()).await
}

/// Writes the configuration's file.
async fn written(folder: &Arc<TempDir>, config: &str, upstream: &Upstream) -> (String, String) {
    let (config, address) = (config.to_owned(), upstream.address);
    let at = folder.clone();
    let text = tokio::task::spawn_blocking(move || bench::complete(&config, &[address], at.path()));
    let text = text.await.unwrap();
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, &text).unwrap();
    (file.to_str().unwrap().to_owned(), text)
}

/// The files that are read as native code.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let read = |folder: &Path| std::fs::read_dir(folder).unwrap();
    let modules = read(&folder.join("witgate/compiled/code/modules"));
    let files = modules.flat_map(|compiler| read(&compiler.unwrap().path()));
    let files = files.map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_none()).collect()
}

/// Changes one byte of each file, there.
fn flip(folder: &Path, percent: usize) {
    for file in compiled(folder) {
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.len() * percent / 100;
        bytes[at] ^= 0x55;
        std::fs::write(file, bytes).unwrap();
    }
}

fn cut(folder: &Path, percent: u64) {
    for file in compiled(folder) {
        let opened = std::fs::File::options().write(true).open(&file).unwrap();
        let length = opened.metadata().unwrap().len();
        opened.set_len(length * percent / 100).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_and_serves_whatever_became_of_its_compiled_files() {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    drop(start(&folder, &upstream).await);
    let files = compiled(folder.path()).len();
    assert!(files > 0, "nothing was kept");
    let warm = start(&folder, &upstream).await;
    assert!(!warm.log().contains("compiled anew"), "{}", warm.log());
    drop(warm);
    let damages: [&dyn Fn(&Path); 5] = [
        &|folder| flip(folder, 10),
        &|folder| flip(folder, 50),
        &|folder| flip(folder, 90),
        &|folder| cut(folder, 50),
        &|folder| cut(folder, 0),
    ];
    for (number, damage) in damages.iter().enumerate() {
        damage(folder.path());
        let gateway = start(&folder, &upstream).await;
        assert_eq!(gateway.chat(&ask("hi")).await.status, 200, "{number}");
        let said = gateway.log().matches("it is compiled anew").count();
        assert_eq!(said, files, "{number}: {}", gateway.log());
        drop(gateway);
        assert_eq!(compiled(folder.path()).len(), files, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_from_damaged_compiled_files_leaves_the_gateway_serving() {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gateway = start(&folder, &upstream).await;
    flip(folder.path(), 50);
    let (_, text) = written(&folder, CHAIN, &upstream).await;
    let changed = text.replace("id: puppet,", "id: puppet, on_error: skip,");
    assert_ne!(text, changed);
    std::fs::write(folder.path().join("policy-config.yaml"), changed).unwrap();
    let reply = reload(&gateway).await;
    assert_eq!(reply.status, 200, "{}", gateway.log());
    assert!(
        gateway.log().contains("it is compiled anew"),
        "{}",
        gateway.log()
    );
    assert_eq!(gateway.chat(&ask("hi")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_compiled_is_compiled_once_and_never_in_the_process_that_serves() {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gateway = start(&folder, &upstream).await;
    // To configure it, and what came of that.
    assert_eq!(compilations(&gateway), 2);
    assert_eq!(compiled(folder.path()).len(), 2);

    let (_, text) = written(&folder, CHAIN, &upstream).await;
    let file = folder.path().join("policy-config.yaml");
    // What the host alone reads is nothing to the component; what the policy reads makes another snapshot of the same.
    let host = text.replace("id: puppet,", "id: puppet, on_error: skip,");
    let own = format!("{host}\npolicy: {{puppet: {{header: x-other}}}}\n");
    for (text, compiled) in [(&host, 2), (&own, 3), (&text, 3), (&own, 3)] {
        std::fs::write(&file, text).unwrap();
        let reply = reload(&gateway).await;
        assert_eq!(reply.status, 200, "{}", gateway.log());
        assert_eq!(compilations(&gateway), compiled, "{text}");
    }
    assert_eq!(gateway.chat(&ask("hi")).await.status, 200);
    drop(gateway);
    let warm = start(&folder, &upstream).await;
    assert_eq!(compilations(&warm), 0);
}
