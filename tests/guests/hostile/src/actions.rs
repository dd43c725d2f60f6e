//! What can be done in any hook, and what is done once in `on-request`.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use crate::Passage;
use crate::bindings::exports::witgate::policy::policy as contract;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::random::random;
use crate::bindings::witgate::policy::types::{Finding, Level, Role};
use crate::bindings::witgate::policy::{host, outcome, request};

const PAGE: usize = 65_536;
/// Pages that are filled at once: 48 MiB, most of what a stage may have.
const FILLED: usize = 768;

/// The `<action>` of `<action>-in-<hook>`. Not every one comes back.
pub(crate) fn run(action: &str) {
    match action {
        "loop" => loop {
            black_box(0);
        },
        "burn" => {
            // Some milliseconds, by work and not by the clock: a busy machine makes them longer, and not less.
            (0..4_000_000).for_each(|n| {
                black_box(n);
            });
        }
        "sleep" => std::thread::sleep(Duration::from_secs(100_000)),
        "naps" => loop {
            std::thread::sleep(Duration::from_nanos(1));
        },
        "clocks" => loop {
            black_box(clocks());
        },
        "logs" => loop {
            host::log(Level::Info, "again");
        },
        "reports" => loop {
            host::report(&finding("again", None));
        },
        "prints" => loop {
            println!("again");
        },
        "headers" => {
            let name = "x".repeat(1 << 16);
            loop {
                black_box(request::header(&name));
            }
        }
        "randoms" => loop {
            black_box(random::get_random_bytes(1 << 16));
        },
        "outcomes" => loop {
            black_box(outcome::stages());
        },
        "gets" => loop {
            black_box(request::get(""));
        },
        "segments" => loop {
            black_box(request::segments(0));
        },
        // The cheapest change that there is.
        "edits" => loop {
            let _ = request::restrict_targets(&[]);
        },
        "inserts" => {
            let text = "again ".repeat(1 << 17);
            loop {
                let _ = request::insert_message(0, Role::System, &text);
            }
        }
        // Each a member of its own: what is in a pointer stays in the request.
        "keys" => {
            let mut key = "k".repeat(1 << 20);
            loop {
                key.push('k');
                let _ = request::set(&format!("/{key}"), Some("1"));
            }
        }
        "targets" => {
            let ids = vec![String::new(); 1 << 16];
            loop {
                let _ = black_box(request::restrict_targets(&ids));
            }
        }
        "trap" => core::arch::wasm32::unreachable(),
        "panic" => panic!("{}", "oh no! ".repeat(1 << 16)),
        "exit" => std::process::exit(0),
        "recursion" => {
            black_box(deeper(black_box(1)));
        }
        "fills" => {
            let start = grow(FILLED);
            let bytes = FILLED * PAGE;
            for value in 0.. {
                // SAFETY: inside of what was just grown, and nobody else's.
                unsafe { (start as *mut u8).write_bytes(value, bytes) };
                black_box(start);
            }
        }
        "memory" => drop(grow(1 << 14)),
        "steps" => loop {
            grow(1);
        },
        "pollables" => loop {
            std::mem::forget(monotonic_clock::subscribe_duration(u64::MAX));
        },
        "pollable" => std::mem::forget(monotonic_clock::subscribe_duration(1)),
        "passages" => loop {
            std::mem::forget(contract::Passage::new(Passage { misdeed: "" }));
        },
        "print" => println!("printed while configuring"),
        "request" => drop(request::id()),
        "outcome" => drop(outcome::finish_reasons()),
        "report" => host::report(&finding("hello", None)),
        "tag" => drop(request::tag("key", "value")),
        "answer-headers" => loop {
            let _ = request::answer_header("x-policy-again", "again");
        },
        "answer-header" => drop(request::answer_header("x-policy-late", "late")),
        "set" => drop(request::set("/model", Some("\"other\""))),
        "network" => network(),
        // Done by the caller, who needs what it gives.
        "draw" | "clock" => {}
        other => unreachable!("no action {other}"),
    }
}

