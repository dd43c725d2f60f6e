//! The tools, and which of them are to be called.

use std::borrow::Cow;

use crate::bridge::place::Place;
use crate::json::{BadRequest, Kind};
use crate::raw::ObjectWriter;

/// The most tools that a choice may name: they are kept aside while the list of tools is read.
const ALLOWED: usize = 1024;

/// Which tools are to be called.
enum Choice<'a> {
    /// A word of the protocol.
    Word(&'a str),
    /// That one, by the literal of its name.
    Function(&'a str),
    /// Some of these; the names in order, each with whether there is such a tool.
    Allowed {
        mode: &'a str,
        names: Vec<(Cow<'a, str>, bool)>,
    },
}

/// Writes the members `tools` and `tool_choice`, where there are tools.
pub(super) fn write(
    tools: Option<Place<'_, '_>>,
    chosen: Option<Place<'_, '_>>,
    writer: &mut ObjectWriter<'_>,
) -> Result<(), BadRequest> {
    let mut choice = chosen.as_ref().map(read_choice).transpose()?;
    let mut count = 0;
    let mut found = false;
    if let Some(tools) = &tools {
        let mut list = None;
        for (at, json) in tools.items()?.enumerate() {
            let tool = tools.item(at, json);
            let name = check(&tool)?;
            match &mut choice {
                Some(Choice::Allowed { names, .. }) => {
                    let named = |(allowed, _): &(Cow<'_, str>, bool)| (**allowed).cmp(&*name);
                    match names.binary_search_by(named) {
                        Ok(at) => names[at].1 = true,
                        Err(_) => continue,
                    }
                }
                Some(Choice::Function(literal)) => {
                    let place = tools.member("name", literal);
                    found |= place.text()? == name;
                }
                _ => {}
            }
            let out = match list.take() {
                Some(out) => out,
                None => writer.key("tools"),
            };
            out.push(if count == 0 { b'[' } else { b',' });
            write_tool(&tool, out)?;
            count += 1;
            list = Some(out);
        }
        if let Some(out) = list {
            out.push(b']');
        }
    }
    let (Some(place), Some(choice)) = (chosen, choice) else {
        return Ok(());
    };
    match choice {
        // Without tools these say what is so anyway, and an upstream refuses them.
        Choice::Word("\"auto\"" | "\"none\"") if count == 0 => {}
        Choice::Word(word) if count > 0 => writer.raw("tool_choice", word),
        Choice::Function(name) if found => {
            let mut outer = ObjectWriter::new(writer.key("tool_choice"));
            outer.text("type", "function");
            let mut inner = ObjectWriter::new(outer.key("function"));
            inner.raw("name", name);
            inner.end();
            outer.end();
        }
        Choice::Function(name) => {
            return Err(place.member("name", name).bad("is no tool of this request"));
        }
        Choice::Allowed { mode, names } if count > 0 => {
            if let Some((name, _)) = names.iter().find(|(_, found)| !found) {
                let name = crate::json::cut_at(name, 64);
                return Err(place.member("tools", "null").bad(format_args!(
                    "names {name:?}, which is no tool of this request"
                )));
            }
            writer.raw("tool_choice", mode);
        }
        _ => return Err(place.bad("asks for a call, and the request has no such tool")),
    }
    Ok(())
}

fn read_choice<'a>(choice: &Place<'a, '_>) -> Result<Choice<'a>, BadRequest> {
    if choice.is(Kind::String) {
        return match choice.json {
            word @ ("\"auto\"" | "\"none\"" | "\"required\"") => Ok(Choice::Word(word)),
            _ => Err(choice.bad("must be \"auto\", \"none\", \"required\" or an object")),
        };
    }
    choice.must_be(Kind::Object)?;
    match choice.needs("type", choice.get("type"))? {
        "\"function\"" => {
            let [name, _] = choice.known(["name", "type"], &[])?;
            Ok(Choice::Function(choice.needs("name", name)?))
        }
        "\"allowed_tools\"" => {
            let [mode, tools, _] = choice.known(["mode", "tools", "type"], &[])?;
            let mode = choice.needs("mode", mode)?;
            if !matches!(mode, "\"auto\"" | "\"required\"") {
                let place = choice.member("mode", mode);
                return Err(place.bad("must be \"auto\" or \"required\""));
            }
            let list = choice.member("tools", tools.ok_or_else(|| choice.lacks("tools"))?);
            let mut names = Vec::new();
            for (at, json) in list.items()?.enumerate() {
                let tool = list.item(at, json);
                tool.must_be(Kind::Object)?;
                if at == ALLOWED {
                    return Err(list.bad(format_args!("may name at most {ALLOWED} tools")));
                }
                names.push((check(&tool)?, false));
            }
            names.sort_unstable();
            names.dedup();
            Ok(Choice::Allowed { mode, names })
        }
        kind => Err(not_a_function(&choice.member("type", kind))),
    }
}

/// The name of a tool, which must be a function.
fn check<'a>(tool: &Place<'a, '_>) -> Result<Cow<'a, str>, BadRequest> {
    tool.must_be(Kind::Object)?;
    let kind = tool.needs("type", tool.get("type"))?;
    if kind != "\"function\"" {
        return Err(not_a_function(&tool.member("type", kind)));
    }
    let name = tool.get("name").ok_or_else(|| tool.lacks("name"))?;
    tool.member("name", name).text()
}

fn not_a_function(kind: &Place<'_, '_>) -> BadRequest {
    let what = kind.quoted();
    kind.bad(format_args!(
        "is {what}, which isn't supported: only tools of the type \"function\" can be called; leave it out"
    ))
}

/// A flat tool, as chat has it.
fn write_tool(tool: &Place<'_, '_>, out: &mut Vec<u8>) -> Result<(), BadRequest> {
    const NAMES: [&str; 5] = ["type", "name", "description", "parameters", "strict"];
    let found = tool.known(NAMES, &[])?;
    let mut outer = ObjectWriter::new(out);
    outer.text("type", "function");
    let mut inner = ObjectWriter::new(outer.key("function"));
    for (name, json) in NAMES.iter().zip(found).skip(1) {
        if let Some(json) = json {
            inner.raw(name, json);
        }
    }
    inner.end();
    outer.end();
    Ok(())
}
