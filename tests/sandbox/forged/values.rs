//! Values that a type doesn't have, and too much of those that it has.

use witgate::policy::Class;
use witgate::policy::types::Hooks;

use super::{ends, ends_well, listed, loaded, unloaded};

#[tokio::test]
async fn huge_lists() {
    ends("huge-lists", "").await;
}

#[tokio::test]
async fn huge_lists_to_the_host() {
    ends("huge-lists-to-the-host", "").await;
}

#[tokio::test]
async fn long_name() {
    unloaded(
        "long-name",
        "describe",
        Class::Output,
        "its name is longer than 64 bytes",
    )
    .await;
}

#[tokio::test]
async fn name_with_a_line_break() {
    unloaded(
        "name-with-a-line-break",
        "describe",
        Class::Output,
        "control characters",
    )
    .await;
}

#[tokio::test]
async fn edit_that_is_none() {
    ends("edit-that-is-none", "discriminant").await;
}

#[tokio::test]
async fn verdict_that_is_none() {
    ends("verdict-that-is-none", "discriminant").await;
}

#[tokio::test]
async fn channel_that_is_none() {
    ends("channel-that-is-none", "discriminant").await;
}

#[tokio::test]
async fn level_that_is_none() {
    ends("level-that-is-none", "discriminant").await;
}

/// Flags that this contract doesn't know mean nothing.
#[tokio::test]
async fn hooks_that_are_none() {
    ends_well("hooks-that-are-none").await;
    let (_, _, policies) = listed("hooks-that-are-none");
    assert_eq!(loaded(&policies()[0]).await.stage.hooks(), Hooks::all());
}
