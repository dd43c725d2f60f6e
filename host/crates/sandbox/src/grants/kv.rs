//! The grant `kv`: values that expire.

use std::collections::HashMap;

use super::super::bindings::wit::kv as wit;
use super::super::failure::Misused;
use super::Call;
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

impl Call<'_, State> {
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

impl wit::Host for Call<'_, State> {
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
    async fn put_new(
        &mut self,
        key: String,
        value: String,
        ttl_seconds: u32,
    ) -> wasmtime::Result<Result<bool, String>> {
        if let Err(refused) = self.counted()? {
            return Ok(Err(refused));
        }
        let Some(store) = &self.state.store else {
            let is_new = !self.state.own.contains_key(&key);
            if is_new && ttl_seconds > 0 {
                self.state.own.insert(key, value);
            }
            return Ok(Ok(is_new));
        };
        let put = store.put_new(self.name(key), value, ttl_seconds).await;
        Ok(put.map_err(|refused| refused.to_string()))
    }
}
