//! The contract's cases, read from `cases.yaml`: what a policy calls, and what comes of it. Two hosts must pass them, the gateway
//! (`tests/gateway/contract.rs`) and the SDK's double of it (`plugins/sdk/tests/contract.rs`). In both it is the policy in `player`
//! that makes the calls.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: String,
    /// The request's body. Without one it asks for what `answer` says.
    body: Option<Value>,
    /// The request's headers.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The answer is a whole one without a text.
    #[serde(default)]
    pub(crate) silent: bool,
    /// The deltas of a streamed answer, for a tool's call the empty one with which it opens among them. Without any it is a whole one,
    /// and says `hi`.
    #[serde(default)]
    pub(crate) answer: Vec<String>,
    /// What is thought before the answer: one delta, as long as the first of that.
    pub(crate) thought: Option<String>,
    /// The tool whose arguments the answer is.
    pub(crate) tool: Option<String>,
    /// Calls while the policy is configured.
    #[serde(default)]
    configure: Vec<Call>,
    #[serde(default)]
    on_request: Vec<Call>,
    /// What `on-request` says after its calls; `proceed` without it.
    verdict: Option<Value>,
    #[serde(default)]
    on_answer: Vec<Call>,
    /// Calls at the first delta.
    #[serde(default)]
    on_delta: Vec<Call>,
    #[serde(default)]
    on_end: Vec<Call>,
    /// What is said of each delta; `forward` of those that come after.
    #[serde(default)]
    edits: Vec<Value>,
    /// What is said of the passage's end.
    end: Option<Value>,
    #[serde(default)]
    on_complete: Vec<Call>,
    /// The class of the failure that a verdict or an edit is.
    faults: Option<String>,
    /// What comes of it.
    #[serde(default)]
    then: Then,
}

/// One call: one that succeeds and gives nothing, or all that can be said of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Call {
    Plain(Vec<Value>),
    Full(Full),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    /// The function's name and its arguments.
    call: Vec<Value>,
    #[serde(default)]
    gives: Value,
    /// It gives an error, and the policy goes on.
    #[serde(default)]
    refused: bool,
    /// The class of the failure that it is: the policy doesn't go on.
    faults: Option<String>,
    /// It is made so often, and gives the same each time.
    times: Option<usize>,
}

/// What comes of a case. What isn't said must be nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    /// The body that goes upstream; the client's without it.
    request: Option<Value>,
    #[serde(default)]
    tags: Vec<(String, String)>,
    /// The policy's headers on what the client gets.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Code, count, detail.
    #[serde(default)]
    findings: Vec<(String, u32, Option<Text>)>,
    /// The lines of the exchange.
    #[serde(default)]
    log: Vec<Text>,
    /// The texts that the client gets, as they are cut; those of `answer` without them.
    chunks: Option<Vec<String>>,
    /// The code with which the answer ends.
    denied: Option<String>,
}

/// A text, or one and how often it stands there.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Once(String),
    Often(String, usize),
}

impl Text {
    fn whole(&self) -> String {
        match self {
            Text::Once(text) => text.clone(),
            Text::Often(text, times) => text.repeat(*times),
        }
    }
}

/// What came of a case in one of the hosts.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// What the calls gave, by hook, as the player's entry in the journal has it.
    pub(crate) gave: Value,
    /// The body that went upstream, if one did.
    pub(crate) request: Option<Value>,
    pub(crate) tags: Value,
    /// Headers on what the client got, those alone that a policy may put there.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) findings: Value,
    pub(crate) log: Vec<String>,
    pub(crate) chunks: Vec<String>,
    pub(crate) denied: Option<String>,
}

/// Every case, in order.
pub(crate) fn cases() -> Vec<Case> {
    read(include_str!("cases.yaml"))
}

/// The cases of a text.
pub(crate) fn read(text: &str) -> Vec<Case> {
    serde_yaml::from_str(text).expect("the cases can be read")
}

