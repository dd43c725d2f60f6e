#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use proptest::prelude::*;

fn all(framer: &mut Framer) -> Vec<Event> {
    std::iter::from_fn(|| framer.next().unwrap()).collect()
}

fn frame(parts: &[&[u8]]) -> (Vec<Event>, Option<Bytes>) {
    let mut framer = Framer::new(DEFAULT_CAP);
    let mut events = Vec::new();
    for part in parts {
        framer.push(Bytes::copy_from_slice(part));
        events.extend(all(&mut framer));
    }
    (events, framer.finish())
}

fn said(events: &[Event]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let said = |event: &Event| {
        Some((
            event.data.as_ref()?.to_vec(),
            event.name.as_ref().map(|name| name.to_vec()),
        ))
    };
    events.iter().filter_map(said).collect()
}

fn data(stream: &str) -> Vec<String> {
    let (events, _) = frame(&[stream.as_bytes()]);
    said(&events)
        .into_iter()
        .map(|(data, _)| String::from_utf8(data).unwrap())
        .collect()
}

#[test]
fn whole_events_are_slices_of_what_was_pushed() {
    let pushed = Bytes::from_static(b"data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n");
    let mut framer = Framer::new(DEFAULT_CAP);
    framer.push(pushed.clone());
    let events = all(&mut framer);
    assert_eq!(said(&events).len(), 3);
    assert!(events[2].is_done() && !events[1].is_done());
    for event in &events {
        for part in [&event.raw, event.data.as_ref().unwrap()] {
            let at = part.as_ptr() as usize - pushed.as_ptr() as usize;
            assert_eq!(pushed[at..at + part.len()], part[..]);
        }
    }
}

#[test]
fn after_a_straddling_event_the_rest_of_the_buffer_is_still_not_copied() {
    let second = Bytes::from_static(b"1}\n\ndata: {\"b\":2}\n\n");
    let mut framer = Framer::new(DEFAULT_CAP);
    framer.push(Bytes::from_static(b"data: {\"a\":"));
    assert_eq!(framer.next(), Ok(None));
    framer.push(second.clone());
    assert_eq!(framer.next().unwrap().unwrap().data.unwrap(), "{\"a\":1}");
    let event = framer.next().unwrap().unwrap();
    assert_eq!(event.raw.as_ptr() as usize, second.as_ptr() as usize + 4);
}

#[test]
fn every_line_end_ends_a_line() {
    for end in ["\n", "\r\n", "\r"] {
        let stream = format!("data: one{end}data: two{end}{end}data:three{end}{end}");
        assert_eq!(data(&stream), ["one\ntwo", "three"], "{end:?}");
    }
}

#[test]
fn comments_other_fields_and_blank_lines_stay_in_raw_alone() {
    let stream = ": keep-alive\n\nid: 7\n: hm\ndata: x\nretry: 3\n\n\n\ndatabase: no\ndata\n\n";
    let (events, rest) = frame(&[stream.as_bytes()]);
    assert_eq!(said(&events), [(b"x".to_vec(), None), (Vec::new(), None)]);
    assert_eq!(
        events.iter().map(|event| event.raw.len()).sum::<usize>(),
        stream.len()
    );
    assert_eq!((events.len(), rest), (5, None));
}

#[test]
fn names_are_read_and_an_empty_one_is_none() {
    let (events, _) = frame(&[b"event: error\ndata: {}\n\nevent:\ndata: 1\n\n"]);
    assert_eq!(
        said(&events),
        [
            (b"{}".to_vec(), Some(b"error".to_vec())),
            (b"1".to_vec(), None)
        ]
    );
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_alone() {
    assert_eq!(data("\u{feff}data: x\n\n"), ["x"]);
    assert_eq!(data("\u{feff}data: x\ndata: y\n\n"), ["x\ny"]);
    assert_eq!(data("\u{feff}\ndata: x\n\n"), ["x"]);
    assert_eq!(data("data: x\n\n\u{feff}data: y\n\n"), ["x"]);
    assert_eq!(data("a\n\n"), [""; 0]);
}

#[test]
fn an_event_over_the_cap_is_an_error_that_stays_and_no_byte_is_lost() {
    for parts in [
        vec!["data: 123456\n\n"],
        vec!["data: 12", "3456", "78", "90"],
    ] {
        let mut framer = Framer::new(12);
        let mut failed = false;
        for part in &parts {
            framer.push(Bytes::copy_from_slice(part.as_bytes()));
            failed |= framer.next().is_err();
        }
        assert!(failed);
        assert_eq!(framer.next(), Err(TooLong { cap: 12 }));
        assert_eq!(framer.finish().unwrap(), parts.concat());
        assert_eq!(framer.finish(), None);
    }
    let mut framer = Framer::new(12);
    framer.push(Bytes::from_static(b"data: 1234\n\ndata: 5678\n\n"));
    assert_eq!(all(&mut framer).len(), 2);
}

#[test]
fn a_blank_line_of_one_cr_is_not_waited_with() {
    let (events, _) = frame(&[b"data: x\r\r"]);
    assert_eq!(said(&events).len(), 1);
}

#[test]
fn what_is_written_is_read_again() {
    assert_eq!(event(b"{}"), "data: {}\n\n");
    assert_eq!(
        data(std::str::from_utf8(&event(b"{\n\"a\":1\n}")).unwrap()),
        ["{\n\"a\":1\n}"]
    );
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just("data: "),
        Just("data:"),
        Just("event: x"),
        Just(":c"),
        Just("{\"a\":1}"),
        Just(" "),
        Just("\u{feff}"),
        Just("ü"),
        Just("data: {\"b\":2}\n\n"),
        Just("id: 3\n"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events_and_keeps_every_byte(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        let (events, rest) = frame(&parts);
        let mut joined: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
        joined.extend(rest.unwrap_or_default());
        prop_assert_eq!(&joined, &stream);
        let (whole, _) = frame(&[&stream]);
        prop_assert_eq!(said(&events), said(&whole));
    }
}

#[test]
fn what_is_no_line_of_events_is_told_from_what_is() {
    let read = |bytes: &[u8]| {
        let mut framer = Framer::new(DEFAULT_CAP);
        framer.push(Bytes::copy_from_slice(bytes));
        framer.next().unwrap().unwrap().is_of_lines()
    };
    for events in [
        "\n",
        ": keep-alive\n\n",
        ":\n\n",
        "\u{feff}: a\n\n",
        "retry: 3000\r\n\r\n",
        "id\nevent: error\n\n",
        "x-vendor: 1\n\n",
        "event: error\ndata: {}\n\n",
        "data: a\ndata: b\n\n",
        "data:\n\n",
    ] {
        assert!(read(events.as_bytes()), "{events:?}");
    }
    let others: [&[u8]; 6] = [
        b"\x1f\x8b\x08\x00\xff\n\n",
        b": \xff\n\n",
        b"<html>\n\n",
        b"Hello there\n\n",
        b"two words: x\n\n",
        b"Hello there\ndata: {}\n\n",
    ];
    for bytes in others {
        assert!(!read(bytes), "{}", String::from_utf8_lossy(bytes));
    }
}
