//! Plays the calls that the request's header `x-play` lists for each hook, or its settings for `configure`, and says at the end in
//! the journal what each call gave. The SDK's tests run it natively, the gateway's in the sandbox.

use std::collections::BTreeMap;

use witgate_policy::prelude::*;
use witgate_policy::serde_json::{self, Value, json};
use witgate_policy::{counters, http, journal, kv, outcome};

/// A call: the function's name, then its arguments.
type Call = Vec<Value>;

/// What to do in one exchange. The names are those of a case.
#[derive(Default, Deserialize)]
#[serde(
    crate = "witgate_policy::serde",
    default,
    deny_unknown_fields,
    rename_all = "kebab-case"
)]
struct Script {
    on_request: Vec<Call>,
    /// What `on-request` says after its calls: nothing is `proceed`.
    verdict: Option<Said>,
    on_answer: Vec<Call>,
    on_delta: Vec<Call>,
    on_end: Vec<Call>,
    /// What is said of each delta in turn, and `forward` of those that come after.
    edits: Vec<Said>,
    /// What is said of a passage's end.
    end: Option<Said>,
    on_complete: Vec<Call>,
}

impl Script {
    fn sees_answer(&self) -> bool {
        let calls = [&self.on_answer, &self.on_delta, &self.on_end];
        calls.iter().any(|calls| !calls.is_empty()) || !self.edits.is_empty() || self.end.is_some()
    }
}

/// A verdict or an edit.
#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", rename_all = "kebab-case")]
enum Said {
    Forward,
    Hold,
    HoldLast(u32),
    Replace(String),
    ReplaceAndHoldLast(String, u32),
    Deny(String),
    Finish(String),
    /// A delta of content for this choice.
    Respond(u32, String),
}

/// The settings.
#[derive(Deserialize)]
#[serde(crate = "witgate_policy::serde", deny_unknown_fields)]
pub struct Settings {
    /// Calls to make while it is configured.
    #[serde(default)]
    configure: Vec<Call>,
}

/// A policy that does as it is told.
#[derive(Clone, Default)]
pub struct Player {
    /// What the calls gave, by hook.
    gave: BTreeMap<&'static str, Vec<Value>>,
}

impl Player {
    fn play(&mut self, hook: &'static str, calls: &[Call]) {
        for call in calls {
            let gave = made(call);
            self.gave.entry(hook).or_default().push(gave);
        }
    }
}

fn script() -> Script {
    let script = request::header("x-play").unwrap_or_else(|| "{}".into());
    serde_json::from_str(&script).expect("it is a script")
}

impl Policy for Player {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let mut player = Player::default();
        player.play("configure", &settings.configure);
        Ok(player)
    }

    fn on_request(&mut self) -> Verdict {
        let script = script();
        self.play("on-request", &script.on_request);
        match script.verdict {
            None => Verdict::Proceed,
            Some(Said::Deny(code)) => Verdict::deny(code, "as the case says"),
            Some(Said::Respond(choice, text)) => {
                let channel = Channel::Content;
                Verdict::Respond(vec![Delta {
                    choice,
                    channel,
                    text,
                }])
            }
            Some(_) => panic!("no verdict"),
        }
    }

    fn on_answer(&mut self, _: u32, _: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let script = script();
        self.play("on-answer", &script.on_answer);
        let passage = Playing { script, deltas: 0 };
        passage
            .script
            .sees_answer()
            .then(|| Box::new(passage) as Box<_>)
    }

    fn on_complete(&mut self) {
        let script = script();
        self.play("on-complete", &script.on_complete);
        let found = outcome::stages()
            .into_iter()
            .flat_map(|stage| stage.findings);
        let found: Vec<Value> = found
            .map(|found| json!([found.code, found.count, found.detail]))
            .collect();
        let entry = json!({
            "id": request::id(),
            "gave": self.gave,
            "tags": outcome::tags(),
            "findings": found,
        });
        journal::append(&entry.to_string()).expect("the journal takes the entry");
    }
}

struct Playing {
    script: Script,
    deltas: usize,
}

