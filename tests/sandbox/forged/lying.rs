//! Where what it hands over lies, and what is no text.

use witgate::policy::Class;

use super::{ends, ends_well, unloaded};

#[tokio::test]
async fn realloc_out_of_bounds() {
    unloaded(
        "realloc-out-of-bounds",
        "configure",
        Class::Output,
        "realloc return",
    )
    .await;
}

#[tokio::test]
async fn realloc_at_an_odd_address() {
    ends("realloc-at-an-odd-address", "aligned").await;
}

/// It overwrites what is its own, and that is all.
#[tokio::test]
async fn realloc_at_the_same_address() {
    ends_well("realloc-at-the-same-address").await;
}

#[tokio::test]
async fn string_out_of_bounds() {
    ends("string-out-of-bounds", "out of bounds").await;
}

#[tokio::test]
async fn result_out_of_bounds() {
    ends("result-out-of-bounds", "").await;
}

#[tokio::test]
async fn result_at_an_odd_address() {
    ends("result-at-an-odd-address", "aligned").await;
}

#[tokio::test]
async fn denial_out_of_bounds() {
    ends("denial-out-of-bounds", "out of bounds").await;
}

#[tokio::test]
async fn denial_of_an_edit_out_of_bounds() {
    ends("denial-of-an-edit-out-of-bounds", "out of bounds").await;
}

#[tokio::test]
async fn response_out_of_bounds() {
    ends("response-out-of-bounds", "out of bounds").await;
}

#[tokio::test]
async fn description_out_of_bounds() {
    unloaded(
        "description-out-of-bounds",
        "describe",
        Class::Output,
        "out of bounds",
    )
    .await;
}

#[tokio::test]
async fn schema_out_of_bounds() {
    unloaded(
        "schema-out-of-bounds",
        "describe",
        Class::Output,
        "out of bounds",
    )
    .await;
}

#[tokio::test]
async fn refusal_out_of_bounds() {
    unloaded(
        "refusal-out-of-bounds",
        "configure",
        Class::Output,
        "out of bounds",
    )
    .await;
}

#[tokio::test]
async fn invalid_utf8_in_an_edit() {
    ends("invalid-utf8-in-an-edit", "utf-8").await;
}

#[tokio::test]
async fn invalid_utf8_in_a_denial() {
    ends("invalid-utf8-in-a-denial", "utf-8").await;
}

#[tokio::test]
async fn invalid_utf8_in_a_description() {
    unloaded(
        "invalid-utf8-in-a-description",
        "describe",
        Class::Output,
        "utf-8",
    )
    .await;
}

#[tokio::test]
async fn invalid_utf8_in_a_refusal() {
    unloaded(
        "invalid-utf8-in-a-refusal",
        "configure",
        Class::Output,
        "utf-8",
    )
    .await;
}

#[tokio::test]
async fn invalid_utf8_to_the_host() {
    ends("invalid-utf8-to-the-host", "utf-8").await;
}

#[tokio::test]
async fn out_of_bounds_to_the_host() {
    ends("out-of-bounds-to-the-host", "out of bounds").await;
}

#[tokio::test]
async fn answer_of_the_host_out_of_bounds() {
    ends("answer-of-the-host-out-of-bounds", "").await;
}
