//! Records what reached the simulator and what became of its answers, for tests of a gateway in front of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, header, request};
use parking_lot::Mutex;
use tokio::sync::watch;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path, with the query if there was one.
    pub path: String,
    /// Its headers. `authorization` is marked sensitive, so that printing doesn't show it.
    pub headers: HeaderMap,
    /// Its body as sent, before any decoding.
    pub body: Bytes,
}

/// Counts since the recorder was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Requests that arrived whole.
    pub received: usize,
    /// Completions, streamed or whole, that are being sent now.
    pub open: usize,
    /// Completions that came to the end meant for them, be it an error.
    pub finished: usize,
    /// Completions whose client went away before their end.
    pub dropped: usize,
}

/// Keeps every request in memory. Share it through an `Arc` between the test and [`Options`](super::Options).
#[derive(Debug, Default)]
pub struct Recorder {
    requests: Mutex<Vec<Received>>,
    traffic: watch::Sender<TrafficCounts>,
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// The requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Received> {
        self.requests.lock().clone()
    }

    /// The counts at this moment.
    pub fn traffic(&self) -> TrafficCounts {
        *self.traffic.borrow()
    }

    /// Waits until the counts are as wanted, and returns them.
    pub async fn wait_until(&self, wanted: impl FnMut(&TrafficCounts) -> bool) -> TrafficCounts {
        let mut receiver = self.traffic.subscribe();
        let traffic = receiver.wait_for(wanted).await;
        *traffic.expect("the sender lives in self")
    }

    pub(super) fn receive(&self, head: &request::Parts, body: &Bytes) {
        let mut headers = head.headers.clone();
        if let Some(value) = headers.get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        self.requests.lock().push(Received {
            method: head.method.clone(),
            path: path.to_owned(),
            headers,
            body: body.clone(),
        });
        self.traffic.send_modify(|traffic| traffic.received += 1);
    }
}

/// A completion that is being sent. If it is dropped before its end, it counts as dropped by the client.
#[derive(Debug)]
pub(super) struct Underway(Option<Arc<Recorder>>);

impl Underway {
    pub(super) fn begin(recorder: Option<&Arc<Recorder>>) -> Self {
        if let Some(recorder) = recorder {
            recorder.traffic.send_modify(|traffic| traffic.open += 1);
        }
        Self(recorder.cloned())
    }

    pub(super) fn finish(&mut self) {
        if let Some(recorder) = self.0.take() {
            recorder.traffic.send_modify(|traffic| {
                traffic.open -= 1;
                traffic.finished += 1;
            });
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(recorder) = self.0.take() {
            recorder.traffic.send_modify(|traffic| {
                traffic.open -= 1;
                traffic.dropped += 1;
            });
        }
    }
}