impl Passage<Player> for Playing {
    fn on_delta(&mut self, player: &mut Player, _: &str) -> Edit {
        if self.deltas == 0 {
            player.play("on-delta", &self.script.on_delta);
        }
        self.deltas += 1;
        edit(self.script.edits.get(self.deltas - 1))
    }

    fn on_end(&mut self, player: &mut Player, _: &str) -> Edit {
        player.play("on-end", &self.script.on_end);
        edit(self.script.end.as_ref())
    }
}

fn edit(said: Option<&Said>) -> Edit {
    match said {
        None | Some(Said::Forward) => Edit::Forward,
        Some(Said::Hold) => Edit::Hold,
        Some(Said::HoldLast(bytes)) => Edit::HoldLast(*bytes),
        Some(Said::Replace(text)) => Edit::replace(text),
        Some(Said::ReplaceAndHoldLast(text, held)) => Edit::ReplaceAndHoldLast(Replacement {
            text: text.clone(),
            held: *held,
        }),
        Some(Said::Deny(code)) => Edit::deny(code, "as the case says"),
        Some(Said::Finish(text)) => Edit::finish(text),
        Some(Said::Respond(..)) => panic!("no edit"),
    }
}

/// Makes the call: what it gave, `null` where it gives nothing, `{"refused": sentence}` where it gave an error.
fn made(call: &Call) -> Value {
    let (name, arguments) = call.split_first().expect("a call has a name");
    let name = name.as_str().expect("a name is a text");
    match (name, arguments) {
        ("endpoint", []) => request::endpoint().into(),
        ("model", []) => request::model().into(),
        ("principal", []) => request::principal().into(),
        ("team", []) => request::team().into(),
        ("roles", []) => request::roles().into(),
        ("tags", []) => request::tags().iter().map(|tag| json!(tag)).collect(),
        ("header", [name]) => request::header(&text(name)).into(),
        ("messages", []) => request::messages().iter().map(word).collect(),
        ("size", []) => request::size().into(),
        ("segments", [first]) => {
            let segments = request::segments_from(number(first));
            segments.into_iter().map(shown).collect()
        }
        ("replace-segment", [index, with]) => {
            request::replace_segment(number(index), &text(with));
            Value::Null
        }
        ("texts", []) => {
            let texts = request::texts().into_iter();
            texts
                .map(|text| {
                    let role = text.role.as_ref().map(word);
                    let key = if text.is_key { "key" } else { "value" };
                    json!([
                        text.pointer,
                        key,
                        text.message,
                        role,
                        text.segment,
                        text.text
                    ])
                })
                .collect()
        }
        ("replace-text", [index, with]) => {
            result(request::replace_text(number(index), &text(with)))
        }
        ("insert-message", [before, role, with]) => {
            let role = role_named(&text(role));
            result(request::insert_message(number(before), role, &text(with)))
        }
        ("tools", []) => {
            let tools = request::tools().into_iter();
            tools
                .map(|tool| json!([tool.name, tool.description, tool.parameters]))
                .collect()
        }
        ("get", [pointer]) => request::get(&text(pointer)).into(),
        ("set", [pointer, json]) => {
            let json = (!json.is_null()).then(|| text(json));
            result(request::set(&text(pointer), json.as_deref()))
        }
        ("targets", []) => {
            let targets = request::targets().into_iter();
            targets
                .map(|target| json!([target.id, target.model]))
                .collect()
        }
        ("data-policies", []) => {
            let targets = request::targets().into_iter();
            targets
                .map(|target| {
                    let declared = target.data_policy;
                    json!([declared.retention_days, declared.trains, declared.region])
                })
                .collect()
        }
        ("restrict-targets", ids) => {
            let ids: Vec<String> = ids.iter().map(text).collect();
            result(request::restrict_targets(&ids))
        }
        ("tag", [key, value]) => result(request::tag(&text(key), &text(value))),
        ("answer-header", [name, value]) => {
            result(request::answer_header(&text(name), &text(value)))
        }
        ("tool-of", [message]) => request::tool_of(number(message)).into(),
        ("respond-finish", [choice, reason]) => {
            result(request::respond_finish(number(choice), &text(reason)))
        }
        ("held-text", []) => host::held_text().into(),
        ("held-time", []) => (host::held_time().as_millis() as u64).into(),
        ("ended", []) => word(&outcome::ended()),
        ("status", []) => outcome::status().into(),
        ("cost-micros", []) => outcome::cost_micros().into(),
        ("deltas", []) => outcome::deltas().into(),
        ("sent-bytes", []) => outcome::sent_bytes().into(),
        ("finish-reasons", []) => outcome::finish_reasons().into(),
        ("cost-of", [model, prompt, completion]) => {
            let cost = request::cost_of(&text(model), number(prompt), number(completion));
            cost.into()
        }
        ("log", [line]) => {
            host::log(Level::Info, &text(line));
            Value::Null
        }
        ("count", [name, n]) => {
            host::count(&text(name), number(n).into());
            Value::Null
        }
        ("report", [code, count, detail @ ..]) => {
            let mut finding = Finding::new(text(code), number(count));
            finding.detail = detail.first().map(text);
            host::report(&finding);
            Value::Null
        }
        ("append", [entry]) => result(journal::append(&text(entry))),
        ("add", [key, amount, window]) => {
            gave(counters::add(&text(key), whole(amount), number(window)))
        }
        ("take", [key, amount, window, most]) => gave(counters::take(
            &text(key),
            whole(amount),
            number(window),
            whole(most),
        )),
        ("ask", [method, url, rest @ ..]) => {
            let mut asked = http::get(text(url));
            asked.method = text(method);
            let [headers, body, timeout] = [0, 1, 2].map(|at| rest.get(at));
            let headers = headers.and_then(Value::as_object).into_iter().flatten();
            asked.headers = headers
                .map(|(name, value)| (name.clone(), text(value)))
                .collect();
            asked.body = body.map(text).unwrap_or_default().into_bytes();
            asked.timeout_ms = timeout.map(number).unwrap_or_default();
            gave(http::send(&asked).map(|reply| {
                let body = String::from_utf8_lossy(&reply.body);
                let location = reply.headers.iter().find(|(name, _)| name == "location");
                json!([reply.status, body, location.map(|(_, value)| value)])
            }))
        }
        ("read", [key]) => gave(kv::get(&text(key))),
        ("put-new", [key, value, ttl]) => gave(kv::put_new(&text(key), &text(value), number(ttl))),
        ("put", [key, value, ttl]) => result(kv::put(&text(key), &text(value), number(ttl))),
        _ => panic!("no call is {call:?}"),
    }
}

