//! A fence of code that may stand around an answer: three backticks or tildes and more, and perhaps a word behind the first.

/// How long a fence's first line may be, and the white space before it, in bytes.
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
    let Some(start) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        return Opening::Undecided;
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
        None if line.len() < LONGEST && !line.contains(&b'`') => Opening::Undecided,
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
}
