//! The disk of one host: what was written, and what of it survives a loss of power.
//!
//! The fault model. A killed process loses nothing that a step completed. A loss of power keeps
//! of each file what was synced plus a prefix of what was appended since, whose last bytes may
//! be zeros; and of each directory the changes up to the last sync of it plus a prefix of those
//! since. A sync that fails makes the bytes it covered impossible to keep: a later sync of the
//! same file succeeds and does not bring them back. What a write that fails has left of itself is
//! a prefix. A bit may turn over in a file at rest, and a disk may come back as it once was.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use bytes::Bytes;
use holdfast_core::machine::{DiskFault, DiskOp, FileId, OpenMode};

use crate::rng::Draws;
use crate::time::Time;

const EIO: i32 = 5;
const EBADF: i32 = 9;

/// Where a process's relative paths start when it is booted.
pub const HOME: &str = "/data";

/// The durable and the volatile state of one disk.
#[derive(Default)]
pub struct Disk {
    inodes: BTreeMap<u32, Inode>,
    next_inode: u32,
    /// What running processes see.
    names: BTreeMap<String, u32>,
    /// What a loss of power leaves if no later change survives.
    durable_names: BTreeMap<String, u32>,
    /// Changes to directories not yet synced, oldest first.
    pending: Vec<NameChange>,
    /// What is wrong with it at the moment.
    pub faults: Faults,
}

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Syncs fail and leave the bytes they covered unsafe.
    pub sync: bool,
    /// The next sync fails like that, and no other.
    pub one_sync: bool,
    /// Reads, appends, truncations, renames and new files fail.
    pub dead: bool,
    /// Appends fail half done for lack of space.
    pub full: bool,
    /// Nothing is done before that.
    pub stalled_until: Time,
}

/// What a disk held at one moment, as a loss of power would have left it.
pub struct Image {
    files: BTreeMap<String, Content>,
}

/// Bytes at rest, and which of them are not what was written.
#[derive(Clone, Default)]
struct Content {
    data: Vec<u8>,
    rotten: Vec<Range<usize>>,
}

#[derive(Default)]
struct Inode {
    data: Vec<u8>,
    synced: usize,
    /// Content made durable before the file was truncated, which may come back.
    before: Option<Vec<u8>>,
    /// Ranges a failed sync covered: their bytes never reach the platter.
    doomed: Vec<Range<usize>>,
    /// A process has started since then: it reads them as they were written, and can't know.
    inherited: bool,
    /// Ranges that are not what was written.
    rotten: Vec<Range<usize>>,
    /// Those of them that have changed at rest.
    turned: Vec<Range<usize>>,
}

#[derive(Clone)]
enum NameChange {
    Link { path: String, inode: u32 },
    Unlink { path: String },
    Rename { from: String, to: String },
}

/// The open files and working directory of one process.
pub struct Handles {
    open: BTreeMap<FileId, (u32, OpenMode)>,
    cwd: String,
}

impl Default for Handles {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            cwd: HOME.to_owned(),
        }
    }
}

impl Disk {
    /// Carries out one step for a process.
    pub fn run(
        &mut self,
        handles: &mut Handles,
        op: &DiskOp,
        draws: &mut Draws,
    ) -> Result<Bytes, DiskFault> {
        match op {
            DiskOp::Open { file, path, mode } => self.open(handles, *file, path, *mode),
            DiskOp::Append { file, data } => self.append(handles, *file, data, draws),
            DiskOp::Read { file, at, len } => self.read(handles, *file, *at, *len),
            DiskOp::Sync { file } => self.sync(handles, *file),
            DiskOp::Truncate { file, len } => self.truncate(handles, *file, *len),
            DiskOp::Length { path } => {
                let path = absolute(&handles.cwd, path);
                let inode = self.names.get(&path).ok_or(DiskFault::NotFound)?;
                let len = self.inodes[inode].data.len() as u64;
                Ok(Bytes::copy_from_slice(&len.to_le_bytes()))
            }
            // Programs are no files here; those whose name says so can't be run.
            DiskOp::CanRun { path } if path.contains("missing") => Err(DiskFault::NotFound),
            DiskOp::CanRun { .. } => Ok(Bytes::new()),
            // Directories are there once something is in them; one of them alone needs no sync.
            DiskOp::MakeDir { .. } => Ok(Bytes::new()),
            DiskOp::Close { file } => {
                handles.open.remove(file);
                self.collect(handles);
                Ok(Bytes::new())
            }
            DiskOp::Rename { from, to } => self.rename(handles, from, to),
            DiskOp::Remove { path } => {
                let path = absolute(&handles.cwd, path);
                if self.names.remove(&path).is_some() {
                    self.pending.push(NameChange::Unlink { path });
                    self.collect(handles);
                }
                Ok(Bytes::new())
            }
            DiskOp::SyncDir { path } => self.sync_dir(handles, path),
            DiskOp::ChangeDir { path } => {
                handles.cwd = absolute(&handles.cwd, path);
                Ok(Bytes::new())
            }
        }
    }

