//! Does what the request's header `x-puppet` says or, without it, the body's member `puppet`, so that one chain serves every test.
//! Without either it lets all pass. A second puppet may have a header of its own.

use std::time::{Duration, Instant};

use witgate_policy::prelude::{println, *};
use witgate_policy::serde_json;

/// What to do in this exchange.
#[derive(Clone, Default, Deserialize)]
#[serde(crate = "witgate_policy::serde", default, deny_unknown_fields)]
struct Orders {
    request: Option<Act>,
    answer: Option<Watch>,
    complete: Option<Act>,
}

/// What to do with a request, or at the end.
#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", rename_all = "snake_case")]
enum Act {
    Trap,
    Spin,
    Deny(Why),
    Respond(Vec<ScriptedDelta>),
    /// The same, with why its first choice ends.
    RespondWith(String, Vec<ScriptedDelta>),
    /// Another text for the last segment.
    Rewrite(String),
    Set(String, String),
    Targets(Vec<String>),
    Tag(String, String),
    /// Logs, prints, reports and counts.
    Tell,
}

#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde")]
struct Why {
    code: String,
    message: String,
    status: Option<u16>,
    retry_after: Option<u32>,
}

#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", rename_all = "snake_case")]
enum ScriptedDelta {
    Content(u32, String),
    Reasoning(u32, String),
    /// Choice, index, name, arguments.
    Call(u32, u32, String, String),
}

/// What to do once the text so far holds `at`; from the beginning without it.
#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", deny_unknown_fields)]
struct Watch {
    #[serde(default)]
    at: String,
    /// In this choice alone.
    choice: Option<u32>,
    then: Then,
}

#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", rename_all = "snake_case")]
enum Then {
    Trap,
    Spin,
    Deny(String),
    Hold,
    Replace(String),
    Finish(String),
    /// Text after the passage's end.
    Add(String),
    /// As the code of `deny`, with all that a denial may say.
    DenyAs(Why),
    /// At the passage's end, if there was no text in it.
    DenyEmpty(String),
    /// The same, with a text.
    AddToEmpty(String),
    /// Takes so many nanoseconds for each byte of a text.
    Slow(u64),
    /// At the first delta: all but its last so many bytes, which it holds; and fails at the next.
    HoldAndTrap(usize),
}

#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", default, deny_unknown_fields)]
struct Puppet {
    header: String,
}

impl Default for Puppet {
    fn default() -> Self {
        let header = "x-puppet".into();
        Puppet { header }
    }
}

impl Puppet {
    fn orders(&self) -> Orders {
        let told = request::header(&self.header).or_else(|| request::get("/puppet"));
        let orders = told.unwrap_or_else(|| "{}".into());
        serde_json::from_str(&orders).expect("these are orders that a puppet knows")
    }
}

fn spin() -> ! {
    loop {
        std::hint::black_box(0);
    }
}

fn tell() {
    log::info!("told");
    println!("printed");
    report("found", 2);
    host::count("seen", 3);
}

fn denial(why: Why) -> Denial {
    Denial {
        code: why.code,
        message: why.message,
        status: why.status,
        retry_after: why.retry_after,
    }
}

fn delta(said: ScriptedDelta) -> Delta {
    let (choice, channel, text) = match said {
        ScriptedDelta::Content(choice, text) => (choice, Channel::Content, text),
        ScriptedDelta::Reasoning(choice, text) => (choice, Channel::Reasoning, text),
        ScriptedDelta::Call(choice, index, name, text) => {
            let id = format!("call_{index}");
            let call = ToolCall { index, id, name };
            (choice, Channel::ToolArguments(call), text)
        }
    };
    Delta {
        choice,
        channel,
        text,
    }
}

impl Policy for Puppet {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn on_request(&mut self) -> Verdict {
        match self.orders().request {
            None => {}
            Some(Act::Trap) => panic!("as ordered"),
            Some(Act::Spin) => spin(),
            Some(Act::Deny(why)) => return Verdict::Deny(denial(why)),
            Some(Act::Respond(said)) => {
                return Verdict::Respond(said.into_iter().map(delta).collect());
            }
            Some(Act::RespondWith(finish, said)) => {
                request::respond_finish(0, &finish).expect("it is a finish");
                return Verdict::Respond(said.into_iter().map(delta).collect());
            }
            Some(Act::Rewrite(text)) => {
                let last = request::segments().len() - 1;
                request::replace_segment(last as u32, &text);
            }
            Some(Act::Set(pointer, json)) => {
                request::set(&pointer, Some(&json)).expect("it can be set")
            }
            Some(Act::Targets(ids)) => request::restrict_targets(&ids).expect("one is left"),
            Some(Act::Tell) => tell(),
            Some(Act::Tag(key, value)) => request::tag(&key, &value).expect("it is a tag"),
        }
        Verdict::Proceed
    }

    fn on_answer(&mut self, choice: u32, _channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let watch = self.orders().answer?;
        let mine = watch.choice.is_none_or(|wanted| wanted == choice);
        mine.then(|| {
            Box::new(Watching {
                watch,
                seen: String::new(),
            }) as Box<_>
        })
    }

    fn on_complete(&mut self) {
        match self.orders().complete {
            Some(Act::Trap) => panic!("as ordered"),
            Some(Act::Spin) => spin(),
            Some(Act::Tell) => tell(),
            _ => {}
        }
    }
}

struct Watching {
    watch: Watch,
    seen: String,
}

impl Passage<Puppet> for Watching {
    fn on_delta(&mut self, _policy: &mut Puppet, text: &str) -> Edit {
        self.seen.push_str(text);
        if !self.seen.contains(&self.watch.at) {
            return Edit::Forward;
        }
        match &self.watch.then {
            Then::Trap => panic!("as ordered"),
            Then::Spin => spin(),
            Then::Deny(code) => Edit::deny(code, "as ordered"),
            Then::Hold => Edit::Hold,
            Then::Replace(text) => Edit::Replace(text.clone()),
            Then::Finish(text) => Edit::finish(text),
            Then::DenyAs(why) => Edit::Deny(denial(why.clone())),
            Then::Add(_) | Then::AddToEmpty(_) | Then::DenyEmpty(_) => Edit::Forward,
            Then::Slow(nanoseconds) => {
                let time = Duration::from_nanos(nanoseconds * text.len() as u64);
                let began = Instant::now();
                while began.elapsed() < time {}
                Edit::Forward
            }
            Then::HoldAndTrap(held) => {
                assert!(self.seen.len() == text.len(), "as ordered");
                Edit::replace_and_hold_last(&text[..text.len() - held], *held)
            }
        }
    }

    fn on_end(&mut self, _policy: &mut Puppet, _finish: &str) -> Edit {
        match &self.watch.then {
            Then::Add(text) => Edit::Replace(text.clone()),
            Then::AddToEmpty(text) if self.seen.is_empty() => Edit::Replace(text.clone()),
            Then::DenyEmpty(code) if self.seen.is_empty() => Edit::deny(code, "as ordered"),
            _ => Edit::Forward,
        }
    }
}

witgate_policy::export!(Puppet);
