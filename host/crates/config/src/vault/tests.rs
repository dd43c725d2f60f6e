//! Against a server that says what a test tells it to. What a real one says is tried by the tests of the program.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

const TOKEN: &str = "s.toptoken";
const SECRET: &str = "csk-topsecret";

/// What a request was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Request {
    line: String,
    token: String,
    namespace: String,
    body: String,
}

/// A server that answers each request by its first line: with status, further headers and body.
struct Server {
    address: Url,
    requests: Arc<Mutex<Vec<Request>>>,
}

type Answers = dyn Fn(&str, usize) -> Option<(u16, String)> + Send + Sync;

impl Server {
    /// `answers` is told how many requests there were before; where it says nothing, the connection is held open.
    fn start(
        answers: impl Fn(&str, usize) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, answers): (_, Arc<Answers>) = (requests.clone(), Arc::new(answers));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answers) = (seen.clone(), answers.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &seen, &*answers));
            }
        });
        Server {
            address: Url::parse(&address).unwrap(),
            requests,
        }
    }

    fn lines(&self) -> Vec<String> {
        let requests = self.requests.lock();
        requests.iter().map(|it| it.line.clone()).collect()
    }

    /// A reference to the field `key` of `secret/a/b`, with a token in a file of this folder.
    fn secret(&self, folder: &Path) -> VaultRef {
        let token = folder.join("token");
        std::fs::write(&token, TOKEN).unwrap();
        VaultRef {
            server: VaultServer {
                address: self.address.clone(),
                namespace: Some("team/a".to_owned()),
                ca_file: None,
                auth: VaultAuth::Token(SecretRef::File(token)),
            },
            mount: "secret".to_owned(),
            path: "a/b".to_owned(),
            field: "key".to_owned(),
            timeout: Duration::from_secs(30),
            refresh: Duration::from_secs(3600),
        }
    }

    /// The same with a login, by a token of a pod's.
    fn pods(&self, folder: &Path) -> VaultRef {
        let jwt_file = folder.join("jwt");
        std::fs::write(&jwt_file, "topjwt").unwrap();
        let mut secret = self.secret(folder);
        secret.server.auth = VaultAuth::Kubernetes {
            role: "witgate".to_owned(),
            jwt_file,
            mount: "kubernetes".to_owned(),
        };
        secret
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>, answers: &Answers) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut request = Request::default();
    reader.read_line(&mut request.line).ok()?;
    request.line = request.line.trim_end_matches(" HTTP/1.1\r\n").to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name {
            "x-vault-token" => value.clone_into(&mut request.token),
            "x-vault-namespace" => value.clone_into(&mut request.namespace),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    let before = seen.lock().len();
    let answer = answers(&request.line, before);
    seen.lock().push(request);
    let Some((status, body)) = answer else {
        // Until the other side has gone.
        let _ = reader.read_line(&mut String::new());
        return None;
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nlocation: http://{TOKEN}/\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}

fn found(value: &str) -> Option<(u16, String)> {
    let body =
        format!(r#"{{"data": {{"data": {{"key": {value}}}, "metadata": {{"version": 1}}}}}}"#);
    Some((200, body))
}

fn lookup(ttl: u64, renewable: bool) -> Option<(u16, String)> {
    Some((
        200,
        format!(r#"{{"data": {{"ttl": {ttl}, "renewable": {renewable}}}}}"#),
    ))
}

fn granted(token: &str, seconds: u64) -> Option<(u16, String)> {
    let body = format!(
        r#"{{"auth": {{"client_token": "{token}", "lease_duration": {seconds}, "renewable": true}}}}"#
    );
    Some((200, body))
}

const LOOKUP: &str = "GET /v1/auth/token/lookup-self";
const READ: &str = "GET /v1/secret/data/a/b";

#[test]
fn a_field_is_read_with_the_token_in_the_namespace() {
    let server = Server::start(|line, _| match line {
        LOOKUP => lookup(3600, true),
        _ => found(&format!("{SECRET:?}")),
    });
    let folder = tempfile::tempdir().unwrap();
    let secret = server.secret(folder.path());
    let reference = SecretRef::Vault(Box::new(secret));
    assert_eq!(reference.read().unwrap().expose(), SECRET);
    assert_eq!(reference.read().unwrap().expose(), SECRET);
    assert_eq!(server.lines(), [LOOKUP, READ], "it is good for an hour");
    for request in &*server.requests.lock() {
        assert_eq!((&*request.token, &*request.namespace), (TOKEN, "team/a"));
    }
    assert!(reference.renew().is_none(), "it isn't time yet");
    let shown = format!("{reference} {reference:?}");
    assert!(
        shown.starts_with("`key` of secret/a/b in Vault at http://127.0.0.1:"),
        "{shown}"
    );
}

#[test]
fn what_went_wrong_is_said_and_nothing_of_what_was_said_or_told() {
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    type Answer = Option<(u16, String)>;
    let cases: [(Answer, &str); 14] = [
        (
            Some((403, format!("{{\"errors\": [\"{SECRET}\"]}}"))),
            "the token has ended or is wrong",
        ),
        (Some((404, "{}".into())), "isn't a KV store of version 2"),
        (
            Some((
                404,
                r#"{"data": {"data": null, "metadata": {"deletion_time": "2026"}}}"#.into(),
            )),
            "its newest version was deleted",
        ),
        (Some((503, SECRET.into())), "is sealed"),
        (Some((307, SECRET.into())), "redirects, as a standby does"),
        (Some((473, SECRET.into())), "is a standby"),
        (Some((500, SECRET.into())), "status 500"),
        (Some((200, SECRET.into())), "something else than a KV store"),
        (
            Some((
                200,
                format!(r#"{{"data": {{"data": {{"other": "{SECRET}"}}}}}}"#),
            )),
            "no field `key`",
        ),
        (found("17"), "its field `key` is no text"),
        (found("\"\""), "is empty"),
        (found("\"topsecret\\nagain\""), "more than one line"),
        (found(&large), "more than any secret should be"),
        (None, "didn't answer within 300ms"),
    ];
    for (answer, why) in cases {
        let hangs = answer.is_none();
        let server = Server::start(move |line, _| match line {
            LOOKUP => lookup(0, false),
            _ => answer.clone(),
        });
        let folder = tempfile::tempdir().unwrap();
        let mut secret = server.secret(folder.path());
        if hangs {
            secret.timeout = Duration::from_millis(300);
        }
        let error = secret.ask().unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains(why), "{why}: {told}");
        assert!(!told.contains("top"), "{why}: {told}");
    }
    // Nobody is there.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut secret = Server::start(|_, _| None).secret(folder.path());
    secret.server.address = Url::parse(&format!("http://{gone}")).unwrap();
    let error = secret.ask().unwrap_err().to_string();
    assert!(
        error.contains("can't be reached: ") && error.contains("refused"),
        "{error}"
    );
}

#[test]
fn a_vault_that_hangs_is_waited_for_by_one_secret_and_not_by_each() {
    let server = Server::start(|_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let mut secret = server.secret(folder.path());
    secret.timeout = Duration::from_millis(500);
    for number in 0..50 {
        secret.path = format!("a/{number}");
        let error = secret.ask().unwrap_err().to_string();
        assert!(error.contains("didn't answer within 500ms"), "{error}");
    }
    assert!(server.lines().len() < 10, "{:?}", server.lines());
}

#[test]
fn the_last_good_secret_stays_while_the_vault_is_away() {
    let server = Server::start(|line, before| match (line, before) {
        (LOOKUP, _) => lookup(0, false),
        (_, 0..3) => found("\"csk-1\""),
        (_, 3) => Some((503, String::new())),
        _ => found("\"csk-2\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let mut secret = server.secret(folder.path());
    secret.refresh = Duration::ZERO;
    let reference = SecretRef::Vault(Box::new(secret));
    assert_eq!(reference.read().unwrap().expose(), "csk-1");
    assert!(!reference.renew().unwrap().changed);
    let away = reference.renew().unwrap();
    assert!(!away.changed);
    assert!(away.trouble.unwrap().to_string().contains("is sealed"));
    let state = reference.state().unwrap();
    assert!(state.had && state.trouble.unwrap().0.contains("is sealed"));
    assert!(
        reference.renew().unwrap().changed,
        "it is back with another"
    );
    assert_eq!(reference.read().unwrap().expose(), "csk-2");
    assert!(reference.state().unwrap().trouble.is_none());
}

#[test]
fn one_that_could_not_be_had_at_first_is_asked_for_again() {
    let server = Server::start(|line, before| match (line, before) {
        (LOOKUP, _) => lookup(0, false),
        (_, 0..2) => Some((503, String::new())),
        _ => found("\"csk-1\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let mut secret = server.secret(folder.path());
    secret.refresh = Duration::ZERO;
    let reference = SecretRef::Vault(Box::new(secret));
    assert!(reference.due().is_none(), "nobody wanted it yet");
    reference.read().unwrap_err();
    assert!(!reference.state().unwrap().had);
    assert!(reference.renew().unwrap().changed);
    assert_eq!(reference.read().unwrap().expose(), "csk-1");
}

#[test]
fn a_token_is_renewed_before_it_ends_and_one_that_can_not_be_is_told_of_while_it_is_good() {
    const RENEW: &str = "POST /v1/auth/token/renew-self";
    for (renewable, longest) in [(true, false), (true, true), (false, false)] {
        let server = Server::start(move |line, _| match line {
            LOOKUP => lookup(60, renewable),
            // Nothing is added past the longest time.
            RENEW if longest => granted(TOKEN, 60),
            RENEW => granted(TOKEN, 3600),
            _ => found("\"csk-1\""),
        });
        let folder = tempfile::tempdir().unwrap();
        let secret = server.secret(folder.path());
        let session = session::of(&secret.server);
        let reference = SecretRef::Vault(Box::new(secret));
        reference.read().unwrap();
        assert!(
            reference.renew().is_none(),
            "two thirds of its time aren't over"
        );
        session.try_lock().unwrap().comes_due();
        let renewal = reference.renew().unwrap();
        assert!(!renewal.changed);
        let trouble = renewal.trouble.map(|it| it.to_string());
        let renews = server.lines().iter().filter(|line| *line == RENEW).count();
        match (renewable, longest) {
            (true, false) => assert_eq!((trouble, renews), (None, 1)),
            (tried, _) => {
                let trouble = trouble.unwrap();
                assert!(trouble.contains("a token that ends in"), "{trouble}");
                assert_eq!(renews, usize::from(tried));
            }
        }
        assert!(reference.renew().is_none(), "it isn't asked all the time");
    }
}

#[test]
fn another_token_in_the_file_is_taken_with_the_next_request() {
    let server = Server::start(|line, _| match line {
        LOOKUP => lookup(3600, true),
        _ => found("\"csk-1\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let secret = server.secret(folder.path());
    secret.ask().unwrap();
    std::fs::write(folder.path().join("token"), "s.other\n").unwrap();
    secret.ask().unwrap();
    let tokens: Vec<String> = server
        .requests
        .lock()
        .iter()
        .map(|it| it.token.clone())
        .collect();
    assert_eq!(tokens, [TOKEN, TOKEN, "s.other", "s.other"]);
}

#[test]
fn a_pod_logs_in_and_does_so_again_when_its_token_was_revoked() {
    const LOGIN: &str = "POST /v1/auth/kubernetes/login";
    let server = Server::start(|line, before| match (line, before) {
        (LOGIN, 0) => granted("s.first", 3600),
        (LOGIN, _) => granted("s.second", 3600),
        (_, 3) => Some((403, String::new())),
        _ => found("\"csk-1\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let secret = server.pods(folder.path());
    for _ in 0..3 {
        secret.ask().unwrap();
    }
    assert_eq!(server.lines(), [LOGIN, READ, READ, READ, LOGIN, READ]);
    let requests = server.requests.lock();
    assert_eq!(requests[0].body, r#"{"role":"witgate","jwt":"topjwt"}"#);
    assert_eq!(requests[0].token, "");
    assert_eq!(requests[5].token, "s.second");
}

#[test]
fn a_login_that_is_refused_says_what_to_look_at() {
    let server = Server::start(|_, _| Some((403, format!("{{\"errors\": [\"{SECRET}\"]}}"))));
    let folder = tempfile::tempdir().unwrap();
    let error = server.pods(folder.path()).ask().unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(
        told.contains("log in at auth/kubernetes as `witgate`"),
        "{told}"
    );
    assert!(!told.contains("top"), "{told}");
}