    /// The content of a file as running processes see it.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        let inode = self.names.get(&absolute(HOME, path))?;
        Some(&self.inodes[inode].data)
    }

    /// Puts a file there, durably, as an installer would.
    pub fn install(&mut self, path: &str, data: &[u8]) {
        let path = absolute(HOME, path);
        let inode = self.make_inode();
        let made = self.inodes.get_mut(&inode).expect("it was just made");
        made.data = data.to_vec();
        made.synced = data.len();
        self.names.insert(path.clone(), inode);
        self.durable_names.insert(path, inode);
    }

    /// Loses what was not synced.
    pub fn lose_power(&mut self, draws: &mut Draws) {
        let survivors = draws.below(self.pending.len() as u64 + 1);
        let survivors = usize::try_from(survivors).expect("at most the number of changes");
        let changes: Vec<NameChange> = self.pending.drain(..).collect();
        for change in &changes[..survivors] {
            apply(change, &mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        for inode in self.inodes.values_mut() {
            inode.lose_power(draws);
        }
        self.collect(&Handles::default());
    }

    /// Loses everything, as if the disk had been swapped, except one file.
    pub fn wipe_except(&mut self, keep: &str) {
        let kept = self.content(keep).map(<[u8]>::to_vec);
        *self = Self {
            faults: self.faults,
            ..Self::default()
        };
        if let Some(data) = kept {
            self.install(keep, &data);
        }
    }

    /// What is safe at this moment.
    pub fn image(&self) -> Image {
        let files = self.durable_names.iter().map(|(path, inode)| {
            let inode = &self.inodes[inode];
            let mut safe = Content {
                data: inode.data[..inode.synced].to_vec(),
                rotten: inode.rotten.clone(),
            };
            safe.spoil(&inode.doomed);
            (path.clone(), safe)
        });
        Image {
            files: files.collect(),
        }
    }

    /// Is as it once was, except one file.
    pub fn go_back_to(&mut self, image: &Image, keep: &str) {
        self.wipe_except(keep);
        let kept = absolute(HOME, keep);
        for (path, content) in image.files.iter().filter(|(path, _)| **path != kept) {
            self.install(path, &content.data);
            let inode = self.inodes.get_mut(&self.names[path]);
            let inode = inode.expect("names lead to inodes");
            inode.rotten.clone_from(&content.rotten);
            inode.turned.clone_from(&content.rotten);
        }
    }

    /// A process starts, and knows nothing of what has failed before.
    pub fn inherit(&mut self) {
        for inode in self.inodes.values_mut() {
            inode.inherited = !inode.doomed.is_empty();
        }
    }

    /// Whether a file that a process may read when it starts is not what was written: a bit of it
    /// has turned over, or a loss of power has taken what a failed sync had doomed.
    pub fn is_rotten(&self) -> bool {
        let mut files = self.names.iter().filter(|(path, _)| is_lasting(path));
        files.any(|(_, inode)| !self.inodes[inode].rotten.is_empty())
    }

    /// Whether such a file has changed at rest: a bit of it has turned over, it is back from when
    /// it was not what was written, or what it lost had been doomed by a process before.
    pub fn has_turned_bits(&self) -> bool {
        let mut files = self.names.iter().filter(|(path, _)| is_lasting(path));
        files.any(|(_, inode)| !self.inodes[inode].turned.is_empty())
    }

    /// Turns over a bit of an RDB file, or of any file that holds a dataset or names those that do,
    /// while no process runs. Answers which file.
    pub fn turn_bit(&mut self, any: bool, draws: &mut Draws) -> Option<String> {
        let meant = |(path, inode): (&String, &u32)| {
            let of_log = any && (path.ends_with(".aof") || path.ends_with(".manifest"));
            let holds = (path.ends_with(".rdb") || of_log) && is_lasting(path);
            let len = self.inodes[inode].data.len();
            (holds && len > 0).then(|| (path.clone(), *inode, len))
        };
        let files: Vec<_> = self.names.iter().filter_map(meant).collect();
        if files.is_empty() {
            return None;
        }
        let (path, inode, len) = draws.pick(&files).clone();
        let (byte, bit) = (draws.index(len), draws.below(8));
        let inode = self.inodes.get_mut(&inode).expect("names lead to inodes");
        inode.data[byte] ^= 1 << bit;
        inode.rotten.push(byte..byte + 1);
        inode.turned.push(byte..byte + 1);
        Some(path)
    }

    fn open(
        &mut self,
        handles: &mut Handles,
        file: FileId,
        path: &str,
        mode: OpenMode,
    ) -> Result<Bytes, DiskFault> {
        let path = absolute(&handles.cwd, path);
        let known = self.names.get(&path).copied();
        let inode = match (mode, known) {
            (OpenMode::Read, None) => return Err(DiskFault::NotFound),
            (OpenMode::Read | OpenMode::Append, Some(inode)) => inode,
            (OpenMode::Create | OpenMode::CreateDirect, Some(inode)) => {
                self.inodes
                    .get_mut(&inode)
                    .expect("names lead to inodes")
                    .truncate();
                inode
            }
            (OpenMode::Create | OpenMode::CreateDirect | OpenMode::Append, None) => {
                self.works()?;
                let inode = self.make_inode();
                self.names.insert(path.clone(), inode);
                self.pending.push(NameChange::Link { path, inode });
                inode
            }
        };
        let old = handles.open.insert(file, (inode, mode));
        assert!(old.is_none(), "a file is opened under an id in use");
        Ok(Bytes::new())
    }

    fn append(
        &mut self,
        handles: &Handles,
        file: FileId,
        data: &[u8],
        draws: &mut Draws,
    ) -> Result<Bytes, DiskFault> {
        let faults = self.faults;
        let inode = self.written(handles, file)?;
        if faults.full || faults.dead {
            let part = draws.index(data.len() + 1);
            inode.data.extend_from_slice(&data[..part]);
            self.works()?;
            return Err(DiskFault::NoSpace);
        }
        inode.data.extend_from_slice(data);
        Ok(Bytes::new())
    }

    /// What is cut off may come back with a loss of power, as far as it was synced.
    fn truncate(&mut self, handles: &Handles, file: FileId, len: u64) -> Result<Bytes, DiskFault> {
        self.works()?;
        let inode = self.written(handles, file)?;
        inode.cut(usize::try_from(len).expect("lengths fit in memory"));
        Ok(Bytes::new())
    }

    /// The file behind a handle that may be written to.
    fn written(&mut self, handles: &Handles, file: FileId) -> Result<&mut Inode, DiskFault> {
        let (inode, mode) = handles
            .open
            .get(&file)
            .ok_or(DiskFault::Failed { errno: EBADF })?;
        if *mode == OpenMode::Read {
            return Err(DiskFault::Failed { errno: EBADF });
        }
        let inode = self.inodes.get_mut(inode);
        Ok(inode.expect("open files have an inode"))
    }

    const fn works(&self) -> Result<(), DiskFault> {
        if self.faults.dead {
            return Err(DiskFault::Failed { errno: EIO });
        }
        Ok(())
    }

    fn sync_works(&mut self) -> bool {
        !(self.faults.sync || std::mem::take(&mut self.faults.one_sync))
    }

    fn read(&self, handles: &Handles, file: FileId, at: u64, len: u32) -> Result<Bytes, DiskFault> {
        self.works()?;
        let Some(&(inode, OpenMode::Read)) = handles.open.get(&file) else {
            return Err(DiskFault::Failed { errno: EBADF });
        };
        let data = &self.inodes[&inode].data;
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
        let room = usize::try_from(len).expect("32 bits fit");
        let end = start.saturating_add(room).min(data.len());
        Ok(Bytes::copy_from_slice(&data[start..end]))
    }

    fn sync(&mut self, handles: &Handles, file: FileId) -> Result<Bytes, DiskFault> {
        self.written(handles, file)?;
        let works = self.sync_works();
        let inode = self.written(handles, file)?;
        if !works {
            if inode.synced < inode.data.len() {
                inode.doomed.push(inode.synced..inode.data.len());
            }
            return Err(DiskFault::Failed { errno: EIO });
        }
        inode.synced = inode.data.len();
        inode.before = None;
        Ok(Bytes::new())
    }

    fn rename(&mut self, handles: &Handles, from: &str, to: &str) -> Result<Bytes, DiskFault> {
        let from = absolute(&handles.cwd, from);
        let to = absolute(&handles.cwd, to);
        if !self.names.contains_key(&from) {
            return Err(DiskFault::NotFound);
        }
        self.works()?;
        let change = NameChange::Rename { from, to };
        apply(&change, &mut self.names);
        self.pending.push(change);
        self.collect(handles);
        Ok(Bytes::new())
    }

    fn sync_dir(&mut self, handles: &Handles, path: &str) -> Result<Bytes, DiskFault> {
        if !self.sync_works() {
            return Err(DiskFault::Failed { errno: EIO });
        }
        let dir = absolute(&handles.cwd, path);
        let (synced, rest) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|change| change.touches(&dir));
        self.pending = rest;
        for change in &synced {
            apply(change, &mut self.durable_names);
        }
        self.collect(handles);
        Ok(Bytes::new())
    }

    fn make_inode(&mut self) -> u32 {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        inode
    }

    /// Drops inodes that no name, now or after a loss of power, and no open file leads to.
    fn collect(&mut self, handles: &Handles) {
        let pending = &self.pending;
        let (names, durable) = (&self.names, &self.durable_names);
        self.inodes.retain(|inode, _| {
            names.values().any(|at| at == inode)
                || durable.values().any(|at| at == inode)
                || handles.open.values().any(|(at, _)| at == inode)
                || pending.iter().any(
                    |change| matches!(change, NameChange::Link { inode: at, .. } if at == inode),
                )
        });
    }
}

