//! The gateway as the listeners see it: each request is given to what answers it.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::api::headers::ESTIMATED;
use crate::api::{
    ApiError, Caller, Charge, ModelsAsked, NotAdmitted, Permit, RequestId, Unauthorized,
};
use crate::config::AdminRole;
use crate::control::{BuildError, Controller, ReloadError, Reloaded, Trigger};
use crate::exchange;
use crate::server::{self, ChatRequest, Packing};
use crate::wire::json::BadRequest;
use crate::wire::packed::{self, Unpacked};
use crate::wire::{Endpoint, messages};

/// What the listeners are given.
pub struct App(pub Arc<Controller>);

impl server::Gateway for App {
    async fn chat(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Chat, admitted).await
    }

    async fn complete(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Completions, admitted).await
    }

    async fn act(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Action, admitted).await
    }

    async fn respond(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Responses, admitted).await
    }

    async fn message(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Messages, admitted).await
    }

    async fn count_tokens(&self, mut admitted: ChatRequest) -> Response {
        match self.read(&mut admitted, messages::count).await {
            Ok(tokens) => {
                let headers = [(ESTIMATED, HeaderValue::from_static("input_tokens"))];
                let body = serde_json::json!({ "input_tokens": tokens });
                (headers, axum::Json(body)).into_response()
            }
            Err(error) => error.into_response(),
        }
    }

    fn takes_requests(&self) -> Result<(), ApiError> {
        self.0.takes_requests().map_err(|why| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let error = ApiError::new(status, "unavailable", "journal_failed", why);
            error.retry_after(5)
        })
    }

    async fn models(
        &self,
        asked: ModelsAsked<'_>,
        caller: &Caller,
        permit: &mut Permit,
    ) -> Response {
        let generation = self.0.current();
        let targets = generation.targets();
        match targets.models(asked, caller, &mut permit.charge).await {
            Ok(answer) => answer.map(Body::from),
            Err(error) => error.into_response(),
        }
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        self.0.authenticate(headers).await
    }

    fn admit(
        &self,
        headers: &HeaderMap,
        takes: AdminRole,
    ) -> Result<Option<Arc<str>>, NotAdmitted> {
        self.0.current().door().admins().admit(headers, takes)
    }

    fn count(&self) {
        self.0.count();
    }

    fn status(&self) -> serde_json::Value {
        self.0.describe()
    }

    async fn reload(&self) -> Result<serde_json::Value, ApiError> {
        let controller = self.0.clone();
        let reload = async move { controller.reload(Trigger::Operator).await };
        Ok(self.result(match to_its_end(reload).await? {
            Reloaded::Swapped(_) => "swapped",
            Reloaded::Unchanged => "unchanged",
        }))
    }

    async fn roll_back(&self) -> Result<serde_json::Value, ApiError> {
        let controller = self.0.clone();
        to_its_end(async move { controller.roll_back().await }).await?;
        Ok(self.result("rolled-back"))
    }

    async fn check(&self) -> serde_json::Value {
        let current = self.0.current();
        let checks = current.targets().check().await;
        serde_json::json!({
            "ok": checks.iter().all(|check| check.ok()),
            "generation": current.number(),
            "targets": checks.iter().map(|check| check.to_json()).collect::<Vec<_>>(),
            "warnings": current.targets().warnings(),
        })
    }

    fn ready(&self) -> Result<(), String> {
        self.0.ready()
    }
}

impl App {
    /// Runs the exchange of a request that came to that endpoint.
    async fn exchange(&self, endpoint: Endpoint, mut admitted: ChatRequest) -> Response {
        let read = self.read(&mut admitted, move |body| endpoint.read(body));
        let request = match read.await {
            Ok(request) => request,
            Err(error) => return error.into_response(),
        };
        if let Err(error) = admitted.caller.may_ask(request.model()) {
            return error.into_response();
        }
        let generation = self.0.current();
        if let Some(pointer) = request.opaque_part()
            && generation.refuses_opaque_parts()
        {
            return opaque_part(pointer).into_response();
        }
        let parts = admitted.parts;
        let id = parts.extensions.get::<RequestId>().cloned();
        let begin = exchange::Begin {
            id: id.unwrap_or_else(RequestId::random),
            caller: admitted.caller,
            party: admitted.party,
            headers: parts.headers,
            request,
            began: admitted.began,
            permit: admitted.permit,
        };
        let metrics = self.0.services().metrics.clone();
        exchange::begin(generation, metrics, self.0.tasks(), begin).await
    }

    /// Reads a request: a large one in a turn, and off the workers, for which others wait; so too one that may become large when it is
    /// unpacked.
    async fn read<T: Send + 'static>(
        &self,
        admitted: &mut ChatRequest,
        read: impl FnOnce(Bytes) -> Result<T, BadRequest> + Send + 'static,
    ) -> Result<T, ApiError> {
        let body = mem::take(&mut admitted.body);
        let bytes = body.len() as u64;
        self.0.services().metrics.request_bytes.inc_by(bytes);
        let (packing, most) = (admitted.packing, admitted.most);
        let weight = if packing.is_any() { most as u64 } else { bytes };
        let charge = mem::replace(&mut admitted.permit.charge, Charge::unbound());
        let work = move || {
            let (body, charge) = unpacked(packing, body, most, charge)?;
            let request = read(body).map_err(|bad| bad_request(bad.message).param(bad.param))?;
            Ok::<_, ApiError>((request, charge))
        };
        let (request, charge) = admitted.permit.turns.aside(weight, work).await?;
        admitted.permit.charge = charge;
        Ok(request)
    }

    /// What a change came to, and what runs now.
    fn result(&self, result: &str) -> serde_json::Value {
        let current = self.0.current();
        serde_json::json!({
            "result": result,
            "generation": current.number(),
            "chain": current.name(),
        })
    }
}

