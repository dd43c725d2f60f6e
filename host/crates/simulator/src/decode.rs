//! A request body from its bytes: gzip outside, then JSON or MessagePack.

use std::io::Read as _;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;

use super::refusal::Refusal;

/// The most that a body may have, packed or unpacked.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// The value that a body stands for.
pub(super) fn body(headers: &HeaderMap, raw: &Bytes) -> Result<Value, Refusal> {
    let unpacked;
    let bytes: &[u8] = match text(headers, header::CONTENT_ENCODING) {
        "" | "identity" => raw,
        "gzip" => {
            unpacked = gunzip(raw)?;
            &unpacked
        }
        other => {
            return Err(Refusal::wrong_format(format!(
                "Content-Encoding '{other}' is unsupported"
            )));
        }
    };
    let kind = text(headers, header::CONTENT_TYPE);
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if matches!(
        kind,
        "application/vnd.msgpack" | "application/msgpack" | "application/x-msgpack"
    ) {
        rmp_serde::from_slice(bytes)
            .map_err(|error| Refusal::wrong_format(format!("Invalid MessagePack: {error}")))
    } else {
        serde_json::from_slice(bytes)
            .map_err(|error| Refusal::wrong_format(format!("Invalid JSON: {error}")))
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn gunzip(raw: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(raw)
        .take(MOST_BYTES as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| Refusal::wrong_format(format!("Invalid gzip: {error}")))?;
    if unpacked.len() > MOST_BYTES {
        return Err(Refusal::too_large("Request body is too large."));
    }
    Ok(unpacked)
}
