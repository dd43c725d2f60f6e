//! The headers that the gateway passes on, in each direction. It passes on no other header.

use http::{HeaderMap, HeaderName, header};

/// The request headers that go on to a target: those that the API knows, and those that join traces. Never a credential,
/// never a cookie.
static ALLOWED: [HeaderName; 5] = [
    HeaderName::from_static("queue_threshold"),
    HeaderName::from_static("x-cerebras-version-patch"),
    HeaderName::from_static("x-cerebras-3rd-party-integration"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// Copies the headers of a client's request that may go on to a target.
pub(super) fn copy_allowed(from: &HeaderMap, to: &mut HeaderMap) {
    for name in &ALLOWED {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

/// Copies what a client asks of the simulator.
pub(super) fn copy_simulated(from: &HeaderMap, to: &mut HeaderMap) {
    let asks = |(name, _): &(&HeaderName, _)| name.as_str().starts_with("x-simulate-");
    for (name, value) in from.iter().filter(asks) {
        to.append(name, value.clone());
    }
}

/// The headers of a target's answer that go on to the client: its type, how long to wait, what is left of the quota, and
/// the target's own id for the answer.
pub(super) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| {
            **name == header::CONTENT_TYPE
                || **name == header::RETRY_AFTER
                || name.as_str() == "inference-id"
                || name.as_str().starts_with("x-ratelimit-")
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn map(names: &[&'static str]) -> HeaderMap {
        let value = HeaderValue::from_static("1");
        names
            .iter()
            .map(|name| (HeaderName::from_static(name), value.clone()))
            .collect()
    }

    #[test]
    fn only_what_is_known_goes_to_the_target() {
        let from = map(&[
            "authorization",
            "cookie",
            "x-api-key",
            "api-key",
            "proxy-authorization",
            "host",
            "x-forwarded-for",
            "queue_threshold",
            "x-cerebras-version-patch",
            "x-cerebras-3rd-party-integration",
            "traceparent",
            "accept-encoding",
            "x-request-id",
        ]);
        let mut to = HeaderMap::new();
        copy_allowed(&from, &mut to);
        let known = [
            "queue_threshold",
            "x-cerebras-version-patch",
            "x-cerebras-3rd-party-integration",
            "traceparent",
        ];
        assert_eq!(to, map(&known));
    }

    #[test]
    fn what_the_simulator_is_asked_goes_on_to_it_alone() {
        let from = map(&["x-simulate-fault", "authorization", "x-simulate-chunk"]);
        let mut to = HeaderMap::new();
        copy_allowed(&from, &mut to);
        assert!(to.is_empty());
        copy_simulated(&from, &mut to);
        assert_eq!(to, map(&["x-simulate-fault", "x-simulate-chunk"]));
    }

    #[test]
    fn only_what_a_client_can_use_comes_back() {
        let from = map(&[
            "content-type",
            "content-length",
            "set-cookie",
            "server",
            "cf-ray",
            "retry-after",
            "x-ratelimit-remaining-tokens-minute",
            "inference-id",
            "x-request-id",
            "transfer-encoding",
        ]);
        assert_eq!(
            passed_on(&from),
            map(&[
                "content-type",
                "retry-after",
                "x-ratelimit-remaining-tokens-minute",
                "inference-id"
            ])
        );
    }
}
