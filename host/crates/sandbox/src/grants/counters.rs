//! The grant `counters`: sums in windows of time.

use std::collections::HashMap;

use super::super::bindings::wit::counters as wit;
use super::super::failure::Misused;
use super::Call;
use witgate_state::{Refused, StateStore, Sum};

/// Calls of one stage in one exchange.
const CALLS: u32 = 256;

/// Where sums are kept.
pub(super) type Backend = StateStore;

/// What is kept for one exchange.
#[derive(Default)]
pub(crate) struct State {
    /// `None` where nothing is kept: in the self-test and in samples. Then sums are those of the exchange.
    store: Option<StateStore>,
    own: HashMap<(String, u32), i64>,
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
    async fn taken(
        &mut self,
        key: String,
        amount: i64,
        window: u32,
        most: i64,
    ) -> wasmtime::Result<Result<Option<i64>, String>> {
        let Some(request) = self.caller.request else {
            return Err(Misused("counted while being configured".into()).into());
        };
        self.state.calls += 1;
        if self.state.calls > CALLS {
            return Ok(Err(format!(
                "an exchange takes no more than {CALLS} calls of `counters` of one stage"
            )));
        }
        let Some(store) = &self.state.store else {
            let sum = self.state.own.entry((key, window)).or_default();
            let to = sum.saturating_add(amount);
            if amount > 0 && to > most {
                return Ok(Ok(None));
            }
            *sum = to;
            return Ok(Ok(Some(to)));
        };
        let sum = Sum {
            owner: self.caller.stage.clone(),
            key,
            window,
            at: request.received_at(),
        };
        let taken = store.take(sum, amount, most).await;
        Ok(taken.map_err(|refused| refused.to_string()))
    }
}

impl wit::Host for Call<'_, State> {
    async fn add(
        &mut self,
        key: String,
        amount: i64,
        window_seconds: u32,
    ) -> wasmtime::Result<Result<i64, String>> {
        let taken = self.taken(key, amount, window_seconds, i64::MAX).await?;
        Ok(taken.and_then(|sum| sum.ok_or_else(|| Refused::Amount.to_string())))
    }

    async fn take(
        &mut self,
        key: String,
        amount: i64,
        window_seconds: u32,
        most: i64,
    ) -> wasmtime::Result<Result<Option<i64>, String>> {
        self.taken(key, amount, window_seconds, most).await
    }
}
