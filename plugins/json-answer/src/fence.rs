//! A fence of code that may stand around an answer: three backticks or tildes and more, and perhaps a word behind the first.

/// How long a fence's first line may be, with the white space before it, in bytes. A longer beginning is none of a fence: less than this is
/// kept, and read again with each piece that comes.
const LONGEST: usize = 256;

/// What an answer begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// What follows decides.
    Undecided,
    /// No fence: the value begins.
    None,
    /// A fence of this mark, so many times, up to this byte.
    Fence(u8, usize, usize),
}

/// How an answer begins, by all of it that has come.
pub(crate) fn opening(text: &str) -> Opening {
    let bytes = text.as_bytes();
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let undecided = match bytes.len() {
        LONGEST => Opening::None,
        _ => Opening::Undecided,
    };
    let Some(start) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        return undecided;
    };
    let mark = bytes[start];
    if !matches!(mark, b'`' | b'~') {
        return Opening::None;
    }
    let marks = bytes[start..]
        .iter()
        .take_while(|byte| **byte == mark)
        .count();
    let line = &bytes[start + marks..];
    match line.iter().position(|byte| *byte == b'\n') {
        _ if marks < 3 && !line.is_empty() => Opening::None,
        Some(length) if !line[..length].contains(&b'`') => {
            Opening::Fence(mark, marks, start + marks + length + 1)
        }
        None if !line.contains(&b'`') => undecided,
        _ => Opening::None,
    }
}

/// What follows the value within a fence: white space, as many marks, white space. A fence that isn't closed is one, too.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    marks: usize,
    closed: bool,
}

impl Closing {
    /// Takes what follows. `false`: it is something else.
    pub(crate) fn take(&mut self, text: &[u8], mark: u8, marks: usize) -> bool {
        for byte in text {
            if *byte == mark && !self.closed {
                self.marks += 1;
            } else if byte.is_ascii_whitespace() {
                if self.marks > 0 && !self.closed {
                    if self.marks < marks {
                        return false;
                    }
                    self.closed = true;
                }
            } else {
                return false;
            }
        }
        true
    }

    /// Whether the answer may end here.
    pub(crate) fn may_end(&self, marks: usize) -> bool {
        self.marks == 0 || self.marks >= marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_told_by_its_first_line() {
        for (text, expected) in [
            ("", Opening::Undecided),
            (" \n", Opening::Undecided),
            ("``", Opening::Undecided),
            ("```json", Opening::Undecided),
            ("\n```json\n", Opening::Fence(b'`', 3, 9)),
            ("~~~~ \n{", Opening::Fence(b'~', 4, 6)),
            ("`{", Opening::None),
            ("```{}```\n", Opening::None),
            (" {", Opening::None),
        ] {
            assert_eq!(opening(text), expected, "{text:?}");
        }
        assert_eq!(opening(&format!("```{}", "x".repeat(300))), Opening::None);
    }

    /// So no more is kept, whatever it is, and the same is said at every cut.
    #[test]
    fn so_many_bytes_decide_whatever_they_are() {
        let white = |n: usize| " ".repeat(n);
        for text in [
            white(9999),
            "~".repeat(9999),
            format!("```{}", "x".repeat(9999)),
        ] {
            for length in 0..2 * LONGEST {
                let expected = match length < LONGEST {
                    true => Opening::Undecided,
                    false => Opening::None,
                };
                assert_eq!(opening(&text[..length]), expected, "{length}");
            }
        }
        for before in LONGEST - 8..LONGEST + 2 {
            let text = format!("{}```\n{{}}", white(before));
            let whole = opening(&text);
            let first = (0..=text.len()).map(|end| opening(&text[..end]));
            let first = first.into_iter().find(|it| *it != Opening::Undecided);
            assert_eq!(first, Some(whole), "{before}");
        }
    }
}
