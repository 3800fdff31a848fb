//! Files written around the page cache.
//!
//! To copy a large file into the page cache and have the system write it out from there keeps a
//! processor in the kernel, where nothing takes its place, for several times as long as handing
//! the same bytes to the device does; and it drives out of the cache what others read. The device
//! takes whole blocks, so bytes are staged until there are enough of them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::limits::DIRECT_WRITE_BYTES;

/// A file that is written from its start to its end.
pub(super) struct DirectFile {
    file: File,
    /// Whether writes go around the page cache. Not every file system can do that.
    direct: bool,
    /// Room for [`DIRECT_WRITE_BYTES`] that begin at a multiple of a block.
    room: Box<[u8]>,
    first: usize,
    /// Bytes staged, and where in the file they belong: at a multiple of a block.
    staged: usize,
    at: u64,
}

impl DirectFile {
    /// Makes an empty file.
    pub(super) fn create(path: &str) -> io::Result<Self> {
        let open = |flags: OFlags| {
            let flags = i32::try_from(flags.bits()).expect("the system takes them as an int");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            options.custom_flags(flags).open(path)
        };
        let (file, direct) = match open(OFlags::DIRECT) {
            Err(error) if is_unsupported(&error) => (open(OFlags::empty())?, false),
            result => (result?, true),
        };
        let room = vec![0; DIRECT_WRITE_BYTES + BLOCK_BYTES].into_boxed_slice();
        let first = room.as_ptr().align_offset(BLOCK_BYTES);
        assert!(first < BLOCK_BYTES, "bytes have neighbours at any address");
        Ok(Self {
            file,
            direct,
            room,
            first,
            staged: 0,
            at: 0,
        })
    }

    /// Stages bytes, and writes what is staged each time that the room is full.
    pub(super) fn append(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let end = self.first + self.staged;
            let (now, rest) = data.split_at(data.len().min(DIRECT_WRITE_BYTES - self.staged));
            self.room[end..end + now.len()].copy_from_slice(now);
            self.staged += now.len();
            data = rest;
            if self.staged == DIRECT_WRITE_BYTES {
                self.write_blocks()?;
            }
        }
        Ok(())
    }

    /// Writes all that is staged and waits until the device has it.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.write_staged()?;
        self.file.sync_data()
    }

    /// Writes all that is staged.
    pub(super) fn write_staged(&mut self) -> io::Result<()> {
        self.write_blocks()?;
        if self.staged == 0 {
            return Ok(());
        }
        // A part of a block is written again with the rest of it, if more is to come.
        let direct = self.direct;
        self.set_direct(false)?;
        self.file.write_all_at(self.bytes(self.staged), self.at)?;
        self.set_direct(direct)
    }

    /// Writes the whole blocks among what is staged.
    fn write_blocks(&mut self) -> io::Result<()> {
        let whole = self.staged - self.staged % BLOCK_BYTES;
        if whole == 0 {
            return Ok(());
        }
        match self.file.write_all_at(self.bytes(whole), self.at) {
            // The first write may tell what opening the file did not, and after a short one the
            // rest is no whole number of blocks.
            Err(error) if self.direct && is_unsupported(&error) => {
                self.set_direct(false)?;
                self.file.write_all_at(self.bytes(whole), self.at)?;
            }
            result => result?,
        }
        let staged = self.first..self.first + self.staged;
        self.room
            .copy_within(staged.start + whole..staged.end, staged.start);
        self.staged -= whole;
        self.at += u64::try_from(whole).expect("usize has at most 64 bits");
        Ok(())
    }

    fn bytes(&self, len: usize) -> &[u8] {
        &self.room[self.first..self.first + len]
    }

    fn set_direct(&mut self, direct: bool) -> io::Result<()> {
        if self.direct != direct {
            let mut flags = fcntl_getfl(&self.file)?;
            flags.set(OFlags::DIRECT, direct);
            fcntl_setfl(&self.file, flags)?;
            self.direct = direct;
        }
        Ok(())
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// Blocks of devices are this long or a fraction of it, and memory pages too.
const BLOCK_BYTES: usize = 4096;

const _: () = assert!(DIRECT_WRITE_BYTES.is_multiple_of(BLOCK_BYTES));

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of which no block is like another.
    fn bytes(range: std::ops::Range<usize>) -> Vec<u8> {
        let word = |at: usize| (at / 8 * 0x9e37_79b1).to_le_bytes()[at % 8];
        range.map(word).collect()
    }

    fn check(cuts: &[usize], sync_after: &[usize]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f").to_str().unwrap().to_owned();
        let mut file = DirectFile::create(&path).unwrap();
        let mut at = 0;
        for &cut in cuts {
            file.append(&bytes(at..at + cut)).unwrap();
            at += cut;
            if sync_after.contains(&at) {
                file.sync().unwrap();
                assert!(std::fs::read(&path).unwrap() == bytes(0..at), "after {at}");
            }
        }
        file.write_staged().unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes(0..at), "{cuts:?}");
    }

    #[test]
    fn whatever_was_appended_is_in_the_file_once_it_is_synced() {
        let full = DIRECT_WRITE_BYTES;
        check(&[], &[]);
        check(&[1], &[1]);
        check(&[BLOCK_BYTES], &[BLOCK_BYTES]);
        check(&[full], &[full]);
        check(&[full + 1, 2 * full, 7], &[full + 1, 3 * full + 1]);
        check(&[100, 5000, 100_000, 9], &[100, 5100, 105_100, 105_109]);
        check(&[3 * full + 5000], &[]);
    }

    #[test]
    fn a_file_system_that_has_no_way_around_the_cache_is_written_to_as_well() {
        // What is not aligned is refused as all of it is elsewhere.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f").to_str().unwrap().to_owned();
        let mut file = DirectFile::create(&path).unwrap();
        file.first += 1;
        file.append(&bytes(0..2 * DIRECT_WRITE_BYTES)).unwrap();
        file.append(b"end").unwrap();
        file.sync().unwrap();
        let mut whole = bytes(0..2 * DIRECT_WRITE_BYTES);
        whole.extend_from_slice(b"end");
        assert!(std::fs::read(&path).unwrap() == whole);
    }

    #[test]
    fn a_full_device_is_told_of_as_such() {
        let mut file = DirectFile::create("/dev/full").unwrap();
        file.append(b"x").unwrap();
        let error = file.sync().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }
}
