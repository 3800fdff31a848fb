//! What the server knows of its dataset on disk.

use bytes::Bytes;

use super::info::Report;
use super::loading::{Loading, Progress};
use super::saving::Running;
use super::sending::Sending;
use super::state::State;
use crate::machine::{ConnId, Mono, Now, Wall};
use crate::persist::pace::Pace;
use core::time::Duration;

/// Snapshots and loading: what runs, and what came of the last ones.
#[derive(Debug)]
pub struct Persist {
    /// The snapshot being taken.
    pub(super) running: Option<Running>,
    /// The dataset being read from a file.
    pub(super) loading: Option<Loading>,
    /// The dataset that is being received into memory.
    pub(super) receiving: Option<Receiving>,
    /// The file that replicas are sent.
    pub(super) sending: Option<Sending>,
    /// Whether the dataset's file was made for replicas, or by a full synchronisation.
    pub(super) for_replicas_only: bool,
    /// Whether the running snapshot has work to do at once.
    pub(super) busy: bool,
    /// Whether commands wait until the disk has caught up with the snapshot, or for the first
    /// turn after DEBUG SLEEP.
    pub(super) stalled: bool,
    /// Whether the dataset is to be saved as soon as no other snapshot is in the way.
    pub(super) wanted: bool,
    /// Whether a save is to begin by and by, when no other snapshot is being taken.
    pub(super) scheduled: bool,
    /// Whether a running save is to be given up.
    pub(super) unwanted: bool,
    /// Whether the running save is one that FLUSHALL has asked for.
    pub(super) saves_nothing: bool,
    /// The number of the next snapshot; names its files.
    pub(super) next: u64,
    /// When a save last succeeded.
    pub(super) last_save: Wall,
    /// When one was last tried.
    pub(super) last_try: Option<Now>,
    /// Whether the last one succeeded.
    pub(super) last_ok: bool,
    /// How long the last one took.
    pub(super) last_took: Option<Duration>,
    /// What the last ones of each kind had.
    pub(super) held_by_last: Held,
    /// Changes that the last one included.
    pub(super) saved_changes: u64,
    /// Saves that succeeded.
    pub(super) saves: u64,
    /// The function libraries that came with the dataset: they can't be called, and are kept for
    /// who can.
    pub(super) functions: Vec<Bytes>,
    /// Keys that the last RDB data brought, and keys left out of it because they had expired.
    pub(super) loaded: (u64, u64),
}

/// The most memory that snapshots had beside the dataset, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) rdb: usize,
    pub(super) base: usize,
}

/// A dataset being received into memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    pub(super) stance: Stance,
    /// The link it comes over.
    pub(super) link: ConnId,
    pub(super) started: Now,
    pub(super) progress: Progress,
    /// Holds it back where there is a delay for each key.
    pub(super) pace: Pace,
    /// Whether some of what has arrived waits for its time. Nothing more is read meanwhile.
    pub(super) held: bool,
}

/// What it is to the dataset there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stance {
    /// It is a later state of the one that is served meanwhile.
    Beside,
    /// It has nothing to do with the one there is, which is not served any more and kept until
    /// the new one is complete.
    Instead,
}

impl Persist {
    /// Whether a dataset is being received into memory.
    pub fn is_receiving(&self) -> bool {
        self.receiving.is_some()
    }

    /// Whether there is nothing worth serving until a dataset is received.
    pub(super) fn is_receiving_blindly(&self) -> bool {
        self.receives(Stance::Instead)
    }

    /// Whether one is received beside the one that is served.
    pub(super) fn is_receiving_beside(&self) -> bool {
        self.receives(Stance::Beside)
    }

    fn receives(&self, stance: Stance) -> bool {
        self.receiving
            .is_some_and(|receiving| receiving.stance == stance)
    }

    pub(super) fn new(now: Now) -> Self {
        Self {
            running: None,
            loading: None,
            receiving: None,
            sending: None,
            for_replicas_only: false,
            busy: false,
            stalled: false,
            wanted: false,
            scheduled: false,
            unwanted: false,
            saves_nothing: false,
            next: 0,
            last_save: now.wall,
            last_try: None,
            last_ok: true,
            last_took: None,
            held_by_last: Held::default(),
            saved_changes: 0,
            saves: 0,
            functions: Vec::new(),
            loaded: (0, 0),
        }
    }

    /// When the dataset was last saved.
    pub fn last_save(&self) -> Wall {
        self.last_save
    }

    /// How often it was since the start.
    pub fn saves(&self) -> u64 {
        self.saves
    }

