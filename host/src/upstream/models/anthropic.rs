//! Models in the shape of Anthropic's API, and its pages: `limit`, `after_id` and `before_id`.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::form_urlencoded;

use super::entries::Entry;
use crate::api::ApiError;

/// How many models a page has, and how many it may have.
const USUAL: usize = 20;
const MOST: usize = 1000;

/// Which part of the list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
}

impl Page {
    /// Reads what stood behind the question mark. Whatever else stands there is Anthropic's, and means nothing here.
    pub(super) fn read(query: Option<&str>) -> Result<Page, ApiError> {
        let mut page = Page {
            limit: USUAL,
            after: None,
            before: None,
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "limit" => {
                    let limit = value.parse().ok().filter(|it| (1..=MOST).contains(it));
                    let said = || invalid("limit", format!("`limit` is a number from 1 to {MOST}"));
                    page.limit = limit.ok_or_else(said)?;
                }
                "after_id" => page.after = Some(value.into_owned()),
                "before_id" => page.before = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The page of this list.
    pub(super) fn of(&self, entries: &[Entry]) -> Result<Bytes, ApiError> {
        let place = |name, id: &str| {
            let found = entries.iter().position(|entry| entry.id == id);
            found.ok_or_else(|| invalid(name, format!("`{name}` is the id of no model here")))
        };
        let start = match &self.after {
            Some(id) => place("after_id", id)? + 1,
            None => 0,
        };
        let end = match &self.before {
            Some(id) => place("before_id", id)?,
            None => entries.len(),
        };
        let part = entries.get(start..end).unwrap_or_default();
        // A page before a model is the one that ends there.
        let backward = self.before.is_some() && self.after.is_none();
        let cut = part.len().saturating_sub(self.limit);
        let shown = if backward {
            &part[cut..]
        } else {
            &part[..part.len() - cut]
        };
        let id = |entry: Option<&Entry>| entry.map(|entry| entry.id.clone());
        let list = json!({
            "data": shown.iter().map(shape).collect::<Vec<_>>(),
            "has_more": cut > 0,
            "first_id": id(shown.first()),
            "last_id": id(shown.last()),
        });
        Ok(list.to_string().into())
    }
}

/// One model.
pub(super) fn one(entry: &Entry) -> Bytes {
    shape(entry).to_string().into()
}

fn shape(entry: &Entry) -> Value {
    let members = entry.members();
    let name = ["display_name", "name"]
        .into_iter()
        .find_map(|name| members.get(name)?.as_str());
    // Where nobody says when, it is 0: Anthropic's word for that is the beginning of 1970, too.
    let created = members.get("created").and_then(Value::as_i64);
    let created = OffsetDateTime::from_unix_timestamp(created.unwrap_or_default());
    let created = created.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    json!({
        "type": "model",
        "id": entry.id,
        "display_name": name.unwrap_or(&entry.id),
        "created_at": created.format(&Rfc3339).unwrap_or_default(),
    })
}

fn invalid(param: &'static str, message: String) -> ApiError {
    let (status, kind) = (StatusCode::BAD_REQUEST, "invalid_request_error");
    ApiError::new(status, kind, "invalid_parameter", message).param(param)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn page(query: &str) -> Result<Value, ApiError> {
        let entry = |id| Entry::bare(id, "x");
        let entries: Vec<Entry> = ["a", "b", "c", "d"].map(entry).into();
        let page = Page::read(Some(query))?.of(&entries)?;
        Ok(serde_json::from_slice(&page).unwrap())
    }

    #[test]
    fn a_model_has_a_name_and_a_date() {
        let said = br#"{"id":"m","created":1750000000,"name":"Model M","owned_by":"x"}"#;
        let shown = shape(&Entry::read(said).unwrap());
        let expected = json!({"type": "model", "id": "m", "display_name": "Model M", "created_at": "2025-06-15T15:06:40Z"});
        assert_eq!(shown, expected);
        let shown = shape(&Entry::read(br#"{"id":"m","created":1e300}"#).unwrap());
        let expected = json!({"type": "model", "id": "m", "display_name": "m", "created_at": "1970-01-01T00:00:00Z"});
        assert_eq!(shown, expected);
    }

    #[test]
    fn pages_follow_each_other_in_both_directions() {
        for (query, ids, more) in [
            ("", "abcd", false),
            ("limit=2", "ab", true),
            ("limit=2&after_id=b", "cd", false),
            ("after_id=d", "", false),
            ("before_id=d&limit=2", "bc", true),
            ("before_id=b", "a", false),
            ("after_id=a&before_id=d&limit=1", "b", true),
            ("after_id=d&before_id=a", "", false),
            ("beta=true&limit=1000", "abcd", false),
        ] {
            let page = page(query).unwrap();
            let shown: String = page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["id"].as_str().unwrap())
                .collect();
            assert_eq!((&*shown, &page["has_more"]), (ids, &json!(more)), "{query}");
            let (first, last) = (ids.get(..1), ids.len().checked_sub(1).map(|at| &ids[at..]));
            assert_eq!(
                (&page["first_id"], &page["last_id"]),
                (&json!(first), &json!(last))
            );
        }
        for query in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "after_id=e",
            "before_id=",
        ] {
            let error = page(query).unwrap_err();
            assert_eq!(error.status, StatusCode::BAD_REQUEST, "{query}");
        }
    }
}
