//! A service, asked: what is sent, and what its replies say.

use std::collections::BTreeMap;

use witgate_policy::http;
use witgate_policy::serde_json::{Map, Value, json};

use crate::settings::{Checked, Shape};

/// The most texts of one request, and the most bytes of all of them.
const TEXTS: usize = 32;
const BYTES: usize = 64 << 10;
/// The most bytes of a text that is asked about as one.
const TEXT: usize = 32 << 10;

/// The categories that a text was flagged for, with their scores where they have one. Empty: none.
pub(crate) type Flagged = BTreeMap<String, Option<f64>>;

/// What the service says of each of these texts.
///
/// # Errors
/// A sentence for the log, where it doesn't say all of it. Nothing of the texts is in it.
pub(crate) fn ask<'t>(
    settings: &Checked,
    texts: impl IntoIterator<Item = &'t str>,
) -> Result<Vec<Flagged>, String> {
    let mut all = Vec::new();
    for batch in batches(texts, settings.shape) {
        let wanted = batch.len();
        let body = match settings.shape {
            Shape::OpenAi => json!({"model": settings.said.model, "input": batch}),
            Shape::Webhook => filled(&settings.template, &batch.concat()),
        };
        let mut call = http::post_json(&settings.endpoint, &body);
        call.timeout_ms = settings.said.timeout_ms;
        let reply = http::send(&call)?;
        if !(200..300).contains(&reply.status) {
            return Err(format!("the service replied with status {}", reply.status));
        }
        let said = http::json(&reply);
        match settings.shape {
            Shape::OpenAi => {
                let results = said["results"].as_array().filter(|it| it.len() == wanted);
                let results = results.ok_or("the reply hasn't a result for each text")?;
                for result in results {
                    all.push(openai(settings, result)?);
                }
            }
            Shape::Webhook => all.push(webhook(settings, &said)?),
        }
    }
    Ok(all)
}

/// The texts, as many in one request as may be. A long one is several; a service that takes one at a time gets one.
fn batches<'t>(texts: impl IntoIterator<Item = &'t str>, shape: Shape) -> Vec<Vec<&'t str>> {
    let most = match shape {
        Shape::OpenAi => TEXTS,
        Shape::Webhook => 1,
    };
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for mut text in texts {
        while !text.is_empty() {
            let (one, rest) = text.split_at(text.floor_char_boundary(TEXT));
            text = rest;
            bytes += one.len();
            match batches.last_mut() {
                Some(batch) if batch.len() < most && bytes <= BYTES => batch.push(one),
                _ => {
                    bytes = one.len();
                    batches.push(vec![one]);
                }
            }
        }
    }
    batches
}

/// The template with the text in it.
fn filled(template: &Value, text: &str) -> Value {
    match template {
        Value::String(string) => string.replace("{text}", text).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, text)).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), filled(value, text)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn openai(settings: &Checked, result: &Value) -> Result<Flagged, String> {
    let none = Map::new();
    let words = result["categories"].as_object();
    let words = words.ok_or("a result has no `categories`")?;
    let scores = result["category_scores"].as_object().unwrap_or(&none);
    match categories(settings, words, scores)? {
        (found, None) => Ok(found),
        (_, Some(name)) => Err(format!(
            "the reply doesn't say whether `{name}` is flagged, as true or false"
        )),
    }
}

fn webhook(settings: &Checked, said: &Value) -> Result<Flagged, String> {
    let none = Map::new();
    let flagged = said.pointer(&settings.flagged).and_then(Value::as_bool);
    let Some(scores) = &settings.said.scores else {
        let flagged =
            flagged.ok_or("the reply doesn't say whether the text is flagged, as true or false")?;
        return Ok(flagged
            .then(|| ("flagged".to_owned(), None))
            .into_iter()
            .collect());
    };
    let scores = said.pointer(scores).and_then(Value::as_object);
    let scores = scores.ok_or("the reply has no scores where they should be")?;
    let (mut found, undecided) = categories(settings, &none, scores)?;
    let decided = undecided.is_none() && !scores.is_empty();
    if !decided && flagged.is_none() {
        return Err(
            "the reply doesn't say whether the text is flagged, and not each category has a threshold"
                .into(),
        );
    }
    if found.is_empty() && settings.said.categories.is_empty() && flagged == Some(true) {
        found.insert("flagged".to_owned(), None);
    }
    Ok(found)
}

/// The categories that count and are flagged: by their scores where there is a threshold, else by the service's own word. And one of those
/// of which neither says anything.
fn categories(
    settings: &Checked,
    words: &Map<String, Value>,
    scores: &Map<String, Value>,
) -> Result<(Flagged, Option<String>), String> {
    let said = &settings.said;
    let named = said.categories.iter().chain(said.thresholds.keys());
    // One that the service doesn't know would never be flagged, and nobody would know.
    if let Some(name) = named
        .into_iter()
        .find(|name| !words.contains_key(*name) && !scores.contains_key(*name))
    {
        return Err(format!("the reply says nothing of the category `{name}`"));
    }
    let mut found = Flagged::new();
    let mut undecided = None;
    for name in words
        .keys()
        .chain(scores.keys())
        .filter(|name| said.counts(name))
    {
        let score = scores.get(name).and_then(Value::as_f64);
        let flagged = match said.threshold(name) {
            Some(threshold) => {
                let score = score.ok_or_else(|| format!("the reply has no score for `{name}`"))?;
                score >= threshold
            }
            None => words.get(name).and_then(Value::as_bool).unwrap_or_else(|| {
                undecided = Some(name.clone());
                false
            }),
        };
        if flagged {
            found.insert(name.clone(), score);
        }
    }
    Ok((found, undecided))
}
