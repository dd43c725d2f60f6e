//! Keys that say what they are, by how they begin. The facts (prefixes, lengths, letters) are those that issuers publish and that gitleaks
//! (MIT, Copyright (c) 2019 Zachary Rice) has collected.

use witgate_policy::patterns::{Answer, Cursor, Word};

use crate::shape::*;

/// A kind of key.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) prefix: &'static str,
    shape: &'static [Part],
    /// The least entropy, in tenths of a bit, of the whole key.
    entropy: u32,
    /// How many digits the key must have at least, because words with dashes have none.
    digits: u32,
}

const fn rule(
    id: &'static str,
    prefix: &'static str,
    shape: &'static [Part],
    entropy: u32,
) -> Rule {
    Rule {
        id,
        prefix,
        shape,
        entropy,
        digits: 0,
    }
}

const fn with_digits(
    id: &'static str,
    prefix: &'static str,
    shape: &'static [Part],
    entropy: u32,
    digits: u32,
) -> Rule {
    Rule {
        digits,
        ..rule(id, prefix, shape, entropy)
    }
}

impl Rule {
    #[cfg(test)]
    pub(crate) fn shape(&self) -> &'static [Part] {
        self.shape
    }
}

const UUID: [Part; 9] = [
    of(LOW, 8),
    text("-"),
    of(LOW, 4),
    text("-"),
    of(LOW, 4),
    text("-"),
    of(LOW, 4),
    text("-"),
    of(LOW, 12),
];
const AUTHRESS: &[Part] = &[
    to(LOW, 5, 30),
    text("."),
    to(LOW, 4, 6),
    text(".acc"),
    to(LOW_DASHED | NAME, 11, 33),
    text("."),
    to(URL_PADDED | BASE64, 30, 120),
];
const ROUTABLE: &[Part] = &[to(URL, 27, 300), text("."), of(LOW, 9)];
const TEAMS: [Part; 39] = {
    let mut parts = [text(""); 39];
    let mut n = 0;
    while n < 9 {
        parts[n] = UUID[n];
        parts[n + 10] = UUID[n];
        parts[n + 22] = UUID[n];
        n += 1;
    }
    parts[9] = text("@");
    parts[19] = text("/IncomingWebhook/");
    parts[20] = of(LOW, 32);
    parts[21] = text("/");
    parts
};

