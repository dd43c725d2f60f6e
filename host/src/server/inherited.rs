//! Listeners that whoever started the process has opened for it, by systemd's protocol (`LISTEN_FDS`).
//!
//! Such a socket outlives the process: what connects while nobody accepts waits in it, and two processes that have it accept from one
//! queue. So one can take the other's place, and no connection is lost.

use std::io;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The name by which a socket is the admin listener's.
const ADMIN: &str = "admin";

/// The listeners that are open already.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For clients.
    pub traffic: Option<TcpListener>,
    /// For health, metrics and status.
    pub admin: Option<TcpListener>,
}

/// Why what was handed over can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// There are two for one listener.
    #[error(
        "{0} sockets were handed over for the {1} listener (LISTEN_FDS, LISTEN_FDNAMES): one named `admin` is the admin listener's, one of \
         any other name the traffic listener's; hand over one of each at most"
    )]
    TooMany(usize, &'static str),
    /// One is no listener.
    #[error("a socket that was handed over (LISTEN_FDS) is no listener for TCP: {0}")]
    NoListener(#[from] io::Error),
}

impl Inherited {
    /// Takes what was handed over to this process; most often that is nothing. Call it once, on the runtime.
    ///
    /// # Errors
    /// See [`InheritError`].
    pub fn take() -> Result<Self, InheritError> {
        let mut sockets = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let [traffic, admin] = assign(sockets.len(), &names)?;
        let mut listener = |at: Option<usize>| {
            let Some(listener) = at.map(|at| sockets.take_tcp_listener(at)).transpose()? else {
                return Ok(None);
            };
            let Some(listener) = listener else {
                return Ok(None);
            };
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener).map(Some)
        };
        Ok(Self {
            traffic: listener(traffic)?,
            admin: listener(admin)?,
        })
    }
}

/// Which of so many sockets is the traffic listener's, and which the admin listener's.
fn assign(count: usize, names: &str) -> Result<[Option<usize>; 2], InheritError> {
    let names: Vec<&str> = names.split(':').collect();
    let (admin, traffic): (Vec<usize>, Vec<usize>) =
        (0..count).partition(|at| names.get(*at) == Some(&ADMIN));
    for (sockets, what) in [(&traffic, "traffic"), (&admin, ADMIN)] {
        if sockets.len() > 1 {
            return Err(InheritError::TooMany(sockets.len(), what));
        }
    }
    Ok([traffic.first().copied(), admin.first().copied()])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_socket_is_the_admin_listeners_by_name_and_else_the_traffic_listeners() {
        assert_eq!(assign(0, "").unwrap(), [None, None]);
        assert_eq!(assign(1, "").unwrap(), [Some(0), None]);
        assert_eq!(assign(1, "witgate.socket").unwrap(), [Some(0), None]);
        assert_eq!(assign(1, "admin").unwrap(), [None, Some(0)]);
        assert_eq!(assign(2, "admin:traffic").unwrap(), [Some(1), Some(0)]);
        for names in ["", "a:b", "admin:admin"] {
            let error = assign(2, names).unwrap_err();
            assert!(matches!(error, InheritError::TooMany(2, _)), "{names}");
        }
    }
}
