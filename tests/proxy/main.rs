//! What the gateway costs beside a bare proxy of `hyper`, in one run: `cargo bench -p witgate --bench proxy`.
//!
//! What is measured runs on one core, upstream and clients on another. CPU time counts, and that it is compared within one run: how long
//! something takes is the machine's. Every figure is the median of rounds, in which all that is compared has its turn.
//!
//! - [`upstream`] and [`forwarder`] are roles of this program in processes of their own; [`peers`] starts them and the gateway;
//! - [`load`] is the clients, [`process`] what the kernel says;
//! - [`compare`] is the comparison, [`governance`] that of a long chain, [`large`] what large requests cost others, and [`scaling`] what more of everything costs.

#![expect(clippy::unwrap_used, reason = "a benchmark")]
#![expect(unreachable_pub, reason = "nothing is reached from outside")]

mod compare;
#[path = "../storm/connection.rs"]
mod connection;
mod forwarder;
#[expect(dead_code, reason = "shared with the storm, which uses the rest")]
#[path = "../storm/gauge.rs"]
mod gauge;
mod governance;
mod large;
mod load;
mod peers;
mod process;
mod scaling;
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the gateway's tests, which use the rest"
)]
#[path = "../gateway/support/mod.rs"]
mod support;
mod upstream;

use std::process::ExitCode;

use tokio::net::TcpListener;

use load::Traffic;
use peers::Role;
use process::Core;

const USAGE: &str = "it takes nothing, --hit, each also with --awake, --large, --governance, --streams [MOST], --memory [STREAMS], --stages, --prompt, or --idle";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Cargo says `--bench` to every benchmark.
    let args: Vec<_> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    if let ["--role", role, ref rest @ ..] = args[..] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        match (role, rest) {
            ("forwarder", [to]) => forwarder::serve(listener, to.parse().unwrap()).await,
            ("large", [to]) => large::send(to.parse().unwrap()).await,
            _ => upstream::serve(listener).await,
        }
        return ExitCode::SUCCESS;
    }
    Core::Others.take();
    if let ["--awake"] | ["--hit", "--awake"] = args[..] {
        let traffic = if args.len() == 1 {
            Traffic::Plain
        } else {
            Traffic::Hit
        };
        compare::run(awake_upstream().await, traffic, "that never sleep").await;
        return ExitCode::SUCCESS;
    }
    let upstream = Role::start(Core::Others, &["--role", "upstream"]);
    let to = upstream.address;
    let number = |it: &str| it.parse::<usize>().ok();
    match args[..] {
        [] => compare::run(to, Traffic::Plain, "that sleep when they wait").await,
        ["--hit"] => compare::run(to, Traffic::Hit, "that sleep when they wait").await,
        ["--large"] => large::run(to).await,
        ["--governance"] => governance::run(to).await,
        ["--streams"] => scaling::streams(to, 10_000).await,
        ["--streams", most] if number(most).is_some() => {
            scaling::streams(to, number(most).unwrap()).await
        }
        ["--memory"] => scaling::memory(to, 2_000).await,
        ["--memory", streams] if number(streams).is_some() => {
            scaling::memory(to, number(streams).unwrap()).await
        }
        ["--stages"] => scaling::stages(to).await,
        ["--prompt"] => scaling::prompt(to).await,
        ["--idle"] => scaling::idle(to).await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// An upstream on this thread, beside the clients, and the thread never sleeps. To write to a socket whose reader sleeps on another core
/// is to wake it, by an interrupt that a virtual machine pays dearly for; and the longer something takes, the more often its
/// peers have gone to sleep. Over a network it isn't the sender who pays for that.
async fn awake_upstream() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    tokio::spawn(upstream::serve(listener));
    tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    to
}
