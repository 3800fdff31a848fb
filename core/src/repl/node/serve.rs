//! Replication towards the replicas of this node.

use core::time::Duration;
use std::borrow::Cow;

use bytes::Bytes;
use tracing::{info, warn};

use super::Replication;
use crate::machine::{Addr, ConnId, Mono, Now, Slices};
use crate::repl::action::SnapshotId;
use crate::repl::lineage::{self, RunId};
use crate::repl::primary::{Psync, Replconf, Request, StartFault, admit};
use crate::repl::wait::Need;

/// A connection asks to become a replica.
#[derive(Clone, Copy, Debug)]
pub struct Sync<'a> {
    /// Which one.
    pub conn: ConnId,
    /// Where it comes from.
    pub remote: &'a Addr,
    /// Whether replies to it are still unsent.
    pub pending_output: bool,
    /// What PSYNC asked for; `None` for SYNC.
    pub psync: Option<Psync<'a>>,
}

/// What became of the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It is a replica now; all its output comes from here.
    Accepted,
    /// It was one already; no reply.
    Ignored,
    /// Reply this error (its text, from the error code on).
    Refused(Cow<'static, str>),
    /// [`promote`](Replication::promote) this node and ask again: its master hands over to it.
    TakeOver,
}

impl Replication {
    /// REPLCONF, with its arguments without the command's name. On a replica's connection a
    /// reply other than silence is an error of the replica.
    pub fn replconf(&mut self, now: Now, conn: ConnId, args: &[&[u8]]) -> Replconf {
        match self.primary.describe(conn).replconf(args) {
            Request::Described(reply) => reply,
            Request::Ack(applied, durable) => {
                let applied = applied.filter(|&at| at <= self.history.offset());
                let settings = &self.settings;
                self.primary
                    .acknowledge(now.mono, conn, applied, durable, settings);
                Replconf::Silent
            }
            Request::GetAck => {
                self.getack(now);
                Replconf::Silent
            }
            Request::Masters => {
                let masters = self.masters();
                let text = lineage::answer(self.run_id, masters);
                let told = Some(masters.to_vec());
                self.primary.describe(conn).told = told;
                Replconf::Text(text)
            }
        }
    }

    /// A bare newline came from a connection: a replica that loads says that it lives.
    pub fn replica_newline(&mut self, now: Now, conn: ConnId) {
        self.primary.heard(now.mono, conn);
    }

    /// SYNC or PSYNC.
    pub fn sync(&mut self, now: Now, sync: Sync<'_>) -> Admission {
        assert!(self.stream.is_flushed(), "a replica joins between units");
        if self.primary.is_replica(sync.conn) {
            return Admission::Ignored;
        }
        if let Some(decision) = self.take_over(&sync) {
            return decision;
        }
        if self.is_failing_over() {
            let text = "NOMASTERLINK Can't SYNC while failing over";
            return Admission::Refused(text.into());
        }
        if self
            .link
            .as_ref()
            .is_some_and(|link| link.stream().is_none())
        {
            let text = "NOMASTERLINK Can't SYNC while not connected with my master";
            return Admission::Refused(text.into());
        }
        if let Some(text) = self.may_close_circle(now, &sync) {
            return Admission::Refused(text.into());
        }
        if sync.pending_output {
            let text = "ERR SYNC and PSYNC are invalid with pending output";
            return Admission::Refused(text.into());
        }
        if self.primary.lacks_eof_for_filter(sync.conn) {
            let text = "ERR Filtered replica requires EOF capability";
            return Admission::Refused(text.into());
        }
        let name = self.primary.name(sync.conn, sync.remote);
        info!("Replica {name} asks for synchronization");
        let Some(psync) = sync.psync else {
            self.attach_for_snapshot(now, &sync);
            return Admission::Accepted;
        };
        let Some(first_byte) = psync.first_byte() else {
            warn!("Replica {name} asks for synchronization but with a wrong offset");
            let text = "ERR value is not an integer or out of range";
            return Admission::Refused(text.into());
        };
        let backlog = self.backlog.as_ref();
        match admit(&psync, first_byte, &self.history, backlog, &name) {
            Some(cursor) => self.primary.attach_for_stream(
                now.mono,
                sync.conn,
                sync.remote.clone(),
                cursor,
                &self.history,
                &self.settings,
            ),
            None => {
                if !psync.is_blank() {
                    self.primary.refused_partial();
                }
                self.attach_for_snapshot(now, &sync);
            }
        }
        self.check();
        Admission::Accepted
    }

