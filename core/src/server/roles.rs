//! Changes of role: following a master, or none.

use super::Server;
use super::blocked::Wait;
use super::state::State;
use crate::command::cx::Cx;
use crate::keyspace::Keyspace;
use crate::repl::node::Following;
use crate::repl::stream::Unit;

impl Cx<'_> {
    /// REPLICAOF NO ONE.
    pub fn become_master(&mut self) {
        let st = &mut *self.data.st;
        // Effects so far belong to the stream of the old role.
        st.end_unit();
        if st.repl.promote(st.now) {
            st.config.set_replicaof(None);
            tracing::info!(
                "MASTER MODE enabled (user request from '{}')",
                st.describe_client(self.data.conn)
            );
        }
    }

    /// REPLICAOF with a host; false if that is the master already.
    pub fn become_replica(&mut self, host: &str, port: u16) -> bool {
        let st = &mut *self.data.st;
        st.end_unit();
        let now = st.now;
        match st.repl.replica_of(now, host, port) {
            Following::Already => false,
            Following::Started { unblock } => {
                st.config.set_replicaof(Some((host, port)));
                tracing::info!(
                    "REPLICAOF {host}:{port} enabled (user request from '{}')",
                    st.describe_client(self.data.conn)
                );
                st.demoted.extend(unblock);
                // At once: what the unit has changed may not serve them any more.
                for conn in st.blocked.waiting_for(Wait::Keys) {
                    st.end_wait_for_demotion(conn);
                }
                true
            }
        }
    }
}

impl State {
    /// Whether this server decides at this moment when keys expire.
    pub fn decides_expiry(&self) -> bool {
        !self.is_replica() && !self.is_paused() && !self.is_loading()
    }

    /// Deletes a key whose time has come, and tells everyone.
    pub fn delete_expired(&mut self, keys: &mut Keyspace, db: usize, key: &[u8]) {
        let deleted = keys.db_mut(db).delete(key);
        assert!(deleted, "an expired key is deleted once");
        self.stats.expired += 1;
        let word: &[u8] = if self.config.lazyfree_lazy_expire() {
            b"UNLINK"
        } else {
            b"DEL"
        };
        self.feed(db, [word, key].into_iter());
        self.touch_watched(db, key);
        self.notify(crate::config::NotifyFlags::EXPIRED, "expired", db, key);
    }

    /// Sends an operation to replicas and the log.
    pub fn feed<'a>(&mut self, db: usize, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        // What is loaded is there already.
        if self.is_replaying() {
            return;
        }
        let db = u32::try_from(db).expect("databases are few");
        self.repl.feed(db, args);
    }

    /// Ends a run of effects that no command caused: they need not become visible together.
    pub fn end_batch(&mut self) {
        self.repl.end_unit(Unit::Batch);
    }
}

impl Server {
    /// Ends the WAITs of clients that a change of role leaves without an answer.
    pub(super) fn end_demoted(&mut self) {
        for conn in core::mem::take(&mut self.st.demoted) {
            if matches!(self.st.blocked.waits_for(conn), Some(Wait::Replicas { .. })) {
                self.st.end_wait_for_demotion(conn);
            }
        }
    }
}
