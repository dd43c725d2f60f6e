//! What each place of a request is, a chat's or a text completion's: which of its strings a model may be shown, and which keys have a meaning.
//!
//! What must stay true: a string is shown unless this table says that it isn't one for a model. So a member that nobody knows is shown,
//! key and all; and a word of the protocol is only one while it looks like a word.
//!
//! The SDK's double of the host has this table too (`plugins/sdk/src/testing/shape.rs`), and its tests compare the two files.

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The whole: of a chat, of a text completion.
    Body,
    Completion,
    /// The list of messages, one of them.
    Messages,
    Message,
    /// What is said, as a string or in parts; one of the parts.
    Content,
    Part,
    /// The same of what is thought.
    Reasoning,
    ReasoningPart,
    /// Why the model wouldn't.
    Refusal,
    /// What a text completion goes on from: one prompt or a list of them; one of the list; a number that stands for a piece of text.
    Prompts,
    Prompt,
    Token,
    /// A message's tool calls, one of them, what it calls.
    Calls,
    Call,
    Called,
    Custom,
    /// The arguments of a call, as text.
    Arguments,
    /// The tools, one of them, its function.
    Tools,
    Tool,
    Functions,
    Function,
    /// Which tool is to be called, and its name.
    Choice,
    Chosen,
    /// How the answer is to look.
    Format,
    JsonSchema,
    /// A JSON Schema; several, each under a name.
    Schema,
    Schemas,
    Prediction,
    StreamOptions,
    /// A sound, a picture, a file, with its data in a member.
    Media,
    /// The data itself, or where it lies: nothing that a policy could read.
    Data,
    /// The model's name. It is a way to somewhere and has a bound of its own.
    Model,
    /// How many answers; whether in a stream; a member that is on or off.
    Count,
    Flag,
    /// A name of at most 64 characters.
    Name,
    /// A word of the protocol.
    Word,
    /// An object with keys that the client chose, and anything under them.
    Names,
    /// Anything.
    Open,
}

use Shape::*;

impl Shape {
    /// The members that have a meaning here. A key that isn't among them is shown.
    pub(crate) fn members(self) -> &'static [(&'static str, Shape)] {
        match self {
            Body => BODY,
            Completion => COMPLETION,
            Message => MESSAGE,
            Part => PART,
            ReasoningPart => REASONING_PART,
            Call => CALL,
            Called => CALLED,
            Custom => &[("name", Open), ("input", Arguments)],
            Tool => TOOL,
            Function => FUNCTION,
            Choice => CHOICE,
            Chosen => &[("name", Open)],
            Format => FORMAT,
            JsonSchema => JSON_SCHEMA,
            Schema => SCHEMA,
            Prediction => &[("type", Word), ("content", Content)],
            StreamOptions => &[("include_usage", Flag), ("include_obfuscation", Open)],
            Media => MEDIA,
            _ => &[],
        }
    }

    /// What stands under that key, and whether the key has a meaning.
    pub(crate) fn member(self, key: &str) -> (Shape, bool) {
        match self.members().iter().find(|(name, _)| *name == key) {
            Some((_, shape)) => (*shape, true),
            None if self == Schemas => (Schema, false),
            None => (Open, false),
        }
    }

    /// What each element is.
    pub(crate) fn item(self) -> Shape {
        match self {
            Messages => Message,
            Content => Part,
            Prompts => Prompt,
            Prompt => Token,
            Reasoning => ReasoningPart,
            Calls => Call,
            Tools => Tool,
            Functions => Function,
            Schema => Schema,
            Word => Word,
            Data => Data,
            _ => Open,
        }
    }

    /// Whether keys that differ in case alone are two different keys here: they are names that the client chose.
    pub(crate) fn minds_case(self) -> bool {
        matches!(self, Schemas | Names)
    }

    /// Whether a string at this place may be shown to the model.
    pub(crate) fn shows(self, text: &str) -> bool {
        match self {
            Model | Media | Data => false,
            Word => !is_word(text),
            _ => true,
        }
    }
}

/// Whether a text is short and plain enough to be a word of the protocol and no words to a model.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.len() <= 24 && text.bytes().all(plain)
}

/// The key as readers have it that don't mind case: `ſ` is `s` to them, and the Kelvin sign `k`.
pub(crate) fn folded(key: &str) -> impl Iterator<Item = char> {
    fn one(char: char, mut cased: impl Iterator<Item = char>) -> char {
        match (cased.next(), cased.next()) {
            (Some(cased), None) => cased,
            _ => char,
        }
    }
    key.chars().map(|char| {
        let upper = one(char, char.to_uppercase());
        one(upper, upper.to_lowercase())
    })
}

