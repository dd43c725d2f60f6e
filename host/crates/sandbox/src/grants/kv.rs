//! The grant `kv`: values that expire.

use std::collections::HashMap;

use wasmtime::component::{HasData, Linker};

use super::super::bindings::wit::kv as wit;
use super::super::failure::Misused;
use super::{GrantCaller, GrantHost};
use witgate_state::{Name, StateStore};

/// Calls of one stage in one exchange.
const CALLS: u32 = 64;

/// Where values are kept.
pub(super) type Backend = StateStore;

/// What is kept for one exchange.
#[derive(Default)]
pub(crate) struct State {
    /// `None` where nothing is kept: in the self-test and in samples. Then values are those of the exchange.
    store: Option<StateStore>,
    own: HashMap<String, String>,
    calls: u32,
}

impl State {
    pub(super) fn new(backend: Option<&Backend>) -> Self {
        State {
            store: backend.cloned(),
            ..State::default()
        }
    }
}

/// One call of the interface.
struct Call<'a> {
    caller: GrantCaller<'a>,
    state: &'a mut State,
}

struct HasCall;

impl HasData for HasCall {
    type Data<'a> = Call<'a>;
}

pub(super) fn link<T: GrantHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wit::add_to_linker::<T, HasCall>(linker, |guest| {
        let (caller, states) = guest.grants();
        let state = &mut states.kv;
        Call { caller, state }
    })
}

impl Call<'_> {
    /// Counts a call. `Err`: it may not be made, for ever or any more.
    fn counted(&mut self) -> wasmtime::Result<Result<(), String>> {
        if self.caller.request.is_none() {
            return Err(Misused("used `kv` while being configured".into()).into());
        }
        self.state.calls += 1;
        if self.state.calls > CALLS {
            return Ok(Err(format!(
                "an exchange takes no more than {CALLS} calls of `kv` of one stage"
            )));
        }
        Ok(Ok(()))
    }

    fn name(&self, key: String) -> Name {
        Name {
            owner: self.caller.stage.clone(),
            key,
        }
    }
}

impl wit::Host for Call<'_> {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, String>> {
        if let Err(refused) = self.counted()? {
            return Ok(Err(refused));
        }
        let Some(store) = &self.state.store else {
            return Ok(Ok(self.state.own.get(&key).cloned()));
        };
        let value = store.get(self.name(key)).await;
        Ok(value.map_err(|refused| refused.to_string()))
    }

    async fn put(
        &mut self,
        key: String,
        value: String,
        ttl_seconds: u32,
    ) -> wasmtime::Result<Result<(), String>> {
        if let Err(refused) = self.counted()? {
            return Ok(Err(refused));
        }
        let Some(store) = &self.state.store else {
            if ttl_seconds == 0 {
                self.state.own.remove(&key);
            } else {
                self.state.own.insert(key, value);
            }
            return Ok(Ok(()));
        };
        let put = store.put(self.name(key), value, ttl_seconds).await;
        Ok(put.map_err(|refused| refused.to_string()))
    }
}
