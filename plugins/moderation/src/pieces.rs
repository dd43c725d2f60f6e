//! An answer in pieces that a service is asked about: sentences, as far as a text has any.
//!
//! Where a piece ends follows from the text alone, never from how it was cut into deltas.

/// The fewest bytes of a piece: shorter sentences go together with the next.
const LEAST: usize = 80;
/// The most: where no sentence ends before, a piece does.
pub(crate) const MOST: usize = 1024;
/// After so many pieces each has twice as many bytes at least, so that a long answer isn't many calls.
const GROWS: u32 = 64;

/// The text that came and isn't a piece yet.
#[derive(Default)]
pub(crate) struct Pieces {
    pending: String,
    /// Up to here no piece ends.
    seen: usize,
    made: u32,
}

impl Pieces {
    /// More of the text: the pieces that are whole now.
    pub(crate) fn push(&mut self, text: &str) -> Vec<String> {
        self.pending.push_str(text);
        let mut whole = Vec::new();
        while let Some(end) = self.end() {
            let rest = self.pending.split_off(end);
            whole.push(std::mem::replace(&mut self.pending, rest));
            self.seen = 0;
            self.made += 1;
        }
        whole
    }

    /// There is no more text: what is left is a piece.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        self.seen = 0;
        (!rest.is_empty()).then_some(rest)
    }

    /// Bytes that aren't a piece yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Where the first piece ends.
    fn end(&mut self) -> Option<usize> {
        let least = LEAST << (self.made / GROWS).min(3);
        let most = self.pending.floor_char_boundary(MOST);
        let mut before = self.pending[..self.seen].chars().next_back();
        for (at, char) in self.pending[self.seen..most].char_indices() {
            let end = self.seen + at + char.len_utf8();
            let ends = match char {
                '\n' | '。' | '！' | '？' => true,
                _ => {
                    char.is_whitespace()
                        && matches!(before, Some('.' | '!' | '?' | '…' | ':' | ';'))
                }
            };
            if ends && end >= least {
                return Some(end);
            }
            before = Some(char);
        }
        self.seen = most;
        (self.pending.len() >= MOST).then(|| {
            // Better within no word.
            let spaces = self.pending[..most].char_indices().rev();
            let mut spaces = spaces.filter(|(_, char)| char.is_whitespace());
            let space = spaces.next().map(|(at, char)| at + char.len_utf8());
            space.filter(|end| *end >= least).unwrap_or(most)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(texts: &[&str]) -> Vec<String> {
        let mut pieces = Pieces::default();
        let mut all: Vec<String> = texts.iter().flat_map(|text| pieces.push(text)).collect();
        all.extend(pieces.rest());
        all
    }

    #[test]
    fn a_text_ends_in_the_same_pieces_at_every_cut() {
        let long = format!("{}é {}. End", "word ".repeat(300), "x".repeat(2500));
        let sentence =
            "This is a sentence that says very little, and it is long enough to be asked about. ";
        let texts = [
            sentence.repeat(5),
            "Short. Ones. Go? Together! ".repeat(12),
            "これは文です。".repeat(40),
            "- item\n".repeat(100),
            long,
            String::new(),
        ];
        for text in &texts {
            let whole = pieces(&[text]);
            assert_eq!(whole.concat(), *text);
            assert!(whole.iter().all(|piece| piece.len() <= MOST));
            let characters: Vec<String> = text.chars().map(String::from).collect();
            let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
            assert_eq!(pieces(&characters), whole);
            for (at, _) in text.char_indices() {
                let (one, two) = text.split_at(at);
                assert_eq!(pieces(&[one, two]), whole, "cut at {at}");
            }
        }
        assert_eq!(pieces(&[&texts[0]]).len(), 5);
    }

    #[test]
    fn a_long_answer_has_few_pieces() {
        let sentence =
            "This is a sentence that says very little, and it is long enough to be asked about. ";
        let pieces = pieces(&[&sentence.repeat(800)]);
        assert!(pieces.len() < 256, "{}", pieces.len());
    }
}