impl Case {
    /// The hooks, in order, with their calls.
    fn hooks(&self) -> [(&'static str, &[Call]); 6] {
        [
            ("configure", &self.configure),
            ("on-request", &self.on_request),
            ("on-answer", &self.on_answer),
            ("on-delta", &self.on_delta),
            ("on-end", &self.on_end),
            ("on-complete", &self.on_complete),
        ]
    }

    /// What the policy is configured with.
    pub(crate) fn settings(&self) -> Value {
        json!({"configure": plain(&self.configure)})
    }

    /// The header `x-play`, in ASCII.
    pub(crate) fn script(&self) -> String {
        let mut script = Map::new();
        for (hook, calls) in self.hooks().into_iter().skip(1) {
            script.insert(hook.into(), plain(calls));
        }
        script.insert("verdict".into(), json!(self.verdict));
        script.insert("edits".into(), json!(self.edits));
        script.insert("end".into(), json!(self.end));
        let script = Value::Object(script).to_string();
        script.chars().fold(String::new(), |mut ascii, char| {
            match char.is_ascii() {
                true => ascii.push(char),
                false => char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
            }
            ascii
        })
    }

    /// The body that the client sends. Its last message tells the simulator what to answer.
    pub(crate) fn body(&self) -> Value {
        if let Some(body) = &self.body {
            return body.clone();
        }
        let text = self.answer.concat();
        let sizes: Vec<String> = self
            .texts()
            .iter()
            .map(|delta| delta.chars().count().to_string())
            .collect();
        let wanted = match (&self.tool, sizes.join(",")) {
            (Some(tool), sizes) => format!("chunk: {sizes} | call: {tool} {text}"),
            (None, _) if self.silent => "say: ".into(),
            (None, sizes) if sizes.is_empty() => "say: hi".into(),
            (None, sizes) => format!("chunk: {sizes} | say: {text}"),
        };
        let wanted = match &self.thought {
            Some(thought) => format!("think: {thought} | {wanted}"),
            None => wanted,
        };
        let mut body =
            json!({"model": "llama3.1-8b", "messages": [{"role": "user", "content": wanted}]});
        if !self.answer.is_empty() {
            body["stream"] = true.into();
        }
        if let Some(tool) = &self.tool {
            body["tools"] = json!([{"type": "function", "function": {"name": tool}}]);
        }
        body
    }

    /// The answer's deltas that are not empty.
    fn texts(&self) -> Vec<String> {
        let mut texts = self.answer.clone();
        texts.retain(|text| !text.is_empty());
        texts
    }

    /// Whether the request is to go on.
    pub(crate) fn proceeds(&self) -> bool {
        self.verdict.is_none()
    }

    /// Where it fails, and with which class.
    pub(crate) fn failure(&self) -> Option<(&'static str, &str)> {
        for (hook, calls) in self.hooks() {
            for call in calls {
                if let Call::Full(Full {
                    faults: Some(class),
                    ..
                }) = call
                {
                    return Some((hook, class));
                }
            }
        }
        let hook = match (&self.verdict, &self.end) {
            (Some(_), _) => "on-request",
            (None, Some(_)) => "on-end",
            (None, None) => "on-delta",
        };
        self.faults.as_deref().map(|class| (hook, class))
    }

    /// What is other than the case says, in sentences.
    pub(crate) fn differs(&self, came: &Came) -> Vec<String> {
        let mut differs = Vec::new();
        let mut same = |what: &str, wanted: Value, found: Value| {
            if wanted != found {
                differs.push(format!(
                    "{}: {what}:\n  wanted {wanted}\n  found  {found}",
                    self.name
                ));
            }
        };
        for (hook, calls) in self.hooks() {
            let mut wanted: Vec<Value> = calls.iter().flat_map(Call::gives).collect();
            if self.thought.is_some() && matches!(hook, "on-answer" | "on-delta" | "on-end") {
                // Each is made for each of the two passages.
                wanted.extend_from_within(..);
            }
            let found = came.gave[hook].as_array().cloned().unwrap_or_default();
            let found: Vec<Value> = found.into_iter().map(without_sentence).collect();
            same(hook, wanted.into(), found.into());
        }
        let then = &self.then;
        let request = self
            .proceeds()
            .then(|| then.request.clone().unwrap_or_else(|| self.body()));
        same("the request", json!(request), json!(came.request));
        same("the tags", json!(then.tags), came.tags.clone());
        same("the headers", json!(then.headers), json!(came.headers));
        let findings = then.findings.iter();
        let findings: Vec<Value> = findings
            .map(|(code, count, detail)| json!([code, count, detail.as_ref().map(Text::whole)]))
            .collect();
        same("the findings", findings.into(), came.findings.clone());
        let log: Vec<String> = then.log.iter().map(Text::whole).collect();
        same("the log", json!(log), json!(came.log));
        let chunks = then.chunks.clone().unwrap_or_else(|| self.texts());
        same("the answer's chunks", json!(chunks), json!(came.chunks));
        same("the denial", json!(then.denied), json!(came.denied));
        differs
    }
}

impl Call {
    fn made(&self) -> Vec<Value> {
        let (call, times) = match self {
            Call::Plain(call) => (call, 1),
            Call::Full(full) => (&full.call, full.times.unwrap_or(1)),
        };
        vec![json!(call); times]
    }

    fn gives(&self) -> Vec<Value> {
        match self {
            Call::Plain(_) => vec![Value::Null],
            Call::Full(full) => {
                let gives = if full.refused {
                    json!("refused")
                } else {
                    full.gives.clone()
                };
                vec![gives; full.times.unwrap_or(1)]
            }
        }
    }
}

fn plain(calls: &[Call]) -> Value {
    calls.iter().flat_map(Call::made).collect()
}

/// Each host has sentences of its own; that there is one is what counts.
fn without_sentence(gave: Value) -> Value {
    match gave["refused"].as_str() {
        Some(sentence) if !sentence.is_empty() => json!("refused"),
        _ => gave,
    }
}
