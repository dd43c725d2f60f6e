//! Keys that only the name before them tells: `SENTRY_TOKEN=...`, `"adobe_client_id": "..."`. A service's name in the word, an assignment, and a value
//! of the service's shape. And the generic rule: any name that says secret, and any value that looks random.

use witgate_policy::patterns::{Answer, Cursor, More, Word};

use crate::shape::*;

/// What a service's keys look like.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    /// In lower case. Names with fewer than six letters must stand in one case: `SUMO_KEY`, not `sumObj`.
    names: &'static [&'static str],
    /// Another word that must follow in the name, if there is one.
    pub(crate) shape: &'static [Part],
    entropy: u32,
}

const fn rule(
    id: &'static str,
    names: &'static [&'static str],
    shape: &'static [Part],
    entropy: u32,
) -> Rule {
    Rule {
        id,
        names,
        shape,
        entropy,
    }
}

const fn hex_or_low(count: u16) -> Part {
    of(LOW, count)
}

const UUID: &[Part] = &[
    of(HEX_ANY, 8),
    text("-"),
    of(HEX_ANY, 4),
    text("-"),
    of(HEX_ANY, 4),
    text("-"),
    of(HEX_ANY, 4),
    text("-"),
    of(HEX_ANY, 12),
];

/// Of two rules for one name the more special one comes first.
pub(crate) const RULES: &[Rule] = &[
    rule("adafruit-api-key", &["adafruit"], &[of(URL, 32)], 30),
    rule("adobe-client-id", &["adobe"], &[of(HEX_ANY, 32)], 25),
    rule("airtable-api-key", &["airtable"], &[of(ALNUM, 17)], 28),
    rule("algolia-api-key", &["algolia"], &[of(ALNUM, 32)], 28),
    rule("alibaba-secret-key", &["alibaba"], &[of(ALNUM, 30)], 28),
    rule("asana-client-id", &["asana"], &[of(DIGIT, 16)], 20),
    rule("asana-client-secret", &["asana"], &[of(ALNUM, 32)], 28),
    rule(
        "atlassian-api-token",
        &["atlassian", "confluence", "jira"],
        &[of(LETTER | DIGIT, 24)],
        35,
    ),
    rule("bitbucket-client-id", &["bitbucket"], &[of(ALNUM, 32)], 28),
    rule(
        "bitbucket-client-secret",
        &["bitbucket"],
        &[of(URL_PADDED, 64)],
        28,
    ),
    rule("bittrex-access-key", &["bittrex"], &[of(ALNUM, 32)], 28),
    rule("cisco-meraki-api-key", &["meraki"], &[of(HEX, 40)], 30),
    rule("cloudflare-api-key", &["cloudflare"], &[of(URL, 40)], 28),
    rule(
        "cloudflare-global-api-key",
        &["cloudflare"],
        &[of(HEX_ANY, 37)],
        25,
    ),
    rule("codecov-access-token", &["codecov"], &[of(ALNUM, 32)], 28),
    rule("codecov-access-token", &["codecov"], UUID, 28),
    rule(
        "cohere-api-token",
        &["cohere", "co_api_key"],
        &[of(ALNUM, 40)],
        40,
    ),
    rule("coinbase-access-token", &["coinbase"], &[of(URL, 64)], 30),
    rule(
        "confluent-access-token",
        &["confluent"],
        &[of(ALNUM, 16)],
        28,
    ),
    rule("confluent-secret-key", &["confluent"], &[of(ALNUM, 64)], 30),
    rule(
        "contentful-delivery-api-token",
        &["contentful"],
        &[of(URL_PADDED, 43)],
        30,
    ),
    rule("datadog-access-token", &["datadog"], &[of(ALNUM, 40)], 28),
    rule("datadog-access-token", &["datadog"], &[of(HEX, 32)], 28),
    rule("discord-api-token", &["discord"], &[of(HEX_ANY, 64)], 28),
    rule("discord-client-id", &["discord"], &[of(DIGIT, 18)], 20),
    rule(
        "discord-client-secret",
        &["discord"],
        &[of(URL_PADDED, 32)],
        28,
    ),
    rule("droneci-access-token", &["droneci"], &[of(ALNUM, 32)], 28),
    rule("dropbox-api-token", &["dropbox"], &[of(ALNUM, 15)], 25),
    rule(
        "dropbox-long-lived-api-token",
        &["dropbox"],
        &[of(ALNUM, 11), text("AAAAAAAAAA"), of(URL_PADDED, 43)],
        28,
    ),
    rule("etsy-access-token", &["etsy"], &[of(ALNUM, 24)], 30),
    rule("facebook-secret", &["facebook"], &[of(HEX_ANY, 32)], 30),
    rule("fastly-api-token", &["fastly"], &[of(URL_PADDED, 32)], 28),
    rule("finicity-api-token", &["finicity"], &[of(HEX_ANY, 32)], 25),
    rule(
        "finicity-client-secret",
        &["finicity"],
        &[of(ALNUM, 20)],
        28,
    ),
    rule("finnhub-access-token", &["finnhub"], &[of(ALNUM, 20)], 28),
    rule("flickr-access-token", &["flickr"], &[of(ALNUM, 32)], 28),
    rule(
        "freemius-secret-key",
        &["secret_key"],
        &[text("sk_"), of(URL, 29)],
        30,
    ),
    rule(
        "freshbooks-access-token",
        &["freshbooks"],
        &[of(ALNUM, 64)],
        30,
    ),
    rule("gitter-access-token", &["gitter"], &[of(URL, 40)], 28),
    rule(
        "gocardless-api-token",
        &["gocardless"],
        &[text("live_"), of(URL_PADDED, 40)],
        28,
    ),
    rule("heroku-api-key", &["heroku"], UUID, 28),
    rule("hubspot-api-key", &["hubspot"], UUID, 28),
    rule("intercom-api-key", &["intercom"], &[of(URL_PADDED, 60)], 30),
    rule(
        "jfrog-api-key",
        &["jfrog", "artifactory", "bintray", "xray"],
        &[of(ALNUM, 73)],
        30,
    ),
    rule(
        "jfrog-identity-token",
        &["jfrog", "artifactory", "bintray", "xray"],
        &[of(ALNUM, 64)],
        30,
    ),
    rule(
        "kraken-access-token",
        &["kraken"],
        &[to(URL_PADDED | BASE64, 80, 90)],
        30,
    ),
    rule("kucoin-access-token", &["kucoin"], &[of(HEX_ANY, 24)], 25),
    rule("kucoin-secret-key", &["kucoin"], UUID, 28),
    rule(
        "launchdarkly-access-token",
        &["launchdarkly"],
        &[of(URL_PADDED, 40)],
        28,
    ),
    rule("linear-client-secret", &["linear"], &[of(HEX_ANY, 32)], 28),
    rule(
        "linkedin-client-id",
        &["linkedin", "linked_in"],
        &[of(ALNUM, 14)],
        25,
    ),
    rule(
        "linkedin-client-secret",
        &["linkedin", "linked_in"],
        &[of(ALNUM, 16)],
        25,
    ),
    rule(
        "lob-api-key",
        &["lob"],
        &[text("live_"), of(HEX_ANY, 35)],
        28,
    ),
    rule(
        "lob-api-key",
        &["lob"],
        &[text("test_"), of(HEX_ANY, 35)],
        28,
    ),
    rule(
        "lob-pub-api-key",
        &["lob"],
        &[text("test_pub_"), of(HEX_ANY, 31)],
        28,
    ),
    rule(
        "lob-pub-api-key",
        &["lob"],
        &[text("live_pub_"), of(HEX_ANY, 31)],
        28,
    ),
    rule("looker-client-id", &["looker"], &[of(ALNUM, 20)], 28),
    rule("looker-client-secret", &["looker"], &[of(ALNUM, 24)], 28),
    rule(
        "mailchimp-api-key",
        &["mailchimp"],
        &[of(HEX_ANY, 32), text("-us"), of(DIGIT, 2)],
        28,
    ),
    rule(
        "mailgun-private-api-token",
        &["mailgun"],
        &[text("key-"), of(HEX_ANY, 32)],
        28,
    ),
    rule(
        "mailgun-pub-key",
        &["mailgun"],
        &[text("pubkey-"), of(HEX_ANY, 32)],
        28,
    ),
    rule(
        "mailgun-signing-key",
        &["mailgun"],
        &[
            hex_or_low(32),
            text("-"),
            hex_or_low(8),
            text("-"),
            hex_or_low(8),
        ],
        28,
    ),
    rule(
        "mattermost-access-token",
        &["mattermost"],
        &[of(ALNUM, 26)],
        28,
    ),
    rule(
        "messagebird-api-token",
        &["messagebird", "message_bird"],
        &[of(ALNUM, 25)],
        28,
    ),
    rule(
        "messagebird-client-id",
        &["messagebird", "message_bird"],
        UUID,
        25,
    ),
    rule(
        "netlify-access-token",
        &["netlify"],
        &[to(URL_PADDED, 40, 46)],
        30,
    ),
    rule(
        "new-relic-user-api-id",
        &["newrelic", "new_relic"],
        &[of(ALNUM, 64)],
        30,
    ),
    rule(
        "nytimes-access-token",
        &["nytimes", "newyorktimes"],
        &[of(URL_PADDED, 32)],
        28,
    ),
    rule(
        "okta-access-token",
        &["okta"],
        &[text("00"), of(URL_PADDED, 40)],
        40,
    ),
    rule("plaid-client-id", &["plaid"], &[of(ALNUM, 24)], 30),
    rule("plaid-secret-key", &["plaid"], &[of(ALNUM, 30)], 30),
    rule(
        "privateai-api-token",
        &["privateai", "private_ai"],
        &[of(LOW, 32)],
        30,
    ),
    rule("rapidapi-access-token", &["rapidapi"], &[of(URL, 50)], 30),
    rule("sendbird-access-id", &["sendbird"], UUID, 28),
    rule(
        "sendbird-access-token",
        &["sendbird"],
        &[of(HEX_ANY, 40)],
        28,
    ),
    rule("sentry-access-token", &["sentry"], &[of(HEX_ANY, 64)], 30),
    rule(
        "sidekiq-secret",
        &["contribsys__com"],
        &[of(HEX_ANY, 8), text(":"), of(HEX_ANY, 8)],
        0,
    ),
    rule("snyk-api-token", &["snyk"], UUID, 28),
    rule("sonar-api-token", &["sonar"], &[of(URL_PADDED, 40)], 28),
    rule(
        "sonar-api-token",
        &["sonar"],
        &[text("sq"), of(LOW, 1), text("_"), of(URL_PADDED, 40)],
        28,
    ),
    rule(
        "sourcegraph-access-token",
        &["sourcegraph"],
        &[of(HEX_ANY, 40)],
        30,
    ),
    rule("squarespace-access-token", &["squarespace"], UUID, 28),
    rule(
        "sumologic-access-id",
        &["sumo"],
        &[text("su"), of(ALNUM, 12)],
        30,
    ),
    rule("sumologic-access-token", &["sumo"], &[of(ALNUM, 64)], 30),
    rule(
        "telegram-bot-api-token",
        &["telegr"],
        &[to(DIGIT, 5, 16), text(":A"), of(URL, 34)],
        30,
    ),
    rule("travisci-access-token", &["travis"], &[of(ALNUM, 22)], 28),
    rule("twitch-api-token", &["twitch"], &[of(ALNUM, 30)], 28),
    rule("twitter-access-secret", &["twitter"], &[of(ALNUM, 45)], 28),
    rule(
        "twitter-access-token",
        &["twitter"],
        &[to(DIGIT, 15, 25), text("-"), to(ALNUM, 20, 40)],
        28,
    ),
    rule("twitter-api-key", &["twitter"], &[of(ALNUM, 25)], 28),
    rule("twitter-api-secret", &["twitter"], &[of(ALNUM, 50)], 28),
    rule(
        "twitter-bearer-token",
        &["twitter"],
        &[text("AAAAAAAAAAAAAAAAAAAAAA"), to(ALNUM | PERCENT, 60, 110)],
        28,
    ),
    rule(
        "yandex-access-token",
        &["yandex"],
        &[
            text("t1."),
            to(URL_PADDED, 8, 200),
            text("."),
            to(URL_PADDED, 86, 88),
        ],
        30,
    ),
    rule(
        "yandex-aws-access-token",
        &["yandex"],
        &[text("YC"), of(URL, 38)],
        30,
    ),
    rule("zendesk-secret-key", &["zendesk"], &[of(ALNUM, 40)], 28),
];

