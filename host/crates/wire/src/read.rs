//! A request, chat's or a text completion's, read in one strict pass: whether it is one, and where everything lies that a policy may be
//! shown.
//!
//! What must stay true: a body that is read here means the same to every reader. So a key that stands twice in one object is refused, and
//! one that readers which don't mind case would take for another: of two prompts, a policy could see one and the upstream the other. And
//! what is remembered of a body stays small beside it, whatever shape it has.
//!
//! The file is long for it is one pass: what is checked, and what is remembered, of each place.

use std::fmt::Write as _;

use crate::Role;
use crate::chat::shape::{Shape, folded};
use crate::dialect::Dialect;
use crate::index::{A_TEXT, Call, Container, Entry, Index, NONE, PREDICTION, Span, key_at, push};
use crate::json::{
    BadRequest, Fault, Kind, Literal, MAX_DEPTH, Scanner, cut, cut_at, line_column, members,
    sentence, string_at,
};
use crate::steps;

/// The longest name of a model, in bytes: it goes into journals, metrics and headers.
const MAX_MODEL: usize = 256;

/// The longest `name` of a message, in characters.
pub(crate) const MAX_NAME: usize = 64;

/// Parts that are all text: whatever stands in one, a policy is shown it.
const TEXT_PARTS: [&str; 5] = ["text", "refusal", "input_text", "output_text", "thinking"];

/// The longest body. Places in it are remembered in 32 bits.
const MAX_LENGTH: usize = u32::MAX as usize / 2;

type Checked<T = ()> = Result<T, Box<BadRequest>>;

/// Reads a whole body, which may have so many strings.
pub(crate) fn body(dialect: Dialect, text: &[u8], most: usize) -> Checked<Index> {
    steps::took(text.len());
    if text.len() > MAX_LENGTH {
        return Err(bad("", "the body is too large to be read"));
    }
    if text.iter().all(|byte| byte.is_ascii_whitespace()) {
        return Err(bad("", "the body is empty; it must be a JSON object"));
    }
    let mut reader = Reader::new(dialect, text, "the body");
    reader.most = most;
    if let Err(error) = std::str::from_utf8(text) {
        reader.scan.at = error.valid_up_to();
        return Err(reader.fault(Fault::Encoding));
    }
    reader.scan.space();
    match Kind::of(reader.scan.peek()) {
        None | Some(Kind::Object) => {}
        Some(other) => {
            let is = other.word();
            return Err(bad("", format!("the body must be a JSON object, not {is}")));
        }
    }
    reader.value(Shape::Body)?;
    reader.end()?;
    let mut index = reader.index;
    if dialect == Dialect::Completions {
        // So many are made for each prompt.
        index.n = index.n.saturating_mul(number(index.roles.len()));
    }
    index.texts.shrink_to_fit();
    index.containers.shrink_to_fit();
    Ok(index)
}

/// Reads a value that is to be put at a place of that shape, which the path names.
pub(crate) fn value(dialect: Dialect, text: &str, shape: Shape, path: &str) -> Checked {
    steps::took(text.len());
    let mut reader = Reader::new(dialect, text.as_bytes(), "the value");
    reader.at.push_str(path);
    reader.scan.space();
    reader.value(shape)?;
    reader.end()
}

/// Reads an object that stands, or is to stand, at a place of that shape: which members it has, and what those say that are words. What is
/// in an array or object in it isn't read.
pub(crate) fn outline(dialect: Dialect, text: &str, shape: Shape, path: &str) -> Checked {
    let mut reader = Reader::new(dialect, text.as_bytes(), "the value");
    steps::took(text.len());
    reader.at.push_str(path);
    reader.outline = true;
    reader.value(shape)?;
    reader.end()
}

/// Whether a key that has no meaning at a place of that shape is taken for one that has; for which.
pub(crate) fn taken_for(dialect: Dialect, shape: Shape, key: &str) -> Option<&'static str> {
    let mut members = dialect.members(shape).iter().map(|(name, _)| *name);
    members.find(|name| *name != key && folded(name).eq(folded(key)))
}