impl Inode {
    fn truncate(&mut self) {
        if self.synced > 0 && self.before.is_none() {
            let mut old = std::mem::take(&mut self.data);
            old.truncate(self.synced);
            self.before = Some(old);
        }
        self.data.clear();
        self.synced = 0;
        self.doomed.clear();
        self.rotten.clear();
        self.turned.clear();
    }

    fn cut(&mut self, len: usize) {
        if len < self.synced && self.before.is_none() {
            self.before = Some(self.data[..self.synced].to_vec());
        }
        self.data.truncate(len);
        self.synced = self.synced.min(len);
        cut(&mut self.doomed, len);
        cut(&mut self.rotten, len);
        cut(&mut self.turned, len);
    }

    fn lose_power(&mut self, draws: &mut Draws) {
        if let Some(before) = self.before.take()
            && draws.chance(0.5)
        {
            self.synced = before.len();
            self.data = before;
            self.doomed.clear();
            self.rotten.clear();
            self.turned.clear();
            return;
        }
        let tail = self.data.len() - self.synced;
        let kept = self.synced + draws.index(tail + 1);
        self.data.truncate(kept);
        if kept > self.synced && draws.chance(0.3) {
            // The length reached the disk before the last block did.
            let torn = self
                .synced
                .max(kept - draws.index(512.min(kept - self.synced) + 1));
            self.data[torn..].fill(0);
        }
        let mut left = Content {
            data: std::mem::take(&mut self.data),
            rotten: std::mem::take(&mut self.rotten),
        };
        let doomed = std::mem::take(&mut self.doomed);
        left.spoil(&doomed);
        if std::mem::take(&mut self.inherited) {
            self.turned.extend(doomed);
        }
        (self.data, self.rotten) = (left.data, left.rotten);
        cut(&mut self.turned, kept);
        self.synced = kept;
    }
}

