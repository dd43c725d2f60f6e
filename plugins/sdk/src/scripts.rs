//! What is to be known of scripts, where words are looked for.

/// Whether a letter is of a script that writes no spaces between words (Thai, Lao, Burmese, Khmer, Chinese, Japanese): there a word has no borders
/// that anybody could see, and each letter may begin or end one.
#[must_use]
pub fn is_unspaced(c: char) -> bool {
    matches!(
        u32::from(c),
        0xe00..=0xeff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x2e80..=0xa4cf | 0xf900..=0xfaff | 0x20000..=0x3ffff
    )
}

#[cfg(test)]
mod tests {
    use super::is_unspaced;

    #[test]
    fn scripts_without_spaces_are_told_from_those_with() {
        for c in "ไทยລາວမြန်ខ្មែរ中文ひらカタ々㐀𠀀".chars()
        {
            assert!(is_unspaced(c), "{c}");
        }
        for c in "aéß9한글भاאΩж ,".chars() {
            assert!(!is_unspaced(c), "{c}");
        }
    }
}
