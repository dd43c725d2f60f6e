//! The stages of one configuration, in order. Immutable once built.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::spec::StageSpec;
use super::stage::Stage;
use witgate_config::{HttpConfig, HttpHost, Isolation, Limits, Reuse};

/// An ordered chain of stages.
#[derive(Debug)]
pub struct Chain {
    stages: Vec<Arc<Stage>>,
    answers: Vec<usize>,
    digest: String,
}

impl Chain {
    /// Puts stages in order. `answers` gives their order on the way back by id; the configuration has checked that it names
    /// each of them once.
    pub fn new(stages: Vec<Arc<Stage>>, answers: Option<&[String]>) -> Self {
        let answers: Vec<usize> = match answers {
            None => (0..stages.len()).collect(),
            Some(ids) => ids
                .iter()
                .filter_map(|id| stages.iter().position(|stage| **stage.id() == **id))
                .collect(),
        };
        let loaded = stages.iter().map(|stage| stage.loaded());
        let parts = loaded.map(|loaded| (loaded.spec(), loaded.digest()));
        let digest = digest(parts, &answers);
        Chain {
            stages,
            answers,
            digest,
        }
    }

    /// The stages in configured order.
    pub fn stages(&self) -> &[Arc<Stage>] {
        &self.stages
    }

    /// Indices into the stages, in the order in which answers pass them.
    pub fn answers(&self) -> &[usize] {
        &self.answers
    }

    /// 64 hex digits over every stage's component and configuration, and both orders: equal chains have equal digests.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// `stages`: what each was loaded from, and the digest of its component.
fn digest<'a>(stages: impl Iterator<Item = (&'a StageSpec, &'a str)>, answers: &[usize]) -> String {
    let mut fields = FieldHasher(Sha256::new());
    for (spec, component) in stages {
        fields.stage(spec, component);
    }
    for index in answers {
        fields.add("answer", &index.to_string());
    }
    format!("{:x}", fields.0.finalize())
}

/// A hash over named values. Each name and each value has its length before it, so that no two lists of them are hashed as the
/// same bytes; and each is written out here, so that no name of a type or a field in the code is part of a digest.
struct FieldHasher(Sha256);

