//! The request bodies of `/v1/chat/completions` and `/v1/completions`, as the API's version 2 closes them.

use super::schema::Kind::{
    Any, Bool, Closed, Either, Integer, List, Map, Number, OneOf, Open, Tagged as By, Text,
};
use super::schema::{Field, Kind, Tagged, never_null, optional, required};

const STRING: Kind = Text(usize::MAX);
/// -1 stands for the model's own limit.
const TOKENS: Kind = Integer(-1, i64::MAX);
const PENALTY: Kind = Number(-2.0, 2.0);
/// Upstream names no upper bound; the simulator's memory has one.
const CHOICES: Kind = Integer(1, 128);
const STOP: Kind = Either(&[STRING, List(&STRING, 0, 4)]);
const STREAM_OPTIONS: Kind = Closed(&[optional("include_usage", Bool)]);
const REASONING_FORMATS: Kind = OneOf(&["none", "parsed", "text_parsed", "raw", "hidden"]);

/// `POST /v1/chat/completions`.
pub(super) static CHAT: &[Field] = &[
    required("model", STRING),
    required("messages", CONVERSATION),
    optional("stream", Bool),
    optional("stream_options", STREAM_OPTIONS),
    optional("max_completion_tokens", TOKENS),
    optional("max_tokens", TOKENS),
    optional("min_completion_tokens", TOKENS),
    optional("min_tokens", TOKENS),
    optional("temperature", Number(0.0, 2.0)),
    optional("top_p", Number(0.0, 1.0)),
    optional("frequency_penalty", PENALTY),
    optional("presence_penalty", PENALTY),
    optional("logit_bias", Map(&Number(-100.0, 100.0))),
    optional("logprobs", Bool),
    optional("top_logprobs", Integer(0, 20)),
    optional("n", CHOICES),
    optional("seed", Integer(i64::MIN, i64::MAX)),
    optional("stop", STOP),
    optional("user", STRING),
    optional("tools", List(&TOOL, 0, usize::MAX)),
    optional(
        "tool_choice",
        Either(&[OneOf(&["none", "auto", "required"]), NAMED_TOOL]),
    ),
    optional("parallel_tool_calls", Bool),
    optional("response_format", By(&RESPONSE_FORMATS)),
    optional("prediction", PREDICTION),
    optional("prompt_cache_key", Text(1024)),
    optional(
        "service_tier",
        OneOf(&["auto", "default", "flex", "priority"]),
    ),
    optional(
        "reasoning_effort",
        OneOf(&["none", "low", "medium", "high"]),
    ),
    never_null("reasoning_format", REASONING_FORMATS),
    optional("disable_reasoning", Bool),
    optional("clear_thinking", Bool),
    optional("model_parameters", Open),
];

/// `POST /v1/completions`.
pub(super) static COMPLETION: &[Field] = &[
    required("model", STRING),
    required("prompt", PROMPT),
    optional("best_of", Integer(0, 20)),
    optional("echo", Bool),
    optional("frequency_penalty", PENALTY),
    optional("presence_penalty", PENALTY),
    optional("grammar_root", STRING),
    optional("logit_bias", Map(&Number(-100.0, 100.0))),
    optional("logprobs", Integer(0, 20)),
    optional("max_tokens", TOKENS),
    optional("min_tokens", TOKENS),
    optional("n", CHOICES),
    optional("prompt_cache_key", Text(1024)),
    never_null("reasoning_format", REASONING_FORMATS),
    optional("return_raw_tokens", Bool),
    optional("seed", Integer(i64::MIN, i64::MAX)),
    optional("stop", STOP),
    optional("stream", Bool),
    optional("stream_options", STREAM_OPTIONS),
    optional("suffix", STRING),
    optional("temperature", Number(0.0, 2.0)),
    optional("top_p", Number(0.0, 1.0)),
    optional("user", STRING),
];

const CONVERSATION: Kind = List(&By(&MESSAGES), 1, usize::MAX);

const TOKEN_ID: Kind = Integer(0, i64::MAX);
const PROMPT: Kind = Either(&[
    STRING,
    List(
        &Either(&[STRING, TOKEN_ID, List(&TOKEN_ID, 0, usize::MAX)]),
        1,
        usize::MAX,
    ),
]);

static MESSAGES: Tagged = Tagged {
    by: "role",
    in_path: true,
    variants: &[
        ("system", SPOKEN),
        ("user", SPOKEN),
        ("developer", SPOKEN),
        (
            "assistant",
            &[
                required("role", STRING),
                optional("content", TEXT_OR_PARTS),
                optional("reasoning", TEXT_OR_PARTS),
                optional("tool_calls", List(&TOOL_CALL, 0, usize::MAX)),
                optional("name", STRING),
            ],
        ),
        (
            "tool",
            &[
                required("role", STRING),
                required("content", TEXT_OR_PARTS),
                required("tool_call_id", STRING),
                optional("name", STRING),
            ],
        ),
    ],
};

const SPOKEN: &[Field] = &[
    required("role", STRING),
    required("content", TEXT_OR_ANY_PARTS),
    optional("name", STRING),
];

const TEXT_OR_ANY_PARTS: Kind = Either(&[STRING, List(&By(&PARTS), 0, usize::MAX)]);

const TEXT_PART: &[Field] = &[required("type", STRING), required("text", STRING)];

static TEXT_PARTS: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[("text", TEXT_PART)],
};

static PARTS: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[
        ("text", TEXT_PART),
        (
            "image_url",
            &[
                required("type", STRING),
                required(
                    "image_url",
                    Closed(&[required("url", STRING), optional("detail", STRING)]),
                ),
            ],
        ),
        ("image", &[required("type", STRING), required("image", Any)]),
    ],
};

const TEXT_OR_PARTS: Kind = Either(&[STRING, List(&By(&TEXT_PARTS), 0, usize::MAX)]);

const TOOL_CALL: Kind = Closed(&[
    required("id", STRING),
    required("type", OneOf(&["function"])),
    required(
        "function",
        Closed(&[required("name", STRING), required("arguments", STRING)]),
    ),
    optional("index", Integer(0, i64::MAX)),
]);

const TOOL: Kind = Closed(&[
    required("type", OneOf(&["function"])),
    required(
        "function",
        Closed(&[
            required("name", STRING),
            optional("description", STRING),
            optional("parameters", Open),
            never_null("strict", Bool),
        ]),
    ),
]);

const NAMED_TOOL: Kind = Closed(&[
    required("type", OneOf(&["function"])),
    required("function", Closed(&[required("name", STRING)])),
]);

static RESPONSE_FORMATS: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[
        ("text", &[required("type", STRING)]),
        ("json_object", &[required("type", STRING)]),
        (
            "json_schema",
            &[
                required("type", STRING),
                required(
                    "json_schema",
                    Closed(&[
                        required("name", STRING),
                        optional("description", STRING),
                        optional("schema", Open),
                        optional("strict", Bool),
                    ]),
                ),
            ],
        ),
    ],
};

const PREDICTION: Kind = Closed(&[
    required("type", OneOf(&["content"])),
    required("content", TEXT_OR_PARTS),
]);
