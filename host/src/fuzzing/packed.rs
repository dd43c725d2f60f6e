//! Bodies in gzip and MessagePack.

use serde::de::IgnoredAny;

use crate::wire::packed::{gunzip, json_of_msgpack};

/// The most that a body may have here.
const MOST: usize = 1 << 20;

/// A body: as gzip, as MessagePack, and as MessagePack in gzip. What comes of it keeps to the room that was asked for, and is JSON.
pub fn packed(data: &[u8]) {
    if let Some(unzipped) = bounded(|room| gunzip(data, MOST, room).ok()) {
        json(&unzipped);
    }
    json(data);
}

fn json(data: &[u8]) {
    if let Some(json) = bounded(|room| json_of_msgpack(data, MOST, room).ok()) {
        let is_json = serde_json::from_slice::<IgnoredAny>(&json);
        is_json.expect("what MessagePack becomes is JSON");
    }
}

type Ask<'a> = &'a mut dyn FnMut(usize) -> Result<(), ()>;

/// What was unpacked, if it was, within the room that was asked for and within all that there may be.
fn bounded(unpack: impl FnOnce(Ask<'_>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut asked = 0;
    let unpacked = unpack(&mut |bytes| {
        asked += bytes;
        Ok(())
    });
    assert!(asked <= MOST, "more room was asked for than there may be");
    let unpacked = unpacked?;
    assert!(unpacked.len() <= asked, "more was kept than asked for");
    Some(unpacked)
}