impl FieldHasher {
    fn add(&mut self, name: &str, value: &str) {
        for part in [name, value] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn stage(&mut self, spec: &StageSpec, component: &str) {
        let StageSpec {
            id,
            on_error,
            breaker,
            mode,
            isolation,
            limits,
            grants,
            http,
            settings,
            // The component has the pinned digest, or it would not be here.
            pinned: _,
        } = spec;
        self.add("stage", id);
        self.add("component", component);
        self.add("settings", settings);
        self.add("on_error", &on_error.to_string());
        self.add("breaker", if *breaker { "on" } else { "off" });
        self.add("mode", &mode.to_string());
        // The other is what every stage was before there was a choice: its digests stay.
        if let Isolation::Reused(reuse) = isolation {
            self.reuse(reuse);
        }
        self.limits(limits);
        for grant in grants {
            self.add("grant", grant.as_str());
        }
        if let Some(http) = http {
            self.http(http);
        }
    }

    fn http(&mut self, http: &HttpConfig) {
        let HttpConfig {
            hosts,
            timeout,
            max_request,
            max_reply,
            calls,
            at_once,
        } = http;
        for HttpHost {
            url,
            private,
            secret,
            secret_header,
        } in hosts
        {
            self.add("http.url", url.as_str());
            self.add("http.private", &private.to_string());
            // Where it is, and nothing of what it is.
            let secret = secret.as_ref().map(ToString::to_string);
            self.add("http.secret", &secret.unwrap_or_default());
            self.add(
                "http.secret_header",
                secret_header.as_deref().unwrap_or_default(),
            );
        }
        self.add("http.timeout", &timeout.as_nanos().to_string());
        self.add("http.max_request", &max_request.to_string());
        self.add("http.max_reply", &max_reply.to_string());
        self.add("http.calls", &calls.to_string());
        self.add("http.at_once", &at_once.to_string());
    }

    fn reuse(&mut self, reuse: &Reuse) {
        let Reuse {
            exchanges,
            age,
            memory_growth,
        } = reuse;
        self.add("isolation", "reused");
        self.add("exchanges", &exchanges.to_string());
        self.add("age", &age.as_nanos().to_string());
        self.add("memory_growth", &memory_growth.to_string());
    }

    fn limits(&mut self, limits: &Limits) {
        let Limits {
            memory,
            request_cpu,
            delta_cpu,
            exchange_cpu,
            call_time,
            held_text,
            held_time,
        } = limits;
        let bytes = [("memory", memory), ("held_text", held_text)];
        for (name, bytes) in bytes {
            self.add(name, &bytes.to_string());
        }
        let times = [
            ("request_cpu", request_cpu),
            ("delta_cpu", delta_cpu),
            ("exchange_cpu", exchange_cpu),
            ("call_time", call_time),
            ("held_time", held_time),
        ];
        for (name, time) in times {
            self.add(name, &time.as_nanos().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use witgate_config::{Grant, Mode, OnError};

    fn spec() -> StageSpec {
        StageSpec {
            id: "tone".into(),
            on_error: OnError::Deny,
            breaker: false,
            mode: Mode::Enforce,
            isolation: Isolation::Exchange,
            limits: Limits::default(),
            grants: Vec::new(),
            http: None,
            settings: "{}".into(),
            pinned: None,
        }
    }

    fn reused(change: fn(&mut Reuse)) -> Isolation {
        let mut reuse = Reuse::default();
        change(&mut reuse);
        Isolation::Reused(reuse)
    }

    fn digest_of(spec: &StageSpec) -> String {
        digest([(spec, "sha256:00")].into_iter(), &[0])
    }

    #[test]
    fn a_digest_stays_what_it_is_from_release_to_release() {
        assert_eq!(
            digest_of(&spec()),
            "1b12e64de2385af2b7eb7ac334a8e89ab63a8fd1fb454fb9181e4443186169e5"
        );
    }

    #[test]
    fn whatever_changes_what_a_stage_does_changes_the_digest() {
        const SECOND: Duration = Duration::from_secs(1);
        let changes: [fn(&mut StageSpec); 17] = [
            |spec| spec.id = "other".into(),
            |spec| spec.on_error = OnError::Skip,
            |spec| spec.breaker = true,
            |spec| spec.mode = Mode::Shadow,
            |spec| spec.isolation = Isolation::Reused(Reuse::default()),
            |spec| spec.isolation = reused(|reuse| reuse.exchanges += 1),
            |spec| spec.isolation = reused(|reuse| reuse.age += SECOND),
            |spec| spec.isolation = reused(|reuse| reuse.memory_growth += 1),
            |spec| spec.limits.memory += 1,
            |spec| spec.limits.request_cpu += SECOND,
            |spec| spec.limits.delta_cpu += SECOND,
            |spec| spec.limits.exchange_cpu += SECOND,
            |spec| spec.limits.call_time += SECOND,
            |spec| spec.limits.held_text += 1,
            |spec| spec.limits.held_time += SECOND,
            |spec| spec.grants.push(Grant::Journal),
            |spec| spec.settings = "{\"a\":1}".into(),
        ];
        let mut digests = vec![digest_of(&spec())];
        for change in changes {
            let mut spec = spec();
            change(&mut spec);
            digests.push(digest_of(&spec));
        }
        let spec = spec();
        digests.push(digest([(&spec, "sha256:01")].into_iter(), &[0]));
        let two = || [(&spec, "sha256:00"), (&spec, "sha256:00")].into_iter();
        digests.push(digest(two(), &[0, 1]));
        digests.push(digest(two(), &[1, 0]));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn a_pin_makes_no_other_chain() {
        let mut other = spec();
        other.pinned = Some("sha256:00".into());
        assert_eq!(digest_of(&other), digest_of(&spec()));
    }
}
