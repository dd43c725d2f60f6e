//! The text as it came, from the first byte that the host still keeps.

/// A first part of it is decided, and the rest is open. Dropping text from the front moves offsets at once, and the bytes
/// only now and then.
#[derive(Debug, Default)]
pub(super) struct Raw {
    all: String,
    /// Where the decided part starts. The host no longer keeps the bytes before it.
    start: usize,
    /// Where the open part starts.
    open: usize,
}

/// How many dropped bytes may stay in memory.
const GONE: usize = 1024;

impl Raw {
    pub(super) fn push(&mut self, delta: &str) {
        // Bytes are moved only when at least half are dropped, so that no byte is moved often.
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

    /// Marks the first bytes of the open part as decided.
    pub(super) fn decide(&mut self, bytes: usize) {
        self.open += bytes;
    }

    /// Drops the first bytes of the decided part.
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
