//! Clients that do not read their replies are cut off.

use std::collections::BTreeMap;

use super::Server;
use super::client::{Class, ClientFlags};
use super::state::State;
use crate::config::ClientLimit;
use crate::limits::UNAUTHENTICATED_OUTPUT_BYTES_MAX;
use crate::machine::{ConnId, Mono};
use core::time::Duration;

/// Clients above the soft bound of their class, and since when. A replica's stream is bounded by
/// replication, which keeps it.
#[derive(Debug, Default)]
pub(super) struct Overfull(BTreeMap<ConnId, Mono>);

impl Server {
    /// Cuts off those whose unread replies are beyond the bounds of their class.
    pub(super) fn bound_outputs(&mut self) {
        let st = &mut self.st;
        let least = st.least_output_bound();
        let written = st
            .conns
            .queued()
            .filter(|conn| st.unread_bytes(*conn) >= least && st.is_overfull(*conn));
        let mut suspects: Vec<ConnId> = written.collect();
        suspects.extend(st.overfull.0.keys());
        for conn in suspects {
            if st.must_go(conn) {
                tracing::warn!(
                    "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                    st.describe_client(conn)
                );
                st.stats.output_disconnections += 1;
                st.overfull.0.remove(&conn);
                st.doom(conn);
            }
        }
    }
}

impl State {
    /// Whether a client has more unread than some bound of its class allows.
    fn is_overfull(&self, conn: ConnId) -> bool {
        let (unread, limit) = self.unread(conn);
        let above = |bound: u64| 0 < bound && bound <= unread;
        above(limit.hard_bytes) || above(limit.soft_bytes)
    }

    /// Whether a client is to be cut off at this moment. Keeps count of how long it has been
    /// above its soft bound.
    fn must_go(&mut self, conn: ConnId) -> bool {
        let (unread, limit) = self.unread(conn);
        if !(0 < limit.soft_bytes && limit.soft_bytes <= unread) {
            self.overfull.0.remove(&conn);
        } else {
            let now = self.now.mono;
            let since = *self.overfull.0.entry(conn).or_insert(now);
            if now.since(since) > Duration::from_secs(limit.soft_seconds) {
                return true;
            }
        }
        0 < limit.hard_bytes && limit.hard_bytes <= unread
    }

    /// The lowest bound that anyone has on what is unread.
    fn least_output_bound(&self) -> u64 {
        let bound = |limit: &ClientLimit| [limit.hard_bytes, limit.soft_bytes];
        let limits = self.config.client_limits();
        let bounds = limits.iter().flat_map(bound);
        let least = bounds.filter(|&bound| bound > 0).min();
        least.unwrap_or(u64::MAX).min(self.stranger_output_max())
    }

    /// The most that someone who was never let in may leave unread.
    fn stranger_output_max(&self) -> u64 {
        if self.debug.strangers_read {
            1
        } else {
            UNAUTHENTICATED_OUTPUT_BYTES_MAX
        }
    }

    fn unread_bytes(&self, conn: ConnId) -> u64 {
        let entry = self.conns.get(conn);
        entry.map_or(0, |entry| entry.out.memory() as u64)
    }

    /// Bytes a client has not read, and the bounds they have.
    fn unread(&self, conn: ConnId) -> (u64, ClientLimit) {
        let Some(entry) = self.conns.get(conn) else {
            return (0, ClientLimit::NONE);
        };
        let client = &entry.state;
        let [normal, _, subscribers] = self.config.client_limits();
        let mut limit = match client.class() {
            Class::Normal => normal,
            Class::PubSub => subscribers,
            Class::Replica | Class::Master => ClientLimit::NONE,
        };
        // Nobody who was never let in may make the server keep much.
        if !client.flags.has(ClientFlags::KNOWN) {
            limit.hard_bytes = self.stranger_output_max();
        }
        if client
            .flags
            .has_any(ClientFlags::CLOSING.and(ClientFlags::OUTGOING))
        {
            limit = ClientLimit::NONE;
        }
        (self.unread_bytes(conn), limit)
    }

    /// Forgets a connection that is gone.
    pub(super) fn forget_output(&mut self, conn: ConnId) {
        self.overfull.0.remove(&conn);
    }
}
