//! Framing, beside a reader that is written as the standard reads.

use bytes::Bytes;

use crate::wire::sse::{self, Framer, TooLong};

/// A stream of bytes, however it is cut. The input: the longest event, 2 bytes; where to cut, 6 bytes; the stream.
pub fn sse(data: &[u8]) {
    let Some((head, stream)) = data.split_first_chunk::<8>() else {
        return;
    };
    let cap = usize::from(u16::from_le_bytes([head[0], head[1]]));
    let stream = Bytes::copy_from_slice(stream);

    let whole = frame(cap, [stream.clone()]);
    let sizes = head[2..].iter().map(|size| usize::from(*size) % 24 + 1);
    let pieces = frame(cap, cut(&stream, sizes.cycle()));
    let bytes = frame(cap, cut(&stream, std::iter::repeat(1)));

    for raw in &whole.raws {
        let buffer = stream.as_ptr_range();
        assert!(buffer.contains(&raw.as_ptr()), "copied without need");
    }
    for framed in [&whole, &pieces, &bytes] {
        let raws = framed.raws.iter().chain(&framed.rest);
        let all: Vec<u8> = raws.flatten().copied().collect();
        assert_eq!(all, stream, "bytes were lost or made up");
        assert!(framed.raws.iter().all(|raw| raw.len() <= cap));
        assert!(framed.broken || framed.rest.as_ref().is_none_or(|rest| rest.len() <= cap));
        // The LF of a CR LF that was cut in two isn't counted, so a stream that is cut may get further.
        assert!(framed.said.starts_with(&whole.said));
        assert!(whole.broken || !framed.broken);
    }
    if !whole.broken {
        assert_eq!(whole.said, by_the_standard(&stream));
        assert_eq!(whole.said, pieces.said);
        assert_eq!(whole.said, bytes.said);
    }
    made(&stream);
}

/// What was said: data and name of each event that has either.
type Said = Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>;

#[derive(Default)]
struct Framed {
    raws: Vec<Bytes>,
    said: Said,
    rest: Option<Bytes>,
    broken: bool,
}

fn frame(cap: usize, pieces: impl IntoIterator<Item = Bytes>) -> Framed {
    let mut framer = Framer::new(cap);
    let mut framed = Framed::default();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(None) => break,
                Ok(Some(event)) => {
                    assert!(!framed.broken, "an event after one that was too long");
                    if event.data.is_some() || event.name.is_some() {
                        let owned = |part: Option<Bytes>| part.map(|part| part.to_vec());
                        framed.said.push((owned(event.data), owned(event.name)));
                    }
                    framed.raws.push(event.raw);
                }
                Err(TooLong { cap: said }) => {
                    assert_eq!(said, cap);
                    framed.broken = true;
                    break;
                }
            }
        }
    }
    framed.rest = framer.finish();
    assert_eq!(framer.finish(), None, "more after the end");
    framed
}

fn cut(stream: &Bytes, sizes: impl Iterator<Item = usize>) -> impl Iterator<Item = Bytes> {
    let mut rest = stream.clone();
    sizes.map_while(move |size| (!rest.is_empty()).then(|| rest.split_to(size.min(rest.len()))))
}

/// The events of a stream as the standard has them, line by line.
fn by_the_standard(stream: &[u8]) -> Said {
    let mut rest = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut said = Vec::new();
    let mut event = (None::<Vec<u8>>, None);
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = &rest[..end];
        let ending = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + ending..];
        if line.is_empty() {
            match std::mem::take(&mut event) {
                (None, None) => {}
                event => said.push(event),
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut event.0 {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                none => *none = Some(value.to_vec()),
            },
            b"event" => event.1 = Some(value.to_vec()).filter(|name| !name.is_empty()),
            _ => {}
        }
    }
    said
}

/// An event that is made of anything is read as one event with that data.
fn made(data: &[u8]) {
    let framed = frame(usize::MAX, [sse::event(data)]);
    let lines: Vec<u8> = data
        .iter()
        .map(|byte| if *byte == b'\r' { b'\n' } else { *byte })
        .collect();
    assert_eq!(framed.said, [(Some(lines), None)]);
    assert_eq!((framed.raws.len(), framed.rest), (1, None));
}
