//! From a request to its response: the routes, and the order in which a completion is checked, planned and sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header, request};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde_json::Value;

use super::completion::Completion;
use super::fault::{self, Fault, Wish};
use super::knobs::{self, Knobs};
use super::limits::{Ledger, unlimited_grid};
use super::models::{self, Format};
use super::prompt::Cache;
use super::random::{self, Dice};
use super::recorder::Underway;
use super::refusal::Refusal;
use super::render::Dialect;
use super::{Options, catalog, decode};

/// The most counts of faults that wear off. When there are more, all are forgotten.
const MOST_COUNTS: usize = 1 << 16;

/// The slowest pace, in tokens per second. It keeps the due times finite.
const SLOWEST: f64 = 0.01;

/// The state that outlives a request.
pub(super) struct Simulator {
    pub(super) options: Options,
    pub(super) ledger: Option<Mutex<Ledger>>,
    pub(super) cache: Mutex<Cache>,
    unlimited: HeaderMap,
    common: HeaderMap,
    /// How often each fault with a count has come to each body.
    counts: Mutex<HashMap<u64, u32>>,
}

impl Simulator {
    pub(super) fn new(mut options: Options) -> Self {
        options.tokens_per_second = options
            .tokens_per_second
            .filter(|pace| *pace > 0.0)
            .map(|pace| pace.max(SLOWEST));
        let common = [
            (header::SERVER, "cloudflare"),
            (HeaderName::from_static("cf-cache-status"), "DYNAMIC"),
            (header::ALT_SVC, "h3=\":443\"; ma=86400"),
            (
                header::STRICT_TRANSPORT_SECURITY,
                "max-age=3600; includeSubDomains",
            ),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        ];
        Self {
            ledger: options
                .rate_limits
                .map(|limits| Mutex::new(Ledger::new(limits))),
            cache: Mutex::default(),
            unlimited: unlimited_grid(),
            common: common
                .map(|(name, value)| (name, HeaderValue::from_static(value)))
                .into_iter()
                .collect(),
            counts: Mutex::default(),
            options,
        }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> f64 {
        match self.options.frozen {
            Some(seconds) => seconds as f64,
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
        }
    }

    /// The seed of the ids: the body alone if time is frozen.
    fn dice(&self, body: &[u8]) -> Dice {
        match self.options.frozen {
            Some(_) => Dice(random::hash(body)),
            None => Dice(uuid::Uuid::new_v4().as_u64_pair().0),
        }
    }

    fn key<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
        if self.options.keyless {
            return Ok("keyless");
        }
        let value = headers.get(header::AUTHORIZATION);
        let text = value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let (scheme, key) = text.split_once(' ').unwrap_or_default();
        let right = match &self.options.api_key {
            Some(only) => key.trim() == only,
            None => !key.trim().is_empty(),
        };
        if right && scheme.eq_ignore_ascii_case("bearer") {
            Ok(key.trim())
        } else {
            Err(Refusal::wrong_key())
        }
    }

    /// Drops the wishes whose count is used up for this body, and counts the others.
    fn spend(&self, wishes: &mut Vec<Wish>, body: &[u8]) {
        wishes.retain(|wish| {
            let Some(times) = wish.times else {
                return true;
            };
            let mut hasher = random::Hasher::new();
            hasher.write(format!("{:?}", wish.fault).as_bytes());
            hasher.write(body);
            let mut counts = self.counts.lock();
            if counts.len() >= MOST_COUNTS {
                counts.clear();
            }
            let count = counts.entry(hasher.finish()).or_insert(0);
            *count += 1;
            *count <= times
        });
    }
}

/// Answers any request.
pub(super) async fn answer(
    State(simulator): State<Arc<Simulator>>,
    request: Request<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    let mut dice = simulator.dice(b"head");
    let mut response = match collect(body).await {
        Ok(body) => {
            if let Some(recorder) = &simulator.options.recorder {
                recorder.receive(&head, &body);
            }
            dice = simulator.dice(&body);
            route(&simulator, &head, body, &mut dice)
                .await
                .unwrap_or_else(|refusal| refusal.into_response())
        }
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers.extend(simulator.common.clone());
    let printed =
        |text: String| HeaderValue::try_from(text).expect("hexadecimal digits and dashes");
    headers.insert("inference-id", printed(dice.uuid().to_string()));
    headers.insert("cf-ray", printed(format!("{:016x}-SJC", dice.roll())));
    response
}

async fn collect(body: Body) -> Result<Bytes, Refusal> {
    match http_body_util::Limited::new(body, decode::MOST_BYTES)
        .collect()
        .await
    {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refusal::too_large("Request body is too large."))
        }
        // The client is gone, so nobody reads this response.
        Err(_) => Err(Refusal::wrong_format("The request body broke off.")),
    }
}

