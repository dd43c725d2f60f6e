//! An exchange is one future from the request's first byte to the last word to its stages. It lives in the response: polled by
//! whoever waits for the head, then by the body. When the client leaves, or when the answer is out, the rest of the future moves
//! to a tracked task: a policy call under way is finished and never dropped half-way, and `on-complete` is always reached.
//!
//! There is no task and no channel between the upstream and the client: the body polls the future, and a slot of one frame is
//! how the future hands over. A slow client does not poll, so the upstream isn't read.
//!
//! The library that writes to the client asks the body several times for each frame. Only a poll for which there is a cause reaches the
//! future: what it waits for wakes the slot, which keeps that in mind and wakes whoever polls.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::api::Waits;

/// The client is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientGone;

/// What stands between the future and the response.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    gone: AtomicBool,
    /// The response is done with: read to its end, or dropped.
    left: AtomicBool,
    /// What the future waited for has come since it was polled last.
    woken: AtomicBool,
    /// Who polls the response.
    poller: AtomicWaker,
}

impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.poller.wake();
    }
}

#[derive(Default)]
struct State {
    head: Option<Response<Option<Bytes>>>,
    frame: Option<Bytes>,
    /// There is another frame, which waits until this one is taken.
    more: bool,
    ended: bool,
}

/// The future's side.
#[derive(Clone)]
pub(super) struct ResponseSink(Arc<Slot>);

impl ResponseSink {
    /// Whether the client has left.
    pub(super) fn is_gone(&self) -> bool {
        self.0.gone.load(Ordering::Acquire)
    }

    /// Sends a whole answer. Nothing may follow.
    pub(super) fn whole(&self, response: Response<Bytes>) {
        let mut state = self.0.state.lock();
        state.head = Some(response.map(Some));
        state.ended = true;
    }

    /// Sends the head of a stream.
    pub(super) fn head(&self, head: Response<()>) {
        self.0.state.lock().head = Some(head.map(|()| None));
    }

    /// Sends the head of a stream together with its first frame.
    pub(super) fn first(&self, head: Response<()>, bytes: Bytes) {
        let mut state = self.0.state.lock();
        state.frame = Some(bytes);
        state.head = Some(head.map(|()| None));
    }

