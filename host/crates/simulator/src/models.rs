//! The lists of models: the plain one, the rich public one, and the forms that catalogs of others read.

use serde_json::{Value, json};

use super::catalog::{MODELS, Model, State};

/// Which of its forms a list was asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `/v1/models`.
    Plain,
    /// `/public/v1/models`.
    Public,
    OpenRouter,
    HuggingFace,
}

/// All models.
pub(super) fn list(format: Format) -> Value {
    let data: Vec<Value> = MODELS.iter().map(|model| one(model, format)).collect();
    match format {
        Format::Plain | Format::Public => json!({"object": "list", "data": data}),
        Format::OpenRouter | Format::HuggingFace => json!({"data": data}),
    }
}

/// One model.
pub(super) fn one(model: &Model, format: Format) -> Value {
    match format {
        Format::Plain => {
            json!({"id": model.id, "object": "model", "created": 0, "owned_by": "Cerebras"})
        }
        Format::Public => public(model),
        Format::OpenRouter => open_router(model),
        Format::HuggingFace => hugging_face(model),
    }
}

/// Dollars for one token, as a string.
fn per_token(cents_per_million: u32) -> String {
    format!("0.{cents_per_million:08}")
}

fn public(model: &Model) -> Value {
    let vision = model.sees_images();
    json!({
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.maker(),
        "name": model.name,
        "description": format!("{}, simulated.", model.name),
        "hugging_face_id": model.hugging_face,
        "pricing": {"prompt": per_token(model.price.0), "completion": per_token(model.price.1)},
        "capabilities": {
            "streaming": true,
            "function_calling": true,
            "structured_outputs": true,
            "vision": vision,
            "json_mode": true,
            "tools": true,
            "tool_choice": true,
            "parallel_tool_calls": model.id != "gpt-oss-120b",
            "response_format": true,
            "reasoning": model.reasons(),
        },
        "supported_parameters": {
            "temperature": true,
            "top_p": true,
            "seed": true,
            "stop": true,
            "max_completion_tokens": true,
            "logprobs": false,
            "top_logprobs": false,
            "frequency_penalty": true,
            "presence_penalty": true,
            "logit_bias": true,
            "repetition_penalty": false,
        },
        "architecture": {
            "modality": if vision { "text+vision" } else { "text" },
            "tokenizer": model.maker(),
            "instruct_type": null,
        },
        "limits": {
            "max_context_length": model.context,
            "max_completion_tokens": model.max_output,
            "requests_per_minute": null,
            "tokens_per_minute": null,
        },
        "datacenter_locations": [],
        "deprecated": model.state == State::Retired,
        "preview": model.state == State::Preview,
        "quantization": null,
    })
}

fn open_router(model: &Model) -> Value {
    json!({
        "id": format!("cerebras/{}", model.id),
        "name": model.name,
        "created": 0,
        "hugging_face_id": model.hugging_face,
        "context_length": model.context,
        "max_output_length": model.max_output,
        "pricing": {
            "prompt": per_token(model.price.0),
            "completion": per_token(model.price.1),
            "image": "0",
            "request": "0",
            "input_cache_read": "0",
            "input_cache_write": "0",
        },
    })
}

fn hugging_face(model: &Model) -> Value {
    json!({
        "id": model.id,
        "hugging_face_id": model.hugging_face,
        "context_length": model.context,
        "pricing": {
            "input": f64::from(model.price.0) / 100.0,
            "output": f64::from(model.price.1) / 100.0,
        },
        "capabilities": {"tools": true, "structured_outputs": true, "vision": model.sees_images()},
    })
}
