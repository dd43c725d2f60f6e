//! The simulator, which records nothing: its memory and its time are not what is measured.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use witgate::simulator::{self, Options};

/// Serves to the end of the process; writes so many tokens a second, or as fast as it can.
pub async fn simulated(tokens_per_second: Option<f64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options {
        tokens_per_second,
        keyless: true,
        ..Options::default()
    };
    tokio::spawn(simulator::serve(listener, options, std::future::pending()));
    address
}
