//! Faults on demand: their names, and the answers of those that need no model.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::refusal::Refusal;

/// A fault of one answer. The table at the head of the crate says what each one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    WrongKey,
    PaymentRequired,
    HtmlForbidden,
    NoSuchModel,
    TimedOut,
    TooLarge,
    Unprocessable,
    TooManyRequests,
    TooManyTokens,
    Busy,
    ServerError,
    Unavailable,
    HtmlOk,
    NotJson,
    Penalties,
    Silent,
    SlowFirstByte(Duration),
    ErrorFirst,
    ErrorMidStream,
    Cut,
    Stall,
    NoDone,
    EmptyLength,
    TextAndTools,
    /// The number of bytes of the one long line.
    HugeEvent(usize),
    Crlf,
    Bytewise,
}

/// A fault, and for how many requests of the same body it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) fault: Fault,
    /// `None` if it never wears off.
    pub(super) times: Option<u32>,
}

const PLAIN: &[(&str, Fault)] = &[
    ("401", Fault::WrongKey),
    ("402", Fault::PaymentRequired),
    ("403-html", Fault::HtmlForbidden),
    ("404", Fault::NoSuchModel),
    ("408", Fault::TimedOut),
    ("413", Fault::TooLarge),
    ("422", Fault::Unprocessable),
    ("429-requests", Fault::TooManyRequests),
    ("429-tokens", Fault::TooManyTokens),
    ("429-queue", Fault::Busy),
    ("500", Fault::ServerError),
    ("503", Fault::Unavailable),
    ("html-200", Fault::HtmlOk),
    ("not-json", Fault::NotJson),
    ("penalties", Fault::Penalties),
    ("silent", Fault::Silent),
    (
        "slow-first-byte",
        Fault::SlowFirstByte(Duration::from_secs(2)),
    ),
    ("error-first", Fault::ErrorFirst),
    ("error-mid-stream", Fault::ErrorMidStream),
    ("cut", Fault::Cut),
    ("stall", Fault::Stall),
    ("no-done", Fault::NoDone),
    ("empty-length", Fault::EmptyLength),
    ("text-and-tools", Fault::TextAndTools),
    ("huge-event", Fault::HugeEvent(4 << 20)),
    ("crlf", Fault::Crlf),
    ("bytewise", Fault::Bytewise),
];

/// Reads `NAME`, `NAME=VALUE`, `NAME*TIMES`, and several of them with commas between.
pub(super) fn parse(text: &str) -> Result<Vec<Wish>, Refusal> {
    text.split(',')
        .map(|one| parse_one(one.trim()).ok_or_else(|| unknown(one.trim())))
        .collect()
}

fn parse_one(text: &str) -> Option<Wish> {
    let (text, times) = match text.split_once('*') {
        Some((text, times)) => (text, Some(times.parse().ok()?)),
        None => (text, None),
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let (_, fault) = PLAIN.iter().find(|(known, _)| *known == name)?;
    let fault = match (fault, value) {
        (fault, None) => *fault,
        (Fault::SlowFirstByte(_), Some(value)) => Fault::SlowFirstByte(duration(value)?),
        (Fault::HugeEvent(_), Some(value)) => {
            let megabytes: usize = value.parse().ok()?;
            Fault::HugeEvent((1..=64).contains(&megabytes).then_some(megabytes << 20)?)
        }
        _ => return None,
    };
    Some(Wish { fault, times })
}

/// `250ms`, `2s`; up to an hour.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    (0.0..=3600.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

fn unknown(name: &str) -> Refusal {
    let mut message = format!("the simulator knows no fault '{name}'; it knows");
    for (index, (known, _)) in PLAIN.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(message, "{comma} {known}");
    }
    message.push_str("; slow-first-byte takes a time (=2s), huge-event megabytes (=4), and any of them a count (*1)");
    Refusal::wrong_format(message)
}

/// The answer of a fault that takes the place of the model's answer, whatever the request asks.
pub(super) fn instead(fault: Fault) -> Option<Response> {
    let refusal = match fault {
        Fault::WrongKey => Refusal::wrong_key(),
        Fault::PaymentRequired => Refusal::payment_required(),
        Fault::NoSuchModel => Refusal::no_such_model(),
        Fault::TimedOut => Refusal::timed_out(),
        Fault::TooLarge => Refusal::too_large("Request body is too large."),
        Fault::Unprocessable => {
            Refusal::unprocessable("body.fault: property 'body.fault' is unsupported")
        }
        Fault::TooManyRequests => Refusal::quota(false, "minute", 12),
        Fault::TooManyTokens => Refusal::quota(true, "minute", 7),
        Fault::Busy => Refusal::busy(),
        Fault::ServerError => Refusal::server_error(),
        Fault::Unavailable => Refusal::unavailable(),
        Fault::HtmlForbidden => {
            return Some(html(
                StatusCode::FORBIDDEN,
                "<h1>Sorry, you have been blocked</h1>\n<p>You are unable to access cerebras.ai</p>",
            ));
        }
        Fault::HtmlOk => return Some(html(StatusCode::OK, "<h1>Welcome</h1>")),
        _ => return None,
    };
    Some(refusal.into_response())
}

fn html(status: StatusCode, inner: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>Cloudflare</title></head>\n\
         <body>\n{inner}\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=UTF-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_wish_has_a_name_and_perhaps_a_value_and_a_count() {
        let wishes = parse("crlf, slow-first-byte=250ms, huge-event=1,500*2").unwrap();
        let forever = |fault| Wish { fault, times: None };
        assert_eq!(
            wishes,
            [
                forever(Fault::Crlf),
                forever(Fault::SlowFirstByte(Duration::from_millis(250))),
                forever(Fault::HugeEvent(1 << 20)),
                Wish {
                    fault: Fault::ServerError,
                    times: Some(2)
                },
            ]
        );
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_list_of_faults() {
        for text in [
            "",
            "nope",
            "cut=1",
            "500*x",
            "slow-first-byte=soon",
            "huge-event=0",
        ] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{text}");
            assert!(refusal.message.contains("slow-first-byte"), "{text}");
        }
    }

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        for (index, (name, fault)) in PLAIN.iter().enumerate() {
            assert_eq!(parse(name).unwrap()[0].fault, *fault);
            assert!(PLAIN[..index].iter().all(|(other, _)| other != name));
        }
    }
}
