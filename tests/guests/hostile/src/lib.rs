//! A policy that misbehaves as its configuration tells it to, and behaves well without.
//!
//! With `"asked":true` the header `x-misdeed` of each request tells it, and answers are touched by misdeeds alone; it misbehaves
//! where the model's content begins, so that something may have gone out before. In the loader's self-test it behaves, as malice
//! would, unless the configuration says `"from_the_start":true`.

mod actions;
#[expect(dead_code, reason = "what becomes of a misdeed is for the tests")]
mod list;
mod peek;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bindings::exports::witgate::policy::policy as contract;
use bindings::witgate::policy::types::{
    Channel, Delta, Denial, Description, Edit, Hooks, Verdict, Wants,
};
use bindings::witgate::policy::{host, request};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: r#"
            package hostile:guest;
            world hostile {
                include witgate:policy/policy-component@1.0.0;
                import wasi:clocks/monotonic-clock@0.2.0;
                import wasi:random/random@0.2.0;
            }
            package wasi:random@0.2.0 {
                interface random {
                    get-random-bytes: func(len: u64) -> list<u8>;
                    get-random-u64: func() -> u64;
                }
            }
            package wasi:io@0.2.0 {
                interface poll {
                    resource pollable { ready: func() -> bool; block: func(); }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    type instant = u64;
                    type duration = u64;
                    now: func() -> instant;
                    resolution: func() -> duration;
                    subscribe-instant: func(when: instant) -> pollable;
                    subscribe-duration: func(when: duration) -> pollable;
                }
            }
        "#,
        world: "hostile:guest/hostile",
        generate_all,
    });
    export!(Hostile with_types_in self);
    use super::Hostile;
}

static MISDEED: OnceLock<String> = OnceLock::new();
static FROM_THE_START: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);
/// What `configure` drew or read, for the tests that ask whether it is the same everywhere.
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// The misdeed of the moment: none in the self-test.
fn misdeed() -> &'static str {
    let behave = !FROM_THE_START.load(Relaxed) && request::model() == "self-test";
    if behave {
        ""
    } else if ASKED.load(Relaxed) {
        MISDEED.get_or_init(|| request::header("x-misdeed").unwrap_or_default())
    } else {
        MISDEED.get().map_or("", String::as_str)
    }
}

/// Does `<action>-in-<hook>`, if that is the misdeed.
fn at(hook: &str, misdeed: &str) {
    if let Some((action, place)) = misdeed.split_once("-in-")
        && (place == hook || place == "every-hook" && hook != "configure")
    {
        actions::run(action);
    }
}

fn deny(code: &str, message: &str) -> Denial {
    Denial {
        code: code.into(),
        message: message.into(),
        status: None,
        retry_after: None,
    }
}

/// Text that would end a stream if it got onto the wire as it is.
const EVENT: &str = "\r\n\r\ndata: [DONE]\n\nevent: error\ndata: {}\n\n";

struct Hostile;
struct Exchange;
struct Passage {
    misdeed: &'static str,
}

impl contract::Guest for Hostile {
    type Exchange = Exchange;
    type Passage = Passage;

    fn describe() -> Description {
        Description {
            name: "hostile".into(),
            version: "0.1.0".into(),
            config_schema: None,
        }
    }

