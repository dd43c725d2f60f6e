//! One question through the gateway, and what became of it: what the model got and said, what the client reads, what the policy found, and
//! what each of its hooks took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use crate::cli::Wrong;
use crate::control::Controller;
use crate::metrics::{Hook, StageMetrics};
use crate::simulator::Recorder;
use crate::wire::sse::Framer;

/// What is asked of where a line isn't a whole request.
const MODEL: &str = "gpt-oss-120b";

/// How long an exchange's last hook is waited for after its answer.
const LAST_HOOK: Duration = Duration::from_secs(2);

/// The hooks whose cost is shown.
const HOOKS: [Hook; 6] = [
    Hook::New,
    Hook::OnRequest,
    Hook::OnAnswer,
    Hook::OnDelta,
    Hook::OnEnd,
    Hook::OnComplete,
];

/// Who asks, and who is asked.
pub(super) struct Talk {
    gateway: Url,
    model: Url,
    recorder: Arc<Recorder>,
    controller: Arc<Controller>,
    client: reqwest::Client,
}

/// What came back.
#[derive(Default)]
struct Came {
    status: u16,
    /// By stage.
    verdicts: String,
    text: String,
    reasoning: String,
    arguments: String,
    /// How an error or a denied choice reads.
    denied: Option<String>,
}

impl Talk {
    pub(super) fn new(
        gateway: Url,
        model: Url,
        recorder: Arc<Recorder>,
        controller: Arc<Controller>,
    ) -> Self {
        Talk {
            gateway,
            model,
            recorder,
            controller,
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .unwrap_or_default(),
        }
    }

    /// Asks, and tells what became of it.
    pub(super) async fn ask(&self, line: &str) -> Result<String, Wrong> {
        let request = request(line)?;
        let generation = self.controller.current();
        let stages = generation.chain().stages();
        let stage = stages.first().ok_or("there is no policy")?;
        let metrics = stage.metrics().clone();
        let before = Counted::of(&metrics);
        let asked = self.recorder.requests().len();
        let came = self.send(&self.gateway, request.to_string()).await?;
        self.wait().await;
        let sent = self.recorder.requests().into_iter().nth(asked);
        let mut shown = String::new();
        if let Some(sent) = sent {
            let body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
            if messages(&body) == messages(&request) {
                line_of(&mut shown, "the model got", "it as it was asked");
            } else {
                line_of(&mut shown, "the model got", &messages(&body));
            }
            // Asked once more, without the gateway, it says the same.
            let said = self.send(&self.model, body.to_string()).await?;
            came_as(&mut shown, "the model said", &said);
        }
        came_as(&mut shown, "the client reads", &came);
        line_of(&mut shown, "verdict", &came.verdicts);
        Counted::of(&metrics).tell_since(&before, &mut shown);
        Ok(shown)
    }

