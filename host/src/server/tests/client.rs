//! A client that sends exactly the bytes it is given, and reads answers by their framing.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

pub(super) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The four strings of an error, which must stand in both of its places.
    pub(super) fn error(&self) -> [String; 4] {
        let json = self.json();
        ["message", "type", "param", "code"].map(|name| {
            assert_eq!(json[name], json["error"][name], "{json}");
            json[name].as_str().unwrap().to_owned()
        })
    }

    pub(super) fn code(&self) -> String {
        let [_, _, _, code] = self.error();
        code
    }
}

impl Client {
    pub(super) async fn connect(at: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(at)).await.unwrap();
        let read = Vec::new();
        Self { stream, read }
    }

    /// Sends a request: its first line and other headers, lines apart by `\n`, and a body.
    pub(super) async fn send(&mut self, head: &str, body: &str) {
        let head = head.replace('\n', "\r\n");
        let length = body.len();
        let (line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
        let mut text =
            format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n");
        if !headers.contains("content-type") {
            text += "content-type: application/json\r\n";
        }
        for header in headers.lines() {
            text += header;
            text += "\r\n";
        }
        self.send_raw((text + "\r\n" + body).as_bytes())
            .await
            .unwrap();
    }

    pub(super) async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        soon(self.stream.write_all(bytes)).await
    }

    pub(super) async fn ask(&mut self, head: &str, body: &str) -> Answer {
        self.send(head, body).await;
        self.answer(head.starts_with("HEAD")).await
    }

    /// Reads up to this text, or to the end of the connection.
    pub(super) async fn read_until(&mut self, end: &str) -> io::Result<String> {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|at| at == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                let text = std::mem::replace(&mut self.read, rest);
                return Ok(String::from_utf8(text).unwrap());
            }
            if soon(self.stream.read_buf(&mut self.read)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn read_exact(&mut self, length: usize) -> String {
        while self.read.len() < length {
            let read = soon(self.stream.read_buf(&mut self.read)).await.unwrap();
            assert!(read > 0, "closed within a body");
        }
        let rest = self.read.split_off(length);
        String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap()
    }

    pub(super) async fn answer(&mut self, bodyless: bool) -> Answer {
        let head = self.read_until("\r\n\r\n").await.unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let status = status.parse().unwrap();
        let split = lines.map(|line| line.split_once(": ").unwrap());
        let headers: HashMap<String, String> = split
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();

        let mut body = String::new();
        if bodyless {
            // No body follows, whatever `content-length` says.
        } else if let Some(length) = headers.get("content-length") {
            body = self.read_exact(length.parse().unwrap()).await;
        } else {
            loop {
                let size = self.read_until("\r\n").await.unwrap();
                let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
                body += &self.read_exact(size + 2).await[..size];
                if size == 0 {
                    break;
                }
            }
        }
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Whether the other side has closed, with nothing more to read.
    pub(super) async fn is_closed(&mut self) -> bool {
        matches!(
            soon(self.stream.read_buf(&mut self.read)).await,
            Ok(0) | Err(_)
        )
    }
}
