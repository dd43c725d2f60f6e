//! The texts of a message, as a model may read them.
//!
//! A message in several segments is one text to the model. How the model joins them isn't known. So an attack that was cut
//! in two is looked for with a break between the segments, and also without one where the cut may have gone through a word.

/// Calls `each` with every text that a message's segments make.
pub(crate) fn texts(segments: &[&str], mut each: impl FnMut(&str)) {
    match segments {
        [] => {}
        [one] => each(one),
        several => {
            each(&several.join("\n"));
            if several.windows(2).any(|pair| cuts_word(pair[0], pair[1])) {
                each(&several.concat());
            }
        }
    }
}

fn cuts_word(left: &str, right: &str) -> bool {
    let within = |c: char| !c.is_whitespace();
    left.chars().next_back().is_some_and(within) && right.chars().next().is_some_and(within)
}

#[cfg(test)]
mod tests {
    fn all(segments: &[&str]) -> Vec<String> {
        let mut texts = Vec::new();
        super::texts(segments, |text| texts.push(text.to_owned()));
        texts
    }

    #[test]
    fn segments_are_joined_and_glued_where_a_word_may_be_cut() {
        assert_eq!(all(&["one"]), ["one"]);
        assert_eq!(all(&["one ", "two"]), ["one \ntwo"]);
        assert_eq!(all(&["ig", "nore"]), ["ig\nnore", "ignore"]);
        assert!(all(&[]).is_empty());
    }
}
