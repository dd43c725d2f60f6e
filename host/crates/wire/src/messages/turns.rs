//! The conversation. Messages of one role in a row are one turn, as Anthropic has it; a turn becomes a message of a chat, and each result
//! of a tool one of its own, which must come first: a chat wants it right behind the call.

use std::ops::Range;

use super::blocks::{Block, Parts, Said, each, inside};
use super::fields::{At, fields, items, kind};
use crate::json::{BadRequest, Kind, write_str};
use crate::raw::ObjectWriter;

/// Stands before the result of a tool that failed: a chat has no other place to say so.
const FAILED: &str = "Error: ";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    System,
}

impl Role {
    fn of(message: &str, at: &At<'_>) -> Result<Role, BadRequest> {
        let [role] = fields(message, ["role"], at)?;
        match role.ok_or_else(|| at.missing("role"))? {
            r#""user""# => Ok(Role::User),
            r#""assistant""# => Ok(Role::Assistant),
            r#""system""# => Ok(Role::System),
            _ => Err(At::Member(at, "role").bad("must be `user`, `assistant` or `system`")),
        }
    }
}

/// Writes the list of a chat's messages.
pub(super) struct Turns<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    /// Pictures so far.
    pub(super) pictures: u64,
}

impl<'o> Turns<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Turns {
            out,
            first: true,
            pictures: 0,
        }
    }

    pub(super) fn end(self) -> u64 {
        self.out.push(b']');
        self.pictures
    }

    /// What is said before all else; nothing where it is empty.
    pub(super) fn system(&mut self, system: &str) -> Result<(), BadRequest> {
        let before = self.out.len();
        let first = self.first;
        let mut message = self.message("system");
        let mut parts = Parts::new(message.key("content"));
        only_text(system, &At::Member(&At::Body, "system"), &mut parts)?;
        let said = parts.end();
        message.end();
        if !said || system == "\"\"" {
            self.out.truncate(before);
            self.first = first;
        }
        Ok(())
    }

    /// The messages of the client's.
    pub(super) fn messages(&mut self, messages: &str) -> Result<(), BadRequest> {
        let at = At::Member(&At::Body, "messages");
        let mut rest = items(messages, "an array of messages", &at)?
            .enumerate()
            .peekable();
        if rest.peek().is_none() {
            return Err(at.bad("must have at least one message"));
        }
        let role_of =
            |(index, place): &Item| Role::of(&messages[place.clone()], &At::Item(&at, *index));
        loop {
            let from_here = rest.clone();
            let Some(first) = rest.next() else {
                return Ok(());
            };
            let role = role_of(&first)?;
            let mut count = 1;
            while let Some(next) = rest.peek() {
                if role_of(next)? != role {
                    break;
                }
                rest.next();
                count += 1;
            }
            let turn = Turn {
                json: messages,
                at: &at,
                messages: from_here.take(count),
            };
            match role {
                Role::User => self.user(&turn)?,
                Role::Assistant => self.assistant(&turn)?,
                Role::System => self.instructions(&turn)?,
            }
        }
    }

    /// Begins a message.
    fn message(&mut self, role: &str) -> ObjectWriter<'_> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        let mut message = ObjectWriter::new(self.out);
        message.text("role", role);
        message
    }

    fn user<'b>(
        &mut self,
        turn: &Turn<'_, 'b, impl Iterator<Item = Item> + Clone>,
    ) -> Result<(), BadRequest> {
        let mut results = 0_u64;
        turn.each(&mut |said, at| match said {
            Said::Block(block) if block.kind == "tool_result" => {
                results += 1;
                self.result(&block, at)
            }
            _ => Ok(()),
        })?;
        let before = self.out.len();
        let mut message = self.message("user");
        let mut parts = Parts::new(message.key("content"));
        turn.each(&mut |said, at| match said {
            Said::Text(literal) => {
                parts.text(literal);
                Ok(())
            }
            Said::Block(block) => match &*block.kind {
                "image" => parts.picture(&block, at),
                "tool_result" => match block.content {
                    // A tool's message can have none.
                    Some(content) => pictures(content, &At::Member(at, "content"), &mut parts),
                    None => Ok(()),
                },
                _ if parts.text_block(&block, at)? => Ok(()),
                _ => Err(block.refused("a user's message", at)),
            },
        })?;
        let pictures = parts.pictures;
        let said = parts.end();
        message.end();
        self.pictures += pictures;
        if !said && results > 0 {
            self.out.truncate(before);
        }
        Ok(())
    }

    /// What a tool answered, but for pictures.
    fn result(&mut self, block: &Block<'_>, at: &At<'_>) -> Result<(), BadRequest> {
        let id = block.string("tool_use_id", block.tool_use_id, at)?;
        let mut message = self.message("tool");
        message.raw("tool_call_id", id);
        let prefix = if block.is_error { FAILED } else { "" };
        let mut parts = Parts::after(prefix, message.key("content"));
        if let Some(content) = block.content {
            each(
                content,
                &At::Member(at, "content"),
                &mut |said, at| match said {
                    Said::Text(literal) => {
                        parts.text(literal);
                        Ok(())
                    }
                    Said::Block(block) if block.kind == "image" => Ok(()),
                    Said::Block(block) => match parts.text_block(&block, at)? {
                        true => Ok(()),
                        false => Err(block.refused("the result of a tool", at)),
                    },
                },
            )?;
        }
        parts.end();
        message.end();
        Ok(())
    }

    fn assistant<'b>(
        &mut self,
        turn: &Turn<'_, 'b, impl Iterator<Item = Item> + Clone>,
    ) -> Result<(), BadRequest> {
        let mut message = self.message("assistant");
        let mut thoughts = 0_u64;
        turn.each(&mut |said, at| {
            if let Said::Block(block) = said
                && block.kind == "thinking"
            {
                let thought = inside(block.string("thinking", block.thinking, at)?);
                let out = if thoughts == 0 {
                    let out = message.key("reasoning");
                    out.push(b'"');
                    out
                } else {
                    let out = message.value();
                    out.extend_from_slice(b"\\n");
                    out
                };
                thoughts += 1;
                out.extend_from_slice(thought.as_bytes());
            }
            Ok(())
        })?;
        if thoughts > 0 {
            message.value().push(b'"');
        }
        let (mut calls, mut texts) = (0_u64, 0_u64);
        turn.each(&mut |said, at| {
            match said {
                Said::Text(_) => texts += 1,
                Said::Block(block) => match &*block.kind {
                    "tool_use" => calls += 1,
                    "text" => texts += 1,
                    "thinking" | "redacted_thinking" => {}
                    _ => return Err(block.refused("an assistant's message", at)),
                },
            }
            Ok(())
        })?;
        if texts > 0 || calls == 0 {
            let mut parts = Parts::new(message.key("content"));
            turn.each(&mut |said, at| {
                match said {
                    Said::Text(literal) => parts.text(literal),
                    Said::Block(block) => {
                        _ = block.kind == "text" && parts.text_block(&block, at)?
                    }
                }
                Ok(())
            })?;
            parts.end();
        }
        if calls > 0 {
            let out = message.key("tool_calls");
            out.push(b'[');
            let mut first = true;
            turn.each(&mut |said, at| match said {
                Said::Block(block) if block.kind == "tool_use" => {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    call(&block, at, out)
                }
                _ => Ok(()),
            })?;
            out.push(b']');
        }
        message.end();
        Ok(())
    }

    /// A message of the system's among the others.
    fn instructions<'b>(
        &mut self,
        turn: &Turn<'_, 'b, impl Iterator<Item = Item> + Clone>,
    ) -> Result<(), BadRequest> {
        let mut message = self.message("system");
        let mut parts = Parts::new(message.key("content"));
        turn.contents(&mut |content, at| only_text(content, at, &mut parts))?;
        parts.end();
        message.end();
        Ok(())
    }
}