pub(crate) const RULES: &[Rule] = &[
    rule(
        "1password-secret-key",
        "A3-",
        &[
            of(UP, 6),
            text("-"),
            of(UP, 11),
            text("-"),
            of(UP, 5),
            text("-"),
            of(UP, 5),
            text("-"),
            of(UP, 5),
        ],
        38,
    ),
    rule(
        "1password-secret-key",
        "A3-",
        &[
            of(UP, 6),
            text("-"),
            of(UP, 6),
            text("-"),
            of(UP, 5),
            text("-"),
            of(UP, 5),
            text("-"),
            of(UP, 5),
            text("-"),
            of(UP, 5),
        ],
        38,
    ),
    rule(
        "1password-service-account-token",
        "ops_eyJ",
        &[to(BASE64_PADDED, 250, 4096)],
        40,
    ),
    rule("adobe-client-secret", "p8e-", &[of(ALNUM, 32)], 20),
    rule("age-secret-key", "AGE-SECRET-KEY-1", &[of(UP, 58)], 0),
    rule(
        "airtable-personal-access-token",
        "pat",
        &[of(ALNUM, 14), text("."), of(HEX, 64)],
        30,
    ),
    rule("alibaba-access-key-id", "LTAI", &[of(ALNUM, 20)], 20),
    rule(
        "anthropic-admin-api-key",
        "sk-ant-admin01-",
        &[of(URL, 95)],
        0,
    ),
    rule("anthropic-api-key", "sk-ant-api03-", &[of(URL, 95)], 0),
    rule("artifactory-api-key", "AKCp", &[of(ALNUM, 69)], 45),
    rule("artifactory-reference-token", "cmVmd", &[of(ALNUM, 59)], 45),
    rule("atlassian-api-token", "ATATT3", &[of(URL_PADDED, 186)], 35),
    rule("authress-service-client-access-key", "sc_", AUTHRESS, 20),
    rule("authress-service-client-access-key", "ext_", AUTHRESS, 20),
    rule(
        "authress-service-client-access-key",
        "scauth_",
        AUTHRESS,
        20,
    ),
    rule(
        "authress-service-client-access-key",
        "authress_",
        AUTHRESS,
        20,
    ),
    rule("aws-access-token", "AKIA", &[of(BASE32, 16)], 30),
    rule("aws-access-token", "ASIA", &[of(BASE32, 16)], 30),
    rule("aws-access-token", "ABIA", &[of(BASE32, 16)], 30),
    rule("aws-access-token", "ACCA", &[of(BASE32, 16)], 30),
    rule("aws-access-token", "A3T", &[of(UP, 1), of(BASE32, 16)], 30),
    rule(
        "aws-amazon-bedrock-api-key-long-lived",
        "ABSK",
        &[to(BASE64_PADDED, 109, 271)],
        30,
    ),
    rule(
        "aws-amazon-bedrock-api-key-short-lived",
        "bedrock-api-key-",
        &[to(BASE64_PADDED, 28, 4096)],
        30,
    ),
    rule("beamer-api-token", "b_", &[of(URL_PADDED, 44)], 38),
    rule("cerebras-api-key", "csk-", &[to(ALNUM, 20, 128)], 25),
    rule(
        "clickhouse-cloud-api-secret-key",
        "4b1d",
        &[of(ALNUM, 38)],
        30,
    ),
    rule("clojars-api-token", "CLOJARS_", &[of(LOW, 60)], 20),
    rule(
        "cloudflare-origin-ca-key",
        "v1.0-",
        &[of(HEX, 24), text("-"), of(HEX, 146)],
        20,
    ),
    rule(
        "databricks-api-token",
        "dapi",
        &[of(HEX, 32), text("-"), of(DIGIT, 1)],
        30,
    ),
    rule(
        "defined-networking-api-token",
        "dnkey-",
        &[of(URL_PADDED, 26), text("-"), of(URL_PADDED, 52)],
        20,
    ),
    rule("databricks-api-token", "dapi", &[of(HEX, 32)], 30),
    rule("digitalocean-access-token", "doo_v1_", &[of(HEX, 64)], 30),
    rule("digitalocean-pat", "dop_v1_", &[of(HEX, 64)], 30),
    rule("digitalocean-refresh-token", "dor_v1_", &[of(HEX, 64)], 20),
    rule("docker-pat", "dckr_pat_", &[to(URL, 27, 40)], 30),
    rule("doppler-api-token", "dp.pt.", &[of(ALNUM, 43)], 20),
    rule(
        "dropbox-short-lived-api-token",
        "sl.",
        &[of(URL_PADDED, 135)],
        30,
    ),
    rule(
        "duffel-api-token",
        "duffel_test_",
        &[of(URL_PADDED, 43)],
        20,
    ),
    rule(
        "duffel-api-token",
        "duffel_live_",
        &[of(URL_PADDED, 43)],
        20,
    ),
    rule(
        "dynatrace-api-token",
        "dt0c01.",
        &[of(ALNUM, 24), text("."), of(ALNUM, 64)],
        40,
    ),
    rule("easypost-api-token", "EZAK", &[of(ALNUM, 54)], 20),
    rule("easypost-test-api-token", "EZTK", &[of(ALNUM, 54)], 20),
    rule(
        "facebook-page-access-token",
        "EAAM",
        &[to(ALNUM, 100, 400)],
        40,
    ),
    rule(
        "facebook-page-access-token",
        "EAAC",
        &[to(ALNUM, 100, 400)],
        40,
    ),
    rule("figma-pat", "figd_", &[to(URL, 38, 60)], 30),
    rule(
        "flutterwave-encryption-key",
        "FLWSECK_TEST-",
        &[of(ALNUM, 12)],
        20,
    ),
    rule(
        "flutterwave-public-key",
        "FLWPUBK_TEST-",
        &[of(ALNUM, 32), text("-X")],
        20,
    ),
    rule(
        "flutterwave-secret-key",
        "FLWSECK_TEST-",
        &[of(ALNUM, 32), text("-X")],
        20,
    ),
    rule("flyio-access-token", "fo1_", &[of(URL, 43)], 40),
    rule(
        "flyio-access-token",
        "fm1r_",
        &[to(BASE64_PADDED, 100, 4096)],
        40,
    ),
    rule(
        "flyio-access-token",
        "fm1a_",
        &[to(BASE64_PADDED, 100, 4096)],
        40,
    ),
    rule(
        "flyio-access-token",
        "fm2_",
        &[to(BASE64_PADDED, 100, 4096)],
        40,
    ),
    rule("frameio-api-token", "fio-u-", &[of(URL_PADDED, 64)], 20),
    rule("gcp-api-key", "AIza", &[of(URL, 35)], 40),
    rule("github-app-token", "ghs_", &[to(ALNUM, 36, 255)], 30),
    rule("github-app-token", "ghu_", &[to(ALNUM, 36, 255)], 30),
    rule(
        "github-fine-grained-pat",
        "github_pat_",
        &[to(NAME, 22, 255)],
        30,
    ),
    rule("github-oauth", "gho_", &[to(ALNUM, 36, 255)], 30),
    rule("github-pat", "ghp_", &[to(ALNUM, 36, 255)], 30),
    rule("github-refresh-token", "ghr_", &[to(ALNUM, 36, 255)], 30),
    rule(
        "gitlab-cicd-job-token",
        "glcbt-",
        &[to(ALNUM, 1, 5), text("_"), of(URL, 20)],
        30,
    ),
    rule("gitlab-deploy-token", "gldt-", &[of(URL, 20)], 30),
    rule(
        "gitlab-feature-flag-client-token",
        "glffct-",
        &[of(URL, 20)],
        30,
    ),
    rule("gitlab-feed-token", "glft-", &[of(URL, 20)], 30),
    rule("gitlab-incoming-mail-token", "glimt-", &[of(URL, 25)], 30),
    rule(
        "gitlab-kubernetes-agent-token",
        "glagent-",
        &[of(URL, 50)],
        30,
    ),
    rule("gitlab-oauth-app-secret", "gloas-", &[of(URL, 64)], 30),
    rule("gitlab-pat", "glpat-", &[of(URL, 20)], 30),
    rule("gitlab-pat-routable", "glpat-", ROUTABLE, 40),
    rule("gitlab-ptt", "glptt-", &[of(HEX, 40)], 30),
    rule("gitlab-rrt", "GR1348941", &[of(URL, 20)], 30),
    rule(
        "gitlab-runner-authentication-token",
        "glrt-",
        &[of(URL, 20)],
        30,
    ),
    rule(
        "gitlab-runner-authentication-token-routable",
        "glrt-t",
        &[
            of(DIGIT, 1),
            text("_"),
            to(URL, 27, 300),
            text("."),
            of(LOW, 9),
        ],
        40,
    ),
    rule("gitlab-scim-token", "glsoat-", &[of(URL, 20)], 30),
    rule(
        "gitlab-session-cookie",
        "_gitlab_session=",
        &[of(LOW, 32)],
        30,
    ),
    rule("google-oauth-client-secret", "GOCSPX-", &[of(URL, 28)], 30),
    rule(
        "google-oauth-access-token",
        "ya29.",
        &[to(URL, 50, 400)],
        35,
    ),
    rule(
        "grafana-api-key",
        "eyJrIjoi",
        &[to(ALNUM | EQUALS_ONLY, 70, 403)],
        30,
    ),
    rule(
        "grafana-cloud-api-token",
        "glc_",
        &[to(BASE64_PADDED, 32, 403)],
        30,
    ),
    rule(
        "grafana-service-account-token",
        "glsa_",
        &[of(ALNUM, 32), text("_"), of(HEX_ANY, 8)],
        30,
    ),
    rule("groq-api-key", "gsk_", &[of(ALNUM, 52)], 35),
    rule(
        "harness-api-key",
        "pat.",
        &[
            of(URL, 22),
            text("."),
            of(ALNUM, 24),
            text("."),
            of(ALNUM, 20),
        ],
        30,
    ),
    rule(
        "harness-api-key",
        "sat.",
        &[
            of(URL, 22),
            text("."),
            of(ALNUM, 24),
            text("."),
            of(ALNUM, 20),
        ],
        30,
    ),
    rule("heroku-api-key-v2", "HRKU-AA", &[of(URL, 58)], 40),
    rule("huggingface-access-token", "hf_", &[of(LETTER, 34)], 35),
    rule(
        "huggingface-organization-api-token",
        "api_org_",
        &[of(LETTER, 34)],
        35,
    ),
    rule("infracost-api-token", "ico-", &[of(ALNUM, 32)], 30),
    rule("intra42-client-secret", "s-s4t2ud-", &[of(HEX, 64)], 30),
    rule("intra42-client-secret", "s-s4t2af-", &[of(HEX, 64)], 30),
    rule(
        "langsmith-api-key",
        "lsv2_",
        &[of(LOW, 2), text("_"), of(HEX, 32), text("_"), of(HEX, 10)],
        30,
    ),
    rule("linear-api-key", "lin_api_", &[of(ALNUM, 40)], 20),
    rule(
        "mapbox-api-token",
        "pk.",
        &[to(LOW, 60, 90), text("."), of(LOW, 22)],
        30,
    ),
    rule(
        "mapbox-api-token",
        "pk.eyJ",
        &[to(ALNUM, 60, 120), text("."), of(URL, 22)],
        30,
    ),
    rule("microsoft-teams-webhook", "webhookb2/", &TEAMS, 30),
    rule("new-relic-browser-api-token", "NRJS-", &[of(HEX, 19)], 20),
    rule("new-relic-insert-key", "NRII-", &[of(DASHED, 32)], 20),
    rule("new-relic-user-api-key", "NRAK-", &[of(ALNUM, 27)], 20),
    rule(
        "notion-api-token",
        "ntn_",
        &[of(DIGIT, 11), of(ALNUM, 35)],
        40,
    ),
    rule("npm-access-token", "npm_", &[of(ALNUM, 36)], 30),
    rule("nvidia-api-key", "nvapi-", &[to(URL, 60, 80)], 35),
    rule("octopus-deploy-api-key", "API-", &[of(UP, 26)], 30),
    rule("openshift-user-token", "sha256~", &[of(URL, 43)], 35),
    rule("perplexity-api-key", "pplx-", &[of(ALNUM, 48)], 40),
    rule("pinecone-api-key", "pcsk_", &[to(NAME, 60, 80)], 35),
    rule("plaid-api-token", "access-sandbox-", &UUID, 20),
    rule("plaid-api-token", "access-development-", &UUID, 20),
    rule("plaid-api-token", "access-production-", &UUID, 20),
    rule(
        "planetscale-api-token",
        "pscale_tkn_",
        &[to(DOTTED, 32, 64)],
        30,
    ),
    rule(
        "planetscale-oauth-token",
        "pscale_oauth_",
        &[to(DOTTED, 32, 64)],
        30,
    ),
    rule(
        "planetscale-password",
        "pscale_pw_",
        &[to(DOTTED, 32, 64)],
        30,
    ),
    rule(
        "postman-api-token",
        "PMAK-",
        &[of(HEX_ANY, 24), text("-"), of(HEX_ANY, 34)],
        30,
    ),
    rule("prefect-api-token", "pnu_", &[of(ALNUM, 36)], 20),
    rule("pulumi-api-token", "pul-", &[of(HEX, 40)], 20),
    rule(
        "pypi-upload-token",
        "pypi-AgEIcHlwaS5vcmc",
        &[to(URL, 50, 1000)],
        30,
    ),
    rule("readme-api-token", "rdme_", &[of(LOW, 70)], 20),
    rule("replicate-api-token", "r8_", &[of(ALNUM, 37)], 30),
    rule("rubygems-api-token", "rubygems_", &[of(HEX, 48)], 20),
    rule("scalingo-api-token", "tk-us-", &[of(URL, 48)], 20),
    rule("sendgrid-api-token", "SG.", &[of(DOTTED, 66)], 20),
    rule(
        "sendinblue-api-token",
        "xkeysib-",
        &[of(HEX, 64), text("-"), of(ALNUM, 16)],
        20,
    ),
    rule(
        "sentry-org-token",
        "sntrys_eyJpYXQiO",
        &[to(URL_PADDED | BASE64, 80, 500)],
        45,
    ),
    rule("sentry-user-token", "sntryu_", &[of(HEX, 64)], 35),
    rule(
        "settlemint-application-access-token",
        "sm_aat_",
        &[of(ALNUM, 16)],
        30,
    ),
    rule(
        "settlemint-personal-access-token",
        "sm_pat_",
        &[of(ALNUM, 16)],
        30,
    ),
    rule(
        "settlemint-service-access-token",
        "sm_sat_",
        &[of(ALNUM, 16)],
        30,
    ),
    rule("shippo-api-token", "shippo_live_", &[of(HEX_ANY, 40)], 20),
    rule("shippo-api-token", "shippo_test_", &[of(HEX_ANY, 40)], 20),
    rule("shopify-access-token", "shpat_", &[of(HEX_ANY, 32)], 20),
    rule(
        "shopify-custom-access-token",
        "shpca_",
        &[of(HEX_ANY, 32)],
        20,
    ),
    rule(
        "shopify-private-app-access-token",
        "shppa_",
        &[of(HEX_ANY, 32)],
        20,
    ),
    rule("shopify-shared-secret", "shpss_", &[of(HEX_ANY, 32)], 20),
    rule(
        "slack-app-token",
        "xapp-",
        &[
            of(DIGIT, 1),
            text("-"),
            to(ALNUM, 5, 20),
            text("-"),
            to(DIGIT, 5, 20),
            text("-"),
            to(ALNUM, 16, 128),
        ],
        20,
    ),
    rule(
        "slack-bot-token",
        "xoxb-",
        &[to(DIGIT, 8, 14), text("-"), to(DASHED, 10, 60)],
        20,
    ),
    rule(
        "slack-config-access-token",
        "xoxe.xoxb-",
        &[of(DIGIT, 1), text("-"), to(ALNUM, 163, 166)],
        20,
    ),
    rule(
        "slack-config-access-token",
        "xoxe.xoxp-",
        &[of(DIGIT, 1), text("-"), to(ALNUM, 163, 166)],
        20,
    ),
    rule(
        "slack-config-refresh-token",
        "xoxe-",
        &[of(DIGIT, 1), text("-"), of(ALNUM, 146)],
        20,
    ),
    rule(
        "slack-legacy-token",
        "xoxo-",
        &[
            to(DIGIT, 1, 14),
            text("-"),
            to(DIGIT, 1, 14),
            text("-"),
            to(DIGIT, 1, 14),
            text("-"),
            to(HEX_ANY, 8, 64),
        ],
        20,
    ),
    rule(
        "slack-legacy-token",
        "xoxs-",
        &[
            to(DIGIT, 1, 14),
            text("-"),
            to(DIGIT, 1, 14),
            text("-"),
            to(DIGIT, 1, 14),
            text("-"),
            to(HEX_ANY, 8, 64),
        ],
        20,
    ),
    with_digits(
        "slack-legacy-workspace-token",
        "xoxa-",
        &[to(DASHED, 8, 80)],
        20,
        3,
    ),
    with_digits(
        "slack-legacy-workspace-token",
        "xoxr-",
        &[to(DASHED, 8, 80)],
        20,
        3,
    ),
    rule(
        "slack-user-token",
        "xoxp-",
        &[
            to(DIGIT, 8, 14),
            text("-"),
            to(DIGIT, 8, 14),
            text("-"),
            to(DIGIT, 8, 14),
            text("-"),
            to(DASHED, 24, 64),
        ],
        20,
    ),
    rule(
        "slack-user-token",
        "xoxe-",
        &[
            to(DIGIT, 8, 14),
            text("-"),
            to(DIGIT, 8, 14),
            text("-"),
            to(DIGIT, 8, 14),
            text("-"),
            to(DASHED, 24, 64),
        ],
        20,
    ),
    rule(
        "slack-webhook-url",
        "hooks.slack.com/services/",
        &[to(BASE64, 43, 56)],
        20,
    ),
    rule(
        "slack-webhook-url",
        "hooks.slack.com/workflows/",
        &[to(BASE64, 43, 80)],
        20,
    ),
    rule(
        "slack-webhook-url",
        "hooks.slack.com/triggers/",
        &[to(BASE64, 43, 80)],
        20,
    ),
    rule("sourcegraph-access-token", "sgp_", &[of(HEX_ANY, 40)], 31),
    rule(
        "sourcegraph-access-token",
        "sgp_local_",
        &[of(HEX_ANY, 40)],
        31,
    ),
    rule(
        "sourcegraph-access-token",
        "sgp_",
        &[of(HEX_ANY, 16), text("_"), of(HEX_ANY, 40)],
        31,
    ),
    rule("square-access-token", "EAAA", &[to(URL, 22, 60)], 30),
    rule("square-access-token", "sq0atp-", &[to(URL, 22, 60)], 20),
    rule("stripe-access-token", "sk_test_", &[to(ALNUM, 10, 120)], 25),
    rule("stripe-access-token", "sk_live_", &[to(ALNUM, 10, 120)], 25),
    rule("stripe-access-token", "sk_prod_", &[to(ALNUM, 10, 120)], 25),
    rule("stripe-access-token", "rk_test_", &[to(ALNUM, 10, 120)], 25),
    rule("stripe-access-token", "rk_live_", &[to(ALNUM, 10, 120)], 25),
    rule("stripe-access-token", "rk_prod_", &[to(ALNUM, 10, 120)], 25),
    rule("tailscale-key", "tskey-", &[to(DASHED, 24, 90)], 30),
    rule("twilio-api-key", "SK", &[of(HEX_ANY, 32)], 30),
    rule("typeform-api-token", "tfp_", &[of(DOTTED, 59)], 30),
    rule("vault-batch-token", "hvb.", &[to(URL, 138, 300)], 40),
    rule("vault-service-token", "hvs.", &[to(URL, 90, 120)], 35),
    with_digits("vault-service-token", "s.", &[of(ALNUM, 24)], 35, 1),
    rule("xai-api-key", "xai-", &[of(ALNUM, 80)], 35),
    rule("yandex-api-key", "AQVN", &[to(URL, 35, 38)], 35),
    // OpenAI, and the many that follow it. After the more special ones.
    with_digits("openai-api-key", "sk-", &[to(URL, 20, 256)], 30, 2),
    rule(
        "jwt-base64",
        "ZXlK",
        &[to(BASE64_PADDED | URL, 80, 4096)],
        30,
    ),
];

