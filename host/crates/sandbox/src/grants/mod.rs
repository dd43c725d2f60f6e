//! What a stage may import beside the contract's own interfaces, where its configuration grants it.
//!
//! A grant is one file, named as its interface: what it keeps for one exchange, its limits, and the functions that guests call, as an
//! implementation of the interface by [`Call`]. The list at the end of this file is all that is to be said of it elsewhere in the sandbox.
//!
//! What must stay true: a guest that a stage wasn't granted something for is never linked to it, and a granted function sees the
//! [`GrantCaller`] and its own state, nothing more.

mod earlier;

use std::marker::PhantomData;
use std::sync::Arc;

use wasmtime::component::{HasData, Linker};

pub use self::http::{HttpBackend, ScriptedReply};
use super::bindings::wit;
use super::earlier::wit as then;
use super::outcome::Outcome;
use super::request::RequestView;
use witgate_config::Grant;

/// On whose behalf a granted function is called.
pub(super) struct GrantCaller<'a> {
    /// The id of the stage.
    stage: &'a Arc<str>,
    /// The request of the exchange. `None` while the component is being configured.
    request: Option<&'a dyn RequestView>,
    /// What came of the exchange, in `on-complete`.
    outcome: Option<&'a Outcome>,
}

impl<'a> GrantCaller<'a> {
    pub(super) fn new(
        stage: &'a Arc<str>,
        request: Option<&'a dyn RequestView>,
        outcome: Option<&'a Outcome>,
    ) -> Self {
        GrantCaller {
            stage,
            request,
            outcome,
        }
    }
}

/// The data of a store in which grants may be used.
pub(super) trait GrantHost: Send + 'static {
    /// Who calls, and what the grants keep for the exchange.
    fn grants(&mut self) -> (GrantCaller<'_>, &mut GrantStates);
}

/// One call of a grant's interface: who calls, and what the grant keeps for the exchange.
struct Call<'a, S> {
    caller: GrantCaller<'a>,
    state: &'a mut S,
}

/// Tells the linker that such a [`Call`] is made of the store's data.
struct HasCall<S>(PhantomData<S>);

impl<S: 'static> HasData for HasCall<S> {
    type Data<'a> = Call<'a, S>;
}

macro_rules! grants {
    ($($grant:ident => $file:ident),+ $(,)?) => {
        $(mod $file;)+

        /// What stands behind each grant, as serving knows it. `None`: whoever has the grant may call, and nothing is kept.
        #[derive(Clone, Debug, Default)]
        pub struct GrantBackends {
            $(
                #[doc = concat!("Behind the grant `", stringify!($file), "`.")]
                pub $file: Option<$file::Backend>,
            )+
        }

        impl GrantBackends {
            /// Those that a stage with these grants is given.
            pub(super) fn granted(&self, grants: &[Grant]) -> Self {
                GrantBackends {
                    $($file: self.$file.clone().filter(|_| grants.contains(&Grant::$grant)),)+
                }
            }
        }

        /// What each grant keeps for one exchange of one stage.
        #[derive(Default)]
        pub(super) struct GrantStates {
            $(pub(super) $file: $file::State,)+
        }

        impl GrantStates {
            /// At the beginning of an exchange.
            pub(super) fn new(backends: &GrantBackends) -> Self {
                GrantStates {
                    $($file: $file::State::new(backends.$file.as_ref()),)+
                }
            }
        }

        /// Links what that grant allows.
        pub(super) fn link<T: GrantHost>(
            grant: Grant,
            linker: &mut Linker<T>,
        ) -> wasmtime::Result<()> {
            match grant {
                $(Grant::$grant => {
                    fn call<T: GrantHost>(guest: &mut T) -> Call<'_, $file::State> {
                        let (caller, states) = guest.grants();
                        let state = &mut states.$file;
                        Call { caller, state }
                    }
                    wit::$file::add_to_linker::<T, HasCall<$file::State>>(linker, call)?;
                    then::$file::add_to_linker::<T, HasCall<$file::State>>(linker, call)
                })+
            }
        }
    };
}

grants! {
    Journal => journal,
    Counters => counters,
    Kv => kv,
    Http => http,
}
