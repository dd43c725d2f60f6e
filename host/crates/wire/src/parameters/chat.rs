//! What is accepted of `POST /v1/chat/completions`.

use std::borrow::Cow;

use super::conversation;
use super::schema;
use super::table::Kind::{
    Either, Flag, List, Map, Number, Object, Open, Tagged as By, Text, Whole, Word,
};
use super::table::OtherTag::{All, For, Goes, Is};
use super::table::{
    Facts, Field, Fields, Kind, Mend, Other, Rule, Table, Tagged, at, field, other,
};

pub(super) const STRING: Kind = Text(usize::MAX);
/// -1 stands for the model's own limit.
pub(super) const TOKENS: Kind = Whole(-1, i64::MAX as i128);
pub(super) const SEED: Kind = Whole(i128::MIN, i128::MAX);
pub(super) const PENALTY: Kind = Number(-2.0, 2.0);
pub(super) const BIAS: Kind = Map(&Number(-100.0, 100.0));
pub(super) const CHOICES: Kind = Whole(1, i64::MAX as i128);
pub(super) const STOP: Kind = Either(&[STRING, List(&STRING, 0, 4)]);
pub(super) const STREAM_OPTIONS: Kind = Object(&Fields {
    fields: &[field("include_usage", Flag)],
    rules: &[],
});
pub(super) const REASONING_FORMAT: Kind =
    Word(&["none", "parsed", "text_parsed", "raw", "hidden"], &[]);
/// The most characters that `user` may have before it is dropped.
pub(super) const LONGEST_USER: usize = 64;

