//! Finds the valid name that is nearest to an invalid one.
//!
//! This is used for every unknown key, value and id, so that the message about a typing error names what was meant.

/// The candidate that `word` was most likely meant to be, if any is close.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let word = plain(word);
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    let by_distance = candidates
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &plain(candidate)),
                *candidate,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= allowed);
    match by_distance {
        Some((_, candidate)) => Some(candidate),
        // Writing half a name ("pii") is a likely mistake too.
        None if word.len() >= 3 => candidates
            .iter()
            .find(|candidate| plain(candidate).starts_with(&word))
            .copied(),
        None => None,
    }
}

/// "; did you mean `x`? (valid: a, b)", the end of every sentence about an unknown name.
pub(super) fn suggestion(word: &str, valid: &[&str]) -> String {
    let list = if valid.is_empty() {
        "none".to_owned()
    } else {
        valid.join(", ")
    };
    match nearest(word, valid) {
        Some(name) => format!("; did you mean `{name}`? (valid: {list})"),
        None => format!(" (valid: {list})"),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let keys = ["id", "component", "digest", "on_error"];
        assert_eq!(nearest("compnent", &keys), Some("component"));
        assert_eq!(nearest("onerror", &keys), Some("on_error"));
        assert_eq!(nearest("on-error", &keys), Some("on_error"));
        assert_eq!(nearest("Digest", &keys), Some("digest"));
    }

    #[test]
    fn half_a_name_finds_the_whole() {
        assert_eq!(
            nearest("pii", &["prompt-injection", "pii-detector"]),
            Some("pii-detector")
        );
    }

    #[test]
    fn a_far_name_finds_nothing() {
        assert_eq!(nearest("elephant", &["id", "component"]), None);
        assert_eq!(nearest("x", &["component"]), None);
    }
}