/// `%` isn't a letter of any set: of a token with escapes the part before the first one is found.
const PERCENT: Set = 0;

/// A value that one of the rules knows, behind a name: the rule, and from where to where.
pub(crate) fn find(cursor: &Cursor<'_>, word: &Word) -> Answer<(usize, usize, usize)> {
    let end = cursor.start + word.length;
    let name = &cursor.bytes()[cursor.start..end];
    let mut value = None;
    for (n, rule) in RULES.iter().enumerate() {
        if !rule.names.iter().any(|one| names(name, one)) {
            continue;
        }
        if value.is_none() {
            let Some(from) = assigned(cursor, end)? else {
                return Ok(None);
            };
            value = Some(from);
        }
        let from = value.unwrap_or(end);
        if let Some(end) = matches(cursor, from, rule.shape)? {
            let text = cursor.from(from).text_to(end);
            let word_only = text
                .bytes()
                .all(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'-');
            if entropy(text) >= rule.entropy && !word_only && !stands_for_one(text) {
                return Ok(Some((n, from, end)));
            }
        }
    }
    Ok(None)
}

/// Whether a name has this in it.
fn names(name: &[u8], one: &str) -> bool {
    let one = one.as_bytes();
    name.windows(one.len()).any(|part| {
        part.eq_ignore_ascii_case(one)
            && (one.len() >= 6
                || part[1..].iter().all(u8::is_ascii_lowercase)
                || part.iter().all(u8::is_ascii_uppercase))
    })
}