/// A message: which it is, and where it lies.
type Item = (usize, Range<usize>);

/// Messages of one role in a row.
struct Turn<'a, 'b, I> {
    json: &'b str,
    at: &'a At<'a>,
    messages: I,
}

impl<'b, I: Iterator<Item = Item> + Clone> Turn<'_, 'b, I> {
    fn contents(
        &self,
        see: &mut dyn FnMut(&'b str, &At<'_>) -> Result<(), BadRequest>,
    ) -> Result<(), BadRequest> {
        for (index, place) in self.messages.clone() {
            let at = At::Item(self.at, index);
            let [content] = fields(&self.json[place], ["content"], &at)?;
            let content = content.ok_or_else(|| at.missing("content"))?;
            see(content, &At::Member(&at, "content"))?;
        }
        Ok(())
    }

    fn each(
        &self,
        see: &mut dyn FnMut(Said<'b>, &At<'_>) -> Result<(), BadRequest>,
    ) -> Result<(), BadRequest> {
        self.contents(&mut |content, at| each(content, at, see))
    }
}

/// What the system says.
fn only_text<'b>(
    content: &'b str,
    at: &At<'_>,
    parts: &mut Parts<'_, 'b>,
) -> Result<(), BadRequest> {
    each(content, at, &mut |said, at| match said {
        Said::Text(literal) => {
            parts.text(literal);
            Ok(())
        }
        Said::Block(block) if block.kind == "text" => parts.text_block(&block, at).map(|_| ()),
        Said::Block(block) => Err(block.refused("what the system says", at)),
    })
}

/// The pictures in what a tool answered.
fn pictures<'b>(
    content: &'b str,
    at: &At<'_>,
    parts: &mut Parts<'_, 'b>,
) -> Result<(), BadRequest> {
    each(content, at, &mut |said, at| match said {
        Said::Block(block) if block.kind == "image" => parts.picture(&block, at),
        _ => Ok(()),
    })
}

/// A call of a tool. Its input goes on as the text that it is.
fn call(block: &Block<'_>, at: &At<'_>, out: &mut Vec<u8>) -> Result<(), BadRequest> {
    let mut call = ObjectWriter::new(out);
    call.raw("id", block.string("id", block.id, at)?);
    call.text("type", "function");
    let mut function = ObjectWriter::new(call.key("function"));
    function.raw("name", block.string("name", block.name, at)?);
    let input = block.input.ok_or_else(|| at.missing("input"))?;
    if kind(input) != Some(Kind::Object) {
        return Err(At::Member(at, "input").wrong("an object", input));
    }
    write_str(function.key("arguments"), input);
    function.end();
    call.end();
    Ok(())
}
