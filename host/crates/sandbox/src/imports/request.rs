//! The interface `request`: reading it at any time of an exchange, changing it in `on-request`.

use super::super::answer_header;
use super::super::bindings::wit;
use super::super::exchange_state::HookPhase;
use super::super::failure::{BadOutput, Misused};
use super::super::guest::Guest;
use super::super::limits::{ANSWER_HEADERS, CHOICES, TAGS};
use super::super::request::NotReplaced;
use super::super::text::is_name;
use super::super::types::{Role, Segment, Target, Text, Tool};

impl wit::request::Host for Guest {
    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.exchange.request()?.id().into())
    }

    fn endpoint(&mut self) -> wasmtime::Result<String> {
        Ok(self.exchange.request()?.endpoint().into())
    }

    fn model(&mut self) -> wasmtime::Result<String> {
        Ok(self.exchange.request()?.model().into())
    }

    fn principal(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.exchange.request()?.principal().map(Into::into))
    }

    fn team(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.exchange.request()?.team().map(Into::into))
    }

    fn roles(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.exchange.request()?.roles().to_vec())
    }

    fn received_at(&mut self) -> wasmtime::Result<u64> {
        Ok(self.exchange.request()?.received_at())
    }

    fn header(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.exchange.request()?.header(&name.to_ascii_lowercase()))
    }

    fn messages(&mut self) -> wasmtime::Result<Vec<Role>> {
        Ok(self.exchange.request()?.messages())
    }

    fn size(&mut self) -> wasmtime::Result<u64> {
        Ok(self.exchange.request()?.size())
    }

    fn segments(&mut self, first_message: u32) -> wasmtime::Result<Vec<Segment>> {
        Ok(self.exchange.request()?.segments(first_message))
    }

    fn replace_segment(&mut self, index: u32, text: String) -> wasmtime::Result<()> {
        let draft = self.exchange.replacing(text.len())?;
        draft
            .replace_segment(index, text)
            .map_err(|why| Misused(why).into())
    }

    fn texts(&mut self, first: u32) -> wasmtime::Result<Vec<Text>> {
        Ok(self.exchange.request()?.texts(first))
    }

    fn replace_text(&mut self, index: u32, text: String) -> wasmtime::Result<Result<(), String>> {
        let draft = self.exchange.replacing(text.len())?;
        match draft.replace_text(index, text) {
            Ok(()) => Ok(Ok(())),
            Err(NotReplaced::Refused(why)) => Ok(Err(why)),
            Err(NotReplaced::OutOfRange(why)) => Err(Misused(why).into()),
        }
    }

    fn tool_of(&mut self, message: u32) -> wasmtime::Result<Option<String>> {
        self.exchange.tool_of(message)
    }

    fn insert_message(
        &mut self,
        before: u32,
        role: Role,
        text: String,
    ) -> wasmtime::Result<Result<(), String>> {
        let draft = self.exchange.draft(text.len())?;
        Ok(draft.insert_message(before, role, text))
    }

    fn tools(&mut self) -> wasmtime::Result<Vec<Tool>> {
        Ok(self.exchange.request()?.tools())
    }

    fn get(&mut self, pointer: String) -> wasmtime::Result<Option<String>> {
        Ok(self.exchange.request()?.get(&pointer))
    }

    fn set(
        &mut self,
        pointer: String,
        json: Option<String>,
    ) -> wasmtime::Result<Result<(), String>> {
        let bytes = pointer.len() + json.as_ref().map_or(0, String::len);
        let draft = self.exchange.draft(bytes)?;
        Ok(draft.set(&pointer, json.as_deref()))
    }

    fn targets(&mut self) -> wasmtime::Result<Vec<Target>> {
        Ok(self.exchange.request()?.targets())
    }

    fn restrict_targets(&mut self, ids: Vec<String>) -> wasmtime::Result<Result<(), String>> {
        let bytes = ids.iter().map(|id| size_of::<String>() + id.len()).sum();
        let draft = self.exchange.draft(bytes)?;
        Ok(draft.restrict_targets(&ids))
    }

    fn cost_of(
        &mut self,
        model: String,
        prompt_tokens: u32,
        completion_tokens: u32,
    ) -> wasmtime::Result<Option<u64>> {
        let request = self.exchange.request()?;
        Ok(request.cost_of(&model, prompt_tokens, completion_tokens))
    }

    fn tag(&mut self, key: String, value: String) -> wasmtime::Result<Result<(), String>> {
        self.exchange.request()?;
        if !is_name(&key) || !is_name(&value) {
            let what = "a tag's key and value must match [a-z0-9][a-z0-9._-]{0,63}";
            return Err(BadOutput(what.into()).into());
        }
        let tags = &mut self.exchange.tags;
        if tags.len() >= TAGS {
            return Ok(Err(format!(
                "an exchange takes no more than {TAGS} tags of one stage"
            )));
        }
        tags.push((key, value));
        Ok(Ok(()))
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.exchange.request()?;
        Ok(self.exchange.earlier_tags.clone())
    }

    fn answer_header(
        &mut self,
        name: String,
        value: String,
    ) -> wasmtime::Result<Result<(), String>> {
        if self.exchange.phase != HookPhase::Request {
            return Err(Misused("put a header on the answer outside of on-request".into()).into());
        }
        let name = match answer_header::checked(&name, &value) {
            Ok(name) => name,
            Err(why) => return Ok(Err(why)),
        };
        let headers = &mut self.exchange.answer_headers;
        if let Some((_, known)) = headers.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if headers.len() < ANSWER_HEADERS {
            headers.push((name, value));
        } else {
            return Ok(Err(format!(
                "an answer takes no more than {ANSWER_HEADERS} headers of one stage"
            )));
        }
        Ok(Ok(()))
    }

    fn respond_finish(
        &mut self,
        choice: u32,
        reason: String,
    ) -> wasmtime::Result<Result<(), String>> {
        if self.exchange.phase != HookPhase::Request {
            let what = "said why a response ends outside of on-request";
            return Err(Misused(what.into()).into());
        }
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        if !(1..=32).contains(&reason.len()) || !reason.chars().all(word) {
            return Ok(Err("a finish has 1 to 32 of a-z and `_`".into()));
        }
        if choice >= CHOICES {
            return Ok(Err(format!("a response has choices 0 to {}", CHOICES - 1)));
        }
        let finishes = &mut self.exchange.response_finishes;
        finishes.retain(|(of, _)| *of != choice);
        finishes.push((choice, reason));
        Ok(Ok(()))
    }
}