const EQUALS_ONLY: Set = URL_PADDED & !URL;

const COUNT: usize = RULES.len();

/// The rules in the order of their first letter, and where each letter's begin.
const INDEX: ([u8; COUNT], [u8; 129]) = {
    let mut order = [0; COUNT];
    let mut starts = [0; 129];
    let mut next = 0;
    let mut letter = 0;
    while letter < 128 {
        starts[letter] = next as u8;
        let mut n = 0;
        while n < COUNT {
            if RULES[n].prefix.as_bytes()[0] as usize == letter {
                order[next] = n as u8;
                next += 1;
            }
            n += 1;
        }
        letter += 1;
    }
    starts[128] = next as u8;
    (order, starts)
};

/// How keys begin that may have no digit: those with few letters behind their prefix, and those of letters alone. All others have one, which the interest
/// goes by: an expression with every prefix would be too large.
const WITHOUT_DIGITS: &[&str] = &[
    "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "gh", "hf_", "api_org_", "sm_", "sk_", "rk_", "glpat-",
];

/// What a word has in it with such a key.
pub(crate) const EXPRESSION: &str = r"AKIA|ASIA|ABIA|ACCA|AIza|gh[pousr]_|github_pat_|hf_|api_org_|sm_[aps]at_|[sr]k_(?:test|live|prod)_|glpat-";

