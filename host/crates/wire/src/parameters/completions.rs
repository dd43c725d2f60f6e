//! What is accepted of `POST /v1/completions`.

use super::chat::{
    BIAS, CHOICES, PENALTY, REASONING_FORMAT, SEED, STOP, STREAM_OPTIONS, STRING, TOKENS,
    long_user, rule, says,
};
use super::table::Kind::{Either, Flag, List, Number, Text, Whole};
use super::table::{Field, Fields, Kind, Mend, Rule, Table, at, field, other};

pub(crate) static COMPLETIONS: Table = Fields {
    fields: BODY,
    rules: RULES,
};

const TOKEN: Kind = Whole(0, i64::MAX as i128);
const PROMPT: Kind = Either(&[
    STRING,
    List(
        &Either(&[STRING, TOKEN, List(&TOKEN, 0, usize::MAX)]),
        1,
        usize::MAX,
    ),
]);

const BODY: &[Field] = &[
    field("model", STRING).needed().stays(),
    field("prompt", PROMPT).needed().stays(),
    field("suffix", STRING).stays().note("not supported"),
    field("stream", Flag).stays(),
    field("stream_options", STREAM_OPTIONS),
    field("max_tokens", TOKENS)
        .stays()
        .smallest()
        .others(&[
            other("max_completion_tokens", "\"max_tokens\""),
            other("max_output_tokens", "\"max_tokens\""),
            other("max_new_tokens", "\"max_tokens\""),
            other("maxTokens", "\"max_tokens\""),
            other("n_predict", "\"max_tokens\""),
        ])
        .note("-1 is the model's own limit"),
    field("min_tokens", TOKENS),
    field("temperature", Number(0.0, 2.0)),
    field("top_p", Number(0.0, 1.0)),
    field("frequency_penalty", PENALTY),
    field("presence_penalty", PENALTY),
    field("logit_bias", BIAS),
    field("logprobs", Whole(0, 20)),
    field("n", CHOICES).stays(),
    field("best_of", Whole(0, 20)),
    field("echo", Flag),
    field("seed", SEED),
    field("stop", STOP).note("of a longer list, the first four"),
    field("user", STRING),
    field("grammar_root", STRING),
    field("prompt_cache_key", Text(1024)),
    field("reasoning_format", REASONING_FORMAT)
        .never_null()
        .note("deprecated"),
    field("return_raw_tokens", Flag),
];

const RULES: &[Rule] = &[
    rule(
        at(BODY, "best_of"),
        Mend::Drop,
        "above 1 not with `stream`",
        |it| {
            let many = it.number("best_of").is_some_and(|best| best > 1.0);
            says(
                many && it.is_true("stream"),
                "\"best_of\" is incompatible with \"stream\"",
            )
        },
    ),
    rule(at(BODY, "suffix"), Mend::Nothing, "only null", |it| {
        says(it.member("suffix").is_some(), "\"suffix\" is not supported")
    }),
    Rule {
        on: at(BODY, "user"),
        what: "at most 64 characters",
        broken: long_user,
        mend: Mend::Drop,
        ours: true,
    },
];
