//! Rewriting the append-only file: a new base from a snapshot, and a new file behind it.
//!
//! The order of things, of which each is durable before the next begins:
//!
//! 1. The new file is made.
//! 2. The snapshot begins. What is fed from here on belongs to the new file and is held back;
//!    everything before it is written to the old file, which is then whole.
//! 3. The manifest names the new file behind the old one. From here on it is written to.
//! 4. The base is written under another name and renamed.
//! 5. The manifest names the new base and the new file alone; the others are history.
//! 6. The history is removed.
//!
//! The first file has no old one: steps 2 and 3 need not wait, and what is written to it counts
//! only after step 5.

use core::time::Duration;
use std::collections::VecDeque;

use super::{Phase, RETRY_DELAY};
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::machine::{DiskFault, DiskOp, Done, FileId, Mono, Now, OpenMode};
use crate::persist::aof::manifest::{BaseForm, Manifest, Part};
use crate::persist::aof::writer::Writer;
use crate::persist::replace::{Advance, Replace, ReplaceStep};
use crate::server::Server;
use crate::server::client::ClientFlags;
use crate::server::state::State;

/// Failures in a row from which on a rewrite is tried again only after a while, as Redis has it.
const FAILURES_BEFORE_DELAY: u32 = 3;
/// The longest of those whiles, in minutes, as Redis has it.
const DELAY_MINUTES_MAX: u64 = 60;

/// A rewrite under way.
#[derive(Debug)]
pub(super) struct Rewrite {
    kind: Kind,
    /// The new file.
    part: Part,
    file: FileId,
    /// The new base.
    base: Part,
    form: BaseForm,
    /// How long it is; a fault if it could not be written or is not wanted any more.
    written: Option<Result<u64, ()>>,
    /// Whether it is not wanted any more, which is no failure.
    aborted: bool,
    stage: Stage,
    started: Now,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Of a file that is being written to.
    Following,
    /// Of the dataset, to begin a file with.
    Initial,
    /// Of the dataset, while no file is written to: there is only a base.
    BaseOnly,
}

#[derive(Debug)]
enum Stage {
    /// The new file is being made.
    Make(VecDeque<DiskOp>),
    /// It is there; another snapshot may be in the way.
    Ready,
    /// The old file is being completed.
    Complete,
    /// The manifest is being replaced, to name the new file.
    Publish(Replace, Manifest),
    /// The base is being written.
    Write,
    /// The manifest is being replaced, to name the new base.
    Commit(Replace, Manifest),
    /// What was made is being removed.
    Undo(VecDeque<DiskOp>),
}

/// What came of past rewrites.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// One was asked for and is about to begin.
    pub(super) asked: bool,
    /// One was asked for that has to wait.
    pub(super) scheduled: bool,
    /// `aof_rewrites`
    pub(super) rewrites: u64,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Whether the last one failed.
    pub(super) failed: bool,
    pub(super) took: Option<Duration>,
    /// After so many failures the next one is begun only then.
    next: Option<Mono>,
    delay_minutes: u64,
}

impl Rewrite {
    pub(super) fn is_initial(&self) -> bool {
        self.kind == Kind::Initial
    }

    /// Whether what is fed belongs to the new file, which can't be written to yet.
    pub(super) fn holds(&self) -> bool {
        matches!(self.stage, Stage::Complete | Stage::Publish(..))
    }

    pub(super) fn elapsed(&self, now: Now) -> Duration {
        now.mono.since(self.started.mono)
    }

    fn has_failed(&self) -> bool {
        self.written == Some(Err(()))
    }
}

impl Cx<'_> {
    /// BGREWRITEAOF; whether it began at once.
    pub fn rewrite_aof(&mut self) -> Result<bool, Fail> {
        let executing = self.client().flags.has(ClientFlags::EXECUTING);
        let st = &mut *self.data.st;
        if st.aof.is_rewriting() {
            return Err(Fail::Plain(
                "Background append only file rewriting already in progress",
            ));
        }
        // What FLUSHALL saves is nothing, and over at once.
        let free = !st.persist.is_snapshotting() || st.persist.saves_nothing;
        let begins = !executing && free;
        st.aof.past.asked |= begins;
        st.aof.past.scheduled |= !begins;
        Ok(begins)
    }
}