/// A rule about the field of that number.
pub(super) const fn rule(
    on: u8,
    mend: Mend,
    what: &'static str,
    broken: fn(&Facts<'_>) -> Option<Cow<'static, str>>,
) -> Rule {
    Rule {
        on,
        what,
        broken,
        mend,
        ours: false,
    }
}

/// The same sentence, where the rule is broken.
pub(super) fn says(broken: bool, sentence: &'static str) -> Option<Cow<'static, str>> {
    broken.then_some(Cow::Borrowed(sentence))
}

pub(crate) static CHAT: Table = Fields {
    fields: BODY,
    rules: RULES,
};

const MESSAGES: Kind = List(&By(&MESSAGE), 1, usize::MAX);
const TOOLS: Kind = List(&By(&TOOL), 0, usize::MAX);
const TOOL_CALLS: Kind = List(&By(&TOOL_CALL), 0, usize::MAX);
const CHOICE: Kind = Either(&[
    Word(&["none", "auto", "required"], &[("any", "required")]),
    By(&TOOL_CHOICE),
]);

const BODY: &[Field] = &[
    field("model", STRING).needed().stays(),
    field("messages", MESSAGES).needed().stays(),
    field("stream", Flag).stays(),
    field("stream_options", STREAM_OPTIONS),
    field("max_completion_tokens", TOKENS)
        .stays()
        .smallest()
        .others(&[
            other("max_output_tokens", "\"max_completion_tokens\""),
            other("max_new_tokens", "\"max_completion_tokens\""),
            other("maxTokens", "\"max_completion_tokens\""),
            other("maxOutputTokens", "\"max_completion_tokens\""),
            other("maxCompletionTokens", "\"max_completion_tokens\""),
        ])
        .note("reasoning counts; -1 is the model's own limit"),
    field("max_tokens", TOKENS)
        .stays()
        .note("the old name of `max_completion_tokens`"),
    field("min_completion_tokens", TOKENS),
    field("min_tokens", TOKENS),
    field("temperature", Number(0.0, 2.0)),
    field("top_p", Number(0.0, 1.0)),
    field("frequency_penalty", PENALTY),
    field("presence_penalty", PENALTY),
    field("logit_bias", BIAS),
    field("logprobs", Flag),
    field("top_logprobs", Whole(0, 20)),
    field("n", CHOICES).stays(),
    field("seed", SEED),
    field("stop", STOP).note("of a longer list, the first four"),
    field("user", STRING),
    field("tools", TOOLS)
        .stays()
        .note("those of other types than `function` go"),
    field("tool_choice", CHOICE),
    field("parallel_tool_calls", Flag),
    field("response_format", By(&RESPONSE_FORMAT)),
    field(
        "prediction",
        Object(&Fields {
            fields: &[
                field("type", Word(&["content"], &[])).needed(),
                field("content", TEXT_OR_PARTS).needed(),
            ],
            rules: &[],
        }),
    ),
    field("prompt_cache_key", Text(1024)),
    field(
        "service_tier",
        Word(&["auto", "default", "flex", "priority"], &[]),
    ),
    field(
        "reasoning_effort",
        Word(
            &["none", "low", "medium", "high"],
            &[("minimal", "low"), ("xhigh", "high"), ("max", "high")],
        ),
    ),
    field("reasoning_format", REASONING_FORMAT).never_null(),
    field("disable_reasoning", Flag).note("deprecated: `reasoning_effort` `none`"),
    field("clear_thinking", Flag),
    field("model_parameters", Open),
];

const RULES: &[Rule] = &[
    rule(
        at(BODY, "max_tokens"),
        Mend::DropLarger(at(BODY, "max_completion_tokens")),
        "not with `max_completion_tokens`",
        |it| {
            let both = it.member("max_completion_tokens").is_some();
            says(
                both,
                "\"max_tokens\" is incompatible with \"max_completion_tokens\"",
            )
        },
    ),
    rule(
        at(BODY, "response_format"),
        Mend::Drop,
        "of JSON not with `tools`, of models that don't take both",
        |it| {
            let both = is_json(it) && it.has_items("tools") && !it.model.tools_with_format;
            says(both, "\"tools\" is incompatible with \"response_format\"")
        },
    ),
    rule(
        at(BODY, "response_format"),
        Mend::Drop,
        "`json_object` not with `stream`",
        |it| {
            let object = it.text_in("response_format", "type").as_deref() == Some("json_object");
            says(
                object && it.is_true("stream"),
                "\"response_format\" of type \"json_object\" is incompatible with \"stream\"",
            )
        },
    ),
    rule(
        at(BODY, "reasoning_format"),
        Mend::Drop,
        "`raw` not with a `response_format` of JSON",
        |it| {
            let raw = it.text("reasoning_format").as_deref() == Some("raw");
            says(
                raw && is_json(it),
                "\"reasoning_format\" of \"raw\" is incompatible with \"response_format\"",
            )
        },
    ),
    rule(
        at(BODY, "reasoning_format"),
        Mend::Drop,
        "`raw` and `hidden` of models that have them",
        |it| {
            let format = it.text("reasoning_format")?;
            let raw = matches!(&*format, "raw" | "hidden") && !it.model.raw_reasoning;
            raw.then(|| of_the_model("reasoning_format", &format))
        },
    ),
    rule(
        at(BODY, "reasoning_effort"),
        Mend::Word("low"),
        "one that the model has",
        |it| {
            let effort = it.text("reasoning_effort")?;
            let unknown = !it.model.efforts.contains(&&*effort);
            unknown.then(|| of_the_model("reasoning_effort", &effort))
        },
    ),
    rule(
        at(BODY, "top_logprobs"),
        Mend::Drop,
        "only with `logprobs` `true`",
        |it| {
            says(
                it.member("top_logprobs").is_some() && !it.is_true("logprobs"),
                "\"top_logprobs\" requires \"logprobs\" to be true",
            )
        },
    ),
    rule(
        at(BODY, "prediction"),
        Mend::Drop,
        "not with `tools`, `logprobs`, or `n` above 1",
        |it| {
            it.member("prediction")?;
            let other = match () {
                () if it.has_items("tools") => "tools",
                () if it.is_true("logprobs") => "logprobs",
                () if it.number("n").is_some_and(|n| n > 1.0) => "n",
                () => return None,
            };
            Some(format!("\"prediction\" is incompatible with \"{other}\"").into())
        },
    ),
    rule(
        at(BODY, "tool_choice"),
        Mend::Drop,
        "only with `tools`",
        |it| {
            says(
                it.member("tool_choice").is_some() && !it.has_items("tools"),
                "\"tool_choice\" is not allowed without \"tools\"",
            )
        },
    ),
    rule(
        at(BODY, "tool_choice"),
        Mend::Drop,
        "names one of `tools`",
        conversation::unknown_choice,
    ),
    rule(
        at(BODY, "clear_thinking"),
        Mend::Drop,
        "of models that have it",
        |it| {
            let unknown = it.member("clear_thinking").is_some() && !it.model.clear_thinking;
            says(
                unknown,
                "body.clear_thinking: property 'body.clear_thinking' is unsupported",
            )
        },
    ),
    rule(
        at(BODY, "model_parameters"),
        Mend::Drop,
        "of models that have some; none of those known here",
        |it| {
            let unknown = it.member("model_parameters").is_some() && !it.model.parameters;
            says(
                unknown,
                "body.model_parameters: property 'body.model_parameters' is unsupported",
            )
        },
    ),
    Rule {
        on: at(BODY, "user"),
        what: "at most 64 characters",
        broken: long_user,
        mend: Mend::Drop,
        ours: true,
    },
    rule(
        at(BODY, "tools"),
        Mend::Nothing,
        "names of up to 64 of A-Z, a-z, 0-9, `_` and `-`",
        conversation::tool_names,
    ),
    rule(
        at(BODY, "messages"),
        Mend::Nothing,
        "the calls of a message are answered by the tool messages right after it, each once, and ids are unique",
        conversation::tool_messages,
    ),
    rule(
        at(BODY, "messages"),
        Mend::Nothing,
        "images: in messages of the user's, as data URIs of PNG or JPEG, at most five, and of models that see",
        conversation::images,
    ),
];

/// A `user` that is longer than others take.
pub(super) fn long_user(it: &Facts<'_>) -> Option<Cow<'static, str>> {
    let user = it.value("user")?;
    // Of few bytes there are no more characters.
    if user.len() <= LONGEST_USER {
        return None;
    }
    let long = it.text("user")?.chars().count() > LONGEST_USER;
    says(long, "body.user: String should have at most 64 characters")
}

fn of_the_model(field: &str, value: &str) -> Cow<'static, str> {
    format!("\"{field}\" of \"{value}\" is not supported by this model").into()
}

/// Whether the answer is to be JSON.
fn is_json(it: &Facts<'_>) -> bool {
    let kind = it.text_in("response_format", "type");
    kind.is_some_and(|kind| kind != "text")
}

static MESSAGE: Tagged = Tagged {
    by: "role",
    in_path: true,
    variants: &[
        ("system", &SPOKEN),
        ("user", &SPOKEN),
        ("developer", &SPOKEN),
        (
            "assistant",
            &Fields {
                fields: &[
                    field("role", STRING).needed().stays(),
                    field("content", TEXT_OR_PARTS).stays(),
                    field("reasoning", TEXT_OR_PARTS)
                        .others(&[other("reasoning_content", "\"reasoning\"")]),
                    field("tool_calls", TOOL_CALLS).stays(),
                    field("name", STRING),
                ],
                rules: &[],
            },
        ),
        (
            "tool",
            &Fields {
                fields: &[
                    field("role", STRING).needed().stays(),
                    field("content", TEXT_OR_PARTS).needed().stays(),
                    field("tool_call_id", STRING).needed().stays(),
                    field("name", STRING),
                ],
                rules: &[],
            },
        ),
    ],
    others: &[For("developer", "system", |model| !model.developer)],
};

static SPOKEN: Fields = Fields {
    fields: &[
        field("role", STRING).needed().stays(),
        field("content", TEXT_OR_ANY_PARTS).needed().stays(),
        field("name", STRING),
    ],
    rules: &[],
};

const TEXT_OR_PARTS: Kind = Either(&[STRING, List(&By(&TEXT_PART), 0, usize::MAX)]);
const TEXT_OR_ANY_PARTS: Kind = Either(&[STRING, List(&By(&PART), 0, usize::MAX)]);

static TEXT: Fields = Fields {
    fields: &[
        field("type", STRING).needed().stays(),
        field("text", STRING)
            .needed()
            .stays()
            .others(&[other("refusal", "\"text\"")]),
    ],
    rules: &[],
};

static TEXT_PART: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[("text", &TEXT)],
    others: &[
        Is("input_text", "text"),
        Is("output_text", "text"),
        Is("refusal", "text"),
        Goes("thinking"),
        Goes("redacted_thinking"),
        Goes("reasoning"),
    ],
};

static PART: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[
        ("text", &TEXT),
        (
            "image_url",
            &Fields {
                fields: &[
                    field("type", STRING).needed().stays(),
                    field(
                        "image_url",
                        Object(&Fields {
                            fields: &[
                                field("url", STRING).needed().stays(),
                                field("detail", STRING),
                            ],
                            rules: &[],
                        }),
                    )
                    .needed()
                    .stays(),
                ],
                rules: &[],
            },
        ),
        (
            "image",
            &Fields {
                fields: &[
                    field("type", STRING).needed().stays(),
                    field("image", Kind::Any).needed().stays(),
                ],
                rules: &[],
            },
        ),
    ],
    others: &[Is("input_text", "text"), Is("output_text", "text")],
};