/// What `on-request` does once, and then proceeds.
pub(crate) fn once(misdeed: &str) {
    match misdeed {
        "odd-finding" => host::report(&finding("Bad Code\r\n", None)),
        "odd-tag" => drop(request::tag("key\r\n", "value")),
        "long-tag" => drop(request::tag("key", &"v".repeat(1 << 20))),
        "deep-json" => {
            let deep = "[".repeat(1 << 19) + &"]".repeat(1 << 19);
            let _ = request::set("/messages/0/content", Some(&deep));
            let _ = request::set("", Some(&deep));
        }
        "deep-pointer" => {
            let deep = "/a".repeat(1 << 20);
            assert_eq!(request::get(&deep), None);
            let _ = request::set(&deep, Some("1"));
        }
        "other-shape" => {
            for (pointer, json) in [
                ("/stream", Some("1")),
                ("/n", Some("100")),
                ("/messages", None),
                ("/messages", Some("7")),
                ("/model", Some("[]")),
                ("", Some("null")),
                ("", Some("no JSON")),
            ] {
                let _ = request::set(pointer, json);
            }
        }
        "segment-out-of-range" => request::replace_segment(1_000_000, "hello"),
        "edits-then-trap" => {
            edit();
            core::arch::wasm32::unreachable()
        }
        "flood-of-logs" => (0..1_000).for_each(|n| host::log(Level::Info, &format!("line {n}"))),
        "flood-of-findings" => {
            (0..1_000).for_each(|n| host::report(&finding(&format!("code-{n}"), None)))
        }
        "flood-of-long-findings" => {
            (0..64).for_each(|n| {
                host::report(&finding(&format!("code-{n}"), Some("é".repeat(1 << 18))));
            });
        }
        "flood-of-tags" => {
            let taken = (0..1_000).filter(|n| request::tag("key", &format!("{n}")).is_ok());
            assert_eq!(taken.count(), 16);
        }
        "odd-answer-headers" => {
            for (name, value) in [
                ("set-cookie", "a=b"),
                ("content-length", "1"),
                ("transfer-encoding", "chunked"),
                ("x-witgate-policies", "hostile=proceed"),
                ("x-policy-a\r\nset-cookie: a=b\r\nx", "a"),
                ("x-policy-a", "a\r\nset-cookie: a=b"),
                ("x-policy-a", "a\n\n<html>"),
            ] {
                assert!(request::answer_header(name, value).is_err());
            }
            assert!(request::answer_header(&"x-policy-".repeat(1 << 17), "a").is_err());
            assert!(request::answer_header("x-policy-a", &"v".repeat(1 << 20)).is_err());
        }
        "flood-of-answer-headers" => {
            let put = |n: &i32| request::answer_header(&format!("x-policy-{n}"), "a").is_ok();
            assert_eq!((0..1_000).filter(put).count(), 16);
        }
        "flood-of-prints" => (0..4_000).for_each(|_| println!("a\n\nb")),
        "forged-log-line" => {
            host::log(Level::Info, "one\n2026-01-01 ERROR forged\r\x1b[31mred");
            println!("two \x1b[31mred");
        }
        "long-log-line" => host::log(Level::Info, &"é".repeat(100_000)),
        "long-finding" => host::report(&finding("long", Some("é".repeat(100_000)))),
        _ => {}
    }
}

pub(crate) fn edit() {
    request::replace_segment(0, "edited");
}

fn finding(code: &str, detail: Option<String>) -> Finding {
    Finding {
        code: code.into(),
        count: 1,
        detail,
    }
}

pub(crate) fn random() -> u64 {
    random::get_random_u64()
}

/// Both clocks in one number.
pub(crate) fn clocks() -> u64 {
    let wall = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    black_box(Instant::now());
    wall
}

/// Takes that many pages and uses the last. Where they begin.
fn grow(pages: usize) -> usize {
    let before = core::arch::wasm32::memory_grow::<0>(pages);
    assert_ne!(before, usize::MAX, "told that there is no more memory");
    let last = (before + pages) * PAGE - 8;
    // SAFETY: inside of what was just grown, and nobody else's.
    unsafe { (last as *mut u64).write_volatile(1) };
    before * PAGE
}

#[expect(unconditional_recursion, reason = "the misdeed")]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    deeper(depth + 1) + frame[3]
}

fn network() {
    use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
    assert!(TcpStream::connect("127.0.0.1:80").is_err());
    assert!(TcpListener::bind("127.0.0.1:0").is_err());
    assert!(UdpSocket::bind("127.0.0.1:0").is_err());
    assert!("localhost:80".to_socket_addrs().is_err());
}
