//! The format of samples: a YAML list, read strictly.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value, json};

use super::expect::Expect;
use super::said::{Call, Said, Texts};
use super::{Cut, SampleError};
use crate::api::Caller;
use crate::policy::{Reply, ScriptedReply};
use crate::wire::{Dialect, Request};

/// The most that a file of samples may have, in bytes.
pub const MAX_SIZE: usize = crate::generation::MAX_SAMPLES_SIZE;
/// The most samples of one policy.
pub const MAX_SAMPLES: usize = 64;
/// The longest name of a sample, in characters.
const MAX_NAME: usize = 200;

/// The model of a request that names none.
const MODEL: &str = "sample";

/// The samples of one policy, read and checked.
#[derive(Debug)]
pub struct Samples(Vec<Sample>);

/// One sample: a request, the answer that the model gives to it, and what must come of both.
#[derive(Debug)]
pub struct Sample {
    name: String,
    when: Map<String, Value>,
    /// The request that asks for a whole answer, and the one that asks for a stream.
    whole: Request,
    stream: Request,
    /// Who asks.
    caller: Caller,
    headers: HeaderMap,
    said: Said,
    /// What comes of requests that the policy makes by the grant `http`.
    replies: Arc<[ScriptedReply]>,
    expect: Expect,
}

/// What a request is sent to, by the word that policies have for it.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Endpoint {
    #[default]
    Chat,
    Completions,
}

impl From<Endpoint> for Dialect {
    fn from(endpoint: Endpoint) -> Dialect {
        match endpoint {
            Endpoint::Chat => Dialect::Chat,
            Endpoint::Completions => Dialect::Completions,
        }
    }
}

/// A sample as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    when: Option<Object>,
    #[serde(default)]
    endpoint: Endpoint,
    request: Object,
    principal: Option<String>,
    team: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    reasoning: Texts,
    #[serde(default)]
    answer: Texts,
    #[serde(default)]
    calls: Vec<Call>,
    finish: Option<String>,
    #[serde(default)]
    http: Vec<HttpReply>,
    #[serde(default)]
    expect: Option<Expect>,
}

/// What comes of a request that the policy makes: the first that fits is it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpReply {
    /// What the address ends with.
    #[serde(default)]
    url: String,
    /// What stands in the body that is sent.
    #[serde(default)]
    contains: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
}

fn ok() -> u16 {
    200
}

impl From<HttpReply> for ScriptedReply {
    fn from(said: HttpReply) -> Self {
        let headers = said.headers.into_iter();
        let body = match said.body {
            Value::Null => String::new(),
            Value::String(text) => text,
            json => json.to_string(),
        };
        ScriptedReply {
            url: said.url,
            contains: said.contains,
            reply: Reply {
                status: said.status,
                headers: headers
                    .map(|(name, value)| (name.to_ascii_lowercase(), value))
                    .collect(),
                body: body.into_bytes(),
            },
        }
    }
}

impl Samples {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// When it isn't a list of samples, with the line where that is known, or when a request is none that the gateway takes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SampleError> {
        if bytes.len() > MAX_SIZE {
            return Err(SampleError::TooLarge);
        }
        if bytes.trim_ascii().is_empty() {
            return Err(SampleError::Empty);
        }
        let malformed = |error: &dyn fmt::Display| SampleError::Malformed(error.to_string());
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
        let entries: Vec<Entry> = serde_yaml::from_str(text).map_err(|error| malformed(&error))?;
        if entries.len() > MAX_SAMPLES {
            return Err(SampleError::TooMany(entries.len()));
        }
        let mut samples: Vec<Sample> = Vec::with_capacity(entries.len());
        for (entry, number) in entries.into_iter().zip(1..) {
            let wrong = match &entry.name {
                name if name.trim().is_empty() => Some("give it a name that says what it holds"),
                name if name.chars().count() > MAX_NAME || name.contains(char::is_control) => {
                    Some("a name is one line of at most 200 characters")
                }
                name if samples.iter().any(|known| known.name == *name) => {
                    Some("another one has that name, too: give each its own")
                }
                _ => None,
            };
            if let Some(why) = wrong {
                let name = entry.name.chars().take(MAX_NAME).collect();
                return Err(SampleError::Name { number, name, why });
            }
            samples.push(Sample::from_entry(entry)?);
        }
        Ok(Samples(samples))
    }

    /// The samples in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Sample> {
        self.0.iter()
    }
}

