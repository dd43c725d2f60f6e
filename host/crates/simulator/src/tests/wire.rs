//! On a real socket: what is written when, and what becomes of a connection.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::{Recorder, serve};
use super::*;

struct Server {
    recorder: Arc<Recorder>,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start() -> Server {
    let recorder = Arc::new(Recorder::new());
    let options = Options {
        recorder: Some(recorder.clone()),
        ..frozen()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let task = tokio::spawn(serve(listener, options, shutdown));
    Server {
        recorder,
        address,
        stop,
        task,
    }
}

impl Server {
    async fn ask(&self, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let body = body.to_string();
        let head = format!(
            "POST /v1/chat/completions?x=1 HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }
}

async fn read_until(stream: &mut TcpStream, part: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(part) {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "ended before {part}"
        );
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_cut_stream_delivers_what_came_before_it() {
    let server = start().await;
    let mut stream = server
        .ask(&streamed(say("fault: cut | chunk: 2 | say: abcdef")))
        .await;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.contains(r#""content":"cd""#), "{text}");
    assert!(!text.contains(r#""content":"ef""#), "{text}");
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
    let traffic = server
        .recorder
        .wait_until(|traffic| traffic.open == 0)
        .await;
    assert_eq!((traffic.finished, traffic.dropped), (1, 0));
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_counted() {
    let server = start().await;
    let mut stream = server
        .ask(&streamed(say("fault: stall | say: hello there")))
        .await;
    read_until(&mut stream, r#""content""#).await;
    assert_eq!(server.recorder.traffic().open, 1);
    drop(stream);
    let traffic = server
        .recorder
        .wait_until(|traffic| traffic.open == 0)
        .await;
    assert_eq!((traffic.finished, traffic.dropped), (0, 1));
}

#[tokio::test]
async fn a_client_that_leaves_before_any_answer_is_counted() {
    let server = start().await;
    let stream = server.ask(&say("fault: silent")).await;
    server
        .recorder
        .wait_until(|traffic| traffic.open == 1)
        .await;
    drop(stream);
    let traffic = server
        .recorder
        .wait_until(|traffic| traffic.open == 0)
        .await;
    assert_eq!(traffic.dropped, 1);
}

#[tokio::test]
async fn requests_are_recorded_as_they_came() {
    let server = start().await;
    let body = streamed(say("say: hello"));
    let mut stream = server.ask(&body).await;
    read_until(&mut stream, "0\r\n\r\n").await;
    let traffic = server
        .recorder
        .wait_until(|traffic| traffic.finished == 1)
        .await;
    assert_eq!((traffic.received, traffic.dropped), (1, 0));
    let requests = server.recorder.requests();
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].path, "/v1/chat/completions?x=1");
    assert_eq!(requests[0].headers["authorization"], KEY);
    assert_eq!(requests[0].body, body.to_string());
    assert!(!format!("{requests:?}").contains("csk-test"));
}

#[tokio::test]
async fn a_whole_answer_keeps_the_connection() {
    let server = start().await;
    let mut stream = server.ask(&say("say: one")).await;
    let text = read_until(&mut stream, "total_time").await;
    assert!(text.contains("content-length: "), "{text}");
    stream
        .write_all(b"GET /v1/tcp_warming HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "\r\n\r\n{}").await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_stalled_stream() {
    let server = start().await;
    let mut stream = server
        .ask(&streamed(say("fault: stall | say: hello there")))
        .await;
    read_until(&mut stream, r#""content""#).await;
    server.stop.send(()).unwrap();
    server.task.await.unwrap().unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"));
}
