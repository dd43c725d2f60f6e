//! A gateway whose files a test changes, and what its state says of that.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

pub use crate::files::replace;
use crate::support::scripted::{self, DONE, Scripted, Step};
use crate::support::{Process, Reply, Value, bench, policies, until};

/// The stage of the tests: denies a text with more than so many capital letters, and makes `!` in answers `.`.
pub fn tone(limit: u32) -> String {
    format!(
        "policies: {{chain: [{{id: tone, component: \"@third-party\"}}]}}\npolicy: {{tone: {{limit: {limit}}}}}\n"
    )
}

/// The same with the component beside the configuration.
pub const TONE_HERE: &str =
    "policies: {chain: [{id: tone, component: ./tone.wasm}]}\npolicy: {tone: {limit: 3}}\n";

/// No stage at all.
pub const NONE: &str = "policies: {chain: []}\n";

/// An answer that stops at a gate between `one!` and `two!`.
pub async fn in_two_parts() -> Scripted {
    Scripted::serve(vec![
        Step::Write(scripted::event("one!")),
        Step::Gate,
        Step::Write(scripted::event(" two!")),
        Step::Write(scripted::finish(0)),
        Step::Write(DONE.into()),
    ])
    .await
}

/// The bytes of the third party's component.
pub async fn component() -> Vec<u8> {
    let file = tokio::task::spawn_blocking(policies::third_party)
        .await
        .unwrap();
    std::fs::read(file).unwrap()
}

/// The same component with another sentence for what it denies.
pub fn other(component: &[u8]) -> Vec<u8> {
    let (old, new) = (b"please don't shout", b"please talk softly");
    let mut bytes = component.to_vec();
    let at = bytes.windows(old.len()).position(|window| window == old);
    let at = at.expect("the component has its sentence in one piece");
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

/// The text of a configuration for this folder, with what a test leaves out.
pub async fn text(folder: &Path, config: &str, upstream: SocketAddr) -> String {
    let (config, folder) = (config.to_owned(), folder.to_owned());
    tokio::task::spawn_blocking(move || bench::complete(&config, &[upstream], &folder))
        .await
        .unwrap()
}

/// A gateway before one upstream.
pub struct Scene {
    pub gateway: Process,
    pub upstream: SocketAddr,
}

impl Scene {
    pub async fn of(config: &str, upstream: SocketAddr) -> Self {
        Self::within(Arc::new(tempfile::tempdir().unwrap()), config, upstream).await
    }

    /// In a folder that has files already.
    pub async fn within(folder: Arc<TempDir>, config: &str, upstream: SocketAddr) -> Self {
        let gateway = Process::again(folder, config, &[upstream]).await;
        Scene { gateway, upstream }
    }

    /// With the third party's component beside the configuration; its bytes come along.
    pub async fn of_tone_here(upstream: SocketAddr) -> (Self, Vec<u8>) {
        let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
        std::fs::write(folder.path().join("tone.wasm"), &bytes).unwrap();
        (Self::within(folder, TONE_HERE, upstream).await, bytes)
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.folder().join("policy-config.yaml")
    }

    pub fn folder(&self) -> &Path {
        self.gateway.folder.path()
    }

    /// Replaces the configuration in one step.
    pub async fn configure(&self, config: &str) {
        replace(
            &self.file(),
            text(self.folder(), config, self.upstream).await,
        );
    }

    /// What `/status` says.
    pub async fn status(&self) -> Value {
        self.gateway.ask_admin("/status").await.unwrap().json()
    }

    /// A POST without a body below the admin listener.
    pub async fn tell_admin(&self, path: &str) -> Reply {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}{path}", self.gateway.admin);
        Reply::read(http.post(url).send().await.unwrap()).await
    }

    /// Waits until this generation runs.
    pub async fn runs(&self, generation: u64) {
        until(&format!("generation {generation} runs"), async || {
            let status = self.status().await;
            assert!(
                status["generation"].as_u64().unwrap() <= generation,
                "{status}"
            );
            (status["generation"] == generation).then_some(())
        })
        .await;
    }

    /// Waits until the last reload failed with this in its reason.
    pub async fn refused(&self, why: &str) {
        until(&format!("a reload fails with {why:?}"), async || {
            let last = self.status().await["last_reload"].take();
            let said = last["error"].as_str().unwrap_or_default();
            (last["ok"] == false && said.contains(why)).then_some(())
        })
        .await;
    }

    /// The value of a metric, by the text before it.
    pub async fn metric(&self, name: &str) -> u64 {
        let metrics = self.gateway.ask_admin("/metrics").await.unwrap();
        let line = metrics
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Waits until the log has this.
    pub async fn logs(&self, text: &str) {
        until(&format!("the log has {text:?}"), async || {
            self.gateway.log().contains(text).then_some(())
        })
        .await;
    }

    pub fn signal(&self, name: &str) {
        let done = std::process::Command::new("kill")
            .args([name, &self.gateway.id().to_string()])
            .status();
        assert!(done.unwrap().success());
    }
}