/// The words that the rules go by, for a quick look. In lower case.
pub(crate) fn all_names() -> impl Iterator<Item = &'static str> {
    RULES.iter().flat_map(|rule| rule.names.iter().copied())
}

/// What names say that a secret follows.
pub(crate) const SAYS_SECRET: &[&str] = &[
    "secret",
    "token",
    "passw",
    "credential",
    "creds",
    "auth",
    "key",
    "access",
    "api",
];

/// What such names say when none follows.
const SAYS_OTHERWISE: &[&str] = &[
    "accessib",
    "accessor",
    "access_id",
    "accessid",
    "author",
    "authentication-results",
    "api_id",
    "api_name",
    "apiname",
    "api_version",
    "apiversion",
    "capital",
    "credential_id",
    "credentialid",
    "credentials_id",
    "credentialsid",
    "withcredentials",
    "bucket",
    "foreign",
    "primary",
    "public",
    "pub_key",
    "pubkey",
    "schema",
    "sequence",
    "turkey",
    "monkey",
    "hockey",
    "keyboard",
    "keyword",
    "keycode",
    "keyframe",
    "key_id",
    "keyid",
    "keylength",
    "key_length",
    "keyname",
    "key_name",
    "keypair",
    "keyring",
    "keysize",
    "keystore",
    "keytab",
    "keyvault",
    "key_vault",
    "keying",
    "keyfile",
    "key_file",
    "keyselector",
    "keymesh",
    "keyalias",
    "keypress",
    "keyup",
    "keydown",
    "secret_name",
    "secretname",
    "secret_length",
    "secretsid",
    "secretsize",
    "csrf",
    "xsrf",
    "url",
    "endpoint",
    "tokenizer",
    "tokens",
    "token_file",
    "tokenfile",
    "token_type",
    "rapid",
    "idxkey",
    "sortkey",
    "sort_key",
    "hash",
];

