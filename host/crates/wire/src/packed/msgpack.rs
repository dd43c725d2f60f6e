//! MessagePack, written as the JSON that says the same.
//!
//! No digit of a number is lost, and a key that stands twice stands twice in the JSON, where whoever reads it finds it. What JSON has no
//! word for is refused.

use rmp::Marker;

use super::{Out, Unpacked};
use crate::json::MAX_DEPTH;

/// Writes the one value of a body as JSON, of `most` bytes at the most. `ask` is asked for the room.
///
/// # Errors
/// [`Unpacked`].
pub fn json_of_msgpack<E>(
    packed: &[u8],
    most: usize,
    ask: &mut dyn FnMut(usize) -> Result<(), E>,
) -> Result<Vec<u8>, Unpacked<E>> {
    let mut writer = Writer {
        packed,
        at: 0,
        open: Vec::new(),
        out: Out::new(most, ask),
    };
    writer.value()?;
    let after = packed.len() - writer.at;
    if after > 0 {
        return Err(Unpacked::Bad(format!(
            "the body has {after} bytes after its MessagePack value"
        )));
    }
    Ok(writer.out.done())
}

struct Writer<'p, 'r, E> {
    packed: &'p [u8],
    at: usize,
    open: Vec<Open>,
    out: Out<'r, E>,
}

/// An array or a map whose end wasn't reached yet.
struct Open {
    /// How many elements, or members, are still to come.
    left: u32,
    is_first: bool,
    is_map: bool,
}

