//! `witgate ask`: one question to a model behind a running gateway, in the action form.

use std::env;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Format, Wrong};
use crate::server::TRAFFIC_ADDRESS;

/// How long an answer may take: somewhat more than the gateway waits for one.
const TIMEOUT: Duration = Duration::from_secs(660);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a key is looked for unless told otherwise.
const KEY: &str = "WITGATE_KEY";

/// The most of an answer that is read.
const LARGEST: usize = 64 << 20;

/// How many models are named to someone who has to choose.
const NAMED: usize = 20;

/// The arguments of `witgate ask`.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// What to ask; `-`: what comes on standard input
    prompt: String,
    /// The model [default: the only one that the gateway has]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// How freely it words its answer, from 0 to 2 [default: 1]
    #[arg(long, value_name = "T", value_parser = finite)]
    temperature: Option<f64>,
    /// How long the answer may be [default: 1000]
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// The share of likely words that it chooses from, from 0 to 1 [default: 1]
    #[arg(long, value_name = "P", value_parser = finite)]
    top_p: Option<f64>,
    /// How much words that were used often are avoided, from -2 to 2 [default: 0]
    #[arg(long, value_name = "N", value_parser = finite, allow_negative_numbers = true)]
    frequency_penalty: Option<f64>,
    /// How much words that were used at all are avoided, from -2 to 2 [default: 0]
    #[arg(long, value_name = "N", value_parser = finite, allow_negative_numbers = true)]
    presence_penalty: Option<f64>,
    /// The gateway [default: http://127.0.0.1:41002]
    #[arg(long, value_name = "URL", value_parser = gateway)]
    gateway: Option<Url>,
    /// The environment variable that holds a client's key [default: WITGATE_KEY, if it is set]
    #[arg(long, value_name = "NAME")]
    key_env: Option<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "it must be a number".to_owned())
}

fn gateway(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| format!("it must be an address such as http://{TRAFFIC_ADDRESS}"))
}

