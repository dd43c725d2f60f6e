//! Server-sent events: events out of bytes, however the bytes were cut.
//!
//! What must stay true: the `raw` of all events, and then what [`Framer::finish`] returns, are the bytes that were pushed. An
//! event that lies whole in one pushed buffer is a slice of it; only one that straddles buffers is copied.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr2, memchr2_iter};

/// The longest event that a [`Framer`] takes unless told otherwise, in bytes.
pub const DEFAULT_CAP: usize = 1 << 20;

/// The event that ends a stream.
pub const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// An event is longer than the cap. The stream can't be read on from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {cap} bytes")]
pub struct TooLong {
    /// The most that an event may have, in bytes.
    pub cap: usize,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Every byte of it, comments, other fields and the blank line at its end included.
    pub raw: Bytes,
    /// Its data: a slice of `raw` for a single `data` line, else the lines joined by line feeds. `None` where there is no such
    /// line: a comment, or a blank line more than needed.
    pub data: Option<Bytes>,
    /// What its `event` line says, if anything.
    pub name: Option<Bytes>,
}

impl Event {
    /// Whether this ends the stream.
    pub fn is_done(&self) -> bool {
        self.data
            .as_deref()
            .is_some_and(|data| data.trim_ascii() == b"[DONE]")
    }

    /// Whether each of its lines is one of server-sent events, in UTF-8: a comment, or a field. Bytes of another kind, such as
    /// compressed ones or a page, aren't; clients that look for a meaning in them might find one.
    pub fn is_of_lines(&self) -> bool {
        /// All that there is beside the data of nearly every event: `data: `, and two line ends.
        const USUAL: usize = b"data: \r\n\r\n".len();
        if let Some(data) = &self.data
            && self.raw.len() - data.len() <= USUAL
        {
            // What is in the data is for its reader to say.
            return true;
        }
        std::str::from_utf8(&self.raw).is_ok_and(|raw| {
            let raw = raw.strip_prefix('\u{feff}').unwrap_or(raw);
            raw.split(['\n', '\r']).all(is_line)
        })
    }
}

fn is_line(line: &str) -> bool {
    let Some((name, _)) = line.split_once(':') else {
        return ["", "data", "event", "id", "retry"].contains(&line);
    };
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Cuts a stream of bytes into events.
///
/// Give it bytes with [`push`](Framer::push), then take events with [`next`](Framer::next) until there is none, then push
/// again. An event is given out as soon as its blank line has begun: where a CR LF is cut in two just there, the LF comes as
/// an event of its own, without data.
#[derive(Debug)]
pub struct Framer {
    cap: usize,
    /// Bytes not looked at yet, or cut only.
    fresh: Bytes,
    /// The beginning of an event whose end hasn't come.
    partial: BytesMut,
    scan: Scan,
    at_start: bool,
    broken: bool,
}

/// Where in an event the bytes so far end.
#[derive(Debug, Default)]
struct Scan {
    /// Bytes of the line that is open.
    line: usize,
    /// The last byte was a CR that ended a line: an LF now belongs to it.
    after_cr: bool,
    /// Lines that ended.
    lines: usize,
    /// Bytes of the first of them.
    first: usize,
}

impl Scan {
    /// The end of the event in these bytes, which follow those seen before.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.after_cr {
                at += usize::from(*bytes.get(at)? == b'\n');
                self.after_cr = false;
            }
            let Some(offset) = memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.line += bytes.len() - at;
                return None;
            };
            let line = std::mem::take(&mut self.line) + offset;
            at += offset + 1;
            let cr = bytes[at - 1] == b'\r';
            if line == 0 {
                // Nothing waits for the LF of a blank line: the next event may be a long time in coming.
                return Some(at + usize::from(cr && bytes.get(at) == Some(&b'\n')));
            }
            if self.lines == 0 {
                self.first = line;
            }
            self.lines += 1;
            self.after_cr = cr;
        }
    }
}

