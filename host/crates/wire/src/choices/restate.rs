//! Logprobs, which tell a text again, token by token. They are read by no stage: so those stay that tell the very text beside them, and
//! what is removed from that text goes with them.

use serde_json::value::RawValue;

use super::chunk::{Chunk, Logprobs};
use super::scan::says;
use crate::raw::{each_item, each_member, unescape};
use crate::{Member, Voice};

/// The most alternatives of a token, and the longest, in bytes: one may be any other token, but no longer text.
const ALTERNATIVES: u32 = 20;
const ALTERNATIVE: usize = 64;

/// Whether these logprobs tell the texts of their choice in this chunk, and nothing else.
pub(super) fn restates(chunk: &Chunk<'_>, data: &str, logprobs: &Logprobs) -> bool {
    let Some(of) = logprobs.of else {
        return false;
    };
    let json = &data[logprobs.span.clone()];
    if crate::raw::member(json, "tokens").is_some() {
        return of == Voice::Content && old_form(chunk, json, logprobs.choice);
    }
    let read = each_member(json, |key, value| {
        let voice = match &*key {
            "content" => of,
            "refusal" => Voice::Refusal,
            _ if !says(value) => return Ok(()),
            _ => return Err("unknown"),
        };
        if value.get() == "null" {
            return Ok(());
        }
        let said = said(value).ok_or("no tokens")?;
        let tells = texts(chunk, logprobs.choice, voice).any(|text| text == said);
        tells.then_some(()).ok_or("another text")
    });
    read.is_ok()
}

/// The same of a text completion's: lists that stand side by side, of the tokens and of what is said of each.
fn old_form(chunk: &Chunk<'_>, json: &str, choice: u32) -> bool {
    let mut said = Vec::new();
    let (mut tokens, mut beside) = (0, 0);
    let read = each_member(json, |key, value| {
        if !says(value) {
            return Ok(());
        }
        let mut count = 0;
        let read = each_item(value.get(), |item| {
            count += 1;
            match &*key {
                "tokens" => {
                    let token = unescape(item.get()).ok_or("a token that is no string")?;
                    said.extend_from_slice(token.as_bytes());
                }
                "token_logprobs" | "text_offset" if is_number(item) => {}
                "top_logprobs" if item.get() == "null" => {}
                "top_logprobs" => {
                    let mut left = ALTERNATIVES;
                    each_member(item.get(), |token, logprob| {
                        left = left.checked_sub(1).ok_or("too many")?;
                        let fits = token.len() <= ALTERNATIVE && is_number(logprob);
                        fits.then_some(()).ok_or("no alternative")
                    })
                    .map_err(|_| "no alternatives")?;
                }
                _ => return Err("unknown"),
            }
            Ok(())
        });
        match &*key {
            "tokens" => tokens = count,
            _ => beside = count.max(beside),
        }
        read.map_err(|_| "no list")
    });
    let tells = || texts(chunk, choice, Voice::Content).any(|text| text == said);
    read.is_ok() && beside <= tokens && tells()
}

/// Whether it is a number, or nothing.
fn is_number(json: &RawValue) -> bool {
    !json.get().starts_with(['"', '{', '['])
}

/// What a choice says in that voice, by member: the same text may stand in two.
fn texts<'c>(
    chunk: &'c Chunk<'_>,
    choice: u32,
    voice: Voice,
) -> impl Iterator<Item = Vec<u8>> + 'c {
    let members = [
        Member::Reasoning,
        Member::ReasoningContent,
        Member::Content,
        Member::Refusal,
    ];
    members.into_iter().map(move |member| {
        let mine = chunk.pieces.iter().filter(|piece| {
            let key = piece.channel.key();
            piece.choice == choice && key.voice() == Some(voice) && key.member() == Some(member)
        });
        mine.flat_map(|piece| piece.text.bytes()).collect()
    })
}

/// The bytes that the tokens stand for, one after the other. `None` where there may be more in them.
fn said(tokens: &RawValue) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    each_item(tokens.get(), |token| {
        let entry = entry(token, true).ok_or("no token")?;
        said.extend_from_slice(&entry);
        Ok(())
    })
    .ok()?;
    Some(said)
}

/// The bytes of one token.
fn entry(json: &RawValue, chosen: bool) -> Option<Vec<u8>> {
    let mut token = None;
    let mut bytes: Option<Vec<u8>> = None;
    each_member(json.get(), |key, value| {
        match &*key {
            "token" => token = Some(unescape(value.get()).ok_or("a token that is no string")?),
            "logprob" if !value.get().starts_with(['"', '{', '[']) => {}
            "bytes" if value.get() == "null" => {}
            "bytes" => {
                let found = bytes.get_or_insert_default();
                each_item(value.get(), |byte| {
                    found.push(byte.get().parse().map_err(|_| "no byte")?);
                    Ok(())
                })
                .map_err(|_| "no bytes")?;
            }
            "top_logprobs" if value.get() == "null" => {}
            "top_logprobs" if chosen => {
                let mut left = ALTERNATIVES;
                each_item(value.get(), |other| {
                    left = left.checked_sub(1).ok_or("too many")?;
                    let other = entry(other, false).ok_or("no alternative")?;
                    (other.len() <= ALTERNATIVE).then_some(()).ok_or("too long")
                })
                .map_err(|_| "no alternatives")?;
            }
            _ if !says(value) => {}
            _ => return Err("unknown"),
        }
        Ok(())
    })
    .ok()?;
    let token = token?;
    match bytes {
        None => Some(token.into_owned().into_bytes()),
        // A token may be a part of a character; then its text isn't what it stands for.
        Some(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => (text == token).then_some(bytes),
            Err(_) => (token.len() <= ALTERNATIVE).then_some(bytes),
        },
    }
}
