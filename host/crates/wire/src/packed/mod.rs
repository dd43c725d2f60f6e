//! Bodies that come packed, as Cerebras takes them: gzip, and MessagePack in JSON's place. Policies read JSON, and JSON goes on.
//!
//! What must stay true: nothing that a body says of its own size is believed. Room is asked for before a byte is kept, and there is an end
//! to it; so a small body can't become a large one for nothing.

mod gzip;
mod msgpack;
#[cfg(test)]
mod tests;

pub use gzip::{gunzip, is_gzip};
pub use msgpack::json_of_msgpack;

/// Why a body couldn't be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub enum Unpacked<E> {
    /// It has more bytes than it may have.
    TooLarge,
    /// It isn't what it is said to be; a sentence.
    Bad(String),
    /// There was no room, as whoever was asked for it said.
    NoRoom(E),
}

/// How many bytes room is asked for at once.
const STEP: usize = 16 << 10;

/// What is unpacked, and who is asked for its room.
struct Out<'r, E> {
    bytes: Vec<u8>,
    most: usize,
    had: usize,
    ask: &'r mut dyn FnMut(usize) -> Result<(), E>,
}

impl<'r, E> Out<'r, E> {
    fn new(most: usize, ask: &'r mut dyn FnMut(usize) -> Result<(), E>) -> Self {
        Out {
            bytes: Vec::new(),
            most,
            had: 0,
            ask,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Unpacked<E>> {
        // A long piece is asked for in steps too: who has no room is told early.
        for bytes in bytes.chunks(STEP) {
            let needed = self.bytes.len() + bytes.len();
            if needed > self.most {
                return Err(Unpacked::TooLarge);
            }
            if needed > self.had {
                let more = STEP.min(self.most - self.had);
                (self.ask)(more).map_err(Unpacked::NoRoom)?;
                self.had += more;
            }
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// All of it, in no more memory than it takes.
    fn done(mut self) -> Vec<u8> {
        self.bytes.shrink_to_fit();
        self.bytes
    }
}