static TOOL_CALL: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[(
        "function",
        &Fields {
            fields: &[
                field("id", STRING).needed().stays(),
                field("type", STRING).needed().stays(),
                field(
                    "function",
                    Object(&Fields {
                        fields: &[
                            field("name", STRING).needed().stays(),
                            field("arguments", STRING).needed().stays(),
                        ],
                        rules: &[],
                    }),
                )
                .needed()
                .stays(),
                field("index", Whole(0, i64::MAX as i128)),
            ],
            rules: &[],
        },
    )],
    others: &[],
};

static TOOL: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[(
        "function",
        &Fields {
            fields: &[
                field("type", STRING).needed().stays(),
                field("function", Object(&FUNCTION)).needed().stays(),
            ],
            rules: &[],
        },
    )],
    others: &[Goes("")],
};

const FUNCTION_FIELDS: &[Field] = &[
    field("name", STRING).needed().stays(),
    field("description", STRING),
    field("parameters", Open),
    field("strict", Flag).never_null(),
];

static FUNCTION: Fields = Fields {
    fields: FUNCTION_FIELDS,
    rules: &[rule(
        at(FUNCTION_FIELDS, "strict"),
        Mend::Drop,
        "`true` only with `parameters` that can be decoded strictly",
        |it| strict(it, "parameters"),
    )],
};

