//! A request as policies see it, and a draft that keeps what they change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use witgate::policy::types::{Channel, Role, Segment, Target, Tool};
use witgate::policy::{Draft, RequestView};

/// One user's message of one text.
#[derive(Clone)]
pub(crate) struct Request {
    text: String,
    /// What it takes to read the segments, in the thread's own time.
    cost: Duration,
    /// How often the segments were read.
    reads: Arc<AtomicUsize>,
}

impl Request {
    pub(crate) fn small() -> Arc<dyn RequestView> {
        Request::saying("hello")
    }

    pub(crate) fn saying(text: impl Into<String>) -> Arc<dyn RequestView> {
        Arc::new(Request {
            text: text.into(),
            cost: Duration::ZERO,
            reads: Arc::default(),
        })
    }

    /// One whose segments the host has to work for that long for, and the count of how often they are read.
    pub(crate) fn costing(cost: Duration) -> (Arc<dyn RequestView>, Arc<AtomicUsize>) {
        let reads = Arc::<AtomicUsize>::default();
        let request = Request {
            text: "hello".into(),
            cost,
            reads: Arc::clone(&reads),
        };
        (Arc::new(request), reads)
    }
}

impl RequestView for Request {
    fn id(&self) -> &str {
        "3f0e8b0a-0000-4000-8000-000000000001"
    }

    fn endpoint(&self) -> &str {
        "chat"
    }

    fn model(&self) -> &str {
        "llama"
    }

    fn principal(&self) -> Option<&str> {
        Some("team-a")
    }

    fn received_at(&self) -> u64 {
        1_700_000_000_000
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn messages(&self) -> Vec<Role> {
        vec![Role::User]
    }

    fn size(&self) -> u64 {
        self.text.len() as u64
    }

    fn segments(&self, first_message: u32) -> Vec<Segment> {
        self.reads.fetch_add(1, Relaxed);
        work_for(self.cost);
        let only = Segment {
            message: 0,
            role: Role::User,
            channel: Channel::Content,
            text: self.text.clone(),
        };
        if first_message == 0 {
            vec![only]
        } else {
            Vec::new()
        }
    }

    fn tools(&self) -> Vec<Tool> {
        Vec::new()
    }

    fn get(&self, pointer: &str) -> Option<String> {
        pointer
            .is_empty()
            .then(|| serde_json::json!({ "messages": [{ "content": self.text }] }).to_string())
    }

    fn targets(&self) -> Vec<Target> {
        Vec::new()
    }

    fn draft(&self) -> Box<dyn Draft> {
        Box::new(self.clone())
    }
}

#[cfg(unix)]
fn work_for(cost: Duration) {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap()
    };
    let began = now();
    while now() - began < cost {}
}

#[cfg(not(unix))]
fn work_for(_: Duration) {}

impl Draft for Request {
    fn replace_segment(&mut self, index: u32, text: String) -> Result<(), String> {
        if index != 0 {
            return Err(format!("there is no segment {index}"));
        }
        self.text = text;
        Ok(())
    }

    fn insert_message(&mut self, _: u32, _: Role, _: String) -> Result<(), String> {
        Ok(())
    }

    fn set(&mut self, _: &str, _: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn restrict_targets(&mut self, _: &[String]) -> Result<(), String> {
        Err("none of them is left".into())
    }

    fn commit(self: Box<Self>) -> Arc<dyn RequestView> {
        Arc::new(*self)
    }
}
