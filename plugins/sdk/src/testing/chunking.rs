//! The same answer, cut in every way that matters.

use std::collections::BTreeMap;

use super::interest::counted;
use super::{Answer, Configured, Exchange, Request};
use crate::{Channel, Policy, Verdict};

/// Answers an exchange with one text at every chunking. [`Configured::chunkings`] makes it.
///
/// Each cut is a new exchange. All of them must give the same text, the same denial, and unless the answer is denied the same findings and tags.
#[derive(Debug)]
pub struct Chunkings<'a, P> {
    policy: &'a Configured<P>,
    request: Option<&'a Request>,
    channel: Channel,
}

impl<P: Policy> Configured<P> {
    /// Answers at every chunking, on any channel, with or without a request before.
    ///
    /// ```
    /// # use witgate_policy::{prelude::*, redact::{Form, Redactor, Words}, serde_json::json, testing};
    /// # #[derive(Clone)]
    /// # struct Discreet;
    /// # impl Policy for Discreet {
    /// #     type Settings = NoSettings;
    /// #     fn new(_: NoSettings) -> Result<Self, String> {
    /// #         Ok(Discreet)
    /// #     }
    /// #     fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
    /// #         Some(Box::new(Redactor::new(Words::new(["lynx"], "[NAME]"), Form::of(channel))))
    /// #     }
    /// # }
    /// let policy = testing::configure::<Discreet>(json!({}))?;
    /// let request = testing::Request::user("Tell them of the lynx");
    /// let channel = Channel::arguments("send_mail");
    /// let answer = policy.chunkings().after(&request).on(channel).of(r#"{"text": "See \u006cynx"}"#);
    /// assert_eq!(answer.text, r#"{"text": "See [NAME]"}"#);
    /// # Ok::<(), String>(())
    /// ```
    pub fn chunkings(&self) -> Chunkings<'_, P> {
        Chunkings {
            policy: self,
            request: None,
            channel: Channel::Content,
        }
    }

    /// Answers with this text whole, and then cut in every way that matters: at each place, at each two places (texts of
    /// up to 200 characters), and evenly into pieces of one to sixteen characters. Each cut is a new exchange, in which the
    /// policy sees the answer alone, as after an earlier stage's response.
    ///
    /// # Panics
    ///
    /// When a cut gives another text than the whole, another denial, or other findings: the policy looks at chunks, not at text.
    pub fn every_chunking(&self, text: &str) -> Answer {
        self.chunkings().of(text)
    }

    /// [`every_chunking`](Configured::every_chunking) of an answer to this request, which the policy sees first.
    ///
    /// # Panics
    ///
    /// When a cut gives another answer than the whole, or when the request doesn't proceed.
    pub fn every_chunking_of(&self, request: &Request, text: &str) -> Answer {
        self.chunkings().after(request).of(text)
    }
}

impl<'a, P: Policy> Chunkings<'a, P> {
    /// The policy sees this request first.
    #[must_use]
    pub fn after(mut self, request: &'a Request) -> Self {
        self.request = Some(request);
        self
    }

    /// The text comes on this channel, and not as content.
    #[must_use]
    pub fn on(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// Answers with this text, whole and at every cut: what [`every_chunking`](Configured::every_chunking) says.
    ///
    /// # Panics
    ///
    /// When a cut gives another answer than the whole, or when the request doesn't proceed.
    pub fn of(&self, text: &str) -> Answer {
        let whole = self.answered(&[text]);
        let check = |pieces: &[&str]| self.answered(pieces).same_as(&whole, pieces);
        if matches!(self.channel, Channel::ToolArguments(_)) {
            // Upstreams open a call with its name, and no text.
            check(&["", text]);
        }
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        for (n, &first) in cuts.iter().enumerate() {
            check(&[&text[..first], &text[first..]]);
            if cuts.len() < 200 {
                for &second in &cuts[n + 1..] {
                    check(&[&text[..first], &text[first..second], &text[second..]]);
                }
            }
        }
        for size in 1..=cuts.len().min(16) {
            let mut rest = text;
            let mut pieces = Vec::new();
            while let Some((at, _)) = rest.char_indices().nth(size) {
                let (piece, more) = rest.split_at(at);
                pieces.push(piece);
                rest = more;
            }
            pieces.push(rest);
            check(&pieces);
        }
        whole.answer
    }

    fn answered(&self, pieces: &[&str]) -> Answered {
        let request = self.request.cloned();
        let mut exchange = self
            .policy
            .exchange(request.unwrap_or_else(|| Request::user("hello")));
        if self.request.is_some() {
            assert_eq!(
                exchange.on_request(),
                Verdict::Proceed,
                "a request that doesn't proceed has no answer"
            );
        }
        let finish = match self.channel {
            Channel::ToolArguments(_) => "tool_calls",
            _ => "stop",
        };
        let answer = exchange.answer_on(0, self.channel.clone(), pieces, finish);
        Answered::new(answer, &exchange)
    }
}

/// What came of one cut.
struct Answered {
    answer: Answer,
    findings: BTreeMap<(String, Option<String>), u64>,
    tags: Vec<(String, String)>,
}

impl Answered {
    fn new<P: Policy>(answer: Answer, exchange: &Exchange<P>) -> Self {
        let found = counted(exchange.findings()).into_iter();
        let owned = |((code, detail), count): ((&str, Option<&str>), u64)| {
            ((code.to_owned(), detail.map(str::to_owned)), count)
        };
        Answered {
            answer,
            findings: found.map(owned).collect(),
            tags: exchange.tags().to_vec(),
        }
    }

    fn same_as(&self, whole: &Answered, pieces: &[&str]) {
        let code = |it: &Answered| it.answer.denial.as_ref().map(|denial| denial.code.clone());
        assert_eq!(
            code(self),
            code(whole),
            "cut as {pieces:?}, the answer is denied differently than whole"
        );
        if whole.answer.denial.is_some() {
            // How much of it was out, and found, depends on the cut.
            return;
        }
        assert_eq!(
            self.answer.text, whole.answer.text,
            "cut as {pieces:?}, the answer gives another text than whole"
        );
        assert_eq!(
            self.answer.finished, whole.answer.finished,
            "cut as {pieces:?}, the policy ends the answer differently than whole"
        );
        assert_eq!(
            self.findings, whole.findings,
            "cut as {pieces:?}, other things are found in the answer than whole"
        );
        assert_eq!(
            self.tags, whole.tags,
            "cut as {pieces:?}, the exchange has other tags than whole"
        );
    }
}
