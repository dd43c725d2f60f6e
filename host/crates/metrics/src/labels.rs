//! The closed sets of label values. Each is an index into an array of counters, so counting needs no look-up.

/// A closed set of label values.
pub(super) trait Label: Copy + 'static {
    /// Every value, in the order of its index.
    const ALL: &'static [Self];
    /// The place in [`Label::ALL`].
    fn index(self) -> usize;
    /// The word in the metric's text.
    fn word(self) -> &'static str;
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$value_doc])* $value),+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value),+];
            #[inline]
            fn index(self) -> usize { self as usize }
            fn word(self) -> &'static str { self.as_str() }
        }

        impl $name {
            /// The word used in metrics, logs and headers.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    };
}

labels! {
    /// A policy's verdict on a request.
    VerdictKind {
        /// The policy let the request go on.
        Proceed = "proceed",
        /// The policy denied the request.
        Deny = "deny",
        /// The policy answered in the model's place.
        Respond = "respond",
        /// The policy wasn't asked: there was nothing of its interest.
        Clear = "clear",
    }
}

labels! {
    /// A policy's edit of a delta, or at the end of a passage.
    EditKind {
        /// The policy let the text go as it came.
        Forward = "forward",
        /// The policy held the text back.
        Hold = "hold",
        /// The policy replaced the text.
        Replace = "replace",
        /// The policy denied the choice.
        Deny = "deny",
        /// The policy ended the choice with what it had.
        Finish = "finish",
    }
}

labels! {
    /// The hook of a policy that was called.
    Hook {
        /// Making the instance and its `exchange`.
        New = "new",
        /// `on-request`.
        OnRequest = "on-request",
        /// `on-answer`.
        OnAnswer = "on-answer",
        /// A passage's `on-delta`.
        OnDelta = "on-delta",
        /// A passage's `on-end`.
        OnEnd = "on-end",
        /// `on-complete`.
        OnComplete = "on-complete",
    }
}

labels! {
    /// Why a call of a policy failed.
    FailureClass {
        /// Its budget of CPU or wall-clock time was spent.
        Deadline = "deadline",
        /// It wanted more memory than its limit.
        Memory = "memory",
        /// It trapped: a panic, an unreachable, an access out of bounds.
        Trap = "trap",
        /// It overflowed its stack.
        Stack = "stack",
        /// Its result breaks the contract.
        Output = "output",
        /// It called the host at the wrong time or with an impossible argument.
        Misuse = "misuse",
        /// The gateway could not run it.
        Host = "host",
        /// It wasn't called: its breaker is open.
        Breaker = "breaker",
        /// It wasn't called: its chain's time to drain is over.
        Drained = "drained",
    }
}

labels! {
    /// Why an exchange was sent to the next target.
    Failover {
        /// No connection could be made.
        Connect = "connect",
        /// The first byte didn't come in time, or no byte came for too long.
        Timeout = "timeout",
        /// Status 429.
        RateLimited = "rate-limited",
        /// A status of 500 or more.
        Server = "server",
        /// The connection or the answer broke off.
        Broken = "broken",
    }
}

labels! {
    /// What came of a request that a policy made by the grant `http`.
    HttpOutcome {
        /// There was a reply, whatever its status.
        Replied = "replied",
        /// It may not be asked.
        Refused = "refused",
        /// The time was over.
        Late = "late",
        /// The reply was too large.
        TooLarge = "too_large",
        /// It couldn't be reached, or said something that can't be shown.
        Failed = "failed",
    }
}

labels! {
    /// What was asked of the traffic listener.
    Endpoint {
        /// `POST /v1/chat/completions`.
        Chat = "chat",
        /// `POST /v1/completions`.
        Completions = "completions",
        /// `POST /v1/actions/text-completion`.
        Action = "action",
        /// `POST /anthropic/v1/messages`.
        Messages = "messages",
        /// `POST /anthropic/v1/messages/count_tokens`.
        CountTokens = "count_tokens",
        /// `POST /v1/responses`.
        Responses = "responses",
        /// `GET /v1/models` and `GET /v1/models/{id}`, in any form.
        Models = "models",
        /// `GET /v1/tcp_warming`.
        Warming = "warming",
        /// Every other path.
        Other = "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices_match<L: Label + PartialEq + std::fmt::Debug>() {
        for (at, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.index(), at, "{label:?}");
        }
    }

    #[test]
    fn every_index_is_its_place() {
        indices_match::<VerdictKind>();
        indices_match::<EditKind>();
        indices_match::<Hook>();
        indices_match::<FailureClass>();
        indices_match::<HttpOutcome>();
        indices_match::<Failover>();
        indices_match::<Endpoint>();
    }
}
