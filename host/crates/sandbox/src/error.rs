//! Why a component did not become a stage: a sentence for each step of loading.

use super::bindings::CONTRACT;
use super::compiled::Stuck;
use super::failure::Failure;
use super::interest::BadInterest;
use super::limits::MAX_SIZE;
use witgate_config::{ConfigError, Mismatch, Part};

/// Why a component did not become a stage.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing in the file.
    #[error("the file is empty; was it still being written?")]
    Empty,
    /// Past the cap.
    #[error("it has {size} bytes; a component may have {MAX_SIZE}")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// Some other kind of file.
    #[error(
        "it isn't WebAssembly; build the policy with --target wasm32-wasip2 and name the .wasm file"
    )]
    NotWasm,
    /// A core module.
    #[error(
        "it is a core module and not a component; build it with --target wasm32-wasip2, or wrap it with wasm-tools component new"
    )]
    CoreModule,
    /// WebAssembly of a version that neither modules nor components have.
    #[error(
        "it isn't a valid component: an unknown version of WebAssembly; was it cut short, or still being written?"
    )]
    UnknownVersion,
    /// WebAssembly that doesn't parse or validate.
    #[error("it isn't a valid component: {}; was it cut short, or still being written?", .0.message())]
    Broken(#[source] wasmparser::BinaryReaderError),
    /// A good component that the engine can't take.
    #[error("it can't be compiled here: {}", .0.root_cause())]
    Uncompiled(#[source] wasmtime::Error),
    /// A module with more than one memory.
    #[error(
        "it can't be compiled here: a module in it has more than one memory; build it without multi-memory"
    )]
    Memories,
    /// A compiled file that must not be run stays in the cache's folder.
    #[error(
        "nothing can be compiled while a damaged file lies in the compile cache: {0}; remove it"
    )]
    Stuck(String),
    /// A component that exports something else.
    #[error(
        "it doesn't export witgate:policy/policy, so it is a component but not a policy; the SDK's export! macro does that"
    )]
    NotAPolicy,
    /// For another contract.
    #[error(
        "it was built for version {found} of the contract, and this gateway speaks {CONTRACT}; build it against that SDK"
    )]
    WrongVersion {
        /// The version it exports.
        found: String,
    },
    /// It needs a grant that the configuration doesn't give.
    #[error(
        "it needs the grant `{grant}`, which the configuration doesn't give{}; if it may have it, add `grants: [{grant}]` to its chain entry",
        because(.why)
    )]
    NotGranted {
        /// The grant.
        grant: String,
        /// What the policy does with it, in its author's words.
        why: Option<String>,
    },
    /// Its author says that it needs more room than it is given.
    #[error(
        "it needs more than it may use: {missing}, by its author's word; write `limits: {{{write}}}` into its chain entry"
    )]
    TooSmall {
        /// Each limit, with what it is and what it must be.
        missing: String,
        /// What to write.
        write: String,
    },
    /// What it says of itself can't be read.
    #[error("{0}; build it again with `witgate policy build`")]
    Manifest(#[source] ConfigError),
    /// It says two things of itself.
    #[error("it has two manifests; build it again with `witgate policy build`")]
    TwoManifests,
    /// It needs something that this release doesn't have.
    #[error("it needs the grant `{0}`, which this release doesn't offer")]
    NotOffered(String),
    /// It imports something that no policy gets.
    #[error("it imports `{0}`, which no policy is given")]
    UnknownImport(String),
    /// It calls what a later version of the contract has.
    #[error(
        "it calls `{function}` of witgate:policy/{interface}, which this gateway hasn't: it was built against a newer contract than {CONTRACT} as it is here; \
         run a newer gateway, or build it against the contract of this one"
    )]
    Newer {
        /// The contract's interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// An import or export has another shape than the contract's.
    #[error("it doesn't fit the contract: {0:#}")]
    Misfit(#[source] wasmtime::Error),
    /// Not the component that was pinned.
    #[error(
        "its digest is {found}, and the configuration pins {pinned}; if the change is meant, change the pin"
    )]
    WrongDigest {
        /// What the file has.
        found: String,
        /// What the configuration says.
        pinned: String,
    },
    /// It failed before it could be asked anything.
    #[error("it failed in {step}: {failure}")]
    Failed {
        /// `start`, `describe` or `configure`.
        step: &'static str,
        /// How.
        #[source]
        failure: Failure,
    },
    /// Its settings aren't what its schema says.
    #[error("{}", settings(.id, .mismatches))]
    Settings {
        /// The stage.
        id: String,
        /// All that is wrong with them.
        mismatches: Vec<Mismatch>,
    },
    /// The policy says no to its configuration.
    #[error("it refuses its configuration (policy.{id}): {why}")]
    Refused {
        /// The stage.
        id: String,
        /// The policy's own words.
        why: String,
    },
    /// What it says it looks out for can't be looked out for.
    #[error(
        "the interest that the policy `{policy}` declares can't be used: {why}; with settings that ask for less it may be another, else tell its author"
    )]
    Interest {
        /// The policy's own name.
        policy: String,
        /// What is wrong with it.
        #[source]
        why: BadInterest,
    },
    /// An empty exchange fails on the configured component.
    #[error("it was configured, and then failed an empty exchange in {hook}: {failure}")]
    SelfTest {
        /// Which hook.
        hook: &'static str,
        /// How.
        #[source]
        failure: Failure,
    },
}

fn settings(id: &str, mismatches: &[Mismatch]) -> String {
    let sentence = |it: &Mismatch| {
        // An unknown key is named by the sentence.
        let path = &it.path[..it.path.len() - usize::from(it.on_key)];
        let mut place = format!("policy.{id}");
        for part in path {
            place += &match part {
                Part::Key(key) => format!(".{key}"),
                Part::Index(index) => format!("[{index}]"),
            };
        }
        format!("{place}: {}", it.message)
    };
    let sentences: Vec<String> = mismatches.iter().map(sentence).collect();
    format!("its settings don't fit: {}", sentences.join("; "))
}

/// An author's reason, within a sentence.
fn because(why: &Option<String>) -> String {
    let why = why
        .as_ref()
        .map(|why| format!(" (its author says why: {why})"));
    why.unwrap_or_default()
}

impl LoadError {
    pub(super) fn stuck(stuck: Stuck) -> LoadError {
        LoadError::Stuck(stuck.to_string())
    }
}
