//! The interface `outcome`: how the exchange ended, for `on-complete` alone.

use super::super::bindings::wit;
use super::super::guest::Guest;
use super::super::types::{Account, Ending, Usage};

impl wit::outcome::Host for Guest {
    fn ended(&mut self) -> wasmtime::Result<Ending> {
        Ok(self.exchange.outcome()?.ended)
    }

    fn model(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.exchange.outcome()?.model.clone())
    }

    fn target(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.exchange.outcome()?.target.clone())
    }

    fn status(&mut self) -> wasmtime::Result<Option<u16>> {
        Ok(self.exchange.outcome()?.status)
    }

    fn finish_reasons(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.exchange.outcome()?.finish_reasons.clone())
    }

    fn tokens(&mut self) -> wasmtime::Result<Option<Usage>> {
        Ok(self.exchange.outcome()?.tokens)
    }

    fn cost_micros(&mut self) -> wasmtime::Result<Option<u64>> {
        Ok(self.exchange.outcome()?.cost_micros)
    }

    fn stages(&mut self) -> wasmtime::Result<Vec<Account>> {
        Ok(self.exchange.outcome()?.stages.clone())
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.exchange.outcome()?.tags.clone())
    }

    fn deltas(&mut self) -> wasmtime::Result<u64> {
        Ok(self.exchange.outcome()?.deltas)
    }

    fn sent_bytes(&mut self) -> wasmtime::Result<u64> {
        Ok(self.exchange.outcome()?.sent_bytes)
    }

    fn first_delta_us(&mut self) -> wasmtime::Result<Option<u64>> {
        Ok(self.exchange.outcome()?.first_delta_us)
    }

    fn total_us(&mut self) -> wasmtime::Result<u64> {
        Ok(self.exchange.outcome()?.total_us)
    }
}
