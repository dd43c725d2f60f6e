//! What every answer repeats of its request, as the official clients expect it.
//!
//! What must stay true: it is small, for a stream says it three times. What is long is left out: the client has it.

use crate::raw::ObjectWriter;

/// The longest value that is repeated, in bytes.
const LONGEST: usize = 16 << 10;

/// What a request says that its answer repeats.
#[derive(Debug, Default)]
pub struct Echo {
    /// The model that was asked for, as JSON.
    pub(super) model: String,
    /// The tier that was asked for, as JSON.
    pub(super) tier: Option<String>,
    /// Whether reasoning is to be given in a form that the client keeps.
    pub(super) keeps_reasoning: bool,
    /// Members, without braces.
    pub(super) members: Vec<u8>,
}

/// The members of an answer that say what was asked, each with what it is where the request doesn't say.
const MEMBERS: [(&str, &str); 15] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("user", "null"),
];

impl Echo {
    /// That of a request, of which `asked` finds members.
    pub(super) fn of<'a>(asked: impl Fn(&str) -> Option<&'a str>) -> Echo {
        let mut object = Vec::with_capacity(512);
        let mut writer = ObjectWriter::new(&mut object);
        for (name, default) in MEMBERS {
            let value = asked(name).filter(|value| value.len() <= LONGEST);
            write_line(writer.key(name), value.unwrap_or(default));
        }
        // What is true of every answer here.
        for (name, value) in [
            ("background", "false"),
            ("previous_response_id", "null"),
            ("store", "false"),
            ("truncation", r#""disabled""#),
        ] {
            writer.raw(name, value);
        }
        object.remove(0);
        Echo {
            model: asked("model").unwrap_or("\"\"").to_owned(),
            // A word; anything else the upstream will refuse.
            tier: asked("service_tier")
                .filter(|tier| tier.len() <= 64 && tier.starts_with('"'))
                .map(str::to_owned),
            keeps_reasoning: false,
            members: object,
        }
    }
}

/// Writes JSON as it came, but in one line: outside of strings a line's end is a space, and within there is none.
pub(super) fn write_line(out: &mut Vec<u8>, json: &str) {
    let start = out.len();
    out.extend_from_slice(json.as_bytes());
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}