impl Content {
    /// Leaves out of what a file held what a failed sync has doomed.
    fn spoil(&mut self, doomed: &[Range<usize>]) {
        let len = self.data.len();
        self.rotten.extend_from_slice(doomed);
        cut(&mut self.rotten, len);
        for range in doomed {
            let end = range.end.min(len);
            if range.start < end {
                self.data[range.start..end].fill(0);
            }
        }
    }
}

/// Cuts ranges at a length.
fn cut(ranges: &mut Vec<Range<usize>>, len: usize) {
    ranges.retain_mut(|range| {
        range.end = range.end.min(len);
        range.start < range.end
    });
}

/// Whether a file is more than the beginning of one that is being written.
fn is_lasting(path: &str) -> bool {
    !path.contains("temp")
}

impl NameChange {
    fn touches(&self, dir: &str) -> bool {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } => parent(path) == dir,
            Self::Rename { from, to } => parent(from) == dir || parent(to) == dir,
        }
    }
}

fn apply(change: &NameChange, names: &mut BTreeMap<String, u32>) {
    match change {
        NameChange::Link { path, inode } => {
            names.insert(path.clone(), *inode);
        }
        NameChange::Unlink { path } => {
            names.remove(path);
        }
        NameChange::Rename { from, to } => {
            if let Entry::Occupied(entry) = names.entry(from.clone()) {
                let inode = entry.remove();
                names.insert(to.clone(), inode);
            }
        }
    }
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((dir, _)) => dir,
    }
}

