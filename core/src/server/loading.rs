//! Loads the dataset from a file: at the start, and after a full synchronisation.

use super::Server;
use super::info::Report;
use super::replay::Replay;
use super::state::{Purpose, State};
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::conn::Conn;
use crate::machine::{ConnId, DiskOp, Done, Effect, FileId, Now};
use crate::persist::aof::load::AofState;
use crate::persist::load::{Expired, Intake, Load, LoadEnd, LoadFault, LoadState};
use crate::persist::pace::Pace;
use crate::persist::rdb::{Decoder, Options, Place as RdbPlace, RdbFault, ReplPoint};
use crate::persist::snapshot::Snapshot;
use crate::repl::action::Attempt;
use crate::repl::node::Place;
use crate::repl::{Offset, ReplId};

/// The file id of the dataset being loaded; no other part uses it.
pub(super) const FILE: FileId = FileId(2);

/// A dataset being loaded.
#[derive(Debug)]
pub(super) struct Loading {
    pub(super) source: Source,
    pub(super) why: Why,
    pub(super) started: Now,
    /// Holds it back where there is a delay for each key.
    pub(super) pace: Pace,
}

/// Where it comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// An RDB file.
    Rdb(Box<Load>),
    /// The append-only file.
    Aof(Box<Replay>),
}

/// What it is loaded for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// The server starts.
    Start,
    /// A client asked for it with DEBUG LOADAOF.
    Asked,
    /// A full synchronisation has put it there.
    Synced(Attempt),
}

/// How far a dataset being loaded has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Bytes taken.
    pub(super) read: u64,
    /// Of so many, or 0 where that is not known.
    pub(super) total: u64,
    /// The memory it took where it comes from.
    pub(super) used_memory: u64,
}

impl Loading {
    pub(super) fn progress(&self) -> Progress {
        match &self.source {
            Source::Rdb(load) => Progress {
                read: load.loaded(),
                total: load.total(),
                used_memory: load.intake().loaded().used_memory,
            },
            Source::Aof(replay) => replay.progress(),
        }
    }
}

impl Progress {
    /// The lines INFO has while a dataset is being loaded. How much of it there is, where that is
    /// not known, is guessed from the memory it took.
    pub(super) fn info(&self, report: &mut Report, started: Now, now: Now) {
        let Self {
            read,
            total,
            used_memory,
        } = *self;
        let elapsed = now.mono.since(started.mono).as_secs();
        let percent = |whole: u64| 100.0 * read as f64 / whole as f64;
        let (share, left) = match (total, used_memory) {
            (0, 0) => (0.0, 1),
            (0, guess) => (percent(guess).min(99.99), guess.saturating_sub(read).max(1)),
            (total, _) => (percent(total), total.saturating_sub(read)),
        };
        let eta = match elapsed {
            0 => 1,
            elapsed => u128::from(elapsed) * u128::from(left) / (u128::from(read) + 1),
        };
        report.line("loading_start_time", started.wall.as_secs());
        report.line("loading_total_bytes", total);
        report.line("loading_rdb_used_mem", used_memory);
        report.line("loading_loaded_bytes", read);
        report.line("loading_loaded_perc", format_args!("{share:.2}"));
        report.line("loading_eta_seconds", eta);
    }
}

impl State {
    /// How a dataset is to be read.
    pub(super) fn decode_options(&self) -> Options {
        Options {
            checksum: self.config.rdbchecksum() && !self.debug.skip_checksum,
            shape: self.shape,
        }
    }

    fn load(&mut self, path: Box<str>, why: Why, expired: Expired) {
        let intake = Intake::new(self.now.wall, expired);
        let (load, op) = Load::start(FILE, path, self.decode_options(), intake);
        self.effects.disk(Purpose::Load, op);
        self.persist.loaded = (0, 0);
        assert!(
            self.persist.loading.is_none(),
            "one file is loaded at a time"
        );
        self.persist.loading = Some(Loading {
            source: Source::Rdb(Box::new(load)),
            why,
            started: self.now,
            pace: Pace::new(self.now.mono),
        });
    }
}

impl State {
    /// Asks the disk for what a load needs.
    pub(super) fn ask_for_load(&mut self, ops: Vec<DiskOp>) {
        for op in ops {
            self.effects.disk(Purpose::Load, op);
        }
    }

    /// Ends the process at once: going on would do harm.
    pub(super) fn die(&mut self) {
        self.effects.push(Effect::Exit { code: 1 });
        self.shutdown = super::shutdown::Shutdown::Done;
    }
}

impl Server {
    /// Loads the dataset at the start, if there is one: from the append-only file if that is on,
    /// or else from the dataset's file.
    pub(super) fn start_load(&mut self) {
        if let Some((host, port)) = self.st.config.replicaof() {
            let host = host.to_owned();
            self.st.repl.start_as_replica(self.st.now, &host, port);
            // Its place in the stream is known when the dataset is loaded.
            self.st.repl.hold_link(true);
        }
        if self.st.config.appendonly() {
            self.start_replay(Why::Start);
            return;
        }
        // A replica keeps what has expired: its master's stream will say that it is gone.
        let expired = if self.st.is_replica() {
            Expired::Keep
        } else {
            Expired::DropAndTell
        };
        let path = self.st.config.dbfilename().into();
        self.st.load(path, Why::Start, expired);
    }

