use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use drawbridge_keys::BackendName;
use thiserror::Error;
use uuid::Uuid;

/// Where everything listens: a run of ports on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The edge gateway: the first port.
    pub edge: SocketAddr,
    /// The AWS gateway.
    pub aws: SocketAddr,
    /// The key endpoint.
    pub keys: SocketAddr,
    /// The Azure gateway.
    pub azure: SocketAddr,
    /// The identity provider.
    pub idp: SocketAddr,
    /// The bridge.
    pub bridge: SocketAddr,
    /// The sample backends, in order.
    pub backends: BTreeMap<BackendName, SocketAddr>,
    /// The identity provider over mutual TLS: the last port, where there is mutual TLS.
    pub idp_mtls: Option<SocketAddr>,
}

/// Ports that cannot be had.
#[derive(Debug, Error)]
pub enum PortError {
    /// The last port would be beyond 65535.
    #[error("{count} ports from {base} on are too many: choose a lower one with `--port`")]
    TooHigh {
        /// The first one.
        base: u16,
        /// How many are needed.
        count: usize,
    },
    /// Somebody else listens there.
    #[error(
        "port {port} is in use: stop what uses it, choose others with `--port`, or any free ones with `--port 0`"
    )]
    InUse {
        /// Which one.
        port: u16,
    },
    /// Not a port for this user.
    #[error("cannot listen on port {port}: {error}; choose others with `--port`")]
    Refused {
        /// Which one.
        port: u16,
        /// Why not.
        error: io::Error,
    },
}

impl Addresses {
    /// The ports from `base` on, all of them free now; any free ones where it is 0.
    ///
    /// # Errors
    /// [`PortError`].
    pub fn choose<'b>(
        base: u16,
        backends: impl Iterator<Item = &'b BackendName> + Clone,
        mtls: bool,
    ) -> Result<Self, PortError> {
        if base != 0 {
            return Self::from_base(base, backends, mtls)?.probed();
        }
        let mut last = Err(PortError::InUse { port: LOWEST });
        for _ in 0..ATTEMPTS {
            last = Self::from_base(any_base(), backends.clone(), mtls).and_then(Self::probed);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn from_base<'b>(
        base: u16,
        backends: impl Iterator<Item = &'b BackendName>,
        mtls: bool,
    ) -> Result<Self, PortError> {
        let backends: Vec<_> = backends.cloned().collect();
        let last = FIXED + backends.len();
        let count = last + usize::from(mtls);
        let too_high = || PortError::TooHigh { base, count };
        let at = |offset: usize| {
            let port = u16::try_from(offset)
                .ok()
                .and_then(|offset| base.checked_add(offset))
                .ok_or_else(too_high)?;
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        };
        Ok(Self {
            edge: at(0)?,
            aws: at(1)?,
            keys: at(2)?,
            azure: at(3)?,
            idp: at(4)?,
            bridge: at(5)?,
            idp_mtls: mtls.then(|| at(last)).transpose()?,
            backends: backends
                .into_iter()
                .enumerate()
                .map(|(index, name)| Ok((name, at(FIXED + index)?)))
                .collect::<Result<_, PortError>>()?,
        })
    }

    /// Listens on every port for a moment, on all at once, so that a port in use is found before anything starts.
    fn probed(self) -> Result<Self, PortError> {
        self.all()
            .map(|address| {
                TcpListener::bind(address).map_err(|error| match error.kind() {
                    io::ErrorKind::AddrInUse => PortError::InUse { port: address.port() },
                    _ => PortError::Refused { port: address.port(), error },
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self)
    }

    fn all(&self) -> impl Iterator<Item = SocketAddr> {
        let Self { edge, aws, keys, azure, idp, bridge, backends, idp_mtls } = self;
        [edge, aws, keys, azure, idp, bridge].into_iter().chain(backends.values()).chain(idp_mtls).copied()
    }
}

/// A first port below those from which systems take the ports of outgoing connections (32768 on Linux, 49152 elsewhere).
fn any_base() -> u16 {
    let [first, second, ..] = Uuid::new_v4().into_bytes();
    LOWEST + u16::from_be_bytes([first, second]) % SPAN
}

/// Ports that do not depend on the configuration.
const FIXED: usize = 6;
const LOWEST: u16 = 12_000;
const SPAN: u16 = 20_000;
const ATTEMPTS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_the_first_one_and_backends_come_last() {
        let names: Vec<BackendName> = ["billing", "orders"].map(|name| name.parse().unwrap()).into();
        let addresses = Addresses::from_base(8080, names.iter(), false).unwrap();
        assert_eq!(
            addresses.all().map(|address| address.port()).collect::<Vec<_>>(),
            (8080..8088).collect::<Vec<_>>()
        );
        assert_eq!(addresses.backends[&names[1]].port(), 8087);
        let under_tls = Addresses::from_base(8080, names.iter(), true).unwrap();
        assert_eq!((under_tls.edge, under_tls.all().count()), (addresses.edge, 9));
        assert_eq!(under_tls.idp_mtls.unwrap().port(), 8088, "after all that were there before");
        assert!(matches!(Addresses::from_base(65530, names.iter(), false), Err(PortError::TooHigh { .. })));
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refused = Addresses::choose(port, [].iter(), false).unwrap_err().to_string();
        assert!(refused.contains(&port.to_string()) && refused.contains("--port"), "{refused}");
    }

    #[test]
    fn zero_finds_free_ports() {
        let one = Addresses::choose(0, [].iter(), false).unwrap();
        let _held: Vec<_> = one.all().map(|address| TcpListener::bind(address).unwrap()).collect();
        let other = Addresses::choose(0, [].iter(), false).unwrap();
        assert!(one.all().all(|address| other.all().all(|another| another != address)));
    }
}