fn absolute(cwd: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { cwd };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Keys, Stream};

    struct Bench {
        disk: Disk,
        handles: Handles,
        draws: Draws,
    }

    impl Bench {
        fn new(seed: u64) -> Self {
            Self {
                disk: Disk::default(),
                handles: Handles::default(),
                draws: Keys::new(seed).draws(Stream::Disk, 0),
            }
        }

        fn run(&mut self, op: &DiskOp) -> Result<Bytes, DiskFault> {
            self.disk.run(&mut self.handles, op, &mut self.draws)
        }

        fn create(&mut self, file: u32, path: &str) {
            let op = DiskOp::Open {
                file: FileId(file),
                path: path.into(),
                mode: OpenMode::Create,
            };
            self.run(&op).unwrap();
        }

        fn append(&mut self, file: u32, data: &'static [u8]) {
            let op = DiskOp::Append {
                file: FileId(file),
                data: Bytes::from_static(data),
            };
            self.run(&op).unwrap();
        }

        fn sync(&mut self, file: u32) -> Result<Bytes, DiskFault> {
            self.run(&DiskOp::Sync { file: FileId(file) })
        }

        fn sync_dir(&mut self) {
            self.run(&DiskOp::SyncDir { path: ".".into() }).unwrap();
        }

        fn rename(&mut self, from: &str, to: &str) {
            let op = DiskOp::Rename {
                from: from.into(),
                to: to.into(),
            };
            self.run(&op).unwrap();
        }

        fn power(&mut self) {
            self.disk.lose_power(&mut self.draws);
            self.handles = Handles::default();
        }
    }

    #[test]
    fn a_file_in_a_synced_directory_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        let mut lengths = [false; 7];
        for seed in 0..200 {
            let mut bench = Bench::new(seed);
            bench.create(1, "log");
            bench.append(1, b"abc");
            bench.sync(1).unwrap();
            bench.sync_dir();
            bench.append(1, b"def");
            bench.power();
            let left = bench.disk.content("log").unwrap();
            assert!(left.starts_with(b"abc"));
            let matching = left.iter().zip(b"abcdef").take_while(|(a, b)| a == b);
            assert!(left[matching.count()..].iter().all(|&byte| byte == 0));
            lengths[left.len()] = true;
        }
        assert_eq!(&lengths[3..], [true; 4]);
    }

    #[test]
    fn a_rename_without_a_directory_sync_may_be_lost_and_with_one_may_not() {
        let mut seen = [false; 2];
        for seed in 0..100 {
            let mut bench = Bench::new(seed);
            bench.disk.install("conf", b"old");
            bench.create(1, "temp");
            bench.append(1, b"new");
            bench.sync(1).unwrap();
            bench.rename("temp", "conf");
            let synced = seed % 2 == 0;
            if synced {
                bench.sync_dir();
            }
            bench.power();
            let left = bench.disk.content("conf").unwrap();
            assert!(left == b"old" || left == b"new");
            assert!(!synced || left == b"new");
            seen[usize::from(left == b"new")] = true;
        }
        assert_eq!(seen, [true, true]);
    }

    #[test]
    fn a_rename_before_the_sync_of_the_content_may_leave_an_empty_file() {
        let empty = (0..100).any(|seed| {
            let mut bench = Bench::new(seed);
            bench.disk.install("conf", b"old");
            bench.create(1, "temp");
            bench.append(1, b"new");
            bench.rename("temp", "conf");
            bench.sync_dir();
            bench.power();
            bench.disk.content("conf").unwrap().is_empty()
        });
        assert!(empty);
    }

    #[test]
    fn a_failed_sync_is_not_mended_by_a_later_one() {
        let mut bench = Bench::new(1);
        bench.create(1, "log");
        bench.sync_dir();
        bench.append(1, b"abc");
        bench.disk.faults.sync = true;
        assert_eq!(bench.sync(1), Err(DiskFault::Failed { errno: EIO }));
        bench.disk.faults.sync = false;
        bench.sync(1).unwrap();
        assert!(!bench.disk.is_rotten());
        bench.power();
        assert_eq!(bench.disk.content("log").unwrap(), [0, 0, 0]);
        assert!(bench.disk.is_rotten() && !bench.disk.has_turned_bits());
        let image = bench.disk.image();
        bench.disk.wipe_except("node.conf");
        assert!(!bench.disk.is_rotten());
        bench.disk.go_back_to(&image, "node.conf");
        assert!(bench.disk.is_rotten());
    }

    #[test]
    fn a_killed_process_loses_its_handles_and_no_data() {
        let mut bench = Bench::new(1);
        bench.create(1, "/data/sub/../log");
        bench.append(1, b"abc");
        bench.handles = Handles::default();
        assert_eq!(bench.disk.content("log"), Some(&b"abc"[..]));
        let missing = DiskOp::Open {
            file: FileId(1),
            path: "other".into(),
            mode: OpenMode::Read,
        };
        assert_eq!(bench.run(&missing), Err(DiskFault::NotFound));
    }

    #[test]
    fn a_full_disk_takes_a_part_and_reports_a_fault() {
        let mut bench = Bench::new(3);
        bench.create(1, "log");
        bench.disk.faults.full = true;
        let op = DiskOp::Append {
            file: FileId(1),
            data: Bytes::from_static(b"abcdef"),
        };
        assert_eq!(bench.run(&op), Err(DiskFault::NoSpace));
        assert!(b"abcdef".starts_with(bench.disk.content("log").unwrap()));
    }

    #[test]
    fn a_truncated_file_comes_back_whole_or_cut_but_never_mixed() {
        let mut seen = [false; 2];
        for seed in 0..100 {
            let mut bench = Bench::new(seed);
            bench.disk.install("conf", b"old content");
            bench.create(1, "conf");
            bench.power();
            let left = bench.disk.content("conf").unwrap();
            assert!(left == b"old content" || left.is_empty());
            seen[usize::from(left.is_empty())] = true;
        }
        assert_eq!(seen, [true, true]);
    }
    #[test]
    fn a_failed_write_leaves_a_prefix_and_only_one_sync_fails_if_that_is_the_fault() {
        let mut bench = Bench::new(3);
        bench.create(1, "log");
        bench.disk.faults.dead = true;
        let op = DiskOp::Append {
            file: FileId(1),
            data: Bytes::from_static(b"abcdef"),
        };
        assert_eq!(bench.run(&op), Err(DiskFault::Failed { errno: EIO }));
        assert!(b"abcdef".starts_with(bench.disk.content("log").unwrap()));
        bench.disk.faults = Faults {
            one_sync: true,
            ..Faults::default()
        };
        assert_eq!(bench.sync(1), Err(DiskFault::Failed { errno: EIO }));
        bench.sync(1).unwrap();
    }

    #[test]
    fn a_disk_goes_back_to_what_was_safe_then_and_keeps_its_config() {
        let mut bench = Bench::new(1);
        bench.disk.install("node.conf", b"old");
        bench.create(1, "log");
        bench.append(1, b"abc");
        bench.sync(1).unwrap();
        bench.sync_dir();
        bench.append(1, b"def");
        let image = bench.disk.image();
        bench.disk.install("node.conf", b"new");
        bench.disk.install("dump.rdb", b"later");
        bench.disk.go_back_to(&image, "node.conf");
        assert_eq!(bench.disk.content("log"), Some(&b"abc"[..]));
        assert_eq!(bench.disk.content("node.conf"), Some(&b"new"[..]));
        assert_eq!(bench.disk.content("dump.rdb"), None);
    }

    #[test]
    fn one_bit_turns_over_in_a_file_that_holds_a_dataset() {
        let mut bench = Bench::new(1);
        bench.disk.install("log.aof", b"aaaa");
        assert_eq!(bench.disk.turn_bit(false, &mut bench.draws), None);
        let path = bench.disk.turn_bit(true, &mut bench.draws).unwrap();
        assert_eq!(path, "/data/log.aof");
        bench.disk.install("dump.rdb", b"aaaa");
        let path = bench.disk.turn_bit(false, &mut bench.draws).unwrap();
        assert_eq!(path, "/data/dump.rdb");
        let turned = bench.disk.content("dump.rdb").unwrap().iter();
        let bits: u32 = turned.map(|byte| (byte ^ b'a').count_ones()).sum();
        assert_eq!(bits, 1);
        assert!(bench.disk.is_rotten());
        bench.create(1, "dump.rdb");
        assert!(bench.disk.is_rotten() && bench.disk.has_turned_bits());
        bench.create(2, "log.aof");
        assert!(!bench.disk.is_rotten());
    }
}
