//! What is asked about models.

/// The form in which models are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// OpenAI's, at `/v1/models`.
    Plain,
    /// Cerebras' rich one, at `/public/v1/models`.
    Public,
    /// Anthropic's, at `/anthropic/v1/models`.
    Anthropic,
}

/// A question about models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelsAsked<'a> {
    /// The form of the answer.
    pub catalog: Catalog,
    /// The model's id, decoded; `None` asks for all of them.
    pub id: Option<&'a str>,
    /// What stood behind the question mark.
    pub query: Option<&'a str>,
}
