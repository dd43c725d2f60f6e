//! A streamed answer from the upstream to the client, until one of them ends.

use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::{StreamExt as _, poll};
use tokio::time::{Instant, timeout_at};

use super::{AnswerStream, StreamError};
use crate::api::ApiError;
use crate::exchange::client::Client;
use crate::exchange::driver::ClientGone;
use crate::exchange::passages::Aborted;
use crate::exchange::stage_run::Passage;
use crate::exchange::upstream::Upstream;
use crate::exchange::{Exchange, errors, told};
use crate::policy::types::Ending;
use crate::upstream::{Answer, AnswerBody, BodyError};

/// What the pump woke up for.
enum Next {
    Bytes(Bytes),
    Over,
    Broke(BodyError),
    /// The head has waited for long enough.
    Head,
}

impl<U: Upstream> Exchange<U> {
    /// A streamed answer, through the stages.
    pub(in crate::exchange) async fn stream(
        &mut self,
        answer: Answer,
    ) -> Result<Ending, ClientGone> {
        self.client.begin(answer.passed_on());
        let mut stream =
            AnswerStream::new(self.dialect(), answer.unknown_members).without(answer.secret());
        let ended = self.pump(&mut stream, answer.into_body()).await;
        self.record.streamed(stream.facts(), stream.deltas());
        ended
    }

    async fn pump(
        &mut self,
        stream: &mut AnswerStream<Passage>,
        mut body: AnswerBody,
    ) -> Result<Ending, ClientGone> {
        let choices = self.stages.request().body.n() as usize;
        loop {
            let waited = Instant::now();
            let next = wait(&self.client, &mut body).await?;
            self.record.waited_since(waited);
            let mut over = false;
            let mut read = None;
            let step = match next {
                Next::Head => {
                    self.client.send_head(|| told(&self.stages, &self.record));
                    continue;
                }
                Next::Broke(error) => {
                    let meta = &self.stages.request().meta;
                    tracing::warn!(
                        target: "witgate::exchange::run",
                        request = %meta.id, principal = meta.principal(), team = meta.team(), roles = meta.roles(),
                        "an answer broke off: {error}"
                    );
                    return self.cut(error.into(), Ending::UpstreamFailed).await;
                }
                Next::Bytes(bytes) => {
                    read = Some(bytes.clone());
                    stream.read(&mut self.stages, bytes).await
                }
                Next::Over => {
                    over = true;
                    stream.end(&mut self.stages).await
                }
            };
            if !self.client.began() {
                // Nothing has gone: what ends the stream is the whole answer.
                if let Err(StreamError::Stage(stage)) = step {
                    return Ok(self.failed(Aborted(stage)));
                }
                if let Some(ended) = self.denied_wholly(stream.assembled(), choices) {
                    return Ok(ended);
                }
            }
            // After a failure, too: what had passed every stage before it still goes.
            if let Some(bytes) = stream.take(read.as_ref()) {
                self.send(bytes).await?;
            }
            match step {
                Ok(()) if stream.has_enough(choices) => {
                    // Dropping the body cancels the request upstream.
                    drop(body);
                    if !stream.facts().done {
                        self.send(self.dialect().end()).await?;
                    }
                    self.record.used(stream.facts());
                    self.end().await?;
                    let denied = stream.assembled().denial_of_all(choices).is_some();
                    return Ok(match denied {
                        true => Ending::Denied,
                        false => Ending::Completed,
                    });
                }
                Ok(()) if over || stream.facts().done && !stream.is_complete(choices) => {
                    self.record.used(stream.facts());
                    return self.over(stream.is_complete(choices)).await;
                }
                Ok(()) => {}
                Err(StreamError::Said) => {
                    self.end().await?;
                    return Ok(Ending::UpstreamFailed);
                }
                Err(StreamError::Stage(stage)) => {
                    let error = self.failure(Aborted(stage));
                    return self.cut(error, Ending::Faulted).await;
                }
                Err(StreamError::NotAChunk(error)) => {
                    let error = errors::unreadable(&error);
                    return self.cut(error, Ending::UpstreamFailed).await;
                }
                Err(StreamError::OutOfTurn(error)) => {
                    let error = errors::unreadable(&error);
                    return self.cut(error, Ending::UpstreamFailed).await;
                }
                Err(StreamError::NotEvents) => {
                    let why = "it has bytes that are no lines of server-sent events in UTF-8";
                    return self
                        .cut(errors::unreadable(&why), Ending::UpstreamFailed)
                        .await;
                }
                Err(StreamError::TooLong(error)) => {
                    let error = errors::unreadable(&error);
                    return self.cut(error, Ending::UpstreamFailed).await;
                }
            }
        }
    }

    /// The upstream's bytes are over: well, if it said so or every choice has finished.
    async fn over(&mut self, complete: bool) -> Result<Ending, ClientGone> {
        if !complete {
            let error = BodyError::Broken("it ended before its finish".into());
            return self.cut(error.into(), Ending::UpstreamFailed).await;
        }
        self.end().await?;
        Ok(Ending::Completed)
    }

    /// Ends a stream with an error: as the answer's status if nothing has gone out, else as an event.
    async fn cut(&mut self, error: ApiError, ended: Ending) -> Result<Ending, ClientGone> {
        if !self.client.began() {
            return Ok(self.refuse(error, ended));
        }
        let event = self.dialect().error_event(&errors::event(&error));
        self.send(event).await?;
        self.end().await?;
        Ok(ended)
    }
}

/// The next bytes, or whatever comes before them. A timer is armed only while the head waits.
async fn wait(client: &Client, body: &mut AnswerBody) -> Result<Next, ClientGone> {
    let next = async {
        match body.next().await {
            Some(Ok(bytes)) => Next::Bytes(bytes),
            Some(Err(error)) => Next::Broke(error),
            None => Next::Over,
        }
    };
    let next = pin!(next);
    let mut next = pin!(client.unless_gone(next));
    let Some(until) = client.head_leaves() else {
        return next.await;
    };
    if let Poll::Ready(ready) = poll!(next.as_mut()) {
        return ready;
    }
    timeout_at(until, next).await.unwrap_or(Ok(Next::Head))
}