    fn configure(config: String) -> Result<Wants, String> {
        let named = config
            .split_once(r#""misdeed":""#)
            .and_then(|(_, rest)| rest.split_once('"'));
        let misdeed = named.map_or("", |(name, _)| name);
        if !misdeed.is_empty() && !list::MISDEEDS.iter().any(|(name, _)| *name == misdeed) {
            return Err(format!("there is no misdeed {misdeed}"));
        }
        FROM_THE_START.store(config.contains(r#""from_the_start":true"#), Relaxed);
        let asked = config.contains(r#""asked":true"#);
        ASKED.store(asked, Relaxed);
        at("configure", misdeed);
        match misdeed {
            "refusal" => return Err("it is not to my taste".into()),
            "long-refusal" => return Err("no! ".repeat(1 << 19)),
            "draw-in-configure" => DRAWN.store(actions::random(), Relaxed),
            "clock-in-configure" => DRAWN.store(actions::clocks(), Relaxed),
            _ => {}
        }
        if !asked {
            let _ = MISDEED.set(misdeed.into());
        }
        Ok(Wants {
            hooks: Hooks::ON_REQUEST | Hooks::ON_ANSWER | Hooks::ON_COMPLETE,
            interest: None,
        })
    }
}

impl contract::GuestExchange for Exchange {
    fn new() -> Self {
        at("constructor", misdeed());
        Exchange
    }

    fn on_request(&self) -> Verdict {
        let misdeed = misdeed();
        at("on-request", misdeed);
        let hello = |choice| Delta {
            choice,
            channel: Channel::Content,
            text: "hello".into(),
        };
        match misdeed {
            "many-deltas" => Verdict::Respond(vec![hello(0); 100_000]),
            "far-choice" => Verdict::Respond(vec![hello(128)]),
            "farthest-choice" => Verdict::Respond(vec![hello(u32::MAX)]),
            "code-with-a-header" => Verdict::Deny(deny("no\r\nset-cookie: a=b", "")),
            "long-code" => Verdict::Deny(deny(&"c".repeat(1 << 20), "")),
            "far-retry" => Verdict::Deny(Denial {
                status: Some(429),
                retry_after: Some(u32::MAX),
                ..deny("no", "never")
            }),
            "response-with-an-event" => Verdict::Respond(vec![Delta {
                text: EVENT.into(),
                ..hello(0)
            }]),
            "message-with-a-header" => Verdict::Deny(deny("no", "no\r\nset-cookie: a=b")),
            "long-message" => Verdict::Deny(deny("no", &"é".repeat(1 << 20))),
            "status-of-success" => Verdict::Deny(Denial {
                status: Some(200),
                ..deny("no", "fine")
            }),
            "peek" => peek::peek(),
            "draw-in-configure" => seen(DRAWN.load(Relaxed), actions::random()),
            "clock-in-configure" => seen(DRAWN.load(Relaxed), actions::clocks()),
            "edits-then-denial" => {
                actions::edit();
                Verdict::Deny(deny("no", ""))
            }
            _ => {
                actions::once(misdeed);
                Verdict::Proceed
            }
        }
    }

    fn on_answer(&self, _choice: u32, channel: Channel) -> Option<contract::Passage> {
        let misdeed = match channel {
            Channel::Content => misdeed(),
            _ => "",
        };
        at("on-answer", misdeed);
        Some(contract::Passage::new(Passage { misdeed }))
    }

    fn on_complete(&self) {
        at("on-complete", misdeed());
        host::log(host::Level::Info, "completed");
    }
}

impl contract::GuestPassage for Passage {
    fn on_delta(&self, text: String) -> Edit {
        at("on-delta", self.misdeed);
        match self.misdeed {
            "long-replacement" => Edit::Replace("!".repeat(1 << 20)),
            "code-with-a-header-mid-stream" => Edit::Deny(deny("no\nway", "")),
            "message-with-an-event-mid-stream" => Edit::Deny(deny("no", EVENT)),
            "replacement-with-an-event" => Edit::Replace(EVENT.into()),
            "hold-for-ever" => Edit::Hold,
            "hold-last-for-ever" => Edit::HoldLast(u32::MAX),
            _ if text.contains('!') && !ASKED.load(Relaxed) => {
                Edit::Replace(text.replace('!', "."))
            }
            _ => Edit::Forward,
        }
    }

    fn on_end(&self, _finish: String) -> Edit {
        at("on-end", self.misdeed);
        match self.misdeed {
            "hold-at-the-end" => Edit::Hold,
            _ => Edit::Forward,
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        at("destructor", self.misdeed);
    }
}

/// Tells two numbers by denying.
fn seen(configuring: u64, now: u64) -> Verdict {
    Verdict::Deny(deny("seen", &format!("{configuring} {now}")))
}
