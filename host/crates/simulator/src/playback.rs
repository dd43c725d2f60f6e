//! Response bodies: a stream played back in time, a whole answer that breaks off, and either one dribbled byte by byte.
//!
//! A stream has no task of its own. It writes each event when hyper asks for it and the event is due; dues are counted
//! from the stream's start, so a late event doesn't make the next one late.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::pieces::{Break, Piece};
use super::plan::Choice;
use super::recorder::Underway;
use super::refusal::STREAM_ERROR;
use super::render::Envelope;

/// An answer to be streamed.
pub(super) struct Script {
    pub(super) envelope: Envelope,
    pub(super) choices: Vec<Choice>,
    pub(super) pieces: Vec<Piece>,
    pub(super) breaks: Option<(usize, Break)>,
    /// Tokens per second; `None` sends all events at once.
    pub(super) pace: Option<f64>,
    /// Lines end in CR LF, and comments stand between events.
    pub(super) crlf: bool,
    /// Whether `[DONE]` ends it.
    pub(super) done: bool,
}

/// A [`Script`] that is being played.
pub(super) struct Playback {
    script: Script,
    underway: Underway,
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The sleep for the next event is over, so the event is due.
    slept: bool,
    next: usize,
    state: State,
    out: BytesMut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Playing,
    /// The bytes written so far must be flushed before the connection breaks.
    Breaking,
    Over,
}

type Polled = Poll<Option<Result<Frame<Bytes>, io::Error>>>;

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the simulator cut the connection",
    )
}

impl Playback {
    pub(super) fn new(script: Script, underway: Underway) -> Self {
        Self {
            script,
            underway,
            start: Instant::now(),
            sleep: None,
            slept: false,
            next: 0,
            state: State::Playing,
            out: BytesMut::new(),
        }
    }

    /// Waits until the event `next` is due.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (Some(pace), Some(piece)) = (self.script.pace, self.script.pieces.get(self.next))
        else {
            return Poll::Ready(());
        };
        if self.slept {
            return Poll::Ready(());
        }
        let due = self.start + Duration::from_secs_f64(piece.due / pace);
        if Instant::now() >= due {
            return Poll::Ready(());
        }
        match &mut self.sleep {
            Some(sleep) if sleep.deadline() != due => sleep.as_mut().reset(due),
            Some(_) => {}
            none => *none = Some(Box::pin(tokio::time::sleep_until(due))),
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(context));
            self.slept = true;
        }
        Poll::Ready(())
    }

    /// Frames what `write` puts out as one event.
    fn event(&mut self, write: impl FnOnce(&mut BytesMut, &Script)) -> Polled {
        self.out.reserve(1024);
        if self.script.crlf {
            self.out.put_slice(b": simulated\r\n\r\n");
        }
        self.out.put_slice(b"data: ");
        write(&mut self.out, &self.script);
        let end: &[u8] = if self.script.crlf {
            b"\r\n\r\n"
        } else {
            b"\n\n"
        };
        self.out.put_slice(end);
        Poll::Ready(Some(Ok(Frame::data(self.out.split().freeze()))))
    }

    fn finish(&mut self) {
        self.state = State::Over;
        self.underway.finish();
    }

    fn broken_at(&self) -> Option<Break> {
        let (at, how) = self.script.breaks?;
        (at == self.next).then_some(how)
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        match this.state {
            State::Over => return Poll::Ready(None),
            State::Breaking => {
                this.finish();
                return Poll::Ready(Some(Err(broken())));
            }
            State::Playing => {}
        }
        match this.broken_at() {
            Some(Break::Stall) => return Poll::Pending,
            Some(Break::Cut) => {
                // Returning `Pending` once makes hyper flush the events before this one.
                this.state = State::Breaking;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Break::Error) => {
                this.finish();
                return this.event(|out, _| out.put_slice(STREAM_ERROR.as_bytes()));
            }
            Some(Break::Junk) => {
                this.script.breaks = None;
                return this.event(|out, _| out.put_slice(br#"{"id":"chatcmpl-"#));
            }
            None => {}
        }
        ready!(this.poll_due(context));
        this.slept = false;
        let at = this.next;
        this.next += 1;
        let Some(piece) = this.script.pieces.get(at).copied() else {
            this.finish();
            return this.event(|out, _| out.put_slice(b"[DONE]"));
        };
        let last = this.next == this.script.pieces.len();
        if last && !this.script.done {
            this.finish();
        }
        this.event(|out, script| script.envelope.event(out, &script.choices, piece, last))
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Over
    }
}

/// Half of a whole answer, and then an error or silence.
pub(super) struct Torn {
    half: Option<Bytes>,
    stalls: bool,
    state: State,
    underway: Underway,
}

impl Torn {
    pub(super) fn new(mut whole: Bytes, stalls: bool, underway: Underway) -> Self {
        Self {
            half: Some(whole.split_to(whole.len() / 2)),
            stalls,
            state: State::Playing,
            underway,
        }
    }
}

impl Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        match self.state {
            _ if self.stalls => Poll::Pending,
            State::Playing => {
                self.state = State::Breaking;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            State::Breaking => {
                self.state = State::Over;
                self.underway.finish();
                Poll::Ready(Some(Err(broken())))
            }
            State::Over => Poll::Ready(None),
        }
    }
}

/// Another body's bytes, one a frame, each flushed before the next.
pub(super) struct Dribble<B> {
    inner: B,
    left: Bytes,
    flush: bool,
}

impl<B> Dribble<B> {
    pub(super) fn new(inner: B) -> Self {
        Self {
            inner,
            left: Bytes::new(),
            flush: false,
        }
    }
}

impl<B> Body for Dribble<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if std::mem::take(&mut this.flush) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while this.left.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => this.left = frame.into_data().unwrap_or_default(),
                other => return Poll::Ready(other),
            }
        }
        let byte = this.left.slice(..1);
        this.left.advance(1);
        this.flush = true;
        Poll::Ready(Some(Ok(Frame::data(byte))))
    }
}
