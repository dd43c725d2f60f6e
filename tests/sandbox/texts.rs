//! A MiB of any ordinary text passes every bundled policy within its default limits, by several times.
//!
//! `--nocapture` shows the processor time that each takes.

use std::fmt::Write as _;

use witgate::config::Config;
use witgate::generation::bundled;
use witgate::policy::types::Verdict;
use witgate::policy::{Instance, StageSpec};

use crate::support::load;
use crate::support::request::{self, thread_time};

const SIZE: usize = 1 << 20;

/// Texts of all kinds that people send.
fn texts() -> Vec<(&'static str, String)> {
    let prose = include_str!("../../docs/operating.md");
    let code = include_str!("../../host/src/exchange/mod.rs");
    let bytes: Vec<u8> = (0..SIZE as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let hex = |bytes: &[u8], gap: &str| {
        let pairs: Vec<_> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        pairs.join(gap)
    };
    let mut dump = String::new();
    for (i, line) in bytes.chunks(16).take(SIZE / 60).enumerate() {
        writeln!(dump, "{:08x}: {}", i * 16, hex(line, " ")).unwrap();
    }
    let mut log = String::new();
    let mut table = String::from("[");
    for (n, b) in bytes.iter().enumerate().take(SIZE / 100) {
        writeln!(
            log,
            "2026-11-28T12:{:02}:{:02}.{b:03}Z INFO worker-{} id={} path=/api/v1/users/{n} status=200 took={b}ms ip=10.1.{b}.7",
            n / 60 % 60,
            n % 60,
            b % 16,
            hex(&bytes[n..n + 8], ""),
        )
        .unwrap();
        write!(
            table,
            r#"{{"id":{n},"name":"row {b}","price":{b}.5,"tags":["a","b"],"note":null}},"#
        )
        .unwrap();
    }
    let base64: String = bytes
        .iter()
        .map(|b| {
            char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                    [usize::from(b % 64)],
            )
        })
        .collect();
    vec![
        ("prose", prose.to_owned()),
        ("code", code.to_owned()),
        ("a log", log),
        ("JSON", table),
        ("a hex dump", dump),
        ("hex", hex(&bytes, "")),
        ("base64", base64),
        ("spaces", " ".to_owned()),
        ("digits", "3141592653 58979 ".to_owned()),
        (
            "Russian",
            "Сегодня хорошая погода, пойдём гулять в парк.\n".to_owned(),
        ),
        ("Chinese", "今天天气很好，我们去公园散步吧。".to_owned()),
        ("a word", "instructions ".to_owned()),
    ]
}

#[tokio::test]
async fn a_mib_of_any_text_passes_within_the_default_limits() {
    for stage in &Config::embedded().unwrap().stages {
        if *stage.id == *"audit-logger" {
            continue;
        }
        let mut spec = StageSpec::from(stage);
        // To its end: a denial would come early.
        if *stage.id == *"prompt-injection" {
            spec.settings = r#"{"action":"report"}"#.to_owned();
        }
        let served = load(spec, bundled::component(&stage.id).unwrap())
            .await
            .unwrap();
        for (kind, text) in texts() {
            let text = text.repeat(SIZE / text.len() + 1);
            let request = request::saying(text);
            let mut instance = Instance::start(&served.stage, request).await.unwrap();
            let began = thread_time();
            let verdict = instance.on_request().await;
            let took = thread_time() - began;
            println!(
                "{:20} {kind:12} {:6.1} ms",
                stage.id,
                took.as_secs_f64() * 1e3
            );
            assert_eq!(
                verdict.unwrap().verdict,
                Verdict::Proceed,
                "{}: {kind}",
                stage.id
            );
        }
    }
}
