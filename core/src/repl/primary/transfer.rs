//! Full synchronization: one snapshot, sent to all replicas that wait for the same one.

use std::collections::VecDeque;

use bytes::Bytes;
use tracing::{info, warn};

use super::handshake::Contents;
use super::peer::{Peer, State};
use super::{CRON_PERIOD, Primary};
use crate::limits::REPL_SNAPSHOT_WINDOW_BYTES;
use crate::machine::Mono;
use crate::repl::action::{Action, CloseReason, SnapshotId};
use crate::repl::history::{History, Offset};
use crate::repl::settings::Settings;
use crate::rng::Rng;

const MARK_LEN: usize = 40;

/// Why a snapshot did not start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartFault {
    /// Another one is being taken; it will be asked for again.
    Busy,
    /// It can't be taken; the replicas that wait for it are told so.
    Failed,
}

/// What a replica needs the snapshot to be. Those that need the same share one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Needs {
    /// It is sent as it is taken, its end marked. Else it goes to a file first, and replicas are
    /// told its length.
    marked: bool,
    contents: Contents,
}

impl Needs {
    fn of(peer: &Peer, settings: &Settings) -> Self {
        let contents = peer.who.contents;
        // A part of the dataset is nothing to be kept in a file.
        let marked = peer.who.eof && (settings.diskless_sync || contents != Contents::All);
        Self { marked, contents }
    }
}

/// The snapshot asked for or being taken.
#[derive(Debug)]
pub(super) struct Transfer {
    id: SnapshotId,
    needs: Needs,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Asked,
    /// Passed on as it comes, ended by a mark no dataset holds by chance.
    Marked([u8; MARK_LEN]),
    /// Being written to a file. Until that is whole others may join.
    Saving {
        /// Where the snapshot stands in the stream.
        at: Offset,
        /// The reply to PSYNC.
        reply: Bytes,
    },
    /// Passed on from the file.
    Sending,
}

impl Transfer {
    pub(super) const fn id(&self) -> SnapshotId {
        self.id
    }

    /// Whether the snapshot is passed on while it is taken.
    const fn is_marked(&self) -> bool {
        self.needs.marked
    }

    const fn is_running(&self) -> bool {
        match self.phase {
            Phase::Asked => false,
            Phase::Marked(_) | Phase::Saving { .. } | Phase::Sending => true,
        }
    }

    /// Whether replicas hear nothing of it yet.
    pub(super) const fn is_saving(&self) -> bool {
        matches!(self.phase, Phase::Saving { .. })
    }
}

impl Primary {
    /// Asks for a snapshot if it is time for one.
    pub(in crate::repl) fn plan(
        &mut self,
        now: Mono,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        self.start_at = None;
        if self.transfer.is_some() {
            return;
        }
        let waiting = self.replicas.iter().filter(|p| p.state == State::Waiting);
        let next = waiting
            .map(|peer| (self.due(peer, settings), Needs::of(peer, settings)))
            .min_by_key(|&(due, _)| due);
        let Some((due, needs)) = next else {
            return;
        };
        let due = due.max(self.retry_at);
        if now < due {
            self.start_at = Some(due);
            return;
        }
        self.snapshots += 1;
        let id = SnapshotId(self.snapshots);
        self.transfer = Some(Transfer {
            id,
            needs,
            phase: Phase::Asked,
        });
        let target = if needs.marked {
            "replicas sockets"
        } else {
            "disk"
        };
        info!("Starting BGSAVE for SYNC with target: {target}");
        let (contents, to_file) = (needs.contents, !needs.marked);
        fx.push_back(Action::StartSnapshot {
            id,
            contents,
            to_file,
        });
    }

    /// Lets replicas that wait share the snapshot that is being written to a file. Those that
    /// wait for it keep the stream from there on.
    pub(in crate::repl) fn join(&mut self, now: Mono, settings: &Settings) {
        let Some(Transfer {
            id,
            needs,
            phase: Phase::Saving { at, reply },
        }) = &self.transfer
        else {
            return;
        };
        for peer in &mut self.replicas {
            if peer.state == State::Waiting && Needs::of(peer, settings) == *needs {
                info!("Waiting for end of BGSAVE for SYNC");
                peer.join(now, *id, *at, reply);
            }
        }
    }

