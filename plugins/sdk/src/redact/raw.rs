//! A text as it came, from the first byte that the host still keeps.

/// Some of it is decided, the rest is open. Letting go moves offsets; the bytes follow now and then.
#[derive(Debug, Default)]
pub(super) struct Raw {
    all: String,
    /// Where the decided part starts. What stands before it is gone.
    start: usize,
    /// Where the open part starts.
    open: usize,
}

/// How much that is gone may stay in memory.
const GONE: usize = 1024;

impl Raw {
    pub(super) fn push(&mut self, delta: &str) {
        // Half at least, so that no byte is moved often.
        if self.start >= GONE && self.start * 2 >= self.all.len() {
            self.all.drain(..self.start);
            self.open -= self.start;
            self.start = 0;
        }
        self.all.push_str(delta);
    }

    pub(super) fn decided(&self) -> &str {
        &self.all[self.start..self.open]
    }

    pub(super) fn open(&self) -> &str {
        &self.all[self.open..]
    }

    /// The first bytes of the open part are decided now.
    pub(super) fn decide(&mut self, bytes: usize) {
        self.open += bytes;
    }

    /// The first bytes of the decided part are gone.
    pub(super) fn let_go(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.all.len() {
            self.all.clear();
            self.start = 0;
            self.open = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut raw = Raw::default();
        for _ in 0..1000 {
            raw.push("decided open");
            assert!(raw.open().ends_with("decided open"));
            raw.decide(raw.open().len() - "open".len());
            assert_eq!(raw.open(), "open");
            raw.let_go(raw.decided().len() - 1);
            assert_eq!(raw.decided(), " ");
        }
        assert!(raw.all.len() < 2 * GONE, "{} bytes", raw.all.len());
        raw.decide("open".len());
        raw.let_go(raw.decided().len());
        assert_eq!((raw.all.as_str(), raw.start, raw.open), ("", 0, 0));
    }
}
