//! Opening the append-only file at the start, and removing files that are of no use any more.

use std::collections::VecDeque;

use super::{Aof, MANIFEST_FILE, Phase};
use crate::limits::{AOF_MANIFEST_LINE_BYTES_MAX, AOF_MANIFEST_LINES_MAX};
use crate::machine::{DiskFault, DiskOp, Done, FileId, OpenMode};
use crate::persist::aof::manifest::{Manifest, Part};
use crate::persist::aof::writer::Writer;
use crate::persist::load::ReadAhead;
use crate::persist::replace::{Advance, Replace};
use crate::server::Server;
use crate::server::state::{Purpose, State};

/// The file that is written to from the start on, being opened or made.
#[derive(Debug)]
pub(super) struct Opening {
    file: FileId,
    /// Whole bytes in it.
    len: u64,
    steps: VecDeque<DiskOp>,
    /// What the manifest shall say, if it does not yet.
    manifest: Option<Manifest>,
    publishing: Option<Replace>,
}

/// The manifest being read, where the log was not loaded at the start.
#[derive(Debug)]
pub(super) struct Learning {
    ahead: ReadAhead,
    text: Vec<u8>,
}

/// Files being removed that the manifest on disk calls history, and then that being forgotten.
#[derive(Debug)]
pub(super) struct Cleaning {
    steps: VecDeque<DiskOp>,
    publishing: Option<Replace>,
}

impl Aof {
    /// Has files removed that are of no use any more.
    pub(in crate::server) fn want_cleaning(&mut self) {
        self.cleaning_wanted = true;
    }
}

impl State {
    /// Starts to replace the manifest.
    pub(super) fn replace_manifest(&self, manifest: &Manifest) -> (Replace, DiskOp) {
        let names = self.aof_names();
        let (temp, target) = (names.temp_manifest(), names.manifest());
        Replace::start(MANIFEST_FILE, temp, target, manifest.encode().into())
    }
}

impl Server {
    /// There was no append-only file: the first one is made of the dataset as it is, which is
    /// empty, before any client is served.
    pub(in crate::server) fn begin_new_aof(&mut self, manifest: Manifest) {
        self.know_manifest(manifest);
        self.begin_rewrite();
    }

    /// What the manifest on disk says.
    pub(in crate::server) fn know_manifest(&mut self, manifest: Manifest) {
        self.st.aof.manifest = manifest;
        self.st.aof.known = true;
    }

    /// Begins to read the manifest: no file that it names may be made anew.
    pub(super) fn learn_manifest(&mut self) {
        let path = self.st.aof_names().manifest();
        let (ahead, op) = ReadAhead::start(MANIFEST_FILE, path);
        self.st.effects.disk(Purpose::AofManifest, op);
        let text = Vec::new();
        self.st.aof.learning = Some(Learning { ahead, text });
    }

