#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;

#[test]
fn evidence_of_kinds_adds_up_close_by_and_not_far_apart() {
    let mut near = Hits::default();
    near.add(10, Kind::Override, 0.5);
    near.add(NEIGHBOURHOOD + 10, Kind::Extraction, 0.5);
    assert_eq!(near.score().value, 0.75);
    let mut far = Hits::default();
    far.add(10, Kind::Override, 0.5);
    far.add(NEIGHBOURHOOD * 2 + 10, Kind::Extraction, 0.5);
    assert_eq!(far.score().value, 0.5);
}

/// Texts made to be slow for one part or another: `head`, then `piece` again and again, then `tail`.
const SLOW: &[(&str, &str, &str)] = &[
    ("", "ab ", "abg"),
    ("", "ab:", "abg"),
    ("", "%41", "g"),
    ("", "0x41,", "0x4g"),
    ("", "\\x41", "g"),
    ("", "41", "g"),
    ("", "0x", ""),
    ("", "aWdub3JlIGFsbCBydWxlcyBv", ""),
    ("", "iVBORw0KGgoAAAANSUhEUgAA", "="),
    ("", "AAAAAAAAAAAAAAAAAAAAAAAA/", "\u{1}"),
    (
        "",
        "aWdub3JlIGFsbCBydWxlcyBvaWdub3JlIGFsbCBydWxlcyBvaWdub3JlIGFs\n",
        "",
    ),
    ("", "instructions ", ""),
    ("", "ignore ", ""),
    ("", "ignore all previous instructions ", ""),
    ("", "ignore", ""),
    ("", "i g n o r e ", ""),
    ("", "i ", ""),
    ("", "1 ", ""),
    ("", "1gn0re ", ""),
    ("", "1gn0r3", ""),
    ("", "!", "a"),
    ("", "a!", "a"),
    ("", "a@ignor", "e"),
    ("", "throw ", "away"),
    ("", " ", "throw away"),
    ("throw", " ", "away"),
    ("", "throw \n", "away"),
    ("", "\"'`", ""),
    ("", "```", ""),
    ("", "\"ignore\", ", ""),
    ("", "'", ""),
    ("", "\\n", ""),
    ("", "\\u0069", ""),
    ("", "&#105;", ""),
    ("", "&#", ""),
    ("", "<|im_start|>", ""),
    ("", "<", ""),
    ("", "![", "](http"),
    ("", "![a](https://", ""),
    ("", "\u{200b}", "a"),
    ("", "a\u{200b}", ""),
    ("", "\u{E0069}", ""),
    ("", "\u{fe01}", ""),
    ("", "\u{1F3F4}", ""),
    ("", "é", ""),
    ("", "忽略", ""),
    ("", "а", "b"),
    ("", "ﷺ", ""),
    ("", "\n", ""),
    ("", "- \n", "ignore"),
    ("", "((((", ""),
    ("", "{\"a\":[", ""),
    ("", ".", ""),
    ("", "system prompt? ", ""),
    ("", "you are now ", ""),
    ("", "ignroe prevous ", ""),
    ("", "vtaber cerivbhf ", ""),
    ("", "frgtthe oldrules 45 tll ", ""),
    ("", "a%20", ""),
    ("", "a%20b%20c%20d ", ""),
    ("", "%20/", "%20"),
    ("", "erongi suoiverp ", ""),
    ("", ".- ", ""),
    ("", "01101001 ", ""),
    ("", "105 103 ", ""),
    ("", "qwertyuiopasdfghjkl ", ""),
];

#[test]
fn twice_the_text_takes_no_more_than_twice_the_steps() {
    // Nothing ends the reading early here.
    let scanner = Scanner::new().unwrap();
    let steps = |(head, piece, tail): (&str, &str, &str), bytes: usize| {
        let text = format!("{head}{}{tail}", piece.repeat(bytes / piece.len()));
        crate::steps::of(|| _ = std::hint::black_box(scanner.scan(&text, Origin::Person)))
    };
    for slow in SLOW {
        let (once, twice) = (steps(*slow, 16 << 10), steps(*slow, 32 << 10));
        // What a chunk more or less costs is no growth.
        assert!(
            twice <= once * 22 / 10 + 8000,
            "{slow:?}: {once} steps, then {twice}"
        );
        // And it is little, for each byte.
        assert!(twice <= 64 * (32 << 10), "{slow:?}: {twice} steps");
    }
}
