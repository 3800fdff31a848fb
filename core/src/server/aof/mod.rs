//! The append-only file of the server: what is written to it, and what hangs on that.
//!
//! Each turn ends with what its commands have fed being handed to the file ([`Writer`]). Every
//! reply of the turn is fenced with the mark that the turn's bytes will have, whether the command
//! wrote or only read what is not kept yet. Under `appendfsync always` it shows once the mark is
//! durable: many turns share a sync, and nobody is told of what a crash may undo. Otherwise it
//! shows once the mark is in the file, which outlives the process, or when a sync or a fault is
//! in the way of that.
//!
//! Whether there is a file follows from the configuration and the dataset, not from orders:
//! [`reconcile`](Server::reconcile_aof) looks at the end of each turn for what is to be begun or
//! ended. A file begins as the rewrite of the whole dataset; only when that is durable it counts.
//! A file that is not to be trusted any more, and that of a dataset that was replaced, is
//! abandoned, and another begins.

mod gathering;
mod opening;
mod rewriting;

use core::time::Duration;
use std::collections::VecDeque;

use super::Server;
use super::info::Report;
use super::shutdown::Shutdown;
use super::state::{Purpose, State};
use crate::config::AppendFsync;
use crate::conn::LogPos;
use crate::limits::AOF_WAITING_BYTES_MAX;
use crate::machine::{DiskFault, DiskOp, Done, FileId, Mono};
use crate::persist::aof::Names;
use crate::persist::aof::manifest::Manifest;
use crate::persist::aof::writer::{Asked, Event, Policy, Writer};
use crate::persist::snapshot::Form;
use crate::repl::Offset;
use crate::repl::stream::LogStream;
use gathering::Gathering;
use opening::{Cleaning, Learning, Opening};
use rewriting::{Past, Rewrite};

/// The file ids of the append-only file; no other part uses them. The files that grow take turns.
const FILES: [FileId; 2] = [FileId(8), FileId(9)];
/// The file id of its manifest.
const MANIFEST_FILE: FileId = FileId(10);
/// How often the place in the replication stream is noted if nothing is written.
const NOTE_PERIOD: Duration = Duration::from_secs(1);
/// How often it is noted behind what is written, if that is not synced at once.
const BUSY_NOTE_PERIOD: Duration = Duration::from_millis(100);
/// How long after a fault a new file is begun.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The append-only file: its state, and what came of it.
#[derive(Debug, Default)]
pub struct Aof {
    phase: Phase,
    /// Which files there are, as it stands on disk, once that is known.
    manifest: Manifest,
    known: bool,
    learning: Option<Learning>,
    rewrite: Option<Rewrite>,
    cleaning: Option<Cleaning>,
    /// Files that are of no use any more are to go as soon as they can.
    cleaning_wanted: bool,
    /// What came of past rewrites.
    past: Past,
    /// The first mark that no file has used.
    next_mark: u64,
    /// How far the replication stream was when what has this mark was handed over.
    offsets: VecDeque<(u64, Offset)>,
    /// How much of it is durable.
    durable: Option<Offset>,
    /// When the place in the stream was last noted in the file.
    noted_at: Mono,
    /// Emptied every time; kept for its memory.
    ops: Vec<DiskOp>,
    /// Whether some reply waits for the mark that comes next.
    fenced: bool,
    /// Bytes of all files but the one that grows.
    before: u64,
    /// Bytes of all files when they were last rewritten.
    base_len: u64,
    /// Something is not durable, or may not be, until a rewrite has succeeded.
    doubt: Option<DiskFault>,
    /// The fault that clients are told of.
    told: Option<DiskFault>,
    /// The file is to be abandoned.
    unwanted: bool,
    /// No file is begun before that.
    not_before: Mono,
    /// The dataset is to be loaded anew from it.
    replay_wanted: bool,
    /// `aof_delayed_fsync`
    delayed: u64,
    /// When what is fed is handed over, if DEBUG AOF-FLUSH-SLEEP holds it back.
    flush_at: Option<Mono>,
    /// What the next sync under `always` is to cover.
    gathering: Gathering,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Off,
    /// A file that was loaded is opened to be written to.
    Opening(Opening),
    On(Writer),
    /// What was fed is written; then it is closed.
    Ending(Writer),
}

