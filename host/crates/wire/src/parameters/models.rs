//! What depends on the model. Models come and go, so of one that isn't known here everything is accepted.

/// What a family of models accepts.
#[derive(Debug)]
pub(crate) struct Model {
    /// How the names of its models begin.
    pub(crate) begins: &'static str,
    /// The values of `reasoning_effort`.
    pub(crate) efforts: &'static [&'static str],
    /// Whether tools and a format of JSON go together.
    pub(crate) tools_with_format: bool,
    /// Whether `reasoning_format` may be `raw` or `hidden`.
    pub(crate) raw_reasoning: bool,
    /// Whether there is a role `developer`.
    pub(crate) developer: bool,
    /// Whether it reads images.
    pub(crate) images: bool,
    /// Whether it has `clear_thinking`.
    pub(crate) clear_thinking: bool,
    /// Whether it may have `model_parameters`.
    pub(crate) parameters: bool,
}

const EFFORTS: &[&str] = &["none", "low", "medium", "high"];

/// A model that isn't known.
pub(crate) static ANY: Model = Model {
    begins: "",
    efforts: EFFORTS,
    tools_with_format: true,
    raw_reasoning: true,
    developer: true,
    images: true,
    clear_thinking: true,
    parameters: true,
};

/// What all families have in common that are known.
const KNOWN: Model = Model {
    begins: "",
    efforts: EFFORTS,
    tools_with_format: true,
    raw_reasoning: true,
    developer: false,
    images: false,
    clear_thinking: false,
    parameters: false,
};

/// The families.
pub(crate) static MODELS: &[Model] = &[
    Model {
        begins: "gpt-oss-",
        efforts: &["low", "medium", "high"],
        tools_with_format: false,
        developer: true,
        ..KNOWN
    },
    Model {
        begins: "gemma-",
        raw_reasoning: false,
        images: true,
        ..KNOWN
    },
    Model {
        begins: "zai-glm-",
        clear_thinking: true,
        ..KNOWN
    },
    Model {
        begins: "qwen-",
        ..KNOWN
    },
    Model {
        begins: "llama",
        ..KNOWN
    },
];

/// What is known of the model of that name.
pub(crate) fn of(name: &str) -> &'static Model {
    let mut models = MODELS.iter();
    models
        .find(|model| name.starts_with(model.begins))
        .unwrap_or(&ANY)
}
