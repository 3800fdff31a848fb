//! Takes snapshots: into the dataset's file, or for replicas.

use super::Server;
use super::blocked::Wait;
use super::state::{Purpose, State};
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::gates::Conditions;
use crate::keyspace::Keyspace;
use crate::machine::{DiskOp, Done, FileId, Mono, Now};
use crate::persist::aof::manifest::{BaseForm, Part};
use crate::persist::pace::Pace;
use crate::persist::rdb::{Encoder, Preamble, ReplPoint};
use crate::persist::save::{Save, SaveState};
use crate::persist::snapshot::{Form, Progress, Snapshot, SnapshotOptions};
use crate::repl::action::SnapshotId;
use crate::repl::primary::{Contents, StartFault};
use core::time::Duration;

/// How long a failed save is not tried again for a save point, as Redis has it.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// The first file id of snapshots; each has its own.
const FIRST_FILE: u32 = 1 << 16;

/// A snapshot being taken.
#[derive(Debug)]
pub(super) struct Running {
    id: u64,
    kind: Kind,
    progress: Progress,
    /// The most memory it had, in bytes.
    held_max: usize,
    to: To,
    started: Now,
    /// Holds it back where there is a delay for each key.
    pace: Pace,
    /// Changes that it includes.
    changes: u64,
    /// Whether replicas wait for the file.
    awaited: Option<SnapshotId>,
}

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The dataset's file.
    Dump,
    /// The base of the append-only file.
    Base,
    Replicas,
}

/// Where a snapshot goes.
#[derive(Debug)]
enum To {
    File(Snapshot, Save),
    /// The file is whole and is given its name.
    Sealing(Save),
    Replicas(Snapshot, SnapshotId),
}

impl Running {
    pub(super) fn is_to_file(&self) -> bool {
        match self.to {
            To::File(..) | To::Sealing(_) => true,
            To::Replicas(..) => false,
        }
    }

    /// Whether it becomes the dataset's file.
    pub(super) fn is_dump(&self) -> bool {
        self.kind == Kind::Dump
    }

    pub(super) fn elapsed(&self, now: Now) -> Duration {
        now.mono.since(self.started.mono)
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    pub(super) fn held_max(&self) -> usize {
        self.held_max
    }

    /// When its next key may come.
    pub(super) fn deadline(&self, now: Mono) -> Option<Mono> {
        match self.to {
            To::File(..) | To::Replicas(..) => self.pace.deadline(now),
            To::Sealing(_) => None,
        }
    }

    /// How many keys may come, with the delay behind each that is configured. A snapshot that
    /// holds so much that commands had to wait does not wait itself.
    fn keys_allowed(&mut self, now: Mono, delay: i64, keyspace: &mut Keyspace) -> usize {
        let allowed = self.pace.allowed(now, delay);
        let behind = match &self.to {
            To::File(snapshot, _) | To::Replicas(snapshot, _) => snapshot.wants_stall(keyspace),
            To::Sealing(_) => false,
        };
        if behind { usize::MAX } else { allowed }
    }
}

impl Cx<'_> {
    /// Starts to save the dataset.
    pub fn start_save(&mut self) -> Result<(), Fail> {
        if self.data.st.persist.is_snapshotting() {
            return Err(Fail::Plain(
                "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                 SCHEDULE in order to schedule a BGSAVE whenever possible.",
            ));
        }
        tracing::info!("Background saving started");
        let temp = self.data.st.temp_name();
        self.data.st.start_save(self.data.keys, temp);
        Ok(())
    }
}

impl State {
    /// What a snapshot taken now says at its head.
    pub(super) fn snapshot_options(&self, used_memory: u64) -> SnapshotOptions {
        let repl = self.repl.place().map(|place| ReplPoint {
            stream_db: i32::try_from(place.db).expect("databases are few"),
            id: *place.replid.as_bytes(),
            offset: place.offset.get(),
        });
        SnapshotOptions {
            compress: self.config.rdbcompression(),
            checksum: self.config.rdbchecksum(),
            preamble: Preamble {
                created: self.now.wall,
                used_memory,
                repl,
                aof_base: false,
            },
            functions: self.persist.functions.clone(),
            form: Form::Rdb,
        }
    }

    /// The next save writes its file under this name first.
    fn temp_name(&self) -> String {
        format!("temp-{}.{}.rdb", self.launch.pid, self.persist.next)
    }

