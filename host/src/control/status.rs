//! What `/status` shows: the generation that runs, those that drain, and the last reload. No secret is in it.

use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Controller;
use super::draining::Draining;
use super::renew::asked_for;
use crate::config::Config;
use crate::identity::Tokens;
use crate::journal::Chain;
use crate::policy::{Instantiation, Stage, hook_names};

impl Controller {
    /// What runs and how it came to run, as JSON.
    pub fn describe(&self) -> Value {
        let current = self.current.load();
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
        let last_probation = self.last_probation.lock().as_ref().map(|last| {
            json!({
                "at": stamp(last.at),
                "chain": last.chain,
                "stage": last.stage,
                "rolled_back": last.kept.is_none(),
                "why": last.kept.as_ref().unwrap_or(&last.why),
            })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "contract": crate::policy::CONTRACT,
            "source": self.source.to_string(),
            "pack": {"name": current.config().pack.name, "version": current.config().pack.version},
            "generation": current.number(),
            "chain": current.name(),
            "digest": format!("sha256:{}", current.chain().digest()),
            "since": stamp(current.since()),
            "exchanges": current.exchanges().running(),
            "draining": self.draining(),
            "before": self.previous.lock().as_ref().map(|previous| previous.chain.clone()),
            "stages": current.chain().stages().iter().map(|stage| describe(stage)).collect::<Vec<_>>(),
            "answers": current.chain().answers().iter().map(|at| current.chain().stages()[*at].id().to_string()).collect::<Vec<_>>(),
            "targets": current.targets().iter().map(|target| target.state()).collect::<Vec<_>>(),
            "warnings": current.targets().warnings(),
            "secrets": secrets(current.config()),
            "tokens": current.door().tokens().map(Tokens::state),
            "last_reload": last_reload,
            "last_rollback": last_rollback,
            "last_probation": last_probation,
            "journal": self.journal(),
            "state": self.state(),
            "tasks": self.tasks.len(),
        })
    }
}

impl Controller {
    /// Puts the journal's own counts into the metrics.
    pub fn count(&self) {
        let (stats, metrics) = (self.services.journal.stats(), &self.services.metrics);
        let present = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        metrics
            .journal_entries
            .inner()
            .store(stats.entries, Relaxed);
        metrics
            .journal_failures
            .inner()
            .store(stats.failures, Relaxed);
        metrics.journal_breaks.inner().store(stats.breaks, Relaxed);
        metrics.journal_queue.set(present(stats.queued));
        metrics.journal_owed.set(present(stats.owed));
        let failures = self.services.state.failures();
        metrics.state_failures.inner().store(failures, Relaxed);
    }

    /// Whether it can be written, what it owes, and what the walk at the start found.
    fn journal(&self) -> Value {
        let journal = &self.services.journal;
        let (chain, broken) = match journal.chain() {
            Chain::Unwalked => ("unwalked", None),
            Chain::Walking => ("walking", None),
            Chain::Unbroken(_) => ("unbroken", None),
            Chain::Broken(why) => ("broken", Some(why)),
            Chain::Unread(why) => ("unread", Some(why)),
        };
        let error = journal.health().err().map(|error| error.to_string());
        json!({
            "ok": error.is_none(),
            "error": error,
            "owed": journal.stats().owed,
            "chain": chain,
            "broken": broken,
        })
    }

    /// Whether what policies keep can be written. It is so, too, where no policy keeps anything.
    fn state(&self) -> Value {
        let error = self.services.state.health().err();
        json!({
            "ok": error.is_none(),
            "error": error.map(|error| error.to_string()),
        })
    }

    /// The generations that have been replaced and are still held by somebody.
    fn draining(&self) -> Vec<Value> {
        let mut draining = self.draining.lock();
        draining.retain(|draining| !draining.is_gone());
        let now = tokio::time::Instant::now();
        let shown = draining.iter().map(|draining| {
            let Draining {
                number,
                since,
                chain,
                exchanges,
                deadline,
                ..
            } = draining;
            let age = since.elapsed().unwrap_or_default();
            json!({
                "generation": number,
                "chain": chain,
                "since": stamp(*since),
                "age_s": age.as_secs(),
                "exchanges": exchanges.running(),
                "expired": exchanges.is_expired(),
                "deadline_s": deadline.saturating_duration_since(now).as_secs(),
            })
        });
        shown.collect()
    }
}

/// How it stands with the secrets that an executable or a Vault is asked for. Never the secret.
fn secrets(config: &Config) -> Vec<Value> {
    let shown = asked_for(config).into_iter().map(|secret| {
        let state = secret.state();
        let trouble = state.as_ref().and_then(|state| state.trouble.as_ref());
        json!({
            "secret": secret.to_string(),
            "had": state.as_ref().is_some_and(|state| state.had),
            "ok": state.is_some() && trouble.is_none(),
            "error": trouble.map(|(why, _)| why),
            "since": trouble.map(|(_, since)| stamp(*since)),
        })
    });
    shown.collect()
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
        "isolation": spec.isolation.to_string(),
        "isolation_means": spec.isolation.meaning(),
        "hooks": hook_names(stage.hooks()),
        "interest": loaded.interest().map(|interest| shortened(interest.source())),
        "on_error": match stage.on_error() {
            crate::config::OnError::Deny => "deny",
            crate::config::OnError::Skip => "skip",
        },
        "breaker": spec.breaker.then(|| stage.breaker().map(|breaker| breaker.state().as_str())),
        "mode": spec.mode.to_string(),
        "grants": spec.grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "asks": spec.http.iter().flat_map(|http| &http.hosts).map(|host| host.url.to_string()).collect::<Vec<_>>(),
    })
}

/// The beginning of a text that may be long.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    let cut = text.floor_char_boundary(SHOWN);
    let rest = if cut < text.len() { "…" } else { "" };
    format!("{}{rest}", &text[..cut])
}

fn stamp(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}
