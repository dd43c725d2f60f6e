//! Targets behind TLS: who recognises whom, and what goes on over HTTP/2.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

/// A certificate and its key, in files too.
struct Made {
    cert: PathBuf,
    key: PathBuf,
    chain: CertificateDer<'static>,
    secret: PrivateKeyDer<'static>,
}

fn made(folder: &Path, name: &str) -> Made {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (pem, secret) = (made.cert.pem(), made.signing_key.serialize_pem());
    let (cert, key) = (
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}.key")),
    );
    std::fs::write(&cert, &pem).unwrap();
    std::fs::write(&key, &secret).unwrap();
    Made {
        cert,
        key,
        chain: CertificateDer::from_pem_slice(pem.as_bytes()).unwrap(),
        secret: PrivateKeyDer::from_pem_slice(secret.as_bytes()).unwrap(),
    }
}

/// What a target answers.
#[derive(Clone, Copy)]
enum Says {
    Whole,
    /// One piece, and then nothing.
    OnePiece,
    /// Pieces without end; where the path ends in `completions`, one.
    Flood,
    /// And goes away after the answer, as HTTP/2 does it.
    WholeAndGoesAway,
}

/// A target behind TLS.
struct Target {
    folder: tempfile::TempDir,
    base: String,
    /// Of each request: its connection's number, and its version.
    requests: mpsc::UnboundedReceiver<(usize, http::Version)>,
    /// Bytes that were taken from the answers.
    written: Arc<AtomicUsize>,
}

impl Target {
    async fn start(says: Says) -> Self {
        Self::start_knowing(says, None).await
    }

    /// One that lets nobody in but who shows this certificate, if there is one.
    async fn start_knowing(says: Says, client: Option<&Made>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = made(folder.path(), "own");
        let builder = ServerConfig::builder_with_provider(Arc::new(
            tokio_rustls::rustls::crypto::ring::default_provider(),
        ));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let mut roots = RootCertStore::empty();
                roots.add(client.chain.clone()).unwrap();
                let provider = builder.crypto_provider().clone();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder
            .with_single_cert(vec![own.chain], own.secret)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}/v1", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let written = Arc::new(AtomicUsize::new(0));
        let counted = written.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                let counted = counted.clone();
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(socket).await else {
                        return;
                    };
                    serve(tls, says, connection, sender, counted).await;
                });
            }
        });
        Target {
            folder,
            base,
            requests,
            written,
        }
    }

    /// The targets of a configuration that recognises this one, with these settings besides.
    fn recognised(&self, more: &str) -> Targets {
        targets(&self.configured(&format!(
            "tls: {{ca: {:?}{more}",
            self.folder.path().join("own.pem")
        )))
    }

    fn configured(&self, more: &str) -> String {
        format!(
            "{{id: a, provider: cerebras, base_url: \"{}\", {more}}}",
            self.base
        )
    }

    async fn seen(&mut self) -> (usize, http::Version) {
        soon(self.requests.recv()).await.unwrap()
    }
}

async fn serve(
    tls: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    says: Says,
    connection: usize,
    sender: mpsc::UnboundedSender<(usize, http::Version)>,
    counted: Arc<AtomicUsize>,
) {
    let version2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let gone = tokio_util::sync::CancellationToken::new();
    let goes = gone.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (sender, counted, goes) = (sender.clone(), counted.clone(), goes.clone());
        async move {
            let path = request.uri().path().to_owned();
            request.into_body().collect().await.unwrap();
            sender
                .send((
                    connection,
                    if version2 {
                        http::Version::HTTP_2
                    } else {
                        http::Version::HTTP_11
                    },
                ))
                .ok();
            let piece = Bytes::from(vec![b' '; 16 << 10]);
            let piece = move || {
                counted.fetch_add(piece.len(), SeqCst);
                Ok::<_, Infallible>(Frame::data(piece.clone()))
            };
            let body = match says {
                Says::Flood if !path.ends_with("models") => {
                    BodyExt::boxed(StreamBody::new(stream::repeat_with(piece)))
                }
                Says::OnePiece => {
                    let one = stream::iter([piece()]);
                    BodyExt::boxed(StreamBody::new(one.chain(stream::pending())))
                }
                _ => BodyExt::boxed(http_body_util::Full::new(Bytes::from_static(b"{}"))),
            };
            if let Says::WholeAndGoesAway = says {
                goes.cancel();
            }
            Ok::<_, Infallible>(http::Response::new(body))
        }
    });
    let io = TokioIo::new(tls);
    if !version2 {
        let served = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
        served.await.ok();
        return;
    }
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let served = builder
        .max_concurrent_streams(100)
        .serve_connection(io, service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ = &mut served => return,
        () = gone.cancelled() => served.as_mut().graceful_shutdown(),
    }
    served.await.ok();
}

async fn asked(targets: &Targets) -> Result<Answer, Failure> {
    soon(chat(targets, &HeaderMap::new())).await
}