    fn start_save(&mut self, keys: &mut Keyspace, temp: String) {
        let by_and_by = self.config.rdb_save_incremental_fsync();
        let target = self.config.dbfilename().into();
        let options = self.snapshot_options(self.used_memory(keys));
        self.start_file(keys, Kind::Dump, (temp.into(), target), by_and_by, &options);
        self.persist.last_try = Some(self.now);
        self.persist.saves_nothing = false;
        self.persist.scheduled = false;
    }

    /// Begins a snapshot into a file, by way of a temporary one.
    fn start_file(
        &mut self,
        keys: &mut Keyspace,
        kind: Kind,
        (temp, target): (Box<str>, Box<str>),
        syncs_by_and_by: bool,
        options: &SnapshotOptions,
    ) {
        assert!(
            self.repl.is_between_units(),
            "a snapshot is of the moment that its place in the stream names"
        );
        let id = self.persist.next;
        self.persist.next += 1;
        let file = FileId(FIRST_FILE + u32::try_from(id % (1 << 16)).expect("16 bits"));
        let (save, op) = Save::start(file, temp, target, syncs_by_and_by);
        self.effects.disk(Purpose::Save(id), op);
        self.persist.running = Some(Running {
            id,
            kind,
            progress: Progress::default(),
            held_max: 0,
            to: To::File(Snapshot::begin(keys, options), save),
            started: self.now,
            pace: Pace::new(self.now.mono),
            changes: self.unit.changes(),
            awaited: None,
        });
        self.persist.busy = true;
    }

    fn save_ended(&mut self, took: Duration, changes: u64, saved: bool) {
        // A last save that fails is answered with the end not coming.
        let counts = saved || !self.shutdown.is_saving();
        let persist = &mut self.persist;
        persist.last_ok = if counts { saved } else { persist.last_ok };
        persist.last_took = Some(took);
        if saved {
            persist.last_save = self.now.wall;
            persist.saved_changes = changes;
            persist.saves += 1;
            tracing::info!("Background saving terminated with success");
        } else {
            tracing::warn!("Background saving error");
        }
    }

    /// Answers those who wait for a save that has ended. To FLUSHALL its success makes no
    /// difference, in Redis either; but a save that began before it is not what it waits for.
    pub(super) fn answer_saved(&mut self, saved: bool) {
        let fail = Fail::Plain("Background save failed. Check logs.");
        self.answer_waiting(Wait::Save, if saved { Ok(()) } else { Err(&fail) });
        if !self.persist.wanted {
            self.answer_waiting(Wait::Flush, Ok(()));
        }
    }

    fn ask(&mut self, id: u64, ops: Vec<DiskOp>) {
        for op in ops {
            self.effects.disk(Purpose::Save(id), op);
        }
    }
}

impl Server {
    /// Saves if a save point is reached.
    pub(super) fn save_if_due(&mut self) {
        let st = &mut self.st;
        if st.persist.is_snapshotting() || st.is_loading() {
            return;
        }
        let changes = st.unit.changes() - st.persist.saved_changes;
        let elapsed = st.now.wall.as_secs() - st.persist.last_save.as_secs();
        let rests = !st.persist.last_ok
            && st
                .persist
                .last_try
                .is_some_and(|at| st.now.mono.since(at.mono) < RETRY_DELAY);
        if rests {
            return;
        }
        if st.persist.scheduled {
            let temp = st.temp_name();
            tracing::info!("Background saving started");
            st.start_save(&mut self.keys, temp);
            return;
        }
        let points = st.config.save_points();
        let point = points.iter().find(|point| {
            changes >= point.changes && u64::try_from(elapsed).is_ok_and(|e| e > point.seconds)
        });
        match point {
            Some(point) => tracing::info!(
                "{} changes in {} seconds. Saving...",
                point.changes,
                point.seconds
            ),
            // Nothing is written until one succeeds, so no save point would ever be reached.
            None if !st.persist.last_ok && !points.is_empty() => {
                tracing::info!("The last save failed. Saving...");
            }
            None => return,
        }
        let temp = st.temp_name();
        st.start_save(&mut self.keys, temp);
    }

    /// Begins to write the base of the append-only file.
    pub(super) fn start_base(&mut self, base: &Part, form: BaseForm) {
        let st = &mut self.st;
        let names = st.aof_names();
        let (pid, number) = (st.launch.pid, st.persist.next);
        let temp = names.path(&format!("temp-rewriteaof-bg-{pid}.{number}.aof"));
        let target = names.path(&base.name);
        let mut options = st.snapshot_options(st.used_memory(&self.keys));
        options.preamble.aof_base = true;
        options.form = match form {
            BaseForm::Rdb => Form::Rdb,
            BaseForm::Commands => st.base_of_commands(),
        };
        let by_and_by = st.config.aof_rewrite_incremental_fsync();
        st.start_file(
            &mut self.keys,
            Kind::Base,
            (temp, target),
            by_and_by,
            &options,
        );
    }

