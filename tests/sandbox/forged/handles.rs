//! Handles that it never had, gave away, or dropped.

use super::{ends, ends_well};

#[tokio::test]
async fn forged_exchange() {
    ends("forged-exchange", "unknown handle index 99").await;
}

#[tokio::test]
async fn forged_passage() {
    ends("forged-passage", "unknown handle index 77").await;
}

#[tokio::test]
async fn passage_given_twice() {
    ends("passage-given-twice", "unknown handle index").await;
}

#[tokio::test]
async fn passage_dropped_and_given() {
    ends("passage-dropped-and-given", "unknown handle index").await;
}

#[tokio::test]
async fn passage_dropped_twice() {
    ends("passage-dropped-twice", "unknown handle index").await;
}

#[tokio::test]
async fn exchange_given_as_a_passage() {
    ends("exchange-given-as-a-passage", "wrong type").await;
}

#[tokio::test]
async fn passages_kept() {
    ends_well("passages-kept").await;
}