    /// Loads what a full synchronisation has put in place of the dataset's file.
    pub(super) fn load_received(&mut self, attempt: Attempt, path: Box<str>) {
        self.drop_snapshot();
        self.abandon_aof();
        tracing::info!("MASTER <-> REPLICA sync: Flushing old data");
        self.keys.flush_all();
        tracing::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        self.st.load(path, Why::Synced(attempt), Expired::Keep);
    }

    /// A step on the file being loaded is done.
    pub(super) fn load_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let mut ops = Vec::new();
        match self.loading_source() {
            Source::Rdb(load) => {
                let state = load.handle_done(result, &mut ops);
                self.st.ask_for_load(ops);
                if let LoadState::Over(end) = state {
                    self.load_ended(end);
                }
            }
            Source::Aof(replay) => {
                let state = replay.load.handle_done(result, &mut ops);
                let held = replay.is_held();
                self.st.ask_for_load(ops);
                // What else it comes to, it comes to again when the commands that wait have run.
                if !held || matches!(state, AofState::Over(_)) {
                    self.replay_on(state, &mut 0);
                }
            }
        }
    }

    fn loading_source(&mut self) -> &mut Source {
        let loading = self.st.persist.loading.as_mut();
        &mut loading.expect("an answer belongs to a load").source
    }

    /// Loads the next piece of what is being loaded; whether there is more to do at once.
    pub(super) fn advance_loading(&mut self) -> bool {
        let Some(loading) = &mut self.st.persist.loading else {
            return false;
        };
        let (now, delay) = (self.st.now.mono, self.st.config.key_load_delay());
        let allowed = loading.pace.allowed(now, delay);
        if allowed == 0 {
            return false;
        }
        let mut left = allowed;
        let more = self.load_some(&mut left);
        // It may be over.
        if let Some(loading) = &mut self.st.persist.loading {
            loading.pace.spend(allowed - left, delay);
        }
        more
    }

    /// Loads the next piece, of no more than so many keys or commands.
    fn load_some(&mut self, left: &mut usize) -> bool {
        let Some(loading) = &mut self.st.persist.loading else {
            return false;
        };
        let mut ops = Vec::new();
        match &mut loading.source {
            Source::Rdb(load) => {
                let state = load.step(&mut self.keys, left, &mut ops);
                self.st.persist.loaded = load.intake().loaded().counts();
                self.st.ask_for_load(ops);
                state == LoadState::Ready
            }
            Source::Aof(replay) => {
                if replay.takes_place_of_dataset() {
                    self.abort_snapshot();
                    self.keys.flush_all();
                    return true;
                }
                if replay.is_held() {
                    return self.replay_held(left);
                }
                let state = replay.load.step(&mut self.keys, left, &mut ops);
                if let Some(loaded) = replay.load.loaded() {
                    self.st.persist.loaded = loaded.counts();
                }
                self.st.ask_for_load(ops);
                self.replay_on(state, left)
            }
        }
    }

    fn load_ended(&mut self, end: LoadEnd) {
        let loading = self.st.persist.loading.take();
        let loading = loading.expect("the load that ended was running");
        let took = self.st.now.mono.since(loading.started.mono);
        let Source::Rdb(mut load) = loading.source else {
            unreachable!("the append-only file ends otherwise")
        };
        match end {
            LoadEnd::Complete => {
                tracing::info!("DB loaded from disk: {:.3} seconds", took.as_secs_f64());
            }
            LoadEnd::Missing => {}
            LoadEnd::Failed(fault) => {
                tracing::warn!("Error loading the RDB file: {fault}");
            }
        }
        let mut last_words = "Fatal error loading the DB, check server logs. Exiting.";
        if let LoadEnd::Failed(LoadFault::Rdb(fault)) = end {
            report_fault(fault, load.place());
            last_words = "Terminating server after rdb file reading failure.";
        }
        let intake = load.intake_mut();
        match loading.why {
            Why::Synced(attempt) => {
                let db = intake
                    .repl_point()
                    .and_then(|point| u32::try_from(point.stream_db).ok());
                let complete = end == LoadEnd::Complete;
                self.st.persist.functions = core::mem::take(&mut intake.loaded_mut().functions);
                if !complete {
                    self.keys.flush_all();
                    self.st.persist.functions.clear();
                }
                self.remove_synced_file();
                self.dataset_replaced();
                self.st.persist.for_replicas_only = complete;
                self.st.remove_sync_file();
                let outcome = if complete { Ok(db) } else { Err(()) };
                if let Some((link, db)) = self.installed(attempt, outcome) {
                    let read = self.st.conns.get(link).map_or(0, Conn::input_len);
                    self.stream_starts(link, db, read);
                    self.master_input.push(link);
                }
            }
            Why::Asked => unreachable!("only the append-only file is loaded when asked"),
            Why::Start => {
                if let LoadEnd::Failed(_) = end {
                    tracing::warn!("{last_words}");
                    self.st.die();
                    return;
                }
                self.start_from(intake);
                self.serve_from_start();
            }
        }
    }

    /// `rdb-del-sync-files`: what a full synchronisation has put on the disk does not stay there
    /// if nothing else is kept on it.
    fn remove_synced_file(&mut self) {
        let config = &self.st.config;
        let keeps = config.appendonly() || !config.save_points().is_empty();
        if config.rdb_del_sync_files() && !keeps {
            tracing::info!(
                "Removing the RDB file obtained from the master. This replica has persistence \
                 disabled"
            );
            let path = config.dbfilename().into();
            self.st
                .effects
                .disk(Purpose::Ignore, DiskOp::Remove { path });
        }
    }

    /// The dataset is complete, and where writes go is ready.
    pub(super) fn serve_from_start(&mut self) {
        self.st.repl.hold_link(false);
        self.loaded_at_start();
    }

    /// Takes up the history that the loaded dataset belongs to.
    fn start_from(&mut self, intake: &mut Intake) {
        let loaded = intake.loaded_mut();
        self.st.persist.functions = core::mem::take(&mut loaded.functions);
        let place = intake.repl_point().and_then(place_of);
        if let Some(place) = place {
            self.st.repl.restore(self.st.now, place);
        }
        while let Some((db, key)) = intake.poll_dropped() {
            let del: [&[u8]; 2] = [b"DEL", &key];
            self.st.feed(db, del.into_iter());
        }
        self.st.end_batch();
    }

    /// Tells replication that a dataset from the master is in place, or not; the database of the
    /// stream and its link, if it goes on over the same one.
    pub(super) fn installed(
        &mut self,
        attempt: Attempt,
        outcome: Result<Option<u32>, ()>,
    ) -> Option<(ConnId, u32)> {
        let db = self.st.repl.loaded(self.st.now, attempt, outcome)?;
        let mut conns = self.st.by_client_id.values().copied();
        let link = conns.find(|&conn| self.st.repl.is_master_link(conn))?;
        Some((link, db))
    }

    /// Every key may have changed.
    pub(super) fn dataset_replaced(&mut self) {
        self.st.own_expiry.clear();
        let watching: Vec<_> = (0..self.keys.dbs().len())
            .flat_map(|db| self.st.watch.in_db(db))
            .collect();
        let conns: Vec<_> = watching
            .iter()
            .flat_map(|(_, conns)| conns.to_vec())
            .collect();
        self.st.dirty_watchers(&conns);
        self.st.blocked.keys.note_all();
    }
}

