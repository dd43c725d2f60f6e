//! Misdeeds that Rust can't do: policies written as core WebAssembly.

use crate::support::forge::Forged;
use crate::support::{Loaded, load, plan};

/// A policy that replaces the first segment, and proceeds.
pub(crate) async fn policy_that_edits() -> Loaded {
    let forged = Forged {
        imports: r#"(import "witgate:policy/request@0.1.0" "replace-segment" (func $replace (param i32 i32 i32)))"#.into(),
        extra: r#"(data (i32.const 2048) "edited")"#.into(),
        on_request: "(call $replace (i32.const 0) (i32.const 2048) (i32.const 6)) (i32.const 1152)".into(),
        ..Forged::default()
    };
    load(plan(&serde_json::json!({})), &forged.component())
        .await
        .unwrap()
}