    /// A step of that is done.
    pub(in crate::server) fn learn_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let Some(Learning {
            mut ahead,
            mut text,
        }) = self.st.aof.learning.take()
        else {
            unreachable!("an answer belongs to a step")
        };
        let mut ops = Vec::new();
        let fault = ahead.handle_done(result, &mut ops).err();
        while let Some(piece) = ahead.next(&mut ops) {
            text.extend_from_slice(&piece);
        }
        if ahead.is_at_end() || text.len() > AOF_MANIFEST_LINES_MAX * AOF_MANIFEST_LINE_BYTES_MAX {
            ahead.close(&mut ops);
        }
        for op in ops {
            self.st.effects.disk(Purpose::AofManifest, op);
        }
        if !ahead.is_closed() {
            self.st.aof.learning = Some(Learning { ahead, text });
            return;
        }
        match fault {
            Some(DiskFault::NotFound) => self.know_manifest(Manifest::default()),
            Some(fault) => self.rewrite_refused(&fault),
            None => match Manifest::parse(&text) {
                Ok(manifest) => self.know_manifest(manifest),
                Err(fault) => self.rewrite_refused(&fault),
            },
        }
    }

    /// The append-only file was loaded: what comes goes to the end of its last file.
    pub(in crate::server) fn go_on_with_aof(
        &mut self,
        manifest: Manifest,
        last_len: u64,
        total_len: u64,
        base_len: u64,
    ) {
        let names = self.st.aof_names();
        let file = self.st.aof.free_file();
        self.st.aof.known = true;
        self.st.aof.base_len = base_len;
        let last = manifest.incr().last().cloned();
        let path = |part: &Part| names.path(&part.name);
        let opening = match last {
            Some(last) => {
                let name = &last.name;
                tracing::info!("Opening AOF incr file {name} on server start");
                let path = path(&last);
                let mode = OpenMode::Append;
                self.st.aof.before = total_len - last_len;
                self.st.aof.manifest = manifest;
                Opening {
                    file,
                    len: last_len,
                    steps: VecDeque::from([
                        DiskOp::Open { file, path, mode },
                        // A process that was killed may have left its last bytes unsynced, and
                        // all that is served, and followed by another file, shall be durable.
                        DiskOp::Sync { file },
                    ]),
                    manifest: None,
                    publishing: None,
                }
            }
            None => {
                let part = manifest.next_incr(&names.stem);
                let name = &part.name;
                tracing::info!("Creating AOF incr file {name} on server start");
                let path = path(&part);
                let mode = OpenMode::Create;
                let dir = names.dir.clone();
                self.st.aof.before = total_len;
                let named = manifest.with_incr(part);
                self.st.aof.manifest = manifest;
                let steps = [
                    DiskOp::Open { file, path, mode },
                    DiskOp::SyncDir { path: dir },
                ];
                Opening {
                    file,
                    len: 0,
                    steps: VecDeque::from(steps),
                    manifest: Some(named),
                    publishing: None,
                }
            }
        };
        self.open_on(opening);
    }

    fn open_on(&mut self, mut opening: Opening) {
        if let Some(op) = opening.steps.pop_front() {
            self.st.ask_for_step(op);
            self.st.aof.phase = Phase::Opening(opening);
        } else if let Some(manifest) = opening.manifest.take() {
            let (replace, op) = self.st.replace_manifest(&manifest);
            self.st.ask_for_step(op);
            self.st.aof.manifest = manifest;
            opening.publishing = Some(replace);
            self.st.aof.phase = Phase::Opening(opening);
        } else {
            let Opening { file, len, .. } = opening;
            let aof = &mut self.st.aof;
            let writer = Writer::new(file, len, aof.first_mark(), self.st.now.mono);
            aof.phase = Phase::On(writer);
            self.st.gather(true);
            self.serve_from_start();
            self.clean_aof();
        }
    }

    /// A step of opening is done.
    pub(super) fn open_answered(&mut self, result: Result<(), DiskFault>) {
        let Phase::Opening(mut opening) = core::mem::take(&mut self.st.aof.phase) else {
            unreachable!("a file is being opened")
        };
        match (opening.publishing.take(), result) {
            (None, Ok(())) => self.open_on(opening),
            (None, Err(fault)) => {
                tracing::warn!("Can't open the append-only file: {fault}");
                self.st.die();
            }
            (Some(replace), result) => match replace.advance(result) {
                Advance::Next(replace, op) => {
                    self.st.ask_for_step(op);
                    opening.publishing = Some(replace);
                    self.st.aof.phase = Phase::Opening(opening);
                }
                Advance::Done => self.open_on(opening),
                Advance::Failed(why) => {
                    tracing::warn!("Can't write the AOF manifest file: {why}");
                    self.st.die();
                }
            },
        }
    }

    /// Removes them if that has come to be wanted, and the manifest on disk is sure to be the one
    /// that is known, and nobody reads or replaces it.
    pub(super) fn clean_if_wanted(&mut self) {
        let (aof, is_opening) = (&self.st.aof, matches!(self.st.aof.phase, Phase::Opening(_)));
        let busy = is_opening || aof.is_rewriting() || self.st.is_loading();
        if aof.cleaning_wanted && !busy && aof.doubt.is_none() {
            self.st.aof.cleaning_wanted = false;
            self.clean_aof();
        }
    }

    /// Removes the files that the manifest calls history.
    pub(super) fn clean_aof(&mut self) {
        let st = &mut self.st;
        let idle = st.aof.cleaning.is_none() && st.aof.rewrite.is_none();
        if st.aof.manifest.history().is_empty() || st.config.aof_disable_auto_gc() || !idle {
            return;
        }
        let names = st.aof_names();
        let history = st.aof.manifest.history().iter();
        let steps = history.map(|part| {
            tracing::info!("Removing the history file {} in the background", part.name);
            DiskOp::Remove {
                path: names.path(&part.name),
            }
        });
        let mut steps: VecDeque<DiskOp> = steps.collect();
        let first = steps.pop_front().expect("there is a file");
        st.effects.disk(Purpose::AofCleaning, first);
        st.aof.cleaning = Some(Cleaning {
            steps,
            publishing: None,
        });
    }

    /// A step of that is done. A file that could not be removed stays in the history.
    pub(in crate::server) fn clean_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let result = result.map(|_| ());
        let Some(mut cleaning) = self.st.aof.cleaning.take() else {
            unreachable!("an answer belongs to a step")
        };
        let op = match (cleaning.publishing.take(), result) {
            (None, Err(fault)) => {
                tracing::warn!("Can't remove a history file of the AOF: {fault}");
                return;
            }
            (None, Ok(())) => match cleaning.steps.pop_front() {
                Some(op) => op,
                None => {
                    let (replace, op) = self
                        .st
                        .replace_manifest(&self.st.aof.manifest.without_history());
                    cleaning.publishing = Some(replace);
                    op
                }
            },
            (Some(replace), result) => match replace.advance(result) {
                Advance::Next(replace, op) => {
                    cleaning.publishing = Some(replace);
                    op
                }
                Advance::Done => {
                    self.st.aof.manifest = self.st.aof.manifest.without_history();
                    return;
                }
                // Either text of the manifest is as good as the other.
                Advance::Failed(why) => {
                    tracing::warn!("Can't write the AOF manifest file: {why}");
                    return;
                }
            },
        };
        self.st.effects.disk(Purpose::AofCleaning, op);
        self.st.aof.cleaning = Some(cleaning);
    }
}