impl State {
    /// Whether no other snapshot is taken, and the dataset is not one of which a part is still to
    /// be loaded.
    fn can_snapshot(&self) -> bool {
        !self.persist.is_snapshotting() && !self.persist.is_loading()
    }

    /// Whether failures hold the next rewrite back.
    pub(super) fn rewrites_rest(&mut self) -> bool {
        let (past, now) = (&mut self.aof.past, self.now.mono);
        if past.failures < FAILURES_BEFORE_DELAY {
            return false;
        }
        match past.next {
            Some(at) if now < at => true,
            Some(_) => {
                past.next = None;
                false
            }
            None => {
                let minutes = (past.delay_minutes * 2).clamp(1, DELAY_MINUTES_MAX);
                past.delay_minutes = minutes;
                past.next = Some(now + Duration::from_secs(60 * minutes));
                tracing::warn!(
                    "Background AOF rewrite has repeatedly failed and triggered the limit, will \
                     retry in {minutes} minutes"
                );
                true
            }
        }
    }
}

impl Server {
    /// Rewrites if the file has grown enough.
    pub(in crate::server) fn rewrite_if_due(&mut self) {
        let st = &self.st;
        let percent = st.config.auto_aof_rewrite_percentage();
        let (len, base) = (st.aof.current_len(), st.aof.base_len.max(1));
        let idle = st.aof.is_on() && st.aof.rewrite.is_none() && !st.persist.is_snapshotting();
        if !idle || percent == 0 || len <= st.config.auto_aof_rewrite_min_size() {
            return;
        }
        let growth = (u128::from(len) * 100 / u128::from(base)).saturating_sub(100);
        if growth >= u128::from(percent) && !self.st.rewrites_rest() {
            tracing::info!("Starting automatic rewriting of AOF on {growth}% growth");
            self.begin_rewrite();
        }
    }

    /// Begins a rewrite: makes the new file.
    pub(super) fn begin_rewrite(&mut self) {
        let names = self.st.aof_names();
        let st = &mut self.st;
        let aof = &st.aof;
        if aof.cleaning.is_some() || aof.rewrite.is_some() || aof.learning.is_some() {
            return;
        }
        if !aof.known {
            return self.learn_manifest();
        }
        let kind = match st.aof.phase {
            Phase::On(_) => Kind::Following,
            Phase::Off if st.config.appendonly() => Kind::Initial,
            Phase::Off => Kind::BaseOnly,
            Phase::Opening(_) | Phase::Ending(_) => return,
        };
        (st.aof.past.scheduled, st.aof.past.asked) = (false, false);
        let file = st.aof.free_file();
        let part = st.aof.manifest.next_incr(&names.stem);
        // Commands that load functions could not be run here again.
        let has_functions = !st.persist.functions.is_empty();
        let form = match has_functions || st.config.aof_use_rdb_preamble() {
            true => BaseForm::Rdb,
            false => BaseForm::Commands,
        };
        let base = st.aof.manifest.next_base(&names.stem, form);
        let (dir, path) = (names.dir.clone(), names.path(&part.name));
        let mode = OpenMode::Create;
        let mut steps = VecDeque::from([
            DiskOp::MakeDir { path: dir.clone() },
            DiskOp::SyncDir { path: ".".into() },
        ]);
        if st.lifecycle.is_loading() {
            tracing::info!("Creating AOF base file {} on server start", base.name);
            tracing::info!("Creating AOF incr file {} on server start", part.name);
        } else if kind != Kind::BaseOnly {
            tracing::info!("Creating AOF incr file {} on background rewrite", part.name);
        }
        if kind != Kind::BaseOnly {
            steps.push_back(DiskOp::Open { file, path, mode });
            steps.push_back(DiskOp::SyncDir { path: dir });
        }
        let first = steps.pop_front().expect("there is a step");
        st.ask_for_step(first);
        st.aof.rewrite = Some(Rewrite {
            kind,
            part,
            file,
            base,
            form,
            written: None,
            aborted: false,
            stage: Stage::Make(steps),
            started: st.now,
        });
    }

    /// Gives the running rewrite up.
    pub(in crate::server) fn abort_rewrite(&mut self) {
        let Some(rewrite) = &mut self.st.aof.rewrite else {
            return;
        };
        if rewrite.written.is_none() {
            tracing::info!("Killing running AOF rewrite child");
            rewrite.written = Some(Err(()));
            rewrite.aborted = true;
        }
        if self.st.persist.is_writing_base() {
            self.abort_snapshot();
        }
    }

