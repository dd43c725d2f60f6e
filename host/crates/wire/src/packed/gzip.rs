//! gzip, out of which comes what was put in: to its last byte, or not at all.

use std::io::{ErrorKind, Read as _};

use flate2::bufread::GzDecoder;

use super::{Out, STEP, Unpacked};

/// What every gzip begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The most members of one body: each takes a window of its own, be it empty. What compresses while it writes makes one.
const MOST_MEMBERS: usize = 64;

/// Whether a body looks like gzip, whatever it is said to be.
pub fn is_gzip(body: &[u8]) -> bool {
    body.starts_with(&MAGIC)
}

/// Unpacks all of a body, of `most` bytes at the most. `ask` is asked for the room.
///
/// # Errors
/// [`Unpacked`].
pub fn gunzip<E>(
    packed: &[u8],
    most: usize,
    ask: &mut dyn FnMut(usize) -> Result<(), E>,
) -> Result<Vec<u8>, Unpacked<E>> {
    let mut out = Out::new(most, ask);
    let mut piece = [0; STEP];
    let mut left = packed;
    for _ in 0..MOST_MEMBERS {
        if !is_gzip(left) {
            return Err(Unpacked::Bad(
                if left.len() == packed.len() {
                    "the body isn't gzip, though `content-encoding` says so"
                } else {
                    "something follows the gzip in the body that is no gzip"
                }
                .into(),
            ));
        }
        let mut member = GzDecoder::new(left);
        loop {
            match member.read(&mut piece) {
                Ok(0) => break,
                Ok(bytes) => out.push(&piece[..bytes])?,
                Err(why) if why.kind() == ErrorKind::UnexpectedEof => {
                    return Err(Unpacked::Bad("the body's gzip breaks off".into()));
                }
                Err(why) => {
                    return Err(Unpacked::Bad(format!("the body's gzip is broken: {why}")));
                }
            }
        }
        left = member.into_inner();
        if left.is_empty() {
            return Ok(out.done());
        }
    }
    Err(Unpacked::Bad(format!(
        "the body's gzip has more than {MOST_MEMBERS} members; send it as one"
    )))
}