/// Keys that documents of their issuers show: hashes, so that none stands here.
const SHOWN: [u64; 16] = [
    0xc800_bf21_00a2_1c67,
    0x6acb_d824_bd32_bbd4,
    0x29a3_36c7_244f_48dd,
    0x08b5_4596_2adc_7d8b,
    0xe766_6dbb_286c_6c2e,
    0x99b2_7263_46a1_e92a,
    0x1211_3c2e_6979_f447,
    0x8288_18f8_3325_7868,
    0x6835_e0f2_8883_2a40,
    0x816c_d10f_db11_ead0,
    0xadbd_04e3_fe1b_6d49,
    0xdb94_22f1_dd33_2dcc,
    0x515c_b771_a423_8032,
    0xe754_678e_a2b1_4ef1,
    0xc73f_1e61_952e_6987,
    0x294c_63f8_344d_5df1,
];

/// A key of one of the rules. No key begins behind a dash, which bounds the work on `sk-sk-sk-`.
pub(crate) fn find(cursor: &Cursor<'_>, word: &Word) -> Answer<(usize, usize)> {
    static ORDER: [u8; COUNT] = INDEX.0;
    static STARTS: [u8; 129] = INDEX.1;
    let letter = usize::from(word.first);
    if letter >= 128 || STARTS[letter] == STARTS[letter + 1] || cursor.before().0 == Some('-') {
        return Ok(None);
    }
    for n in STARTS[letter]..STARTS[letter + 1] {
        let n = usize::from(ORDER[usize::from(n)]);
        let rule = &RULES[n];
        if !cursor.has(cursor.start, rule.prefix)? {
            continue;
        }
        let from = cursor.start + rule.prefix.len();
        if let Some(end) = matches(cursor, from, rule.shape)? {
            let key = cursor.text_to(end);
            let digits = key.bytes().filter(u8::is_ascii_digit).count();
            let least = match WITHOUT_DIGITS
                .iter()
                .any(|one| rule.prefix.starts_with(one))
            {
                true => rule.digits,
                false => rule.digits.max(1),
            };
            let random = entropy(key) >= rule.entropy && digits >= least as usize;
            // A long prefix needs no more.
            let stands = rule.entropy > 0 && stands_for_one(key);
            if random && !stands && !is_shown(key) {
                return Ok(Some((n, end)));
            }
        }
    }
    Ok(None)
}

fn is_shown(key: &str) -> bool {
    key.starts_with("AIza") && SHOWN.contains(&hash(key))
}

/// FNV-1a.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
