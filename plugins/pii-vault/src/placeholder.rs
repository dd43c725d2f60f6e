//! How placeholders are written, and how a model may write them.

use pii_entities::Entity;
use witgate_policy::redact::View;

/// The most digits of a number.
const DIGITS: usize = 7;

/// A placeholder: which kind, and the number of the value among those of its kind.
pub(crate) type Placeholder = (Entity, u32);

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// No placeholder, whatever follows.
    No,
    /// What follows decides.
    More,
    /// One that ends there.
    Is(Placeholder, usize),
}

/// Writes one.
pub(crate) fn write((entity, number): Placeholder, out: &mut String) {
    out.push_str(&format!("<{}_{number}>", entity.label()));
}

/// Whether one may begin with this byte.
pub(crate) fn may_begin(byte: u8) -> bool {
    matches!(byte, b'<' | b'&')
        || Entity::ALL
            .iter()
            .any(|one| one.label().as_bytes()[0] == byte)
}

/// An expression that matches the first word of every placeholder that is read.
pub(crate) fn expression() -> String {
    let labels: Vec<_> = Entity::ALL.iter().map(|one| one.label()).collect();
    let first: Vec<&str> = labels
        .iter()
        .filter_map(|label| label.split('_').next())
        .collect();
    format!(
        "(?i:(?:<|&lt;)(?:{}))|(?:{})_[0-9]",
        first.join("|"),
        labels.join("|")
    )
}

/// The placeholder that starts there, if one does: `<EMAIL_1>`. Leniently, also with letters in any case, `-` or a space in the place of
/// `_`, a backslash or two before it, a space before the end, `&lt;` and `&gt;`; and without brackets, where it is written right otherwise.
pub(crate) fn read(view: &View<'_>, at: usize, before: Option<char>, lenient: bool) -> Read {
    let reader = Reader {
        bytes: &view.text.as_bytes()[at..],
        end: view.end,
        lenient,
    };
    match reader.read(before) {
        Ok(Some((placeholder, length))) => Read::Is(placeholder, at + length),
        Ok(None) => Read::No,
        Err(More) => Read::More,
    }
}

struct More;

struct Reader<'a> {
    bytes: &'a [u8],
    end: bool,
    lenient: bool,
}

impl Reader<'_> {
    /// The byte at this offset; 0 after the end.
    fn get(&self, at: usize) -> Result<u8, More> {
        match self.bytes.get(at) {
            Some(byte) => Ok(*byte),
            None if self.end => Ok(0),
            None => Err(More),
        }
    }

    fn has(&self, at: usize, expected: &[u8]) -> Result<bool, More> {
        for (n, byte) in expected.iter().enumerate() {
            if self.get(at + n)? != *byte {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read(&self, before: Option<char>) -> Result<Option<(Placeholder, usize)>, More> {
        let (mut at, closing): (usize, &[u8]) = match self.get(0)? {
            b'<' => (1, b">"),
            b'&' if self.lenient && self.has(0, b"&lt;")? => (4, b"&gt;"),
            b'&' => return Ok(None),
            _ => (0, b""),
        };
        let bare = closing.is_empty();
        if bare && (!self.lenient || before.is_some_and(|c| c.is_alphanumeric() || c == '_')) {
            return Ok(None);
        }
        let loosely = self.lenient && !bare;
        let Some(entity) = self.label(at, loosely)? else {
            return Ok(None);
        };
        at += entity.label().len();
        let Some(to) = self.separator(at, loosely)? else {
            return Ok(None);
        };
        at = to;
        let mut number = 0;
        let mut digits = 0;
        while let digit @ b'0'..=b'9' = self.get(at)? {
            if digits == DIGITS || digits == 0 && digit == b'0' {
                return Ok(None);
            }
            number = number * 10 + u32::from(digit - b'0');
            digits += 1;
            at += 1;
        }
        if digits == 0 {
            return Ok(None);
        }
        if bare {
            // A letter beyond ASCII goes on with the word, too: an accent in most scripts.
            let next = self.get(at)?;
            let goes_on = next.is_ascii_alphanumeric() || next == b'_' || next >= 0x80;
            return Ok((!goes_on).then_some(((entity, number), at)));
        }
        if loosely && self.get(at)? == b' ' {
            at += 1;
        }
        let closed = self.has(at, closing)?;
        Ok(closed.then_some(((entity, number), at + closing.len())))
    }

    fn label(&self, at: usize, loosely: bool) -> Result<Option<Entity>, More> {
        'labels: for entity in Entity::ALL {
            for (n, expected) in entity.label().bytes().enumerate() {
                let byte = self.get(at + n)?;
                let same = match expected {
                    b'_' if loosely => matches!(byte, b'_' | b'-' | b' '),
                    letter if loosely => byte.eq_ignore_ascii_case(&letter),
                    letter => byte == letter,
                };
                if !same {
                    continue 'labels;
                }
            }
            return Ok(Some(entity));
        }
        Ok(None)
    }

    fn separator(&self, mut at: usize, loosely: bool) -> Result<Option<usize>, More> {
        if loosely {
            if matches!(self.get(at)?, b'-' | b' ') {
                return Ok(Some(at + 1));
            }
            let from = at;
            while at < from + 2 && self.get(at)? == b'\\' {
                at += 1;
            }
        }
        Ok((self.get(at)? == b'_').then_some(at + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, end: bool, lenient: bool) -> Read {
        let mut view = View::whole(text);
        view.end = end;
        read(&view, 0, None, lenient)
    }

    #[test]
    fn it_is_known_again_however_models_write_it() {
        for (text, strictly) in [
            ("<EMAIL_12>", true),
            ("<API_KEY_12>", true),
            ("<email_12>", false),
            ("<EMAIL-12>", false),
            ("<EMAIL 12>", false),
            ("<EMAIL_12 >", false),
            (r"<EMAIL\_12>", false),
            (r"<EMAIL\\_12>", false),
            ("&lt;EMAIL_12&gt;", false),
            ("<api-key 12>", false),
            ("EMAIL_12", false),
        ] {
            let entity = if text.to_lowercase().contains("api") {
                Entity::ApiKey
            } else {
                Entity::Email
            };
            let is = Read::Is((entity, 12), text.len());
            assert_eq!(one(text, true, true), is, "{text}");
            assert_eq!(one(text, true, false) == is, strictly, "{text}");
            for cut in 1..text.len() {
                assert_eq!(
                    one(&text[..cut], false, true),
                    Read::More,
                    "{}",
                    &text[..cut]
                );
            }
        }
        for text in [
            "<EMAIL>",
            "<EMAIL_>",
            "<EMAIL_01>",
            "<EMAIL_1x>",
            "<EMAIL__1>",
            "<MAIL_1>",
            "EMAIL_1x",
            "EMAIL_1é",
            "email_1",
            "EMAIL-1",
            "<EMAIL_12345678>",
            "&lt;EMAIL_1>",
            "&amp;",
            "<EMAIL_1",
            "< EMAIL_1>",
        ] {
            assert_eq!(one(text, true, true), Read::No, "{text}");
        }
        let view = View::whole("EMAIL_1");
        assert_eq!(read(&view, 0, Some('X'), true), Read::No);
    }
}
