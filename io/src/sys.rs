//! The system calls that std, mio and socket2 have no safe form of.
#![allow(
    unsafe_code,
    reason = "the one file of the workspace that calls the C library; each block says why it holds"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use socket2::{SockAddr, SockAddrStorage};

/// A point in local time, as calendars and clocks show it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LocalTime {
    pub(crate) year: i64,
    /// January is 0.
    pub(crate) month: usize,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

/// Converts seconds since the epoch to the time zone of the process.
pub(crate) fn local_time(secs: i64) -> LocalTime {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call. All-zero is a valid `tm` (its one pointer
    // field is a null zone name), so it may be read even if the conversion failed.
    let tm = unsafe {
        libc::localtime_r(&raw const secs, tm.as_mut_ptr());
        tm.assume_init()
    };
    let small = |field: i32| u8::try_from(field).unwrap_or(0);
    LocalTime {
        year: i64::from(tm.tm_year) + 1900,
        month: usize::from(small(tm.tm_mon)),
        day: small(tm.tm_mday),
        hour: small(tm.tm_hour),
        minute: small(tm.tm_min),
        second: small(tm.tm_sec),
    }
}

/// User and system CPU time of the process.
pub(crate) fn cpu_times() -> (Duration, Duration) {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for the call, and all-zero is a valid `rusage`.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let duration = |time: libc::timeval| {
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let micros = u64::try_from(time.tv_usec).unwrap_or(0);
        Duration::from_secs(secs).saturating_add(Duration::from_micros(micros))
    };
    (duration(usage.ru_utime), duration(usage.ru_stime))
}

/// Bytes of a memory page.
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: sysconf takes no pointer.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Ignores SIGHUP and SIGPIPE, for this process and the programs it starts.
pub(crate) fn ignore_hangup_and_pipe() {
    // SAFETY: SIG_IGN is a valid disposition for both signals and runs no code of ours.
    unsafe {
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Keeps every open file but the standard three from programs started later, also those that
/// this process inherited. A system too old to do it at once leaves the inherited ones.
pub(crate) fn close_all_on_exec() {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: the call takes no pointer, and with this flag it closes nothing in this process.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, flags);
    }
}

/// Goes on in a child that leads a session of its own; the calling process ends with status 0.
/// There must be no other thread.
pub(crate) fn fork_to_background() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    assert_eq!(
        threads, 1,
        "only a process of one thread may fork and go on"
    );
    // SAFETY: with a single thread no lock can be held by a thread that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: setsid takes nothing; it can't fail in a fresh child.
            unsafe { libc::setsid() };
            Ok(())
        }
        _ => {
            // SAFETY: _exit never returns and runs no handler twice.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Where the system has put the arguments of the process and, behind them, its environment.
#[derive(Debug)]
pub(crate) struct TitleRoom {
    start: usize,
    /// Bytes of the arguments.
    args: usize,
    /// Bytes of both, as far as they are used.
    len: usize,
}

impl TitleRoom {
    /// Takes the memory over and has the environment kept elsewhere; none if the system does not
    /// tell where it is. There must be no other thread.
    pub(crate) fn claim() -> Option<Self> {
        let threads = std::fs::read_dir("/proc/self/task").ok()?.count();
        assert_eq!(threads, 1, "only one thread may move the environment");
        let room = Self::find(&std::fs::read("/proc/self/stat").ok()?)?;
        let vars: Vec<_> = std::env::vars_os().collect();
        // SAFETY: no other thread can read the environment while it changes.
        unsafe {
            libc::clearenv();
            // Setting it copies it. Other names can't be set, nor asked for.
            for (name, value) in vars.iter().filter(|(name, _)| is_settable(name)) {
                std::env::set_var(name, value);
            }
        }
        Some(room)
    }

    /// Reads the addresses out of the line that proc(5) describes; zeros are no addresses.
    fn find(stat: &[u8]) -> Option<Self> {
        /// Of `arg_start`, behind the name of the program, which may have spaces.
        const ARG_START: usize = 45;
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = str::from_utf8(stat.get(name_end + 2..)?).ok()?;
        let fields = fields.split_ascii_whitespace().skip(ARG_START);
        let mut fields = fields.map(|field| field.parse::<usize>().unwrap_or(0));
        let mut next = || fields.next();
        let (start, end, env_start, env_end) = (next()?, next()?, next()?, next()?);
        let args = end.checked_sub(start).filter(|_| start != 0)?;
        let env = if env_start == end {
            env_end.saturating_sub(env_start)
        } else {
            0
        };
        let len = args + env.min(TITLE_BYTES_MAX.saturating_sub(args));
        (args > 0).then_some(Self { start, args, len })
    }

    /// Shows a title there, as much of it as there is room for.
    pub(crate) fn write(&self, title: &[u8]) {
        let image = self.image(title);
        let room = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: the system maps this memory for as long as the process lives. `claim` had the
        // environment copied, nobody holds a reference to it, and those who ask for the arguments
        // again find texts that end within the memory.
        unsafe {
            std::ptr::copy_nonoverlapping(image.as_ptr(), room, image.len());
        }
    }

    /// The bytes that show a title. Where the last byte of the arguments is a zero, the system
    /// shows their whole memory, and otherwise what is there up to the first zero.
    fn image(&self, title: &[u8]) -> Vec<u8> {
        let mut image = vec![0; self.len];
        let shown = title.len().min(self.len - 1);
        image[..shown].copy_from_slice(&title[..shown]);
        if shown + 1 < self.args && self.args < self.len {
            image[self.args - 1] = b'.';
        }
        image
    }
}

/// The system shows no more of a title that is longer than the arguments.
const TITLE_BYTES_MAX: usize = 4096;

fn is_settable(name: &std::ffi::OsStr) -> bool {
    !name.is_empty() && !name.as_encoded_bytes().contains(&b'=')
}

/// Everybody on the network of an interface, as a packet socket has it.
pub(crate) fn link_address(interface: u32) -> io::Result<SockAddr> {
    let mut storage = SockAddrStorage::zeroed();
    let len =
        libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the storage is large enough and aligned for every kind of address, and all-zero is a
    // valid one of this kind.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    link.sll_ifindex = i32::try_from(interface).map_err(io::Error::other)?;
    link.sll_halen = 6;
    link.sll_addr[..6].fill(0xff);
    // SAFETY: the storage holds an address of that kind and length.
    Ok(unsafe { SockAddr::new(storage, len) })
}

/// The number of the group with this name, if there is one.
pub(crate) fn group_id(name: &str) -> io::Result<Option<u32>> {
    let name = std::ffi::CString::new(name)?;
    let mut room = vec![0; GROUP_BYTES_MAX];
    let mut group = MaybeUninit::<libc::group>::zeroed();
    let mut found = std::ptr::null_mut();
    // SAFETY: all pointers are valid for the call, and `room` has the length that is given.
    let failure = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            group.as_mut_ptr(),
            room.as_mut_ptr(),
            room.len(),
            &raw mut found,
        )
    };
    if failure != 0 {
        return Err(io::Error::from_raw_os_error(failure));
    }
    // SAFETY: all-zero is a valid `group` (null pointers and a number), so it may be read even if
    // none was found.
    let group = unsafe { group.assume_init() };
    Ok((!found.is_null()).then_some(group.gr_gid))
}

