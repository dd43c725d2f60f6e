//! `policies.headers`: which of the client's headers policies may read.
//!
//! A list of what may be seen, and not of what may not: what carries a credential is known to whoever set it up, and new names for it are
//! made up every year. So nothing is shown that nobody named, and the best known names of credentials can't be named at all.

use super::fields::Field;
use std::sync::Arc;

/// What policies see unless the configuration says otherwise: who asks in which language, what joins traces, and what the API knows.
const USUAL: [&str; 8] = [
    "accept-language",
    "queue_threshold",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-cerebras-3rd-party-integration",
    "x-cerebras-version-patch",
    "x-request-id",
];

/// The longest list.
const MOST: usize = 32;

/// A header whose name has one of these among its words carries a credential.
const WORDS: [&str; 17] = [
    "accesstoken",
    "apikey",
    "assertion",
    "auth",
    "authorization",
    "cookie",
    "cookie2",
    "credential",
    "credentials",
    "dpop",
    "jwt",
    "oidc",
    "otp",
    "passwd",
    "password",
    "secret",
    "token",
];
/// The same for words that mean it only together.
const PHRASES: [&str; 5] = [
    "access-key",
    "api-key",
    "client-cert",
    "client-principal",
    "subscription-key",
];

/// The list of a configuration that has none.
pub(super) fn usual() -> Arc<[String]> {
    USUAL.map(str::to_owned).into()
}

/// Reads the list. The names are in small letters then.
pub(super) fn read(field: &Field<'_>) -> Option<Arc<[String]>> {
    let items = field.items()?;
    if items.len() > MOST {
        field.problem(format!(
            "{} headers; policies may see {MOST} at most",
            items.len()
        ));
        return None;
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        let Some(name) = item.text_within(1..=100) else {
            complete = false;
            continue;
        };
        let name = name.to_ascii_lowercase();
        let problem = if !name.bytes().all(is_of_a_name) {
            Some(format!("`{name}` is no name of a header"))
        } else if carries_a_credential(&name) {
            Some(format!(
                "`{name}` carries a credential, and policies are shown none; who asks is told by `clients`, as the principal"
            ))
        } else if names.contains(&name) {
            Some(format!("`{name}` stands here already"))
        } else {
            None
        };
        match problem {
            Some(problem) => {
                item.problem(problem);
                complete = false;
            }
            None => names.push(name),
        }
    }
    complete.then(|| names.into())
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn carries_a_credential(name: &str) -> bool {
    let name = name.replace(['_', '.'], "-");
    name.split('-').any(|word| WORDS.contains(&word))
        || PHRASES.iter().any(|phrase| name.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_a_credential_is_known_by_its_words() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
            "api_key",
            "x-goog-api-key",
            "ocp-apim-subscription-key",
            "x-auth-token",
            "x-csrf-token",
            "cf-access-jwt-assertion",
            "x-goog-iap-jwt-assertion",
            "x-amzn-oidc-data",
            "x-ms-client-principal",
            "dpop",
            "x-forwarded-client-cert",
            "x-otp",
            "x-amz-security-token",
        ] {
            assert!(carries_a_credential(name), "{name}");
        }
        for name in [
            "user-agent",
            "x-team",
            "x-author",
            "idempotency-key",
            "x-max-tokens",
            "x-request-id",
        ] {
            assert!(!carries_a_credential(name), "{name}");
        }
        for name in USUAL {
            assert!(!carries_a_credential(name), "{name}");
        }
    }
}
