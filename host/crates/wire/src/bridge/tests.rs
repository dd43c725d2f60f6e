use super::*;
use crate::sse::DEFAULT_CAP;

/// A dialect that says each text in a line.
struct Lines;

impl WriteStream for Lines {
    fn chunk(&mut self, chunk: &Chunk<'_>, _: &[u8], out: &mut Vec<u8>) {
        for piece in &chunk.pieces {
            out.extend_from_slice(format!("{}\n", piece.text).as_bytes());
        }
    }

    fn error(&mut self, error: &UpstreamError, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("error {}\n", error.code).as_bytes());
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"end\n");
    }
}

/// What a client gets of these bytes, in pieces of that size.
fn written(bytes: &[u8], size: usize) -> String {
    let mut writer = StreamWriter::new(Lines);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        out.extend_from_slice(&writer.write(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&writer.end());
    assert!(writer.end().is_empty(), "an end comes once");
    String::from_utf8(out).expect("text")
}

const A: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"m\",\"code\":\"c\"}}\n\n";

#[test]
fn a_stream_is_the_same_however_it_is_cut_and_ends_once() {
    for (stream, expected) in [
        (
            format!("{A}: ping\n\n{A}data: [DONE]\n\n"),
            "a\n: ping\n\na\nend\n",
        ),
        (format!("{A}{A}"), "a\na\nend\n"),
        (
            format!("{A}: ping\n\n{A}data: [DONE]\n\n").replace('\n', "\r\n"),
            "a\n: ping\n\na\nend\n",
        ),
        (format!("{A}data: [DONE]"), "a\nend\n"),
        (format!("{A}data: [DONE]\n\n{A}{ERROR}"), "a\nend\n"),
        (format!("{A}{ERROR}{A}data: [DONE]\n\n"), "a\nerror c\n"),
        (
            format!("{A}data: [1]\n\n{A}data: [DONE]\n\n"),
            "a\nerror upstream_unreadable\n",
        ),
        // Lines that aren't data say nothing, and go no further.
        (
            format!("{A}: ping\n\nodd: line\n\ndata:\n\nid: 5\n\n{A}"),
            "a\n: ping\n\na\nend\n",
        ),
        (String::new(), "end\n"),
    ] {
        for size in [1, 2, 7, stream.len().max(1)] {
            assert_eq!(
                written(stream.as_bytes(), size),
                expected,
                "{stream} by {size}"
            );
        }
    }
}

#[test]
fn an_event_without_an_end_is_an_error() {
    let long = [b"data: ".as_slice(), &vec![b'a'; DEFAULT_CAP + 1]].concat();
    assert_eq!(written(&long, long.len()), "error upstream_unreadable\n");
}
