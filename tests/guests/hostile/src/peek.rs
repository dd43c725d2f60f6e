//! Looks everywhere for what an earlier exchange left, then leaves all it can.

use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::bindings::witgate::policy::request;
use crate::bindings::witgate::policy::types::Verdict;
use crate::deny;

/// A number that is in no data segment: it exists in memory only where this module wrote it.
const SECRET: u64 = 0x5ec2_e75e_c2e7_0001;
const PAGE: usize = 65_536;

static COUNTER: AtomicU32 = AtomicU32::new(0);

pub(crate) fn peek() -> Verdict {
    let saw = |what: &str| Verdict::Deny(deny("saw", what));
    if holds_secret(16, core::arch::wasm32::memory_size::<0>() * PAGE) {
        return saw("memory");
    }
    if COUNTER.fetch_add(1, Relaxed) != 0 {
        return saw("a static");
    }
    if std::env::vars().next().is_some() || std::env::args().next().is_some() {
        return saw("the environment");
    }
    if std::fs::read_dir("/").is_ok()
        || std::fs::read("/etc/hostname").is_ok()
        || std::fs::write("/mark", "1").is_ok()
    {
        return saw("files");
    }
    let credentials = [
        "authorization",
        "Authorization",
        "x-api-key",
        "cookie",
        "cf-access-jwt-assertion",
        "x-forwarded-client-cert",
        "x-unlisted",
    ];
    if credentials
        .iter()
        .any(|name| request::header(name).is_some())
    {
        return saw("a credential");
    }
    if std::io::stdin()
        .read(&mut [0; 16])
        .is_ok_and(|read| read > 0)
    {
        return saw("standard input");
    }
    // Pages that nobody has touched yet.
    let first = core::arch::wasm32::memory_grow::<0>(32);
    if first == usize::MAX {
        return saw("no more memory");
    }
    let (start, end) = (first * PAGE, (first + 32) * PAGE);
    for address in (start..end).step_by(8) {
        // SAFETY: inside of what was just grown, and nobody else's.
        if unsafe { (address as *const u64).read_volatile() } != 0 {
            return saw("fresh memory that isn't empty");
        }
    }
    for address in (start..end).step_by(8) {
        // SAFETY: as above.
        unsafe { (address as *mut u64).write_volatile(SECRET) };
    }
    std::mem::forget(std::hint::black_box(vec![SECRET; 4 * PAGE]));
    Verdict::Proceed
}

fn holds_secret(start: usize, end: usize) -> bool {
    (start..end).step_by(8).any(|address| {
        // SAFETY: all of a linear memory can be read; that it isn't this function's is the point.
        unsafe { (address as *const u64).read_volatile() == SECRET }
    })
}