    /// Gives a save up of which nobody wants to know any more.
    pub(super) fn abort_save_if_unwanted(&mut self) {
        if core::mem::take(&mut self.st.persist.unwanted) && self.st.persist.is_saving() {
            tracing::info!("Background saving aborted");
            self.abort_snapshot();
            self.st.answer_saved(false);
            self.st.repl.snapshot_slot_free(self.st.now);
        }
    }

    /// Asks the disk to remove the files that will not be whole when the process ends.
    pub(super) fn remove_unfinished(&mut self) {
        let running = match self.st.persist.running.as_ref().map(|running| &running.to) {
            Some(To::File(_, save) | To::Sealing(save)) => Some(save),
            Some(To::Replicas(..)) | None => None,
        };
        let dying = self.dying.iter().map(|(_, save)| save);
        for save in running.into_iter().chain(dying) {
            let path = save.temp().into();
            self.st
                .effects
                .disk(Purpose::Ignore, DiskOp::Remove { path });
        }
    }

    /// Saves if that is wanted at once. A save that began before is of no use any more; what is
    /// taken for replicas is.
    pub(super) fn save_if_wanted(&mut self) {
        let persist = &self.st.persist;
        if persist.wanted && !persist.is_occupied() && !self.st.is_loading() {
            self.save_instead();
            self.st.persist.saves_nothing = true;
        }
    }

    /// Saves what there is in place of whatever is being saved.
    pub(super) fn save_instead(&mut self) {
        self.st.persist.wanted = false;
        self.abort_snapshot();
        let pid = self.st.launch.pid;
        // The last file has the name it has with Redis, if it can't meet another one.
        let temp = if self.st.shutdown.is_saving() && self.dying.is_empty() {
            format!("temp-{pid}.rdb")
        } else {
            self.st.temp_name()
        };
        self.st.start_save(&mut self.keys, temp);
    }

    /// Gives the running snapshot up because its dataset is about to be replaced.
    pub(super) fn drop_snapshot(&mut self) {
        self.abort_snapshot();
        if self.st.shutdown.is_saving() {
            // It was the last one, and is still to come.
            self.st.persist.want_save();
        }
        self.st.answer_saved(false);
    }

    /// Gives the running snapshot up.
    pub(super) fn abort_snapshot(&mut self) {
        let Some(running) = self.st.persist.running.take() else {
            return;
        };
        self.st.persist.busy = false;
        self.st.persist.saves_nothing = false;
        if running.kind == Kind::Base {
            self.base_ended(Err(()));
        }
        if let Some(id) = running.awaited {
            self.st.repl.snapshot_finished(self.st.now, id, false);
        }
        match running.to {
            To::File(snapshot, mut save) => {
                snapshot.end(&mut self.keys);
                let mut ops = Vec::new();
                save.cancel(&mut ops);
                self.st.ask(running.id, ops);
                self.dying.push((running.id, save));
            }
            To::Sealing(mut save) => {
                let mut ops = Vec::new();
                save.cancel(&mut ops);
                assert!(ops.is_empty(), "a step of it is under way");
                self.dying.push((running.id, save));
            }
            To::Replicas(snapshot, id) => {
                snapshot.end(&mut self.keys);
                self.st.repl.snapshot_finished(self.st.now, id, false);
            }
        }
    }

    /// A step on the file of a snapshot is done.
    pub(super) fn save_answered(&mut self, id: u64, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let result = result.map(|_| ());
        let mut ops = Vec::new();
        if let Some(at) = self.dying.iter().position(|(dying, _)| *dying == id) {
            let state = self.dying[at].1.handle_done(result, &mut ops);
            self.st.ask(id, ops);
            if state != SaveState::Working {
                self.dying.remove(at);
            }
            return;
        }
        let running = self
            .st
            .persist
            .running
            .as_mut()
            .filter(|running| running.id == id);
        let running = running.expect("an answer belongs to a running or dying save");
        let state = match &mut running.to {
            To::File(_, save) | To::Sealing(save) => save.handle_done(result, &mut ops),
            To::Replicas(..) => unreachable!("replicas have no file"),
        };
        self.st.ask(id, ops);
        match state {
            SaveState::Working => {}
            SaveState::Saved => self.end_save(true),
            SaveState::Failed(why) => {
                tracing::warn!("Write error saving DB on disk: {why}");
                self.end_save(false);
            }
        }
    }

