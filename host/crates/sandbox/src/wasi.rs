//! The little that a guest gets of WASI: what it prints becomes log lines, and while it is configured nothing moves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, async_trait};

use super::limits::LOG_LINES;
use super::text::printable;

/// Bytes that one instance may print; what comes after is dropped.
const PRINTED: usize = 16 << 10;

/// Standard output and error of an instance: collected, and logged when the instance ends.
#[derive(Clone)]
pub(super) struct Printed(Arc<Page>);

struct Page {
    stage: Arc<str>,
    /// The id of the exchange's request, if it serves one.
    request: Option<Box<str>>,
    text: Mutex<Vec<u8>>,
}

impl Printed {
    pub(super) fn new(stage: &Arc<str>, request: Option<&str>) -> Self {
        Printed(Arc::new(Page {
            stage: stage.clone(),
            request: request.map(Into::into),
            text: Mutex::new(Vec::new()),
        }))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let text = self.text.get_mut();
        let request = self.request.as_deref();
        let text = String::from_utf8_lossy(text);
        for line in text.lines().take(LOG_LINES as usize) {
            tracing::info!(target: "policy", stage = %self.stage, request, "printed: {}", printable(line));
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    /// Not used: the stream that preview 2 asks for is below, and needs no task.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut text = self.0.text.lock();
        let room = PRINTED.saturating_sub(text.len()).min(bytes.len());
        text.extend_from_slice(&bytes[..room]);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(4096)
    }
}

/// Clocks that stand still.
pub(super) struct Frozen;

impl Frozen {
    pub(super) fn random(seed: [u8; 32]) -> Deterministic {
        Deterministic::new(seed.to_vec())
    }
}

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
