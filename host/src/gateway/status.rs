//! What `/status` shows: the chain that runs, and what the last reload came to. No secret is in it.

use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Gateway;
use crate::policy::types::Hooks;
use crate::policy::{Ready, Stage};

impl Gateway {
    /// The state as JSON.
    pub(super) fn describe(&self) -> Value {
        let live = self.live.load();
        let last = self.last_reload.lock();
        let last_reload = last.as_ref().map(|last| {
            json!({
                "at": stamp(last.at),
                "ok": last.result.is_ok(),
                "generation": last.result.as_ref().ok(),
                "error": last.result.as_ref().err(),
                "needs_restart": last.needs_restart,
            })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "contract": crate::policy::CONTRACT,
            "source": self.source.to_string(),
            "pack": {"name": live.config().pack.name, "version": live.config().pack.version},
            "generation": live.generation(),
            "chain": live.label().to_str().unwrap_or_default(),
            "digest": format!("sha256:{}", live.chain().digest()),
            "since": stamp(live.since()),
            "stages": live.chain().stages().iter().map(|stage| describe(stage)).collect::<Vec<_>>(),
            "answers": live.chain().answers().iter().map(|at| live.chain().stages()[*at].id().to_string()).collect::<Vec<_>>(),
            "targets": live.targets().iter().map(|target| json!({
                "id": target.id(), "provider": target.provider(), "model": target.model(), "base_url": target.base_url().as_str(),
            })).collect::<Vec<_>>(),
            "warnings": live.targets().warnings(),
            "last_reload": last_reload,
            "journal": match self.workshop.journal.health() {
                Ok(()) => json!({"ok": true}),
                Err(error) => json!({"ok": false, "error": error.to_string()}),
            },
            "tasks": self.tasks.len(),
        })
    }
}

fn describe(stage: &Stage) -> Value {
    let (name, version) = stage.policy();
    let (isolation, why) = match stage.ready() {
        Ready::Snapshot => ("snapshot", None),
        Ready::PerInstance(why) => ("configured per instance", Some(why)),
    };
    json!({
        "id": **stage.id(),
        "policy": name,
        "version": version,
        "digest": stage.digest(),
        "snapshot": stage.snapshot_digest(),
        "instances": isolation,
        "why": why,
        "hooks": hooks(stage.hooks()),
        "on_error": match stage.on_error() {
            crate::config::OnError::Deny => "deny",
            crate::config::OnError::Skip => "skip",
        },
        "grants": stage.plan().grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The hooks by name.
pub fn hooks(hooks: Hooks) -> Vec<&'static str> {
    let names = [
        (Hooks::ON_REQUEST, "on-request"),
        (Hooks::ON_ANSWER, "on-answer"),
        (Hooks::ON_COMPLETE, "on-complete"),
    ];
    let wanted = names.into_iter().filter(|(hook, _)| hooks.contains(*hook));
    wanted.map(|(_, name)| name).collect()
}

fn stamp(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}
