#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json::MAX_DEPTH;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn plenty(_: usize) -> Result<(), ()> {
    Ok(())
}

fn unzipped(packed: &[u8]) -> Result<Vec<u8>, Unpacked<()>> {
    gunzip(packed, 1 << 20, &mut plenty)
}

fn json_of(packed: &[u8]) -> Result<String, Unpacked<()>> {
    let json = json_of_msgpack(packed, 1 << 20, &mut plenty);
    json.map(|json| String::from_utf8(json).unwrap())
}

#[track_caller]
fn bad<T: std::fmt::Debug>(result: Result<T, Unpacked<()>>, says: &str) {
    match result.unwrap_err() {
        Unpacked::Bad(why) => assert!(why.contains(says), "{why:?} doesn't say {says:?}"),
        other => panic!("{other:?} instead of {says:?}"),
    }
}

#[test]
fn gzip_is_unpacked_whole_or_not_at_all() {
    let text = "Grüße! ".repeat(10_000).into_bytes();
    let packed = gzip(&text);
    assert_eq!(unzipped(&packed).unwrap(), text);
    assert_eq!(unzipped(&gzip(b"")).unwrap(), b"");
    for end in [
        0,
        1,
        2,
        9,
        10,
        30,
        packed.len() - 9,
        packed.len() - 8,
        packed.len() - 1,
    ] {
        let says = if end < 2 { "isn't gzip" } else { "breaks off" };
        bad(unzipped(&packed[..end]), says);
    }
    let mut turned = packed.clone();
    let crc = turned.len() - 6;
    turned[crc] ^= 1;
    bad(unzipped(&turned), "is broken");
    bad(unzipped(b"{\"model\":\"m\"}"), "isn't gzip");
}

#[test]
fn gzip_of_several_members_is_all_of_them_and_what_follows_is_an_error() {
    let two = [gzip(b"{\"a\""), gzip(b":1}")].concat();
    assert_eq!(unzipped(&two).unwrap(), b"{\"a\":1}");
    for after in [&b"x"[..], b"\0", b"\x1f", b"{}"] {
        let garbage = [&gzip(b"{}"), after].concat();
        bad(unzipped(&garbage), "something follows");
    }
    bad(unzipped(&gzip(b"").repeat(65)), "more than 64 members");
    assert_eq!(unzipped(&gzip(b"a").repeat(64)).unwrap(), [b'a'; 64]);
}

/// Neither a bomb of gzip nor one of escapes grows past its end, or past the room that it was given.
#[test]
fn a_bomb_ends_at_the_limit_and_room_is_asked_for_before_it_is_taken() {
    let zeros = gzip(&vec![0; 16 << 20]);
    let mut text = vec![0xdb, 0, 1, 0, 0];
    text.extend(vec![1; 1 << 16]);
    type Unpack =
        fn(&[u8], usize, &mut dyn FnMut(usize) -> Result<(), ()>) -> Result<Vec<u8>, Unpacked<()>>;
    for (unpack, packed, size) in [
        (gunzip::<()> as Unpack, &zeros, 16 << 20),
        (json_of_msgpack::<()> as Unpack, &text, 6 * (1 << 16) + 2),
    ] {
        let mut asked = 0;
        let mut count = |bytes| {
            asked += bytes;
            Ok(())
        };
        let whole = unpack(packed, size, &mut count).unwrap();
        assert_eq!((whole.len(), whole.capacity()), (size, size));
        assert!((size..size + STEP).contains(&asked), "{asked}");

        let mut asked = 0;
        let mut count = |bytes| {
            asked += bytes;
            Ok(())
        };
        let cut = unpack(packed, size - 1, &mut count);
        assert_eq!(cut.unwrap_err(), Unpacked::TooLarge);
        assert!(asked < size, "{asked}");

        let mut left = 5 * STEP;
        let mut refuse = |bytes: usize| {
            left = left.checked_sub(bytes).ok_or(())?;
            Ok(())
        };
        let refused = unpack(packed, size, &mut refuse);
        assert_eq!(refused.unwrap_err(), Unpacked::NoRoom(()));
    }
}

