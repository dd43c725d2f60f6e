//! Sends panics to the host's log, with their place in the source. In a sandbox nobody reads stderr, and writing to it
//! takes a handle, which a snapshot can't keep.

use std::fmt::{self, Write};

/// The most bytes of a panic's message that reach the log.
const MOST: usize = 4 * 1024;

/// Sends panics to the log from now on.
#[cfg_attr(
    not(target_family = "wasm"),
    expect(dead_code, reason = "native tests keep their own hook")
)]
pub(crate) fn to_log() {
    std::panic::set_hook(Box::new(|panic| {
        crate::host::log(crate::Level::Error, &bounded(panic));
    }));
}

/// As much of the text as fits, cut at a character.
fn bounded(text: impl fmt::Display) -> String {
    let mut line = Bounded(String::new());
    // An error means only that the rest was cut.
    if write!(line, "{text}").is_err() {
        line.0.push('…');
    }
    line.0
}

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MOST - '…'.len_utf8() - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character_within_the_bound() {
        for pad in 0..4 {
            let long = "a".repeat(pad) + &"é".repeat(MOST);
            let line = bounded(&long);
            assert!((MOST - 7..=MOST).contains(&line.len()), "{}", line.len());
            assert!(line.ends_with("é…"), "{line}");
        }
        assert_eq!(bounded("short"), "short");
    }
}
