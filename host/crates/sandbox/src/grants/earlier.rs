//! The grants of the contract 0.1.0: each call is the present one's.

use super::super::bindings::wit as now;
use super::super::earlier::wit;
use super::{Call, counters, http, journal, kv};

impl wit::journal::Host for Call<'_, journal::State> {
    async fn append(&mut self, entry: String) -> wasmtime::Result<Result<(), String>> {
        now::journal::Host::append(self, entry).await
    }
}

impl wit::counters::Host for Call<'_, counters::State> {
    async fn add(
        &mut self,
        key: String,
        amount: i64,
        window_seconds: u32,
    ) -> wasmtime::Result<Result<i64, String>> {
        now::counters::Host::add(self, key, amount, window_seconds).await
    }

    async fn take(
        &mut self,
        key: String,
        amount: i64,
        window_seconds: u32,
        most: i64,
    ) -> wasmtime::Result<Result<Option<i64>, String>> {
        now::counters::Host::take(self, key, amount, window_seconds, most).await
    }
}

impl wit::kv::Host for Call<'_, kv::State> {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, String>> {
        now::kv::Host::get(self, key).await
    }

    async fn put(
        &mut self,
        key: String,
        value: String,
        ttl_seconds: u32,
    ) -> wasmtime::Result<Result<(), String>> {
        now::kv::Host::put(self, key, value, ttl_seconds).await
    }

    async fn put_new(
        &mut self,
        key: String,
        value: String,
        ttl_seconds: u32,
    ) -> wasmtime::Result<Result<bool, String>> {
        now::kv::Host::put_new(self, key, value, ttl_seconds).await
    }
}

impl wit::http::Host for Call<'_, http::State> {
    async fn send(
        &mut self,
        call: wit::http::Call,
    ) -> wasmtime::Result<Result<wit::http::Reply, String>> {
        let call = now::http::Call {
            method: call.method,
            url: call.url,
            headers: call.headers,
            body: call.body,
            timeout_ms: call.timeout_ms,
        };
        let reply = now::http::Host::send(self, call).await?;
        Ok(reply.map(|reply| wit::http::Reply {
            status: reply.status,
            headers: reply.headers,
            body: reply.body,
        }))
    }
}
