//! Blocks of content, and what becomes of them in a chat: text and pictures are parts of a message.

use std::borrow::Cow;

use super::fields::{At, fields, items, kind, string};
use crate::json::{BadRequest, Kind, cut};
use crate::raw::{ObjectWriter, unescape};

/// A block, one layer of it read.
pub(super) struct Block<'b> {
    pub(super) kind: Cow<'b, str>,
    pub(super) text: Option<&'b str>,
    pub(super) thinking: Option<&'b str>,
    pub(super) id: Option<&'b str>,
    pub(super) name: Option<&'b str>,
    pub(super) input: Option<&'b str>,
    pub(super) tool_use_id: Option<&'b str>,
    pub(super) content: Option<&'b str>,
    pub(super) is_error: bool,
    source: Option<&'b str>,
    title: Option<&'b str>,
    context: Option<&'b str>,
}

impl<'b> Block<'b> {
    pub(super) fn read(json: &'b str, at: &At<'_>) -> Result<Block<'b>, BadRequest> {
        let [
            kind,
            text,
            thinking,
            id,
            name,
            input,
            tool_use_id,
            content,
            is_error,
            source,
            title,
            context,
        ] = fields(
            json,
            [
                "type",
                "text",
                "thinking",
                "id",
                "name",
                "input",
                "tool_use_id",
                "content",
                "is_error",
                "source",
                "title",
                "context",
            ],
            at,
        )?;
        let kind = kind.ok_or_else(|| at.missing("type"))?;
        let kind = string(kind, &At::Member(at, "type"))?;
        Ok(Block {
            kind: unescape(kind).unwrap_or_default(),
            text,
            thinking,
            id,
            name,
            input,
            tool_use_id,
            content,
            is_error: is_error == Some("true"),
            source,
            title,
            context,
        })
    }

    /// A member that must be a string.
    pub(super) fn string(
        &self,
        name: &str,
        value: Option<&'b str>,
        at: &At<'_>,
    ) -> Result<&'b str, BadRequest> {
        string(
            value.ok_or_else(|| at.missing(name))?,
            &At::Member(at, name),
        )
    }

    /// It has no place where it stands.
    pub(super) fn refused(&self, place: &str, at: &At<'_>) -> BadRequest {
        let kind = cut(&self.kind);
        At::Member(at, "type").bad(format_args!(
            "is `{kind}`, which the models behind this gateway can't read in {place}"
        ))
    }
}

/// Shows each block of a content, which is a string or an array of blocks.
pub(super) fn each<'b>(
    content: &'b str,
    at: &At<'_>,
    see: &mut dyn FnMut(Said<'b>, &At<'_>) -> Result<(), BadRequest>,
) -> Result<(), BadRequest> {
    if kind(content) == Some(Kind::String) {
        return see(Said::Text(content), at);
    }
    let places = items(content, "a string or an array of content blocks", at)?;
    for (index, place) in places.enumerate() {
        let at = At::Item(at, index);
        see(Said::Block(Block::read(&content[place], &at)?), &at)?;
    }
    Ok(())
}