    /// The base is whole and has its name, or is not there.
    pub(in crate::server) fn base_ended(&mut self, written: Result<u64, ()>) {
        if let Some(rewrite) = &mut self.st.aof.rewrite
            && rewrite.written.is_none()
        {
            rewrite.written = Some(written);
        }
    }

    /// Takes the steps of a rewrite that need not wait for the disk.
    pub(super) fn advance_rewrite(&mut self) {
        let st = &mut self.st;
        let Some(rewrite) = &mut st.aof.rewrite else {
            self.begin_scheduled();
            return;
        };
        let failed = rewrite.has_failed();
        match &rewrite.stage {
            Stage::Make(_) | Stage::Publish(..) | Stage::Commit(..) | Stage::Undo(_) => {}
            Stage::Ready if failed => self.undo_rewrite(),
            Stage::Ready => self.begin_base(),
            Stage::Complete => self.complete_old(failed),
            Stage::Write => self.end_base(),
        }
    }

    fn begin_scheduled(&mut self) {
        let st = &mut self.st;
        if !st.can_snapshot() {
            return;
        }
        // What a client asks for is tried at once, whatever has failed before.
        if st.aof.past.asked || (st.aof.past.scheduled && !st.rewrites_rest()) {
            self.begin_rewrite();
        }
    }

    /// The manifest on disk can't be understood: nothing is put in its place.
    pub(super) fn rewrite_refused(&mut self, why: &dyn core::fmt::Display) {
        tracing::warn!("The AOF can't be rewritten: {why}");
        let past = &mut self.st.aof.past;
        (past.scheduled, past.asked) = (false, false);
        past.failed = true;
        past.failures += 1;
        self.st.aof.not_before = self.st.now.mono + RETRY_DELAY;
    }

    /// The snapshot begins, at the end of a turn.
    fn begin_base(&mut self) {
        if !self.st.can_snapshot() {
            return;
        }
        let (now, mark) = (self.st.now.mono, self.st.aof.first_mark());
        let aof = &mut self.st.aof;
        let rewrite = aof.rewrite.as_mut().expect("a rewrite is under way");
        let (base, form) = (rewrite.base.clone(), rewrite.form);
        rewrite.stage = match rewrite.kind {
            Kind::Following => Stage::Complete,
            Kind::Initial | Kind::BaseOnly => Stage::Write,
        };
        match rewrite.kind {
            Kind::Following => {
                let Phase::On(writer) = &mut aof.phase else {
                    unreachable!("a file is being written to")
                };
                if let Some(log) = self.st.repl.log_mut() {
                    writer.push(log.take());
                    log.begin_file();
                }
                writer.hurry();
            }
            Kind::Initial => {
                let writer = Writer::new(rewrite.file, 0, mark, now);
                aof.phase = Phase::On(writer);
                aof.before = 0;
                self.st.gather(true);
            }
            Kind::BaseOnly => {}
        }
        if !self.st.lifecycle.is_loading() {
            tracing::info!("Background append only file rewriting started");
        }
        self.start_base(&base, form);
    }

    /// The old file is whole, or can't be made so.
    fn complete_old(&mut self, failed: bool) {
        let st = &mut self.st;
        let Phase::On(writer) = &st.aof.phase else {
            unreachable!("a file is being written to")
        };
        let hopeless = failed || writer.fault().is_some();
        if hopeless {
            // What was held back goes to the old file.
            self.base_ended(Err(()));
            self.abort_rewrite();
            self.undo_rewrite();
        } else if writer.is_durable() && writer.is_idle() {
            let rewrite = st.aof.rewrite.as_ref().expect("a rewrite is under way");
            let manifest = st.aof.manifest.with_incr(rewrite.part.clone());
            let (replace, op) = st.replace_manifest(&manifest);
            st.ask_for_step(op);
            let rewrite = st.aof.rewrite.as_mut().expect("a rewrite is under way");
            rewrite.stage = Stage::Publish(replace, manifest);
        }
    }

