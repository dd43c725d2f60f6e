//! Finds the route that a method and a path ask for.

use std::borrow::Cow;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::api::{ApiError, Catalog};
use crate::metrics::Endpoint;

/// The route that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// A chat completion.
    Chat,
    /// A text completion.
    Completions,
    /// A text completion in the flat form of workflow tools.
    Action,
    /// A message of Anthropic's.
    Messages,
    /// An estimate of the tokens that a request for one has.
    CountTokens,
    /// A response.
    Responses,
    /// The list of models in this form, or the model of this id.
    Models(Catalog, Option<Cow<'a, str>>),
    /// The warm-up call of Cerebras' SDKs.
    Warming,
    /// A route that exists, with a method that it doesn't take.
    WrongMethod { allow: &'static str },
    /// A route of the API that this release doesn't have.
    NotOffered,
    /// A route of OpenAI's that nothing behind the gateway has.
    Unsupported,
    /// A model's id that no model can have.
    BadId,
    /// A path that the API doesn't have.
    Unknown,
}

const READ: &str = "GET, HEAD";

impl<'a> Route<'a> {
    /// Reads a path by its segments. Empty segments don't count, so trailing and doubled slashes do no harm. A second `v1` comes
    /// from SDKs that add their own to a base URL that has one. Clients that are given an address for each API find OpenAI's below
    /// `/openai` as well.
    pub(super) fn find(method: &Method, path: &'a str) -> Self {
        let (first, rest) = segment(path);
        let (api, rest) = match first {
            "openai" => ("openai", segment(rest)),
            "anthropic" | "public" => (first, segment(rest)),
            _ => ("openai", (first, rest)),
        };
        let ("v1", rest) = rest else {
            return Self::Unknown;
        };
        let rest = match segment(rest) {
            ("v1", rest) => rest,
            _ => rest,
        };
        let (first, below) = segment(rest);
        match (api, first) {
            ("anthropic", "models") => Self::models(Catalog::Anthropic, method, below),
            ("anthropic", "messages") if is_end(below) => Self::posted(method, Self::Messages),
            ("anthropic", "messages") if is(below, "count_tokens") => {
                Self::posted(method, Self::CountTokens)
            }
            ("anthropic", "messages") if segment(below).0 == "batches" => Self::Unsupported,
            ("anthropic", first) if UNSUPPORTED.contains(&first) => Self::Unsupported,
            ("public", "models") => Self::models(Catalog::Public, method, below),
            ("openai", first) => Self::find_openai(method, first, below),
            _ => Self::Unknown,
        }
    }

    fn find_openai(method: &Method, first: &str, below: &'a str) -> Self {
        match first {
            "chat" if is(below, "completions") => Self::posted(method, Self::Chat),
            "completions" if is_end(below) => Self::posted(method, Self::Completions),
            "actions" if is(below, "text-completion") => Self::posted(method, Self::Action),
            "responses" if is_end(below) => Self::posted(method, Self::Responses),
            "models" => Self::models(Catalog::Plain, method, below),
            "tcp_warming" if is_end(below) && !reads(method) => Self::WrongMethod { allow: READ },
            "tcp_warming" if is_end(below) => Self::Warming,
            "responses" | "messages" => Self::NotOffered,
            first if UNSUPPORTED.contains(&first) => Self::Unsupported,
            _ => Self::Unknown,
        }
    }

    fn posted(method: &Method, route: Self) -> Self {
        match *method {
            Method::POST => route,
            _ => Self::WrongMethod { allow: "POST" },
        }
    }

    fn models(catalog: Catalog, method: &Method, id: &'a str) -> Self {
        if !reads(method) {
            return Self::WrongMethod { allow: READ };
        }
        match id.trim_matches('/') {
            "" => Self::Models(catalog, None),
            id => match percent_decode_str(id).decode_utf8() {
                Ok(id) if is_model(&id) => Self::Models(catalog, Some(id)),
                _ => Self::BadId,
            },
        }
    }

    /// The label under which the request is counted.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Chat => Endpoint::Chat,
            Self::Completions => Endpoint::Completions,
            Self::Action => Endpoint::Action,
            Self::Messages => Endpoint::Messages,
            Self::CountTokens => Endpoint::CountTokens,
            Self::Responses => Endpoint::Responses,
            Self::Models(..) => Endpoint::Models,
            Self::Warming => Endpoint::Warming,
            _ => Endpoint::Other,
        }
    }
}

