//! Headers that a stage puts on what the client gets: which it may, and what one may hold.
//!
//! What must stay true: no name here is one of framing, of security, of caching, or of the gateway's own, so that a policy can tell a
//! client something and can't change what the answer is.

/// What the names begin with that a policy may use: the rest of the name is its own.
const PREFIXES: [&str; 3] = ["x-ratelimit-", "anthropic-ratelimit-", "x-policy-"];
/// Names that it may use as they are.
const NAMES: [&str; 2] = ["ratelimit", "ratelimit-policy"];
/// Bytes of a name.
const NAME: usize = 64;
/// Bytes of a value.
const VALUE: usize = 256;

/// The name in small letters, if a client may get that header of a policy.
///
/// # Errors
/// A sentence that says why it may not.
pub(super) fn checked(name: &str, value: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let lower = (name.len() <= NAME && name.bytes().all(plain)).then(|| name.to_ascii_lowercase());
    let begins = |name: &String| {
        let mut prefixes = PREFIXES.iter();
        prefixes.any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
    };
    let Some(name) = lower.filter(|name| NAMES.contains(&&**name) || begins(name)) else {
        return Err(format!(
            "a policy may put no header of that name on an answer; it may where the name begins with {}, or is {}, and has at most {NAME} bytes",
            PREFIXES.map(|it| format!("`{it}`")).join(", "),
            NAMES.map(|it| format!("`{it}`")).join(" or "),
        ));
    };
    let visible = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if value.is_empty() || value.len() > VALUE || !visible || value.trim() != value {
        return Err(format!(
            "the value of a header has 1 to {VALUE} visible ASCII characters, and spaces only between them"
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_may_tell_of_limits_and_what_is_its_own() {
        for name in [
            "x-ratelimit-limit-requests-day",
            "X-RateLimit-Remaining",
            "anthropic-ratelimit-tokens-reset",
            "RateLimit",
            "ratelimit-policy",
            "x-policy-variant",
            &format!("x-policy-{}", "a".repeat(55)),
        ] {
            assert_eq!(checked(name, "a b"), Ok(name.to_ascii_lowercase()));
        }
        for value in ["1", "a; b=\"c\", d", &"v".repeat(256)] {
            assert!(checked("x-policy-a", value).is_ok(), "{value}");
        }
    }

    #[test]
    fn no_header_of_framing_security_or_the_gateways_can_be_put() {
        for name in [
            "content-length",
            "transfer-encoding",
            "connection",
            "content-type",
            "set-cookie",
            "access-control-allow-origin",
            "content-security-policy",
            "strict-transport-security",
            "location",
            "cache-control",
            "retry-after",
            "x-should-retry",
            "x-request-id",
            "x-witgate-policies",
            "x-witgate-chain",
            "x-policy",
            "x-policy-",
            "x-ratelimit-",
            "x-ratelimit",
            "ratelimit-",
            "",
            "x-policy-a:",
            "x-policy-a b",
            "x-policy-a\r\nset-cookie",
            "x-policy-ä",
            " x-policy-a",
            &format!("x-policy-{}", "a".repeat(56)),
        ] {
            assert!(checked(name, "1").is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_value_is_one_line_of_what_can_be_seen() {
        for value in [
            "",
            " ",
            " a",
            "a ",
            "a\r\nb: c",
            "a\tb",
            "a\0",
            "é",
            "\u{7f}",
            &"v".repeat(257),
        ] {
            assert!(checked("x-policy-a", value).is_err(), "{value:?}");
        }
    }
}