    /// Says in the log why a replica that has just come is not served at once.
    pub(in crate::repl) fn explain_delay(&self, now: Mono) {
        let running = self.transfer.as_ref().filter(|t| t.is_running());
        if running.is_some_and(Transfer::is_marked) {
            info!("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC");
        } else if now < self.retry_at {
            info!(
                "No BGSAVE in progress, but another BG operation is active. BGSAVE for \
                 replication delayed"
            );
        } else if self.start_at.is_some() {
            info!("Delay next BGSAVE for diskless SYNC");
        }
    }

    /// Takes the answer to a request for a snapshot: it holds the dataset as of right now.
    pub(in crate::repl) fn snapshot_started(
        &mut self,
        now: Mono,
        id: SnapshotId,
        outcome: Result<(), StartFault>,
        (history, settings): (&History, &Settings),
        rng: &mut Rng,
        fx: &mut VecDeque<Action>,
    ) -> bool {
        let asked = self.transfer.take_if(|t| t.id == id && !t.is_running());
        let Some(Transfer { needs, .. }) = asked else {
            // Whoever it was for has gone.
            if outcome.is_ok() {
                fx.push_back(Action::StopSnapshot { id });
            }
            return false;
        };
        match outcome {
            Ok(()) => {}
            Err(StartFault::Busy) => {
                self.retry_at = now + CRON_PERIOD;
                return false;
            }
            Err(StartFault::Failed) => {
                self.fail_waiting(now, needs, settings, fx);
                return false;
            }
        }
        let at = history.offset();
        // The offset is that of the snapshot, not that of the request.
        let reply = Bytes::from(format!("+FULLRESYNC {} {at}\r\n", history.replid()));
        let mark = needs.marked.then(|| rng.hex40());
        for peer in &mut self.replicas {
            if peer.state != State::Waiting || Needs::of(peer, settings) != needs {
                continue;
            }
            peer.join(now, id, at, &reply);
            if let Some(mark) = &mark {
                peer.send(now, Bytes::from([b"$EOF:", &mark[..], b"\r\n"].concat()));
            }
        }
        let phase = mark.map_or(Phase::Saving { at, reply }, Phase::Marked);
        self.transfer = Some(Transfer { id, needs, phase });
        self.stop_unwanted_transfer(fx);
        self.transfer.is_some()
    }

    /// A snapshot may be taken again: replicas that found the slot taken need wait no longer.
    pub(in crate::repl) const fn snapshot_slot_free(&mut self, now: Mono) {
        self.retry_at = now;
    }

    /// Passes on the next piece of the snapshot.
    pub(in crate::repl) fn snapshot_chunk(&mut self, now: Mono, id: SnapshotId, bytes: &Bytes) {
        let Some(transfer) = self.transfer.as_ref().filter(|t| t.id == id) else {
            return;
        };
        match &transfer.phase {
            Phase::Asked => panic!("a snapshot yields nothing before it has started"),
            Phase::Saving { .. } => panic!("a file is read when it is whole"),
            Phase::Marked(_) | Phase::Sending => {
                for peer in self.replicas.iter_mut() {
                    if peer.takes(id) {
                        peer.send(now, bytes.clone());
                    }
                }
            }
        }
    }

    /// The snapshot is in its file, and as long as that. Answers whether anybody waits for it.
    pub(in crate::repl) fn snapshot_saved(&mut self, now: Mono, id: SnapshotId, len: u64) -> bool {
        let Some(transfer) = self.transfer.as_mut().filter(|t| t.id == id) else {
            return false;
        };
        assert!(transfer.is_saving(), "a file is finished once");
        transfer.phase = Phase::Sending;
        for peer in &mut self.replicas {
            if peer.state == State::Joined(id) {
                peer.state = State::Bulk(id);
                peer.send(now, Bytes::from(format!("${len}\r\n")));
            }
        }
        true
    }