/// What else OpenAI and Anthropic have below `v1`.
const UNSUPPORTED: [&str; 19] = [
    "assistants",
    "audio",
    "batches",
    "containers",
    "conversations",
    "edits",
    "embeddings",
    "evals",
    "files",
    "fine-tunes",
    "fine_tuning",
    "images",
    "moderations",
    "realtime",
    "skills",
    "threads",
    "uploads",
    "vector_stores",
    "videos",
];

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether whoever asks for this path reads Anthropic's shapes, in errors too.
pub(super) fn speaks_anthropic(path: &str) -> bool {
    segment(path).0 == "anthropic"
}

/// The first segment that isn't empty, and what follows it.
fn segment(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    path.split_once('/').unwrap_or((path, ""))
}

fn is(path: &str, last: &str) -> bool {
    let (first, rest) = segment(path);
    first == last && is_end(rest)
}

/// The longest id of a model, in bytes.
const LONGEST_ID: usize = 256;

/// Whether a decoded id can be a model's. It becomes part of a path at the upstream, before which other servers may stand: none of them
/// may find a step up in it, however often it decodes the path, or what it would drop.
fn is_model(id: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '%');
    id.len() <= LONGEST_ID
        && !id.contains(odd)
        && id.split('/').all(|step| !matches!(step, "." | ".."))
}

fn is_end(path: &str) -> bool {
    path.bytes().all(|byte| byte == b'/')
}

const NOT_FOUND: &str = "not_found_error";
const INVALID: &str = "invalid_request_error";

/// What there is, for those who asked for something else.
const OFFERED: &str = "POST /v1/chat/completions, POST /v1/completions, POST /v1/responses, POST /v1/actions/text-completion, GET /v1/models, \
                       GET /v1/models/{id} and GET /v1/tcp_warming, each below /openai as well, POST /anthropic/v1/messages, \
                       POST /anthropic/v1/messages/count_tokens, GET /anthropic/v1/models and GET /public/v1/models";

/// A 404 that names the routes that exist.
pub(super) fn unknown(path: &str) -> ApiError {
    let path = shortened(path);
    let message = format!("There is no {path} here. This gateway answers {OFFERED}.");
    ApiError::new(StatusCode::NOT_FOUND, NOT_FOUND, "unknown_route", message).param("path")
}

/// A 404 for a part of the API that isn't here yet.
pub(super) fn not_offered(path: &str) -> ApiError {
    let message = format!(
        "{} is not offered in this release. Completions are, at POST /v1/chat/completions and POST /v1/completions, responses at POST \
         /v1/responses, none of which is kept, and Anthropic's messages at POST /anthropic/v1/messages.",
        shortened(path)
    );
    ApiError::new(StatusCode::NOT_FOUND, NOT_FOUND, "not_offered", message).param("path")
}

/// A 400 for what the models behind the gateway can't do. It isn't a 404, which would send people looking for a wrong address.
pub(super) fn unsupported(path: &str) -> ApiError {
    let path = shortened(path);
    let message = format!(
        "{path} is not supported: Cerebras, for which this gateway stands, has nothing like it. Supported are {OFFERED}."
    );
    let status = StatusCode::BAD_REQUEST;
    ApiError::new(status, INVALID, "unsupported_operation", message).param("path")
}

/// A 404 for a model's id that no model can have.
pub(super) fn bad_id() -> ApiError {
    let message = "The model's id in the path is none that a model can have: up to 256 bytes of UTF-8 text, without control \
                   characters, `\\`, `%` and the steps `.` and `..`.";
    ApiError::new(StatusCode::NOT_FOUND, NOT_FOUND, "model_not_found", message).param("model")
}

