//! The request of this exchange, as the stages before made it.
//!
//! Read what you need: nothing else is copied. It can be read in every hook and changed in
//! [`on_request`](crate::Policy::on_request) alone. Changes take effect when that returns `Proceed`; until then reads
//! and indices are those of the start of the call. Elsewhere the host refuses: a fault of the stage.

use serde::{Serialize, de::DeserializeOwned};

use crate::imports::request as host_side;
use crate::{Role, Segment, Target, Text, Tool};

/// The exchange's id: unique and not guessable.
pub fn id() -> String {
    host_side::id()
}

/// The endpoint's dialect: `chat`, `completions`, `responses` or `messages`.
pub fn endpoint() -> String {
    host_side::endpoint()
}

/// The model asked for.
pub fn model() -> String {
    host_side::model()
}

/// The id of the client whose key or token came with the request, where clients are configured.
pub fn principal() -> Option<String> {
    host_side::principal()
}

/// The team that the client belongs to, where the configuration or its token names one.
pub fn team() -> Option<String> {
    host_side::team()
}

/// The client's roles; none where nobody gave it any.
pub fn roles() -> Vec<String> {
    host_side::roles()
}

/// When the request came, in milliseconds since 1970.
pub fn received_at() -> u64 {
    host_side::received_at()
}

/// A request header, if the configuration shows it to policies (`policies.headers`). Never a credential.
pub fn header(name: &str) -> Option<String> {
    host_side::header(name)
}

/// The role of each message, in order.
pub fn messages() -> Vec<Role> {
    host_side::messages()
}

/// Bytes of text in all segments. Cheap: nothing is copied.
pub fn size() -> u64 {
    host_side::size()
}

/// Every segment, in document order.
pub fn segments() -> Vec<Segment> {
    host_side::segments(0)
}

/// The segments of the messages from this one on; 0 for all.
pub fn segments_from(first_message: u32) -> Vec<Segment> {
    host_side::segments(first_message)
}

/// Puts another text in a segment's place. The index counts from the first segment of the first message; out of range
/// is a fault.
pub fn replace_segment(index: u32, text: &str) {
    host_side::replace_segment(index, text);
}