/// Tells where the data of a file breaks, as Redis does.
fn report_fault(fault: RdbFault, place: RdbPlace<'_>) {
    let offset = fault.offset();
    tracing::warn!("Internal error in RDB reading offset {offset} -> {fault}");
    tracing::warn!("[additional info] While doing: {}", place.doing);
    if let Some(key) = place.key {
        let key = key.escape_ascii();
        tracing::warn!("[additional info] Reading key '{key}'");
    }
    if let Some((kind, name)) = place.kind {
        tracing::warn!("[additional info] Reading type {kind} ({name})");
    }
}

/// The place in a replication stream that a file names.
pub(super) fn place_of(point: ReplPoint) -> Option<Place> {
    Some(Place {
        replid: ReplId::parse(&point.id)?,
        offset: Offset::new(i64::try_from(point.offset).ok()?)?,
        db: u32::try_from(point.stream_db).ok()?,
    })
}

impl Cx<'_> {
    /// DEBUG RELOAD: encodes the dataset as a snapshot does and decodes it again.
    pub fn reload(&mut self) -> Result<(), Fail> {
        if self.data.st.persist.is_snapshotting() {
            return Err(Fail::Plain("A snapshot is being taken: try again later"));
        }
        let keys = &mut *self.data.keys;
        let mut snapshot = Snapshot::begin(keys, &self.data.st.snapshot_options(0));
        let mut file = Vec::new();
        while !snapshot.is_done() {
            snapshot.step(keys);
            while let Some(chunk) = snapshot.poll_chunk(keys) {
                file.extend_from_slice(&chunk);
            }
        }
        snapshot.end(keys);
        keys.flush_all();
        let mut decoder = Decoder::new(self.data.st.decode_options());
        let mut intake = Intake::new(self.data.st.now.wall, Expired::Keep);
        decoder.feed(&file);
        let broken =
            |error: String| Fail::detail(format!("Error trying to load the RDB dump: {error}"));
        let taken = intake.take_from(&mut decoder, keys, &mut { usize::MAX });
        taken.map_err(|fault| broken(fault.to_string()))?;
        self.data.st.persist.loaded = intake.loaded().counts();
        decoder.finish().map_err(|fault| broken(fault.to_string()))
    }
}