#[tokio::test]
async fn a_target_is_recognised_by_the_authority_that_its_configuration_names() {
    let target = Target::start(Says::Whole).await;
    asked(&target.recognised("}")).await.unwrap();
    // The system's authorities don't know it, and neither does another.
    let other = Target::start(Says::Whole).await;
    let ca = other.folder.path().join("own.pem");
    for more in [String::new(), format!("tls: {{ca: {ca:?}}}")] {
        let failed = asked(&targets(&target.configured(&more)))
            .await
            .unwrap_err();
        assert!(
            matches!(&failed, Failure::Connect(why) if why.contains("certificate")),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_target_that_wants_to_know_who_asks_is_shown_our_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (made(folder.path(), "ours"), made(folder.path(), "others"));
    let target = Target::start_knowing(Says::Whole, Some(&ours)).await;
    let shown =
        |made: &Made| target.recognised(&format!(", cert: {:?}, key: {:?}}}", made.cert, made.key));
    asked(&shown(&ours)).await.unwrap();
    asked(&shown(&others)).await.unwrap_err();
    asked(&target.recognised("}")).await.unwrap_err();
}

/// Connections are shared between targets, and between generations, only if the same is shown on them.
#[tokio::test]
async fn a_new_certificate_is_shown_on_connections_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (made(folder.path(), "ours"), made(folder.path(), "others"));
    let target = Target::start_knowing(Says::Whole, Some(&ours)).await;
    let text = |made: &Made| {
        let ca = target.folder.path().join("own.pem");
        target.configured(&format!(
            "tls: {{ca: {ca:?}, cert: {:?}, key: {:?}}}",
            made.cert, made.key
        ))
    };
    let first = targets(&text(&ours));
    asked(&first)
        .await
        .unwrap()
        .whole(100, Duration::from_secs(60), &mut Charge::unbound())
        .await
        .unwrap();
    asked(&targets_after(&text(&others), Some(&first)))
        .await
        .unwrap_err();
    // The same files with something else in them.
    std::fs::copy(&others.cert, &ours.cert).unwrap();
    std::fs::copy(&others.key, &ours.key).unwrap();
    asked(&targets_after(&text(&ours), Some(&first)))
        .await
        .unwrap_err();
    asked(&first).await.unwrap();
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered_unless_it_is_switched_off() {
    let mut target = Target::start(Says::Whole).await;
    asked(&target.recognised("}")).await.unwrap();
    assert_eq!(target.seen().await.1, http::Version::HTTP_2);
    asked(&target.recognised("}, http2: false")).await.unwrap();
    assert_eq!(target.seen().await.1, http::Version::HTTP_11);
}

#[tokio::test]
async fn more_streams_than_one_connection_takes_go_on_the_next() {
    let mut target = Target::start(Says::OnePiece).await;
    let targets = target.recognised("}");
    let mut open = Vec::new();
    for _ in 0..150 {
        let mut answer = asked(&targets).await.unwrap();
        soon(answer.begin()).await.unwrap();
        open.push(answer);
    }
    let mut on = [0; 2];
    for _ in 0..150 {
        on[target.seen().await.0] += 1;
    }
    assert_eq!(on, [100, 50]);
    // What has ended makes room where it was.
    open.truncate(99);
    open.push(asked(&targets).await.unwrap());
    assert_eq!(target.seen().await.0, 0);
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_up_no_other() {
    let target = Target::start(Says::Flood).await;
    let targets = target.recognised("}");
    let mut unread = Vec::new();
    for _ in 0..90 {
        unread.push(asked(&targets).await.unwrap());
    }
    // More than a connection has room for, unless it was given more.
    soon(async {
        while target.written.load(SeqCst) < 90 * (128 << 10) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(soon(listed(&targets, None)).await.unwrap(), "{}");
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_over_http2_too() {
    let target = Target::start(Says::OnePiece).await;
    let mut answer = asked(&target.recognised("}, timeouts: {silence: 20ms}"))
        .await
        .unwrap();
    answer.begin().await.unwrap();
    let mut body = answer.into_body();
    assert!(soon(body.next()).await.unwrap().is_ok());
    let end = soon(body.next()).await.unwrap();
    assert_eq!(
        end.unwrap_err(),
        BodyError::Silence(Duration::from_millis(20))
    );
}

#[tokio::test]
async fn a_connection_that_goes_away_over_http2_costs_nobody_an_answer() {
    let mut target = Target::start(Says::WholeAndGoesAway).await;
    let targets = target.recognised("}");
    for _ in 0..4 {
        let answer = asked(&targets).await.unwrap();
        answer
            .whole(100, Duration::from_secs(60), &mut Charge::unbound())
            .await
            .unwrap();
    }
    for connection in 0..4 {
        assert_eq!(target.seen().await, (connection, http::Version::HTTP_2));
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_target_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (made(folder.path(), "one"), made(folder.path(), "two"));
    let none = folder.path().join("none.pem");
    for (tls, said) in [
        (
            format!("ca: {none:?}"),
            format!("tls.ca: {}: it can't be read", none.display()),
        ),
        (
            format!("ca: {:?}", one.key),
            format!("tls.ca: {}: there is no certificate", one.key.display()),
        ),
        (
            format!("cert: {:?}, key: {:?}", one.cert, one.cert),
            format!("tls.key: {}: there is no private key", one.cert.display()),
        ),
        (
            format!("cert: {:?}, key: {:?}", one.cert, two.key),
            format!(
                "tls.cert: {}: it can't be used: with the key in {}",
                one.cert.display(),
                two.key.display()
            ),
        ),
    ] {
        let text = format!(
            "pack: {{name: t, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\n\
             providers: {{targets: [{{id: a, provider: x, base_url: \"https://x\", tls: {{{tls}}}}}]}}\n"
        );
        let config = Config::parse(&text, "test", Path::new("/")).unwrap();
        let error = Targets::build(&config, None, &Metrics::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("target `a`: ") && error.contains(&said),
            "{error}"
        );
    }
}
