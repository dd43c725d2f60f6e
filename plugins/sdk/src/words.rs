//! Short constructors for the values that a policy returns: verdicts, denials, edits, findings.

use crate::{Channel, DataPolicy, Delta, Denial, Edit, Finding, Replacement, ToolCall, Verdict};

impl Default for DataPolicy {
    /// Of which nothing is declared.
    fn default() -> Self {
        Self {
            retention_days: None,
            trains: None,
            region: None,
        }
    }
}

impl Verdict {
    /// Denies the request. The code matches `[a-z0-9][a-z0-9._-]{0,63}`; the message is for the client.
    pub fn deny(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(code, message))
    }

    /// Answers in the model's place with this text.
    pub fn respond(text: impl Into<String>) -> Self {
        Self::Respond(vec![Delta {
            choice: 0,
            channel: Channel::Content,
            text: text.into(),
        }])
    }
}

impl Channel {
    /// The arguments of the first tool call of a choice, for tests and responses.
    pub fn arguments(tool: impl Into<String>) -> Self {
        Self::ToolArguments(ToolCall {
            index: 0,
            id: "call-1".into(),
            name: tool.into(),
        })
    }

    /// The tool call that the text belongs to: as its arguments, or as something for which there is no word yet. Whatever guards calls asks this.
    #[must_use]
    pub fn tool_call(&self) -> Option<&ToolCall> {
        match self {
            Self::ToolArguments(call) => Some(call),
            Self::Other(other) => other.tool_call.as_ref(),
            Self::Content | Self::Reasoning | Self::Refusal => None,
        }
    }
}

impl Edit {
    /// Holds only this many bytes at the end of all held text and this delta. A delta that ends before them goes out as it
    /// came. 0 is `Forward`. (`Edit::HoldLast(0)` lets all go, too; a policy with an interest says it to be shown what follows.)
    #[must_use]
    pub fn hold_last(bytes: usize) -> Self {
        match bytes {
            0 => Self::Forward,
            bytes => Self::HoldLast(u32::try_from(bytes).unwrap_or(u32::MAX)),
        }
    }

    /// Sends this text in the place of the delta and all held text, but for their last `held` bytes, which stay held as they came: the policy
    /// owes nothing, and nothing is lost where it fails. They begin with a character. With 0 it is `Replace`.
    pub fn replace_and_hold_last(text: impl Into<String>, held: usize) -> Self {
        match held {
            0 => Self::Replace(text.into()),
            held => Self::ReplaceAndHoldLast(Replacement {
                text: text.into(),
                held: u32::try_from(held).unwrap_or(u32::MAX),
            }),
        }
    }

    /// Sends this text instead of the delta and all held text, and ends the choice there, as if the model had stopped. Not in the arguments of a
    /// tool call.
    pub fn finish(text: impl Into<String>) -> Self {
        Self::Finish(text.into())
    }

    /// Sends this text instead of the delta and all held text.
    pub fn replace(text: impl Into<String>) -> Self {
        Self::Replace(text.into())
    }

    /// Ends this choice. The code matches `[a-z0-9][a-z0-9._-]{0,63}`; the message is for the client.
    pub fn deny(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(code, message))
    }
}

impl Denial {
    /// A denial with the usual status, 403. The code matches `[a-z0-9][a-z0-9._-]{0,63}`; the message is for the
    /// client.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status: None,
            retry_after: None,
        }
    }

    /// Another HTTP status: 400 to 499, or 503. The host makes anything else a 403.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Seconds after which another try makes sense: the header `retry-after`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<Denial> for Verdict {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl From<Denial> for Edit {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl Finding {
    /// A finding that occurred `count` times. The code matches `[a-z0-9][a-z0-9._-]{0,63}`.
    pub fn new(code: impl Into<String>, count: u32) -> Self {
        Self {
            code: code.into(),
            count,
            detail: None,
        }
    }

    /// A remark about the finding. It must never contain the found text itself, because details are logged.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Reports a finding: something worth telling that stops nothing. The code matches `[a-z0-9][a-z0-9._-]{0,63}`.
pub fn report(code: impl Into<String>, count: u32) {
    crate::host::report(&Finding::new(code, count));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OtherChannel;

    #[test]
    fn a_denial_says_the_same_of_a_request_and_of_a_delta() {
        let denial = Denial::new("busy", "later")
            .with_status(429)
            .retry_after(30);
        assert_eq!((denial.status, denial.retry_after), (Some(429), Some(30)));
        assert_eq!(Verdict::from(denial.clone()), Verdict::Deny(denial.clone()));
        assert_eq!(Edit::from(denial.clone()), Edit::Deny(denial));
        assert_eq!(
            Verdict::deny("no", "never"),
            Denial::new("no", "never").into()
        );
    }

    #[test]
    fn a_text_belongs_to_a_call_as_its_arguments_or_as_what_has_no_word() {
        let arguments = Channel::arguments("send");
        let call = arguments.tool_call().expect("it is of a call");
        let other = |tool_call| {
            let name = "input".into();
            Channel::Other(OtherChannel { name, tool_call })
        };
        assert_eq!(other(Some(call.clone())).tool_call(), Some(call));
        for channel in [
            other(None),
            Channel::Content,
            Channel::Reasoning,
            Channel::Refusal,
        ] {
            assert_eq!(channel.tool_call(), None);
        }
    }

    #[test]
    fn holding_nothing_is_forward() {
        assert_eq!(
            Edit::replace_and_hold_last("a", 0),
            Edit::Replace("a".into())
        );
        assert_eq!(Edit::hold_last(0), Edit::Forward);
        assert_eq!(Edit::hold_last(7), Edit::HoldLast(7));
        assert_eq!(Edit::hold_last(usize::MAX), Edit::HoldLast(u32::MAX));
    }

    #[test]
    fn a_response_is_one_delta_of_content() {
        let Verdict::Respond(deltas) = Verdict::respond("hi") else {
            panic!("a response");
        };
        let [delta] = &deltas[..] else {
            panic!("one delta");
        };
        assert_eq!((delta.choice, delta.text.as_str()), (0, "hi"));
        assert_eq!(delta.channel, Channel::Content);
    }
}
