//! Small policies, each of one idea, each a file that could be a crate's `lib.rs`: `docs/authors/cookbook.md` shows them.

/// A component is one policy, so in the sandbox a feature says which. Natively they stand beside each other.
macro_rules! recipes {
    ($($name:ident = $feature:literal),+ $(,)?) => {
        $(
            #[cfg(any(not(target_family = "wasm"), feature = $feature))]
            pub mod $name;
        )+
    };
}

recipes! {
    canary = "canary",
    canned = "canned",
    codenames = "codenames",
    empty = "empty",
    experiment = "experiment",
    ledger = "ledger",
    model = "model",
    note = "note",
    once = "once",
    roles = "roles",
    sampling = "sampling",
    shapes = "shapes",
    stop = "stop",
    targets = "targets",
    tickets = "tickets",
    tools = "tools",
    watermark = "watermark",
}
