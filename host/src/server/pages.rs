//! Pages in a browser, and what they may ask.
//!
//! A listener on loopback that has no keys is protected by its address alone, and any page can lead the browser on the same machine
//! there. A page that rebinds its own name to 127.0.0.1 still sends that name as `host`; a page of another site says where it is
//! from in `origin`, and browsers say it in `sec-fetch-site` as well. So a request must name a loopback host and, if a page sent
//! it, must come from a page of this very listener, or of an origin that the operator named.

use std::net::IpAddr;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};

use crate::api::ApiError;

/// What browsers say of the page that a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const REQUEST_PRIVATE: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

const INVALID: &str = "invalid_request_error";

/// Checks that a request says once which host it is for, as HTTP/1.1 wants it. Where it doesn't, what stands before this gateway and
/// what stands behind may each see another.
pub(super) fn one_host<B>(request: &Request<B>) -> Result<(), ApiError> {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11) {
        return Ok(());
    }
    let message = format!("The request has {hosts} `host` headers, and must have one.");
    let status = StatusCode::BAD_REQUEST;
    Err(ApiError::new(status, INVALID, "bad_host", message).param("host"))
}

/// Which pages may use a listener.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    /// The listener's address.
    own: Option<IpAddr>,
    /// What stands before the listener's names in an origin, and the port that stands in none.
    scheme: (&'static str, &'static str),
    /// Origins of other pages that may, as browsers write them.
    allowed: Arc<[HeaderValue]>,
}

impl Pages {
    /// For a listener at this address, which speaks TLS or doesn't.
    pub(super) fn of(own: Option<IpAddr>, tls: bool, allowed: &[HeaderValue]) -> Self {
        let scheme = match tls {
            true => ("https://", "443"),
            false => ("http://", "80"),
        };
        Self {
            own,
            scheme,
            allowed: allowed.into(),
        }
    }

    /// Whether nobody but this machine reaches the listener.
    pub(super) fn on_loopback(&self) -> bool {
        self.own.is_some_and(|own| own.to_canonical().is_loopback())
    }

    /// Checks a request to a listener that only its loopback address protects.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), ApiError> {
        let headers = request.headers();
        let refuse = |code: &'static str, param: &'static str, message: &'static str| {
            let status = StatusCode::FORBIDDEN;
            Err(ApiError::new(status, INVALID, code, message).param(param))
        };
        // What can't be read is no name of ours either.
        let host = headers.get(HOST);
        let host = host.map(|host| host.to_str().unwrap_or_default());
        let named = request.uri().authority().map(|at| at.as_str());
        for host in [named, host].into_iter().flatten() {
            if !self.is_own(host) {
                let message = "This listener answers only to localhost, 127.0.0.1 and [::1].";
                return refuse("wrong_host", "host", message);
            }
        }
        if self.allowed(headers).is_some() {
            return Ok(());
        }
        let origin = headers.get(ORIGIN);
        let host = named.or(host);
        let of_this = |origin: &HeaderValue| {
            let (scheme, usual) = self.scheme;
            let origin = origin.to_str().ok()?.strip_prefix(scheme)?;
            Some(same(origin, host?, usual))
        };
        let site = headers.get(FETCH_SITE);
        let elsewhere =
            site.is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
        if elsewhere || origin.is_some_and(|origin| of_this(origin) != Some(true)) {
            let message = "This listener takes no requests from other sites' pages.";
            return refuse("wrong_origin", "origin", message);
        }
        Ok(())
    }

    /// Whether a `host[:port]` is one of this listener's own names.
    fn is_own(&self, host: &str) -> bool {
        let (name, _) = split(host, "");
        if name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]") {
            return true;
        }
        let address = name.trim_start_matches('[').trim_end_matches(']').parse();
        address.is_ok_and(|address: IpAddr| Some(address) == self.own)
    }

    /// The origin of the page that sent the request, if it is one of those that the operator named.
    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(ORIGIN).filter(|it| self.allowed.contains(it))
    }

    /// The answer to a browser that asks whether a page of a named origin may send what it wants to.
    pub(super) fn preflight<B>(&self, request: &Request<B>) -> Option<Response> {
        let headers = request.headers();
        let asked = request.method() == Method::OPTIONS
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asked || self.allowed(headers).is_none() {
            return None;
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        let told = response.headers_mut();
        told.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, POST"),
        );
        // SDKs send headers of their own, and none of them does harm here.
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            told.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        // Chromium asks this where a page from elsewhere wants to reach this machine.
        if headers.contains_key(REQUEST_PRIVATE) {
            told.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
        }
        told.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(response)
    }

    /// What the browser must be told beside an answer, so that the page may read it. `headers` are the request's.
    pub(super) fn told(&self, headers: &HeaderMap) -> Option<HeaderMap> {
        let origin = self.allowed(headers)?.clone();
        Some(HeaderMap::from_iter([
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*")),
            (VARY, HeaderValue::from_static("origin")),
        ]))
    }
}

/// Whether two of `host[:port]` are the same, where this port is the usual one.
fn same(one: &str, other: &str, usual: &str) -> bool {
    let ((one, its), (other, others)) = (split(one, usual), split(other, usual));
    one.eq_ignore_ascii_case(other) && its == others
}