pub(super) async fn ask(args: AskArgs) -> Result<ExitCode, Wrong> {
    let gateway = Asked::new(&args)?;
    let prompt = match &*args.prompt {
        "-" => standard_input()?,
        prompt => prompt.to_owned(),
    };
    let model = match args.model {
        Some(model) => model,
        None => gateway.only_model().await?,
    };
    let mut asked = Map::from_iter([
        ("model".to_owned(), json!(model)),
        ("prompt".to_owned(), json!(prompt)),
    ]);
    let numbers = [
        ("temperature", args.temperature.map(Value::from)),
        ("max_tokens", args.max_tokens.map(Value::from)),
        ("top_p", args.top_p.map(Value::from)),
        ("frequency_penalty", args.frequency_penalty.map(Value::from)),
        ("presence_penalty", args.presence_penalty.map(Value::from)),
    ];
    for (name, number) in numbers {
        asked.extend(number.map(|number| (name.to_owned(), number)));
    }
    let request = gateway.request(reqwest::Method::POST, "v1/actions/text-completion");
    let request = request.header(CONTENT_TYPE, "application/json");
    let request = request.body(Value::Object(asked).to_string());
    let answer = gateway.send(request).await?;
    let content = answer["content"].as_str();
    let content = content.ok_or_else(|| gateway.stranger())?;
    let finish = answer["finish_reason"].as_str().unwrap_or_default();
    match args.format {
        _ if args.json => print(&answer.to_string())?,
        Format::Json => print(&answer.to_string())?,
        // For a file or a pipe it stays as it is.
        Format::Text if !std::io::stdout().is_terminal() => print(content)?,
        Format::Text => print(&readable(content))?,
    }
    match finish {
        "error" => {
            Err("the answer was not brought to its end: its finish_reason is `error`".into())
        }
        "length" => {
            eprintln!(
                "witgate: the answer is as long as it may be, and was cut; --max-tokens lets it be longer"
            );
            Ok(ExitCode::SUCCESS)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The gateway that is asked.
struct Asked {
    base: Url,
    key: Option<String>,
    client: reqwest::Client,
}

impl Asked {
    fn new(args: &AskArgs) -> Result<Self, Wrong> {
        let mut base = match &args.gateway {
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://{TRAFFIC_ADDRESS}"))?,
        };
        // People write the address as they give it to SDKs.
        let path = base.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path);
        let path = format!("{path}/");
        base.set_path(&path);
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("witgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let key = key(args.key_env.as_deref())?;
        Ok(Self { base, key, client })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        let request = self.client.request(method, url);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request and reads the JSON that answers it.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Wrong> {
        let unreachable = |error: reqwest::Error| {
            let why = innermost(&error);
            format!(
                "no gateway answers at {}: {why}; is it running, and is this its traffic listener?",
                self.base
            )
        };
        let mut answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > LARGEST {
                return Err(format!("the answer has more than {LARGEST} bytes").into());
            }
            body.extend_from_slice(&piece);
        }
        let body: Value = serde_json::from_slice(&body).map_err(|_| self.stranger())?;
        if status.is_success() {
            return Ok(body);
        }
        let said = body["message"].as_str().ok_or_else(|| self.stranger())?;
        let code = body["code"].as_str().unwrap_or_default();
        let hint = match status.as_u16() {
            401 if self.key.is_none() => {
                format!("; put a client's key into the environment variable {KEY}")
            }
            _ => String::new(),
        };
        Err(readable(&format!(
            "the gateway answers {} ({code}): {said}{hint}",
            status.as_u16()
        ))
        .into())
    }

    /// The one model that there is.
    async fn only_model(&self) -> Result<String, Wrong> {
        let request = self.request(reqwest::Method::GET, "v1/models");
        let list = self.send(request).await?;
        let list = list["data"].as_array().ok_or_else(|| self.stranger())?;
        let models: Vec<&str> = list.iter().filter_map(|it| it["id"].as_str()).collect();
        match &models[..] {
            [model] => Ok((*model).to_owned()),
            [] => Err("the gateway lists no model; name one with --model".into()),
            several => {
                let rest = several.len().saturating_sub(NAMED);
                let named = several[..several.len() - rest].join(", ");
                let rest = match rest {
                    0 => String::new(),
                    rest => format!(" and {rest} more"),
                };
                Err(readable(&format!(
                    "the gateway has several models; name one with --model: {named}{rest}"
                ))
                .into())
            }
        }
    }

    fn stranger(&self) -> String {
        format!(
            "what answers at {} is no traffic listener of witgate's",
            self.base
        )
    }
}

/// What was wrong at last: what stands before it says that it was a request.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => innermost(cause),
        None => error.to_string(),
    }
}

/// A client's key, which is in no list of processes and in no shell's history.
fn key(named: Option<&str>) -> Result<Option<String>, Wrong> {
    let name = named.unwrap_or(KEY);
    match env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} holds no text").into()),
        _ if named.is_some() => Err(format!("--key-env names {name}, which is not set").into()),
        _ => Ok(None),
    }
}

fn standard_input() -> Result<String, Wrong> {
    let mut prompt = String::new();
    let read = std::io::stdin().read_to_string(&mut prompt);
    read.map_err(|why| format!("the prompt on standard input can't be read: {why}"))?;
    Ok(prompt)
}

fn print(text: &str) -> Result<(), Wrong> {
    let written = writeln!(std::io::stdout(), "{text}");
    Ok(written.map_err(|why| format!("the answer can't be written: {why}"))?)
}

/// A text for a terminal, to which nothing in it may be an order.
fn readable(text: &str) -> String {
    let is_order = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.replace(is_order, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_model_says_is_an_order_to_a_terminal() {
        let said = "one\n\ttwo \u{1b}[2J\u{9b}31m\r\u{7}é😀";
        let shown = "one\n\ttwo \u{fffd}[2J\u{fffd}31m\u{fffd}\u{fffd}é😀";
        assert_eq!(readable(said), shown);
    }
}
