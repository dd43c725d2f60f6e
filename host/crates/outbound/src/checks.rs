//! What a call must be before anything is done for it.

use super::{Call, NoReply};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;
use witgate_config::HttpHost;

/// The headers that a policy may set. What frames a request, what names its host and what shows who asks is the gateway's own.
pub const REQUEST_HEADERS: [&str; 9] = [
    "accept",
    "accept-language",
    "content-language",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "traceparent",
    "x-correlation-id",
    "x-request-id",
];

/// Headers of one call.
const HEADERS: usize = 16;
/// Bytes of a header's value.
const VALUE: usize = 1024;
/// Bytes of an address.
const URL: usize = 4096;

/// A call that can be sent.
#[derive(Debug)]
pub struct Checked {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

/// What is wrong with a call whoever may be asked: its method, its address, its headers.
///
/// # Errors
/// A sentence for the policy.
pub fn check(call: &Call) -> Result<Checked, NoReply> {
    let method = match &*call.method {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => {
            return Err(NoReply::refused(
                "the method is none of GET, HEAD, POST, PUT, PATCH and DELETE",
            ));
        }
    };
    let url = match Url::parse(&call.url) {
        Ok(url) if call.url.len() <= URL => url,
        _ => return Err(NoReply::refused("the address can't be read")),
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(NoReply::refused(
            "an address has no name or password in it, and no fragment",
        ));
    }
    if call.headers.len() > HEADERS {
        return Err(NoReply::refused(format!(
            "a call has no more than {HEADERS} headers"
        )));
    }
    let mut headers = HeaderMap::with_capacity(call.headers.len());
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let name = name.filter(|name| REQUEST_HEADERS.contains(&name.as_str()));
        let Some(name) = name else {
            return Err(NoReply::refused(format!(
                "a policy may set these headers alone: {}",
                REQUEST_HEADERS.join(", ")
            )));
        };
        let visible = value.len() <= VALUE && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let Some(value) = HeaderValue::from_str(value).ok().filter(|_| visible) else {
            return Err(NoReply::refused(format!(
                "the value of `{name}` is no line of at most {VALUE} visible ASCII characters"
            )));
        };
        headers.insert(name, value);
    }
    Ok(Checked {
        method,
        url,
        headers,
    })
}

/// Whether that address is at this host, and below its path.
pub(super) fn is_at(url: &Url, host: &HttpHost) -> bool {
    let named = &host.url;
    let same = url.scheme() == named.scheme()
        && url.host() == named.host()
        && url.port_or_known_default() == named.port_or_known_default();
    let below = named.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(below);
    // What some server takes for a step is a step: `..%2f` would lead out of the path, so would `%252e%252e` where it is decoded twice, and
    // `..;` where what follows a semicolon is left out. `%2e%2e` is `..` to the URL itself.
    let plain = || {
        let path = url.path().to_ascii_lowercase();
        let steps = ["%2f", "%5c", "%25", "%3b", ";"];
        below.is_empty() || !steps.iter().any(|step| path.contains(step))
    };
    same && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && plain()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn host(url: &str) -> HttpHost {
        HttpHost {
            url: Url::parse(url).unwrap(),
            private: false,
            secret: None,
            secret_header: None,
        }
    }

    #[test]
    fn an_address_is_at_a_host_by_scheme_name_port_and_path() {
        for (named, url, at) in [
            ("https://a.example", "https://a.example/any?x=1", true),
            ("https://a.example", "https://A.EXAMPLE:443/", true),
            ("https://a.example", "http://a.example/", false),
            ("https://a.example", "https://a.example:8443/", false),
            ("https://a.example", "https://b.a.example/", false),
            ("https://a.example", "https://a.example.b/", false),
            ("http://a.example:81", "http://a.example:81/x", true),
            ("https://a.example/v1", "https://a.example/v1", true),
            ("https://a.example/v1", "https://a.example/v1/x", true),
            ("https://a.example/v1/", "https://a.example/v1/x", true),
            ("https://a.example/v1", "https://a.example/v10", false),
            ("https://a.example/v1", "https://a.example/v1/../v2", false),
            (
                "https://a.example/v1",
                "https://a.example/v1/%2e%2e/v2",
                false,
            ),
            (
                "https://a.example/v1",
                "https://a.example/v1/..%2Fv2",
                false,
            ),
            ("https://a.example/v1", "https://a.example/v1/..;/v2", false),
            (
                "https://a.example/v1",
                "https://a.example/v1/..%3B/v2",
                false,
            ),
            (
                "https://a.example/v1",
                "https://a.example/v1/%252e%252e/v2",
                false,
            ),
            ("https://a.example", "https://a.example/a;b=%25", true),
            (
                "https://a.example/v1",
                "https://a.example/v1\\..\\v2",
                false,
            ),
            ("https://127.0.0.1", "https://2130706433/", true),
        ] {
            assert_eq!(is_at(&Url::parse(url).unwrap(), &host(named)), at, "{url}");
        }
    }

    fn refused(change: impl FnOnce(&mut Call)) -> Option<String> {
        let mut call = Call {
            method: "POST".into(),
            url: "https://a.example/".into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            ..Call::default()
        };
        change(&mut call);
        check(&call).err().map(|error| error.to_string())
    }

    #[test]
    fn headers_are_of_a_list_and_methods_too() {
        assert_eq!(refused(|_| ()), None);
        for name in [
            "host",
            "authorization",
            "cookie",
            "content-length",
            "transfer-encoding",
            "connection",
            "expect",
            "accept-encoding",
            "proxy-authorization",
            "x-api-key",
            "x-forwarded-for",
            "user-agent",
            "te",
            "upgrade",
            "content-type\r\nhost",
            "",
        ] {
            let set = |call: &mut Call| call.headers.push((name.into(), "a".into()));
            assert!(refused(set).is_some(), "{name}");
        }
        for value in ["a\r\nhost: b", "a\nb", "a\0", "é", &"v".repeat(1025)] {
            let set = |call: &mut Call| call.headers[0].1 = value.into();
            assert!(refused(set).is_some(), "{value:?}");
        }
        for method in [
            "CONNECT",
            "TRACE",
            "OPTIONS",
            "post",
            "",
            "GET / HTTP/1.1\r\n",
        ] {
            assert!(
                refused(|call| call.method = method.into()).is_some(),
                "{method}"
            );
        }
        let many = |call: &mut Call| call.headers = vec![("accept".into(), "a".into()); 17];
        assert!(refused(many).is_some());
    }

    #[test]
    fn an_address_names_no_one_and_is_one() {
        for url in [
            "https://me:secret@a.example/",
            "https://me@a.example/",
            "https://a.example/#part",
            "a.example",
            "/path",
            "https://",
            &format!("https://a.example/{}", "a".repeat(4096)),
        ] {
            assert!(refused(|call| call.url = url.into()).is_some(), "{url}");
        }
    }
}