/// A number for a key by which two that mean the same to some reader are found.
pub(crate) fn key_hash(shape: Shape, key: &str) -> u64 {
    // FNV-1a. Whoever makes two keys collide has his own request refused.
    let step = |hash: u64, byte: u32| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    if key.is_ascii() {
        let minds = shape.minds_case();
        let fold = |byte: u8| {
            if minds {
                byte
            } else {
                byte.to_ascii_lowercase()
            }
        };
        return key
            .bytes()
            .fold(START, |hash, byte| step(hash, fold(byte).into()));
    }
    if shape.minds_case() {
        return key
            .chars()
            .fold(START, |hash, char| step(hash, char.into()));
    }
    folded(key).fold(START, |hash, char| step(hash, char.into()))
}

fn bad(param: &str, message: impl Into<String>) -> Box<BadRequest> {
    Box::new(BadRequest::new(param, message))
}

/// An array or object that the reader is in.
struct Frame {
    shape: Shape,
    array: bool,
    /// The element's number, or where the key lies.
    step: u32,
    /// Its number among those that are remembered, once something in it is.
    id: u32,
}

/// What an object's members said that matters when it ends.
#[derive(Default)]
struct Own {
    /// A bit for each known member.
    seen: u64,
    kind: Option<Literal>,
    id: Span,
    name: Span,
    has_content: bool,
    role: Option<Role>,
    opaque: bool,
}

impl Own {
    fn has(&self, members: &[(&str, Shape)], name: &str) -> bool {
        let place = members.iter().position(|(known, _)| *known == name);
        place.is_some_and(|place| self.seen & 1 << place != 0)
    }
}

struct Reader<'t> {
    dialect: Dialect,
    scan: Scanner<'t>,
    name: &'static str,
    /// The path of the value that is read, where that is no whole body.
    at: String,
    frames: Vec<Frame>,
    /// The hashes of the keys of all objects that the reader is in.
    keys: Vec<u64>,
    /// Only the outermost object is read.
    outline: bool,
    /// The message that it is in.
    message: u32,
    most: usize,
    index: Index,
}

/// A value that was read.
struct Value {
    kind: Kind,
    start: usize,
    /// Of a string.
    literal: Literal,
}