    /// Takes the end of the snapshot, or its failure.
    pub(in crate::repl) fn snapshot_finished(
        &mut self,
        now: Mono,
        id: SnapshotId,
        complete: bool,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let Some(transfer) = self.transfer.take_if(|t| t.id == id) else {
            return;
        };
        self.retry_at = now;
        if !complete {
            warn!("Background RDB transfer error");
            self.close_joined(now, id, settings, fx);
            return;
        }
        let marked = transfer.is_marked();
        let mark = match transfer.phase {
            Phase::Asked | Phase::Saving { .. } => panic!("a snapshot ends after its start"),
            Phase::Marked(mark) => {
                let left = self.replicas.iter().filter(|peer| peer.takes(id)).count();
                // In Redis's words, which its users' tools look for; here the pipe is a queue.
                info!("Diskless rdb transfer, done reading from pipe, {left} replicas still up.");
                info!("Background RDB transfer terminated with success");
                Bytes::copy_from_slice(&mark)
            }
            Phase::Sending => Bytes::new(),
        };
        for peer in &mut self.replicas {
            if peer.takes(id) {
                peer.state = State::Draining { marked };
                peer.send(now, mark.clone());
            }
        }
        self.drained(now, settings, fx);
    }

    /// The snapshot whose next piece the replicas have room for.
    pub(in crate::repl) fn snapshot_wanted(&self) -> Option<SnapshotId> {
        let transfer = self.transfer.as_ref();
        let id = transfer.filter(|t| t.is_running() && !t.is_saving())?.id;
        let full =
            |peer: &Peer| peer.takes(id) && peer.out.head_len() >= REPL_SNAPSHOT_WINDOW_BYTES;
        // The slowest one sets the pace; one that takes nothing at all is timed out.
        (!self.replicas.iter().any(full)).then_some(id)
    }

    /// Ends the snapshot if all that waited for it have gone.
    pub(super) fn stop_unwanted_transfer(&mut self, fx: &mut VecDeque<Action>) {
        let Some(transfer) = &self.transfer else {
            return;
        };
        let id = transfer.id;
        let takes = |peer: &Peer| peer.takes(id);
        if transfer.is_running() && !self.replicas.iter().any(takes) {
            if transfer.is_marked() {
                info!("Diskless rdb transfer, last replica dropped, killing fork child.");
            }
            self.transfer = None;
            fx.push_back(Action::StopSnapshot { id });
        }
    }

    /// When a waiting replica shall be served: waiting a little lets others share the snapshot.
    fn due(&self, peer: &Peer, settings: &Settings) -> Mono {
        let needs = Needs::of(peer, settings);
        let same = |p: &&Peer| p.state == State::Waiting && Needs::of(p, settings) == needs;
        let company = self.replicas.iter().filter(same).count();
        let enough =
            settings.diskless_max_replicas > 0 && company >= settings.diskless_max_replicas;
        if !needs.marked || enough {
            return peer.asked_at;
        }
        peer.asked_at + settings.diskless_delay
    }

    fn close_joined(
        &mut self,
        now: Mono,
        id: SnapshotId,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let joined = |peer: &&Peer| peer.takes(id);
        let conns: Vec<_> = self
            .replicas
            .iter()
            .filter(joined)
            .map(|p| p.conn)
            .collect();
        for conn in conns {
            self.close(now, conn, CloseReason::SnapshotFailed, settings, fx);
        }
    }

    fn fail_waiting(
        &mut self,
        now: Mono,
        needs: Needs,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        warn!("BGSAVE for replication failed");
        let failed = |p: &mut Peer| p.state == State::Waiting && Needs::of(p, settings) == needs;
        for peer in self.replicas.extract_if(.., failed) {
            let reply = b"-ERR BGSAVE failed, replication can't continue\r\n".to_vec();
            let conn = peer.conn;
            fx.push_back(Action::CloseAfterReply { conn, reply });
        }
        self.restart_alone_timer(now);
    }
}