    /// Whether a snapshot is being written to a file.
    pub fn is_saving(&self) -> bool {
        self.running.as_ref().is_some_and(Running::is_dump)
    }

    /// Whether one is being taken that counts as a background save. As in Redis, one for replicas
    /// does.
    pub fn is_background_saving(&self) -> bool {
        self.is_snapshotting() && !self.is_writing_base()
    }

    /// Whether one is being written for the append-only file.
    pub(super) fn is_writing_base(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.is_to_file() && !running.is_dump())
    }

    /// Whether a snapshot is being taken for whomever.
    pub fn is_snapshotting(&self) -> bool {
        self.running.is_some()
    }

    /// Whether a snapshot for replicas is in the way of saving.
    pub fn is_occupied(&self) -> bool {
        self.is_snapshotting() && !self.is_saving()
    }

    /// Whether a file is being loaded.
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// Whether what arrives over a link has to wait.
    pub(super) fn is_held_back(&self, link: ConnId) -> bool {
        (self.receiving).is_some_and(|receiving| receiving.held && receiving.link == link)
    }

    /// When the next key may be saved or loaded, where each has a delay behind it.
    pub(super) fn deadline(&self, now: Mono) -> Option<Mono> {
        let saved = self.running.as_ref().and_then(|r| r.deadline(now));
        let loaded = self.loading.as_ref().and_then(|l| l.pace.deadline(now));
        let held = self.receiving.as_ref().filter(|receiving| receiving.held);
        let received = held.and_then(|receiving| receiving.pace.deadline(now));
        saved.into_iter().chain(loaded).chain(received).min()
    }

    /// Lets the commands that follow wait for the next turn that does its work.
    pub fn stall(&mut self) {
        self.stalled = true;
    }

    /// BGSAVE SCHEDULE: has the dataset saved when no other snapshot is being taken.
    pub fn schedule_save(&mut self) {
        self.scheduled = true;
    }

    /// Has a running save given up.
    pub fn want_no_save(&mut self) {
        self.unwanted = true;
    }

    /// Has the dataset saved in place of whatever is being saved.
    pub fn want_save(&mut self) {
        self.wanted = true;
    }

    /// The lines of INFO's persistence section.
    pub(super) fn info(&self, report: &mut Report, st: &State) {
        let seconds = |time: Option<Duration>| time.map_or(-1, |t| t.as_secs() as i64);
        let bgsave = self
            .running
            .as_ref()
            .filter(|_| self.is_background_saving());
        let took = bgsave.map(|running| running.elapsed(st.now));
        let running = self.running.as_ref();
        let progress = running.map(Running::progress).unwrap_or_default();
        // What changes under a snapshot is copied for it: the part that copied pages have where
        // another process writes it.
        let held_max = running.map_or(0, Running::held_max);
        report.line(
            "loading",
            u8::from(st.is_loading() || self.is_receiving_blindly()),
        );
        report.line("async_loading", u8::from(self.is_receiving_beside()));
        report.line("current_cow_peak", held_max);
        report.line("current_cow_size", progress.held);
        report.line("current_cow_size_age", 0);
        let percent = match progress.keys_total {
            0 => 0.0,
            total => 100.0 * progress.keys as f64 / total as f64,
        };
        report.line("current_fork_perc", format_args!("{percent:.2}"));
        report.line("current_save_keys_processed", progress.keys);
        report.line("current_save_keys_total", progress.keys_total);
        report.line(
            "rdb_changes_since_last_save",
            st.unit.changes() - self.saved_changes,
        );
        report.line("rdb_bgsave_in_progress", u8::from(bgsave.is_some()));
        report.line("rdb_last_save_time", self.last_save.as_secs());
        report.line(
            "rdb_last_bgsave_status",
            if self.last_ok { "ok" } else { "err" },
        );
        report.line("rdb_last_bgsave_time_sec", seconds(self.last_took));
        report.line("rdb_current_bgsave_time_sec", seconds(took));
        report.line("rdb_saves", self.saves);
        report.line("rdb_last_cow_size", self.held_by_last.rdb);
        report.line("rdb_last_load_keys_expired", self.loaded.1);
        report.line("rdb_last_load_keys_loaded", self.loaded.0);
        st.aof.info(report, st);
        report.line("module_fork_in_progress", 0);
        report.line("module_fork_last_cow_size", 0);
        st.aof.info_of_file(report, st);
        if let Some(loading) = &self.loading {
            loading.progress().info(report, loading.started, st.now);
        } else if let Some(receiving) = &self.receiving {
            receiving.progress.info(report, receiving.started, st.now);
        }
    }
}
