//! The values of one exchange, and the two finders that take them out and put them back.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use pii_entities::{Entity, Scope};
use witgate_policy::redact::{Finder, Found, Scan, View};

use crate::placeholder::{self, Placeholder, Read};

/// Values and their placeholders. It is of one exchange and ends with it.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    /// By value: where it is in `values`.
    known: BTreeMap<(usize, String), usize>,
    /// By placeholder, the same.
    placeholders: BTreeMap<(usize, u32), usize>,
    values: Vec<(Placeholder, String)>,
    /// What stands in the request already, and so stands for nothing.
    taken: BTreeSet<(usize, u32)>,
    /// The last number of each kind.
    last: [u32; Entity::ALL.len()],
}

impl Vault {
    /// Placeholders in a text of the request mean what they say: none of them will be given to a value.
    pub(crate) fn spare(&mut self, text: &str) {
        let view = View::whole(text);
        let mut before = None;
        for (at, c) in text.char_indices() {
            if u8::try_from(c).is_ok_and(placeholder::may_begin)
                && let Read::Is((entity, number), _) = placeholder::read(&view, at, before, true)
            {
                self.taken.insert((entity as usize, number));
            }
            before = Some(c);
        }
    }

    /// The placeholder of a value, the same for the same.
    fn placeholder(&mut self, kind: usize, value: &str) -> Placeholder {
        let next = self.values.len();
        let at = *self.known.entry((kind, value.to_owned())).or_insert(next);
        if at == next {
            let last = &mut self.last[kind];
            *last += 1;
            while self.taken.contains(&(kind, *last)) {
                *last += 1;
            }
            self.placeholders.insert((kind, *last), at);
            self.values
                .push(((Entity::ALL[kind], *last), value.to_owned()));
        }
        self.values[at].0
    }

    /// The first placeholder that was given out.
    pub(crate) fn first(&self) -> Option<Placeholder> {
        self.values.first().map(|(placeholder, _)| *placeholder)
    }
}

/// Finds values, and puts placeholders in their place.
pub(crate) struct Keeper {
    pub(crate) scope: Scope,
    pub(crate) vault: RefCell<Vault>,
}

impl Finder for Keeper {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        pii_entities::scan(self.scope, view, from)
    }

    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        let placeholder = self.vault.borrow_mut().placeholder(kind, value);
        placeholder::write(placeholder, out);
    }

    /// A name has the number of the value's placeholder: a model that writes it without brackets means the same value.
    fn number(&self, kind: usize, value: &str) -> Option<usize> {
        let (_, number) = self.vault.borrow_mut().placeholder(kind, value);
        usize::try_from(number).ok()
    }
}

/// Finds placeholders that were given out, and puts their values in their place. The kind of a match is the value's number.
#[derive(Clone, Debug)]
pub(crate) struct Giver {
    pub(crate) vault: Rc<Vault>,
    pub(crate) lenient: bool,
}

impl Finder for Giver {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        let mut before = view.before(from).0;
        for (at, c) in view.text[from..].char_indices() {
            let at = from + at;
            if u8::try_from(c).is_ok_and(placeholder::may_begin) {
                match placeholder::read(view, at, before, self.lenient) {
                    Read::No => {}
                    Read::More => return Scan::Clear(at),
                    Read::Is((entity, number), end) => {
                        let known = self.vault.placeholders.get(&(entity as usize, number));
                        if let Some(kind) = known {
                            return Scan::Found(Found {
                                start: at,
                                end,
                                kind: *kind,
                            });
                        }
                    }
                }
            }
            before = Some(c);
        }
        Scan::Clear(view.text.len())
    }

    fn replace(&self, kind: usize, _value: &str, out: &mut String) {
        out.push_str(&self.vault.values[kind].1);
    }
}