const BODY: &[(&str, Shape)] = &[
    ("model", Model),
    ("messages", Messages),
    ("stream", Flag),
    ("stream_options", StreamOptions),
    ("n", Count),
    ("temperature", Open),
    ("top_p", Open),
    ("max_tokens", Open),
    ("max_completion_tokens", Open),
    ("tools", Tools),
    ("tool_choice", Choice),
    ("response_format", Format),
    ("stop", Open),
    ("user", Open),
    ("seed", Open),
    ("prediction", Prediction),
    ("reasoning_effort", Word),
    ("reasoning_format", Word),
    ("service_tier", Word),
    ("parallel_tool_calls", Open),
    ("logprobs", Open),
    ("top_logprobs", Open),
    ("logit_bias", Names),
    ("presence_penalty", Open),
    ("frequency_penalty", Open),
    ("min_tokens", Open),
    ("clear_thinking", Open),
    ("disable_reasoning", Open),
    ("prompt_cache_key", Open),
    ("prompt_cache_retention", Word),
    ("safety_identifier", Open),
    ("metadata", Names),
    ("store", Open),
    ("modalities", Word),
    ("verbosity", Word),
    ("audio", Open),
    ("web_search_options", Open),
    ("functions", Functions),
    ("function_call", Choice),
    ("documents", Open),
    ("chat_template_kwargs", Names),
];

const COMPLETION: &[(&str, Shape)] = &[
    ("model", Model),
    ("prompt", Prompts),
    ("suffix", Content),
    ("stream", Flag),
    ("stream_options", StreamOptions),
    ("n", Count),
    ("best_of", Open),
    ("echo", Open),
    ("temperature", Open),
    ("top_p", Open),
    ("max_tokens", Open),
    ("min_tokens", Open),
    ("stop", Open),
    ("user", Open),
    ("seed", Open),
    ("logprobs", Open),
    ("logit_bias", Names),
    ("presence_penalty", Open),
    ("frequency_penalty", Open),
    ("grammar_root", Word),
    ("return_raw_tokens", Open),
    ("reasoning_format", Word),
    ("service_tier", Word),
    ("prompt_cache_key", Open),
];

const MESSAGE: &[(&str, Shape)] = &[
    ("role", Word),
    ("content", Content),
    ("name", Name),
    ("tool_calls", Calls),
    ("tool_call_id", Open),
    ("reasoning", Reasoning),
    ("reasoning_content", Reasoning),
    ("refusal", Refusal),
    ("function_call", Called),
    ("annotations", Open),
    ("audio", Open),
];

const PART: &[(&str, Shape)] = &[
    ("type", Word),
    ("text", Content),
    ("refusal", Refusal),
    ("image_url", Media),
    ("image", Data),
    ("input_audio", Media),
    ("audio_url", Media),
    ("video_url", Media),
    ("file", Media),
];

const REASONING_PART: &[(&str, Shape)] =
    &[("type", Word), ("text", Reasoning), ("refusal", Refusal)];

const MEDIA: &[(&str, Shape)] = &[
    ("url", Data),
    ("data", Data),
    ("file_data", Data),
    ("detail", Word),
    ("format", Word),
    ("file_id", Open),
    ("filename", Open),
];

const CALL: &[(&str, Shape)] = &[
    ("id", Open),
    ("type", Word),
    ("index", Open),
    ("function", Called),
    ("custom", Custom),
];

const CALLED: &[(&str, Shape)] = &[("name", Open), ("arguments", Arguments)];

const TOOL: &[(&str, Shape)] = &[("type", Word), ("function", Function), ("custom", Function)];

const FUNCTION: &[(&str, Shape)] = &[
    ("name", Open),
    ("description", Open),
    ("parameters", Schema),
    ("strict", Open),
    ("format", Open),
];

const CHOICE: &[(&str, Shape)] = &[
    ("type", Word),
    ("function", Chosen),
    ("custom", Chosen),
    ("name", Open),
    ("allowed_tools", Open),
];

const FORMAT: &[(&str, Shape)] = &[
    ("type", Word),
    ("json_schema", JsonSchema),
    ("schema", Schema),
];

const JSON_SCHEMA: &[(&str, Shape)] = &[
    ("name", Open),
    ("description", Open),
    ("schema", Schema),
    ("strict", Open),
];

const SCHEMA: &[(&str, Shape)] = &[
    ("type", Word),
    ("description", Open),
    ("properties", Schemas),
    ("required", Open),
    ("items", Schema),
    ("enum", Open),
    ("title", Open),
    ("default", Open),
    ("additionalProperties", Schema),
    ("anyOf", Schema),
    ("oneOf", Schema),
    ("allOf", Schema),
    ("not", Schema),
    ("$ref", Open),
    ("$defs", Schemas),
    ("definitions", Schemas),
    ("format", Word),
    ("const", Open),
    ("examples", Open),
    ("pattern", Open),
    ("minimum", Open),
    ("maximum", Open),
    ("exclusiveMinimum", Open),
    ("exclusiveMaximum", Open),
    ("multipleOf", Open),
    ("minLength", Open),
    ("maxLength", Open),
    ("minItems", Open),
    ("maxItems", Open),
    ("uniqueItems", Open),
    ("minProperties", Open),
    ("maxProperties", Open),
    ("patternProperties", Schemas),
    ("dependentSchemas", Schemas),
    ("propertyNames", Schema),
    ("prefixItems", Schema),
    ("additionalItems", Schema),
    ("unevaluatedProperties", Schema),
    ("unevaluatedItems", Schema),
    ("contains", Schema),
    ("if", Schema),
    ("then", Schema),
    ("else", Schema),
    ("nullable", Open),
    ("$schema", Open),
    ("$id", Open),
    ("$anchor", Open),
    ("$comment", Open),
    ("deprecated", Open),
    ("readOnly", Open),
    ("writeOnly", Open),
];