fn result(result: Result<(), String>) -> Value {
    match result {
        Ok(()) => Value::Null,
        Err(sentence) => json!({"refused": sentence}),
    }
}

fn gave(result: Result<impl Into<Value>, String>) -> Value {
    result.map_or_else(|sentence| json!({"refused": sentence}), Into::into)
}

fn whole(value: &Value) -> i64 {
    value.as_i64().expect("it is a number of 64 bits")
}

/// A text, or `[TEXT, N]` for so many of it, or several of these, one after the other.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => match &parts[..] {
            [part, times @ Value::Number(_)] => text(part).repeat(number(times) as usize),
            parts => parts.iter().map(text).collect(),
        },
        other => panic!("{other} is no text"),
    }
}

fn number(value: &Value) -> u32 {
    let number = value.as_u64().and_then(|number| number.try_into().ok());
    number.expect("it is a number of 32 bits")
}

/// The last word of an enum's name, as the contract writes it.
fn word(value: &impl std::fmt::Debug) -> Value {
    let name = format!("{value:?}");
    let name = name.rsplit("::").next().unwrap_or_default();
    name.to_lowercase().into()
}

fn role_named(name: &str) -> Role {
    match name {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "other" => Role::Other,
        other => panic!("no role is {other}"),
    }
}

/// A segment: its message, its role, its channel (of a call's arguments with place, id and name), its text.
fn shown(segment: Segment) -> Value {
    let channel = match segment.channel {
        Channel::Content => "content".into(),
        Channel::Reasoning => "reasoning".into(),
        Channel::Refusal => "refusal".into(),
        Channel::ToolArguments(call) => {
            format!("call {} {} {}", call.index, call.id, call.name)
        }
        Channel::Other(other) => other.name,
    };
    json!([segment.message, word(&segment.role), channel, segment.text])
}

witgate_policy::export!(Player);
