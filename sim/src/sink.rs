//! Who watches the world: the rolling hash and the taps on the wires.

use std::io::IoSlice;
use std::net::IpAddr;

use holdfast_core::machine::DiskOp;

use crate::hash::Rolling;
use crate::ids::{End, NodeId};
use crate::net::Net;
use crate::oracle::wire::Taps;
use crate::time::Time;

/// Everything that is told of bytes as they move.
pub struct Sink {
    /// Proof of what happened.
    pub hash: Rolling,
    /// Readers of protocol on the wires.
    pub taps: Taps,
    /// Host names of the world.
    pub names: Names,
}

/// The host names of a world: its nodes' own.
#[derive(Default)]
pub struct Names {
    nodes: Vec<String>,
}

impl Sink {
    /// Bytes that a process wrote to a connection.
    pub fn wire(&mut self, at: Time, net: &Net, end: End, parts: &[IoSlice<'_>], len: usize) {
        let mut left = len;
        for part in parts {
            let taken = left.min(part.len());
            self.hash.bytes(&part[..taken]);
            self.taps.wrote(at, net, end, &part[..taken]);
            left -= taken;
        }
    }

    /// A step that a disk carried out.
    pub fn disk(&mut self, op: &DiskOp, worked: bool) {
        if let DiskOp::Append { data, .. } = op {
            self.hash.bytes(data);
        }
        self.hash.bytes(&[u8::from(worked)]);
    }
}

impl Names {
    /// Names for nodes in order.
    pub const fn new(nodes: Vec<String>) -> Self {
        Self { nodes }
    }

    /// The addresses of a name; a name that is an address is its own.
    pub fn resolve(&self, host: &str) -> Vec<IpAddr> {
        if let Ok(ip) = host.parse() {
            return vec![ip];
        }
        let node = self.nodes.iter().position(|name| name == host);
        node.map(|index| NodeId(u16::try_from(index).expect("few nodes")).ip())
            .into_iter()
            .collect()
    }
}
