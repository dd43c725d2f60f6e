//! Names with `*` and `?` in them.

/// A list of names, in which `*` stands for any letters and `?` for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globs(Vec<String>);

impl Globs {
    pub(crate) fn new(globs: Vec<String>) -> Globs {
        Globs(globs)
    }

    pub(crate) fn match_name(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|glob| matches(glob.as_bytes(), name.as_bytes()))
    }

    /// A glob that stands in both.
    pub(crate) fn shared<'a>(&'a self, other: &Globs) -> Option<&'a str> {
        let both = self.0.iter().find(|glob| other.0.contains(glob));
        both.map(String::as_str)
    }
}

/// Goes back to the last star alone, so that it takes no more than the product of both lengths.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, n));
                g += 1;
            }
            Some(b'?') => {
                g += 1;
                n += 1;
            }
            Some(byte) if *byte == name[n] => {
                g += 1;
                n += 1;
            }
            _ => {
                let Some((at, from)) = star else {
                    return false;
                };
                star = Some((at, from + 1));
                (g, n) = (at + 1, from + 1);
            }
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
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
            ("*a*b*", "xxaxxbxx", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                matches(glob.as_bytes(), name.as_bytes()),
                expected,
                "{glob} {name}"
            );
        }
    }
}