/// A host, and its port where one stands there that isn't the usual one.
fn split<'a>(host: &'a str, usual: &str) -> (&'a str, Option<&'a str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            let unusual = |port: &&str| !port.is_empty() && *port != usual;
            (name, Some(port).filter(unusual))
        }
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn pages() -> Pages {
        let allowed = [HeaderValue::from_static("https://app.example")];
        Pages::of(Some("127.0.0.7".parse().unwrap()), false, &allowed)
    }

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let request = Request::get("/status");
        let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        headers.iter().fold(request, add).body(()).unwrap()
    }

    fn asked(headers: &[(&str, &str)]) -> bool {
        pages().check(&request(headers)).is_ok()
    }

    #[test]
    fn only_loopback_names_and_the_listeners_own_are_answered() {
        for host in [
            "localhost",
            "LocalHost:41003",
            "127.0.0.1:41003",
            "127.0.0.1",
            "127.0.0.7:41003",
            "[::1]:1",
            "[::1]",
        ] {
            assert!(asked(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:41003",
            "localhost.evil.example",
            "127.0.0.1.evil.example:41003",
            "evil.example:127.0.0.1",
            "192.168.0.1",
            "127.0.0.8",
            "0.0.0.0:41003",
            "localhost.:41003",
            "",
        ] {
            assert!(!asked(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn the_host_in_the_request_line_counts_too() {
        let at = |uri: &str| Request::get(uri).header("host", "localhost").body(());
        let pages = pages();
        let evil = at("http://evil.example/status").unwrap();
        pages.check(&evil).unwrap_err();
        let own = at("http://127.0.0.1:41003/status").unwrap();
        pages.check(&own).unwrap();
    }

    #[test]
    fn a_page_must_be_of_the_very_listener_port_and_scheme_included() {
        let of = |origin| [("host", "localhost:41003"), ("origin", origin)];
        assert!(asked(&of("http://localhost:41003")));
        assert!(asked(&of("http://LOCALHOST:41003")));
        assert!(asked(&[
            ("host", "localhost"),
            ("origin", "http://localhost:80")
        ]));
        for origin in [
            "http://localhost:3000",
            "http://localhost",
            "https://localhost:41003",
            "http://127.0.0.1:41003",
            "https://evil.example",
            "http://localhost.evil.example",
            "null",
            "",
        ] {
            assert!(!asked(&of(origin)), "{origin}");
        }
    }

    #[test]
    fn under_tls_a_page_must_have_come_by_tls() {
        let pages = Pages::of(Some("127.0.0.1".parse().unwrap()), true, &[]);
        let asked = |host, origin| {
            let request = request(&[("host", host), ("origin", origin)]);
            pages.check(&request).is_ok()
        };
        assert!(asked("localhost:41002", "https://localhost:41002"));
        assert!(asked("localhost:443", "https://localhost"));
        assert!(!asked("localhost:41002", "http://localhost:41002"));
        assert!(!asked("localhost:80", "https://localhost"));
    }

    #[test]
    fn what_a_browser_says_of_the_site_counts_where_it_says_no_origin() {
        let of = |site| [("host", "localhost:41003"), ("sec-fetch-site", site)];
        for site in ["none", "same-origin"] {
            assert!(asked(&of(site)), "{site}");
        }
        for site in ["same-site", "cross-site", "SAME-ORIGIN", ""] {
            assert!(!asked(&of(site)), "{site}");
        }
    }

    #[test]
    fn an_origin_that_was_named_may_and_no_other() {
        let of = |origin| {
            let cross = ("sec-fetch-site", "cross-site");
            request(&[("host", "localhost"), ("origin", origin), cross])
        };
        let pages = pages();
        let named = of("https://app.example");
        pages.check(&named).unwrap();
        let told = pages.told(named.headers()).unwrap();
        assert_eq!(told[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        for other in ["https://app.example:8443", "http://app.example", "*"] {
            let other = of(other);
            pages.check(&other).unwrap_err();
            assert!(pages.told(other.headers()).is_none());
        }
    }

    #[test]
    fn a_browser_that_asks_first_is_answered_for_named_origins_alone() {
        let ask = |origin: &str| {
            let mut request = request(&[
                ("origin", origin),
                ("access-control-request-method", "POST"),
                (
                    "access-control-request-headers",
                    "authorization,content-type",
                ),
            ]);
            *request.method_mut() = Method::OPTIONS;
            pages().preflight(&request)
        };
        let answer = ask("https://app.example").unwrap();
        assert_eq!(answer.status(), 204);
        let headers = &answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS];
        assert_eq!(headers, "authorization,content-type");
        assert!(ask("https://evil.example").is_none());
    }

    #[test]
    fn there_is_one_host() {
        one_host(&request(&[("host", "a")])).unwrap();
        for hosts in [&[][..], &[("host", "a"), ("host", "a")]] {
            let error = one_host(&request(hosts)).unwrap_err();
            assert_eq!((error.status.as_u16(), &*error.code), (400, "bad_host"));
        }
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        one_host(&old).unwrap();
    }
}