impl Aof {
    /// Whether changes are being written.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.phase, Phase::On(_))
    }

    /// Whether the file grows, and that is all there is to do.
    fn only_grows(&self) -> bool {
        let begins = self.replay_wanted || self.cleaning_wanted || self.unwanted;
        let works = self.is_rewriting() || self.cleaning.is_some();
        self.is_on() && self.fault().is_none() && !begins && !works
    }

    /// Whether the next turn hands over what this one has left for it.
    pub(super) fn is_gathering(&self) -> bool {
        self.gathering.goes_on()
    }

    /// Whether a rewrite runs or is about to.
    #[must_use]
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some() || self.learning.is_some() || self.past.asked
    }

    /// Why changes can't be written, as clients are told.
    pub(super) fn told(&self) -> DiskFault {
        self.told.unwrap_or(DiskFault::NoSpace)
    }

    /// Has the dataset loaded anew.
    pub(super) fn want_replay(&mut self) {
        self.replay_wanted = true;
    }

    /// How much of the replication stream is durable.
    #[cfg(test)]
    pub(super) fn durable(&self) -> Option<Offset> {
        self.durable
    }

    /// What is wrong, if anything is.
    pub(super) fn fault(&self) -> Option<DiskFault> {
        let of_file = match &self.phase {
            Phase::On(writer) => writer.fault(),
            Phase::Off | Phase::Opening(_) | Phase::Ending(_) => None,
        };
        of_file.or(self.doubt)
    }

    fn writer(&self) -> Option<&Writer> {
        match &self.phase {
            Phase::On(writer) | Phase::Ending(writer) => Some(writer),
            Phase::Off | Phase::Opening(_) => None,
        }
    }

    /// Whether what is in the file is found at the next start.
    pub(super) fn counts(&self) -> bool {
        self.is_on() && !self.rewrite.as_ref().is_some_and(Rewrite::is_initial)
    }

    /// Whether it is, and nothing is wrong with the file.
    pub fn is_sound(&self) -> bool {
        self.counts() && self.fault().is_none()
    }

    /// Whether all that was handed to the file is durable.
    pub fn is_durable(&self) -> bool {
        self.writer().is_some_and(Writer::is_durable)
    }

    /// Panics if more is said to be durable than is in the file, or than was done.
    pub(super) fn check_invariants(&self, offset: Offset) {
        assert!(self.durable.is_none_or(|durable| durable <= offset));
        if let Some(writer) = self.writer() {
            let (synced, written) = (writer.synced(), writer.written());
            assert!(synced <= written, "what is durable is in the file");
            assert!(written <= writer.taken(), "what is in the file was fed");
        }
    }

    /// Whether what is fed belongs to the file that comes next.
    fn holds(&self) -> bool {
        self.rewrite.as_ref().is_some_and(Rewrite::holds)
    }

    fn current_len(&self) -> u64 {
        self.before + self.writer().map_or(0, Writer::len)
    }

    /// The mark of what a file begins with. None is 0, up to which nothing at all is durable.
    fn first_mark(&self) -> u64 {
        self.next_mark.max(1)
    }

    /// A file id that is not in use.
    fn free_file(&self) -> FileId {
        let used = self.writer().map(Writer::file);
        let free = FILES.into_iter().find(|&file| Some(file) != used);
        free.expect("one file grows at a time")
    }

    /// The lines of INFO's persistence section.
    pub(super) fn info(&self, report: &mut Report, st: &State) {
        let seconds = |time: Option<Duration>| time.map_or(-1, |t| t.as_secs() as i64);
        let status = |ok| if ok { "ok" } else { "err" };
        let rewrite = self.rewrite.as_ref();
        // A first file that has not failed yet is on its way all the time.
        let missing = st.config.appendonly() && !self.is_on() && !st.is_loading();
        // It is over when what it has made useless is gone.
        let rewriting =
            (missing && self.past.failures == 0) || self.is_rewriting() || self.cleaning.is_some();
        let running = rewrite.map(|rewrite| rewrite.elapsed(st.now));
        report.line("aof_enabled", u8::from(st.config.appendonly()));
        report.line("aof_rewrite_in_progress", u8::from(rewriting));
        report.line("aof_rewrite_scheduled", u8::from(self.past.scheduled));
        report.line("aof_last_rewrite_time_sec", seconds(self.past.took));
        report.line("aof_current_rewrite_time_sec", seconds(running));
        report.line("aof_last_bgrewrite_status", status(!self.past.failed));
        report.line("aof_rewrites", self.past.rewrites);
        report.line("aof_rewrites_consecutive_failures", self.past.failures);
        report.line("aof_last_write_status", status(self.fault().is_none()));
        report.line("aof_last_cow_size", st.persist.held_by_last.base);
    }

    /// The lines it has besides while there is a file.
    pub(super) fn info_of_file(&self, report: &mut Report, st: &State) {
        if !st.config.appendonly() {
            return;
        }
        let syncing = self.writer().is_some_and(Writer::is_syncing);
        report.line("aof_current_size", self.current_len());
        report.line("aof_base_size", self.base_len);
        report.line("aof_pending_rewrite", 0);
        report.line("aof_buffer_length", st.aof_waiting());
        report.line("aof_pending_bio_fsync", u8::from(syncing));
        report.line("aof_delayed_fsync", self.delayed);
    }
}

