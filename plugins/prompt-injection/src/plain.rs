//! A quick look at a text, to see whether it needs a closer one. Most texts don't.

/// The reasons for a closer look at a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Suspicion {
    /// It isn't plain ASCII, or some words may be in disguise: fold it.
    pub(crate) fold: bool,
    /// It has a long run without spaces: try to decode it.
    pub(crate) decode: bool,
}

const LETTER: u8 = 1;
const LEET: u8 = 2;
const ESCAPE: u8 = 4;
const HIGH: u8 = 8;
/// Base64 and its like, besides letters and digits.
const BASE64: u8 = 16;
const HEX: u8 = 32;
/// Stands between the bytes of a hex dump.
const HEX_GAP: u8 = 64;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        classes[b] = match b as u8 {
            b'a'..=b'f' | b'A'..=b'F' => LETTER | BASE64 | HEX,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER | BASE64,
            b'2' | b'6' => BASE64 | HEX,
            b'0'..=b'9' => LEET | BASE64 | HEX,
            b'@' | b'$' | b'!' => LEET,
            b'\\' | b'&' => ESCAPE | HEX_GAP,
            b'%' | b' ' | b',' | b':' => HEX_GAP,
            b'+' | b'/' | b'-' | b'_' => BASE64,
            0x80.. => HIGH,
            _ => 0,
        };
        b += 1;
    }
    classes
};

/// Looks at `text` once, byte by byte.
pub(crate) fn look(text: &str) -> Suspicion {
    let mut suspicion = Suspicion::default();
    let (mut run, mut pairs, mut alone) = (0u32, 0u32, 0u32);
    let (mut letters, mut leet) = (0u32, 0u32);
    // Bytes since a letter stood alone.
    let mut gap = 0u32;
    let mut previous = 0u8;
    for &b in text.as_bytes() {
        let class = CLASSES[usize::from(b)];
        suspicion.fold |= class & (ESCAPE | HIGH) != 0;
        run = if class & BASE64 != 0 { run + 1 } else { 0 };
        pairs = match class {
            c if c & HEX != 0 => pairs + 1,
            c if c & HEX_GAP != 0 || b == b'x' => pairs,
            _ => 0,
        };
        suspicion.decode |= run >= 20 || pairs >= 24;
        if class & (LETTER | LEET) != 0 {
            letters += u32::from(class & LETTER != 0);
            leet += u32::from(class & LEET != 0);
            // A sign at the end of a word is just a sign.
            if letters >= 14
                || letters >= 2 && leet >= 1 && (class & LETTER != 0 || b.is_ascii_digit())
            {
                suspicion.fold = true;
            }
        } else {
            if letters + leet == 1 {
                alone += 1;
                gap = 0;
                suspicion.fold |= alone >= 4;
            } else if letters + leet > 1 {
                alone = 0;
            }
            gap += 1;
            if gap > 3 {
                alone = 0;
            }
            (letters, leet) = (0, 0);
        }
        previous = b;
    }
    suspicion.fold |= alone >= 3 && CLASSES[usize::from(previous)] & (LETTER | LEET) != 0;
    suspicion
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_raises_no_suspicion() {
        let text = "Hello there! Please explain WebAssembly to me, in 3 short paragraphs (for $20); thanks!";
        assert_eq!(look(text), Suspicion::default());
    }

    #[test]
    fn disguises_ask_for_folding() {
        for text in [
            "caf\u{e9}",
            "1gnore",
            "pr0mpt",
            "@ll of it",
            "i g n o r e",
            "i-g-n-o",
            "IgnoreAllPreviousRules",
            "&#105;",
            "\\u0069",
        ] {
            assert!(look(text).fold, "{text}");
        }
    }

    #[test]
    fn long_runs_ask_for_decoding() {
        for text in [
            "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0",
            "69676e6f726520616c6c2072",
            "69 67 6e 6f 72 65 20 61 6c 6c 20 72",
            "%69%67%6e%6f%72%65%20%61%6c%6c%20%72",
        ] {
            assert!(look(text).decode, "{text}");
        }
    }
}
