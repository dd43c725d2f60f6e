//! Names with `*` and `?` in them.

use witgate_policy::glob;

/// A list of names, in which `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globs(Vec<String>);

impl Globs {
    pub(crate) fn new(globs: Vec<String>) -> Globs {
        Globs(globs)
    }

    pub(crate) fn match_name(&self, name: &str) -> bool {
        self.0.iter().any(|one| glob::matches(one, name))
    }

    /// A glob that stands in both.
    pub(crate) fn shared<'a>(&'a self, other: &Globs) -> Option<&'a str> {
        let both = self.0.iter().find(|glob| other.0.contains(glob));
        both.map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_and_a_question_mark_for_one() {
        for (glob, name, expected) in [
            ("read", "read", true),
            ("read", "reads", false),
            ("code_*", "code_", true),
            ("code_*", "code_run", true),
            ("*_run", "code_run_run", true),
            ("*_run", "code_run_", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("caf?", "café", true),
            ("caf??", "café", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            let globs = Globs::new(vec![glob.into()]);
            assert_eq!(globs.match_name(name), expected, "{glob} {name}");
        }
    }
}