impl State {
    /// Where the append-only file is.
    pub(super) fn aof_names(&self) -> Names {
        Names {
            dir: self.config.appenddirname().into(),
            stem: self.config.appendfilename().into(),
        }
    }

    /// When what is written is synced.
    fn aof_policy(&self) -> Policy {
        // Redis leaves the disk to the process that saves.
        let rests = self.config.no_appendfsync_on_rewrite() && self.persist.is_snapshotting();
        match self.config.appendfsync() {
            _ if rests => Policy::Never,
            AppendFsync::Always => Policy::Always,
            AppendFsync::Everysec => Policy::Everysec,
            AppendFsync::No => Policy::Never,
        }
    }

    /// Bytes fed and not written.
    pub fn aof_waiting(&self) -> usize {
        let fed = self.repl.log().map_or(0, |log| log.len());
        fed + self.aof.writer().map_or(0, Writer::waiting)
    }

    /// What every reply of this turn has to wait for, if anything.
    pub(super) fn fence(&mut self) -> Option<LogPos> {
        // The usual case costs one look.
        let Phase::On(writer) = &self.aof.phase else {
            return None;
        };
        let mark = writer.taken() + 1;
        if !self.aof.counts() {
            return None;
        }
        self.aof.fenced = true;
        Some(LogPos(mark))
    }

    /// The mark of everything that commands have done so far.
    pub(super) fn aof_mark(&self) -> u64 {
        let fed = self.repl.log().is_some_and(|log| !log.is_empty());
        match self.aof.writer() {
            Some(writer) => writer.taken() + u64::from(fed),
            // It will be in the file that begins next, from its start.
            None => self.aof.first_mark(),
        }
    }

    /// Bytes that wait for the disk are too many for commands to go on.
    pub(super) fn aof_is_behind(&self) -> bool {
        self.aof.writer().is_some() && self.aof_waiting() > AOF_WAITING_BYTES_MAX
    }

    fn ask_for_aof(&mut self, mut ops: Vec<DiskOp>) {
        if !ops.is_empty() {
            for op in ops.drain(..) {
                self.effects.disk(Purpose::AofFile, op);
            }
        }
        self.aof.ops = ops;
    }

    fn ask_for_step(&mut self, op: DiskOp) {
        self.effects.disk(Purpose::AofStep, op);
    }