    /// The manifest names the new file: it is written to from here on.
    fn switch_files(&mut self, manifest: Manifest) {
        let now = self.st.now.mono;
        let aof = &mut self.st.aof;
        let Phase::On(old) = core::mem::take(&mut aof.phase) else {
            unreachable!("a file is being written to")
        };
        let rewrite = aof.rewrite.as_mut().expect("a rewrite is under way");
        rewrite.stage = Stage::Write;
        aof.before += old.len();
        aof.phase = Phase::On(Writer::new(rewrite.file, 0, old.taken(), now));
        aof.manifest = manifest;
        let mut ops = Vec::new();
        old.close(&mut ops);
        for op in ops {
            self.st
                .effects
                .disk(crate::server::state::Purpose::Ignore, op);
        }
    }

    /// The base is there, or not.
    fn end_base(&mut self) {
        let st = &mut self.st;
        let rewrite = st.aof.rewrite.as_mut().expect("a rewrite is under way");
        match rewrite.written {
            None => {}
            Some(Ok(_)) => {
                let last = (rewrite.kind != Kind::BaseOnly).then_some(&rewrite.part);
                let manifest = st.aof.manifest.rebased(rewrite.base.clone(), last);
                let (replace, op) = st.replace_manifest(&manifest);
                st.ask_for_step(op);
                let rewrite = st.aof.rewrite.as_mut().expect("a rewrite is under way");
                rewrite.stage = Stage::Commit(replace, manifest);
            }
            Some(Err(())) if rewrite.kind == Kind::Initial => self.undo_initial(),
            // The new file is part of the log, with the old base.
            Some(Err(())) => self.rewrite_ended(false),
        }
    }

    /// The first file does not come to count.
    fn undo_initial(&mut self) {
        let st = &mut self.st;
        if st.repl.log().is_some() {
            st.gather(false);
        }
        if let Phase::On(writer) = &st.aof.phase {
            if !writer.is_idle() {
                return;
            }
            st.aof.next_mark = writer.taken() + 1;
            st.aof.phase = Phase::Off;
            st.aof.offsets.clear();
        }
        self.undo_rewrite();
    }

    /// Removes the new file.
    fn undo_rewrite(&mut self) {
        let st = &mut self.st;
        let names = st.aof_names();
        let rewrite = st.aof.rewrite.as_mut().expect("a rewrite is under way");
        rewrite.written = Some(Err(()));
        if rewrite.kind == Kind::BaseOnly {
            return self.rewrite_ended(false);
        }
        if rewrite.kind == Kind::Initial {
            tracing::info!("Removing the temp incr aof file {}", rewrite.part.name);
        }
        let path = names.path(&rewrite.part.name);
        rewrite.stage = Stage::Undo(VecDeque::from([DiskOp::Remove { path }]));
        let close = DiskOp::Close { file: rewrite.file };
        st.ask_for_step(close);
    }

