//! Files: one thread that carries out [`DiskOp`]s in the order given.
//!
//! Their order is the machine's business, and so is how many it has under way; the queue here is
//! as long as the machine makes it. Small appends are carried out by the loop itself while the
//! thread has nothing to do: they end in the page cache, and a thread costs more to wake than
//! they take.

mod direct;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use holdfast_core::machine::{Completion, DiskFault, DiskOp, Done, FileId, OpenMode, Ticket};

use self::direct::DirectFile;
use crate::inbox::Inbox;
use crate::limits::{APPEND_AT_ONCE_BYTES, THREAD_STACK_BYTES};

/// The disk thread, as the loop sees it.
pub(crate) struct Disk {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// Given since the last [`submit`](Self::submit).
    batch: Vec<Job>,
    /// What the thread was given and the machine has no answer to.
    under_way: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// The thread's, but while it has nothing under way.
    files: Mutex<Files>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    closed: bool,
}

struct Job {
    ticket: Ticket,
    op: DiskOp,
}

impl Disk {
    /// Starts the thread; completions go to `inbox`.
    pub(crate) fn start(inbox: Arc<Inbox>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || work(&theirs, &inbox))?;
        Ok(Self {
            shared,
            thread,
            batch: Vec::new(),
            under_way: 0,
        })
    }

    /// Adds a step to the batch.
    pub(crate) fn push(&mut self, ticket: Ticket, op: DiskOp) {
        self.batch.push(Job { ticket, op });
    }

    /// Gives the batch to the thread, but for what can be done at once: the answers to that go to
    /// `done`.
    pub(crate) fn submit(&mut self, done: impl FnMut(Completion)) {
        if self.batch.is_empty() {
            return;
        }
        if self.under_way == 0 {
            self.append_at_once(done);
        }
        if self.batch.is_empty() {
            return;
        }
        self.under_way += self.batch.len();
        lock(&self.shared.queue).jobs.append(&mut self.batch);
        self.shared.arrived.notify_one();
    }

    /// Notes that the machine gets the answer to a step of the thread's.
    pub(crate) fn note_answered(&mut self) {
        self.under_way = self
            .under_way
            .checked_sub(1)
            .expect("an answer belongs to a step");
    }

    /// Carries the batch out if it is nothing but small appends. One with a sync behind it has to
    /// wake the thread in any case.
    fn append_at_once(&mut self, mut done: impl FnMut(Completion)) {
        let small = |job: &Job| {
            matches!(
                &job.op,
                DiskOp::Append { data, .. } if data.len() <= APPEND_AT_ONCE_BYTES
            )
        };
        if !self.batch.iter().all(small) {
            return;
        }
        let mut files = lock(&self.shared.files);
        if self.batch.iter().any(|job| files.waits_for_device(&job.op)) {
            return;
        }
        for job in self.batch.drain(..) {
            done(files.answer(job));
        }
    }

    /// Waits until everything given is done, and ends the thread.
    pub(crate) fn finish(mut self) {
        self.submit(drop);
        lock(&self.shared.queue).closed = true;
        self.shared.arrived.notify_one();
        if self.thread.join().is_err() {
            tracing::warn!("The disk thread ended early; the last writes may be missing");
        }
    }
}

impl Shared {
    /// Waits for jobs and moves them into `jobs`, which is empty; false when there are no more.
    fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut queue = lock(&self.queue);
        while queue.jobs.is_empty() {
            if queue.closed {
                return false;
            }
            queue = self
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut queue.jobs, jobs);
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(shared: &Shared, inbox: &Inbox) {
    let mut jobs = Vec::new();
    while shared.take(&mut jobs) {
        for job in jobs.drain(..) {
            let completion = lock(&shared.files).answer(job);
            inbox.put(completion);
        }
    }
}

/// The open files.
#[derive(Default)]
struct Files(BTreeMap<FileId, Handle>);

enum Handle {
    /// Read, or written to the page cache.
    Plain(File),
    Direct(DirectFile),
}

impl Files {
    fn answer(&mut self, Job { ticket, op }: Job) -> Completion {
        let result = self.carry_out(op);
        let done = Done::Disk(result.map_err(fault));
        Completion { ticket, done }
    }

