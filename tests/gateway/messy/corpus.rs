//! What clients send that Cerebras refuses: who sends it, the body, and what of it doesn't go on.

/// `user` says this in every chat.
macro_rules! chat {
    ($rest:literal) => {
        concat!(
            r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":"say: ok"}],"#,
            $rest,
            "}"
        )
    };
    ($model:literal, $rest:literal) => {
        concat!(
            r#"{"model":""#,
            $model,
            r#"","messages":[{"role":"user","content":"say: ok"}],"#,
            $rest,
            "}"
        )
    };
}

/// A second turn: what the client makes of the first answer stands between two questions.
macro_rules! turn {
    ($message:literal) => {
        concat!(
            r#"{"model":"gpt-oss-120b","messages":[{"role":"user","content":"a"},"#,
            $message,
            r#",{"role":"user","content":"say: ok"}]}"#
        )
    };
}

/// The same where the model called a tool.
macro_rules! call {
    ($message:literal) => {
        concat!(
            r#"{"model":"gpt-oss-120b","messages":[{"role":"user","content":"a"},"#,
            $message,
            r#",{"role":"tool","tool_call_id":"c1","content":"say: ok"}]}"#
        )
    };
}

macro_rules! text {
    ($rest:literal) => {
        concat!(r#"{"model":"llama3.1-8b","prompt":"say: ok","#, $rest, "}")
    };
}

type Case = (&'static str, &'static str, &'static str);

/// Chats that are mended.
pub(super) const CHATS: &[Case] = &[
    // Second turns.
    (
        "bifrost#4544, Claude Code's second turn by way of a converter",
        turn!(r#"{"role":"assistant","content":"b","reasoning_content":"because"}"#),
        "messages[].reasoning_content->reasoning",
    ),
    (
        "openai-python, the last message as model_dump() gives it",
        turn!(
            r#"{"content":"b","refusal":null,"role":"assistant","annotations":[],"audio":null,"function_call":null,"tool_calls":null}"#
        ),
        "messages[].refusal, messages[].annotations, messages[].audio, messages[].function_call",
    ),
    (
        "openai-python, the same of an upstream that thinks",
        turn!(
            r#"{"content":"b","refusal":null,"role":"assistant","reasoning_content":"because","reasoning":null}"#
        ),
        "messages[].refusal, messages[].reasoning, messages[].reasoning_content->reasoning",
    ),
    (
        "chatwise#1442, thoughts beside a call",
        call!(
            r#"{"role":"assistant","content":"","reasoning_content":"because","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#
        ),
        "messages[].reasoning_content->reasoning",
    ),
    (
        "free-claude-code#1136, thoughts and no content",
        call!(
            r#"{"role":"assistant","content":null,"reasoning_content":"because","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#
        ),
        "messages[].reasoning_content->reasoning",
    ),
    (
        "qwen-code#11045, empty thoughts",
        turn!(r#"{"role":"assistant","content":"b","reasoning_content":""}"#),
        "messages[].reasoning_content->reasoning",
    ),
    (
        "vercel/ai#15042, openai-compatible provider",
        turn!(r#"{"role":"assistant","content":"b","reasoning_content":"because","id":"msg_1"}"#),
        "messages[].id, messages[].reasoning_content->reasoning",
    ),
    (
        "hermes#45655, thoughts under both names",
        turn!(
            r#"{"role":"assistant","content":"b","reasoning":"because","reasoning_content":"because"}"#
        ),
        "messages[].reasoning_content",
    ),
    (
        "kilocode#10403, thoughts under three",
        turn!(
            r#"{"role":"assistant","content":"b","reasoning_content":"because","reasoning_details":[{"type":"reasoning.text","text":"because","index":0}]}"#
        ),
        "messages[].reasoning_details, messages[].reasoning_content->reasoning",
    ),
    (
        "OpenMinis#361, thoughts that are null",
        turn!(r#"{"role":"assistant","content":"b","reasoning_content":null}"#),
        "messages[].reasoning_content",
    ),
    (
        "copilot, thoughts under names of its own",
        turn!(
            r#"{"role":"assistant","content":"b","reasoning_text":"because","reasoning_opaque":"AAAA"}"#
        ),
        "messages[].reasoning_text, messages[].reasoning_opaque",
    ),
    (
        "litellm, Anthropic's thinking in an OpenAI message",
        turn!(
            r#"{"role":"assistant","content":"b","thinking_blocks":[{"type":"thinking","thinking":"because","signature":"AA"}],"provider_specific_fields":{"citations":null}}"#
        ),
        "messages[].thinking_blocks, messages[].provider_specific_fields",
    ),
    (
        "langchain-anthropic, thinking as a content part",
        turn!(
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":"because","signature":"AA"},{"type":"text","text":"b"}]}"#
        ),
        "messages[].content[type=thinking]",
    ),
    (
        "langchain, output parts of the Responses API",
        turn!(
            r#"{"role":"assistant","content":[{"type":"output_text","text":"b","annotations":[],"id":"msg_1"}]}"#
        ),
        "messages[].content[].type:output_text->text, messages[].content[].annotations, messages[].content[].id",
    ),
    (
        "openai-agents, a refusal as a part",
        turn!(r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}"#),
        "messages[].content[].type:refusal->text, messages[].content[].refusal->text",
    ),
    (
        "openai-python, a refusal given back",
        turn!(r#"{"role":"assistant","content":null,"refusal":"I can't."}"#),
        "messages[].refusal",
    ),
    (
        "openai-python, calls as parse() gives them",
        call!(
            r#"{"role":"assistant","parsed":null,"tool_calls":[{"id":"c1","type":"function","index":0,"function":{"name":"f","arguments":"{}","parsed_arguments":{}}}]}"#
        ),
        "messages[].parsed, messages[].tool_calls[].function.parsed_arguments",
    ),
    (
        "gemini's OpenAI form, a signature in a call",
        call!(
            r#"{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"AA"}}}]}"#
        ),
        "messages[].tool_calls[].extra_content",
    ),
    (
        "litellm, a call with what another provider said",
        call!(
            r#"{"role":"assistant","content":null,"function_call":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"provider_specific_fields":{"x":1}}]}"#
        ),
        "messages[].function_call, messages[].tool_calls[].provider_specific_fields",
    ),
    (
        "claude-code-router, a result that is an error",
        r#"{"model":"gpt-oss-120b","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"say: ok","is_error":true,"cache_control":{"type":"ephemeral"}}]}"#,
        "messages[].is_error, messages[].cache_control",
    ),
    (
        "ai-sdk, messages of its user interface",
        turn!(
            r#"{"role":"assistant","content":"b","id":"m1","createdAt":"2026-11-01T10:00:00Z","parts":[{"type":"text","text":"b"}]}"#
        ),
        "messages[].id, messages[].createdAt, messages[].parts",
    ),
    (
        "LibreChat, messages with metadata",
        turn!(r#"{"role":"assistant","content":"b","metadata":{"model":"x"},"timestamp":1}"#),
        "messages[].metadata, messages[].timestamp",
    ),
    (
        "deepseek's beta, an answer to go on with",
        turn!(r#"{"role":"assistant","content":"b","prefix":true}"#),
        "messages[].prefix",
    ),
    (
        "moonshot, the same",
        turn!(r#"{"role":"assistant","content":"b","partial":true,"name":"kimi"}"#),
        "messages[].partial",
    ),
    // What is said, in the forms of others.
    (
        "litellm, a cache mark on a part",
        r#"{"model":"llama3.1-8b","messages":[{"role":"system","content":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"type":"text","text":"say: ok"}]}]}"#,
        "messages[].content[].cache_control",
    ),
    (
        "openrouter, a cache mark on a message",
        r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":"say: ok","cache_control":{"type":"ephemeral","ttl":"1h"}}]}"#,
        "messages[].cache_control",
    ),
    (
        "codex, parts of the Responses API in a chat",
        r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":[{"type":"input_text","text":"say: ok"}]}]}"#,
        "messages[].content[].type:input_text->text",
    ),
    (
        "litellm, a picture with its format",
        r#"{"model":"gemma-4-31b","messages":[{"role":"user","content":[{"type":"text","text":"say: ok"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low","format":"image/png"}}]}]}"#,
        "messages[].content[].image_url.format",
    ),
    (
        "openai-agents, a developer for every model",
        r#"{"model":"zai-glm-4.7","messages":[{"role":"developer","content":"be kind"},{"role":"user","content":"say: ok"}]}"#,
        "messages[].role:developer->system",
    ),
    // Parameters of OpenAI's that Cerebras hasn't.
    ("openclaude#740", chat!(r#""store":false"#), "store"),
    (
        "openai-node, stored completions",
        chat!(r#""store":true,"metadata":{"run":"7"}"#),
        "store, metadata",
    ),
    (
        "openai-agents, verbosity",
        chat!(r#""verbosity":"low""#),
        "verbosity",
    ),
    (
        "openai-python, modalities",
        chat!(r#""modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}"#),
        "modalities, audio",
    ),
    (
        "openai-python, web search",
        chat!(r#""web_search_options":{"search_context_size":"low"}"#),
        "web_search_options",
    ),
    (
        "openai-python, who asks and how long to cache",
        chat!(r#""safety_identifier":"u1","prompt_cache_key":"k","prompt_cache_retention":"24h""#),
        "safety_identifier, prompt_cache_retention",
    ),
    (
        "OpenAI's clients of 2023, functions",
        chat!(r#""functions":[{"name":"f","parameters":{}}],"function_call":"auto""#),
        "functions, function_call",
    ),
    (
        "openai-python, an obfuscated stream",
        chat!(
            r#""stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}"#
        ),
        "stream_options.include_obfuscation",
    ),
    (
        "openai-python, a tier of OpenAI's",
        chat!(r#""service_tier":"scale""#),
        "service_tier",
    ),
    (
        "litellm, a tier of Anthropic's",
        chat!(r#""service_tier":"standard_only""#),
        "service_tier",
    ),
    // Parameters of others.
    (
        "opencode#6648",
        chat!(r#""maxTokens":64"#),
        "maxTokens->max_completion_tokens",
    ),
    (
        "opencode#6648, thinking switched off",
        chat!(r#""thinking":{"type":"disabled"}"#),
        "thinking",
    ),
    (
        "qwen-code, thinking switched off",
        chat!(r#""enable_thinking":false"#),
        "enable_thinking",
    ),
    (
        "vLLM's clients",
        chat!(
            r#""top_k":20,"min_p":0.0,"repetition_penalty":1.05,"chat_template_kwargs":{"enable_thinking":false}"#
        ),
        "top_k, min_p, repetition_penalty, chat_template_kwargs",
    ),
    (
        "vLLM's clients, usage in every chunk",
        chat!(
            r#""stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}"#
        ),
        "stream_options.continuous_usage_stats",
    ),
    (
        "openrouter's clients",
        chat!(
            r#""reasoning":{"effort":"high"},"include_reasoning":true,"provider":{"order":["cerebras"]},"transforms":["middle-out"],"route":"fallback","usage":{"include":true}"#
        ),
        "reasoning, include_reasoning, provider, transforms, route, usage",
    ),
    (
        "ollama's clients",
        chat!(r#""options":{"num_ctx":8192},"keep_alive":"5m","format":"json""#),
        "options, keep_alive, format",
    ),
    (
        "mistral's clients",
        chat!(r#""safe_prompt":true,"random_seed":7"#),
        "safe_prompt, random_seed",
    ),
    (
        "xAI's clients",
        chat!(r#""search_parameters":{"mode":"auto"},"deferred":false"#),
        "search_parameters, deferred",
    ),
    (
        "bifrost's and litellm's clients, what is meant for the proxy",
        chat!(r#""fallbacks":["cerebras/gpt-oss-120b"],"caching":true,"num_retries":2"#),
        "fallbacks, caching, num_retries",
    ),
    (
        "openai-python wrapped in curl, extra_body itself",
        chat!(r#""extra_body":{"disable_reasoning":true}"#),
        "extra_body",
    ),
    (
        "SillyTavern, samplers of a local server",
        chat!(
            r#""temperature":2.5,"top_k":40,"typical_p":1,"mirostat_mode":0,"frequency_penalty":0.7"#
        ),
        "temperature, top_k, typical_p, mirostat_mode",
    ),
    (
        "groq's clients, thoughts hidden",
        chat!("gemma-4-31b", r#""reasoning_format":"hidden""#),
        "reasoning_format",
    ),
    (
        "groq's clients, a format that is null",
        chat!(r#""reasoning_format":null,"reasoning_effort":null"#),
        "reasoning_format",
    ),
    (
        "cerebras' own clients, what another of its models has",
        chat!("qwen-3.8-27b", r#""clear_thinking":false"#),
        "clear_thinking",
    ),
    (
        "n8n, parameters of a model",
        chat!(r#""model_parameters":{"x":1}"#),
        "model_parameters",
    ),
    // Values that are out of range, or of another type.
    (
        "typingmind, a temperature as text",
        chat!(r#""temperature":"0.7""#),
        "temperature",
    ),
    (
        "n8n, a seed as text",
        chat!(r#""seed":"42","temperature":0.2"#),
        "seed",
    ),
    (
        "lobe-chat, penalties past their range",
        chat!(r#""presence_penalty":2.5"#),
        "presence_penalty",
    ),
    (
        "big-AGI, a number for a user",
        chat!(r#""user":17"#),
        "user",
    ),
    (
        "promptfoo, likely tokens alone",
        chat!(r#""top_logprobs":5"#),
        "top_logprobs",
    ),
    (
        "openai-evals, likely tokens and no logprobs",
        chat!(r#""logprobs":false,"top_logprobs":5"#),
        "top_logprobs",
    ),
    (
        "lm-eval, logprobs as text completions have them",
        chat!(r#""logprobs":5"#),
        "logprobs",
    ),
    (
        "php's json_encode, an empty list for an object",
        chat!(r#""logit_bias":[]"#),
        "logit_bias",
    ),
    (
        "continue, more stops than four",
        chat!(r#""stop":["<fim>","</s>","\n\n","class ","def "]"#),
        "stop[4..]",
    ),
    (
        "litellm, both limits",
        chat!(r#""max_tokens":64,"max_completion_tokens":4096"#),
        "max_completion_tokens",
    ),
    (
        "langchain-openai, both limits the other way round",
        chat!(r#""max_completion_tokens":64,"max_tokens":4096"#),
        "max_tokens",
    ),
    (
        "Responses API's clients, a limit by its name there",
        chat!(r#""max_output_tokens":64"#),
        "max_output_tokens->max_completion_tokens",
    ),
    // Effort.
    (
        "openai-agents, the least effort",
        chat!("gpt-oss-120b", r#""reasoning_effort":"minimal""#),
        "reasoning_effort:minimal->low",
    ),
    (
        "codex, the most effort",
        chat!("gpt-oss-120b", r#""reasoning_effort":"xhigh""#),
        "reasoning_effort:xhigh->high",
    ),
    (
        "open-webui, no effort of a model that must",
        chat!("gpt-oss-120b", r#""reasoning_effort":"none""#),
        "reasoning_effort:none->low",
    ),
    (
        "open-webui, an effort that only it knows",
        chat!(r#""reasoning_effort":"default""#),
        "reasoning_effort",
    ),
    // Tools.
    (
        "langchain, any tool",
        chat!(r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"any""#),
        "tool_choice:any->required",
    ),
    (
        "Anthropic's clients, any tool",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"any"}"#
        ),
        "tool_choice.type:any->required",
    ),
    (
        "Anthropic's clients, one tool",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"tool","name":"f"}"#
        ),
        "tool_choice.type:tool->function, tool_choice.name->function",
    ),
    (
        "Responses API's clients, one tool",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"name":"f","type":"function"}"#
        ),
        "tool_choice.name->function",
    ),
    (
        "openai-python, some tools",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}"#
        ),
        "tool_choice",
    ),
    (
        "autogen, a choice without tools",
        chat!(r#""tool_choice":"auto""#),
        "tool_choice",
    ),
    (
        "crewai, a choice of no tools",
        chat!(r#""tools":[],"tool_choice":"none""#),
        "tool_choice",
    ),
    (
        "litellm, a cache mark on a tool",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f","parameters":{}},"cache_control":{"type":"ephemeral"}}]"#
        ),
        "tools[].cache_control",
    ),
    (
        "openai-python, strict that is null",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f","description":null,"parameters":null,"strict":null}}]"#
        ),
        "tools[].function.strict",
    ),
    (
        "zod, a strict tool that is open",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"type":"string"}}}}}]"#
        ),
        "tools[].function.strict",
    ),
    (
        "openai-agents, a search beside a function",
        chat!(r#""tools":[{"type":"web_search"},{"type":"function","function":{"name":"f"}}]"#),
        "tools[type=web_search]",
    ),
    (
        "codex, a custom tool alone",
        chat!(
            r#""tools":[{"type":"custom","custom":{"name":"apply_patch","format":{"type":"text"}}}],"tool_choice":"auto""#
        ),
        "tools[type=custom], tool_choice",
    ),
    (
        "pydantic-ai, tools with a format",
        chat!(
            "gpt-oss-120b",
            r#""tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}"#
        ),
        "response_format",
    ),
    (
        "copilot, a prediction with tools",
        chat!(
            r#""tools":[{"type":"function","function":{"name":"f"}}],"prediction":{"type":"content","content":"ok"}"#
        ),
        "prediction",
    ),
    // Formats.
    (
        "instructor, JSON in a stream",
        chat!(r#""stream":true,"response_format":{"type":"json_object"}"#),
        "response_format",
    ),
    (
        "together's clients, JSON with a schema",
        chat!(r#""response_format":{"type":"json_object","schema":{"type":"object"}}"#),
        "response_format.schema",
    ),
    (
        "fireworks' clients, a grammar",
        chat!(r#""response_format":{"type":"grammar","grammar":"root ::= \"a\""}"#),
        "response_format",
    ),
    (
        "openai-python's parse(), a pattern in a strict schema",
        chat!(
            r#""response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{"a":{"type":"string","pattern":"^a"}},"required":["a"],"additionalProperties":false}}}"#
        ),
        "response_format.json_schema.strict",
    ),
    (
        "pydantic v1, definitions in a strict schema",
        chat!(
            r##""response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{"a":{"$ref":"#/definitions/A"}},"definitions":{"A":{"type":"string"}},"additionalProperties":false}}}"##
        ),
        "response_format.json_schema.strict",
    ),
    (
        "zod, nullable types in a strict schema",
        chat!(
            r#""response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false}}}"#
        ),
        "response_format.json_schema.strict",
    ),
    (
        "langchain, a schema with a title beside it",
        chat!(
            r#""response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{},"title":"S"}}"#
        ),
        "response_format.json_schema.title",
    ),
];

/// Text completions that are mended.
pub(super) const COMPLETIONS: &[Case] = &[
    (
        "litellm, a limit by its name in chats",
        text!(r#""max_completion_tokens":16"#),
        "max_completion_tokens->max_tokens",
    ),
    (
        "llama.cpp's clients",
        text!(r#""n_predict":16,"cache_prompt":true"#),
        "cache_prompt, n_predict->max_tokens",
    ),
    (
        "vLLM's clients",
        text!(r#""top_k":20,"ignore_eos":true,"repetition_penalty":1.1,"max_tokens":16"#),
        "top_k, ignore_eos, repetition_penalty",
    ),
    (
        "tabby, the best of several in a stream",
        text!(r#""stream":true,"best_of":3"#),
        "best_of",
    ),
    (
        "chat's clients, logprobs as chats have them",
        text!(r#""logprobs":true"#),
        "logprobs",
    ),
    (
        "chat's clients, tools and a format",
        text!(r#""tools":[],"tool_choice":"auto","response_format":{"type":"text"}"#),
        "tools, tool_choice, response_format",
    ),
    (
        "continue, more stops than four",
        text!(r#""stop":["a1","b1","c1","d1","e1"]"#),
        "stop[4..]",
    ),
    (
        "openai-python, metadata",
        text!(r#""metadata":{"a":"b"},"store":true"#),
        "metadata, store",
    ),
];

/// Requests that say what Cerebras can't take: it refuses them, and nothing is dropped for that.
pub(super) const REFUSED: &[(&str, &str)] = &[
    (
        "a history that was cut between call and result",
        r#"{"model":"gpt-oss-120b","messages":[{"role":"tool","tool_call_id":"c1","content":"x"},{"role":"user","content":"say: ok"}]}"#,
    ),
    (
        "a call that nobody answered",
        r#"{"model":"gpt-oss-120b","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"say: ok"}]}"#,
    ),
    (
        "a picture from elsewhere",
        r#"{"model":"gemma-4-31b","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.org/a.png"}}]}]}"#,
    ),
    (
        "a picture for a model that is blind",
        r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#,
    ),
    (
        "a sound",
        r#"{"model":"llama3.1-8b","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}"#,
    ),
    (
        "a tool with a name that none may have",
        chat!(r#""tools":[{"type":"function","function":{"name":"server.tool"}}]"#),
    ),
    ("a limit that is no number", chat!(r#""max_tokens":"64""#)),
];