/// What a text may be that only its name calls a secret.
pub(crate) fn generic(cursor: &Cursor<'_>, word: &Word) -> Answer<(usize, usize)> {
    let end = cursor.start + word.length;
    let name = &cursor.bytes()[cursor.start..end];
    let has = |one: &&str| {
        let mut windows = name.windows(one.len());
        windows.any(|part| part.eq_ignore_ascii_case(one.as_bytes()))
    };
    // The end of a longer name: `csrf-token`.
    if cursor.before().0 == Some('-')
        || !SAYS_SECRET.iter().any(has)
        || SAYS_OTHERWISE.iter().any(has)
    {
        return Ok(None);
    }
    let Some(from) = assigned(cursor, end)? else {
        return Ok(None);
    };
    // The rest of the name: `api-key-id`.
    let rest = cursor.from(end).text_to(from).to_ascii_lowercase();
    let otherwise = [
        "id", "url", "uri", "name", "file", "path", "version", "jar", "length", "type", "author",
    ];
    if otherwise.iter().any(|one| rest.contains(one)) {
        return Ok(None);
    }
    let mut at = from;
    while at - from <= 150 && in_set(cursor.get(at)?, ANY) {
        at += 1;
    }
    let ends = matches!(
        cursor.get(at)?,
        0 | b'"'
            | b'\''
            | b'`'
            | b' '
            | b'\t'
            | b'\r'
            | b'\n'
            | b';'
            | b','
            | b'}'
            | b')'
            | b'\\'
            | b'&'
            | b'<'
    );
    if !(10..=150).contains(&(at - from)) || !ends {
        return Ok(None);
    }
    let value = cursor.from(from).text_to(at);
    Ok(looks_random(value).then_some((from, at)))
}

