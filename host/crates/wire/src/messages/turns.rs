//! The conversation. Messages of one role in a row are one turn, as Anthropic has it; a turn becomes a message of a chat, and each result
//! of a tool one of its own, which must come first: a chat wants it right behind the call.
//!
//! A turn is gone over once for each kind of thing that a chat has in its order, and only for kinds that are in it.

use super::blocks::{Block, Parts, Said, each, inside};
use super::fields::{At, Items, kind};
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

/// A message, one layer of it read.
#[derive(Clone, Copy)]
struct Message<'b> {
    role: Role,
    content: Option<&'b str>,
}

impl<'b> Message<'b> {
    fn read(messages: &mut Items<'b>, at: &At<'_>) -> Result<Message<'b>, BadRequest> {
        let [role, content] = messages.fields(["role", "content"], at)?;
        let role = match role.ok_or_else(|| at.missing("role"))? {
            r#""user""# => Role::User,
            r#""assistant""# => Role::Assistant,
            r#""system""# => Role::System,
            _ => {
                return Err(At::Member(at, "role").bad("must be `user`, `assistant` or `system`"));
            }
        };
        Ok(Message { role, content })
    }
}

/// Writes the list of a chat's messages.
pub(super) struct Turns<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    /// Pictures so far.
    pictures: u64,
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

    /// Ends the list; how many pictures are in it.
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
        let mut rest = Items::of(messages, "an array of messages", &at)?;
        if !rest.more() {
            return Err(at.bad("must have at least one message"));
        }
        let mut index = 0;
        let mut first = Message::read(&mut rest, &At::Item(&at, index))?;
        loop {
            let mut turn = Turn {
                at: &at,
                index,
                first,
                others: 0,
                rest: rest.clone(),
            };
            // It goes as far as the role does.
            let mut next = None;
            while rest.more() {
                let place = index + turn.others + 1;
                let message = Message::read(&mut rest, &At::Item(&at, place))?;
                if message.role != first.role {
                    next = Some((place, message));
                    break;
                }
                turn.others += 1;
            }
            match first.role {
                Role::User => self.user(&turn)?,
                Role::Assistant => self.assistant(&turn)?,
                Role::System => self.instructions(&turn)?,
            }
            match next {
                Some(next) => (index, first) = next,
                None => return Ok(()),
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

    /// Results of tools, then what else a user says.
    fn user(&mut self, turn: &Turn<'_, '_>) -> Result<(), BadRequest> {
        let (mut results, mut more) = (false, false);
        turn.each(&mut |said, at| {
            more |= match said {
                Said::Block(block) if block.kind == "tool_result" => {
                    results = true;
                    self.result(&block, at)?
                }
                _ => true,
            };
            Ok(())
        })?;
        if results && !more {
            return Ok(());
        }
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
                    Some(content) => pictures(content, &At::Member(at, "content"), &mut parts),
                    None => Ok(()),
                },
                _ if parts.text_block(&block, at)? => Ok(()),
                _ => Err(block.refused("a user's message", at)),
            },
        })?;
        let pictures = parts.pictures;
        parts.end();
        message.end();
        self.pictures += pictures;
        Ok(())
    }

    /// What a tool answered, but for pictures, which a tool's message can't have; whether there are any.
    fn result(&mut self, block: &Block<'_>, at: &At<'_>) -> Result<bool, BadRequest> {
        let id = block.string("tool_use_id", block.tool_use_id, at)?;
        let mut message = self.message("tool");
        message.raw("tool_call_id", id);
        let prefix = if block.is_error { FAILED } else { "" };
        let mut parts = Parts::after(prefix, message.key("content"));
        let mut pictures = false;
        if let Some(content) = block.content {
            let at = At::Member(at, "content");
            each(content, &at, &mut |said, at| match said {
                Said::Text(literal) => {
                    parts.text(literal);
                    Ok(())
                }
                Said::Block(block) if block.kind == "image" => {
                    pictures = true;
                    Ok(())
                }
                Said::Block(block) => match parts.text_block(&block, at)? {
                    true => Ok(()),
                    false => Err(block.refused("the result of a tool", at)),
                },
            })?;
        }
        parts.end();
        message.end();
        Ok(pictures)
    }

    /// What was thought, what was said, and calls of tools.
    fn assistant(&mut self, turn: &Turn<'_, '_>) -> Result<(), BadRequest> {
        let mut message = self.message("assistant");
        let [mut thoughts, mut texts, mut calls] = [false; 3];
        turn.each(&mut |said, at| {
            let Said::Block(block) = said else {
                texts = true;
                return Ok(());
            };
            match &*block.kind {
                "text" => texts = true,
                "tool_use" => calls = true,
                "redacted_thinking" => {}
                "thinking" => {
                    let thought = inside(block.string("thinking", block.thinking, at)?);
                    // Several are put together by line breaks.
                    if std::mem::replace(&mut thoughts, true) {
                        message.value().extend_from_slice(b"\\n");
                    } else {
                        message.key("reasoning").push(b'"');
                    }
                    message.value().extend_from_slice(thought.as_bytes());
                }
                _ => return Err(block.refused("an assistant's message", at)),
            }
            Ok(())
        })?;
        if thoughts {
            message.value().push(b'"');
        }
        if texts || !calls {
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
        if calls {
            let out = message.key("tool_calls");
            let mut before = b'[';
            turn.each(&mut |said, at| match said {
                Said::Block(block) if block.kind == "tool_use" => {
                    out.push(std::mem::replace(&mut before, b','));
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
    fn instructions(&mut self, turn: &Turn<'_, '_>) -> Result<(), BadRequest> {
        let mut message = self.message("system");
        let mut parts = Parts::new(message.key("content"));
        turn.contents(&mut |content, at| only_text(content, at, &mut parts))?;
        parts.end();
        message.end();
        Ok(())
    }
}

/// Messages of one role in a row.
struct Turn<'a, 'b> {
    at: &'a At<'a>,
    index: usize,
    first: Message<'b>,
    /// So many more, which follow it.
    others: usize,
    rest: Items<'b>,
}

impl<'b> Turn<'_, 'b> {
    fn contents(
        &self,
        see: &mut dyn FnMut(&'b str, &At<'_>) -> Result<(), BadRequest>,
    ) -> Result<(), BadRequest> {
        let mut rest = self.rest.clone();
        for place in 0..=self.others {
            let at = At::Item(self.at, self.index + place);
            let message = match place {
                0 => self.first,
                _ => Message::read(&mut rest, &at)?,
            };
            let content = message.content.ok_or_else(|| at.missing("content"))?;
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
