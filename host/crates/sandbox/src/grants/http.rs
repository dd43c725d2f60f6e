//! The grant `http`: requests to hosts that the configuration names.

use std::sync::Arc;

use super::super::bindings::wit::http as wit;
use super::super::failure::Misused;
use super::Call;
use witgate_outbound::{Call as Asked, NoReply, Outbound, Reply, check};

/// Calls of one stage in one exchange that is a sample's.
const CALLS: u32 = 256;

/// The target of the line here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::http";

/// Who replies.
#[derive(Clone, Debug)]
pub enum HttpBackend {
    /// The hosts that the configuration names.
    Hosts(Outbound),
    /// A sample: nothing reaches the network.
    Script(Arc<[ScriptedReply]>),
}

/// A reply that a sample has.
#[derive(Clone, Debug, Default)]
pub struct ScriptedReply {
    /// What the address ends with that it is a reply to. Any, where it is empty.
    pub url: String,
    /// What stands in the body of what it is a reply to. Anything, where it is empty.
    pub contains: String,
    /// What comes.
    pub reply: Reply,
}

/// Who replies.
pub(super) type Backend = HttpBackend;

/// What is kept for one exchange.
#[derive(Default)]
pub(crate) struct State {
    /// `None` in the self-test: nobody replies.
    backend: Option<HttpBackend>,
    calls: u32,
}

impl State {
    pub(super) fn new(backend: Option<&Backend>) -> Self {
        State {
            backend: backend.cloned(),
            calls: 0,
        }
    }
}

impl wit::Host for Call<'_, State> {
    async fn send(&mut self, call: wit::Call) -> wasmtime::Result<Result<wit::Reply, String>> {
        let Some(request) = self.caller.request else {
            return Err(Misused("asked a host while being configured".into()).into());
        };
        self.state.calls += 1;
        let most = match &self.state.backend {
            Some(HttpBackend::Hosts(hosts)) => hosts.config().calls,
            _ => CALLS,
        };
        let call = Asked {
            method: call.method,
            url: call.url,
            headers: call.headers,
            body: call.body,
            timeout_ms: call.timeout_ms,
        };
        let came = if self.state.calls > most {
            Err(NoReply::Refused(format!(
                "an exchange takes no more than {most} calls of `http` of one stage"
            )))
        } else {
            match &self.state.backend {
                Some(HttpBackend::Hosts(hosts)) => hosts.send(call).await,
                Some(HttpBackend::Script(replies)) => scripted(replies, &call),
                None => Err(NoReply::Failed("nobody replies in the self-test".into())),
            }
        };
        if let (Err(why), Some(HttpBackend::Hosts(_))) = (&came, &self.state.backend)
            // One line for all calls that are too many.
            && self.state.calls <= most.saturating_add(1)
        {
            let stage = &**self.caller.stage;
            tracing::warn!(
                target: TARGET,
                stage, request = request.id(),
                principal = request.principal(), team = request.team(), roles = request.roles_for_log(),
                "a policy's request got no reply: {why}"
            );
        }
        Ok(came.map(shown).map_err(|why| why.to_string()))
    }
}

/// The first reply of a sample to such a call.
fn scripted(replies: &[ScriptedReply], call: &Asked) -> Result<Reply, NoReply> {
    check(call)?;
    let body = String::from_utf8_lossy(&call.body);
    let mut replies = replies.iter();
    let reply = replies.find(|it| call.url.ends_with(&it.url) && body.contains(&it.contains));
    let reply = reply.map(|it| it.reply.clone());
    reply.ok_or_else(|| NoReply::Failed("the sample has no reply to this".into()))
}

fn shown(reply: Reply) -> wit::Reply {
    wit::Reply {
        status: reply.status,
        headers: reply.headers,
        body: reply.body,
    }
}
