//! The client's side of a stream: the head leaves with the first frame, or soon.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::driver::{Gone, Out};
use super::heads;
use super::stages::Stages;
use crate::generation::Generation;
use crate::upstream::{AnswerBody, BodyError};

/// How long a stream's head waits for its first frame, so that both leave together.
pub(super) const HEAD_WAIT: Duration = Duration::from_millis(50);

/// What the pump woke up for.
pub(super) enum Next {
    Bytes(Bytes),
    Over,
    Broke(BodyError),
    /// The head has waited for long enough.
    Head,
    /// Held text is late.
    Expired,
}

/// A stream to the client.
pub(super) struct Sending<'a> {
    pub(super) out: &'a Out,
    head: Option<http::Response<()>>,
    until: Instant,
    /// Bytes sent so far.
    pub(super) bytes: u64,
}

impl<'a> Sending<'a> {
    pub(super) fn new(out: &'a Out, head: http::Response<()>) -> Self {
        Sending {
            out,
            head: Some(head),
            until: Instant::now() + HEAD_WAIT,
            bytes: 0,
        }
    }

    /// Whether anything has gone out.
    pub(super) fn began(&self) -> bool {
        self.head.is_none()
    }

    /// Sends the head, unless it has gone.
    pub(super) fn send_head(&mut self, live: &Generation, stages: &Stages, target: Option<&str>) {
        if let Some(mut head) = self.head.take() {
            heads::told(head.headers_mut(), live, stages, target);
            self.out.head(head);
        }
    }

    /// Sends a frame; the first one together with the head.
    pub(super) fn send(
        &mut self,
        live: &Generation,
        stages: &Stages,
        target: Option<&str>,
        bytes: Bytes,
    ) -> impl Future<Output = Result<(), Gone>> + use<'a> {
        self.bytes += bytes.len() as u64;
        let out = self.out;
        let later = match self.head.take() {
            Some(mut head) => {
                heads::told(head.headers_mut(), live, stages, target);
                out.first(head, bytes);
                None
            }
            None => Some(bytes),
        };
        async move {
            match later {
                Some(bytes) => out.frame(bytes).await,
                None if out.is_gone() => Err(Gone),
                None => Ok(()),
            }
        }
    }

    /// The next bytes, or whatever comes before them. A timer is armed only where there is something to wait for.
    pub(super) async fn wait(
        &self,
        body: &mut AnswerBody,
        expiry: Option<Instant>,
    ) -> Result<Next, Gone> {
        let until = match (self.head.is_some().then_some(self.until), expiry) {
            (None, None) => None,
            (Some(head), Some(held)) if held < head => Some((held, Next::Expired)),
            (Some(head), _) => Some((head, Next::Head)),
            (None, Some(held)) => Some((held, Next::Expired)),
        };
        let next = async {
            match body.next().await {
                Some(Ok(bytes)) => Next::Bytes(bytes),
                Some(Err(error)) => Next::Broke(error),
                None => Next::Over,
            }
        };
        let mut next = std::pin::pin!(self.out.unless_gone(next));
        let Some((until, then)) = until else {
            return next.await;
        };
        if let std::task::Poll::Ready(ready) = futures_util::poll!(next.as_mut()) {
            return ready;
        }
        tokio::time::timeout_at(until, next)
            .await
            .unwrap_or(Ok(then))
    }
}
