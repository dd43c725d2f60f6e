//! What everything is compared to: a reverse proxy of `hyper` and nothing else, with bodies streamed both ways and kept connections.
//!
//! A role of the benchmark's own program, as the upstream is one.

use std::net::SocketAddr;

use http::header::{CONNECTION, HOST};
use http::{Request, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// Serves to the end of the process.
pub async fn serve(listener: TcpListener, upstream: SocketAddr) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let client = client.clone();
        tokio::spawn(async move {
            let forward = service_fn(|mut request: Request<Incoming>| {
                let path = request.uri().path_and_query();
                let path = path.map_or("/", |it| it.as_str());
                let uri: Uri = format!("http://{upstream}{path}").parse().unwrap();
                *request.uri_mut() = uri;
                request.headers_mut().remove(HOST);
                request.headers_mut().remove(CONNECTION);
                client.request(request)
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), forward);
            // A client that leaves is no fault.
            serving.await.ok();
        });
    }
}
