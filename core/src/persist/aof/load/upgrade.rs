//! Taking over the single file of a server before 7.0.

use std::collections::VecDeque;

use super::{AofLoad, AofState, Behind, Stage};
use crate::machine::{DiskOp, OpenMode};
use crate::persist::aof::manifest::Manifest;

impl AofLoad {
    /// An upgrade from the single file may have been cut short between the manifest and the move.
    pub(super) fn find_base(&mut self, ops: &mut Vec<DiskOp>) -> AofState {
        let base = self.manifest.base();
        if self.manifest.is_empty() {
            return self.look_for_single(ops);
        }
        if self.manifest.incr().is_empty() && base.is_some_and(|base| base.name == self.names.stem)
        {
            let path = self.names.path(&self.names.stem);
            ops.push(DiskOp::Length { path });
            self.stage = Stage::Moved;
            return AofState::Waiting;
        }
        self.measure(ops)
    }

    pub(super) fn look_for_single(&mut self, ops: &mut Vec<DiskOp>) -> AofState {
        let path = self.names.stem.clone();
        ops.push(DiskOp::Length { path });
        self.stage = Stage::Single;
        AofState::Waiting
    }

    /// The single file becomes the base: the manifest says so first, and a crash before the move
    /// is seen at the next start.
    pub(super) fn upgrade(&mut self, ops: &mut Vec<DiskOp>) -> AofState {
        self.manifest = Manifest::of_single_file(&self.names.stem);
        let (file, dir) = (self.file, self.names.dir.clone());
        let (temp, stem) = (self.names.temp_manifest(), self.names.stem.clone());
        let here = || -> Box<str> { ".".into() };
        let steps = [
            DiskOp::MakeDir { path: dir.clone() },
            DiskOp::SyncDir { path: here() },
            DiskOp::Open {
                file,
                path: temp.clone(),
                mode: OpenMode::Create,
            },
            DiskOp::Append {
                file,
                data: self.manifest.encode().into(),
            },
            DiskOp::Sync { file },
            DiskOp::Close { file },
            DiskOp::Rename {
                from: temp,
                to: self.names.manifest(),
            },
            DiskOp::SyncDir { path: dir.clone() },
            DiskOp::Rename {
                from: stem.clone(),
                to: self.names.path(&stem),
            },
            DiskOp::SyncDir { path: dir },
            DiskOp::SyncDir { path: here() },
        ];
        self.run(VecDeque::from(steps), Behind::Upgrade, ops)
    }
}
