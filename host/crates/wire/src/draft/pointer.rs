//! JSON pointers (RFC 6901) as paths into a request's body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::json::MAX_DEPTH;

/// One step of a pointer, resolved. Ordered so that in one array the later element is the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Removes those array elements. Of two arrays, one in the other, the inner has its turn first, while its path still leads
/// to it.
pub(super) fn purge(body: &mut Value, removed: impl IntoIterator<Item = Vec<Step>>) {
    let mut arrays = BTreeMap::<Vec<Step>, BTreeSet<usize>>::new();
    for mut path in removed {
        if let Some(Step::Index(index)) = path.pop() {
            arrays.entry(path).or_default().insert(index);
        }
    }
    for (path, gone) in arrays.iter().rev() {
        if let Some(Value::Array(items)) = walk_to(body, path) {
            let mut index = 0..;
            items.retain(|_| index.next().is_some_and(|index| !gone.contains(&index)));
        }
    }
}

pub(super) fn at<'v>(body: &'v mut Arc<Value>, path: &[Step]) -> Option<&'v mut Value> {
    walk_to(Arc::make_mut(body), path)
}

pub(super) fn walk_to<'v>(body: &'v mut Value, path: &[Step]) -> Option<&'v mut Value> {
    path.iter().try_fold(body, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

/// The parts of a JSON pointer.
pub(super) fn tokens(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(format!(
            "`{pointer}` is no JSON pointer: it must begin with `/`"
        ));
    };
    // One more than may be is enough to say that they are too many.
    Ok(rest
        .split('/')
        .take(MAX_DEPTH + 1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect())
}

/// An array index as RFC 6901 writes it.
pub(super) fn index(token: &str) -> Option<usize> {
    if token.starts_with('+') || (token.starts_with('0') && token.len() > 1) {
        return None;
    }
    token.parse().ok()
}