    /// Notes in the file where in the replication stream the dataset is, so that a restart can go
    /// on from there: behind whatever is made durable at once, and else now and then, lest a
    /// busy server write more notes than commands.
    fn note_place(&mut self) {
        let now = self.now.mono;
        let always = self.config.appendfsync() == AppendFsync::Always;
        let Some(log) = self.repl.log() else {
            return;
        };
        let period = match (log.is_empty(), always) {
            (true, _) => NOTE_PERIOD,
            (false, true) => Duration::ZERO,
            (false, false) => BUSY_NOTE_PERIOD,
        };
        if now.since(self.aof.noted_at) < period {
            return;
        }
        let place = self.repl.place();
        if let (Some(place), Some(log)) = (place, self.repl.log_mut())
            && !log.is_noted(place.replid, place.offset)
        {
            self.aof.noted_at = now;
            log.note_place(place.replid, place.offset, place.db);
        }
    }

    /// The form of a base of plain commands, with the time before them and, behind them, where
    /// in the replication stream the dataset is.
    pub(super) fn base_of_commands(&self) -> Form {
        let stamped = self.config.aof_timestamp_enabled();
        let head = stamped.then(|| format!("#TS:{}\r\n", self.now.wall.as_secs()));
        let mut notes = LogStream::default();
        if let Some(place) = self.repl.place() {
            notes.note_place(place.replid, place.offset, place.db);
        }
        Form::Commands {
            head: head.unwrap_or_default().into(),
            tail: notes.take(),
        }
    }

    /// Begins or ends to gather what commands do.
    fn gather(&mut self, on: bool) {
        self.repl.set_logged(on);
        self.note_aof_time();
    }

    /// Tells what is gathered the time, if that is to be noted in the file.
    pub(super) fn note_aof_time(&mut self) {
        if let Some(log) = self.repl.log_mut() {
            let secs = self.now.wall.as_secs();
            let noted = self.config.aof_timestamp_enabled();
            log.set_time(noted.then_some(secs));
        }
    }
}

impl Server {
    /// Ends the turn for the append-only file.
    pub(super) fn advance_aof(&mut self) {
        self.reconcile_aof();
        self.advance_rewrite();
        self.clean_if_wanted();
        self.keep_log();
    }

    /// Hands over what is to be in the file, and shows what has waited for it. Also within a
    /// script: of what that does nothing is there before it is over. Answers whether more is
    /// durable, or less.
    pub(super) fn keep_log(&mut self) -> bool {
        self.hand_over();
        self.settle_fences();
        let st = &mut self.st;
        st.aof.told = st.aof.fault().filter(|_| st.config.appendonly());
        let durable = st.aof.durable.filter(|_| st.aof.counts());
        let closed = st.conns.durable().0;
        let synced = st.aof.writer().map_or(closed, Writer::synced);
        let synced = if st.aof.counts() { synced } else { 0 };
        st.repl.set_durable(durable, synced)
    }

    /// Ends a turn in which nothing happened but that steps on the file were done as they are to
    /// be; false if that concerns more than the file and those who wait for it.
    pub(super) fn end_turn_for_log(&mut self) -> bool {
        let st = &self.st;
        let only_file = st.config.appendonly() && st.aof.only_grows();
        only_file && st.shutdown == Shutdown::No && !self.keep_log()
    }

    /// Begins what is missing and ends what is too much.
    fn reconcile_aof(&mut self) {
        let st = &mut self.st;
        let wanted = st.config.appendonly() && !st.aof.unwanted;
        let busy = st.aof.rewrite.is_some();
        match &mut st.aof.phase {
            Phase::Off => {
                st.aof.unwanted = false;
                let may = !busy && st.aof.not_before <= st.now.mono;
                let wanted = may && st.config.appendonly() && !st.is_loading();
                // Where writes are refused until it has succeeded, it is tried again and again.
                if wanted && (st.aof.doubt.is_some() || !st.rewrites_rest()) {
                    self.begin_rewrite();
                } else {
                    self.replay_if_wanted();
                }
            }
            Phase::On(_) if !wanted && busy => self.abort_rewrite(),
            Phase::On(_) if !wanted => self.end_aof(),
            Phase::Ending(writer) if writer.is_idle() => {
                // One that failed has lost what it had not written.
                let through = writer.is_durable() || writer.fault().is_some();
                if through {
                    self.close_aof();
                }
            }
            Phase::On(_) => self.replay_if_wanted(),
            Phase::Opening(_) | Phase::Ending(_) => {}
        }
    }

