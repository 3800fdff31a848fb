//! Receives a dataset into a file, so that a crash at any step leaves a whole one in place.

use bytes::Bytes;
use crc::{CRC_64_REDIS, Crc, Digest, Table};

use crate::limits::REPL_RECEIVE_WINDOW_BYTES;
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode, Wall};
use std::collections::VecDeque;

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

const CHECKSUM_LEN: usize = 8;
/// Format, version, the end of the data and the checksum.
const LEN_MIN: u64 = 9 + 1 + CHECKSUM_LEN as u64;

/// Where a dataset is received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// An id not in use.
    pub file: FileId,
    /// The file it is received into.
    pub temp: Box<str>,
    /// The file it replaces in the end.
    pub target: Box<str>,
    /// The directory of both.
    pub dir: Box<str>,
}

/// The name of the file a dataset is received into, as Redis forms it.
#[must_use]
pub fn temp_name(now: Wall, pid: u32) -> String {
    format!("temp-{}.{pid}.rdb", now.as_secs())
}

/// A dataset on its way into a file: append, sync, close, rename, sync the directory.
#[derive(Debug)]
pub struct Receive {
    place: Place,
    step: Step,
    /// Lengths of the appends not answered yet; the opening counts as an empty one.
    unanswered: VecDeque<usize>,
    unanswered_bytes: usize,
    checked: Checked,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Append,
    /// All is appended; the last answers are awaited.
    Drain,
    Sync,
    Close,
    Rename,
    SyncDir,
}

/// What comes next.
#[derive(Debug, Eq, PartialEq)]
pub enum Progress {
    /// Nothing but further answers.
    Wait,
    /// This step.
    Next(DiskOp),
    /// The dataset is in place and durable.
    Complete,
    /// A step failed; [`abandon`](Receive::abandon) what there is.
    Failed(DiskFault),
}

impl Receive {
    /// Starts with an empty file.
    #[must_use]
    pub fn start(place: Place) -> (Self, DiskOp) {
        assert_ne!(place.temp, place.target);
        let open = DiskOp::Open {
            file: place.file,
            path: place.temp.clone(),
            mode: OpenMode::Create,
        };
        let receive = Self {
            place,
            step: Step::Append,
            unanswered: VecDeque::from([0]),
            unanswered_bytes: 0,
            checked: Checked::default(),
        };
        (receive, open)
    }

    /// The next piece of the dataset.
    pub fn append(&mut self, data: &[u8]) -> DiskOp {
        assert_eq!(self.step, Step::Append);
        self.checked.update(data);
        self.unanswered.push_back(data.len());
        self.unanswered_bytes += data.len();
        DiskOp::Append {
            file: self.place.file,
            data: Bytes::copy_from_slice(data),
        }
    }

    /// Takes the end of the dataset. `None` if it is not whole: what was received is no RDB file
    /// or its checksum is another.
    pub fn finish(&mut self) -> Option<Progress> {
        assert_eq!(self.step, Step::Append);
        if !self.checked.is_whole() {
            return None;
        }
        self.step = Step::Drain;
        Some(self.drained())
    }

    /// Takes the answer to the oldest step not answered yet.
    pub fn done(&mut self, result: Result<(), DiskFault>) -> Progress {
        if let Err(fault) = result {
            return Progress::Failed(fault);
        }
        match self.step {
            Step::Append | Step::Drain => {
                let len = self.unanswered.pop_front();
                self.unanswered_bytes -= len.expect("each step is answered once");
                self.drained()
            }
            Step::Sync => {
                self.step = Step::Close;
                let file = self.place.file;
                Progress::Next(DiskOp::Close { file })
            }
            Step::Close => {
                self.step = Step::Rename;
                Progress::Next(DiskOp::Rename {
                    from: self.place.temp.clone(),
                    to: self.place.target.clone(),
                })
            }
            Step::Rename => {
                self.step = Step::SyncDir;
                let path = self.place.dir.clone();
                Progress::Next(DiskOp::SyncDir { path })
            }
            Step::SyncDir => Progress::Complete,
        }
    }