impl<'t> Reader<'t> {
    fn new(dialect: Dialect, text: &'t [u8], name: &'static str) -> Reader<'t> {
        Reader {
            dialect,
            scan: Scanner::new(text, 0),
            name,
            at: String::new(),
            frames: Vec::with_capacity(8),
            keys: Vec::with_capacity(16),
            outline: false,
            message: NONE,
            most: Index::most(text.len()),
            index: Index::of(dialect.last_role()),
        }
    }

    fn fault(&self, fault: Fault) -> Box<BadRequest> {
        bad("", sentence(self.scan.text, self.name, self.scan.at, fault))
    }

    fn end(&mut self) -> Checked {
        self.scan.space();
        match self.scan.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault(Fault::Syntax)),
        }
    }

    /// Reads the next value, which must be of a kind that its place allows.
    fn value(&mut self, shape: Shape) -> Checked<Value> {
        let start = self.scan.at;
        let kind = Kind::of(self.scan.peek()).ok_or_else(|| self.fault(Fault::Syntax))?;
        if let Some(must_be) = refused(self.dialect, shape, kind) {
            return Err(self.wrong(must_be, start));
        }
        let mut value = Value {
            kind,
            start,
            literal: Literal::default(),
        };
        match kind {
            Kind::String if self.outline => {
                value.literal = self.scan.string().map_err(|fault| self.fault(fault))?;
            }
            _ if self.outline && !self.frames.is_empty() => self.scan.skip(),
            Kind::Object => self.object(shape)?,
            Kind::Array => {
                let needs_one = self.dialect.is_said(shape) || shape == Shape::Prompt;
                if self.array(shape)? == 0 && needs_one {
                    let must_be = refused(self.dialect, shape, Kind::Bool).unwrap_or_default();
                    return Err(self.wrong(must_be, start));
                }
            }
            Kind::String => {
                value.literal = self.scan.string().map_err(|fault| self.fault(fault))?;
                self.string(shape, value.literal)?;
            }
            _ => self.scan.scalar().map_err(|fault| self.fault(fault))?,
        }
        let token = kind == Kind::Number && matches!(shape, Shape::Prompt | Shape::Token);
        if token && self.index.opaque.is_none() {
            self.index.opaque = Some(self.pointer());
        }
        Ok(value)
    }

    fn enter(&mut self, shape: Shape, array: bool) -> Checked {
        if self.frames.len() == MAX_DEPTH {
            return Err(self.fault(Fault::Depth));
        }
        self.frames.push(Frame {
            shape,
            array,
            step: 0,
            id: NONE,
        });
        self.scan.at += 1;
        self.scan.space();
        Ok(())
    }

    fn array(&mut self, shape: Shape) -> Checked<usize> {
        self.enter(shape, true)?;
        let messages =
            self.dialect.is_said(shape) && self.frames.len() == 2 && self.message == NONE;
        let mut count = 0;
        if !self.scan.takes(b']') {
            loop {
                self.step(count);
                if messages {
                    self.begin_message(count);
                }
                self.value(shape.item())?;
                count += 1;
                self.scan.space();
                if self.scan.takes(b']') {
                    break;
                }
                self.comma()?;
            }
            // `takes` went over the space behind the bracket, which no value has.
        }
        if messages {
            self.message = NONE;
        }
        self.frames.pop();
        Ok(count)
    }

    /// An element of what is said begins. A list of tokens is one message: the numbers after its first begin none.
    fn begin_message(&mut self, place: usize) {
        match self.dialect {
            Dialect::Chat => push(&mut self.index.messages, number(self.scan.at)),
            Dialect::Completions => {
                let token = Kind::of(self.scan.peek()) == Some(Kind::Number);
                if token && place > 0 {
                    return;
                }
            }
        }
        self.message = number(self.index.roles.len());
        push(&mut self.index.roles, Role::User);
    }

    fn comma(&mut self) -> Checked {
        let comma = self.scan.must_take(b',');
        comma.map_err(|fault| self.fault(fault))
    }

    fn step(&mut self, step: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.step = number(step);
        }
    }

    fn object(&mut self, shape: Shape) -> Checked {
        let start = self.scan.at;
        self.enter(shape, false)?;
        let (first_key, first_call) = (self.keys.len(), self.index.calls.len());
        let mut own = Own::default();
        if !self.scan.takes(b'}') {
            loop {
                self.member(shape, &mut own)?;
                self.scan.space();
                if self.scan.takes(b'}') {
                    break;
                }
                self.comma()?;
            }
        }
        self.keys_differ(start, first_key)?;
        self.keys.truncate(first_key);
        self.close(shape, &own, first_call)?;
        self.frames.pop();
        Ok(())
    }

    fn member(&mut self, shape: Shape, own: &mut Own) -> Checked {
        let key = self.scan.string().map_err(|fault| self.fault(fault))?;
        let name = self.scan.text(key);
        self.step(key.start);
        self.scan.space();
        let colon = self.scan.must_take(b':');
        colon.map_err(|fault| self.fault(fault))?;
        push(&mut self.keys, key_hash(shape, &name));
        let members = self.dialect.members(shape);
        let known = members.iter().position(|(known, _)| *known == name);
        let Some(place) = known else {
            if let Some(meant) = taken_for(self.dialect, shape, &name) {
                let path = self.path();
                let sentence = format!(
                    "`{path}` differs from `{meant}` in case alone, and some readers take one for the other; send `{meant}`, or leave it out"
                );
                return Err(bad(&path, sentence));
            }
            self.show(key, shape, true)?;
            self.value(self.dialect.member(shape, &name).0)?;
            return Ok(());
        };
        let (known, mut inner) = members[place];
        own.seen |= 1 << place;
        match (shape, known, self.scan.peek()) {
            (Shape::Body, "suffix", Some(b'n')) => inner = Shape::Open,
            (Shape::Body, "prediction" | "suffix", _) => self.message = PREDICTION,
            (Shape::Body, "prompt", Some(b'"')) => self.begin_message(0),
            _ => {}
        }
        let value = self.value(inner)?;
        if shape == Shape::Body {
            self.message = NONE;
        }
        self.says(shape, known, inner, &value, own)
    }

    /// What a member says, where that matters, and whether it may.
    fn says(
        &mut self,
        shape: Shape,
        name: &str,
        inner: Shape,
        value: &Value,
        own: &mut Own,
    ) -> Checked {
        let span = Span::of(value.start, self.scan.at);
        let is_string = value.kind == Kind::String;
        match (shape, name) {
            (Shape::Body, "model") => {
                let model = self.scan.text(value.literal);
                self.index.model = model.into();
                self.index.model_span = span;
            }
            (Shape::Body, "stream") => {
                self.index.stream = self.scan.text[value.start] == b't';
            }
            (Shape::StreamOptions, "include_usage") => {
                self.index.include_usage = self.scan.text[value.start] == b't';
            }
            (Shape::Body, "n") if value.kind == Kind::Number => {
                let digits = std::str::from_utf8(&self.scan.text[value.start..self.scan.at]);
                match digits.map(str::parse) {
                    Ok(Ok(n)) if n > 0 => self.index.n = n,
                    _ => return Err(self.wrong("a whole number from 1", value.start)),
                }
            }
            (Shape::Body, "max_completion_tokens" | "max_tokens") => {
                let digits = std::str::from_utf8(&self.scan.text[value.start..self.scan.at]);
                let most = digits.ok().and_then(|digits| digits.parse().ok());
                self.index.most_tokens = self.index.most_tokens.max(most);
            }
            (Shape::Message, "role") => {
                let role = is_string.then(|| self.scan.text(value.literal));
                own.role = role.and_then(|role| Role::from_name(&role));
                let Some(role) = own.role else {
                    let roles = "one of system, developer, user, assistant, tool";
                    return Err(self.wrong(roles, value.start));
                };
                if let Some(place) = self.index.roles.last_mut() {
                    *place = role;
                }
            }
            (Shape::Message, "content") => own.has_content = value.kind != Kind::Null,
            (Shape::Part | Shape::ReasoningPart, "type") if is_string => {
                own.kind = Some(value.literal);
            }
            (Shape::Part | Shape::ReasoningPart, "type" | "text" | "refusal")
            | (Shape::Called, "name" | "arguments")
            | (Shape::Custom, "input")
            | (Shape::Function, "name")
                if !is_string =>
            {
                return Err(self.wrong("a string", value.start));
            }
            (Shape::Call, "function" | "custom") if value.kind == Kind::Null => {
                return Err(self.wrong("an object", value.start));
            }
            (Shape::Function, "parameters") | (Shape::JsonSchema, "schema")
                if value.kind == Kind::Object =>
            {
                push(&mut self.index.schemas, span);
            }
            (Shape::Call, "id") if is_string => own.id = span,
            (Shape::Called | Shape::Custom, "name") if is_string => own.name = span,
            (Shape::Tool, "type") if is_string => own.kind = Some(value.literal),
            _ => {}
        }
        own.opaque |= matches!(inner, Shape::Media | Shape::Data) && value.kind != Kind::Null;
        Ok(())
    }

    /// An object ends: what it must have it has had.
    fn close(&mut self, shape: Shape, own: &Own, first_call: usize) -> Checked {
        let kind = own.kind.map(|kind| self.scan.text(kind));
        let members = self.dialect.members(shape);
        let missing = match shape {
            Shape::Body => ["model", self.dialect.said()]
                .into_iter()
                .find(|name| !own.has(members, name)),
            Shape::Message if own.role.is_none() => Some("role"),
            Shape::Message if !own.has_content && own.role != Some(Role::Assistant) => {
                let path = self.inner("content");
                let sentence =
                    format!("`{path}` is missing; only an assistant message may have none");
                return Err(bad(&path, sentence));
            }
            _ => None,
        };
        if let Some(name) = missing {
            let path = self.inner(name);
            return Err(bad(&path, format!("`{path}` is missing")));
        }
        let (missing, must_be) = match shape {
            Shape::Part | Shape::ReasoningPart => {
                let text = ["text", "refusal"].into_iter();
                let mut text = text.filter(|name| kind.as_deref() == Some(name));
                let missing = if kind.is_none() {
                    Some("type")
                } else {
                    text.find(|name| !own.has(members, name))
                };
                (missing, "a string")
            }
            Shape::Call => {
                let called = own.has(members, "function") || own.has(members, "custom");
                ((!called).then_some("function"), "an object")
            }
            Shape::Called => (
                ["name", "arguments"]
                    .into_iter()
                    .find(|name| !own.has(members, name)),
                "a string",
            ),
            Shape::Custom => ((!own.has(members, "input")).then_some("input"), "a string"),
            Shape::Function => ((!own.has(members, "name")).then_some("name"), "a string"),
            Shape::Tool => {
                let other = kind.as_deref().is_some_and(|kind| kind != "function");
                (
                    (!other && !own.has(members, "function")).then_some("function"),
                    "an object",
                )
            }
            _ => (None, ""),
        };
        if let Some(name) = missing {
            let path = self.inner(name);
            return Err(bad(&path, format!("`{path}` must be {must_be}, not null")));
        }
        match shape {
            Shape::Part | Shape::ReasoningPart => {
                let unknown = kind.is_some_and(|kind| !TEXT_PARTS.contains(&&*kind));
                if (own.opaque || unknown) && self.index.opaque.is_none() {
                    self.index.opaque = Some(self.pointer());
                }
            }
            Shape::Call => {
                let place = self
                    .frames
                    .len()
                    .checked_sub(2)
                    .map(|at| self.frames[at].step);
                for call in &mut self.index.calls[first_call..] {
                    call.index = place.unwrap_or_default();
                    call.id = own.id;
                }
            }
            Shape::Called | Shape::Custom => {
                for call in &mut self.index.calls[first_call..] {
                    call.name = own.name;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn string(&mut self, shape: Shape, literal: Literal) -> Checked {
        match shape {
            Shape::Word if literal.length > 24 => {}
            Shape::Model => return self.model(literal),
            Shape::Media | Shape::Data => return Ok(()),
            Shape::Word if !shape.shows(&self.scan.text(literal)) => return Ok(()),
            Shape::Name if self.scan.text(literal).chars().count() > MAX_NAME => {
                return Err(self.wrong("a string of at most 64 characters", literal.start));
            }
            _ => {}
        }
        self.show(literal, shape, false)
    }

    fn model(&self, literal: Literal) -> Checked {
        let bytes = literal.length;
        if bytes == 0 {
            return Err(self.wrong("the name of a model", literal.start));
        }
        if bytes > MAX_MODEL {
            let sentence = format!("`model` may have at most {MAX_MODEL} bytes, not {bytes}");
            return Err(bad("model", sentence));
        }
        Ok(())
    }

    /// Remembers a string that is to be shown.
    fn show(&mut self, literal: Literal, shape: Shape, is_key: bool) -> Checked {
        if self.index.texts.len() >= self.most {
            let most = self.most;
            let sentence = format!(
                "{} has more than {most} strings for its size; send fewer, or longer ones",
                self.name
            );
            return Err(bad("", sentence));
        }
        let parent = match self.frames.last() {
            Some(frame) if frame.id == NONE => self.remember(),
            Some(frame) => frame.id,
            None => NONE,
        };
        let entry = Entry {
            start: number(literal.start),
            end: number(literal.end),
            parent,
            step: self.frames.last().map_or(NONE, |frame| frame.step),
            message: self.message,
            shape,
            is_key,
        };
        self.index.shown += literal.length as u64 + A_TEXT;
        if entry.is_segment() {
            self.index.size += literal.length as u64;
            if shape == Shape::Arguments {
                let call = Call {
                    text: number(self.index.texts.len()),
                    ..Call::default()
                };
                push(&mut self.index.calls, call);
            }
        }
        self.index.push(entry);
        Ok(())
    }

    /// Remembers what the reader is in; the innermost.
    fn remember(&mut self) -> u32 {
        let mut parent = NONE;
        for frame in &mut self.frames {
            if frame.id == NONE {
                frame.id = number(self.index.containers.len());
                let container = Container {
                    parent,
                    step: NONE,
                    array: frame.array,
                };
                push(&mut self.index.containers, container);
            }
            parent = frame.id;
        }
        // Where each container stands in the one around it.
        let mut inner = parent;
        for frame in self.frames.iter().rev().skip(1) {
            let container = &mut self.index.containers[inner as usize];
            if container.step != NONE {
                break;
            }
            container.step = frame.step;
            inner = frame.id;
        }
        parent
    }

    /// Whether the keys of the object that began there, the last that were put down, are all different.
    fn keys_differ(&mut self, start: usize, first: usize) -> Checked {
        let keys = &mut self.keys[first..];
        let twice = if keys.len() <= 16 {
            let mut pairs = keys.iter().enumerate();
            pairs
                .find(|(at, key)| keys[..*at].contains(key))
                .map(|(_, key)| *key)
        } else {
            keys.sort_unstable();
            keys.windows(2)
                .find(|pair| pair[0] == pair[1])
                .map(|pair| pair[0])
        };
        match twice {
            None => Ok(()),
            Some(hash) => Err(self.twice(start, hash)),
        }
    }

    /// Which keys they are, in a sentence.
    #[cold]
    fn twice(&mut self, start: usize, hash: u64) -> Box<BadRequest> {
        let text = self.scan.text;
        let shape = self.frames.last().map_or(Shape::Open, |frame| frame.shape);
        let keys = members(text, start).map(|(key, _)| key);
        let mut keys = keys.filter(|key| key_hash(shape, &string_at(text, key.clone())) == hash);
        let (first, second) = (
            keys.next().unwrap_or_default(),
            keys.next().unwrap_or_default(),
        );
        let (one, other) = (string_at(text, first), string_at(text, second.clone()));
        let (line, column) = line_column(text, second.start);
        let path = self.inner(&other);
        let sentence = if one == other {
            format!(
                "{} has `{path}` twice, the second time near line {line} column {column}; send it once",
                self.name
            )
        } else {
            let one = cut_at(&one, 64);
            format!(
                "`{path}` differs from `{one}` in case alone, near line {line} column {column}, and some readers take one for the other; send one of them"
            )
        };
        bad(&path, sentence)
    }

    /// The path of the value that is read.
    fn path(&self) -> String {
        let mut path = self.at.clone();
        for frame in &self.frames {
            let end = path.len();
            if frame.array {
                _ = write!(path, "[{}]", frame.step);
            } else {
                if end > 0 {
                    path.push('.');
                }
                path.push_str(&cut_at(&key_at(self.scan.text, frame.step), 64));
            }
            if path.len() > 1024 {
                break;
            }
        }
        cut(&path).into_owned()
    }

    /// The path of a member of the object that the reader is in.
    fn inner(&mut self, name: &str) -> String {
        let frame = self.frames.pop();
        let mut path = self.path();
        self.frames.extend(frame);
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&cut_at(name, 64));
        path
    }

    /// The pointer of the object that the reader is in.
    fn pointer(&self) -> Box<str> {
        let mut pointer = String::new();
        for frame in &self.frames[..self.frames.len().saturating_sub(1)] {
            if frame.array {
                _ = write!(pointer, "/{}", frame.step);
            } else {
                let key = key_at(self.scan.text, frame.step);
                _ = write!(
                    pointer,
                    "/{}",
                    cut_at(&key.replace('~', "~0").replace('/', "~1"), 64)
                );
            }
        }
        cut(&pointer).into()
    }

    fn wrong(&self, must_be: &str, start: usize) -> Box<BadRequest> {
        let path = self.path();
        let mut scan = Scanner::new(self.scan.text, start);
        let is = match Kind::of(scan.peek()) {
            Some(Kind::String) => match scan.string().map(|literal| scan.text(literal)) {
                Ok(text) if text.is_empty() => "an empty string".to_owned(),
                Ok(text) if text.len() <= 32 => format!("{text:?}"),
                _ => "a longer string".to_owned(),
            },
            Some(Kind::Array)
                if {
                    scan.takes(b'[');
                    scan.peek() == Some(b']')
                } =>
            {
                "an empty array".to_owned()
            }
            Some(Kind::Number | Kind::Bool) if scan.scalar().is_ok() => {
                cut_at(&String::from_utf8_lossy(&scan.text[start..scan.at]), 32).into_owned()
            }
            kind => kind.map_or("nothing", Kind::word).to_owned(),
        };
        let path = if path.is_empty() {
            "the value".to_owned()
        } else {
            path
        };
        bad(&path, format!("`{path}` must be {must_be}, not {is}"))
    }
}

/// What must stand at a place of that shape, if a value of that kind may not.
fn refused(dialect: Dialect, shape: Shape, kind: Kind) -> Option<&'static str> {
    use Kind::{Array, Bool, Null, Number, Object, String};
    let (allowed, must_be): (&[Kind], _) = match shape {
        Shape::Open | Shape::Word | Shape::Names | Shape::Schema => return None,
        Shape::Model => (&[String], "the name of a model"),
        Shape::Messages => (&[Array], "an array with at least one message"),
        Shape::Message | Shape::Part | Shape::ReasoningPart | Shape::Call | Shape::Tool => {
            (&[Object], "an object")
        }
        Shape::Function => (&[Object], "an object"),
        Shape::Content if dialect == Dialect::Completions => (&[String], "a string"),
        Shape::Prompts => (
            &[String, Array],
            "a string, or an array with at least one prompt",
        ),
        Shape::Prompt => (&[String, Array, Number], "a string, or an array of tokens"),
        Shape::Token => (&[Number], "a token, which is a number"),
        Shape::Content | Shape::Reasoning => {
            (&[String, Array, Null], "a string or an array of parts")
        }
        Shape::Refusal => (&[String, Null], "a string"),
        Shape::Arguments => (&[String], "a string"),
        Shape::Calls | Shape::Tools => (&[Array, Null], "an array"),
        Shape::Called | Shape::Custom | Shape::Prediction | Shape::StreamOptions => {
            (&[Object, Null], "an object")
        }
        Shape::Name => (&[String, Null], "a string of at most 64 characters"),
        Shape::Flag => (&[Bool, Null], "true or false"),
        Shape::Count => (&[Number, Null], "a whole number from 1"),
        _ => return None,
    };
    (!allowed.contains(&kind)).then_some(must_be)
}

/// A place or a count. A body past [`MAX_LENGTH`] isn't read.
fn number(number: usize) -> u32 {
    debug_assert!(number <= MAX_LENGTH, "a body is shorter than that");
    u32::try_from(number).unwrap_or(NONE)
}

#[cfg(test)]
mod tests;
