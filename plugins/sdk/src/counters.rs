//! The grant `counters`: sums in windows of time, which all exchanges of the stage share. A component that uses this module needs the
//! grant.
//!
//! ```
//! use witgate_policy::{Denial, Verdict, counters};
//!
//! /// A hundred requests an hour for each client.
//! fn on_request(principal: &str) -> Verdict {
//!     match counters::take(principal, 1, 3600, 100) {
//!         Ok(Some(_)) => Verdict::Proceed,
//!         Ok(None) => Verdict::deny("rate.exceeded", "This hour's requests are used up."),
//!         // What guards something and can't count lets nothing through.
//!         Err(why) => Verdict::deny("rate.unknown", &why),
//!     }
//! }
//! ```

use crate::imports::counters as host_side;

/// Adds to the sum of the window that the request came in, and returns it. 0 reads; a negative amount gives back. A window is
/// `window_seconds` long, from 1 to 366 days, and aligned to 1970, UTC.
///
/// # Errors
///
/// A sentence: key or window can't be, there is no more room, or the sum can't be kept now. Nothing was added.
pub fn add(key: &str, amount: i64, window_seconds: u32) -> Result<i64, String> {
    host_side::add(key, amount, window_seconds)
}

/// Adds to it if that makes it no more than `most`, and returns it. `None`: it would, and nothing was added. Where two take the last of
/// something at once, one gets it.
///
/// # Errors
///
/// As [`add`].
pub fn take(key: &str, amount: i64, window_seconds: u32, most: i64) -> Result<Option<i64>, String> {
    host_side::take(key, amount, window_seconds, most)
}
