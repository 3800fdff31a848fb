//! Changes of role: following a master, or none.

use super::Server;
use super::blocked::{PauseFor, PauseKind, Wait};
use super::state::State;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::keyspace::Keyspace;
use crate::machine::Mono;
use crate::repl::node::{Following, HandoverRequest};
use crate::repl::stream::Unit;
use core::time::Duration;

impl Cx<'_> {
    /// REPLICAOF NO ONE.
    pub fn become_master(&mut self) {
        let st = &mut *self.data.st;
        if st.lead() {
            tracing::info!(
                "MASTER MODE enabled (user request from '{}')",
                st.describe_client(self.data.conn)
            );
        }
    }

    /// REPLICAOF with a host; false if that is the master already.
    pub fn become_replica(&mut self, host: &str, port: u16) -> bool {
        let st = &mut *self.data.st;
        let changed = st.follow(host, port);
        if changed {
            tracing::info!(
                "REPLICAOF {host}:{port} enabled (user request from '{}')",
                st.describe_client(self.data.conn)
            );
        }
        changed
    }

    /// FAILOVER. From here on writes are held back, those of this turn too.
    pub fn start_failover(&mut self, request: HandoverRequest) -> Result<(), Fail> {
        let st = &mut *self.data.st;
        let started = st.repl.start_failover(st.now, request);
        started.map_err(Fail::Plain)?;
        let end = Mono::default() + Duration::MAX;
        st.pause.start(PauseFor::Failover, PauseKind::Write, end);
        Ok(())
    }

    /// FAILOVER ABORT; false if there is nothing to call off.
    pub fn abort_failover(&mut self) -> bool {
        self.data.st.repl.abort_failover()
    }
}

/// The command by which a deletion goes to replicas, by the directive for its kind.
pub const fn deletion(lazily: bool) -> &'static [u8] {
    if lazily { b"UNLINK" } else { b"DEL" }
}

impl State {
    /// Becomes a master; false if this is one.
    pub(super) fn lead(&mut self) -> bool {
        // Effects so far belong to the stream of the old role.
        self.end_unit();
        let changed = self.repl.promote(self.now);
        if changed {
            self.own_expiry.clear();
            self.config.set_replicaof(None);
        }
        changed
    }

    /// Becomes a replica of this master; false if it is one.
    pub(super) fn follow(&mut self, host: &str, port: u16) -> bool {
        self.end_unit();
        match self.repl.replica_of(self.now, host, port) {
            Following::Already => false,
            Following::Started { unblock } => {
                self.config.set_replicaof(Some((host, port)));
                self.demoted.extend(unblock);
                // At once: what the unit has changed may not serve them any more.
                for conn in self.blocked.waiting_for(Wait::Keys) {
                    self.end_wait_for_demotion(conn);
                }
                true
            }
        }
    }

    /// Whether this server decides at this moment when keys expire.
    pub fn decides_expiry(&self) -> bool {
        !self.is_replica() && !self.is_paused() && !self.is_loading()
    }

    /// Whether this server is a replica that may delete at this moment what its own clients let
    /// expire.
    pub fn decides_own_expiry(&self) -> bool {
        self.is_replica() && !self.is_paused() && !self.is_loading()
    }

    /// Deletes a key whose time has come, and tells everyone.
    pub fn delete_expired(&mut self, keys: &mut Keyspace, db: usize, key: &[u8]) {
        let deleted = keys.db_mut(db).delete(key);
        assert!(deleted, "an expired key is deleted once");
        self.stats.expired += 1;
        let word = deletion(self.config.lazyfree_lazy_expire());
        self.feed_always(db, [word, key].into_iter());
        self.touch_expired(db, key);
        self.notify(crate::config::NotifyFlags::EXPIRED, "expired", db, key);
    }

    /// Sends an operation to replicas and the log, unless a script wants to keep it from them.
    pub fn feed<'a>(&mut self, db: usize, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        if !self.scripts.is_muted() {
            self.feed_always(db, args);
        }
    }

    fn feed_always<'a>(&mut self, db: usize, args: impl ExactSizeIterator<Item = &'a [u8]>) {
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
