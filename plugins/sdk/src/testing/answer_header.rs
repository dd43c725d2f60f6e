//! Which headers the host lets a policy put on what the client gets.

const PREFIXES: [&str; 3] = ["x-ratelimit-", "anthropic-ratelimit-", "x-policy-"];
const NAMES: [&str; 2] = ["ratelimit", "ratelimit-policy"];
const NAME: usize = 64;
const VALUE: usize = 256;

/// The name in small letters, if it may have that value.
pub(super) fn checked(name: &str, value: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let own = |prefix: &&str| lower.len() > prefix.len() && lower.starts_with(*prefix);
    let known = NAMES.contains(&&*lower) || PREFIXES.iter().any(own);
    if !known || lower.len() > NAME || !lower.bytes().all(plain) {
        return Err(format!(
            "a policy may put no header `{name}` on an answer; its name begins with one of {PREFIXES:?}, or is one of {NAMES:?}"
        ));
    }
    let visible = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if value.is_empty() || value.len() > VALUE || !visible || value.trim() != value {
        return Err(format!("`{value}` can't be the value of a header"));
    }
    Ok(lower)
}
