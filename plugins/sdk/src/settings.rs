//! From the settings' JSON to a policy.

use crate::Policy;

/// Reads the settings and makes a policy of them. An empty text stands for `{}`.
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
    let settings: P::Settings = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => error.inner().to_string(),
            path => format!("`{path}`: {}", error.inner()),
        }
    })?;
    P::new(settings)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(default)]
        words: Vec<Word>,
    }

    #[derive(Clone, Debug)]
    struct Words {
        total: usize,
    }

    #[derive(Clone, Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Word {
        weight: u8,
    }

    impl Policy for Words {
        type Settings = Settings;

        fn new(settings: Settings) -> Result<Self, String> {
            let weights = settings.words.iter().map(|word| usize::from(word.weight));
            match weights.sum() {
                13 => Err("`words`: thirteen in all brings bad luck".into()),
                total => Ok(Words { total }),
            }
        }
    }

    #[test]
    fn no_text_is_no_settings() {
        assert_eq!(configure::<Words>("").unwrap().total, 0);
        assert_eq!(configure::<Words>(" {} ").unwrap().total, 0);
    }

    #[test]
    fn a_policy_without_settings_takes_none() {
        #[derive(Clone, Debug)]
        struct Plain;
        impl Policy for Plain {
            type Settings = crate::NoSettings;

            fn new(_: crate::NoSettings) -> Result<Self, String> {
                Ok(Plain)
            }
        }
        configure::<Plain>("").unwrap();
        let error = configure::<Plain>(r#"{"words": []}"#).unwrap_err();
        assert_eq!(error, "`words`: unknown field `words`, there are no fields");
    }

    #[test]
    fn a_policy_is_made_of_what_was_read() {
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