/// Memory for the names of all members of a group.
const GROUP_BYTES_MAX: usize = 256 * 1024;

/// Makes the standard three files those of `file`.
pub(crate) fn replace_stdio(file: &std::fs::File) -> io::Result<()> {
    for standard in 0..3 {
        // SAFETY: both numbers are open files or unused; dup2 changes only the standard ones,
        // which no owned handle of this process closes.
        if unsafe { libc::dup2(file.as_raw_fd(), standard) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Has the system send `signal` to the program `command` starts when the thread that starts it
/// ends.
pub(crate) fn end_with_parent(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    let bind = move || {
        // SAFETY: prctl with this option takes no pointer and getppid takes nothing.
        let bound = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) } == 0;
        // SAFETY: as above.
        let alive = u32::try_from(unsafe { libc::getppid() }) == Ok(parent);
        if !bound {
            return Err(io::Error::last_os_error());
        }
        // The parent may have ended before the signal was set.
        if !alive {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure makes only async-signal-safe calls and does not allocate.
    unsafe {
        command.pre_exec(bind);
    }
}

/// Sends a signal to one process, whose id must be that of a child not reaped yet.
pub(crate) fn send_signal(pid: u32, signal: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    assert!(pid > 0, "other ids stand for groups of processes");
    // SAFETY: the call takes no pointer.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has `report` called when SIGABRT comes, with the id of the process that sent it, before it ends
/// the process as it would have. `report` may come in the middle of anything, so it must not take a
/// lock, and should not allocate.
pub(crate) fn report_abort(report: fn(sender: i32)) -> io::Result<()> {
    if ON_ABORT.set(report).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // The first walk loads what walks need, and so may allocate.
    #[cfg(target_env = "gnu")]
    walk_stack(&mut [std::ptr::null_mut(); 1]);
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all-zero is a valid `sigaction`, and the pointers are valid for the call. Only a
    // handler with three parameters goes with SA_SIGINFO. SA_RESETHAND has the signal do what it
    // does without us once we are done with it.
    let taken = unsafe {
        let action = action.assume_init_mut();
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESETHAND;
        action.sa_sigaction = aborted as *const () as usize;
        libc::sigaction(libc::SIGABRT, action, std::ptr::null_mut())
    };
    match taken {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

static ON_ABORT: OnceLock<fn(i32)> = OnceLock::new();

extern "C" fn aborted(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system gives a handler with SA_SIGINFO a valid pointer, and one who sends
    // SIGABRT, be it the process itself, is in it.
    let sender = unsafe { (*info).si_pid() };
    if let Some(report) = ON_ABORT.get() {
        report(sender);
    }
    // SAFETY: the call takes no pointer, and may be made in a handler. It ends the process when
    // the handler returns, as long as which the signal is blocked.
    unsafe { libc::raise(signal) };
}

/// Writes bytes without a lock or an allocation, as far as the file takes them at once.
pub(crate) fn write_at_once(file: BorrowedFd<'_>, bytes: &[u8]) {
    // SAFETY: the pointer is valid for as many bytes, and the file is open.
    unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
}

/// Writes where the calling thread is, a line for each frame that `addr2line` reads, without a
/// lock or an allocation. Only glibc can; elsewhere there are no frames.
#[cfg(target_env = "gnu")]
pub(crate) fn write_stack(file: BorrowedFd<'_>) {
    let mut frames = [std::ptr::null_mut(); STACK_FRAMES_MAX];
    let count = walk_stack(&mut frames);
    // SAFETY: the pointer is valid for as many frames, and the file is open.
    unsafe { libc::backtrace_symbols_fd(frames.as_ptr(), count, file.as_raw_fd()) };
}

#[cfg(target_env = "gnu")]
fn walk_stack(frames: &mut [*mut libc::c_void]) -> i32 {
    let room = i32::try_from(frames.len()).expect("frames are few");
    // SAFETY: the pointer is valid for as many frames.
    unsafe { libc::backtrace(frames.as_mut_ptr(), room) }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn write_stack(_: BorrowedFd<'_>) {}

/// Frames behind these are left out of a report.
#[cfg(target_env = "gnu")]
const STACK_FRAMES_MAX: usize = 128;

/// The soft and hard limit of open files.
pub(crate) fn file_limit() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is valid for the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok((limit.rlim_cur, limit.rlim_max)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets the soft and hard limit of open files.
pub(crate) fn set_file_limit(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the pointer is valid for the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_used_some_cpu_and_pages_have_a_size() {
        let mut sum = 0_u64;
        for i in 0..3_000_000_u64 {
            sum = std::hint::black_box(sum ^ i);
        }
        let (user, sys) = cpu_times();
        assert!(user + sys > Duration::ZERO);
        assert!(page_bytes() >= 4096);
    }

    #[test]
    fn a_title_ends_where_it_ends_whatever_was_there() {
        let args = 10;
        for (len, title, shown) in [
            (30, "ab", "ab"),
            (30, "abcdefghi", "abcdefghi"),
            (30, "abcdefghij", "abcdefghij"),
            (30, "abcdefghijklmn", "abcdefghijklmn"),
            (15, "abcdefghijklmnop", "abcdefghijklmn"),
            (10, "ab", "ab"),
            (10, "abcdefghijklmnop", "abcdefghi"),
        ] {
            let room = TitleRoom {
                start: 1,
                args,
                len,
            };
            let image = room.image(title.as_bytes());
            assert_eq!(image.len(), len);
            assert_eq!(*image.last().unwrap(), 0, "{title}");
            // What the system shows.
            let whole = if image[args - 1] == 0 { args } else { len };
            let end = image.iter().position(|&byte| byte == 0).unwrap();
            assert_eq!(&image[..end.min(whole)], shown.as_bytes(), "{title}");
            assert_eq!(image[args - 1] == 0, whole == args);
        }
    }

    #[test]
    fn the_arguments_are_found_where_the_system_says() {
        let own = TitleRoom::find(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        let words: usize = std::env::args().map(|word| word.len() + 1).sum();
        assert_eq!(own.args, words);
        assert!(own.len >= own.args);
        assert!(TitleRoom::find(b"1 (a b) c) S 1").is_none());
    }

    #[test]
    fn groups_have_numbers() {
        assert_eq!(group_id("root").unwrap(), Some(0));
        assert_eq!(group_id("no such group").unwrap(), None);
    }

    #[test]
    fn local_time_lies_within_a_day_of_utc() {
        // 2024-02-29 12:00:00 UTC.
        let time = local_time(1_709_208_000);
        assert_eq!(time.year, 2024);
        assert!(time.month == 1 || time.month == 2);
        assert!(time.second < 60);
    }
}
