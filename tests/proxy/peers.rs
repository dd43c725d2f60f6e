//! What is compared: processes on the measured core, before the same upstream.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::process::Core;
use crate::support::process::witgate;
use crate::support::{Process, bench};

/// The bundled policies with their defaults.
pub const THREE: &str = "[prompt-injection, pii-detector, audit-logger]";

/// The same, each in instances that serve one exchange after another.
pub const REUSED: &str = "[{id: prompt-injection, isolation: reused}, {id: pii-detector, isolation: reused}, \
                          {id: audit-logger, isolation: reused}]";

/// A role of this program's, in a process of its own. Killed when dropped.
pub struct Role {
    child: Child,
    pub address: SocketAddr,
}

impl Role {
    /// Starts it on that core, with these arguments.
    pub fn start(core: Core, args: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(args);
        let mut command = core.runs(&command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Role {
            child,
            address: address.trim().parse().unwrap(),
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What stands between client and upstream.
pub enum Peer {
    Hyper(Role),
    Witgate(Box<Process>),
}

impl Peer {
    /// The bare proxy.
    pub fn hyper(upstream: SocketAddr) -> Self {
        let args = ["--role", "forwarder", &upstream.to_string()];
        Peer::Hyper(Role::start(Core::Measured, &args))
    }

    /// The gateway with that chain, and what its policies are told.
    pub async fn witgate(upstream: SocketAddr, chain: &str, rest: &str) -> Self {
        Self::with_room(upstream, chain, rest, 512).await
    }

    /// The same with room for so many exchanges.
    pub async fn with_room(
        upstream: SocketAddr,
        chain: &str,
        rest: &str,
        exchanges: usize,
    ) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let config = format!("policies: {{chain: {chain}}}\n{rest}");
        let config = bench::complete(&config, &[upstream], folder.path());
        let file = folder.path().join("policy-config.yaml");
        std::fs::write(&file, config).unwrap();
        let exchanges = exchanges.to_string();
        let args = [
            "--policy-config",
            file.to_str().unwrap(),
            "--max-exchanges",
            &exchanges,
            "--listen",
            "127.0.0.1:0",
        ];
        let command = Core::Measured.runs(&witgate(folder.path()));
        let process = Process::start(command, folder.clone(), &args).await;
        Peer::Witgate(Box::new(process))
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        match self {
            Peer::Hyper(role) => role.address,
            Peer::Witgate(process) => process.traffic,
        }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        match self {
            Peer::Hyper(role) => role.child.id(),
            Peer::Witgate(process) => process.id(),
        }
    }
}
