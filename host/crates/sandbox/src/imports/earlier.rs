//! What every component of the contract 0.1.0 may import: each call is the present one's.

use wasmtime::component::{HasSelf, Linker};

use super::super::bindings::wit as now;
use super::super::earlier::wit;
use super::super::earlier::wit::types as then;
use super::super::guest::Guest;

/// Links all of it. Grants come on top.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wit::types::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    wit::request::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    wit::outcome::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    wit::host::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    Ok(())
}

impl wit::types::Host for Guest {}

/// A value as the component of then knows it.
fn known<T, U: From<T>>(result: wasmtime::Result<T>) -> wasmtime::Result<U> {
    result.map(Into::into)
}

/// The same of a list.
fn all<T, U: From<T>>(result: wasmtime::Result<Vec<T>>) -> wasmtime::Result<Vec<U>> {
    result.map(|all| all.into_iter().map(Into::into).collect())
}

impl wit::request::Host for Guest {
    fn id(&mut self) -> wasmtime::Result<String> {
        now::request::Host::id(self)
    }

    fn endpoint(&mut self) -> wasmtime::Result<String> {
        now::request::Host::endpoint(self)
    }

    fn model(&mut self) -> wasmtime::Result<String> {
        now::request::Host::model(self)
    }

    fn principal(&mut self) -> wasmtime::Result<Option<String>> {
        now::request::Host::principal(self)
    }

    fn team(&mut self) -> wasmtime::Result<Option<String>> {
        now::request::Host::team(self)
    }

    fn roles(&mut self) -> wasmtime::Result<Vec<String>> {
        now::request::Host::roles(self)
    }

    fn received_at(&mut self) -> wasmtime::Result<u64> {
        now::request::Host::received_at(self)
    }

    fn header(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        now::request::Host::header(self, name)
    }

    fn messages(&mut self) -> wasmtime::Result<Vec<then::Role>> {
        all(now::request::Host::messages(self))
    }

    fn size(&mut self) -> wasmtime::Result<u64> {
        now::request::Host::size(self)
    }

    fn segments(&mut self, first_message: u32) -> wasmtime::Result<Vec<then::Segment>> {
        all(now::request::Host::segments(self, first_message))
    }

    fn replace_segment(&mut self, index: u32, text: String) -> wasmtime::Result<()> {
        now::request::Host::replace_segment(self, index, text)
    }

    fn texts(&mut self, first: u32) -> wasmtime::Result<Vec<then::Text>> {
        all(now::request::Host::texts(self, first))
    }

    fn replace_text(&mut self, index: u32, text: String) -> wasmtime::Result<Result<(), String>> {
        now::request::Host::replace_text(self, index, text)
    }

    fn insert_message(
        &mut self,
        before: u32,
        role: then::Role,
        text: String,
    ) -> wasmtime::Result<Result<(), String>> {
        now::request::Host::insert_message(self, before, role.into(), text)
    }

    fn tools(&mut self) -> wasmtime::Result<Vec<then::Tool>> {
        all(now::request::Host::tools(self))
    }

    fn get(&mut self, pointer: String) -> wasmtime::Result<Option<String>> {
        now::request::Host::get(self, pointer)
    }

    fn set(
        &mut self,
        pointer: String,
        json: Option<String>,
    ) -> wasmtime::Result<Result<(), String>> {
        now::request::Host::set(self, pointer, json)
    }

    fn targets(&mut self) -> wasmtime::Result<Vec<then::Target>> {
        all(now::request::Host::targets(self))
    }

    fn restrict_targets(&mut self, ids: Vec<String>) -> wasmtime::Result<Result<(), String>> {
        now::request::Host::restrict_targets(self, ids)
    }

    fn cost_of(
        &mut self,
        model: String,
        prompt_tokens: u32,
        completion_tokens: u32,
    ) -> wasmtime::Result<Option<u64>> {
        now::request::Host::cost_of(self, model, prompt_tokens, completion_tokens)
    }

    fn tag(&mut self, key: String, value: String) -> wasmtime::Result<Result<(), String>> {
        now::request::Host::tag(self, key, value)
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        now::request::Host::tags(self)
    }

    fn answer_header(
        &mut self,
        name: String,
        value: String,
    ) -> wasmtime::Result<Result<(), String>> {
        now::request::Host::answer_header(self, name, value)
    }
}

impl wit::outcome::Host for Guest {
    fn ended(&mut self) -> wasmtime::Result<then::Ending> {
        known(now::outcome::Host::ended(self))
    }

    fn model(&mut self) -> wasmtime::Result<Option<String>> {
        now::outcome::Host::model(self)
    }

    fn target(&mut self) -> wasmtime::Result<Option<String>> {
        now::outcome::Host::target(self)
    }

    fn status(&mut self) -> wasmtime::Result<Option<u16>> {
        now::outcome::Host::status(self)
    }

    fn finish_reasons(&mut self) -> wasmtime::Result<Vec<String>> {
        now::outcome::Host::finish_reasons(self)
    }

    fn tokens(&mut self) -> wasmtime::Result<Option<then::Usage>> {
        now::outcome::Host::tokens(self).map(|it| it.map(Into::into))
    }

    fn cost_micros(&mut self) -> wasmtime::Result<Option<u64>> {
        now::outcome::Host::cost_micros(self)
    }

    fn stages(&mut self) -> wasmtime::Result<Vec<then::Account>> {
        all(now::outcome::Host::stages(self))
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        now::outcome::Host::tags(self)
    }

    fn deltas(&mut self) -> wasmtime::Result<u64> {
        now::outcome::Host::deltas(self)
    }

    fn sent_bytes(&mut self) -> wasmtime::Result<u64> {
        now::outcome::Host::sent_bytes(self)
    }

    fn first_delta_us(&mut self) -> wasmtime::Result<Option<u64>> {
        now::outcome::Host::first_delta_us(self)
    }

    fn total_us(&mut self) -> wasmtime::Result<u64> {
        now::outcome::Host::total_us(self)
    }
}

impl wit::host::Host for Guest {
    fn log(&mut self, level: then::Level, message: String) -> wasmtime::Result<()> {
        now::host::Host::log(self, level.into(), message)
    }

    fn report(&mut self, finding: then::Finding) -> wasmtime::Result<()> {
        now::host::Host::report(self, finding.into())
    }

    fn count(&mut self, name: String, n: u64) -> wasmtime::Result<()> {
        now::host::Host::count(self, name, n)
    }
}
