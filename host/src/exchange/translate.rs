//! Between the wire's types and the contract's: all of it is here.

use crate::config::DataPolicy;
use crate::policy::types;
use crate::wire::{Channel, Role, Segment, Text, Tool, ToolCall, Usage, Voice};

pub(super) fn channel_for_policy(channel: &Channel<'_>) -> types::Channel {
    match channel {
        Channel::Content => types::Channel::Content,
        Channel::Reasoning => types::Channel::Reasoning,
        Channel::Refusal => types::Channel::Refusal,
        Channel::ToolArguments(call) => types::Channel::ToolArguments(types::ToolCall {
            index: call.index,
            id: call.id().to_owned(),
            name: call.name().to_owned(),
        }),
        // To a policy it is the only call that there is.
        Channel::FunctionCall(name) => types::Channel::ToolArguments(types::ToolCall {
            index: 0,
            id: String::new(),
            name: name.as_deref().unwrap_or_default().to_owned(),
        }),
        Channel::Beside(beside) => match beside.voice {
            Voice::Reasoning => types::Channel::Reasoning,
            Voice::Content => types::Channel::Content,
            Voice::Refusal => types::Channel::Refusal,
        },
    }
}

pub(super) fn channel_from_policy(channel: &types::Channel) -> Channel<'static> {
    match channel {
        types::Channel::Content => Channel::Content,
        types::Channel::Reasoning => Channel::Reasoning,
        types::Channel::Refusal => Channel::Refusal,
        types::Channel::ToolArguments(call) => Channel::ToolArguments(ToolCall::new(
            call.index,
            call.id.clone(),
            call.name.clone(),
        )),
        // No response has another, as the sandbox sees to.
        types::Channel::Other(_) => Channel::Content,
    }
}

pub(super) fn data_policy_for_policy(declared: &DataPolicy) -> types::DataPolicy {
    types::DataPolicy {
        retention_days: declared.retention_days,
        trains: declared.trains,
        region: declared.region.clone(),
    }
}

pub(super) fn role_for_policy(role: Role) -> types::Role {
    match role {
        Role::System => types::Role::System,
        Role::Developer => types::Role::Developer,
        Role::User => types::Role::User,
        Role::Assistant => types::Role::Assistant,
        Role::Tool => types::Role::Tool,
    }
}

/// None of `other`.
pub(super) fn role_from_policy(role: types::Role) -> Option<Role> {
    Some(match role {
        types::Role::System => Role::System,
        types::Role::Developer => Role::Developer,
        types::Role::User => Role::User,
        types::Role::Assistant => Role::Assistant,
        types::Role::Tool => Role::Tool,
        types::Role::Other => return None,
    })
}

pub(super) fn segment_for_policy(segment: Segment<'_>) -> types::Segment {
    types::Segment {
        message: segment.message,
        role: role_for_policy(segment.role),
        channel: channel_for_policy(&segment.channel),
        text: segment.text.into_owned(),
    }
}

pub(super) fn text_for_policy(text: Text<'_>) -> types::Text {
    types::Text {
        pointer: text.pointer,
        is_key: text.is_key,
        message: text.message,
        role: text.role.map(role_for_policy),
        segment: text.segment,
        text: text.text.into_owned(),
    }
}

pub(super) fn tool_for_policy(tool: Tool) -> types::Tool {
    types::Tool {
        name: tool.name,
        description: tool.description,
        parameters: tool.parameters,
    }
}

pub(super) fn usage_for_policy(usage: Usage) -> types::Usage {
    types::Usage {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        cached_tokens: usage.cached_tokens,
        reasoning_tokens: usage.reasoning_tokens,
    }
}
