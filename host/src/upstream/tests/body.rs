//! The body's time limits, with time paused and no network. Only the time in which a reader waits counts.

use super::super::answer::{AnswerBody, streamed};
use super::super::beginning::{Begins, ReadsBeginning};
use super::super::failure::BodyError;
use crate::api::{ApiError, Charge, Memory, Party, Share};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, advance, sleep};

const FIRST: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(3);

/// A body that yields what is sent, and ends when the sender is dropped.
fn body() -> (UnboundedSender<&'static str>, AnswerBody) {
    let (sender, receiver) = unbounded_channel::<&'static str>();
    let stream = unfold(receiver, |mut receiver| async {
        let text = receiver.recv().await?;
        let chunk = match text {
            "!" => Err(std::io::Error::other("cut")),
            text => Ok(Bytes::from_static(text.as_bytes())),
        };
        Some((chunk, receiver))
    });
    let inner = streamed(stream);
    let body = AnswerBody::new(inner, Instant::now() + FIRST, FIRST, SILENCE);
    (sender, body)
}

#[tokio::test(start_paused = true)]
async fn the_first_chunk_has_the_first_bytes_time() {
    let (sender, mut body) = body();
    let start = Instant::now();
    assert_eq!(
        body.next().await,
        Some(Err(BodyError::FirstTokenTimeout(FIRST)))
    );
    assert_eq!(start.elapsed(), FIRST);
    assert_eq!(body.next().await, None);
    assert!(sender.is_closed(), "the target is let go");
}

