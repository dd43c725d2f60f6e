//! The most text that a request or an answer may have, of every ordinary kind, passes the bundled policies within their default limits.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;
use witgate::generation::bundled;
use witgate::policy::Instance;
use witgate::policy::types::{Edit, Verdict};

use crate::support::{load, request, spec};

/// As much as a body may have by default.
const MOST: usize = 10 << 20;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next() as usize % all.len()]
    }
}

const WORDS: &[&str] = &[
    "the",
    "of",
    "and",
    "to",
    "in",
    "committee",
    "report",
    "is",
    "that",
    "was",
    "weather",
    "for",
    "as",
    "with",
    "members",
    "it",
    "his",
    "on",
    "be",
    "growth",
    "at",
    "by",
    "this",
    "money",
    "had",
    "not",
    "are",
    "Tuesday",
    "from",
    "or",
    "state-of-the-art",
    "it's",
    "17",
    "e.g.",
    "section",
    "2024",
    "which",
    "different",
    "against",
];

fn fill(mut line: impl FnMut(&mut Numbers, &mut String)) -> String {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut text = String::with_capacity(MOST + 4096);
    while text.len() < MOST {
        line(&mut numbers, &mut text);
        text.push('\n');
    }
    text.truncate(text.floor_char_boundary(MOST));
    text
}

fn base64(numbers: &mut Numbers, text: &mut String) {
    let all: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(*b"+/")
        .collect();
    text.extend((0..76).map(|_| char::from(numbers.of(&all))));
}

/// The kinds, by name.
fn ordinary() -> Vec<(&'static str, String)> {
    let sentence = |numbers: &mut Numbers, text: &mut String| {
        for _ in 0..12 {
            text.push_str(numbers.of(WORDS));
            text.push(' ');
        }
        text.push_str("so it was.");
    };
    vec![
        ("prose", fill(sentence)),
        (
            "code",
            fill(|numbers, text| {
                let [a, b] = [numbers.of(WORDS), numbers.of(WORDS)];
                let n = numbers.next() % 1000;
                write!(text, "    if ({a}_{n}[i] != self.{b}->next(0x{n:x}, \"{a}\\n\")) {{ return {n}; }} // {b}").unwrap();
            }),
        ),
        (
            "logs",
            fill(|numbers, text| {
                let n = numbers.next();
                let (s, ms) = (n % 60, n % 1000);
                write!(text, "2024-11-07T12:{s:02}:{s:02}.{ms:03}Z INFO [worker-{}] request_id={n:016x} path=/v1/{} took {ms}.{s} ms", n % 9, numbers.of(WORDS)).unwrap();
            }),
        ),
        (
            "hex dump",
            fill(|numbers, text| {
                write!(text, "{:08x} ", text.len()).unwrap();
                for _ in 0..16 {
                    write!(text, " {:02x}", numbers.next() as u8).unwrap();
                }
                text.push_str("  |................|");
            }),
        ),
        ("base64", fill(base64)),
        ("base64 in one line", {
            let mut text = fill(base64);
            text.retain(|c| c != '\n');
            text
        }),
        (
            "numbers",
            fill(|numbers, text| {
                for _ in 0..8 {
                    let n = numbers.next();
                    write!(text, "{}.{:03},", n % 100_000, n % 1000).unwrap();
                }
            }),
        ),
        (
            "JSON",
            fill(|numbers, text| {
                let (word, n) = (numbers.of(WORDS), numbers.next());
                write!(text, "{{\"id\": {n}, \"{word}\": [1.5, true, null], \"text\": \"It was\\nthe {word}.\", \"more\": {{\"n\": \"{n:x}\"}}}}").unwrap();
            }),
        ),
        (
            "a list of people",
            fill(|numbers, text| {
                let n = numbers.next() % 1000;
                write!(text, "{n}, {}.{n}@mail{n}.example.org, +1 415-555-2671, 10.1.2.3, 4111 1111 1111 1111", numbers.of(WORDS)).unwrap();
            }),
        ),
    ]
}

#[tokio::test]
async fn ten_mebibytes_of_every_ordinary_kind_pass_the_pii_detector() {
    let component = bundled::component("pii-detector").unwrap();
    let loaded = load(spec(&json!({})), component).await.unwrap();
    for (kind, text) in ordinary() {
        let mut instance = Instance::start(&loaded.stage, request::saying(text.as_str()))
            .await
            .unwrap();
        let began = thread_time();
        let requested = instance.on_request().await;
        let whole = thread_time() - began;
        let verdict = requested
            .unwrap_or_else(|failure| panic!("{kind}: {failure}"))
            .verdict;
        assert!(matches!(verdict, Verdict::Proceed), "{kind}: {verdict:?}");
        drop(instance);

        // As a whole answer comes: in pieces of 4 KiB.
        let (mut instance, passage) = loaded.answering().await;
        let began = thread_time();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(4096));
            rest = more;
            let edit = instance.on_delta(&passage, piece).await;
            let edit = edit.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
            assert!(!matches!(edit, Edit::Deny(_)), "{kind}");
        }
        instance.on_end(passage, "stop").await.unwrap();
        let answer = thread_time() - began;
        println!("{kind:20} request {whole:>8.1?}, answer {answer:>8.1?}");
    }
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}