    fn carry_out(&mut self, op: DiskOp) -> io::Result<Bytes> {
        let done = match op {
            DiskOp::Open { file, path, mode } => self.open(file, &path, mode),
            DiskOp::Append { file, data } => match self.get(file)? {
                Handle::Plain(file) => write_all(file, &data),
                Handle::Direct(file) => file.append(&data),
            },
            DiskOp::Read { file, at, len } => return read(self.plain(file)?, at, len),
            DiskOp::Sync { file } => match self.get(file)? {
                Handle::Plain(file) => file.sync_data(),
                Handle::Direct(file) => file.sync(),
            },
            DiskOp::Truncate { file, len } => truncate(self.plain(file)?, len),
            DiskOp::Close { file } => match self.0.remove(&file).ok_or_else(not_open)? {
                Handle::Plain(_) => Ok(()),
                Handle::Direct(mut file) => file.write_staged(),
            },
            DiskOp::Rename { from, to } => std::fs::rename(&*from, &*to),
            DiskOp::Remove { path } => match std::fs::remove_file(&*path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                result => result,
            },
            DiskOp::Length { path } => {
                let len = std::fs::metadata(&*path)?.len();
                return Ok(Bytes::copy_from_slice(&len.to_le_bytes()));
            }
            DiskOp::CanRun { path } => can_run(&path),
            DiskOp::MakeDir { path } => match std::fs::create_dir(&*path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                result => result,
            },
            DiskOp::SyncDir { path } => sync_dir(&path),
            DiskOp::ChangeDir { path } => std::env::set_current_dir(&*path),
        };
        done.map(|()| Bytes::new())
    }

    fn open(&mut self, id: FileId, path: &str, mode: OpenMode) -> io::Result<()> {
        assert!(!self.0.contains_key(&id), "{id:?} names an open file");
        let mut options = OpenOptions::new();
        let handle = match mode {
            OpenMode::Create => {
                let created = options.write(true).create(true).truncate(true).open(path);
                Handle::Plain(created?)
            }
            OpenMode::CreateDirect => Handle::Direct(DirectFile::create(path)?),
            OpenMode::Append => Handle::Plain(options.append(true).create(true).open(path)?),
            OpenMode::Read => Handle::Plain(options.read(true).open(path)?),
        };
        self.0.insert(id, handle);
        Ok(())
    }

    /// Whether an append may take as long as the device does.
    fn waits_for_device(&self, op: &DiskOp) -> bool {
        let DiskOp::Append { file, .. } = op else {
            return true;
        };
        matches!(self.0.get(file), Some(Handle::Direct(_)))
    }

    /// A step may follow an `Open` that failed, so a file that is not open is no mistake of ours.
    fn get(&mut self, id: FileId) -> io::Result<&mut Handle> {
        self.0.get_mut(&id).ok_or_else(not_open)
    }