/// Letters and digits that nobody would choose: they change between kinds often, and have no words in them.
fn looks_random(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if digits < 2 || entropy(value) < 35 || stands_for_one(value) || value.starts_with(['/', '.']) {
        return false;
    }
    // `com.example.name`, `Key128Bit`, `path/to/file`: words of four letters and more, with vowels, make up most of it.
    let mut words = 0;
    for word in value.split(|c: char| !c.is_ascii_alphabetic()) {
        let mut start = 0;
        let bytes = word.as_bytes();
        for at in 1..=bytes.len() {
            let goes_on = at < bytes.len()
                && !(bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase());
            if !goes_on {
                words += usize::from(is_word(&bytes[start..at])) * (at - start);
                start = at;
            }
        }
    }
    words * 5 <= value.len() * 2
}

/// Whether letters may be a word of a language: one case, a vowel in every four letters, no three of a kind in a row.
fn is_word(letters: &[u8]) -> bool {
    let vowels = letters
        .iter()
        .filter(|b| b"aeiouyAEIOUY".contains(b))
        .count();
    let one_case = letters[1.min(letters.len())..]
        .iter()
        .all(u8::is_ascii_lowercase)
        || letters.iter().all(u8::is_ascii_uppercase);
    letters.len() >= 4 && one_case && vowels * 5 >= letters.len() && vowels < letters.len()
}

/// Whether the word may name a secret, as cheaply as that can be told.
pub(crate) fn may_name(cursor: &Cursor<'_>, word: &Word) -> Result<bool, More> {
    Ok(word.length >= 3 && !word.first.is_ascii_digit() && may_be_assigned(cursor, word)?)
}
