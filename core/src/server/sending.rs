//! Sends replicas the dataset's file, when `repl-diskless-sync` is off or they can't take it
//! otherwise.

use super::Server;
use super::state::{Purpose, State};
use crate::machine::{DiskOp, Done, FileId};
use crate::persist::load::ReadAhead;
use crate::repl::action::SnapshotId;

/// The file id of the file being sent; no other part uses it.
const FILE: FileId = FileId(4);

/// A file on its way to replicas.
#[derive(Debug)]
pub(super) struct Sending {
    ahead: ReadAhead,
    /// What replication calls it; `None` if nobody wants the rest, and it is only to be closed.
    id: Option<SnapshotId>,
    /// Bytes still to be sent.
    left: u64,
}

impl Server {
    /// The file that replicas wait for is whole and so long, or was not to be had.
    pub(super) fn pass_file_on(&mut self, id: SnapshotId, len: Option<u64>) {
        let now = self.st.now;
        // One that is not closed yet is read no more, and that takes no time.
        let is_free = self.st.persist.sending.is_none();
        let Some(len) = len.filter(|_| is_free) else {
            self.st.repl.snapshot_finished(now, id, false);
            return;
        };
        if !self.st.repl.snapshot_saved(now, id, len) {
            self.st.remove_sync_file();
            return;
        }
        let path = self.st.config.dbfilename().into();
        let (ahead, op) = ReadAhead::start(FILE, path);
        self.st.effects.disk(Purpose::Send, op);
        self.st.persist.sending = Some(Sending {
            ahead,
            id: Some(id),
            left: len,
        });
    }

    /// A step on the file that is sent is done.
    pub(super) fn send_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let sending = self.st.persist.sending.as_mut();
        let sending = sending.expect("an answer belongs to a file");
        let mut ops = Vec::new();
        let failed = sending.ahead.handle_done(result, &mut ops).is_err();
        let lost = sending.id.take_if(|_| failed);
        let is_closed = sending.ahead.is_closed();
        self.st.ask_for_send(ops);
        if let Some(id) = lost {
            tracing::warn!("Read error sending DB to replica");
            self.st.repl.snapshot_finished(self.st.now, id, false);
        }
        if is_closed {
            self.st.persist.sending = None;
        }
    }

    /// Passes on as much of the file as replicas have room for.
    pub(super) fn advance_sending(&mut self) {
        let Some(sending) = &mut self.st.persist.sending else {
            return;
        };
        let Some(id) = sending.id else { return };
        let (mut ops, now) = (Vec::new(), self.st.now);
        while sending.left > 0
            && self.st.repl.snapshot_wanted() == Some(id)
            && let Some(piece) = sending.ahead.next(&mut ops)
        {
            // It may be followed by what was not there when it was measured.
            let len = u64::try_from(piece.len()).expect("a length fits 64 bits");
            let taken = len.min(sending.left);
            sending.left -= taken;
            let piece = piece.slice(..usize::try_from(taken).expect("it fits the piece"));
            self.st.repl.snapshot_chunk(now, id, &piece);
        }
        let complete = sending.left == 0;
        if complete || sending.ahead.is_at_end() {
            sending.id = None;
            sending.ahead.close(&mut ops);
            self.st.repl.snapshot_finished(now, id, complete);
            self.st.remove_sync_file();
        }
        self.st.ask_for_send(ops);
    }

    /// Nobody wants the rest of the file any more.
    pub(super) fn stop_sending(&mut self, id: SnapshotId) {
        let sending = self.st.persist.sending.as_mut();
        let Some(sending) = sending.filter(|sending| sending.id == Some(id)) else {
            return;
        };
        sending.id = None;
        let mut ops = Vec::new();
        sending.ahead.close(&mut ops);
        self.st.ask_for_send(ops);
        self.st.remove_sync_file();
    }
}

impl State {
    /// Removes the dataset's file if it was made for synchronisation alone and nobody wants it
    /// kept (`rdb-del-sync-files`).
    pub(super) fn remove_sync_file(&mut self) {
        let keeps = self.config.appendonly() || !self.config.save_points().is_empty();
        let ours = core::mem::take(&mut self.persist.for_replicas_only);
        if ours && !keeps && self.config.rdb_del_sync_files() {
            tracing::info!(
                "Removing the RDB file used for synchronization in a persistence-less instance"
            );
            let path = self.config.dbfilename().into();
            self.effects.disk(Purpose::Ignore, DiskOp::Remove { path });
        }
    }

    fn ask_for_send(&mut self, ops: Vec<DiskOp>) {
        for op in ops {
            self.effects.disk(Purpose::Send, op);
        }
    }
}
