//! The ways between hosts: who reaches whom, and how long it takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::rng::{Draws, Keys, Stream};
use crate::time::{ms, us};

/// How the network behaves when no fault is at work.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Quality {
    /// The smallest base latency of a pair of hosts, microseconds.
    pub latency_min_us: u64,
    /// The largest.
    pub latency_max_us: u64,
    /// How often in a million a write is cut into slices that travel apart.
    pub cut_ppm: u32,
    /// How often in a million a slice is lost and sent again after a timeout.
    pub loss_ppm: u32,
    /// Bytes per second of one connection.
    pub bandwidth: u64,
    /// What one direction of a connection holds before the writer must wait.
    pub window_bytes: u32,
}

impl Quality {
    /// One millisecond, no loss, whole writes: what the liveness phase runs on.
    pub const CALM: Self = Self {
        latency_min_us: 500,
        latency_max_us: 1_000,
        cut_ppm: 0,
        loss_ppm: 0,
        bandwidth: 1_000_000_000,
        window_bytes: 256 * 1024,
    };
}

/// All directed pairs of hosts.
pub struct Paths {
    nodes: usize,
    quality: Quality,
    links: Vec<Link>,
}

struct Link {
    draws: Draws,
    base: Duration,
    /// Partitions that cut it at present.
    cuts: u16,
    /// Latency added by faults at present.
    extra: Duration,
}

impl Paths {
    /// The paths of a fresh network.
    pub fn new(keys: Keys, nodes: usize, quality: Quality) -> Self {
        let links = (0..nodes * nodes)
            .map(|pair| {
                let mut draws = keys.draws(Stream::Link, pair as u64);
                let base = base_latency(&mut draws, &quality);
                Link {
                    draws,
                    base,
                    cuts: 0,
                    extra: Duration::ZERO,
                }
            })
            .collect();
        Self {
            nodes,
            quality,
            links,
        }
    }

    /// Replaces how the network behaves.
    pub fn set_quality(&mut self, quality: Quality) {
        for link in &mut self.links {
            link.base = base_latency(&mut link.draws, &quality);
            link.extra = Duration::ZERO;
        }
        self.quality = quality;
    }

    /// How the network behaves.
    pub const fn quality(&self) -> &Quality {
        &self.quality
    }

    /// Whether packets pass in that direction.
    pub fn open(&self, from: NodeId, to: NodeId) -> bool {
        self.link(from, to).cuts == 0
    }

    /// Cuts one direction, once more.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        if from != to {
            self.link_mut(from, to).cuts += 1;
        }
    }

    /// Takes one cut back and says whether packets pass again.
    pub fn mend(&mut self, from: NodeId, to: NodeId) -> bool {
        if from == to {
            return false;
        }
        let link = self.link_mut(from, to);
        assert!(link.cuts > 0, "a cut is taken back once");
        link.cuts -= 1;
        link.cuts == 0
    }

    /// Adds to (or takes from) the latency of one direction.
    pub fn slow(&mut self, from: NodeId, to: NodeId, extra: Duration) {
        self.link_mut(from, to).extra = extra;
    }

    /// How long one packet takes.
    pub fn latency(&mut self, from: NodeId, to: NodeId) -> Duration {
        let loss = self.quality.loss_ppm;
        let link = self.link_mut(from, to);
        let jitter = link.draws.below(link.base.as_nanos() as u64 + 1);
        let mut latency = link.base + Duration::from_nanos(jitter) + link.extra;
        if loss > 0 {
            let mut timeout = ms(200);
            while link.draws.odds(loss) && timeout < ms(10_000) {
                latency += timeout;
                timeout *= 2;
            }
        }
        latency
    }

    /// How long the same bytes take to get on the wire.
    pub fn transmission(&self, bytes: usize) -> Duration {
        Duration::from_nanos(bytes as u64 * 1_000_000_000 / self.quality.bandwidth)
    }

    /// Where a write of `len` bytes is cut first, or `len`.
    pub fn cut_at(&mut self, from: NodeId, to: NodeId, len: usize) -> usize {
        let chance = self.quality.cut_ppm;
        if chance == 0 || len < 2 {
            return len;
        }
        let link = self.link_mut(from, to);
        if link.draws.odds(chance) {
            1 + link.draws.index(len - 1)
        } else {
            len
        }
    }

    /// How long after a path is mended TCP tries again.
    pub fn retransmission(&mut self, from: NodeId, to: NodeId) -> Duration {
        let link = self.link_mut(from, to);
        link.draws.log_duration(us(500), ms(2_000))
    }

    fn link(&self, from: NodeId, to: NodeId) -> &Link {
        &self.links[from.index() * self.nodes + to.index()]
    }

    fn link_mut(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        &mut self.links[from.index() * self.nodes + to.index()]
    }
}

fn base_latency(draws: &mut Draws, quality: &Quality) -> Duration {
    us(draws.log_between(quality.latency_min_us, quality.latency_max_us))
}