/// Runs a change on a task of its own: its client may go away, and a change that has begun must be finished.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ReloadError>> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(BuildError::Broken(error).into()))
        .map_err(|error| refused(&error))
}

/// The JSON in a body, and what it has of the memory: what was packed is given back.
fn unpacked(
    packing: Packing,
    mut body: Bytes,
    most: usize,
    mut charge: Charge,
) -> Result<(Bytes, Charge), ApiError> {
    if !packing.gzip && packed::is_gzip(&body) {
        let message =
            "the body is gzip, and nothing says so; send it with `content-encoding: gzip`";
        return Err(bad_request(message));
    }
    type Unpack = fn(
        &[u8],
        usize,
        &mut dyn FnMut(usize) -> Result<(), ApiError>,
    ) -> Result<Vec<u8>, Unpacked<ApiError>>;
    let steps: [(bool, Unpack); 2] = [
        (packing.gzip, packed::gunzip),
        (packing.msgpack, packed::json_of_msgpack),
    ];
    for (_, unpack) in steps.into_iter().filter(|(is, _)| *is) {
        let mut own = charge.another();
        let unpacked = unpack(&body, most, &mut |bytes| own.grow(bytes));
        body = unpacked.map_err(|why| wrongly_packed(why, most))?.into();
        charge = own;
    }
    Ok((body, charge))
}

/// Why a body can't be unpacked.
fn wrongly_packed(why: Unpacked<ApiError>, most: usize) -> ApiError {
    match why {
        Unpacked::NoRoom(error) => error,
        Unpacked::Bad(why) => bad_request(why),
        Unpacked::TooLarge => {
            let message = format!(
                "Unpacked, the request's body is larger than the {most} bytes that this gateway takes."
            );
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            ApiError::new(status, INVALID, "request_too_large", message).param("body")
        }
    }
}

fn bad_request(why: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, INVALID, "wrong_api_format", why)
}

const INVALID: &str = "invalid_request_error";

/// Why a request with something that no policy can read doesn't go on.
fn opaque_part(pointer: &str) -> ApiError {
    let message = format!(
        "`{pointer}` is no text, so the policies of this gateway can't read it; send text, or let its operator set `requests: {{opaque_parts: pass}}`"
    );
    let (kind, code) = ("invalid_request_error", "opaque_part");
    ApiError::new(StatusCode::BAD_REQUEST, kind, code, message).param(pointer.to_owned())
}

/// Why nothing changed.
fn refused(error: &ReloadError) -> ApiError {
    let (status, code) = match error {
        ReloadError::Config(_) => (StatusCode::UNPROCESSABLE_ENTITY, "wrong_configuration"),
        ReloadError::Build(_) => (StatusCode::UNPROCESSABLE_ENTITY, "cannot_be_built"),
        ReloadError::Again(_) => (StatusCode::CONFLICT, "failed_before"),
        ReloadError::NothingBefore => (StatusCode::CONFLICT, "nothing_before"),
    };
    ApiError::new(status, "reload_error", code, error.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;
    use crate::api::{Memory, Party, Share};

    /// A string of zero bytes, in MessagePack and gzip.
    fn packed_zeros(length: u32) -> Bytes {
        let mut packed = vec![0xdb];
        packed.extend(length.to_be_bytes());
        packed.resize(packed.len() + length as usize, 0);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&packed).unwrap();
        gzip.finish().unwrap().into()
    }

    #[test]
    fn what_is_unpacked_is_paid_for_as_it_grows_and_what_was_packed_is_given_back() {
        let both = Packing {
            gzip: true,
            msgpack: true,
        };
        let used = Gauge::default();
        let memory = Memory::new(4 << 20, Share(100), used.clone(), Counter::default());
        let unpack = |length: u32, most| {
            let body = packed_zeros(length);
            let mut charge = memory.charge(&Party::Anyone);
            charge.grow(body.len()).unwrap();
            unpacked(both, body, most, charge)
        };
        let (json, charge) = unpack(10_000, 1 << 20).unwrap();
        assert_eq!(json.len(), 60_002);
        // In steps of 16 KiB, a byte for four.
        assert_eq!(used.get(), 4 * (64 << 10));
        drop(charge);
        assert_eq!(used.get(), 0);

        let cases = [
            (100_000, 600_002, None),
            (100_000, 600_001, Some(413)),
            (100_000, 100_004, Some(413)),
            (800_000, 100 << 20, Some(503)),
            (8_000_000, 100 << 20, Some(503)),
        ];
        for (length, most, status) in cases {
            let error = unpack(length, most).err();
            assert_eq!(error.map(|error| error.status.as_u16()), status);
            assert_eq!(used.get(), 0, "{length} {most}");
        }
    }
}