/// A 405. The caller adds the header `allow`.
pub(super) fn wrong_method(method: &Method, path: &str, allow: &str) -> ApiError {
    let (method, path) = (shortened(method.as_str()), shortened(path));
    let message = format!("{method} is not for {path}; it takes {allow}.");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    ApiError::new(status, INVALID, "method_not_allowed", message).param("method")
}

/// What a client sent, short enough to be sent back. Both are ASCII where they are long.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(100) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Route<'_> {
        Route::find(&Method::GET, path)
    }

    fn model(id: &str) -> Route<'_> {
        Route::Models(Catalog::Plain, Some(Cow::Borrowed(id)))
    }

    #[test]
    fn a_doubled_v1_and_stray_slashes_do_no_harm() {
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions/",
            "/v1//chat/completions",
            "/v1/v1/chat/completions",
            "//v1/v1//chat//completions//",
            "/openai/v1/chat/completions",
            "/openai/v1//chat/completions/",
            "//openai//v1/v1/chat/completions",
        ] {
            assert_eq!(Route::find(&Method::POST, path), Route::Chat, "{path}");
        }
        for path in [
            "/v1/models",
            "/v1/models/",
            "/v1/v1/models",
            "/v1/v1/models//",
            "/openai/v1/models",
            "/openai/v1/v1/models/",
        ] {
            assert_eq!(get(path), Route::Models(Catalog::Plain, None), "{path}");
        }
        for path in [
            "/v1/tcp_warming",
            "/v1/v1/tcp_warming",
            "/v1/tcp_warming/",
            "/openai/v1/v1/tcp_warming",
        ] {
            assert_eq!(get(path), Route::Warming, "{path}");
        }
    }

    #[test]
    fn a_models_id_may_hold_slashes_and_escapes() {
        assert_eq!(get("/v1/models/gpt-oss-120b"), model("gpt-oss-120b"));
        assert_eq!(get("/v1/models/org/model/"), model("org/model"));
        assert_eq!(get("/v1/models/org%2Fmodel"), model("org/model"));
        assert_eq!(get("/v1/v1/models/a%20b"), model("a b"));
        assert_eq!(get("/v1/models/v1"), model("v1"));
    }

    #[test]
    fn models_are_shown_in_three_forms() {
        for (path, catalog) in [
            ("/public/v1/models", Catalog::Public),
            ("/anthropic/v1/models", Catalog::Anthropic),
            ("/anthropic/v1/v1/models/", Catalog::Anthropic),
        ] {
            assert_eq!(get(path), Route::Models(catalog, None), "{path}");
            let one = format!("{path}/org%2Fm");
            let id = Some(Cow::Borrowed("org/m"));
            assert_eq!(get(&one), Route::Models(catalog, id), "{path}");
            assert_eq!(get(&format!("{path}/..")), Route::BadId);
            let post = Route::find(&Method::POST, path);
            assert_eq!(post, Route::WrongMethod { allow: READ });
            let anthropic = catalog == Catalog::Anthropic;
            assert_eq!(speaks_anthropic(path), anthropic, "{path}");
        }
        assert_eq!(get("/v1/models/cerebras/m"), model("cerebras/m"));
        assert!(speaks_anthropic("//anthropic/nothing"));
        assert!(!speaks_anthropic("/v1/anthropic"));
    }

    #[test]
    fn a_models_id_leads_nowhere_else() {
        for id in [
            "%FF",
            "..",
            ".",
            ".%09.",
            "%2e%2e",
            "..%2Ffiles",
            "a/../b",
            "a%2F..%2Fb",
            "..%5Cfiles",
            "%252e%252e",
            "a%00",
            "a%0D%0Ab",
            "%C2%85",
        ] {
            assert_eq!(get(&format!("/v1/models/{id}")), Route::BadId, "{id}");
        }
        let long = "a".repeat(LONGEST_ID);
        assert_eq!(get(&format!("/v1/models/{long}")), model(&long));
        assert_eq!(get(&format!("/v1/models/{long}a")), Route::BadId);
        assert_eq!(get("/v1/models/a..b/.c"), model("a..b/.c"));
    }

    #[test]
    fn a_wrong_method_says_the_right_one() {
        let post = Route::WrongMethod { allow: "POST" };
        let read = Route::WrongMethod { allow: READ };
        assert_eq!(get("/v1/chat/completions"), post);
        assert_eq!(Route::find(&Method::HEAD, "/v1/chat/completions"), post);
        assert_eq!(get("/v1/completions"), post);
        let text = Route::find(&Method::POST, "/v1/completions/");
        assert_eq!(text, Route::Completions);
        for path in ["/v1/responses", "/openai/v1/responses/"] {
            assert_eq!(Route::find(&Method::POST, path), Route::Responses, "{path}");
            assert_eq!(get(path), Route::WrongMethod { allow: "POST" });
        }
        for path in ["/v1/models", "/v1/models/x", "/v1/tcp_warming"] {
            assert_eq!(Route::find(&Method::POST, path), read, "{path}");
            assert_ne!(Route::find(&Method::HEAD, path), read, "{path}");
        }
    }

    #[test]
    fn messages_are_below_the_address_that_anthropics_clients_are_given() {
        for (path, route) in [
            ("/anthropic/v1/messages", Route::Messages),
            ("/anthropic/v1/v1/messages/", Route::Messages),
            ("/anthropic/v1/messages/count_tokens", Route::CountTokens),
        ] {
            assert_eq!(Route::find(&Method::POST, path), route, "{path}");
            assert_eq!(get(path), Route::WrongMethod { allow: "POST" }, "{path}");
            assert!(speaks_anthropic(path));
        }
        for path in ["/anthropic/messages", "/anthropic/v1/messages/msg_1"] {
            assert_eq!(Route::find(&Method::POST, path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn what_is_not_here_is_told_from_what_never_was() {
        for path in [
            "/v1/responses/resp_1",
            "/v1/responses/resp_1/cancel",
            "/openai/v1/responses/resp_1",
            "/v1/messages",
        ] {
            let post = Route::find(&Method::POST, path);
            assert_eq!(post, Route::NotOffered, "{path}");
            assert_eq!(get(path), Route::NotOffered, "{path}");
        }
        for path in [
            "/v1/embeddings",
            "/v1/v1/embeddings/",
            "/openai/v1/embeddings",
            "/v1/images/generations",
            "/v1/audio/transcriptions",
            "/v1/files/file-1/content",
            "/v1/uploads",
            "/v1/batches/b/cancel",
            "/v1/moderations",
            "/v1/fine_tuning/jobs",
            "/v1/assistants",
            "/v1/threads/t/runs",
            "/v1/vector_stores",
            "/v1/realtime",
            "/anthropic/v1/files",
            "/anthropic/v1/messages/batches",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let found = Route::find(&method, path);
                assert_eq!(found, Route::Unsupported, "{path}");
            }
        }
        for path in [
            "/",
            "",
            "*",
            "/v1",
            "/v2/models",
            "/chat/completions",
            "/v1/chat",
            "/v1/chat/completions/more",
            "/v1/tcp_warming/more",
            "/v1/modelsx",
            "/v1/v1/v1/models",
            "/V1/models",
            "/openai",
            "/openai/models",
            "/openai/openai/v1/models",
            "/openai/anthropic/v1/models",
            "/openai/public/v1/models",
            "/anthropic/v1/chat/completions",
            "/anthropic/models",
            "/public/v1/chat/completions",
            "/public/v1/embeddings",
            "/v1/embeddingsx",
        ] {
            assert_eq!(get(path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn a_long_path_is_not_sent_back_whole() {
        let error = unknown(&"/é".repeat(5000));
        assert!(error.message.len() < 500, "{}", error.message.len());
    }
}