    /// The steps that leave nothing behind.
    #[must_use]
    pub fn abandon(self) -> Vec<DiskOp> {
        let close = DiskOp::Close {
            file: self.place.file,
        };
        let remove = DiskOp::Remove {
            path: self.place.temp,
        };
        match self.step {
            Step::Append | Step::Drain | Step::Sync => vec![close, remove],
            Step::Close | Step::Rename => vec![remove],
            Step::SyncDir => Vec::new(),
        }
    }

    /// Whether the disk shall catch up before more is read.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.unanswered_bytes >= REPL_RECEIVE_WINDOW_BYTES
    }

    /// Where the dataset is in the end.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.place.target
    }

    fn drained(&mut self) -> Progress {
        if self.step != Step::Drain || !self.unanswered.is_empty() {
            return Progress::Wait;
        }
        assert_eq!(self.unanswered_bytes, 0);
        self.step = Step::Sync;
        let file = self.place.file;
        Progress::Next(DiskOp::Sync { file })
    }
}

/// Whether the bytes seen are a whole RDB file by its own account, before anything depends on it.
struct Checked {
    digest: Digest<'static, u64, Table<16>>,
    first: Vec<u8>,
    /// The last bytes, which are the checksum if nothing follows.
    last: Vec<u8>,
    len: u64,
}

impl core::fmt::Debug for Checked {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Checked")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Default for Checked {
    fn default() -> Self {
        Self {
            digest: CRC.digest(),
            first: Vec::with_capacity(9),
            last: Vec::with_capacity(2 * CHECKSUM_LEN),
            len: 0,
        }
    }
}

impl Checked {
    fn update(&mut self, data: &[u8]) {
        let missing = 9_usize.saturating_sub(self.first.len());
        self.first
            .extend_from_slice(&data[..missing.min(data.len())]);
        self.len += data.len() as u64;
        if data.len() >= CHECKSUM_LEN {
            let (sum, last) = data.split_at(data.len() - CHECKSUM_LEN);
            self.digest.update(&self.last);
            self.digest.update(sum);
            self.last.clear();
            self.last.extend_from_slice(last);
        } else {
            self.last.extend_from_slice(data);
            let surplus = self.last.len().saturating_sub(CHECKSUM_LEN);
            self.digest.update(&self.last[..surplus]);
            self.last.drain(..surplus);
        }
    }