    fn end_save(&mut self, saved: bool) {
        let running = self
            .st
            .persist
            .running
            .take()
            .expect("the save that ended was running");
        self.st.persist.busy = false;
        self.st.persist.saves_nothing = false;
        let len = match running.to {
            To::File(snapshot, save) => {
                snapshot.end(&mut self.keys);
                save.appended()
            }
            To::Sealing(save) => save.appended(),
            To::Replicas(..) => unreachable!("a save goes to a file"),
        };
        self.st.repl.snapshot_slot_free(self.st.now);
        if running.kind == Kind::Base {
            self.base_ended(saved.then_some(len).ok_or(()));
            return;
        }
        let took = self.st.now.mono.since(running.started.mono);
        self.st.save_ended(took, running.changes, saved);
        self.st.persist.for_replicas_only = saved && running.awaited.is_some();
        if let Some(id) = running.awaited {
            self.pass_file_on(id, saved.then_some(len));
        }
        self.st.answer_saved(saved);
        self.final_save_ended(saved);
    }

    /// Goes on with the running snapshot by one slice.
    pub(super) fn advance_persistence(&mut self) {
        self.st.persist.busy = self.advance_loading();
        self.st.persist.stalled = self.st.aof_is_behind();
        self.advance_sending();
        let Some(running) = &mut self.st.persist.running else {
            return;
        };
        let keys = &mut self.keys;
        let mut ops = Vec::new();
        let (now, delay) = (self.st.now.mono, self.st.config.rdb_key_save_delay());
        let allowed = running.keys_allowed(now, delay, keys);
        let (snapshot, moved) = match &mut running.to {
            To::Sealing(_) => return,
            To::File(snapshot, save) => {
                let mut moved = snapshot.step_paced(keys, allowed);
                while save.has_room()
                    && let Some(chunk) = snapshot.poll_chunk(keys)
                {
                    save.append(chunk, &mut ops);
                    moved = true;
                }
                if snapshot.is_done() {
                    save.end(&mut ops);
                }
                (&*snapshot, moved)
            }
            To::Replicas(snapshot, id) => {
                let (id, now) = (*id, self.st.now);
                let mut moved = snapshot.step_paced(keys, allowed);
                while self.st.repl.snapshot_wanted() == Some(id)
                    && let Some(chunk) = snapshot.poll_chunk(keys)
                {
                    self.st.repl.snapshot_chunk(now, id, &chunk);
                    moved = true;
                }
                (&*snapshot, moved)
            }
        };
        let before = running.progress.keys;
        running.progress = snapshot.progress(keys);
        running.held_max = running.held_max.max(running.progress.held);
        running.pace.spend(running.progress.keys - before, delay);
        let done = snapshot.is_done();
        let behind = !done && snapshot.wants_stall(keys);
        let (id, to_file) = (running.id, running.is_to_file());
        self.st.persist.busy |= moved && !done;
        self.st.persist.stalled |= behind && to_file;
        self.st.ask(id, ops);
        if done {
            self.snapshot_taken();
        } else if behind && !to_file {
            tracing::warn!("Replicas read a snapshot too slowly; it is given up");
            self.abort_snapshot();
            self.st.repl.snapshot_slot_free(self.st.now);
        }
    }

    /// All of the snapshot was handed on.
    fn snapshot_taken(&mut self) {
        let running = self
            .st
            .persist
            .running
            .take()
            .expect("a snapshot was being taken");
        let held = &mut self.st.persist.held_by_last;
        match running.kind {
            Kind::Dump | Kind::Replicas => held.rdb = running.held_max,
            Kind::Base => held.base = running.held_max,
        }
        match running.to {
            To::File(snapshot, save) => {
                snapshot.end(&mut self.keys);
                let progress = Progress {
                    held: 0,
                    ..running.progress
                };
                self.st.persist.running = Some(Running {
                    progress,
                    to: To::Sealing(save),
                    ..running
                });
            }
            To::Sealing(_) => unreachable!("a sealed file was handed on before"),
            To::Replicas(snapshot, id) => {
                snapshot.end(&mut self.keys);
                self.st.repl.snapshot_finished(self.st.now, id, true);
                self.st.repl.snapshot_slot_free(self.st.now);
            }
        }
    }

