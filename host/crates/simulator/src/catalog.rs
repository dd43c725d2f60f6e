//! The models that the simulator serves: data, because Cerebras renames and retires them.
//!
//! Here are today's models, retired ones, and names that stand in published configurations although Cerebras never
//! listed them (`llama3.3-70b` for `llama-3.3-70b`), so that any such configuration can be tried.

/// A family of models, whose members behave alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    GptOss,
    Gemma,
    Glm,
    Qwen,
    Llama,
}

/// Whether a model reasons before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinks {
    Never,
    /// It reasons only if the request names an effort.
    IfAsked,
    /// It reasons unless the request says not to. The reasoning has a field of its own.
    Apart,
    /// It reasons unless the request says not to. The reasoning stands in the content.
    Inline,
}

/// One model.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) hugging_face: &'static str,
    pub(super) family: Family,
    pub(super) thinks: Thinks,
    /// Tokens of prompt and completion together.
    pub(super) context: u64,
    /// Tokens of completion.
    pub(super) max_output: u64,
    /// Hundredths of a dollar for a million tokens: prompt, completion.
    pub(super) price: (u32, u32),
    /// Tokens per second, as published.
    pub(super) speed: f64,
    pub(super) state: State,
}

/// The stage of a model's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Preview,
    Retired,
}

impl Model {
    /// The values of `reasoning_effort` that the model takes.
    pub(super) fn efforts(&self) -> &'static [&'static str] {
        match self.family {
            Family::GptOss => &["low", "medium", "high"],
            _ => &["none", "low", "medium", "high"],
        }
    }

    pub(super) fn sees_images(&self) -> bool {
        self.family == Family::Gemma
    }

    /// Whether it sends a tool call in one delta, where other models send an opening and fragments.
    pub(super) fn sends_calls_whole(&self) -> bool {
        self.family == Family::Glm
    }

    pub(super) fn reasons(&self) -> bool {
        self.thinks != Thinks::Never
    }

    /// The maker's name, as the public catalog has it.
    pub(super) fn maker(&self) -> &'static str {
        match self.family {
            Family::GptOss => "OpenAI",
            Family::Gemma => "Google",
            Family::Glm => "Z.ai",
            Family::Qwen => "Alibaba",
            Family::Llama => "Meta",
        }
    }

    /// A constant of the model, `fp_` and 20 hexadecimal digits.
    pub(super) fn fingerprint(&self) -> String {
        let hash = super::random::hash(self.id.as_bytes());
        format!("fp_{:016x}{:04x}", hash, hash.rotate_left(7) & 0xffff)
    }
}

/// The model of this id.
pub(super) fn find(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.id == id)
}

const fn llama(
    id: &'static str,
    name: &'static str,
    hugging_face: &'static str,
    context: u64,
    price: (u32, u32),
    speed: f64,
) -> Model {
    Model {
        id,
        name,
        hugging_face,
        family: Family::Llama,
        thinks: Thinks::Never,
        context,
        max_output: 8_192,
        price,
        speed,
        state: State::Retired,
    }
}

/// Every model: first those that are served, last those that are retired.
pub(super) static MODELS: &[Model] = &[
    Model {
        id: "gpt-oss-120b",
        name: "OpenAI GPT OSS",
        hugging_face: "openai/gpt-oss-120b",
        family: Family::GptOss,
        thinks: Thinks::Apart,
        context: 131_072,
        max_output: 40_960,
        price: (35, 75),
        speed: 3_000.0,
        state: State::Live,
    },
    Model {
        id: "qwen-3.8-27b",
        name: "Qwen 3.8 27B",
        hugging_face: "Qwen/Qwen3.8-27B",
        family: Family::Qwen,
        thinks: Thinks::Apart,
        context: 131_072,
        max_output: 32_768,
        price: (99, 149),
        speed: 1_850.0,
        state: State::Live,
    },
    Model {
        id: "gemma-4-31b",
        name: "Gemma 4 31B",
        hugging_face: "google/gemma-4-31B",
        family: Family::Gemma,
        thinks: Thinks::IfAsked,
        context: 131_072,
        max_output: 40_960,
        price: (99, 149),
        speed: 1_850.0,
        state: State::Live,
    },
    Model {
        id: "zai-glm-4.7",
        name: "Z.ai GLM 4.7",
        hugging_face: "zai-org/GLM-4.7",
        family: Family::Glm,
        thinks: Thinks::Apart,
        context: 131_072,
        max_output: 40_960,
        price: (225, 275),
        speed: 1_000.0,
        state: State::Preview,
    },
    Model {
        id: "zai-glm-4.6",
        name: "Z.ai GLM 4.6",
        hugging_face: "zai-org/GLM-4.6",
        family: Family::Glm,
        thinks: Thinks::Apart,
        context: 131_072,
        max_output: 40_960,
        price: (225, 275),
        speed: 1_000.0,
        state: State::Retired,
    },
    Model {
        id: "qwen-3-235b-a22b-instruct-2507",
        name: "Qwen 3 235B Instruct",
        hugging_face: "Qwen/Qwen3-235B-A22B-Instruct-2507",
        family: Family::Qwen,
        thinks: Thinks::Never,
        context: 131_072,
        max_output: 40_960,
        price: (60, 120),
        speed: 1_400.0,
        state: State::Retired,
    },
    Model {
        id: "qwen-3-32b",
        name: "Qwen 3 32B",
        hugging_face: "Qwen/Qwen3-32B",
        family: Family::Qwen,
        thinks: Thinks::Inline,
        context: 131_072,
        max_output: 40_960,
        price: (40, 80),
        speed: 2_600.0,
        state: State::Retired,
    },
    llama(
        "llama3.1-8b",
        "Llama 3.1 8B",
        "meta-llama/Llama-3.1-8B-Instruct",
        32_768,
        (10, 10),
        2_200.0,
    ),
    llama(
        "llama3.1-70b",
        "Llama 3.1 70B",
        "meta-llama/Llama-3.1-70B-Instruct",
        131_072,
        (60, 60),
        2_100.0,
    ),
    llama(
        "llama-3.3-70b",
        "Llama 3.3 70B",
        "meta-llama/Llama-3.3-70B-Instruct",
        131_072,
        (85, 120),
        2_100.0,
    ),
    llama(
        "llama3.3-70b",
        "Llama 3.3 70B",
        "meta-llama/Llama-3.3-70B-Instruct",
        131_072,
        (85, 120),
        2_100.0,
    ),
    llama(
        "llama-4-scout-17b-16e-instruct",
        "Llama 4 Scout",
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        32_768,
        (65, 85),
        2_600.0,
    ),
    llama(
        "llama-3.2-90b",
        "Llama 3.2 90B",
        "meta-llama/Llama-3.2-90B-Vision-Instruct",
        131_072,
        (85, 120),
        2_100.0,
    ),
    llama(
        "llama-3-8b",
        "Llama 3 8B",
        "meta-llama/Meta-Llama-3-8B-Instruct",
        8_192,
        (10, 10),
        2_200.0,
    ),
];