impl<'p, E> Writer<'p, '_, E> {
    fn value(&mut self) -> Result<(), Unpacked<E>> {
        loop {
            self.begin()?;
            // Then what ends with it, and what stands before the next.
            loop {
                let Some(open) = self.open.last_mut() else {
                    return Ok(());
                };
                let is_map = open.is_map;
                if open.left == 0 {
                    self.open.pop();
                    self.out.push(if is_map { b"}" } else { b"]" })?;
                    continue;
                }
                open.left -= 1;
                if !std::mem::take(&mut open.is_first) {
                    self.out.push(b",")?;
                }
                if is_map {
                    self.key()?;
                    self.out.push(b":")?;
                }
                break;
            }
        }
    }

    /// A value, or the beginning of one that holds others.
    fn begin(&mut self) -> Result<(), Unpacked<E>> {
        let at = self.at;
        match self.marker()? {
            Marker::Null => self.out.push(b"null"),
            Marker::True => self.out.push(b"true"),
            Marker::False => self.out.push(b"false"),
            Marker::FixPos(number) => self.number(number),
            Marker::FixNeg(number) => self.number(number),
            Marker::U8 => {
                let [number] = self.take()?;
                self.number(number)
            }
            Marker::U16 => {
                let number = u16::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::U32 => {
                let number = u32::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::U64 => {
                let number = u64::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::I8 => {
                let number = i8::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::I16 => {
                let number = i16::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::I32 => {
                let number = i32::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::I64 => {
                let number = i64::from_be_bytes(self.take()?);
                self.number(number)
            }
            Marker::F32 => {
                // The double that is equal to it, which has all of its digits.
                let number = f32::from_be_bytes(self.take()?);
                self.double(number.into(), at)
            }
            Marker::F64 => {
                let number = f64::from_be_bytes(self.take()?);
                self.double(number, at)
            }
            Marker::FixArray(length) => self.open(length.into(), false),
            Marker::Array16 => {
                let length = u16::from_be_bytes(self.take()?);
                self.open(length.into(), false)
            }
            Marker::Array32 => {
                let length = u32::from_be_bytes(self.take()?);
                self.open(length, false)
            }
            Marker::FixMap(length) => self.open(length.into(), true),
            Marker::Map16 => {
                let length = u16::from_be_bytes(self.take()?);
                self.open(length.into(), true)
            }
            Marker::Map32 => {
                let length = u32::from_be_bytes(self.take()?);
                self.open(length, true)
            }
            marker => match self.string(marker)? {
                Some(text) => self.text(text),
                None => Err(wrong(
                    at,
                    match marker {
                        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                            "are binary data, which JSON doesn't have; send a string"
                        }
                        Marker::Reserved => "are no value",
                        _ => "are an extension type, which JSON doesn't have",
                    },
                )),
            },
        }
    }

    fn key(&mut self) -> Result<(), Unpacked<E>> {
        let at = self.at;
        let marker = self.marker()?;
        match self.string(marker)? {
            Some(text) => self.text(text),
            None => Err(wrong(
                at,
                "are a map's key and no string, and JSON has no other keys",
            )),
        }
    }

    /// A string's bytes. `None`: it is none.
    fn string(&mut self, marker: Marker) -> Result<Option<&'p str>, Unpacked<E>> {
        let at = self.at;
        let length = match marker {
            Marker::FixStr(length) => length as usize,
            Marker::Str8 => u8::from_be_bytes(self.take()?).into(),
            Marker::Str16 => u16::from_be_bytes(self.take()?).into(),
            Marker::Str32 => u32::from_be_bytes(self.take()?) as usize,
            _ => return Ok(None),
        };
        let left: &'p [u8] = &self.packed[self.at..];
        let bytes = left.get(..length).ok_or_else(breaks_off)?;
        self.at += length;
        let text = std::str::from_utf8(bytes);
        text.map(Some)
            .map_err(|_| wrong(at, "are a string that is no UTF-8"))
    }

    fn marker(&mut self) -> Result<Marker, Unpacked<E>> {
        let [byte] = self.take()?;
        Ok(Marker::from_u8(byte))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unpacked<E>> {
        let left = &self.packed[self.at..];
        let taken = left.first_chunk().ok_or_else(breaks_off)?;
        self.at += N;
        Ok(*taken)
    }

    fn open(&mut self, length: u32, is_map: bool) -> Result<(), Unpacked<E>> {
        if self.open.len() == MAX_DEPTH {
            let why = format!("the body's MessagePack nests deeper than {MAX_DEPTH}");
            return Err(Unpacked::Bad(why));
        }
        self.open.push(Open {
            left: length,
            is_first: true,
            is_map,
        });
        self.out.push(if is_map { b"{" } else { b"[" })
    }

    fn double(&mut self, number: f64, at: usize) -> Result<(), Unpacked<E>> {
        if number.is_finite() {
            self.number(number)
        } else {
            Err(wrong(at, "are no finite number, and JSON has no other"))
        }
    }

    fn number(&mut self, number: impl serde::Serialize) -> Result<(), Unpacked<E>> {
        let mut digits = [0; 40];
        let mut left = &mut digits[..];
        serde_json::to_writer(&mut left, &number).expect("no number is longer");
        let length = 40 - left.len();
        self.out.push(&digits[..length])
    }

    /// A string as a literal, escaped as it goes: it is never there twice.
    fn text(&mut self, text: &str) -> Result<(), Unpacked<E>> {
        self.out.push(b"\"")?;
        let mut left = text.as_bytes();
        while !left.is_empty() {
            let escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
            let plain = left.iter().position(escaped).unwrap_or(left.len());
            self.out.push(&left[..plain])?;
            left = &left[plain..];
            if let Some((byte, rest)) = left.split_first() {
                let escape = match byte {
                    b'"' => *b"\\\"    ",
                    b'\\' => *b"\\\\    ",
                    byte => {
                        let digit = |four: u8| b"0123456789abcdef"[usize::from(four)];
                        [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]
                    }
                };
                self.out.push(escape.trim_ascii_end())?;
                left = rest;
            }
        }
        self.out.push(b"\"")
    }
}

fn breaks_off<E>() -> Unpacked<E> {
    Unpacked::Bad("the body's MessagePack breaks off".into())
}

fn wrong<E>(at: usize, why: &str) -> Unpacked<E> {
    Unpacked::Bad(format!("the body's MessagePack bytes from {at} on {why}"))
}
