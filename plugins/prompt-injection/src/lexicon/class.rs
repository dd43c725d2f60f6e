//! What a word does in a sentence: one bit each.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident,)*) => { classes!(@ 0u32; $($(#[$doc])* $name,)*); };
    (@ $bit:expr; $(#[$doc:meta])* $name:ident, $($rest:tt)*) => {
        $(#[$doc])* pub(crate) const $name: u64 = 1 << ($bit);
        classes!(@ $bit + 1; $($rest)*);
    };
    (@ $bit:expr;) => {};
}

classes! {
    /// Sets something aside: ignore, forget.
    DROP,
    /// With [`DROP`]: a verb that sets other things aside as often.
    MILD,
    /// Says that something no longer holds.
    VOID,
    /// Before this: previous, above.
    PRIOR,
    /// The model's own: your, system.
    OWN,
    /// With [`OWN`]: your.
    YOURS,
    /// An adjective of instructions that says little.
    ADJECTIVE,
    /// With [`ADJECTIVE`]: of what keeps a model safe.
    SAFETY,
    /// That the model was given.
    GIVEN,
    /// All of them.
    ALL,
    /// All there is.
    EVERYTHING,
    /// Instructions, prompts.
    RULES,
    /// With [`RULES`]: a word that means other things as often.
    SOFT,
    /// The speaker's own: my, I said.
    MINE,
    /// What to do in place of it.
    INSTEAD,
    /// Announces new instructions.
    NEWRULES,
    /// Brings out: print, tell me.
    REVEAL,
    /// With [`REVEAL`]: brings out what is secret.
    STRONG,
    /// Asks what something is.
    ASK,
    /// The system prompt by one of its names.
    SYSPROMPT,
    /// The text above.
    ABOVE,
    /// To the letter.
    VERBATIM,
    /// Gives the model a part to play.
    ASSUME,
    /// A part without restrictions.
    PERSONA,
    /// Developer mode and its kin.
    DEVMODE,
    /// The name.
    DAN,
    /// The model, addressed.
    AINAME,
    /// Forbids refusing.
    REFUSE,
    /// Obey, execute.
    OBEY,
    /// Decode.
    DECODE,
    /// Must, please, do not.
    MUST,
    /// A mark between turns that no prose has.
    MARKER,
    /// One that prose and code have too.
    WEAK,
    /// Talk about chat templates.
    TOKENTALK,
    /// Begins an image.
    IMAGE,
    /// Sends.
    SEND,
    /// The conversation as data.
    CHAT,
    /// Credentials.
    SECRETS,
    /// Files that hold credentials.
    PATHS,
    /// Somewhere else.
    DEST,
    /// Behind the user's back.
    COVERT,
    /// Speaks to whichever model reads this.
    ADDRESS,
    /// Talk about attacks.
    TOPIC,
    /// Announces an example or a quotation.
    FRAME,
    /// Tells what others do.
    REPORTED,
    /// Asks how or why.
    QUESTION,
    /// Negates.
    NOT,
}

/// Classes that a signal starts from.
const STARTS: u64 = DROP
    | VOID
    | NEWRULES
    | SYSPROMPT
    | ABOVE
    | PERSONA
    | DEVMODE
    | DAN
    | REFUSE
    | DECODE
    | MARKER
    | WEAK
    | IMAGE
    | CHAT
    | SECRETS
    | PATHS
    | COVERT
    | ADDRESS;

/// True if a signal may start from a word of these classes.
pub(crate) fn is_trigger(classes: u64) -> bool {
    classes & STARTS != 0 || classes & (RULES | SOFT) == RULES
}