/// What stands in a content.
pub(super) enum Said<'b> {
    /// All of it is this string.
    Text(&'b str),
    Block(Block<'b>),
}

/// Writes the content of a chat's message: a string where it is one text, else parts.
pub(super) struct Parts<'o, 'b> {
    out: &'o mut Vec<u8>,
    /// The one text so far.
    one: Option<&'b str>,
    open: bool,
    /// Stands before the first text.
    prefix: &'static str,
    /// Pictures among them.
    pub(super) pictures: u64,
}

impl<'o, 'b> Parts<'o, 'b> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Parts::after("", out)
    }

    /// `prefix` stands before the first text, and needs no escapes.
    pub(super) fn after(prefix: &'static str, out: &'o mut Vec<u8>) -> Self {
        Parts {
            out,
            one: None,
            open: false,
            prefix,
            pictures: 0,
        }
    }

    /// A string literal.
    pub(super) fn text(&mut self, literal: &'b str) {
        if self.one.is_none() && !self.open {
            self.one = Some(literal);
            return;
        }
        self.flush();
        self.part(literal);
    }

    /// Puts down the text that was kept, which isn't the only part.
    fn flush(&mut self) {
        if let Some(first) = self.one.take() {
            self.part(first);
        }
    }

    fn part(&mut self, literal: &str) {
        self.begin();
        let mut part = ObjectWriter::new(self.out);
        part.text("type", "text");
        let prefix = std::mem::take(&mut self.prefix);
        write_after(prefix, literal, part.key("text"));
        part.end();
    }

    fn begin(&mut self) {
        self.out.push(if self.open { b',' } else { b'[' });
        self.open = true;
    }

    /// A block of text, in whichever form; whether it was one.
    pub(super) fn text_block(
        &mut self,
        block: &Block<'b>,
        at: &At<'_>,
    ) -> Result<bool, BadRequest> {
        match &*block.kind {
            "text" => self.text(block.string("text", block.text, at)?),
            "search_result" => {
                for (name, value) in [("title", block.title), ("source", block.source)] {
                    self.text(block.string(name, value, at)?);
                }
                let content = block.content.ok_or_else(|| at.missing("content"))?;
                self.texts(content, &At::Member(at, "content"))?;
            }
            "document" => self.document(block, at)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn texts(&mut self, content: &'b str, at: &At<'_>) -> Result<(), BadRequest> {
        each(content, at, &mut |said, at| match said {
            Said::Text(literal) => {
                self.text(literal);
                Ok(())
            }
            Said::Block(block) if block.kind == "text" => self.text_block(&block, at).map(|_| ()),
            Said::Block(block) => Err(block.refused("a document", at)),
        })
    }

    /// A document that is text: its title, what it is about, and itself.
    fn document(&mut self, block: &Block<'b>, at: &At<'_>) -> Result<(), BadRequest> {
        let source = block.source.ok_or_else(|| at.missing("source"))?;
        let place = At::Member(at, "source");
        let [kind, data, content] = fields(source, ["type", "data", "content"], &place)?;
        for (name, value) in [("title", block.title), ("context", block.context)] {
            if let Some(value) = value {
                self.text(string(value, &At::Member(at, name))?);
            }
        }
        match (kind, data, content) {
            (Some(r#""text""#), Some(data), _) => {
                self.text(string(data, &At::Member(&place, "data"))?);
                Ok(())
            }
            (Some(r#""content""#), _, Some(content)) => {
                self.texts(content, &At::Member(&place, "content"))
            }
            _ => Err(place.bad(
                "is no text; the models behind this gateway read documents whose source is of the type `text`, or `content` with text alone",
            )),
        }
    }

    /// A picture. Its data stay what they are: no policy can read them.
    pub(super) fn picture(&mut self, block: &Block<'b>, at: &At<'_>) -> Result<(), BadRequest> {
        let source = block.source.ok_or_else(|| at.missing("source"))?;
        let at = At::Member(at, "source");
        let [kind, media, data, url] = fields(source, ["type", "media_type", "data", "url"], &at)?;
        self.flush();
        self.begin();
        self.pictures += 1;
        let mut part = ObjectWriter::new(self.out);
        part.text("type", "image_url");
        let mut image = ObjectWriter::new(part.key("image_url"));
        let given = |name, value: Option<&'b str>| {
            let value = value.ok_or_else(|| at.missing(name))?;
            string(value, &At::Member(&at, name))
        };
        match kind {
            Some(r#""base64""#) => {
                let out = image.key("url");
                out.extend_from_slice(b"\"data:");
                out.extend_from_slice(inside(given("media_type", media)?).as_bytes());
                out.extend_from_slice(b";base64,");
                out.extend_from_slice(inside(given("data", data)?).as_bytes());
                out.push(b'"');
            }
            Some(r#""url""#) => image.raw("url", given("url", url)?),
            _ => {
                return Err(At::Member(&at, "type")
                    .bad("must be `base64` or `url`; this gateway keeps no files"));
            }
        }
        image.end();
        part.end();
        Ok(())
    }

    /// Ends it; whether anything is in it.
    pub(super) fn end(self) -> bool {
        if self.open {
            self.out.push(b']');
            return true;
        }
        write_after(self.prefix, self.one.unwrap_or("\"\""), self.out);
        self.one.is_some()
    }
}

/// A literal, with a text that needs no escapes before its own.
fn write_after(prefix: &str, literal: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&literal.as_bytes()[1..]);
}

/// What a literal has between its quotation marks.
pub(super) fn inside(literal: &str) -> &str {
    literal
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
}
