//! Edits of a tool call's arguments must leave JSON what was JSON.

/// The arguments of one call, as they came and as they went.
#[derive(Default)]
pub(super) struct Arguments {
    came: String,
    went: String,
    /// The stage that edited last, in the order of answers.
    editor: Option<usize>,
}

impl Arguments {
    pub(super) fn came(&mut self, text: &str) {
        self.came.push_str(text);
    }

    pub(super) fn went(&mut self, text: &str) {
        self.went.push_str(text);
    }

    pub(super) fn edited_by(&mut self, at: usize) {
        self.editor = Some(at);
    }

    /// The stage that broke them, if one did: the one that edited last.
    pub(super) fn broken_by(&self) -> Option<usize> {
        let editor = self.editor?;
        let parses = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        (parses(&self.came) && !parses(&self.went)).then_some(editor)
    }
}
