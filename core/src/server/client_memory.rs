//! What clients take, and which of them go when that is above `maxmemory-clients`.

use super::client::{Class, Client, ClientFlags};
use super::state::State;
use crate::config::ClientsMemory;
use crate::conn::{Closing, Conn};
use crate::limits;
use crate::machine::ConnId;
use crate::pubsub::Kind;
use core::ops::RangeInclusive;

/// Bytes of all connections together, as they were counted last.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientMemory {
    /// Of clients, subscribers among them.
    pub clients: u64,
    /// Of replicas and the link to the master.
    pub links: u64,
}

impl ClientMemory {
    /// All of it.
    pub fn total(self) -> u64 {
        self.clients + self.links
    }

    fn part_of(&mut self, flags: ClientFlags) -> &mut u64 {
        if flags.has(ClientFlags::COUNTED_AS_LINK) {
            &mut self.links
        } else {
            &mut self.clients
        }
    }
}

impl State {
    /// Bytes of a connection with all it has: what it has sent and is to be sent, what it has
    /// queued, watches and listens to.
    pub fn memory_of(&self, conn: &Conn<Client>) -> usize {
        let client = &conn.state;
        let queued = client.rare.as_ref().map_or(0, |rare| rare.queue_bytes);
        let mut items = 0;
        if client.flags.has(ClientFlags::WATCHING) {
            items += self.watch.of(conn.id()).len();
        }
        if client.flags.has(ClientFlags::SUBSCRIBER) {
            let kinds = [Kind::Channel, Kind::Pattern, Kind::Shard];
            let count = |kind| self.pubsub.count_of(conn.id(), kind);
            items += kinds.into_iter().map(count).sum::<usize>();
        }
        size_of_val(conn)
            + conn.input_memory()
            + conn.out.memory()
            + queued
            + items * limits::CLIENT_ITEM_BYTES
    }

    /// Counts a connection anew.
    pub(super) fn recount(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else {
            return;
        };
        let now = match conn.closing() {
            Closing::No | Closing::AfterReply => self.memory_of(conn),
            Closing::Now => 0,
        };
        let client = self.client_mut(id);
        let (before, flags) = (client.counted, client.flags);
        let is_link = match client.class() {
            Class::Replica | Class::Master => true,
            Class::Normal | Class::PubSub => false,
        };
        client.counted = now;
        client.flags.set(ClientFlags::COUNTED_AS_LINK, is_link);
        let after = client.flags;
        *self.client_memory.part_of(flags) -= before as u64;
        *self.client_memory.part_of(after) += now as u64;
    }

    /// Counts a connection anew, but for one whose output is a single short buffer: that is written
    /// a moment later, and the connection counted then.
    pub(super) fn recount_unless_short(&mut self, id: ConnId) {
        let conn = self.conns.get(id);
        let short = conn.is_some_and(|conn| !conn.out.is_empty() && conn.out.chunks() == 0);
        if !short {
            self.recount(id);
        }
    }

    /// Closes the clients with the most memory, where there is a bound, with one counted anew.
    pub(super) fn evict_clients_after(&mut self, grown: ConnId) {
        if self.clients_memory_max().is_some() {
            self.recount(grown);
            self.evict_clients();
        }
    }

    /// Counts a connection that is about to be forgotten no more.
    pub(super) fn uncount(&mut self, id: ConnId) {
        let client = self.client_mut(id);
        let (before, flags) = (core::mem::take(&mut client.counted), client.flags);
        *self.client_memory.part_of(flags) -= before as u64;
    }

    /// Counts every connection anew.
    pub(super) fn recount_all(&mut self) {
        let conns: Vec<_> = self.by_client_id.values().copied().collect();
        for conn in conns {
            self.recount(conn);
        }
    }

    /// The most memory that clients may have together, if there is a bound.
    pub fn clients_memory_max(&self) -> Option<u64> {
        let most = match self.config.maxmemory_clients() {
            ClientsMemory::Unbounded => return None,
            ClientsMemory::Bytes(bytes) => bytes,
            ClientsMemory::PercentOfMaxmemory(percent) => {
                let whole = u128::from(self.config.maxmemory());
                let part = whole * u128::from(percent) / 100;
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        };
        (most > 0).then_some(most.max(limits::CLIENTS_MEMORY_MIN))
    }

    /// For each class of sizes: its range, the memory of the clients in it, and their number.
    pub fn client_size_classes(&self) -> Vec<(RangeInclusive<usize>, usize, usize)> {
        let range = |class| {
            let low = if class == CLASS_SMALLEST {
                0
            } else {
                1_usize << (class - 1)
            };
            let high = if class == CLASS_LARGEST {
                usize::MAX
            } else {
                (1_usize << class) - 1
            };
            (low..=high, 0, 0)
        };
        let mut classes: Vec<_> = (CLASS_SMALLEST..=CLASS_LARGEST).map(range).collect();
        for conn in self.conns.iter().filter(|conn| may_be_evicted(conn)) {
            let class = size_class(conn.state.counted) - CLASS_SMALLEST;
            let (_, bytes, count) = &mut classes[class as usize];
            *bytes += conn.state.counted;
            *count += 1;
        }
        classes
    }

    /// Closes the clients with the most memory until the rest keeps to the bound.
    pub(super) fn evict_clients(&mut self) {
        let Some(most) = self.clients_memory_max() else {
            return;
        };
        if self.client_memory.clients <= most {
            return;
        }
        let mut conns: Vec<_> = self
            .conns
            .iter()
            .filter(|conn| may_be_evicted(conn))
            .map(|conn| (size_class(conn.state.counted), conn.state.id, conn.id()))
            .collect();
        conns.sort_unstable_by_key(|&(class, id, _)| (core::cmp::Reverse(class), id));
        for (_, _, conn) in conns {
            if self.client_memory.clients <= most {
                return;
            }
            tracing::info!("Evicting client: {}", self.describe_client(conn));
            self.stats.evicted_clients += 1;
            self.uncount(conn);
            self.doom(conn);
        }
    }
}

fn may_be_evicted(conn: &Conn<Client>) -> bool {
    let spared = ClientFlags::NO_EVICT
        .and(ClientFlags::REPLICA)
        .and(ClientFlags::LOADER)
        .and(ClientFlags::OUTGOING)
        .and(ClientFlags::MASTER);
    conn.closing() != Closing::Now && !conn.state.flags.has_any(spared)
}

/// Clients of about one size go in the order in which they came, so that one that grows a little
/// does not overtake the others.
fn size_class(bytes: usize) -> u32 {
    let bits = usize::BITS - bytes.leading_zeros();
    bits.clamp(CLASS_SMALLEST, CLASS_LARGEST)
}

/// The class of all clients below 32 kB.
const CLASS_SMALLEST: u32 = 15;
/// The class of all clients from 4 GB on.
const CLASS_LARGEST: u32 = 33;
