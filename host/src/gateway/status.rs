//! What `/status` shows: the chain that runs, and what the last reload came to. No secret is in it.

use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Gateway;
use super::generation::Draining;
use crate::policy::types::Hooks;
use crate::policy::{Instantiation, Stage};

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
        let last_rollback = self.last_rollback.lock().as_ref().map(
            |last| json!({"at": stamp(last.at), "from": last.from, "to": last.to, "why": last.why}),
        );
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "contract": crate::policy::CONTRACT,
            "source": self.source.to_string(),
            "pack": {"name": live.config().pack.name, "version": live.config().pack.version},
            "generation": live.generation().number(),
            "chain": live.name(),
            "digest": format!("sha256:{}", live.chain().digest()),
            "since": stamp(live.generation().since()),
            "exchanges": live.generation().exchanges(),
            "draining": self.draining(),
            "before": self.before.lock().as_ref().map(|before| before.chain.clone()),
            "stages": live.chain().stages().iter().map(|stage| describe(stage)).collect::<Vec<_>>(),
            "answers": live.chain().answers().iter().map(|at| live.chain().stages()[*at].id().to_string()).collect::<Vec<_>>(),
            "targets": live.targets().iter().map(|target| json!({
                "id": target.id(), "provider": target.provider(), "model": target.model(), "base_url": target.base_url().as_str(),
            })).collect::<Vec<_>>(),
            "warnings": live.targets().warnings(),
            "last_reload": last_reload,
            "last_rollback": last_rollback,
            "journal": match self.workshop.journal.health() {
                Ok(()) => json!({"ok": true}),
                Err(error) => json!({"ok": false, "error": error.to_string()}),
            },
            "tasks": self.tasks.len(),
        })
    }
}

impl Gateway {
    /// The generations that others have taken the place of, as long as anything of them is left.
    fn draining(&self) -> Vec<Value> {
        let mut draining = self.draining.lock();
        draining.retain(|draining| !draining.is_gone());
        let now = tokio::time::Instant::now();
        let shown = draining.iter().map(|draining| {
            let Draining {
                generation,
                chain,
                deadline,
                ..
            } = draining;
            let age = generation.since().elapsed().unwrap_or_default();
            json!({
                "generation": generation.number(),
                "chain": chain,
                "since": stamp(generation.since()),
                "age_s": age.as_secs(),
                "exchanges": generation.exchanges(),
                "expired": generation.is_expired(),
                "deadline_s": deadline.saturating_duration_since(now).as_secs(),
            })
        });
        shown.collect()
    }
}

fn describe(stage: &Stage) -> Value {
    let (loaded, spec) = (stage.loaded(), stage.loaded().spec());
    let (name, version) = loaded.policy();
    let (isolation, why) = match loaded.instantiation() {
        Instantiation::Snapshot => ("snapshot", None),
        Instantiation::PerInstance(why) => ("configured per instance", Some(why)),
    };
    json!({
        "id": **stage.id(),
        "policy": name,
        "version": version,
        "digest": loaded.digest(),
        "snapshot": loaded.snapshot_digest(),
        "instances": isolation,
        "why": why,
        "hooks": hooks(stage.hooks()),
        "on_error": match stage.on_error() {
            crate::config::OnError::Deny => "deny",
            crate::config::OnError::Skip => "skip",
        },
        "breaker": spec.breaker.then(|| stage.breaker().map(|breaker| breaker.state().as_str())),
        "mode": spec.mode.to_string(),
        "grants": spec.grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
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
