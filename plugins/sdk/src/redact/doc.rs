//! The grammar of one JSON document, byte by byte.

/// A document that has begun.
#[derive(Debug)]
pub(super) struct Doc {
    /// In how many strings of other documents it stands. That of a document that begins in a text is told by its first quote,
    /// because the text may be the source of a program, in which the document is written in a string.
    pub(super) level: u32,
    /// Whether a quote has come.
    sealed: bool,
    open: Brackets,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value follows.
    Value,
    /// A value or the array's end follows.
    First,
    /// A key or the object's end follows.
    FirstKey,
    /// A key follows.
    Key,
    /// A colon follows.
    Colon,
    /// A comma or an end follows.
    After,
    /// In a string, which is a key or not.
    Text { key: bool },
    /// In a number.
    Number(Number),
    /// In a literal, of which this is left.
    Literal(&'static [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Dot,
    Fraction,
    E,
    Sign,
    Exponent,
}

/// What a byte does to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Goes,
    /// The byte is the document's last one.
    Ends,
    /// The byte can't follow.
    Breaks,
}

impl Doc {
    /// A document of which nothing has come.
    pub(super) fn value(level: u32) -> Doc {
        Doc {
            level,
            sealed: false,
            open: Brackets::default(),
            state: State::Value,
        }
    }

    /// A document that begins with this bracket.
    pub(super) fn open(level: u32, bracket: u8) -> Doc {
        let mut doc = Doc::value(level);
        doc.step(bracket);
        doc
    }

    pub(super) fn in_string(&self) -> bool {
        matches!(self.state, State::Text { .. })
    }

    pub(super) fn awaits_value(&self) -> bool {
        matches!(self.state, State::Value | State::First)
    }

    /// Whether the sign of a number has come and no digit.
    pub(super) fn awaits_digits(&self) -> bool {
        self.state == State::Number(Number::Minus)
    }

    /// A quote that is no part of a string's text.
    pub(super) fn quote(&mut self, level: u32) -> Next {
        if level != self.level {
            if self.sealed || self.in_string() {
                return Next::Breaks;
            }
            self.level = level;
        }
        self.sealed = true;
        self.state = match self.state {
            State::Text { key: true } => State::Colon,
            State::Text { key: false } if self.open.is_empty() => return Next::Ends,
            State::Text { key: false } => State::After,
            State::Value | State::First => State::Text { key: false },
            State::FirstKey | State::Key => State::Text { key: true },
            _ => return Next::Breaks,
        };
        Next::Goes
    }

    /// A byte outside of strings that is no quote.
    pub(super) fn step(&mut self, byte: u8) -> Next {
        if let State::Number(number) = self.state {
            if let Some(next) = number.next(byte) {
                self.state = State::Number(next);
                return Next::Goes;
            }
            if !number.may_end() {
                return Next::Breaks;
            }
            self.state = State::After;
        }
        if let State::Literal(rest) = self.state {
            match rest.split_first() {
                Some((first, rest)) if *first == byte => {
                    self.state = State::Literal(rest);
                    return Next::Goes;
                }
                Some(_) => return Next::Breaks,
                None => self.state = State::After,
            }
        }
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Next::Goes;
        }
        self.state = match (self.state, byte) {
            (State::Value | State::First, b'{') => {
                self.open.push(true);
                State::FirstKey
            }
            (State::Value | State::First, b'[') => {
                self.open.push(false);
                State::First
            }
            (State::Value | State::First, b't') => State::Literal(b"rue"),
            (State::Value | State::First, b'f') => State::Literal(b"alse"),
            (State::Value | State::First, b'n') => State::Literal(b"ull"),
            (State::Value | State::First, b'-') => State::Number(Number::Minus),
            (State::Value | State::First, b'0') => State::Number(Number::Zero),
            (State::Value | State::First, b'1'..=b'9') => State::Number(Number::Whole),
            (State::Colon, b':') => State::Value,
            (State::After, b',') => match self.open.last() {
                Some(true) => State::Key,
                Some(false) => State::Value,
                None => return Next::Breaks,
            },
            (State::After | State::FirstKey, b'}') if self.open.last() == Some(true) => {
                return self.close();
            }
            (State::After | State::First, b']') if self.open.last() == Some(false) => {
                return self.close();
            }
            _ => return Next::Breaks,
        };
        Next::Goes
    }

    fn close(&mut self) -> Next {
        self.open.pop();
        self.state = State::After;
        match self.open.is_empty() {
            true => Next::Ends,
            false => Next::Goes,
        }
    }
}

impl Number {
    fn next(self, byte: u8) -> Option<Number> {
        Some(match (self, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus, b'1'..=b'9') | (Number::Whole, b'0'..=b'9') => Number::Whole,
            (Number::Zero | Number::Whole, b'.') => Number::Dot,
            (Number::Dot | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Whole | Number::Fraction, b'e' | b'E') => Number::E,
            (Number::E, b'+' | b'-') => Number::Sign,
            (Number::E | Number::Sign | Number::Exponent, b'0'..=b'9') => Number::Exponent,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(
            self,
            Number::Zero | Number::Whole | Number::Fraction | Number::Exponent
        )
    }
}

/// The open brackets, a bit for each: set for an object. A text of nothing but brackets takes an eighth of its size.
#[derive(Debug, Default)]
struct Brackets {
    bits: Vec<u64>,
    count: usize,
}

impl Brackets {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn push(&mut self, object: bool) {
        let (word, bit) = (self.count / 64, self.count % 64);
        if word == self.bits.len() {
            self.bits.push(0);
        }
        self.bits[word] = self.bits[word] & !(1 << bit) | u64::from(object) << bit;
        self.count += 1;
    }

    fn pop(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    fn last(&self) -> Option<bool> {
        let last = self.count.checked_sub(1)?;
        Some(self.bits[last / 64] & 1 << (last % 64) != 0)
    }
}