#[test]
fn numbers_lose_no_digit() {
    for (packed, json) in [
        (&[0x7f][..], "127"),
        (&[0xe0], "-32"),
        (&[0xcc, 200], "200"),
        (&[0xcd, 0xff, 0xff], "65535"),
        (&[0xce, 0xff, 0xff, 0xff, 0xff], "4294967295"),
        (
            &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            "18446744073709551615",
        ),
        (&[0xd0, 0x80], "-128"),
        (&[0xd1, 0x80, 0], "-32768"),
        (&[0xd2, 0x80, 0, 0, 0], "-2147483648"),
        (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
        (&[0xc0], "null"),
        (&[0xc2], "false"),
        (&[0xc3], "true"),
    ] {
        assert_eq!(json_of(packed).unwrap(), json, "{packed:x?}");
    }
    for number in [0.1, -0.0, 1.0, 1e300, 5e-324, f64::MAX, 0.1 + 0.2] {
        let packed = [&[0xcb], &number.to_be_bytes()[..]].concat();
        let read: f64 = serde_json::from_str(&json_of(&packed).unwrap()).unwrap();
        assert_eq!(read.to_bits(), number.to_bits());
    }
    for number in [0.7f32, f32::MIN_POSITIVE, f32::MAX] {
        let packed = [&[0xca], &number.to_be_bytes()[..]].concat();
        let read: f64 = serde_json::from_str(&json_of(&packed).unwrap()).unwrap();
        assert_eq!(read.to_bits(), f64::from(number).to_bits());
    }
}

#[test]
fn what_json_has_no_word_for_is_refused_by_its_place() {
    for (packed, says) in [
        (&[0x92, 0xc0, 0xc4, 1, 0][..], "from 2 on are binary data"),
        (&[0xc5, 0, 1, 0], "binary"),
        (&[0xc6, 0, 0, 0, 1, 0], "binary"),
        (&[0xd4, 1, 0], "an extension type"),
        (&[0xd6, 0xff, 0, 0, 0, 0], "an extension type"),
        (&[0xc7, 0, 1], "an extension type"),
        (&[0xc1], "no value"),
        (&[0x81, 1, 1], "from 1 on are a map's key and no string"),
        (&[0x81, 0xc4, 1, b'a', 1], "a map's key"),
        (&[0x81, 0xc0, 1], "a map's key"),
        (&[0x81, 0x80, 1], "a map's key"),
        (&[0xa1, 0xff], "no UTF-8"),
        (&[0xa3, 0xed, 0xa0, 0x80], "no UTF-8"),
        (&[0x81, 0xa1, 0xff, 1], "no UTF-8"),
        (&[0xca, 0x7f, 0xc0, 0, 0], "no finite number"),
        (&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "no finite number"),
        (&[0xcb, 0xff, 0xf0, 0, 0, 0, 0, 0, 0], "no finite number"),
        (&[], "breaks off"),
        (&[0xcd, 1], "breaks off"),
        (&[0x92, 1], "breaks off"),
        (&[0x81, 0xa1, b'a'], "breaks off"),
        (&[0xa5, b'a'], "breaks off"),
        (&[0xdb, 0xff, 0xff, 0xff, 0xff, b'a'], "breaks off"),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], "breaks off"),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff], "breaks off"),
        (&[1, 1], "1 bytes after"),
        (b"{\"model\":\"m\"}", "12 bytes after"),
    ] {
        bad(json_of(packed), says);
    }
}

#[test]
fn nesting_ends_where_jsons_does() {
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    let json = json_of(&nested(MAX_DEPTH)).unwrap();
    assert_eq!(crate::json::depth(json.as_bytes()), MAX_DEPTH);
    bad(json_of(&nested(MAX_DEPTH + 1)), "deeper than 127");
    bad(json_of(&vec![0x91; 1 << 20]), "deeper than 127");
}

#[test]
fn a_key_that_stands_twice_stands_twice() {
    let twice = [0x82, 0xa1, b'a', 1, 0xa1, b'a', 2];
    assert_eq!(json_of(&twice).unwrap(), "{\"a\":1,\"a\":2}");
}

#[test]
fn text_is_escaped() {
    let text = "\"\\/\u{0}\u{1f}\u{7f}\n\u{2028}é😀";
    let packed = rmp_serde::to_vec(&json!({text: text})).unwrap();
    let read: Value = serde_json::from_str(&json_of(&packed).unwrap()).unwrap();
    assert_eq!(read, json!({text: text}));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,80}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_another_packed_is_the_same_json(value in any_json()) {
        let packed = rmp_serde::to_vec(&value).unwrap();
        let read: Value = serde_json::from_str(&json_of(&packed).unwrap()).unwrap();
        prop_assert_eq!(&read, &value);
        let zipped = gzip(&packed);
        prop_assert_eq!(unzipped(&zipped).unwrap(), packed);
    }

    #[test]
    fn any_bytes_are_json_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(json) = json_of(&bytes) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{}", json);
        }
        let _ = unzipped(&bytes);
        let _ = unzipped(&[&[0x1f, 0x8b, 8, 0][..], &bytes].concat());
    }
}
