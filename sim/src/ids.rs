//! Names of the things in the simulated world.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// One host with one process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u16);

impl NodeId {
    /// Its position in tables of nodes.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its address.
    pub const fn ip(self) -> IpAddr {
        let [high, low] = (self.0 + 1).to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, 0, high, low))
    }

    /// The node with that address.
    pub fn by_ip(ip: IpAddr, nodes: usize) -> Option<Self> {
        let IpAddr::V4(ip) = ip else { return None };
        let [10, 0, high, low] = ip.octets() else {
            return None;
        };
        let node = u16::from_be_bytes([high, low]).checked_sub(1)?;
        (usize::from(node) < nodes).then_some(Self(node))
    }

    /// Where its process listens on that port.
    pub const fn at(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(), port)
    }
}

/// What a node's process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A data server.
    Data,
    /// A Sentinel.
    Sentinel,
    /// A client.
    Client,
}

impl Kind {
    /// The letter its nodes' names begin with.
    pub const fn letter(self) -> char {
        match self {
            Self::Data => 'd',
            Self::Sentinel => 's',
            Self::Client => 'c',
        }
    }
}

/// One connection, told apart from earlier users of its slot.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ConnKey {
    /// Its slot.
    pub index: u32,
    /// Ascends with every connection of the run.
    pub serial: u32,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct End {
    /// The connection.
    pub conn: ConnKey,
    /// Which side.
    pub side: Side,
}

impl End {
    /// The other side.
    pub const fn peer(self) -> Self {
        Self {
            conn: self.conn,
            side: self.side.other(),
        }
    }
}

/// The sides of a connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The one that connected.
    Caller,
    /// The one that accepted.
    Callee,
}

impl Side {
    /// The opposite one.
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }

    /// A table index.
    pub const fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Callee => 1,
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}
