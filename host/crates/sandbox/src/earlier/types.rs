//! The words of one version in those of the other.

use super::super::types as now;
use super::wit::types as then;

/// Records whose fields have the same names, and types that are the same or convert by themselves.
macro_rules! records {
    ($($from:ident => $to:ident: $name:ident { $($field:ident),+ }),+ $(,)?) => {
        $(impl From<$from::$name> for $to::$name {
            fn from(it: $from::$name) -> Self {
                $to::$name { $($field: it.$field.into()),+ }
            }
        })+
    };
}

records! {
    now => then: ToolCall { index, id, name },
    then => now: ToolCall { index, id, name },
    now => then: Tool { name, description, parameters },
    now => then: Segment { message, role, channel, text },
    then => now: Delta { choice, channel, text },
    then => now: Denial { code, message, status, retry_after },
    now => then: Denial { code, message, status, retry_after },
    then => now: Replacement { text, held },
    then => now: Finding { code, count, detail },
    now => then: Finding { code, count, detail },
    now => then: Usage { prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens },
    now => then: DataPolicy { retention_days, trains, region },
    now => then: Target { id, provider, model, data_policy },
    then => now: Wants { hooks, interest },
    then => now: Description { name, version, config_schema },
}

impl From<now::Role> for then::Role {
    fn from(role: now::Role) -> Self {
        match role {
            now::Role::System => then::Role::System,
            now::Role::Developer => then::Role::Developer,
            now::Role::User | now::Role::Other => then::Role::User,
            now::Role::Assistant => then::Role::Assistant,
            now::Role::Tool => then::Role::Tool,
        }
    }
}

impl From<then::Role> for now::Role {
    fn from(role: then::Role) -> Self {
        match role {
            then::Role::System => now::Role::System,
            then::Role::Developer => now::Role::Developer,
            then::Role::User => now::Role::User,
            then::Role::Assistant => now::Role::Assistant,
            then::Role::Tool => now::Role::Tool,
        }
    }
}

impl From<now::Channel> for then::Channel {
    fn from(channel: now::Channel) -> Self {
        match channel {
            // Whoever guards calls guards it by its call, or refuses what isn't JSON.
            now::Channel::Other(now::OtherChannel {
                tool_call: Some(call),
                ..
            }) => then::Channel::ToolArguments(call.into()),
            now::Channel::Content | now::Channel::Other(_) => then::Channel::Content,
            now::Channel::Reasoning => then::Channel::Reasoning,
            now::Channel::Refusal => then::Channel::Refusal,
            now::Channel::ToolArguments(call) => then::Channel::ToolArguments(call.into()),
        }
    }
}

impl From<then::Channel> for now::Channel {
    fn from(channel: then::Channel) -> Self {
        match channel {
            then::Channel::Content => now::Channel::Content,
            then::Channel::Reasoning => now::Channel::Reasoning,
            then::Channel::Refusal => now::Channel::Refusal,
            then::Channel::ToolArguments(call) => now::Channel::ToolArguments(call.into()),
        }
    }
}

impl From<now::Text> for then::Text {
    fn from(it: now::Text) -> Self {
        then::Text {
            pointer: it.pointer,
            is_key: it.is_key,
            message: it.message,
            role: it.role.map(Into::into),
            segment: it.segment,
            text: it.text,
        }
    }
}

impl From<then::Verdict> for now::Verdict {
    fn from(verdict: then::Verdict) -> Self {
        match verdict {
            then::Verdict::Proceed => now::Verdict::Proceed,
            then::Verdict::Deny(denial) => now::Verdict::Deny(denial.into()),
            then::Verdict::Respond(deltas) => {
                now::Verdict::Respond(deltas.into_iter().map(Into::into).collect())
            }
        }
    }
}

impl From<then::Edit> for now::Edit {
    fn from(edit: then::Edit) -> Self {
        match edit {
            then::Edit::Forward => now::Edit::Forward,
            then::Edit::Hold => now::Edit::Hold,
            then::Edit::HoldLast(bytes) => now::Edit::HoldLast(bytes),
            then::Edit::Replace(text) => now::Edit::Replace(text),
            then::Edit::Deny(denial) => now::Edit::Deny(denial.into()),
            then::Edit::ReplaceAndHoldLast(it) => now::Edit::ReplaceAndHoldLast(it.into()),
        }
    }
}

impl From<then::Level> for now::Level {
    fn from(level: then::Level) -> Self {
        match level {
            then::Level::Trace => now::Level::Trace,
            then::Level::Debug => now::Level::Debug,
            then::Level::Info => now::Level::Info,
            then::Level::Warn => now::Level::Warn,
            then::Level::Error => now::Level::Error,
        }
    }
}

impl From<now::Ending> for then::Ending {
    fn from(ending: now::Ending) -> Self {
        match ending {
            now::Ending::Completed => then::Ending::Completed,
            now::Ending::Responded => then::Ending::Responded,
            now::Ending::Denied => then::Ending::Denied,
            now::Ending::Faulted => then::Ending::Faulted,
            now::Ending::UpstreamFailed => then::Ending::UpstreamFailed,
            now::Ending::Disconnected => then::Ending::Disconnected,
        }
    }
}

impl From<now::Account> for then::Account {
    fn from(it: now::Account) -> Self {
        then::Account {
            stage: it.stage,
            verdict: it.verdict,
            denial: it.denial.map(Into::into),
            findings: it.findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<then::Hooks> for now::Hooks {
    fn from(hooks: then::Hooks) -> Self {
        [
            (then::Hooks::ON_REQUEST, now::Hooks::ON_REQUEST),
            (then::Hooks::ON_ANSWER, now::Hooks::ON_ANSWER),
            (then::Hooks::ON_COMPLETE, now::Hooks::ON_COMPLETE),
        ]
        .into_iter()
        .filter(|(then, _)| hooks.contains(*then))
        .fold(now::Hooks::empty(), |all, (_, now)| all | now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_word_yet_is_shown_as_what_is_said_by_a_user() {
        let call = now::ToolCall {
            index: 0,
            id: "a".into(),
            name: "run".into(),
        };
        for tool_call in [None, Some(call)] {
            let is_call = tool_call.is_some();
            let name = "input".into();
            let segment = now::Segment {
                message: 0,
                role: now::Role::Other,
                channel: now::Channel::Other(now::OtherChannel { name, tool_call }),
                text: "ls".into(),
            };
            let shown = then::Segment::from(segment);
            match shown.channel {
                then::Channel::Content => assert!(!is_call),
                then::Channel::ToolArguments(call) => assert!(is_call && call.name == "run"),
                _ => panic!("it is shown as what it isn't"),
            }
            assert!(matches!(shown.role, then::Role::User));
        }
    }
}