async fn route(
    simulator: &Simulator,
    head: &request::Parts,
    body: Bytes,
    dice: &mut Dice,
) -> Result<Response, Refusal> {
    let path = head.uri.path();
    let dialect = match path {
        "/v1/chat/completions" => Some(Dialect::Chat),
        "/v1/completions" => Some(Dialect::Text),
        _ => None,
    };
    match (dialect, &head.method) {
        (Some(dialect), &Method::POST) => {
            return complete(simulator, dialect, &head.headers, body, dice).await;
        }
        (Some(_), _) => return Err(Refusal::wrong_method()),
        (None, _) => {}
    }
    let (public, rest) = match path.strip_prefix("/public") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    let list = rest == "/v1/models";
    let id = rest.strip_prefix("/v1/models/");
    let warming = path == "/v1/tcp_warming";
    if !(list || id.is_some() || warming) {
        return Err(Refusal::no_such_path(path));
    }
    if head.method != Method::GET {
        return Err(Refusal::wrong_method());
    }
    let mut knobs = Knobs::of_headers(&head.headers)?;
    simulator.spend(&mut knobs.wishes, path.as_bytes());
    if let Some(response) = early(&knobs.faults(), false).await {
        return Ok(response);
    }
    if warming {
        return Ok(json(Bytes::from_static(b"{}")));
    }
    if !public {
        simulator.key(&head.headers)?;
    }
    let format = format(public, head.uri.query().unwrap_or_default())?;
    let value = match id {
        Some(id) => models::one(
            catalog::find(id).ok_or_else(Refusal::no_such_model)?,
            format,
        ),
        None => models::list(format),
    };
    Ok(json(Bytes::from(value.to_string())))
}

fn format(public: bool, query: &str) -> Result<Format, Refusal> {
    let asked = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("format="));
    match asked {
        None | Some("default") if public => Ok(Format::Public),
        None | Some("default") => Ok(Format::Plain),
        Some("openrouter") => Ok(Format::OpenRouter),
        Some("huggingface") => Ok(Format::HuggingFace),
        Some(_) => Err(Refusal::wrong_format(
            "query.format: Input should be 'default', 'openrouter' or 'huggingface'",
        )),
    }
}

/// Carries out what comes before an answer: waiting, silence, and answers that take the answer's place.
async fn early(faults: &[Fault], streamed: bool) -> Option<Response> {
    for fault in faults {
        match fault {
            Fault::Silent => std::future::pending().await,
            Fault::SlowFirstByte(time) => tokio::time::sleep(*time).await,
            Fault::ErrorFirst | Fault::ErrorMidStream if !streamed => {
                return fault::instead(Fault::ServerError);
            }
            _ => {}
        }
    }
    faults.iter().find_map(|fault| fault::instead(*fault))
}

async fn complete(
    simulator: &Simulator,
    dialect: Dialect,
    headers: &HeaderMap,
    raw: Bytes,
    dice: &mut Dice,
) -> Result<Response, Refusal> {
    let mut underway = Some(Underway::begin(simulator.options.recorder.as_ref()));
    let result = try_complete(simulator, dialect, headers, raw, dice, &mut underway).await;
    if let Some(underway) = &mut underway {
        underway.finish();
    }
    result
}

async fn try_complete(
    simulator: &Simulator,
    dialect: Dialect,
    headers: &HeaderMap,
    raw: Bytes,
    dice: &mut Dice,
    underway: &mut Option<Underway>,
) -> Result<Response, Refusal> {
    let mut knobs = Knobs::of_headers(headers)?;
    let decoded = decode::body(headers, &raw);
    let body = decoded.as_ref().unwrap_or(&Value::Null);
    let said = knobs::user_text(body);
    let directive = super::directive::Directive::read(&said);
    let (model, suffix) = knobs::split_model(body["model"].as_str().unwrap_or_default());
    knobs.add(suffix, &directive)?;
    simulator.spend(&mut knobs.wishes, &raw);
    let faults = knobs.faults();
    if let Some(response) = early(&faults, body["stream"] == true).await {
        return Ok(response);
    }
    let key = simulator.key(headers)?;
    if let Err(refusal) = &decoded {
        return Err(refusal.clone());
    }
    let owner = random::hash(format!("{key}\0{model}").as_bytes());
    let completion = Completion {
        simulator,
        dialect,
        key,
        owner,
        body,
        model,
        directive: &directive,
        faults: &faults,
        knobs: &knobs,
    };
    let mut response = match completion.respond(dice, underway).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    match &simulator.ledger {
        Some(ledger) => ledger.lock().grid(owner, response.headers_mut()),
        None => response.headers_mut().extend(simulator.unlimited.clone()),
    }
    Ok(response)
}

/// A response with a JSON body.
pub(super) fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// Room for a whole answer.
pub(super) fn buffer() -> BytesMut {
    BytesMut::with_capacity(2048)
}