impl Sample {
    fn from_entry(entry: Entry) -> Result<Self, SampleError> {
        let Entry {
            name,
            when,
            endpoint,
            request: Object(mut body),
            principal,
            team,
            roles,
            headers,
            reasoning,
            answer,
            calls,
            finish,
            http,
            expect,
        } = entry;
        let headers = headers_of(&name, headers)?;
        body.entry("model").or_insert_with(|| json!(MODEL));
        let request = |body: &_| request(&name, endpoint.into(), body);
        // As the file has it, so that nothing in it goes unchecked; then once without the stream and once with it.
        let whole = request(&body).and_then(|_| {
            body.shift_remove("stream");
            body.shift_remove("stream_options");
            request(&body)
        })?;
        body.insert("stream".into(), json!(true));
        Ok(Sample {
            stream: request(&body)?,
            whole,
            when: when.unwrap_or_default().0,
            caller: Caller {
                principal: principal.map(Arc::from),
                team: team.map(Arc::from),
                roles: roles.into(),
                ..Caller::anonymous()
            },
            headers,
            said: Said {
                reasoning,
                answer,
                calls,
                finish,
            },
            replies: http.into_iter().map(ScriptedReply::from).collect(),
            expect: expect.unwrap_or_default(),
            name,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it holds under these settings: every key of `when` is the same there, and one that is null isn't there.
    pub fn is_for(&self, settings: &Value) -> bool {
        let same = |(key, wanted): (&String, &Value)| *wanted == settings[key];
        self.when.iter().all(same)
    }

    /// What is expected of it.
    pub(super) fn expect(&self) -> &Expect {
        &self.expect
    }

    /// The request, for an answer of that kind.
    pub(super) fn request(&self, cut: Cut) -> &Request {
        match cut {
            Cut::Whole => &self.whole,
            _ => &self.stream,
        }
    }

    /// Who asks, and with which headers.
    pub(super) fn asked(&self) -> (&Caller, &HeaderMap) {
        (&self.caller, &self.headers)
    }

    /// What comes of requests that the policy makes.
    pub(super) fn replies(&self) -> &Arc<[ScriptedReply]> {
        &self.replies
    }

    /// What the model says.
    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    /// How its answer is cut into a stream.
    pub(super) fn cuts(&self) -> impl Iterator<Item = Cut> {
        let given = self.said.is_cut().then_some(Cut::AsGiven);
        [Cut::Characters].into_iter().chain(given)
    }
}

/// The headers of a sample's request.
fn headers_of(sample: &str, headers: BTreeMap<String, String>) -> Result<HeaderMap, SampleError> {
    let headers = headers.into_iter().map(|(name, value)| {
        let read = HeaderName::try_from(&name).ok();
        read.zip(HeaderValue::try_from(value).ok())
            .ok_or_else(|| SampleError::Request {
                sample: sample.to_owned(),
                why: format!("`{name}` and its value are no header"),
            })
    });
    headers.collect()
}

fn request(
    sample: &str,
    dialect: Dialect,
    body: &Map<String, Value>,
) -> Result<Request, SampleError> {
    let bytes = serde_json::to_vec(body).expect("a JSON value always makes JSON");
    Request::parse(dialect, Bytes::from(bytes)).map_err(|why| SampleError::Request {
        sample: sample.to_owned(),
        why: why.message,
    })
}

/// A mapping as JSON. One with a key that stands twice is refused.
#[derive(Default)]
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde_json's own map would take the last of two equal keys, without a word.
        let mapping = serde_yaml::Mapping::deserialize(deserializer)?;
        match serde_json::to_value(mapping).map_err(D::Error::custom)? {
            Value::Object(object) => Ok(Object(object)),
            _ => Err(D::Error::custom("it must be a mapping")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::wire::Channel;

    fn refusal(text: &str) -> String {
        Samples::parse(text.as_bytes()).unwrap_err().to_string()
    }

    /// A list of one sample that is right but for what is added.
    fn sample(more: &str) -> String {
        format!(
            "- name: It is polite\n  request: {{messages: [{{role: user, content: hi}}]}}\n{more}"
        )
    }

    fn only(more: &str) -> Sample {
        let Samples(mut samples) = Samples::parse(sample(more).as_bytes()).unwrap();
        samples.pop().unwrap()
    }

    #[test]
    fn what_may_be_left_out_has_a_default() {
        let least = only("");
        for settings in [json!({}), json!({"any": 1})] {
            assert!(least.is_for(&settings), "{settings}");
        }
        let content = (Channel::Content, String::new());
        assert_eq!(least.said().pieces(Cut::Whole), [content]);
        assert_eq!(least.request(Cut::Whole).model(), MODEL);
        assert_eq!(least.cuts().collect::<Vec<_>>(), [Cut::Characters]);
        let empty = only("  when:\n  expect:\n");
        assert!(empty.is_for(&json!({"any": 1})));
        assert!(Samples::parse(b"[]").unwrap().0.is_empty());
    }

    #[test]
    fn an_answer_is_a_text_or_a_list_of_texts() {
        let pieces = |sample: &Sample| {
            let pieces = sample.said().pieces(Cut::AsGiven).into_iter();
            pieces.map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(pieces(&only("  answer: a text\n")), ["a text"]);
        let list = only("  answer: [a, ' text']\n");
        assert_eq!(pieces(&list), ["a", " text"]);
        assert!(list.cuts().any(|cut| cut == Cut::AsGiven));
        let said = refusal(&sample("  answer: {a: text}\n"));
        assert!(
            said.contains("a text or a list of texts") && said.contains("line 3"),
            "{said}"
        );
    }

    #[test]
    fn a_model_thinks_speaks_and_calls_in_this_order() {
        let all = only("  calls: [{name: f, arguments: '{}'}]\n  answer: say\n  reasoning: t\n");
        let pieces = all.said().pieces(Cut::Characters);
        let texts: Vec<_> = pieces.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["t", "s", "a", "y", "", "{", "}"]);
        assert_eq!(pieces[4].0.name(), Some("f"));
        // A call alone stands beside no content.
        assert_eq!(
            only("  calls: [{name: f}]\n")
                .said()
                .pieces(Cut::Whole)
                .len(),
            2
        );
        let said = refusal(&sample("  headers: {'a b': c}\n"));
        assert!(said.contains("`a b`"), "{said}");
    }

    #[test]
    fn a_sample_is_for_settings_that_have_the_same_deep_down() {
        let picky = only("  when: {action: deny, words: {any: [a, b]}, limit: 3, format: null}\n");
        let right =
            json!({"limit": 3, "words": {"any": ["a", "b"]}, "action": "deny", "more": true});
        assert!(picky.is_for(&right));
        for (key, other) in [
            ("action", json!("report")),
            ("action", json!(null)),
            ("words", json!({"any": ["a"]})),
            ("words", json!({"any": ["a", "b"], "all": []})),
            ("limit", json!("3")),
            ("format", json!("label")),
        ] {
            let mut settings = right.clone();
            settings[key] = other;
            assert!(!picky.is_for(&settings), "{settings}");
        }
        assert!(!picky.is_for(&json!({})));
    }

    #[test]
    fn it_is_asked_once_without_a_stream_and_once_with_one() {
        let text = "- name: a\n  request: {model: m, stream: true, stream_options: {include_usage: true}, messages: [{role: user}]}\n";
        let text = text.replace("role: user", "role: user, content: hi");
        let Samples(samples) = Samples::parse(text.as_bytes()).unwrap();
        let [whole, stream] = [Cut::Whole, Cut::Characters].map(|cut| samples[0].request(cut));
        let asked = (whole.stream(), whole.include_usage(), stream.stream());
        assert_eq!(asked, (false, false, true));
        assert_eq!(whole.model(), "m");
    }

    #[test]
    fn a_request_is_the_endpoints_that_it_names() {
        assert_eq!(only("").request(Cut::Whole).dialect(), Dialect::Chat);
        let text = "- {name: a, endpoint: completions, request: {prompt: hi}}";
        let Samples(samples) = Samples::parse(text.as_bytes()).unwrap();
        for cut in [Cut::Whole, Cut::Characters] {
            let request = samples[0].request(cut);
            assert_eq!(request.dialect(), Dialect::Completions);
            assert_eq!(request.segments(0)[0].text, "hi");
        }
        let said = refusal("- {name: a, request: {prompt: hi}}");
        assert!(said.contains("`messages` is missing"), "{said}");
        let said = refusal("- name: a\n  endpoint: completion\n  request: {prompt: hi}\n");
        assert!(said.contains("`chat` or `completions`"), "{said}");
        assert!(said.contains("line 2"), "{said}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (more, words) in [
            ("  expcet: {}\n", "`expcet`"),
            (
                "  expect: {verdict: reject}\n",
                "`proceed`, `deny`, `respond`",
            ),
            ("  expect: {findings: pii}\n", "expect.findings"),
            ("  expect: {code: [a]}\n", "expect.code"),
            ("  when: [a]\n", "when"),
            ("  answer: a\n  answer: b\n", "duplicate"),
            ("  when: {a: 1, a: 2}\n", "duplicate"),
        ] {
            let said = refusal(&sample(more));
            assert!(
                said.contains(words) && said.contains("line"),
                "{more}: {said}"
            );
        }
        for (text, words) in [
            ("", "empty"),
            (" \n", "empty"),
            ("name: it is no list", "sequence"),
            ("- name: a\n", "`request`"),
            ("- request: {}\n", "`name`"),
            ("[]\n---\n[]\n", "document"),
            ("- [", "line"),
        ] {
            let said = refusal(text);
            assert!(said.contains(words), "{text:?}: {said}");
        }
        Samples::parse(&[b'-', 0xff]).unwrap_err();
    }

    #[test]
    fn a_request_that_no_client_could_send_is_named() {
        let said =
            refusal("- name: It is polite\n  request: {messages: [{role: user, content: 7}]}\n");
        assert!(
            said.contains("\"It is polite\"") && said.contains("messages[0].content"),
            "{said}"
        );
        let said =
            refusal("- name: a\n  request: {stream: soon, messages: [{role: user, content: a}]}\n");
        assert!(said.contains("`stream`"), "{said}");
    }

    #[test]
    fn every_sample_has_a_name_of_its_own() {
        assert!(refusal(&format!("{}{}", sample(""), sample(""))).contains("sample 2"));
        for name in ["''", "\"two\\nlines\"", &"long".repeat(100)] {
            let text = sample("").replace("It is polite", name);
            assert!(refusal(&text).contains("sample 1"), "{name}");
        }
    }

    #[test]
    fn there_is_an_end_to_how_much_and_how_many() {
        let many = |count: usize| -> String {
            let one = |number: usize| sample("").replace("polite", &number.to_string());
            (0..count).map(one).collect()
        };
        Samples::parse(many(MAX_SAMPLES).as_bytes()).unwrap();
        assert!(refusal(&many(MAX_SAMPLES + 1)).contains("65 samples"));
        let mut large = sample("").into_bytes();
        large.resize(MAX_SIZE, b'\n');
        Samples::parse(&large).unwrap();
        large.push(b'\n');
        let result = Samples::parse(&large);
        assert!(matches!(result, Err(SampleError::TooLarge)), "{result:?}");
    }
}