    /// The answer to [`Action::StartSnapshot`](super::Action::StartSnapshot). The snapshot
    /// holds the dataset as of now. Answers whether it goes on.
    pub fn snapshot_started(
        &mut self,
        now: Now,
        id: SnapshotId,
        outcome: Result<(), StartFault>,
    ) -> bool {
        assert!(
            self.stream.is_flushed(),
            "a snapshot is taken between units"
        );
        let goes_on = self.primary.snapshot_started(
            now.mono,
            id,
            outcome,
            (&self.history, &self.settings),
            &mut self.rng,
            &mut self.fx,
        );
        if goes_on {
            // Replicas that start here know of no database selected before.
            self.stream.force_select();
        }
        goes_on
    }

    /// The next piece of a snapshot.
    pub fn snapshot_chunk(&mut self, now: Now, id: SnapshotId, bytes: &Bytes) {
        self.primary.snapshot_chunk(now.mono, id, bytes);
    }

    /// A snapshot is in its file, which is so long. Answers whether it is to be passed on.
    pub fn snapshot_saved(&mut self, now: Now, id: SnapshotId, len: u64) -> bool {
        self.primary.snapshot_saved(now.mono, id, len)
    }

    /// The end of a snapshot: all of it was passed on, or it failed.
    pub fn snapshot_finished(&mut self, now: Now, id: SnapshotId, complete: bool) {
        let settings = &self.settings;
        self.primary
            .snapshot_finished(now.mono, id, complete, settings, &mut self.fx);
    }

    /// A snapshot can be taken again after [`StartFault::Busy`].
    pub const fn snapshot_slot_free(&mut self, now: Now) {
        self.primary.snapshot_slot_free(now.mono);
    }

    /// The snapshot whose next piece the replicas have room for.
    #[must_use]
    pub fn snapshot_wanted(&self) -> Option<SnapshotId> {
        self.primary.snapshot_wanted()
    }

    /// The replicas there is something to write to.
    pub fn writable_conns(&self) -> impl Iterator<Item = ConnId> {
        self.primary.writable_conns(self.backlog_end())
    }

