//! Patterns of names: `*` stands for any characters, `?` for one.

/// Whether all of the text is as the pattern says. The time it takes is bounded by the product of the lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when what follows the last star doesn't fit: the star takes one character more.
    let mut again = None;
    loop {
        let (before, mut rest) = (pattern.clone(), text.clone());
        match (pattern.next(), rest.next()) {
            (Some('*'), _) => {
                again = Some((before, text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                text = rest;
                continue;
            }
            _ => {}
        }
        let Some((star, mut taken)) = again.take() else {
            return false;
        };
        if taken.next().is_none() {
            return false;
        }
        (pattern, text) = (star, taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_marks_stand_for_characters() {
        let table = [
            ("llama3.1-8b", "llama3.1-8b", true),
            ("llama3.1-8b", "llama3.1-8B", false),
            ("llama*", "llama3.1-8b", true),
            ("llama*", "llama", true),
            ("llama*", "a-llama", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*-8b", "llama-8b-8b", true),
            ("*-8b", "llama-8b-8", false),
            ("l?ama", "llama", true),
            ("l?ama", "lama", false),
            ("gpt-*-*b", "gpt-oss-120b", true),
            ("*é?", "caféx", true),
            ("**a**", "xax", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ];
        for (pattern, text, so) in table {
            assert_eq!(matches(pattern, text), so, "{pattern} {text}");
        }
    }
}
