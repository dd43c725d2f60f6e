//! The files of a gateway under a storm, and everything that happens to them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::answers::Shown;
use crate::files::{Mount, recreate, replace, touch, write_in_pieces};
use crate::support::{Process, Reply, bench, policies};

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The configuration, written in place.
    InPlace,
    /// The configuration, replaced by a rename.
    Renamed,
    /// The configuration, deleted and written again.
    Recreated,
    /// The configuration, written in place in pieces.
    InPieces,
    /// The configuration, and the signal at once.
    Hangup,
    /// The configuration, and a `POST /reload` at once.
    Posted,
    /// No file: a `POST /rollback`.
    RolledBack,
    /// A component whose folder is swapped by its link.
    Mounted,
    /// A component, replaced by a rename.
    Component,
    /// A component, written in place in pieces.
    ComponentInPieces,
    /// A component, deleted and written again.
    ComponentRecreated,
    /// Every file, touched.
    Touched,
    /// A configuration with a mistake.
    Mistaken,
    /// The first half of a component.
    Half,
    /// A component that traps in the self-test.
    Trap,
}

/// What comes again and again, good and bad in turn. What a bad one broke, a later one puts right.
pub const ROTATION: &[Change] = &[
    Change::InPlace,
    Change::Half,
    Change::Component,
    Change::Mistaken,
    Change::Renamed,
    Change::Mounted,
    Change::Touched,
    Change::ComponentInPieces,
    Change::Trap,
    Change::Recreated,
    Change::ComponentRecreated,
    Change::InPieces,
    Change::Mistaken,
    Change::Posted,
    Change::RolledBack,
    Change::Hangup,
];

/// How many marks, and origins, take turns: were every one new, the compiler would be all that is tested.
const VARIANTS: usize = 4;

/// A folder with a configuration and its components: stage `first` from a file, stage `last` from a mounted folder.
pub struct Files {
    folder: Arc<TempDir>,
    upstream: SocketAddr,
    stamp: Vec<u8>,
    mount: Mount,
    /// Marks and origins so far.
    used: usize,
    /// Of what is good and was written last.
    mark: String,
    masks: bool,
    first: String,
    last: String,
}

impl Files {
    pub async fn before(upstream: SocketAddr) -> Self {
        let build = || policies::built("guests/stamp", "stamp.wasm");
        let built = tokio::task::spawn_blocking(build).await.unwrap();
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut files = Files {
            mount: Mount::create(folder.path().join("mount")),
            stamp: std::fs::read(built).unwrap(),
            folder,
            upstream,
            used: 0,
            mark: String::new(),
            masks: false,
            first: String::new(),
            last: String::new(),
        };
        let (first, last) = (files.first(), files.last());
        replace(&files.first_file(), first);
        files.mount.publish(&[("last.wasm", &last)]);
        let config = files.config();
        replace(&files.config_file(), config);
        files
    }

    /// Runs a gateway on them.
    pub async fn run(&self) -> Process {
        let config = self.config_file().to_str().unwrap().to_owned();
        Process::with(self.folder.clone(), &["--policy-config", &config]).await
    }

    /// What every answer shows, once all of it runs.
    pub fn shown(&self) -> Shown {
        Shown {
            first: format!("{}.{}", self.first, self.mark),
            last: format!("{}.{}", self.last, self.mark),
            masks: self.masks,
        }
    }

    pub async fn apply(&mut self, change: Change, gateway: &Process) {
        let (config, first) = (self.config_file(), self.first_file());
        match change {
            Change::InPlace => std::fs::write(config, self.config()).unwrap(),
            Change::Renamed => replace(&config, self.config()),
            Change::Recreated => recreate(&config, self.config()).await,
            Change::InPieces => write_in_pieces(&config, self.config(), 5).await,
            Change::Hangup => {
                replace(&config, self.config());
                gateway.signal("HUP");
            }
            Change::Posted => {
                replace(&config, self.config());
                post(gateway, "reload").await;
            }
            Change::RolledBack => post(gateway, "rollback").await,
            Change::Mounted => {
                let last = self.last();
                self.mount.publish(&[("last.wasm", &last)]);
            }
            Change::Component => replace(&first, self.first()),
            Change::ComponentInPieces => write_in_pieces(&first, self.first(), 8).await,
            Change::ComponentRecreated => recreate(&first, self.first()).await,
            Change::Touched => {
                touch(&config);
                touch(&first);
                touch(&self.folder.path().join("mount/last.wasm"));
            }
            Change::Mistaken => {
                let mistaken = self.text("bad", false).replace("answer:", "anwser:");
                std::fs::write(config, mistaken).unwrap();
            }
            Change::Half => {
                let half = self.component("half0000");
                replace(&first, &half[..half.len() / 2]);
            }
            Change::Trap => {
                let origin = self.next("trap");
                replace(&first, self.component(&origin));
            }
        }
    }

    fn config_file(&self) -> PathBuf {
        self.folder.path().join("policy-config.yaml")
    }

    fn first_file(&self) -> PathBuf {
        self.folder.path().join("first.wasm")
    }

    /// The next good configuration. Every other one has a stage more.
    fn config(&mut self) -> String {
        self.mark = self.next("m");
        self.masks = !self.masks;
        self.text(&self.mark, self.masks)
    }

    /// The next good component of the first stage.
    fn first(&mut self) -> Vec<u8> {
        self.first = self.next("made");
        self.component(&self.first)
    }

    /// The next good component of the last stage.
    fn last(&mut self) -> Vec<u8> {
        self.last = self.next("seen");
        self.component(&self.last)
    }

    /// Another mark or origin than the one before.
    fn next(&mut self, kind: &str) -> String {
        self.used += 1;
        format!("{kind}{:04}", self.used % VARIANTS)
    }

    fn text(&self, mark: &str, masks: bool) -> String {
        let (stage, settings) = if masks {
            // A busy machine may be slow to send what would free a text that is held: that is not what is tried.
            (
                " {id: pii-detector, limits: {held_time: 60s}},",
                "  pii-detector: {requests: false}\n",
            )
        } else {
            ("", "")
        };
        let text = format!(
            "policies: {{chain: [{{id: first, component: ./first.wasm}},{stage} audit-logger, {{id: last, component: ./mount/last.wasm}}]}}\n\
             policy:\n{settings}\
             \x20 first: {{mark: {mark}, request: \"%\", answer: \"!\"}}\n\
             \x20 last: {{mark: {mark}, request: \"#\", answer: \"?\"}}\n"
        );
        bench::complete(&text, &[self.upstream], self.folder.path())
    }

    /// The component with another origin.
    fn component(&self, origin: &str) -> Vec<u8> {
        let place = b"origin: ";
        let mut bytes = self.stamp.clone();
        let at = bytes.windows(place.len()).position(|it| it == place);
        let at = at.expect("the component has its origin in one piece") + place.len();
        bytes[at..at + origin.len()].copy_from_slice(origin.as_bytes());
        bytes
    }
}

/// Asks at the admin listener for what can be done.
async fn post(gateway: &Process, what: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/{what}", gateway.admin);
    let done = Reply::read(http.post(url).send().await.unwrap()).await;
    assert_eq!(done.status, 200, "{what}: {}", done.text());
}
