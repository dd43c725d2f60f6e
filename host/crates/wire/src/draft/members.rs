//! The members of an object that is taken apart, found by their names however many there are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use smallvec::SmallVec;

use super::node::{Key, Node};
use crate::chat::shape::Shape;
use crate::index::key_at;
use crate::read::key_hash;
use crate::steps;

/// Of more members than this, where each stands is remembered.
const FEW: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// In the order of the object. One that was taken away leaves its place, to which it may come back.
    list: Vec<(Key, Option<Node>)>,
    /// How many of them lie in the body. They come first, in its order.
    raw: usize,
    names: Option<Places>,
    /// The first so many of them by the hash that is the same for all names which some reader takes for one another.
    folded: HashMap<u64, SmallVec<[u32; 1]>>,
    covered: usize,
}

/// Where each name stands, by its hash; and those whose hash another one has already.
#[derive(Clone, Debug, Default)]
struct Places {
    hasher: RandomState,
    places: HashMap<u64, u32>,
    clashes: Vec<u32>,
}

impl Places {
    fn add(&mut self, name: &str, place: u32) {
        let hash = self.hasher.hash_one(name);
        if *self.places.entry(hash).or_insert(place) != place {
            self.clashes.push(place);
        }
    }
}

impl Members {
    pub(super) fn of(body: &[u8], members: impl Iterator<Item = (Key, Node)>) -> Members {
        let list: Vec<_> = members.map(|(key, node)| (key, Some(node))).collect();
        let mut raw = 0;
        let mut names = (list.len() > FEW).then(Places::default);
        for ((key, _), place) in list.iter().zip(0..) {
            raw += usize::from(matches!(key, Key::Raw(_)));
            if let Some(names) = &mut names {
                names.add(&key.name(body), place);
            }
        }
        Members {
            list,
            raw,
            names,
            ..Members::default()
        }
    }

    /// Those that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Node)> {
        let all = self.list.iter();
        all.filter_map(|(key, node)| Some((key, node.as_ref()?)))
    }

    fn place(&self, body: &[u8], name: &str) -> Option<usize> {
        let is = |place: &usize| {
            steps::took(1);
            self.list[*place].0.is(body, name)
        };
        let Some(names) = &self.names else {
            return (0..self.list.len()).find(is);
        };
        let place = names.places.get(&names.hasher.hash_one(name));
        let places = place.into_iter().chain(&names.clashes);
        places.map(|place| *place as usize).find(is)
    }

    /// The member of that name, if there is one.
    pub(super) fn get_mut(&mut self, body: &[u8], name: &str) -> Option<&mut Node> {
        let place = self.place(body, name)?;
        self.list[place].1.as_mut()
    }

    /// The member whose key lay there in the body, wherever the object has it now.
    pub(super) fn at_key(&mut self, body: &[u8], start: u32) -> Option<&mut Node> {
        let raw = self.list[..self.raw].binary_search_by_key(&start, |(key, _)| match key {
            Key::Raw(span) => span.start,
            Key::New(_) => u32::MAX,
        });
        steps::took(1);
        match raw {
            Ok(place) => self.list[place].1.as_mut(),
            Err(_) => self.get_mut(body, &key_at(body, start)),
        }
    }

    /// Puts a member there, or takes it away; returns what was there.
    pub(super) fn put(&mut self, body: &[u8], name: &str, node: Option<Node>) -> Option<Node> {
        if let Some(place) = self.place(body, name) {
            return std::mem::replace(&mut self.list[place].1, node);
        }
        let node = node?;
        if let (Some(names), Ok(place)) = (&mut self.names, u32::try_from(self.list.len())) {
            names.add(name, place);
        }
        self.list.push((Key::New(name.into()), Some(node)));
        None
    }

    /// The name of another member that some reader would take for one of that name.
    pub(super) fn taken_for(&mut self, body: &[u8], shape: Shape, name: &str) -> Option<String> {
        for (place, (key, _)) in self.list.iter().enumerate().skip(self.covered) {
            steps::took(1);
            let places = self.folded.entry(key_hash(shape, &key.name(body)));
            places.or_default().extend(u32::try_from(place));
        }
        self.covered = self.list.len();
        let same = self.folded.get(&key_hash(shape, name))?;
        let there = same.iter().map(|place| &self.list[*place as usize]);
        let others = there.filter(|(_, node)| node.is_some());
        let mut others = others.map(|(key, _)| key.name(body));
        others.find(|other| **other != *name).map(Cow::into_owned)
    }
}
