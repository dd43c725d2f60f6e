//! Patterns of names: `*` stands for any characters, `?` for one.
//!
//! ```
//! use witgate_policy::glob;
//!
//! assert!(glob::matches("read_*", "read_all"));
//! assert!(glob::matches("caf?", "café"));
//! assert!(!glob::matches("read_?", "read_all"));
//! ```

/// Whether all of the text is as the pattern says. It goes back to the last star alone, so that it takes no more than the product of both
/// lengths.
#[must_use]
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