    /// A step of opening the file or of a rewrite is done.
    pub(in crate::server) fn aof_step_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let result = result.map(|_| ());
        if let Phase::Opening(_) = self.st.aof.phase {
            return self.open_answered(result);
        }
        let rewrite = self.st.aof.rewrite.as_mut();
        let rewrite = rewrite.expect("an answer belongs to a step");
        match core::mem::replace(&mut rewrite.stage, Stage::Write) {
            Stage::Make(steps) => self.made(steps, result),
            Stage::Undo(mut steps) => match steps.pop_front() {
                Some(op) => {
                    rewrite.stage = Stage::Undo(steps);
                    self.st.ask_for_step(op);
                }
                None => self.rewrite_ended(false),
            },
            Stage::Publish(replace, manifest) => self.published(replace, manifest, result),
            Stage::Commit(replace, manifest) => self.committed(replace, manifest, result),
            Stage::Ready | Stage::Complete | Stage::Write => {
                unreachable!("no step was asked for")
            }
        }
    }

    fn made(&mut self, mut steps: VecDeque<DiskOp>, result: Result<(), DiskFault>) {
        let rewrite = self.st.aof.rewrite.as_mut();
        let rewrite = rewrite.expect("a rewrite is under way");
        // Before the last step the file is not open.
        let is_open = steps.is_empty() && rewrite.kind != Kind::BaseOnly;
        match (result, steps.pop_front()) {
            (Ok(()), Some(op)) => {
                rewrite.stage = Stage::Make(steps);
                self.st.ask_for_step(op);
            }
            (Ok(()), None) => rewrite.stage = Stage::Ready,
            (Err(fault), _) => {
                tracing::warn!("Can't make a new AOF file: {fault}");
                if is_open {
                    self.undo_rewrite();
                } else {
                    self.rewrite_ended(false);
                }
            }
        }
    }

    fn published(&mut self, replace: Replace, manifest: Manifest, result: Result<(), DiskFault>) {
        match replace.advance(result) {
            Advance::Next(replace, op) => {
                self.st.ask_for_step(op);
                let rewrite = self.st.aof.rewrite.as_mut();
                rewrite.expect("a rewrite is under way").stage = Stage::Publish(replace, manifest);
            }
            Advance::Done => self.switch_files(manifest),
            Advance::Failed(why) => {
                tracing::warn!("Can't write the AOF manifest file: {why}");
                if why.step == ReplaceStep::SyncDir {
                    // It says so, but a crash may undo it.
                    self.switch_files(manifest);
                    self.manifest_doubtful(why.fault);
                } else {
                    let rewrite = self.st.aof.rewrite.as_mut();
                    rewrite.expect("a rewrite is under way").stage = Stage::Complete;
                    self.base_ended(Err(()));
                    self.abort_rewrite();
                    self.undo_rewrite();
                }
            }
        }
    }

    fn committed(&mut self, replace: Replace, manifest: Manifest, result: Result<(), DiskFault>) {
        match replace.advance(result) {
            Advance::Next(replace, op) => {
                self.st.ask_for_step(op);
                let rewrite = self.st.aof.rewrite.as_mut();
                rewrite.expect("a rewrite is under way").stage = Stage::Commit(replace, manifest);
            }
            Advance::Done => self.adopt(manifest),
            Advance::Failed(why) => {
                tracing::warn!("Can't write the AOF manifest file: {why}");
                let rewrite = self.st.aof.rewrite.as_mut();
                let rewrite = rewrite.expect("a rewrite is under way");
                rewrite.written = Some(Err(()));
                let initial = rewrite.kind == Kind::Initial;
                if why.step != ReplaceStep::SyncDir {
                    if !initial {
                        self.rewrite_ended(false);
                    }
                } else {
                    // All files must stay, since the manifest may name them.
                    self.st.aof.manifest = manifest;
                    self.rewrite_ended(false);
                    self.manifest_doubtful(why.fault);
                }
            }
        }
    }

    /// The manifest on disk may be the old or the new one: nothing that follows is sure to be
    /// found until a rewrite has succeeded.
    fn manifest_doubtful(&mut self, fault: DiskFault) {
        if self.promises() {
            tracing::warn!("Exiting, since the AOF fsync policy is 'always'...");
            self.st.die();
        } else {
            self.distrust(fault);
        }
    }

    /// The manifest names the new base.
    fn adopt(&mut self, manifest: Manifest) {
        let aof = &mut self.st.aof;
        let rewrite = aof.rewrite.as_ref().expect("a rewrite is under way");
        let base = rewrite.written.and_then(Result::ok);
        aof.before = base.expect("the base was written");
        aof.manifest = manifest;
        aof.base_len = aof.current_len();
        aof.doubt = None;
        self.rewrite_ended(true);
        self.clean_aof();
    }

    fn rewrite_ended(&mut self, succeeded: bool) {
        let now = self.st.now;
        let rewrite = self.st.aof.rewrite.take();
        let rewrite = rewrite.expect("a rewrite is under way");
        if self.st.lifecycle.is_loading() {
            if succeeded {
                self.serve_from_start();
            } else {
                tracing::warn!("Can't make the append-only file. Exiting.");
                self.st.die();
            }
            return;
        }
        let aof = &mut self.st.aof;
        aof.past.took = Some(rewrite.elapsed(now));
        if rewrite.aborted && !succeeded {
            return;
        }
        aof.past.failed = !succeeded;
        if succeeded {
            aof.past.rewrites += 1;
            aof.past.failures = 0;
            aof.past.delay_minutes = 0;
            aof.past.next = None;
            tracing::info!("Background AOF rewrite finished successfully");
        } else {
            aof.past.failures += 1;
            aof.not_before = now.mono + RETRY_DELAY;
            tracing::warn!("Background AOF rewrite terminated with an error");
        }
    }
}