    /// Writes what was fed, and then closes the file.
    fn end_aof(&mut self) {
        let st = &mut self.st;
        let fed = st.repl.log_mut().map(|log| log.take());
        st.gather(false);
        let Phase::On(mut writer) = core::mem::take(&mut st.aof.phase) else {
            unreachable!("it was being written to")
        };
        writer.push(fed.unwrap_or_default());
        writer.hurry();
        st.aof.phase = Phase::Ending(writer);
    }

    fn close_aof(&mut self) {
        let st = &mut self.st;
        let Phase::Ending(writer) = core::mem::take(&mut st.aof.phase) else {
            unreachable!("it was being ended")
        };
        st.aof.before += writer.len();
        st.aof.next_mark = writer.taken() + 1;
        st.aof.offsets.clear();
        st.aof.durable = None;
        let mut ops = Vec::new();
        writer.close(&mut ops);
        for op in ops {
            st.effects.disk(Purpose::Ignore, op);
        }
        // Nothing is promised any more.
        st.conns.set_durable(LogPos(st.aof.next_mark));
    }

    /// The dataset is another one, or the file is not to be trusted: nothing more is written to
    /// it, and a new one begins when it can.
    pub(super) fn abandon_aof(&mut self) {
        // Of a file that is just being ended, too: places in another history are none in this.
        self.st.aof.offsets.clear();
        self.st.aof.durable = None;
        if !self.st.aof.is_on() {
            return;
        }
        self.st.gather(false);
        self.st.aof.unwanted = true;
        self.abort_rewrite();
    }

    /// Loads the dataset anew when all that was fed is in the file.
    fn replay_if_wanted(&mut self) {
        let st = &self.st;
        let written = st.aof_waiting() == 0 && !st.aof.is_rewriting();
        if st.aof.replay_wanted && written && st.aof.cleaning.is_none() {
            self.st.aof.replay_wanted = false;
            self.start_replay(super::loading::Why::Asked);
        }
    }

