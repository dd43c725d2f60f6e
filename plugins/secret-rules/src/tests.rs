//! Every rule finds the keys that its shape makes, in every place and at every cut, and leaves alone what is nearly one.

use witgate_policy::patterns::{self, At, Bytes, Cursor, More, Recognisers, Word};
use witgate_policy::redact::{Finder, Form, Redactor, Scan, View, find_all, redact_all};
use witgate_policy::testing;

use crate::prefixed::RULES;
use crate::shape::Part;
use crate::{MARKS, Scope, find, name};

const ALL: Scope = Scope {
    named: true,
    generic: true,
};

struct Secrets(Scope);

impl Recognisers for Secrets {
    type Memory = ();
    const MARKS: Bytes = MARKS;

    fn at(&self, cursor: &Cursor<'_>, word: &Word, _: &mut ()) -> Result<Option<At>, More> {
        let found = find(cursor, word, self.0)?;
        Ok(found.map(|it| At::Found {
            start: it.start,
            end: it.end,
            kind: it.rule,
        }))
    }
}

impl Finder for Secrets {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        patterns::scan(self, view, from)
    }
    fn replace(&self, kind: usize, _: &str, out: &mut String) {
        out.push_str(&format!("[{}]", name(kind)));
    }
}

fn redacted(text: &str) -> String {
    redact_all(Secrets(ALL), Form::Text, text).unwrap_or_else(|| text.into())
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize % most
    }
}

/// A key of the rule.
fn made(numbers: &mut Numbers, prefix: &str, shape: &[Part]) -> String {
    let mut key = prefix.to_owned();
    for part in shape {
        match part {
            Part::Text(text) => key.push_str(text),
            Part::Run(set, least, most) => {
                let letters: Vec<char> = (' '..='~')
                    .filter(|c| crate::shape::in_set(*c as u8, *set) && !"-_=.".contains(*c))
                    .collect();
                assert!(!letters.is_empty(), "{set}");
                let count =
                    usize::from(*least) + numbers.below(usize::from(most - least).min(9) + 1);
                key.extend((0..count).map(|_| letters[numbers.below(letters.len())]));
            }
        }
    }
    key
}

#[test]
fn each_rule_finds_the_keys_that_its_shape_makes() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut made_in_all, mut missed) = (0, Vec::new());
    for rule in RULES {
        for _ in 0..20 {
            let key = made(&mut numbers, rule.prefix, rule.shape());
            for text in [
                key.clone(),
                format!("use \"{key}\", please"),
                format!("TOKEN={key}\n"),
                format!("a%3D{key}&b"),
                format!("key_{key}."),
                format!("é{key}"),
            ] {
                made_in_all += 1;
                let found = find_all(Secrets(Scope::PREFIXED), &text);
                let whole =
                    found.len() == 1 && text[found[0].start..found[0].end].starts_with(&key);
                if !whole {
                    missed.push(format!("{} {text} {found:?}", rule.id));
                }
            }
        }
    }
    // Some are too plain by chance.
    assert!(
        missed.len() * 50 <= made_in_all,
        "{} of {made_in_all}: {:#?}",
        missed.len(),
        missed
            .iter()
            .map(|it| it.split(' ').next())
            .collect::<std::collections::BTreeSet<_>>()
    );
}

#[test]
fn the_same_is_found_at_every_cut() {
    let mut numbers = Numbers(3);
    let mut texts: Vec<String> = RULES
        .iter()
        .map(|rule| {
            format!(
                "a {} {}-",
                rule.id,
                made(&mut numbers, rule.prefix, rule.shape())
            )
        })
        .collect();
    texts.extend(NAMED.iter().map(|(text, _)| (*text).to_owned()));
    texts.extend(CLEAN.iter().map(|text| (*text).to_owned()));
    for text in &texts {
        let expected = redacted(text);
        for length in [1, 3, 19] {
            let chars: Vec<char> = text.chars().collect();
            let chunks: Vec<String> = chars.chunks(length).map(|c| c.iter().collect()).collect();
            let passage = Redactor::new(Secrets(ALL), Form::Text);
            let answer = testing::redact(passage, chunks.iter().map(String::as_str));
            assert_eq!(answer.text, expected, "of {text} in pieces of {length}");
            assert_eq!(answer.untouched, expected == *text, "of {text}");
        }
    }
}

