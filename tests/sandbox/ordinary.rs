//! Text of every ordinary kind passes the bundled guards within their default limits, with room to spare: a limit counts time of the
//! processor, which is dearer on a busy machine. `--nocapture` shows what each takes.

use std::fmt::Write;

use serde_json::json;
use witgate::generation::bundled;
use witgate::policy::Instance;
use witgate::policy::types::{Edit, Verdict};

use crate::support::request::{self, thread_time};
use crate::support::{load, spec};

/// A quarter of a MiB, for which a request has 55 ms.
const SIZE: usize = 256 << 10;

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
    let mut text = String::with_capacity(SIZE + 4096);
    while text.len() < SIZE {
        line(&mut numbers, &mut text);
        text.push('\n');
    }
    text.truncate(text.floor_char_boundary(SIZE));
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
            "Russian",
            fill(|_, text| text.push_str("Сегодня хорошая погода, пойдём гулять в парк.")),
        ),
        (
            "Chinese",
            fill(|_, text| text.push_str("今天天气很好，我们去公园散步吧。")),
        ),
        (
            "spaces",
            fill(|_, text| text.push_str("                              ")),
        ),
        (
            "one word",
            fill(|_, text| text.push_str("instructions instructions instructions")),
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
async fn text_of_every_ordinary_kind_passes_the_guards() {
    // What is found is reported: a denial would come early.
    for (id, settings) in [
        ("prompt-injection", json!({"action": "report"})),
        ("pii-detector", json!({})),
    ] {
        let loaded = load(spec(&settings), bundled::component(id).unwrap())
            .await
            .unwrap();
        for (kind, text) in ordinary() {
            let mut instance = Instance::start(&loaded.stage, request::saying(text.as_str()))
                .await
                .unwrap();
            let began = thread_time();
            let requested = instance.on_request().await;
            let took = thread_time() - began;
            let verdict = requested
                .unwrap_or_else(|failure| panic!("{id}: {kind}: {failure}"))
                .verdict;
            assert!(
                matches!(verdict, Verdict::Proceed),
                "{id}: {kind}: {verdict:?}"
            );
            println!("{id:20} {kind:20} request {took:>8.1?}");
        }
    }
}

#[tokio::test]
async fn an_answer_of_every_ordinary_kind_passes_the_pii_detector() {
    let component = bundled::component("pii-detector").unwrap();
    let loaded = load(spec(&json!({})), component).await.unwrap();
    for (kind, text) in ordinary() {
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
        let took = thread_time() - began;
        println!("{kind:20} answer {took:>8.1?}");
    }
}
