//! JSON pointers (RFC 6901) as paths into a request's body.

use std::collections::{BTreeMap, BTreeSet};

use super::node::Node;
use crate::json::{MAX_DEPTH, cut};

/// One step of a pointer, resolved. Ordered so that in one array the later element is the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Removes those array elements. Of two arrays, one in the other, the inner has its turn first, while its path still leads
/// to it.
pub(super) fn purge(tree: &mut Node, body: &[u8], removed: impl IntoIterator<Item = Vec<Step>>) {
    let mut arrays = BTreeMap::<Vec<Step>, BTreeSet<usize>>::new();
    for mut path in removed {
        if let Some(Step::Index(index)) = path.pop() {
            arrays.entry(path).or_default().insert(index);
        }
    }
    for (path, gone) in arrays.iter().rev() {
        if let Some(Node::Array(items)) = at(tree, body, path).map(|node| node.open(body)) {
            let mut index = 0..;
            items.retain(|_| index.next().is_some_and(|index| !gone.contains(&index)));
        }
    }
}

/// What is at that path, if it leads anywhere.
pub(super) fn at<'n>(tree: &'n mut Node, body: &[u8], path: &[Step]) -> Option<&'n mut Node> {
    path.iter()
        .try_fold(tree, |node, step| match (node.open(body), step) {
            (Node::Object(members), Step::Key(name)) => members.get_mut(body, name),
            (Node::Array(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        })
}

/// The parts of a JSON pointer.
pub(crate) fn tokens(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(format!(
            "`{}` is no JSON pointer: it must begin with `/`",
            cut(pointer)
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
pub(crate) fn index(token: &str) -> Option<usize> {
    if token.starts_with('+') || (token.starts_with('0') && token.len() > 1) {
        return None;
    }
    token.parse().ok()
}