    /// Replication wants a snapshot of the dataset as it is now.
    pub(super) fn start_replica_snapshot(
        &mut self,
        id: SnapshotId,
        contents: Contents,
        to_file: bool,
    ) {
        let now = self.st.now;
        match contents {
            Contents::All => {}
            Contents::Functions => return self.send_empty_snapshot(id, true),
            Contents::Nothing => return self.send_empty_snapshot(id, false),
        }
        if self.st.persist.is_snapshotting() {
            self.st
                .repl
                .snapshot_started(now, id, Err(StartFault::Busy));
            return;
        }
        if !self.st.repl.snapshot_started(now, id, Ok(())) {
            return;
        }
        if to_file {
            tracing::info!("Background saving started");
            let temp = self.st.temp_name();
            self.st.start_save(&mut self.keys, temp);
            let running = self.st.persist.running.as_mut();
            running.expect("it was just started").awaited = Some(id);
            return;
        }
        let options = self.st.snapshot_options(self.st.used_memory(&self.keys));
        let number = self.st.persist.next;
        self.st.persist.next += 1;
        self.st.persist.running = Some(Running {
            id: number,
            kind: Kind::Replicas,
            progress: Progress::default(),
            held_max: 0,
            to: To::Replicas(Snapshot::begin(&mut self.keys, &options), id),
            started: now,
            pace: Pace::new(now.mono),
            changes: self.st.unit.changes(),
            awaited: None,
        });
        self.st.persist.busy = true;
    }

    /// A snapshot without keys, for `rdb-filter-only`.
    fn send_empty_snapshot(&mut self, id: SnapshotId, functions: bool) {
        let now = self.st.now;
        if !self.st.repl.snapshot_started(now, id, Ok(())) {
            return;
        }
        let options = self.st.snapshot_options(0);
        let mut encoder = Encoder::new(options.compress, options.checksum);
        encoder.preamble(&options.preamble);
        for library in options.functions.iter().filter(|_| functions) {
            encoder.function(library);
        }
        encoder.eof();
        while let Some(chunk) = encoder.poll_chunk() {
            self.st.repl.snapshot_chunk(now, id, &chunk);
        }
        self.st.repl.snapshot_finished(now, id, true);
    }

    /// Nobody wants that snapshot any more.
    pub(super) fn stop_replica_snapshot(&mut self, id: SnapshotId) {
        self.stop_sending(id);
        // A file that is being written is of use to us as well.
        let running = self.st.persist.running.as_mut();
        if let Some(running) = running.filter(|running| running.awaited == Some(id)) {
            running.awaited = None;
            self.st.persist.for_replicas_only = false;
        }
        let running = self.st.persist.running.as_ref();
        let is_it = running.is_some_and(|running| match running.to {
            To::Replicas(_, at) => at == id,
            To::File(..) | To::Sealing(_) => false,
        });
        if is_it {
            self.abort_snapshot();
            self.st.repl.snapshot_slot_free(self.st.now);
        }
    }

    /// Works out anew why commands are refused at present. A replica whose disk fails refuses them
    /// too, and PING with them: who has that answered takes it for unfit to be promoted.
    pub(super) fn refresh_conditions(&mut self) {
        let st = &mut self.st;
        let failed = !st.persist.last_ok
            && st.config.stop_writes_on_bgsave_error()
            && !st.config.save_points().is_empty();
        let replica = st.is_replica();
        let log_failed = st.config.appendonly() && st.aof.fault().is_some();
        let stale = replica && !st.repl.is_connected() && !st.config.replica_serve_stale_data();
        let conditions = [
            (Conditions::SAVE_FAILED, failed),
            (Conditions::FEW_REPLICAS, !st.repl.may_write()),
            (
                Conditions::READ_ONLY,
                replica && st.config.replica_read_only(),
            ),
            (Conditions::STALE, stale),
            (
                Conditions::LOADING,
                st.is_loading() || st.persist.is_receiving_blindly(),
            ),
            (Conditions::ASYNC_LOADING, st.persist.is_receiving_beside()),
            (Conditions::LOG_FAILED, log_failed),
        ];
        for (condition, holds) in conditions {
            st.conditions.set(condition, holds);
        }
    }

    /// Tells the driver which connections are to be closed.
    pub(super) fn close_due(&mut self) {
        while let Some(conn) = self.st.conns.poll_close() {
            if !self.st.scripts.keeps(conn) {
                self.st.close(conn);
            }
        }
    }
}