    /// Lends what may be written to a replica now.
    pub fn writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>) {
        self.primary.writable(conn, self.backlog.as_ref(), slices);
    }

    /// Takes back what was written to a replica.
    pub fn consume(&mut self, now: Now, conn: ConnId, written: usize) {
        let end = self.backlog_end();
        let settings = &self.settings;
        self.primary
            .consume(now.mono, conn, written, end, settings, &mut self.fx);
    }

    /// Bytes kept for a replica.
    #[must_use]
    pub fn pending(&self, conn: ConnId) -> u64 {
        self.primary.pending(conn, self.backlog_end())
    }

    /// Whether the connection is a replica's.
    #[must_use]
    pub fn is_replica(&self, conn: ConnId) -> bool {
        self.primary.is_replica(conn)
    }

    /// Whether there are enough good replicas for a write (`min-replicas-to-write`).
    #[must_use]
    pub fn may_write(&self) -> bool {
        let needed = self.settings.min_replicas;
        let off = needed == 0 || self.settings.min_replicas_lag.is_zero();
        off || self.link.is_some() || self.primary.good() >= needed
    }

    /// Takes in the time before anything else happens: replicas that were not heard of for too long
    /// count no more for a write. Whether that may change what [`may_write`](Self::may_write) says.
    #[must_use]
    pub fn pass_time(&mut self, now: Mono) -> bool {
        let outdated = self.settings.min_replicas > 0 && self.primary.is_good_outdated(now);
        if outdated {
            self.primary.refresh_good(now, &self.settings);
        }
        outdated
    }

    /// WAIT and WAITAOF: the number of replicas that have what is asked for, if all of that is
    /// there. Otherwise the client is to be blocked, and [`poll_waited`](Self::poll_waited) tells
    /// when its wait is over.
    pub fn wait(
        &mut self,
        now: Now,
        conn: ConnId,
        need: Need,
        timeout: Option<Duration>,
    ) -> Option<usize> {
        assert!(self.link.is_none(), "a replica has nothing to wait for");
        let count = self.primary.acked(&need);
        if need.is_met(count, self.synced) {
            return Some(count);
        }
        self.waits.add(conn, need, timeout.map(|t| now.mono + t));
        self.ask_acks |= need.replicas > 0;
        None
    }

    /// A client whose WAIT is over, and the number of replicas to tell it.
    #[must_use]
    pub fn poll_waited(&mut self) -> Option<(ConnId, usize)> {
        self.waited.pop_front()
    }

    /// Ends a client's WAIT without an answer (CLIENT UNBLOCK). Answers how many replicas have
    /// what it waited for, if it did wait.
    pub fn stop_waiting(&mut self, conn: ConnId) -> bool {
        self.waits.remove(conn)
    }

    /// How many clients wait with a timeout.
    #[must_use]
    pub fn waits_with_timeout(&self) -> usize {
        self.waits.timeouts()
    }

    /// Replicas that have what is asked for.
    #[must_use]
    pub fn acked(&self, need: &Need) -> usize {
        self.primary.acked(need)
    }

    /// Asks all replicas for an acknowledgement at the end of this turn.
    pub const fn request_acks(&mut self) {
        self.ask_acks = true;
    }

    /// The masters above this node, its own first, as far as they tell.
    pub(super) fn masters(&self) -> &[RunId] {
        self.link.as_ref().map_or(&[], |link| link.masters())
    }

    /// Why a connection is not served as long as it may be that of a server above this one.
    fn may_close_circle(&mut self, now: Now, sync: &Sync<'_>) -> Option<&'static str> {
        if !self.primary.knows(sync.conn, self.masters()) {
            return Some("NOMASTERLINK Can't SYNC before it is known whom I follow by now");
        }
        let link = self.link.as_mut()?;
        if link.is_quiet(now.mono, self.settings.timeout) {
            return Some("NOMASTERLINK Can't SYNC before my master has sent anything");
        }
        let (ip, port) = self.primary.stranger(sync.conn, sync.remote)?;
        if !link.masters().is_empty() || !link.is_at(&ip, port) {
            return None;
        }
        let (doubted, is_news) = link.doubts(now.mono);
        if doubted && is_news {
            warn!(
                "Replica {ip}:{port} has the address of MASTER {}:{}. If it is the same server, \
                 they follow each other in a circle, and none of them is a master: use REPLICAOF \
                 NO ONE on one of them. It has to wait until the master sends something. (Another \
                 server behind the same address should have replica-announce-ip or \
                 replica-announce-port.)",
                link.host(),
                link.port()
            );
        }
        doubted.then_some("NOMASTERLINK Can't SYNC with the server that I follow myself")
    }

    fn attach_for_snapshot(&mut self, now: Now, sync: &Sync<'_>) {
        let psync = sync.psync.is_some();
        self.primary
            .attach_for_snapshot(now.mono, sync.conn, sync.remote.clone(), psync);
        if self.backlog.is_none() {
            assert!(self.link.is_none(), "a connected replica has a backlog");
            // Writes so far were not counted.
            self.history.start_fresh(&mut self.rng);
            self.create_backlog();
            info!(
                "Replication backlog created, my new replication IDs are '{}' and '{}'",
                self.history.replid(),
                self.history.replid2()
            );
        }
        self.primary.join(now.mono, &self.settings);
        self.primary.plan(now.mono, &self.settings, &mut self.fx);
        self.primary.explain_delay(now.mono);
        self.check();
    }

    /// Whether a coordinated failover makes this node the master first.
    fn take_over(&mut self, sync: &Sync<'_>) -> Option<Admission> {
        let psync = sync.psync.filter(|psync| psync.failover)?;
        if self.link.is_none() {
            let text = "ERR PSYNC FAILOVER can't be sent to a master.";
            return Some(Admission::Refused(text.into()));
        }
        if !self.history.replid().is(psync.replid) {
            let text = "ERR PSYNC FAILOVER replid must match my replid.";
            return Some(Admission::Refused(text.into()));
        }
        // It was told whom this node follows, and that this ends with its request.
        let who = self.primary.describe(sync.conn);
        who.told = who.told.take().map(|_| Vec::new());
        let replid = self.history.replid();
        info!("Failover request received for replid {replid}.");
        Some(Admission::TakeOver)
    }
}
