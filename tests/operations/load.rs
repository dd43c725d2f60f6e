//! Clients who ask all the while that something changes, and notice anything that is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::support::{Reply, ask, ask_stream, until};

/// Clients at work: two that keep their connections, and two with a new one for each request; each asks in turn for a whole answer and for a
/// stream. Anything but a whole answer ends its client, and with it the test.
pub struct Load {
    clients: Vec<(Arc<AtomicUsize>, tokio::task::JoinHandle<()>)>,
    stop: Arc<AtomicBool>,
}

impl Load {
    pub fn start(at: SocketAddr) -> Self {
        Self::start_with(&format!("http://{at}"), reqwest::Client::builder)
    }

    /// The same below this address, with clients that are made so.
    pub fn start_with(base: &str, client: impl Fn() -> reqwest::ClientBuilder) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = [true, true, false, false].map(|kept| {
            let client = client().no_proxy();
            let client = client.pool_max_idle_per_host(if kept { 1 } else { 0 });
            one(base, client.build().unwrap(), &stop)
        });
        Load {
            clients: clients.into(),
            stop,
        }
    }

    /// Waits until each client was answered some more times.
    pub async fn goes_on(&self, when: &str) {
        let done = |client: &(Arc<AtomicUsize>, _)| client.0.load(SeqCst);
        let before: Vec<usize> = self.clients.iter().map(done).collect();
        until(when, async || {
            let all = self.clients.iter().zip(&before);
            let all = all.map(|(client, before)| {
                assert!(!client.1.is_finished(), "a request was lost {when}");
                done(client) >= before + 5
            });
            all.into_iter().all(|more| more).then_some(())
        })
        .await;
    }

    /// Lets each client have its last answer. Returns how many there were in all.
    pub async fn stop(self) -> usize {
        self.stop.store(true, SeqCst);
        let mut all = 0;
        for (done, asking) in self.clients {
            asking.await.unwrap();
            all += done.load(SeqCst);
        }
        all
    }
}

fn one(
    base: &str,
    client: reqwest::Client,
    stop: &Arc<AtomicBool>,
) -> (Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), stop.clone());
    let (count, url) = (done.clone(), format!("{base}/v1/chat/completions"));
    let asking = tokio::spawn(async move {
        while !stop.load(SeqCst) {
            let streams = count.load(SeqCst) % 2 == 1;
            let body = if streams { ask_stream("hi") } else { ask("hi") };
            let sent = client
                .post(&url)
                .header("content-type", "application/json")
                .body(body.to_string())
                .send()
                .await;
            let reply = Reply::read(sent.unwrap()).await;
            let seen = (reply.status, &reply.broken);
            assert_eq!(seen, (200, &None), "{}", reply.text());
            assert!(!streams || reply.is_done(), "{}", reply.text());
            count.fetch_add(1, SeqCst);
        }
    });
    (done, asking)
}