    /// Sends a frame, once the one before was taken.
    pub(super) async fn frame(&self, bytes: Bytes) -> Result<(), ClientGone> {
        let mut bytes = Some(bytes);
        poll_fn(|_| {
            if self.is_gone() {
                return Poll::Ready(Err(ClientGone));
            }
            let mut state = self.0.state.lock();
            if state.frame.is_some() {
                // No waker: the body that takes the frame polls this future next.
                state.more = true;
                return Poll::Pending;
            }
            state.frame = bytes.take();
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Ends the stream, once the last frame was taken.
    pub(super) fn end(&self) {
        self.0.state.lock().ended = true;
    }

    /// Waits until the response is done with. What follows is off its way, on a task.
    pub(super) async fn left(&self) {
        // No waker: the driver that sets this then polls the future on that task.
        poll_fn(|_| {
            if self.0.left.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Waits for something outside of policies: given up at once when the client leaves. It is pinned where it comes from, and takes no
    /// room here.
    pub(super) async fn unless_gone<T>(
        &self,
        mut wait: impl Future<Output = T> + Unpin,
    ) -> Result<T, ClientGone> {
        poll_fn(|cx| {
            if self.is_gone() {
                return Poll::Ready(Err(ClientGone));
            }
            Pin::new(&mut wait).poll(cx).map(Ok)
        })
        .await
    }
}

type Exchange = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The response's side: drives the future.
pub(super) struct Driver {
    exchange: Option<Exchange>,
    slot: Arc<Slot>,
    /// Wakes the slot.
    waker: Waker,
    tasks: TaskTracker,
    runtime: Handle,
    /// Goes back when the client has left, whatever the exchange has still to do, and before a worker comes to that.
    _waits: Option<Waits>,
}

impl Driver {
    /// Must be called on the runtime; what is left at the end runs there, tracked by `tasks`.
    pub(super) fn new<F>(
        tasks: &TaskTracker,
        waits: Option<Waits>,
        exchange: impl FnOnce(ResponseSink) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // The first poll has a cause: it begins.
        let slot = Arc::new(Slot {
            woken: AtomicBool::new(true),
            ..Slot::default()
        });
        let sink = ResponseSink(slot.clone());
        // Made where it is kept: `Box::pin` would make these 15 KiB on the stack and copy all of them.
        let exchange = Box::write(Box::new_uninit(), exchange(sink));
        Driver {
            exchange: Some(Box::into_pin(exchange)),
            waker: slot.clone().into(),
            slot,
            tasks: tasks.clone(),
            runtime: Handle::current(),
            _waits: waits,
        }
    }

    /// Runs until the head is known; the body goes on from there.
    pub(super) async fn response(mut self) -> Response<axum::body::Body> {
        let head = poll_fn(|cx| {
            let done = self.poll_exchange(cx).is_ready();
            match self.slot.state.lock().head.take() {
                Some(head) => Poll::Ready(Some(head)),
                None if done => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await;
        let head = head.expect("an exchange answers before it ends");
        let (parts, whole) = head.into_parts();
        let body = match whole {
            Some(bytes) => axum::body::Body::from(bytes),
            None => axum::body::Body::new(self),
        };
        Response::from_parts(parts, body)
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Ready(());
        };
        // Before it looks: what wakes the slot from here on wakes this poller.
        self.slot.poller.register(cx.waker());
        if !self.slot.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let cx = &mut Context::from_waker(&self.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| exchange.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                self.exchange = None;
                Poll::Ready(())
            }
            Err(panic) => {
                // It can't be polled again, not even to its end.
                self.exchange = None;
                resume_unwind(panic)
            }
        }
    }
}

impl Body for Driver {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            {
                let mut state = self.slot.state.lock();
                if let Some(bytes) = state.frame.take() {
                    if std::mem::take(&mut state.more) {
                        self.slot.woken.store(true, Ordering::Release);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                // The rest of the exchange delays no client: it begins when the body is dropped.
                if state.ended {
                    return Poll::Ready(None);
                }
            }
            let done = self.poll_exchange(cx).is_ready();
            let state = self.slot.state.lock();
            if state.frame.is_none() && !state.ended {
                return if done {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                };
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let Some(exchange) = self.exchange.take() else {
            return;
        };
        let ended = {
            let state = self.slot.state.lock();
            state.ended && state.frame.is_none()
        };
        if !ended {
            self.slot.gone.store(true, Ordering::Release);
        }
        self.slot.left.store(true, Ordering::Release);
        // Whoever polled the response has nothing to wait for any more.
        self.slot.poller.take();
        self.tasks.spawn_on(exchange, &self.runtime);
    }
}

/// What a client has that reads a response to its end.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `None`: it was longer than the client would take.
    pub(super) body: Option<Bytes>,
}

/// Runs an exchange to its end without a task, and takes what it sends. A client that has taken more than `most` bytes leaves.
pub(super) async fn receive<F: Future>(
    exchange: impl FnOnce(ResponseSink) -> F,
    most: usize,
) -> (Received, F::Output) {
    let slot = Arc::new(Slot::default());
    let mut exchange = std::pin::pin!(exchange(ResponseSink(slot.clone())));
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    let mut body = BytesMut::new();
    let output = poll_fn(|cx| {
        loop {
            let polled = exchange.as_mut().poll(cx);
            let mut state = slot.state.lock();
            if let Some(head) = state.head.take() {
                let (parts, whole) = head.into_parts();
                (status, headers) = (parts.status, parts.headers);
                body.extend(whole);
            }
            let frame = state.frame.take();
            let over = state.ended;
            drop(state);
            let took = frame.is_some();
            body.extend(frame);
            if polled.is_ready() {
                return polled;
            }
            let gone = body.len() > most;
            slot.gone.store(gone, Ordering::Release);
            let left = slot.left.swap(over || gone, Ordering::AcqRel);
            if !took && left == (over || gone) {
                return Poll::Pending;
            }
        }
    })
    .await;
    let body = (body.len() <= most).then(|| body.freeze());
    let received = Received {
        status,
        headers,
        body,
    };
    (received, output)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

    use super::*;

    /// A response whose frames are what is sent, and how often its future was polled.
    async fn driven(
        mut frames: mpsc::UnboundedReceiver<&'static str>,
    ) -> (axum::body::Body, Arc<AtomicUsize>) {
        let polls = Arc::<AtomicUsize>::default();
        let counted = polls.clone();
        let driver = Driver::new(&TaskTracker::new(), None, |sink| {
            let exchange = async move {
                sink.head(Response::new(()));
                while let Some(frame) = frames.recv().await {
                    let sent = sink.frame(frame.into()).await;
                    sent.expect("the client is there");
                }
                sink.end();
            };
            let mut exchange = Box::pin(exchange);
            poll_fn(move |cx| {
                counted.fetch_add(1, Ordering::Relaxed);
                exchange.as_mut().poll(cx)
            })
        });
        (driver.response().await.into_body(), polls)
    }

    /// What the body has now, asked so many times.
    fn asked(body: &mut axum::body::Body, times: usize) -> Vec<Bytes> {
        let cx = &mut Context::from_waker(Waker::noop());
        let frames = (0..times).filter_map(|_| match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
            _ => None,
        });
        frames.collect()
    }

    #[tokio::test]
    async fn only_a_poll_with_a_cause_reaches_the_exchange() {
        let (send, frames) = mpsc::unbounded_channel();
        let (mut body, polls) = driven(frames).await;
        let before = polls.load(Ordering::Relaxed);
        assert!(asked(&mut body, 5).is_empty());
        assert_eq!(polls.load(Ordering::Relaxed), before);
        send.send("one").expect("it is waited for");
        assert_eq!(asked(&mut body, 5), ["one"]);
        assert_eq!(polls.load(Ordering::Relaxed), before + 1);
    }

    /// How often it was woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn what_the_exchange_waited_for_wakes_who_polled_last() {
        let (send, frames) = mpsc::unbounded_channel();
        let (mut body, _) = driven(frames).await;
        let pollers = [(); 2].map(|()| Arc::<Wakes>::default());
        for poller in &pollers {
            let waker = Waker::from(poller.clone());
            let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        send.send("one").expect("it is waited for");
        assert_eq!(
            pollers.map(|poller| poller.0.load(Ordering::Relaxed)),
            [0, 1]
        );
        assert_eq!(asked(&mut body, 1), ["one"]);
    }

    #[tokio::test]
    async fn frames_that_waited_for_room_follow_without_a_wake() {
        let (send, frames) = mpsc::unbounded_channel();
        let (mut body, _) = driven(frames).await;
        for frame in ["one", "two", "three"] {
            send.send(frame).expect("it is waited for");
        }
        assert_eq!(asked(&mut body, 3), ["one", "two", "three"]);
        drop(send);
        let rest = body.collect().await.expect("it ends");
        assert!(rest.to_bytes().is_empty());
    }
}