/// What only the name before it tells.
const NAMED: &[(&str, &str)] = &[
    // What says itself what it is isn't the generic rule's.
    (
        "hf_token = \"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\"",
        "hf_token = \"[huggingface-access-token]\"",
    ),
    (
        "SUMO_ACCESS_ID = \"suGyI5imvADdvU\"",
        "SUMO_ACCESS_ID = \"[sumologic-access-id]\"",
    ),
    (
        "facebook_app_secret: 6dca6432e45d933e13650d1882bd5e69.",
        "facebook_app_secret: [facebook-secret].",
    ),
    (
        "{\"discord.client-secret\": \"a8Kd92kLmZ0p3Q7xYv5TnB1cWe4RuI6o\"}",
        "{\"discord.client-secret\": \"[discord-client-secret]\"}",
    ),
    (
        "curl -H 'Authorization: Bearer cfcabd11c7ed9a41b1a3e063c32d5114' x",
        "curl -H 'Authorization: Bearer [curl-auth-header]' x",
    ),
    (
        "curl -u elastic:P@ssw0rd$1 https://localhost",
        "curl -u elastic:[curl-auth-user] https://localhost",
    ),
    (
        "curl --user \"api:d2LkV78zLx!t\" x",
        "curl --user \"api:[curl-auth-user]\" x",
    ),
    (
        "postgres://app:hunter2@localhost/db",
        "postgres://app:[url-password]@localhost/db",
    ),
    (
        "api_token = Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB",
        "api_token = [generic-api-key]",
    ),
    (
        "bot 123456789:AAHk2jd83KdkLPq0ZmX71vBnQwErTyUiOpA ok",
        "bot [telegram-bot-api-token] ok",
    ),
];

const CLEAN: &[&str] = &[
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "AKIAIOSFODNN7EXAMPLE AKIAXXXXXXXXXXXXXXXX TODAYINASIAASACKOFRICEFELLOVER",
    "sumObj = suGyI5imvADdvU",
    "SUMO_ACCESS_KEY=${SUMO_ACCESS_KEY:=$2}",
    "curl -H \"Authorization: Bearer $TOKEN\" -u user:password -u \"$A:$B\" git push -u origin:main",
    "public_key = \"9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit\"",
    "keyPressed = kVK_Return.u16; the key of the town: 12 people; author: james.fake@ymail.com",
    "access_token_url='https://github.com/login/oauth/access_token'",
    "video_box.ico-7a388b69018576d24b59331fd60aab0c.png hf_requiredCharacteristicTypesForDisplayMetadata",
    "task-force ask-me-anything sk-estimator-id-1 pat.smith@example.org s.th",
];

#[test]
fn what_a_name_tells_is_found() {
    for (text, expected) in NAMED {
        assert_eq!(redacted(text), *expected);
    }
}

/// Of a long value nothing goes on, whoever finds it and however it comes.
#[test]
fn a_value_is_found_to_its_end() {
    let long = |length: usize| -> String {
        (0..length)
            .map(|at| char::from(b"aB3xK9mQ2w"[(at * 7 + at / 10) % 10]))
            .collect()
    };
    let pat = format!("github_pat_{}_{}", long(22), long(59));
    let token = format!("eyJ{}.eyJ{}.{}", long(40), long(3000), long(86));
    for (text, expected) in [
        (
            format!("curl -u me:{pat} x"),
            "curl -u me:[github-fine-grained-pat] x",
        ),
        (
            format!("curl -u me:{} x", long(200)),
            "curl -u me:[curl-auth-user] x",
        ),
        (
            format!("curl -u 'me:{}' x", long(5000)),
            "curl -u 'me:[curl-auth-user]' x",
        ),
        (
            format!("Authorization: Bearer {token}\n"),
            "Authorization: Bearer [jwt]\n",
        ),
        (
            format!("X-Api-Key: {}\n", long(5000)),
            "X-Api-Key: [curl-auth-header]\n",
        ),
    ] {
        assert_eq!(redacted(&text), expected);
        for length in [1, 19, 1000] {
            let chunks: Vec<_> = text.as_bytes().chunks(length).collect();
            let chunks = chunks
                .iter()
                .map(|chunk| std::str::from_utf8(chunk).expect("cut between characters"));
            let passage = Redactor::new(Secrets(ALL), Form::Text);
            assert_eq!(
                testing::redact(passage, chunks).text,
                expected,
                "in pieces of {length}"
            );
        }
    }
}

#[test]
fn what_only_looks_like_a_key_is_left_alone() {
    for text in CLEAN {
        assert_eq!(redacted(text), *text);
    }
}

#[test]
fn no_text_takes_more_than_so_many_looks_at_each_byte() {
    let mut units: Vec<String> = RULES.iter().map(|rule| rule.prefix.to_owned()).collect();
    units.extend(
        [
            "a",
            "_",
            "a_",
            "%3D",
            "%",
            "eyJ",
            "eyJaaaaaaaa.",
            "token ",
            "token=",
            "sumo_key: ",
            "sumo ",
            "-u ",
            "-u a:",
            "Authorization: ",
            "x-",
            "://a:",
            "1",
            "12345678:A",
            "key='\"",
            "api_key.",
            "-----BEGIN PRIVATE KEY-----A",
        ]
        .map(String::from),
    );
    for unit in units {
        let work = |times: usize| {
            let text = unit.repeat(times * 4096 / unit.len());
            testing::steps(|| drop(redact_all(Secrets(ALL), Form::Text, &text)))
        };
        let for_each = work(3) / (3 * 4096);
        assert!(for_each <= 300, "{unit:?}: {for_each} steps for each byte");
    }
}
