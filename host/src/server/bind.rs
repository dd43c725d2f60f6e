//! Taking a port, or saying in a sentence why it can't be had.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Where the traffic listener is without `--listen`.
pub const TRAFFIC_ADDRESS: &str = "127.0.0.1:41002";

/// Where the admin listener is without `--admin`.
pub const ADMIN_ADDRESS: &str = "127.0.0.1:41003";

/// Why an address can't be listened on. Each sentence names the address and the option that sets it.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The text is no address.
    #[error(
        "`{address}` is not an address; write a host and a port, such as 127.0.0.1:41002, with {option}"
    )]
    BadAddress {
        /// The address as it was given.
        address: String,
        /// The option that sets it.
        option: &'static str,
    },
    /// The name has no address.
    #[error(
        "`{address}` can't be resolved ({source}); write an IP address and a port with {option}"
    )]
    Unresolved {
        /// The address as it was given.
        address: String,
        /// The option that sets it.
        option: &'static str,
        /// What the resolver said.
        source: io::Error,
    },
    /// Another process listens there.
    #[error(
        "{address} is in use; stop what listens there, perhaps another witgate, or choose another with {option}"
    )]
    InUse {
        /// The address as it was given.
        address: String,
        /// The option that sets it.
        option: &'static str,
    },
    /// This user may not listen there.
    #[error(
        "{address} may not be listened on by this user; choose a port of 1024 or above with {option}"
    )]
    Denied {
        /// The address as it was given.
        address: String,
        /// The option that sets it.
        option: &'static str,
    },
    /// No interface of this machine has that address.
    #[error("{address} is not an address of this machine; choose another with {option}")]
    NotHere {
        /// The address as it was given.
        address: String,
        /// The option that sets it.
        option: &'static str,
    },
    /// Anything else.
    #[error("{address} can't be listened on: {source}; choose another with {option}")]
    Other {
        /// The address as it was given.
        address: String,
        /// The option that sets it.
        option: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on `address`: an IP address or a host's name, and a port. Port 0 takes a free one. `option` is the
/// command line's name for it, such as `--listen`.
///
/// # Errors
///
/// See [`BindError`].
pub async fn bind(address: &str, option: &'static str) -> Result<TcpListener, BindError> {
    let places: Vec<SocketAddr> = match address.parse() {
        Ok(place) => vec![place],
        Err(_) => resolve(address, option).await?,
    };
    TcpListener::bind(&*places).await.map_err(|source| {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address, option },
            io::ErrorKind::PermissionDenied => BindError::Denied { address, option },
            io::ErrorKind::AddrNotAvailable => BindError::NotHere { address, option },
            _ => BindError::Other {
                address,
                option,
                source,
            },
        }
    })
}

async fn resolve(address: &str, option: &'static str) -> Result<Vec<SocketAddr>, BindError> {
    let looks_right = address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', ':', ' ']) && port.parse::<u16>().is_ok()
    });
    if !looks_right {
        let address = address.to_owned();
        return Err(BindError::BadAddress { address, option });
    }
    let found = tokio::net::lookup_host(address).await;
    let places = found.map_err(|source| BindError::Unresolved {
        address: address.to_owned(),
        option,
        source,
    })?;
    Ok(places.collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_option() {
        let first = bind("127.0.0.1:0", "--listen").await.unwrap();
        let address = first.local_addr().unwrap().to_string();
        let error = bind(&address, "--listen").await.unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
        let sentence = error.to_string();
        assert!(
            sentence.starts_with(&format!("{address} is in use; ")),
            "{sentence}"
        );
        assert!(
            sentence.ends_with("choose another with --listen"),
            "{sentence}"
        );
    }

    #[tokio::test]
    async fn what_is_no_address_says_what_one_looks_like() {
        for address in [
            "41002",
            "localhost",
            "http://127.0.0.1:1",
            ":41002",
            "a b:1",
            "h:99999",
        ] {
            let error = bind(address, "--admin").await.unwrap_err();
            assert!(matches!(error, BindError::BadAddress { .. }), "{address}");
            let sentence = error.to_string();
            assert!(
                sentence.contains(address) && sentence.contains("--admin"),
                "{sentence}"
            );
        }
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_said_to_be_one() {
        // From the range that is kept for documentation: no machine has it.
        let error = bind("192.0.2.1:0", "--listen").await.unwrap_err();
        assert!(matches!(error, BindError::NotHere { .. }), "{error:?}");
    }
}
