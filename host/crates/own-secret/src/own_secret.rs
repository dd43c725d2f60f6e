//! A target's own secret, as it may turn up in what the target says.
//!
//! A proxy that shows its requests, or an error page made by hand, repeats the key that was sent. Whatever a target says becomes a
//! client's error or a line of the log only through here: its errors (`ErrorBody`), its failures, the headers that
//! are passed on. So does what a policy is told of a service that it asked. Answers are the model's words and are left alone.

use super::lean_json;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use memchr::memmem::Finder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What stands where the secret stood.
const STRUCK: &str = "[key]";

/// A secret that is shorter would be found in words that have nothing to do with it.
const SHORTEST: usize = 4;
/// The same for its base64, of which the ends are cut off.
const SHORTEST_ENCODED: usize = 8;

/// What needn't be encoded in a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The forms in which the secret may be repeated. Empty where a target has none.
#[derive(Clone, Default)]
pub struct OwnSecret(Arc<[Finder<'static>]>);

impl OwnSecret {
    /// This one.
    pub fn new(secret: &str) -> OwnSecret {
        OwnSecret::of([secret])
    }

    /// Any of these.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> OwnSecret {
        let mut forms: Vec<String> = secrets.into_iter().flat_map(forms).collect();
        // The longest is struck first: one may stand in another.
        forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        forms.dedup();
        let finders = forms.iter().map(|form| Finder::new(form).into_owned());
        OwnSecret(finders.collect())
    }

    /// The text without the secret.
    pub fn strike(&self, text: String) -> String {
        match self.struck(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(struck) => struck,
        }
    }

    fn struck<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for form in &*self.0 {
            if form.find(text.as_bytes()).is_some() {
                // Every form is a text: a secret is one, and the others are ASCII.
                let form = String::from_utf8_lossy(form.needle());
                text = Cow::Owned(text.replace(&*form, STRUCK));
            }
        }
        text
    }

    /// Whether the secret stands anywhere in these bytes, or in a string of the JSON that they are.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let found = |bytes: &[u8]| self.0.iter().any(|form| form.find(bytes).is_some());
        // A letter of it may be written as an escape.
        found(bytes) || lean_json::has_text(bytes, |text| found(text.as_bytes()))
    }

    /// The headers without those in which the secret stands.
    pub fn strike_headers(&self, mut headers: HeaderMap) -> HeaderMap {
        let names: Vec<_> = headers
            .iter()
            .filter(|(_, value)| self.is_in(value.as_bytes()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            headers.remove(name);
        }
        headers
    }
}

/// The forms in which a secret may be repeated.
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let percent = percent_encode(secret.as_bytes(), UNRESERVED).to_string();
    let mut forms = vec![secret.to_owned(), percent];
    if secret.len() >= SHORTEST_ENCODED {
        for before in 0..3 {
            forms.push(base64_after(before, secret, &STANDARD_NO_PAD));
            forms.push(base64_after(before, secret, &URL_SAFE_NO_PAD));
        }
    }
    forms
}

impl fmt::Debug for OwnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnSecret(…)")
    }
}

/// The secret's part of a base64 text in which so many bytes (of three) stand before it. What depends on its neighbours is left out.
fn base64_after(before: usize, secret: &str, alphabet: &GeneralPurpose) -> String {
    let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
    let text = alphabet.encode(&bytes);
    let (first, end) = ([0, 2, 3][before], bytes.len() * 8 / 6);
    text[first..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderValue;

    const SECRET: &str = "csk-top+se/cret";

    #[test]
    fn the_secret_is_struck_out_in_whatever_form() {
        let own = OwnSecret::new(SECRET);
        let basic = STANDARD.encode(format!("user:{SECRET}"));
        for (said, left) in [
            (format!("Bad key {SECRET}."), "Bad key [key]."),
            (format!("{SECRET}{SECRET}"), "[key][key]"),
            ("?key=csk-top%2Bse%2Fcret&x".into(), "?key=[key]&x"),
            (STANDARD.encode(SECRET), "[key]"),
            ("nothing here".into(), "nothing here"),
        ] {
            assert_eq!(own.strike(said), left);
        }
        let left = own.strike(format!("Basic {basic}"));
        assert!(left.starts_with("Basic dXNlcjp[key]"), "{left}");
        for before in ["", "a", "ab", "abc"] {
            let said = STANDARD.encode(format!("{before}{SECRET} and more"));
            assert!(own.strike(said).contains("[key]"), "{before}");
        }
    }

    #[test]
    fn it_is_found_behind_escapes_too() {
        let own = OwnSecret::new(SECRET);
        assert!(own.is_in(br#"{"error":{"message":["csk\u002dtop+se\/cret"]}}"#));
        assert!(own.is_in(b"no JSON csk-top+se/cret"));
        assert!(!own.is_in(br#"{"error":{"message":"csk"}}"#));
    }

    #[test]
    fn a_header_that_repeats_it_does_not_go_on() {
        let own = OwnSecret::new(SECRET);
        let mut headers = HeaderMap::new();
        headers.append("inference-id", HeaderValue::from_static("csk-top+se/cret"));
        headers.append("retry-after", HeaderValue::from_static("7"));
        let left = own.strike_headers(headers);
        assert_eq!(left.len(), 1);
        assert_eq!(left["retry-after"], "7");
    }

    #[test]
    fn what_is_too_short_to_be_one_is_no_secret() {
        assert_eq!(OwnSecret::new("abc").strike("abc".into()), "abc");
        assert_eq!(OwnSecret::default().strike("abc".into()), "abc");
    }
}