/// What is wrong with a schema that is to be decoded strictly.
fn strict(it: &Facts<'_>, member: &str) -> Option<Cow<'static, str>> {
    let schema = it.value(member).filter(|_| it.is_true("strict"))?;
    schema::problem(&it.body[schema])
}

static TOOL_CHOICE: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[(
        "function",
        &Fields {
            fields: &[
                field("type", STRING).needed().stays(),
                field(
                    "function",
                    Object(&Fields {
                        fields: &[field("name", STRING).needed().stays()],
                        rules: &[],
                    }),
                )
                .needed()
                .others(&[Other {
                    name: "name",
                    key: "\"function\":{\"name\"",
                    after: "}",
                    kind: Some(STRING),
                }]),
            ],
            rules: &[],
        },
    )],
    others: &[
        All("auto", "\"auto\""),
        All("none", "\"none\""),
        All("any", "\"required\""),
        All("required", "\"required\""),
        Is("tool", "function"),
    ],
};

static RESPONSE_FORMAT: Tagged = Tagged {
    by: "type",
    in_path: false,
    variants: &[
        ("text", &TYPE_ALONE),
        ("json_object", &TYPE_ALONE),
        (
            "json_schema",
            &Fields {
                fields: &[
                    field("type", STRING).needed(),
                    field("json_schema", Object(&JSON_SCHEMA)).needed(),
                ],
                rules: &[],
            },
        ),
    ],
    others: &[],
};

static TYPE_ALONE: Fields = Fields {
    fields: &[field("type", STRING).needed()],
    rules: &[],
};

const JSON_SCHEMA_FIELDS: &[Field] = &[
    field("name", STRING).needed(),
    field("description", STRING),
    field("schema", Open),
    field("strict", Flag),
];

static JSON_SCHEMA: Fields = Fields {
    fields: JSON_SCHEMA_FIELDS,
    rules: &[rule(
        at(JSON_SCHEMA_FIELDS, "strict"),
        Mend::Drop,
        "`true` only with a `schema` that can be decoded strictly",
        |it| strict(it, "schema"),
    )],
};