#[tokio::test(start_paused = true)]
async fn silence_counts_from_each_chunk_anew() {
    let (sender, mut body) = body();
    tokio::spawn(async move {
        for _ in 0..5 {
            sleep(SILENCE - Duration::from_millis(1)).await;
            sender.send("x").unwrap();
        }
        sender.closed().await;
    });
    for _ in 0..5 {
        assert_eq!(body.next().await, Some(Ok("x".into())));
    }
    let start = Instant::now();
    assert_eq!(body.next().await, Some(Err(BodyError::Silence(SILENCE))));
    assert_eq!(start.elapsed(), SILENCE);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_the_targets_silence() {
    let (sender, mut body) = body();
    sender.send("a").unwrap();
    assert_eq!(body.next().await, Some(Ok("a".into())));
    // The reader pauses for longer than any silence limit. Then the next chunk is a little late.
    advance(SILENCE * 10).await;
    let writer = tokio::spawn(async move {
        sleep(SILENCE / 2).await;
        sender.send("b").unwrap();
    });
    assert_eq!(body.next().await, Some(Ok("b".into())));
    writer.await.unwrap();
    assert_eq!(body.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_beginning_has_the_first_tokens_time_too() {
    let (sender, mut body) = body();
    assert_eq!(body.begin().await, Err(BodyError::FirstTokenTimeout(FIRST)));
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_cut_body_is_an_error_and_then_over() {
    let (sender, mut body) = body();
    sender.send("a").unwrap();
    sender.send("!").unwrap();
    assert_eq!(body.next().await, Some(Ok("a".into())));
    let cut = body.next().await;
    assert!(
        matches!(&cut, Some(Err(BodyError::Broken(why))) if why.contains("cut")),
        "{cut:?}"
    );
    assert_eq!(body.next().await, None);
}

#[tokio::test]
async fn a_whole_body_has_a_cap() {
    for (chunks, cap, expected) in [
        (&["ab", "cd", "ef"][..], 6, Ok("abcdef")),
        (&["ab", "cd", "ef"][..], 5, Err(BodyError::TooLarge(5))),
        (&["abc"][..], 3, Ok("abc")),
        (&["abc"][..], 2, Err(BodyError::TooLarge(2))),
        (&[][..], 0, Ok("")),
    ] {
        let (sender, body) = body();
        for chunk in chunks {
            sender.send(chunk).unwrap();
        }
        drop(sender);
        assert_eq!(
            body.whole(cap, &mut Charge::unbound()).await,
            expected.map(Bytes::from)
        );
    }
}

#[tokio::test]
async fn a_whole_body_is_charged_before_it_is_kept() {
    let used = Gauge::default();
    let memory = Memory::new(20, Share(100), used.clone(), Counter::default());
    let mut charge = memory.charge(&Party::Anyone);
    for (chunks, fits) in [(&["ab", "cd"][..], true), (&["e", "f"][..], false)] {
        let (sender, body) = body();
        for chunk in chunks {
            sender.send(chunk).unwrap();
        }
        drop(sender);
        match body.whole(100, &mut charge).await {
            Ok(_) => assert!(fits),
            Err(error) => {
                assert!(!fits);
                assert_eq!(ApiError::from(error).status, 503);
            }
        }
    }
    assert_eq!(used.get(), 4 * 5);
    drop(charge);
    assert_eq!(used.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_of_it_has_a_time_too_however_well_it_goes() {
    let (sender, body) = body();
    let asked = Instant::now();
    let total = 2 * SILENCE;
    let mut body = body.within(asked, total);
    for _ in 0..2 {
        sender.send("a").unwrap();
        assert!(body.next().await.unwrap().is_ok());
        sleep(SILENCE - Duration::from_secs(1)).await;
    }
    assert_eq!(body.next().await, Some(Err(BodyError::Deadline(total))));
    assert_eq!(asked.elapsed(), total);
    assert_eq!(body.next().await, None);
}

/// Such a body, whose content is what isn't a comment.
fn stream() -> (UnboundedSender<&'static str>, AnswerBody) {
    let (sender, mut body) = body();
    body.begins_by(ReadsBeginning::with(|bytes| match &bytes[..] {
        [b':', ..] => Begins::NotYet,
        b"error" => Begins::Error(bytes.clone()),
        _ => Begins::Content,
    }));
    (sender, body)
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_connection_alive_is_no_first_token() {
    for waits in [false, true] {
        let (sender, mut body) = stream();
        let start = Instant::now();
        tokio::spawn(async move {
            while sender.send(":").is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let late = BodyError::FirstTokenTimeout(FIRST);
        if waits {
            assert_eq!(body.begin().await, Err(late));
        } else {
            let mut last = body.next().await;
            while let Some(Ok(comment)) = &last {
                assert_eq!(comment, ":");
                last = body.next().await;
            }
            assert_eq!(last, Some(Err(late)));
        }
        assert_eq!(start.elapsed(), FIRST);
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_first_content_is_not_lost() {
    let (sender, mut body) = stream();
    for piece in [":1", ":2", "a", ":3"] {
        sender.send(piece).unwrap();
    }
    assert_eq!(body.begin().await, Ok(None));
    assert_eq!(body.begin().await, Ok(None));
    for piece in [":1", ":2", "a", ":3"] {
        assert_eq!(body.next().await, Some(Ok(piece.into())));
    }
    // From here on it is silence that counts, whatever comes.
    assert_eq!(body.next().await, Some(Err(BodyError::Silence(SILENCE))));
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_loses_nothing() {
    let (sender, mut body) = stream();
    sender.send(":1").unwrap();
    let wait = tokio::time::timeout(Duration::from_millis(50), body.begin());
    assert!(wait.await.is_err());
    sender.send("error").unwrap();
    assert_eq!(body.begin().await, Ok(Some("error".into())));
    assert_eq!(body.next().await, Some(Ok(":1".into())));
    assert_eq!(body.next().await, Some(Ok("error".into())));
}

#[tokio::test(start_paused = true)]
async fn a_beginning_without_content_is_kept_up_to_a_bound() {
    let (sender, mut body) = stream();
    let comment: &str = Box::leak(format!(":{}", "x".repeat(1 << 10)).into_boxed_str());
    for _ in 0..100 {
        sender.send(comment).unwrap();
    }
    assert_eq!(body.begin().await, Ok(None));
    drop(sender);
    let mut came = 0;
    while let Some(Ok(_)) = body.next().await {
        came += 1;
    }
    assert_eq!(came, 100);
}