    async fn send(&self, to: &Url, body: String) -> Result<Came, Wrong> {
        let url = to.join("chat/completions")?;
        let sent = self
            .client
            .post(url)
            .header("content-type", "application/json");
        let answer = sent.body(body).send().await?;
        let verdicts = answer.headers().get("x-witgate-policies");
        let mut came = Came {
            status: answer.status().as_u16(),
            verdicts: verdicts
                .and_then(|it| it.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            ..Came::default()
        };
        let stream = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let body = answer.bytes().await?;
        if stream {
            came.read_stream(body)?;
        } else {
            came.read_whole(&serde_json::from_slice(&body)?);
        }
        Ok(came)
    }

    /// Until what goes on behind the answers is done, or takes too long.
    async fn wait(&self) {
        let _ = tokio::time::timeout(LAST_HOOK, async {
            while !self.controller.tasks().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

/// A line that begins like an object is a whole request.
fn request(line: &str) -> Result<Value, Wrong> {
    if !line.starts_with('{') {
        let message = json!({"role": "user", "content": line});
        return Ok(json!({"model": MODEL, "stream": true, "messages": [message]}));
    }
    let mut request: Value = serde_json::from_str(line)
        .map_err(|error| format!("this isn't a request in JSON: {error}"))?;
    if request["model"].is_null() {
        request["model"] = json!(MODEL);
    }
    Ok(request)
}

impl Came {
    fn read_stream(&mut self, body: Bytes) -> Result<(), Wrong> {
        let mut framer = Framer::new(usize::MAX);
        framer.push(body);
        while let Some(event) = framer.next().map_err(|_| "an event is too long")? {
            let data = event.data.as_deref().unwrap_or_default();
            let Ok(chunk) = serde_json::from_slice::<Value>(data) else {
                continue;
            };
            self.read_denial(&chunk);
            for choice in chunk["choices"].as_array().into_iter().flatten() {
                self.read_message(&choice["delta"]);
            }
        }
        Ok(())
    }

    fn read_whole(&mut self, answer: &Value) {
        self.read_denial(answer);
        if self.status >= 400 {
            let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
            self.denied = Some(format!(
                "{} {}: {}",
                self.status,
                text("code"),
                text("message")
            ));
        }
        for choice in answer["choices"].as_array().into_iter().flatten() {
            self.read_message(&choice["message"]);
        }
    }

    fn read_message(&mut self, message: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.text += &text(&message["content"]);
        self.reasoning += &text(&message["reasoning"]);
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.arguments += &text(&call["function"]["arguments"]);
        }
    }

    fn read_denial(&mut self, answer: &Value) {
        let choices = answer["choices"].as_array().into_iter().flatten();
        let mut places = std::iter::once(answer).chain(choices);
        if let Some(denial) = places.find_map(|place| place.get("witgate")) {
            let text = |key: &str| denial[key].as_str().unwrap_or_default().to_owned();
            self.denied = Some(format!("{}: {}", text("code"), text("message")));
        }
    }
}

/// The texts of a request's messages.
fn messages(request: &Value) -> String {
    let mut texts = Vec::new();
    for message in request["messages"].as_array().into_iter().flatten() {
        match &message["content"] {
            Value::String(text) => texts.push(text.clone()),
            Value::Null => {}
            parts => texts.push(parts.to_string()),
        }
    }
    texts.join("\n")
}

fn came_as(shown: &mut String, who: &str, came: &Came) {
    let texts = [
        ("", &came.text),
        (" (reasoning)", &came.reasoning),
        (" (arguments)", &came.arguments),
    ];
    for (what, text) in texts {
        if !text.is_empty() {
            line_of(shown, &format!("{who}{what}"), text);
        }
    }
    if let Some(denied) = &came.denied {
        line_of(shown, &format!("{who} (denied)"), denied);
    }
    if texts.iter().all(|(_, text)| text.is_empty()) && came.denied.is_none() {
        line_of(shown, who, "nothing");
    }
}

/// A text for a terminal, on which nothing of it is an order.
fn line_of(shown: &mut String, what: &str, text: &str) {
    let is_order = |c: char| c.is_control() && c != '\n';
    let text = text
        .replace(is_order, "\u{fffd}")
        .replace('\n', &format!("\n{:32}", ""));
    let _ = writeln!(shown, "  {what:<29} {text}");
}

/// What a stage has counted.
struct Counted {
    calls: [(u64, Duration); 6],
    findings: BTreeMap<Box<str>, u64>,
}

impl Counted {
    fn of(metrics: &StageMetrics) -> Self {
        Counted {
            calls: HOOKS.map(|hook| metrics.calls(hook)),
            findings: metrics.findings().into_iter().collect(),
        }
    }

    fn tell_since(&self, before: &Counted, shown: &mut String) {
        let found = self.findings.iter().filter_map(|(code, count)| {
            let known = before.findings.get(code).copied().unwrap_or_default();
            (*count > known).then(|| format!("{code} ×{}", count - known))
        });
        let found: Vec<_> = found.collect();
        let none = "none".to_owned();
        let found = if found.is_empty() {
            none
        } else {
            found.join(", ")
        };
        line_of(shown, "findings", &found);
        let calls = HOOKS.iter().zip(self.calls).zip(before.calls);
        let calls = calls.filter_map(|((hook, (calls, took)), (known, before))| {
            let (calls, took) = (calls - known, took.saturating_sub(before));
            let each = took.checked_div(u32::try_from(calls).ok()?)?;
            let each = each.as_nanos() as f64 / 1e3;
            Some(match calls {
                1 => format!("{} {each:.1} µs", hook.as_str()),
                _ => format!("{} {calls} × {each:.1} µs", hook.as_str()),
            })
        });
        let calls: Vec<_> = calls.collect();
        let none = "none was called".to_owned();
        line_of(
            shown,
            "hooks",
            &if calls.is_empty() {
                none
            } else {
                calls.join(", ")
            },
        );
    }
}
