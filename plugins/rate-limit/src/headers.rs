//! What a client is told of its limits: in Cerebras's words, `x-ratelimit-limit-requests-minute` and its like.

use witgate_policy::request;

use crate::limit::{Limit, Room};

/// A stage may put 16 headers, and a limit has three.
const SHOWN: usize = 5;

/// Tells of each limit, and of those that count the same over the same time of the one that has least left.
pub(crate) fn tell(limits: &[&Limit], rooms: &[Room]) {
    let mut told: Vec<(String, &Limit, Room)> = Vec::new();
    for (limit, room) in limits.iter().zip(rooms) {
        let label = limit.label();
        match told.iter_mut().find(|(there, ..)| *there == label) {
            Some(least) if room.left < least.2.left => *least = (label, limit, *room),
            Some(_) => {}
            None => told.push((label, limit, *room)),
        }
    }
    for (label, limit, room) in told.iter().take(SHOWN) {
        put("limit", label, limit.shown());
        put("remaining", label, room.left);
        put("reset", label, room.full_in.into());
    }
}

fn put(what: &str, label: &str, value: i64) {
    // What can't be told is counted all the same.
    let _ = request::answer_header(&format!("x-ratelimit-{what}-{label}"), &value.to_string());
}