impl Framer {
    /// A framer for one stream. `cap` is the most bytes that an event may have; [`DEFAULT_CAP`] suits.
    pub fn new(cap: usize) -> Framer {
        Framer {
            cap,
            fresh: Bytes::new(),
            partial: BytesMut::new(),
            scan: Scan::default(),
            at_start: true,
            broken: false,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: Bytes) {
        if self.fresh.is_empty() {
            self.fresh = bytes;
        } else if !bytes.is_empty() {
            let mut both = BytesMut::with_capacity(self.fresh.len() + bytes.len());
            both.put_slice(&self.fresh);
            both.put_slice(&bytes);
            self.fresh = both.freeze();
        }
    }

    /// The next event, if its end has come.
    ///
    /// # Errors
    /// [`TooLong`] for an event longer than the cap, whether or not its end has come; from then on always.
    #[expect(
        clippy::should_implement_trait,
        reason = "it isn't an end when there is no event yet"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, TooLong> {
        let too_long = Err(TooLong { cap: self.cap });
        if self.broken {
            return too_long;
        }
        if self.fresh.is_empty() {
            return Ok(None);
        }
        let end = self.scan.end(&self.fresh);
        if self.partial.len() + end.unwrap_or(self.fresh.len()) > self.cap {
            self.broken = true;
            return too_long;
        }
        let Some(end) = end else {
            self.partial.put_slice(&self.fresh);
            self.fresh = Bytes::new();
            return Ok(None);
        };
        let mut raw = self.fresh.split_to(end);
        if !self.partial.is_empty() {
            self.partial.put_slice(&raw);
            raw = self.partial.split().freeze();
        }
        let scan = std::mem::take(&mut self.scan);
        Ok(Some(read(raw, &scan, std::mem::take(&mut self.at_start))))
    }

    /// The bytes of an event whose end never came. The framer is empty afterwards.
    pub fn finish(&mut self) -> Option<Bytes> {
        let mut rest = self.partial.split();
        if rest.is_empty() {
            return Some(std::mem::take(&mut self.fresh)).filter(|rest| !rest.is_empty());
        }
        rest.put_slice(&std::mem::take(&mut self.fresh));
        Some(rest.freeze())
    }
}

fn read(raw: Bytes, scan: &Scan, at_start: bool) -> Event {
    let bom = if at_start && raw.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let mut fields = Fields::default();
    if scan.lines == 1 {
        // Nearly every event is one line.
        fields.line(&raw, bom.min(scan.first), scan.first);
    } else if scan.lines > 1 {
        let mut start = bom;
        for end in memchr2_iter(b'\n', b'\r', &raw) {
            // The LF of a CR LF makes an empty line here, which says nothing.
            if end > start {
                fields.line(&raw, start, end);
            }
            start = end + 1;
        }
    }
    let Fields { data, more, name } = fields;
    let data = more.map_or(data, |more| Some(Bytes::from(more)));
    Event { raw, data, name }
}

#[derive(Default)]
struct Fields {
    data: Option<Bytes>,
    /// All data lines so far, once there are several.
    more: Option<Vec<u8>>,
    name: Option<Bytes>,
}

impl Fields {
    fn line(&mut self, raw: &Bytes, start: usize, end: usize) {
        let line = &raw[start..end];
        let (field, rest) = match line {
            [b'd', b'a', b't', b'a', rest @ ..] => (b'd', rest),
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => (b'e', rest),
            _ => return,
        };
        let value = match rest {
            [] => rest,
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            _ => return,
        };
        if field == b'e' {
            self.name = Some(raw.slice(end - value.len()..end)).filter(|name| !name.is_empty());
        } else if let Some(first) = &self.data {
            let more = self.more.get_or_insert_with(|| first.to_vec());
            more.push(b'\n');
            more.extend_from_slice(value);
        } else {
            self.data = Some(raw.slice(end - value.len()..end));
        }
    }
}

/// An event that carries this JSON.
pub fn event(json: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(json.len() + 8);
    let mut rest = json;
    while let Some(end) = memchr2(b'\n', b'\r', rest) {
        line(&mut out, &rest[..end]);
        rest = &rest[end + 1..];
    }
    line(&mut out, rest);
    out.push(b'\n');
    Bytes::from(out)
}

fn line(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
