//! From the settings' JSON to a prepared policy.

use crate::Policy;

/// Deserialises and prepares a policy. An empty text stands for `{}`.
///
/// The error is a sentence that names the key at fault; the host says which stage it is.
pub(crate) fn configure<P: Policy>(settings: &str) -> Result<P, String> {
    let settings = if settings.trim().is_empty() {
        "{}"
    } else {
        settings
    };
    // The text becomes a JSON value first, so that errors name no line and column: the host wrote this text, and an
    // operator never sees it.
    let value: serde_json::Value = serde_json::from_str(settings)
        .map_err(|error| format!("the settings are not JSON: {error}"))?;
    let mut policy: P = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => error.inner().to_string(),
            path => format!("`{path}`: {}", error.inner()),
        }
    })?;
    policy.prepare()?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Words {
        #[serde(default)]
        words: Vec<Word>,
        #[serde(skip)]
        total: usize,
    }

    #[derive(Clone, Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Word {
        weight: u8,
    }

    impl Policy for Words {
        fn prepare(&mut self) -> Result<(), String> {
            self.total = self.words.iter().map(|word| usize::from(word.weight)).sum();
            if self.total == 13 {
                return Err("`words`: thirteen in all brings bad luck".into());
            }
            Ok(())
        }
    }

    #[test]
    fn no_text_is_no_settings() {
        assert_eq!(configure::<Words>("").unwrap().words, []);
        assert_eq!(configure::<Words>(" {} ").unwrap().words, []);
    }

    #[test]
    fn it_is_prepared_after_it_was_read() {
        let words: Words = configure(r#"{"words": [{"weight": 2}, {"weight": 3}]}"#).unwrap();
        assert_eq!(words.total, 5);
        assert_eq!(
            configure::<Words>(r#"{"words": [{"weight": 13}]}"#).unwrap_err(),
            "`words`: thirteen in all brings bad luck"
        );
    }

    #[test]
    fn an_error_names_the_key() {
        let error =
            |settings: &str| configure::<Words>(settings).expect_err("the settings are wrong");
        assert_eq!(
            error(r#"{"words": [{"weight": 2}, {"weight": "x"}]}"#),
            "`words[1].weight`: invalid type: string \"x\", expected u8"
        );
        assert_eq!(
            error(r#"{"words": [{"wieght": 2}]}"#),
            "`words[0].wieght`: unknown field `wieght`, expected `weight`"
        );
        assert_eq!(
            error("[1]"),
            "`[0]`: invalid type: integer `1`, expected a sequence"
        );
    }
}
