//! A redactor is a passage: a policy returns it from `on_answer`.

use super::{Finder, Redactor};
use crate::{Denial, Edit, Passage};

/// What is found is nobody's business; see [`Redactor::telling`].
impl<P, F: Finder> Passage<P> for Redactor<F> {
    fn on_delta(&mut self, _policy: &mut P, text: &str) -> Edit {
        self.push(text)
    }

    fn on_end(&mut self, _policy: &mut P, _finish: &str) -> Edit {
        self.finish()
    }
}

/// A [`Redactor`] that tells its policy what it finds. [`Redactor::telling`] makes it.
#[derive(Debug)]
pub struct Telling<F, T> {
    redactor: Redactor<F>,
    tell: T,
}

impl<F: Finder> Redactor<F> {
    /// Tells the policy what was found, as soon as it was: how often each kind was found since the last time, by kind. The list ends with the
    /// last kind that was found. A denial ends the choice.
    ///
    /// ```
    /// use witgate_policy::prelude::*;
    /// use witgate_policy::redact::{Form, Redactor, Words};
    /// # use witgate_policy::{serde_json::json, testing};
    ///
    /// #[derive(Clone)]
    /// struct Discreet {
    ///     names: u32,
    /// }
    ///
    /// impl Policy for Discreet {
    ///     type Settings = NoSettings;
    ///
    ///     fn new(_: NoSettings) -> Result<Self, String> {
    ///         Ok(Discreet { names: 0 })
    ///     }
    ///
    ///     fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
    ///         let names = Words::new(["lynx"], "[NAME]");
    ///         Some(Box::new(Redactor::new(names, Form::of(channel)).telling(Discreet::found)))
    ///     }
    /// }
    ///
    /// impl Discreet {
    ///     fn found(&mut self, counts: &[u32]) -> Option<Denial> {
    ///         self.names += counts.iter().sum::<u32>();
    ///         (self.names > 2).then(|| Denial::new("names", "there are too many names in the answer"))
    ///     }
    /// }
    ///
    /// # let policy = testing::configure::<Discreet>(json!({}))?;
    /// # assert_eq!(policy.every_chunking("A lynx and a Lynx.").text, "A [NAME] and a [NAME].");
    /// # assert!(policy.every_chunking("Lynx, lynx, lynx.").denial.is_some());
    /// # Ok::<(), String>(())
    /// ```
    pub fn telling<P, T>(self, tell: T) -> Telling<F, T>
    where
        T: FnMut(&mut P, &[u32]) -> Option<Denial>,
    {
        Telling {
            redactor: self,
            tell,
        }
    }
}

impl<P, F: Finder, T> Passage<P> for Telling<F, T>
where
    T: FnMut(&mut P, &[u32]) -> Option<Denial>,
{
    fn on_delta(&mut self, policy: &mut P, text: &str) -> Edit {
        let edit = self.redactor.push(text);
        self.told(policy, edit)
    }

    fn on_end(&mut self, policy: &mut P, _finish: &str) -> Edit {
        let edit = self.redactor.finish();
        self.told(policy, edit)
    }
}

impl<F: Finder, T> Telling<F, T> {
    fn told<P>(&mut self, policy: &mut P, edit: Edit) -> Edit
    where
        T: FnMut(&mut P, &[u32]) -> Option<Denial>,
    {
        let counts = self.redactor.take_counts();
        if counts.is_empty() {
            return edit;
        }
        (self.tell)(policy, &counts).map_or(edit, Edit::Deny)
    }
}
