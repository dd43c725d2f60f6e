//! Kinds of requests, and what tells them.

use regex_lite::Regex;
use witgate_policy::request;

use crate::needs::Needs;

/// A kind of requests: any of its signs tells it.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    /// In lower case.
    pub(crate) keywords: Vec<String>,
    pub(crate) patterns: Vec<Regex>,
    /// A header's name, and the values that tell it; any, where there are none.
    pub(crate) headers: Vec<(String, Vec<String>)>,
    /// A tag of a stage before, and the values that tell it; any, where there are none.
    pub(crate) tags: Vec<(String, Vec<String>)>,
    /// Teams whose requests are of this kind.
    pub(crate) teams: Vec<String>,
    pub(crate) needs: Needs,
}

impl Class {
    pub(crate) fn reads_texts(&self) -> bool {
        !(self.keywords.is_empty() && self.patterns.is_empty())
    }

    pub(crate) fn is_of(&self, texts: &[String]) -> bool {
        let told = |(name, values): &(String, Vec<String>)| {
            request::header(name).is_some_and(|header| {
                let mut told = header.split(',').map(str::trim);
                values.is_empty()
                    || told.any(|one| values.iter().any(|value| value.eq_ignore_ascii_case(one)))
            })
        };
        if self.headers.iter().any(told) {
            return true;
        }
        if !self.tags.is_empty() {
            let tags = request::tags();
            let tagged = |(key, values): &(String, Vec<String>)| {
                let meant = |value: &String| values.is_empty() || values.contains(value);
                tags.iter().any(|(name, value)| name == key && meant(value))
            };
            if self.tags.iter().any(tagged) {
                return true;
            }
        }
        if !self.teams.is_empty() && request::team().is_some_and(|team| self.teams.contains(&team))
        {
            return true;
        }
        texts.iter().any(|text| self.is_in(text))
    }

    fn is_in(&self, text: &str) -> bool {
        if self.patterns.iter().any(|pattern| pattern.is_match(text)) {
            return true;
        }
        if self.keywords.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        let has = |keyword: &String| is_word_of(&text, keyword);
        self.keywords.iter().any(has)
    }
}

/// Whether a text has this in it with no letter and no digit beside it. Both are in lower case.
fn is_word_of(text: &str, keyword: &str) -> bool {
    text.match_indices(keyword).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        let goes_on = |beside: Option<char>| beside.is_some_and(char::is_alphanumeric);
        !goes_on(before) && !goes_on(after)
    })
}