    fn plain(&mut self, id: FileId) -> io::Result<&mut File> {
        match self.get(id)? {
            Handle::Plain(file) => Ok(file),
            Handle::Direct(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Straight to the kernel, as with sockets: an append is written in every turn that has one.
fn write_all(file: &File, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match rustix::io::write(file, data) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => data = &data[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn read(file: &File, at: u64, len: u32) -> io::Result<Bytes> {
    let mut buffer = vec![0; usize::try_from(len).expect("usize has at least 32 bits")];
    let mut filled = 0;
    while filled < buffer.len() {
        let from = at
            .checked_add(u64::try_from(filled).expect("usize has at most 64 bits"))
            .ok_or(io::ErrorKind::InvalidInput)?;
        match file.read_at(&mut buffer[filled..], from) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(Bytes::from(buffer))
}

fn truncate(file: &mut File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    // A file that was made to be written from its start goes on where it stood.
    io::Seek::seek(file, io::SeekFrom::Start(len))?;
    Ok(())
}

fn can_run(path: &str) -> io::Result<()> {
    let file = std::fs::metadata(path)?;
    if file.is_file() && file.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(io::ErrorKind::PermissionDenied.into())
}

fn sync_dir(path: &str) -> io::Result<()> {
    // An empty path is the directory of a relative file name.
    let path = if path.is_empty() { "." } else { path };
    match File::open(path)?.sync_all() {
        // Some file systems can't sync a directory; Redis, too, takes that for success.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EBADF)) => Ok(()),
        result => result,
    }
}

fn not_open() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

fn fault(error: io::Error) -> DiskFault {
    match error.raw_os_error() {
        Some(libc::ENOENT) => DiskFault::NotFound,
        Some(libc::ENOSPC | libc::EDQUOT) => DiskFault::NoSpace,
        Some(errno) => DiskFault::Failed { errno },
        None => DiskFault::Failed { errno: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId(1);

    fn open(files: &mut Files, path: &str, mode: OpenMode) -> io::Result<Bytes> {
        let path = path.into();
        files.carry_out(DiskOp::Open {
            file: FILE,
            path,
            mode,
        })
    }

    fn append(files: &mut Files, data: &'static [u8]) -> io::Result<Bytes> {
        let data = Bytes::from_static(data);
        files.carry_out(DiskOp::Append { file: FILE, data })
    }

    fn close(files: &mut Files) {
        files.carry_out(DiskOp::Close { file: FILE }).unwrap();
    }

    #[test]
    fn appends_are_read_back_in_order_and_create_empties() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f").to_str().unwrap().to_owned();
        let mut files = Files::default();
        open(&mut files, &path, OpenMode::Create).unwrap();
        append(&mut files, b"one ").unwrap();
        append(&mut files, b"two ").unwrap();
        files.carry_out(DiskOp::Sync { file: FILE }).unwrap();
        close(&mut files);
        open(&mut files, &path, OpenMode::Append).unwrap();
        append(&mut files, b"three").unwrap();
        close(&mut files);

        open(&mut files, &path, OpenMode::Read).unwrap();
        let mut read = |at, len| {
            let op = DiskOp::Read {
                file: FILE,
                at,
                len,
            };
            files.carry_out(op).unwrap()
        };
        assert_eq!(read(0, 100), Bytes::from_static(b"one two three"));
        assert_eq!(read(4, 3), Bytes::from_static(b"two"));
        assert_eq!(read(13, 10), Bytes::new());
        close(&mut files);

        open(&mut files, &path, OpenMode::Create).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_missing_file_is_not_found_unless_it_is_to_be_removed() {
        let mut files = Files::default();
        let error = open(&mut files, "/nonexistent/f", OpenMode::Read).unwrap_err();
        assert_eq!(fault(error), DiskFault::NotFound);
        let path = "/nonexistent/f".into();
        files.carry_out(DiskOp::Remove { path }).unwrap();
    }

    #[test]
    fn a_file_that_was_cut_off_goes_on_at_its_new_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f").to_str().unwrap().to_owned();
        let length = |files: &mut Files| {
            let path = path.as_str().into();
            let bytes = files.carry_out(DiskOp::Length { path }).unwrap();
            u64::from_le_bytes(bytes[..].try_into().unwrap())
        };
        let mut files = Files::default();
        for mode in [OpenMode::Create, OpenMode::Append] {
            open(&mut files, &path, mode).unwrap();
            append(&mut files, b"whole and half").unwrap();
            files
                .carry_out(DiskOp::Truncate { file: FILE, len: 5 })
                .unwrap();
            assert_eq!(length(&mut files), 5);
            append(&mut files, b" again").unwrap();
            close(&mut files);
            assert_eq!(std::fs::read(&path).unwrap(), b"whole again");
        }
    }

    #[test]
    fn a_directory_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path: Box<str> = dir.path().join("d").to_str().unwrap().into();
        let mut files = Files::default();
        for _ in 0..2 {
            let path = path.clone();
            files.carry_out(DiskOp::MakeDir { path }).unwrap();
        }
        assert!(dir.path().join("d").is_dir());
        let inside = format!("{path}/f/g").into();
        let error = files.carry_out(DiskOp::MakeDir { path: inside });
        assert_eq!(fault(error.unwrap_err()), DiskFault::NotFound);
        let missing = format!("{path}/none").into();
        let error = files.carry_out(DiskOp::Length { path: missing });
        assert_eq!(fault(error.unwrap_err()), DiskFault::NotFound);
    }

    #[test]
    fn steps_behind_a_failed_open_fail_too() {
        let mut files = Files::default();
        let error = append(&mut files, b"x").unwrap_err();
        let errno = libc::EBADF;
        assert_eq!(fault(error), DiskFault::Failed { errno });
    }

    #[test]
    fn a_full_disk_is_told_from_other_faults() {
        let mut files = Files::default();
        open(&mut files, "/dev/full", OpenMode::Create).unwrap();
        let error = append(&mut files, b"x").unwrap_err();
        assert_eq!(fault(error), DiskFault::NoSpace);
    }

    #[test]
    fn a_rename_replaces_and_its_directory_can_be_synced() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| -> Box<str> { dir.path().join(name).to_str().unwrap().into() };
        std::fs::write(&*path("a"), "new").unwrap();
        std::fs::write(&*path("b"), "old").unwrap();
        let mut files = Files::default();
        let (from, to) = (path("a"), path("b"));
        files.carry_out(DiskOp::Rename { from, to }).unwrap();
        let path_of_dir = path("");
        files
            .carry_out(DiskOp::SyncDir { path: path_of_dir })
            .unwrap();
        assert_eq!(std::fs::read_to_string(&*path("b")).unwrap(), "new");
        assert!(!dir.path().join("a").exists());
    }

    #[test]
    fn the_loop_appends_a_little_itself_unless_the_thread_has_or_gets_work() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f").to_str().unwrap().into();
        let poll = mio::Poll::new().unwrap();
        let inbox = Arc::new(Inbox::new(poll.registry(), mio::Token(0)).unwrap());
        let mut disk = Disk::start(Arc::clone(&inbox)).unwrap();
        let mut tickets = 0;
        let mut submit = |disk: &mut Disk, ops: Vec<DiskOp>| {
            let mut at_once = 0;
            for op in ops {
                tickets += 1;
                disk.push(Ticket(tickets), op);
            }
            disk.submit(|_| at_once += 1);
            at_once
        };
        let hear = |disk: &mut Disk, mut count: usize| {
            while count > 0 {
                let mut heard = Vec::new();
                inbox.take(&mut heard);
                heard.iter().for_each(|_| disk.note_answered());
                count -= heard.len();
                std::thread::yield_now();
            }
        };
        let append = |len: usize| DiskOp::Append {
            file: FILE,
            data: Bytes::from(vec![b'x'; len]),
        };
        let mode = OpenMode::Create;
        let open = DiskOp::Open {
            file: FILE,
            path,
            mode,
        };
        assert_eq!(submit(&mut disk, vec![open]), 0);
        assert_eq!(submit(&mut disk, vec![append(1)]), 0, "it is not open yet");
        hear(&mut disk, 2);
        assert_eq!(submit(&mut disk, vec![append(1), append(2)]), 2);
        assert_eq!(submit(&mut disk, vec![append(APPEND_AT_ONCE_BYTES)]), 1);
        assert_eq!(submit(&mut disk, vec![append(APPEND_AT_ONCE_BYTES + 1)]), 0);
        hear(&mut disk, 1);
        let sync = DiskOp::Sync { file: FILE };
        assert_eq!(submit(&mut disk, vec![append(1), sync]), 0);
        hear(&mut disk, 2);
        disk.finish();
        let len = dir.path().join("f").metadata().unwrap().len();
        assert_eq!(len, 2 * APPEND_AT_ONCE_BYTES as u64 + 6);
    }
}
