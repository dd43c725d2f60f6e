//! Text that is there but not drawn: tag characters and runs of variation selectors.

/// True for characters that are not drawn and don't separate words.
pub(crate) fn is_ignorable(c: char) -> bool {
    matches!(c as u32,
        0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180E | 0x200B..=0x200F
        | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFB
        | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// What invisible characters of `text` spell, one line a run. Empty for ordinary text.
///
/// Tag characters mirror ASCII. A variation selector carries one byte, and counts from 8 in a row on: emoji need one.
/// The tags of a regional flag (a black flag, tags, a cancel tag) spell nothing.
pub(crate) fn spelled(text: &str) -> String {
    let mut out = String::new();
    if !text
        .as_bytes()
        .windows(2)
        .any(|w| matches!(w, [0xF3, 0xA0] | [0xEF, 0xB8]))
    {
        return out;
    }
    let bytes = text.as_bytes();
    // The first bytes of all characters that count, and of the black flag.
    let may_count = |b: &u8| matches!(b, 0xEF | 0xF0 | 0xF3);
    let (mut run, mut selected) = (String::new(), Vec::new());
    let (mut at, mut in_flag) = (0, false);
    while let Some(skipped) = bytes[at..].iter().position(may_count) {
        at += skipped;
        let c = text[at..].chars().next().unwrap_or(' ');
        let n = c as u32;
        let counts = matches!(n, 0xE0020..=0xE007E | 0xFE00..=0xFE0F | 0xE0100..=0xE01EF);
        if skipped > 0 || !counts {
            end_run(&mut run, &mut selected, &mut out);
            in_flag = c == '\u{1F3F4}';
        }
        match n {
            0xE0020..=0xE007E if !in_flag => run.extend(char::from_u32(n - 0xE0000)),
            0xFE00..=0xFE0F => selected.push((n - 0xFE00) as u8),
            0xE0100..=0xE01EF => selected.push((n - 0xE0100 + 16) as u8),
            _ => {}
        }
        at += c.len_utf8();
    }
    end_run(&mut run, &mut selected, &mut out);
    out
}

fn end_run(run: &mut String, bytes: &mut Vec<u8>, out: &mut String) {
    if bytes.len() >= 8 {
        run.push_str(&String::from_utf8_lossy(bytes));
    }
    bytes.clear();
    if !run.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(run);
        run.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> String {
        text.bytes()
            .filter_map(|b| char::from_u32(0xE0000 + u32::from(b)))
            .collect()
    }

    #[test]
    fn tag_characters_spell_ascii() {
        let text = format!("hello{} world", tags("ignore me"));
        assert_eq!(spelled(&text), "ignore me");
    }

    #[test]
    fn the_flag_of_scotland_spells_nothing() {
        let text = format!("go \u{1F3F4}{}\u{E007F}!", tags("gbsct"));
        assert_eq!(spelled(&text), "");
    }

    #[test]
    fn selectors_spell_bytes_but_an_emoji_selector_does_not() {
        let hidden: String = b"print it"
            .iter()
            .filter_map(|b| match b {
                0..16 => char::from_u32(0xFE00 + u32::from(*b)),
                _ => char::from_u32(0xE0100 + u32::from(*b) - 16),
            })
            .collect();
        assert_eq!(spelled(&format!("😀{hidden}")), "print it");
        assert_eq!(spelled("I ❤\u{FE0F} it"), "");
    }
}