/// Every string of the request that an upstream may show the model, each once, in the order of the body: the segments and all that isn't
/// one, such as what a tool is said to be, a schema's property names, a stop word, or what stands in members that nobody knows.
///
/// Not among them: the model's name, words of the protocol itself, and the data of images, sounds and files.
pub fn texts() -> Vec<Text> {
    let mut all = texts_from(0);
    loop {
        let more = texts_from(all.len() as u32);
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Those of [`texts`] from this index on, as many as the host hands over at a time; none where there are no more. For who only looks at each, and
/// needn't have all of them at once.
pub fn texts_from(first: u32) -> Vec<Text> {
    host_side::texts(first)
}

/// Puts a string in the place of one of [`texts`], by its index among them; out of range is a fault. It works beside
/// [`replace_segment`]: of two changes of one string the later counts. A key that was replaced keeps its old name for the pointers of this
/// call.
///
/// # Errors
///
/// A sentence when it can't be: another member has that key, or the value would be no valid one in its place.
pub fn replace_text(index: u32, text: &str) -> Result<(), String> {
    host_side::replace_text(index, text)
}

/// The name of the tool whose result that message is. `None` where it is no result, or no call before it has its id.
pub fn tool_of(message: u32) -> Option<String> {
    host_side::tool_of(message)
}

/// Puts a message of its own before that one; at the end when there is none such.
///
/// # Errors
///
/// A sentence when the endpoint takes no such message. A tool's message needs the id of a call: put that in with [`set`].
pub fn insert_message(before: u32, role: Role, text: &str) -> Result<(), String> {
    host_side::insert_message(before, role, text)
}

/// The tools that the model may call.
pub fn tools() -> Vec<Tool> {
    host_side::tools()
}

/// JSON text at a JSON pointer into the chat-shaped body; `""` is all of it. [`read`] makes a value of it.
pub fn get(pointer: &str) -> Option<String> {
    host_side::get(pointer)
}

/// The value at a JSON pointer into the chat-shaped body. `None` where there is nothing.
///
/// ```
/// use witgate_policy::request;
///
/// fn is_hot() -> Result<bool, String> {
///     Ok(request::read::<f64>("/temperature")?.is_some_and(|it| it > 1.0))
/// }
/// ```
///
/// # Errors
///
/// A sentence where something else stands there. [`serde_json::Value`] takes anything.
pub fn read<T: DeserializeOwned>(pointer: &str) -> Result<Option<T>, String> {
    let json = get(pointer);
    let value = json.map(|json| serde_json::from_str(&json));
    value
        .transpose()
        .map_err(|error| format!("`{pointer}` of the request: {error}"))
}

/// Puts a value at a JSON pointer; where it is an array's end, `/messages/-`, behind the last.
///
/// # Errors
///
/// As [`set`]'s.
pub fn write<T: Serialize + ?Sized>(pointer: &str, value: &T) -> Result<(), String> {
    let json = serde_json::to_string(value);
    let json = json.map_err(|error| format!("`{pointer}` of the request: {error}"))?;
    set(pointer, Some(&json))
}

/// Removes what is at a JSON pointer.
///
/// # Errors
///
/// As [`set`]'s.
pub fn remove(pointer: &str) -> Result<(), String> {
    set(pointer, None)
}

/// Puts JSON text at a JSON pointer; `None` removes what is there. [`write`](write()) and [`remove`] take values.
///
/// # Errors
///
/// A sentence when the place doesn't exist, the text isn't JSON, the place is `stream` or `n`, or what is left would be no valid
/// request.
pub fn set(pointer: &str, json: Option<&str>) -> Result<(), String> {
    host_side::set(pointer, json)
}

/// The targets still allowed, in the order of trial, each with what is declared of its handling of data. What isn't declared isn't
/// promised: `None` is no `Some(false)`.
pub fn targets() -> Vec<Target> {
    host_side::targets()
}

/// Allows these targets alone, in this order. Of several restrictions in one call the last counts.
///
/// # Errors
///
/// A sentence when none of them is left; nothing changes then.
pub fn restrict_targets<I>(ids: impl IntoIterator<Item = I>) -> Result<(), String>
where
    I: AsRef<str>,
{
    let ids: Vec<String> = ids.into_iter().map(|id| id.as_ref().to_owned()).collect();
    host_side::restrict_targets(&ids)
}

/// Puts a header on what the client gets, whatever that is: an answer, a denial, an error. In [`on_request`](crate::Policy::on_request) alone.
/// It stands in the place of the upstream's of that name; of two with one name the later counts. Only a hook that fails takes its own back.
///
/// # Errors
///
/// A sentence when the name isn't one of those that a policy may use (`x-ratelimit-*`, `anthropic-ratelimit-*`, `x-policy-*`, `ratelimit`,
/// `ratelimit-policy`), when the value is no line of up to 256 visible ASCII characters, or when there are more than 16.
pub fn answer_header(name: &str, value: &str) -> Result<(), String> {
    host_side::answer_header(name, value)
}

/// Why a choice of the response ends that this call of [`on_request`](crate::Policy::on_request) returns: `length`, say. Without it that is `stop`, or
/// `tool_calls` where there is such a call.
///
/// # Errors
///
/// A sentence when the reason isn't 1 to 32 of `a-z` and `_`, or the choice is past 127.
pub fn respond_finish(choice: u32, reason: &str) -> Result<(), String> {
    host_side::respond_finish(choice, reason)
}

/// What so many tokens of request and answer cost at a model, by the name under which a target is asked for it ([`targets`]), in millionths
/// of the currency that the gateway's configuration prices tokens in. `None` where they have no price; in samples nothing has. What is
/// cached costs less than is said here, and [`outcome::cost_micros`](crate::outcome::cost_micros) says at the end what it was.
pub fn cost_of(model: &str, prompt_tokens: u32, completion_tokens: u32) -> Option<u64> {
    host_side::cost_of(model, prompt_tokens, completion_tokens)
}

/// Puts a tag on the exchange, for the journal and, before the answer starts, the client's `x-witgate-tags`. In any hook, and
/// whatever the verdict is. A key that is tagged again stands there twice.
///
/// Key and value match `[a-z0-9][a-z0-9._-]{0,63}`; anything else is a fault.
///
/// # Errors
///
/// A sentence when there are too many.
pub fn tag(key: &str, value: &str) -> Result<(), String> {
    host_side::tag(key, value)
}

/// What the stages before this one had marked the exchange with when [`on_request`](crate::Policy::on_request) began, in order.
pub fn tags() -> Vec<(String, String)> {
    host_side::tags()
}