    /// Hands what was fed to the file, and asks the disk for what is due.
    fn hand_over(&mut self) {
        let st = &mut self.st;
        let (policy, now) = (st.aof_policy(), st.now.mono);
        let holds = st.aof.holds();
        let offset = st.repl.offset();
        st.note_place();
        let aof = &mut st.aof;
        let before = core::mem::take(&mut aof.gathering);
        let (Phase::On(writer) | Phase::Ending(writer)) = &mut aof.phase else {
            return;
        };
        if let Some(log) = st.repl.log_mut()
            && !log.is_empty()
            && !holds
            && writer.wants_piece(policy)
            && (policy != Policy::Always || aof.gathering.is_over(before, now, log.len()))
            && *aof.flush_at.get_or_insert(now + st.debug.flush_sleep) <= now
        {
            aof.flush_at = None;
            let mark = writer.push(log.take());
            aof.offsets.push_back((mark, offset));
        }
        let mut ops = core::mem::take(&mut aof.ops);
        if writer.advance(now, policy, &mut ops) == Asked::Delayed {
            aof.delayed += 1;
            tracing::info!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF \
                 buffer without waiting for fsync to complete, this may slow down Redis."
            );
        }
        let lost = writer.fault().is_some() && st.aof_is_behind();
        st.ask_for_aof(ops);
        if lost {
            // What the disk does not take can't be kept for ever.
            let fault = st.aof.fault().expect("it has one");
            self.distrust(fault);
        }
    }

    /// Shows the replies that waited for what is durable by now.
    fn settle_fences(&mut self) {
        let st = &mut self.st;
        let policy = st.aof_policy();
        let counts = st.aof.counts();
        let fed = st.repl.log().is_some_and(|log| !log.is_empty());
        let offset = st.repl.offset();
        let aof = &mut st.aof;
        let Phase::On(writer) = &mut aof.phase else {
            return;
        };
        while let Some(&(mark, offset)) = aof.offsets.front()
            && mark <= writer.synced()
        {
            aof.durable = Some(offset);
            aof.offsets.pop_front();
        }
        let all = !fed && writer.is_durable();
        if all {
            aof.durable = Some(offset);
        }
        // Without `always` replies wait until what they tell of is in the file, so that they can
        // be relied on when the process dies; but not behind a sync that the file waits for.
        let (kept, waits) = match policy {
            Policy::Always => (writer.synced(), true),
            Policy::Everysec | Policy::Never => (writer.written(), !writer.is_held_up()),
        };
        let all = !fed && kept == writer.taken();
        // Replies that turn out to wait for nothing, or no longer have to.
        if aof.fenced && (all || !waits || !counts) {
            aof.fenced = false;
            writer.skip_mark();
            st.conns.set_durable(LogPos(writer.taken()));
        } else if st.conns.durable() < LogPos(kept) {
            st.conns.set_durable(LogPos(kept));
        }
    }

    /// A step on the file that grows is done; whether it went as it is to go.
    pub(super) fn aof_answered(&mut self, done: Done) -> bool {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let st = &mut self.st;
        let now = st.now.mono;
        let (Phase::On(writer) | Phase::Ending(writer)) = &mut st.aof.phase else {
            unreachable!("a file is closed once nothing is asked of the disk")
        };
        let mut ops = core::mem::take(&mut st.aof.ops);
        let event = writer.handle_done(now, result.map(|_| ()), &mut ops);
        st.ask_for_aof(ops);
        match event {
            Event::Progress => return true,
            Event::Recovered => {
                tracing::warn!("AOF write error looks solved, Redis can write again.");
            }
            Event::AppendFailed(fault) => self.append_failed(fault),
            Event::Broken(fault) => self.sync_failed(fault),
        }
        false
    }

    fn append_failed(&mut self, fault: DiskFault) {
        tracing::warn!("Error writing to the AOF file: {fault}");
        if self.promises() {
            tracing::warn!(
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. \
                 Exiting..."
            );
            self.st.die();
        }
    }

    fn sync_failed(&mut self, fault: DiskFault) {
        if self.promises() {
            tracing::warn!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': \
                 {fault}. Exiting..."
            );
            self.st.die();
            return;
        }
        tracing::warn!("Fail to fsync the AOF file: {fault}. It will be written anew.");
        self.distrust(fault);
    }

    /// Whether a reply means that what it is about is durable.
    fn promises(&self) -> bool {
        self.st.aof.counts() && self.st.config.appendfsync() == AppendFsync::Always
    }

    /// The file can't be gone on with: the dataset in memory is the only whole one until a
    /// rewrite has succeeded.
    fn distrust(&mut self, fault: DiskFault) {
        self.st.aof.doubt = Some(fault);
        self.st.aof.not_before = self.st.now.mono + RETRY_DELAY;
        self.abandon_aof();
    }

    /// When the append-only file has something to do by itself.
    pub(super) fn aof_deadline(&self) -> Option<Mono> {
        let st = &self.st;
        let policy = st.aof_policy();
        match &st.aof.phase {
            Phase::On(writer) | Phase::Ending(writer) => {
                let flush = st.aof.flush_at.filter(|&at| at > st.now.mono);
                writer.deadline(policy).into_iter().chain(flush).min()
            }
            Phase::Off => {
                let waits = st.config.appendonly() && st.aof.rewrite.is_none();
                let at = st.aof.not_before;
                Some(at).filter(|&at| waits && !st.is_loading() && at > st.now.mono)
            }
            Phase::Opening(_) => None,
        }
    }

    /// Makes everything durable before the end of the process; whether it is.
    pub(super) fn sync_aof(&mut self) -> bool {
        let fed = self.st.repl.log().is_some_and(|log| !log.is_empty());
        match &mut self.st.aof.phase {
            Phase::On(writer) | Phase::Ending(writer) => {
                writer.hurry();
                !fed && writer.is_durable()
            }
            Phase::Off | Phase::Opening(_) => true,
        }
    }

    /// Whether the first file is still being made, without which nothing is durable.
    pub(super) fn aof_is_initial(&self) -> bool {
        let st = &self.st;
        st.config.appendonly() && !st.is_loading() && !st.aof.counts()
    }
}
