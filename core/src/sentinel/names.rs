//! The words Sentinels use for each other and for what they watch: ids, epochs, addresses.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// The logical clock of elections and configurations; one for all masters.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after this.
    ///
    /// An epoch heard from a peer is refused before it comes near the end of the range, see
    /// [`Epoch::is_credible`].
    pub fn next(self) -> Self {
        Self(
            self.0
                .checked_add(1)
                .expect("credible epochs stay far below 2^64"),
        )
    }

    /// Whether a peer may be believed that this epoch was reached by counting.
    pub fn is_credible(self) -> bool {
        self.0 < u64::MAX / 2
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a Sentinel or of one run of a server: forty printable characters.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RunId([u8; 40]);

impl RunId {
    /// Takes an id of the right length without separators in it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; 40] = text.try_into().ok()?;
        let fits = |byte: &u8| byte.is_ascii_graphic() && *byte != b',';
        id.iter().all(fits).then_some(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("only ASCII is let in")
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an instance is: the host as it was given, and its address as far as it is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostAddr {
    host: Box<str>,
    ip: Option<IpAddr>,
    port: u16,
}

impl HostAddr {
    /// A host name, or an address in text, with a port.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            ip: host.parse().ok(),
            host: host.into(),
            port,
        }
    }

    /// The same host with what is known of its address from before.
    #[must_use]
    pub fn with_ip_of(mut self, known: &Self) -> Self {
        if self.ip.is_none() && self.host == known.host {
            self.ip = known.ip;
        }
        self
    }

    /// Takes the answer of the resolver.
    pub fn resolved(&mut self, ip: IpAddr) {
        if self.is_name() {
            self.ip = Some(ip);
        }
    }

    /// Whether the host was given by name.
    pub fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// The host as it was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address in text, or the name while that is not resolved.
    pub fn ip_text(&self) -> String {
        match self.ip {
            Some(ip) => ip.to_string(),
            None => self.host.to_string(),
        }
    }

    /// How the host is shown to others.
    pub fn shown(&self, announce_hostnames: bool) -> String {
        if announce_hostnames {
            self.host.to_string()
        } else {
            self.ip_text()
        }
    }

    /// The port; 0 is an address known to be wrong.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect to, if that is known.
    pub fn socket(&self) -> Option<SocketAddr> {
        if self.port == 0 {
            return None;
        }
        Some(SocketAddr::new(self.ip?, self.port))
    }

    /// Whether both mean the same socket: by address where both are known, else by name.
    pub fn is_same(&self, other: &Self) -> bool {
        self.port == other.port
            && match (self.ip, other.ip) {
                (Some(one), Some(two)) => one == two,
                (Some(_) | None, _) => self.host.eq_ignore_ascii_case(&other.host),
            }
    }

    /// Whether a peer that says `host` and `port` means this instance.
    pub fn is_called(&self, host: &str, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(host) && self.port == port
            || self.is_same(&Self::new(host, port))
    }
}

/// `ip:port` or `[ip6]:port`, the name of a replica.
pub fn endpoint_text(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// A port number in text, where 0 stands for "none".
pub fn parse_port(text: &[u8]) -> Option<u16> {
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_by_ip_when_both_are_known_and_by_name_otherwise() {
        let mut named = HostAddr::new("redis-0.example", 6379);
        let plain = HostAddr::new("10.0.0.1", 6379);
        assert!(!named.is_same(&plain));
        named.resolved("10.0.0.1".parse().unwrap());
        assert!(named.is_same(&plain));
        assert!(named.is_called("redis-0.example", 6379));
        assert!(!named.is_called("redis-0.example", 6380));
        assert!(named.is_same(&HostAddr::new("REDIS-0.example", 6379)));
    }

    #[test]
    fn a_port_of_zero_is_never_connected_to() {
        assert_eq!(HostAddr::new("10.0.0.1", 0).socket(), None);
        assert_eq!(HostAddr::new("name", 1).socket(), None);
    }

    #[test]
    fn a_run_id_is_forty_characters_without_separators() {
        assert!(RunId::parse(&[b'a'; 40]).is_some());
        assert!(RunId::parse(&[b'a'; 39]).is_none());
        assert!(RunId::parse(&[b','; 40]).is_none());
    }

    #[test]
    fn ipv6_endpoints_are_bracketed() {
        assert_eq!(endpoint_text("::1", 7), "[::1]:7");
        assert_eq!(
            endpoint_text("::1", 7),
            HostAddr::new("::1", 7).socket().unwrap().to_string()
        );
    }
}
