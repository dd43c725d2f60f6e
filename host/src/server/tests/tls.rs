//! A listener that speaks TLS: the handshake within the time of a head, and certificates that change.

use std::sync::atomic::AtomicBool;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::connection::serve;
use super::super::connections::Connections;
use super::*;

const GET: &[u8] = b"GET /v1/tcp_warming HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A certificate in files, and what clients need to trust it.
struct Files {
    folder: tempfile::TempDir,
    metrics: Metrics,
}

impl Files {
    fn new() -> (Self, CertificateDer<'static>) {
        let files = Files {
            folder: tempfile::tempdir().unwrap(),
            metrics: Metrics::new(),
        };
        let root = files.replace();
        (files, root)
    }

    /// Puts a new certificate into them.
    fn replace(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let [cert, key] = self.paths();
        std::fs::write(cert, made.cert.pem()).unwrap();
        std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
        CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()
    }

    fn paths(&self) -> [std::path::PathBuf; 2] {
        ["cert.pem", "key.pem"].map(|name| self.folder.path().join(name))
    }

    fn settings(&self) -> ServerSettings {
        let [cert, key] = self.paths();
        let files = CertificateFiles {
            cert,
            key,
            clients: None,
        };
        let certificate = Certificate::read(files, &self.metrics).unwrap();
        ServerSettings {
            certificate: Some(Arc::new(certificate)),
            ..ServerSettings::default()
        }
    }
}

/// Shakes hands over `io`, and trusts this certificate alone.
async fn shake<T: AsyncRead + AsyncWrite + Unpin>(
    io: T,
    trusted: &CertificateDer<'static>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<T>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, io).await
}

/// Asks once more on an open connection.
async fn ask<T: AsyncRead + AsyncWrite + Unpin>(tls: &mut TlsStream<T>) {
    tls.write_all(GET).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"{}") {
        assert!(soon(tls.read_buf(&mut read)).await.unwrap() > 0, "closed");
    }
}

#[tokio::test]
async fn new_connections_are_shown_the_new_certificate_and_open_ones_go_on() {
    let (files, first) = Files::new();
    let settings = files.settings();
    let certificate = settings.certificate.clone().unwrap();
    let server = Running::start(Fake::default(), settings).await;
    let connect = async || TcpStream::connect(server.at).await.unwrap();
    let mut open = shake(connect().await, &first, &["h2", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(open.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    ask(&mut open).await;
    let second = files.replace();
    assert!(certificate.renew().unwrap());
    ask(&mut open).await;
    shake(connect().await, &first, &[]).await.unwrap_err();
    ask(&mut shake(connect().await, &second, &[]).await.unwrap()).await;
    // A client that speaks something else alone is told so in the handshake.
    shake(connect().await, &second, &["h2"]).await.unwrap_err();
}

/// Every certificate is met by clients that connect, ask and leave all the while; each trusts both the one before and the next, as roots are
/// rolled in practice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_load_and_nothing_is_dropped() {
    let (files, root) = Files::new();
    let settings = files.settings();
    let certificate = settings.certificate.clone().unwrap();
    let server = Running::start(Fake::default(), settings).await;
    let trusted = Arc::new(parking_lot::Mutex::new(vec![root]));
    let (done, stop) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    // How many roots each client has had, as it connected last.
    let knows: Arc<[AtomicUsize; 4]> = Arc::default();
    let clients: Vec<_> = (0..knows.len())
        .map(|number| {
            let (at, trusted, knows) = (server.at, trusted.clone(), knows.clone());
            let (done, stop) = (done.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let mut roots = RootCertStore::empty();
                    for root in trusted.lock().iter() {
                        roots.add(root.clone()).unwrap();
                    }
                    knows[number].store(roots.len(), Ordering::SeqCst);
                    let provider = Arc::new(ring::default_provider());
                    let config = ClientConfig::builder_with_provider(provider)
                        .with_safe_default_protocol_versions()
                        .unwrap()
                        .with_root_certificates(roots)
                        .with_no_client_auth();
                    let name = ServerName::try_from("localhost").unwrap();
                    let io = TcpStream::connect(at).await.unwrap();
                    let connector = TlsConnector::from(Arc::new(config));
                    let mut tls = connector.connect(name, io).await.unwrap();
                    for _ in 0..3 {
                        ask(&mut tls).await;
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for round in 0..20 {
        let so_far = done.load(Ordering::SeqCst);
        let root = files.replace();
        trusted.lock().push(root);
        // Whoever connects from now on knows the new one; who is connecting may know the old ones alone, so each connects once more first.
        until(|| {
            let all = knows.iter();
            done.load(Ordering::SeqCst) >= so_far + 8
                && all.map(|it| it.load(Ordering::SeqCst)).min() >= Some(round + 2)
        })
        .await;
        assert!(certificate.renew().unwrap());
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(files.metrics.certificates_renewed.get(), 20);
    assert_eq!(files.metrics.failed_handshakes.get(), 0);
}

/// The client's end of one connection, and what serves it.
fn connect(
    settings: ServerSettings,
    connections: &Arc<Connections>,
) -> (tokio::io::DuplexStream, JoinHandle<()>) {
    let (client, io) = duplex(64 << 10);
    let connections = Arc::clone(connections);
    let handler = Arc::new(|_| std::future::ready(Response::new(Body::from("{}"))));
    let served = tokio::spawn(async move {
        let seat = connections.take(None).await.unwrap();
        serve(io, handler, &settings, &CancellationToken::new(), &seat).await;
    });
    (client, served)
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_trickles_has_the_time_of_a_head() {
    let (files, _) = Files::new();
    let connections = Connections::new(1, Share(100));
    let (mut client, served) = connect(files.settings(), &connections);
    let start = Instant::now();
    // The head of a record of 512 bytes, and of a `ClientHello` in it.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    let trickles = tokio::spawn(async move {
        for byte in hello {
            if client.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        client
    });
    served.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 10);
    trickles.abort();
}

#[tokio::test(start_paused = true)]
async fn the_first_head_shares_its_time_with_the_handshake() {
    let (files, root) = Files::new();
    let connections = Connections::new(1, Share(100));
    let (client, served) = connect(files.settings(), &connections);
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(9)).await;
    let _silent = shake(client, &root, &[]).await.unwrap();
    served.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_connection_that_shakes_hands_gives_way_to_others() {
    let (files, root) = Files::new();
    let connections = Connections::new(1, Share(100));
    let (_silent, served) = connect(files.settings(), &connections);
    tokio::task::yield_now().await;
    let (client, _other) = connect(files.settings(), &connections);
    ask(&mut shake(client, &root, &[]).await.unwrap()).await;
    served.await.unwrap();
}

#[tokio::test]
async fn who_speaks_no_tls_is_counted_and_who_goes_away_is_not() {
    let (files, _) = Files::new();
    let connections = Connections::new(2, Share(100));
    for (said, failed) in [(&b""[..], 0), (&[22, 3, 1][..], 0), (GET, 1)] {
        let (mut client, served) = connect(files.settings(), &connections);
        client.write_all(said).await.unwrap();
        client.shutdown().await.unwrap();
        served.await.unwrap();
        assert_eq!(files.metrics.failed_handshakes.get(), failed, "{said:?}");
    }
}