    fn is_whole(&self) -> bool {
        if self.len < LEN_MIN || !self.first.starts_with(b"REDIS") {
            return false;
        }
        let version = core::str::from_utf8(&self.first[5..]).ok();
        let Some(version) = version.and_then(|v| v.parse::<u32>().ok()) else {
            return false;
        };
        // Files older than that carry none.
        if version < 5 {
            return true;
        }
        let carried: [u8; CHECKSUM_LEN] = self.last[..].try_into().expect("it is long enough");
        let carried = u64::from_le_bytes(carried);
        // Zero says that the master computed none.
        carried == 0 || carried == self.digest.clone().finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            file: FileId(3),
            temp: "temp-1.2.rdb".into(),
            target: "dump.rdb".into(),
            dir: ".".into(),
        }
    }

    fn rdb() -> Vec<u8> {
        let mut rdb = b"REDIS0010\xfa\tredis-ver\x067.0.15\xff".to_vec();
        let sum = CRC.checksum(&rdb);
        rdb.extend_from_slice(&sum.to_le_bytes());
        rdb
    }

    #[test]
    fn an_rdb_file_of_redis_is_whole() {
        // The empty dataset as redis-server 7.0.15 sends it.
        let rdb: &[u8] = b"REDIS0010\xfa\tredis-ver\x067.0.15\xfa\nredis-bits\xc0@\xfa\x05ctime\
            \xc2\xb4c\x03k\xfa\x08used-mem\xc2\xe8U\x11\x00\xfa\x0erepl-stream-db\xc0\x00\xfa\x07\
            repl-id(7cc32c8973248adbc9f874e5317b86009c536d9a\xfa\x0brepl-offset\xc0\x00\xfa\x08\
            aof-base\xc0\x00\xff\x8cY,\xce\xcd\x88\x94\xeb";
        for chunk in [1, 3, 8, 9, 200] {
            let mut checked = Checked::default();
            for piece in rdb.chunks(chunk) {
                checked.update(piece);
            }
            assert!(checked.is_whole(), "in pieces of {chunk}");
        }
    }

    #[test]
    fn what_is_cut_changed_or_something_else_is_not_whole() {
        let whole = rdb();
        let mut cases = vec![
            whole[..whole.len() - 1].to_vec(),
            b"REDIS0010".to_vec(),
            b"<html>not a dataset at all</html>".to_vec(),
            Vec::new(),
        ];
        let mut changed = whole.clone();
        changed[12] ^= 1;
        cases.push(changed);
        for case in cases {
            let mut checked = Checked::default();
            checked.update(&case);
            assert!(!checked.is_whole(), "{}", case.escape_ascii());
        }
        let mut unchecked = whole;
        let at = unchecked.len() - CHECKSUM_LEN;
        unchecked[at..].fill(0);
        let mut checked = Checked::default();
        checked.update(&unchecked);
        assert!(checked.is_whole(), "a zero stands for no checksum");
    }

    #[test]
    fn the_dataset_is_durable_before_it_is_renamed_and_the_name_before_it_is_loaded() {
        let (mut receive, open) = Receive::start(place());
        assert!(matches!(open, DiskOp::Open { .. }));
        for piece in rdb().chunks(10) {
            assert!(matches!(receive.append(piece), DiskOp::Append { .. }));
        }
        assert_eq!(receive.finish(), Some(Progress::Wait));
        let mut ops = Vec::new();
        loop {
            match receive.done(Ok(())) {
                Progress::Wait => {}
                Progress::Next(op) => ops.push(op),
                Progress::Complete => break,
                Progress::Failed(fault) => panic!("{fault:?}"),
            }
        }
        let temp: Box<str> = "temp-1.2.rdb".into();
        let file = FileId(3);
        assert_eq!(
            ops,
            [
                DiskOp::Sync { file },
                DiskOp::Close { file },
                DiskOp::Rename {
                    from: temp,
                    to: "dump.rdb".into()
                },
                DiskOp::SyncDir { path: ".".into() },
            ]
        );
        assert_eq!(receive.abandon(), []);
    }

    #[test]
    fn a_broken_dataset_never_reaches_its_final_name() {
        let (mut receive, _) = Receive::start(place());
        let rdb = rdb();
        let _ = receive.append(&rdb[..rdb.len() - 3]);
        assert_eq!(receive.finish(), None);
        let removed = DiskOp::Remove {
            path: "temp-1.2.rdb".into(),
        };
        assert_eq!(receive.abandon().last(), Some(&removed));
    }

    #[test]
    fn a_failed_write_is_reported_and_cleaned_up() {
        let (mut receive, _) = Receive::start(place());
        let _ = receive.append(b"REDIS");
        assert_eq!(receive.done(Ok(())), Progress::Wait);
        assert_eq!(
            receive.done(Err(DiskFault::NoSpace)),
            Progress::Failed(DiskFault::NoSpace)
        );
        assert_eq!(receive.abandon().len(), 2);
    }

    #[test]
    fn reading_pauses_while_the_disk_is_behind() {
        let (mut receive, _) = Receive::start(place());
        let _ = receive.append(&vec![0; REPL_RECEIVE_WINDOW_BYTES]);
        assert!(receive.is_full());
        let _ = receive.done(Ok(()));
        let _ = receive.done(Ok(()));
        assert!(!receive.is_full());
    }

    #[test]
    fn the_temporary_name_is_that_of_redis() {
        let now = Wall::from_millis(1_700_000_000_999);
        assert_eq!(temp_name(now, 42), "temp-1700000000.42.rdb");
    }
}
