//! The seam between the machines and their drivers.
//!
//! A machine is fed inputs (`handle_*`), told when a turn ends, and then drained of its outputs
//! (`poll_*`). Outputs are of three kinds that never mix: bytes lie in buffers, effects in a
//! queue, and the next deadline is state that is asked for.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::{Add, Sub};
use core::time::Duration;
use std::io::IoSlice;

use bytes::Bytes;
use smallvec::SmallVec;

/// Nanoseconds since an arbitrary origin. Never goes backwards.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mono(u64);

impl Mono {
    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to `self`; zero if `earlier` lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    /// A deadline too far away to count is the last instant there is.
    fn add(self, delay: Duration) -> Self {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;

    /// An instant before the origin is the origin.
    fn sub(self, delay: Duration) -> Self {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

/// Milliseconds since the Unix epoch. May jump in either direction.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Wall(i64);

impl Wall {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Both clocks, read once per input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// For every deadline and age.
    pub mono: Mono,
    /// For expiry times and what people read.
    pub wall: Wall,
}

/// One connection of one machine. An id is never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId {
    /// The connection's slot; slots are reused.
    pub index: u32,
    /// Tells connections apart that used the same slot.
    pub generation: u32,
}

/// Ties an effect to the one completion that answers it. Ascends.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// An open file, named by the machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileId(pub u32);

/// A script process, named by the machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ScriptId(pub u64);

/// Where a socket is or shall be.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Addr {
    /// A TCP endpoint.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(Box<str>),
}

impl fmt::Display for Addr {
    /// As Redis prints it: `ip:port`, `[ip6]:port` or `path:0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => write!(f, "{addr}"),
            Self::Unix(path) => write!(f, "{path}:0"),
        }
    }
}

/// Who connected, and to which of our addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The address of the other side; for a Unix socket, its path.
    pub remote: Addr,
    /// Our side of the connection.
    pub local: Addr,
}

/// A connection that is turned away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// What the driver writes, as far as the socket takes it, before it closes the connection.
    pub reply: &'static str,
}

/// Why a connection could not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectFault {
    /// The system's error number; 0 if it gave none.
    pub errno: i32,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hangup {
    /// The peer closed its side.
    Eof,
    /// The connection broke.
    Error {
        /// The system's error number; 0 if it gave none.
        errno: i32,
    },
}

/// What the process was asked to do by signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

/// What only the operating system knows, reported a few times a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Resident set size, bytes.
    pub rss_bytes: u64,
    /// User CPU time of the process.
    pub cpu_user: Duration,
    /// System CPU time of the process.
    pub cpu_sys: Duration,
    /// Bytes the allocator handed out; 0 if it can't tell.
    pub allocated_bytes: u64,
    /// Bytes in the allocator's active pages; 0 if it can't tell.
    pub active_bytes: u64,
    /// Bytes the allocator keeps resident; 0 if it can't tell.
    pub resident_bytes: u64,
}

/// What a machine asks of its driver.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Listen for connections. Answered by [`Done::Listen`].
    Listen {
        /// Answered with.
        ticket: Ticket,
        /// Where; port 0 lets the system choose.
        addr: Addr,
        /// Longest queue of connections not yet accepted.
        backlog: u32,
        /// Who may use a Unix socket.
        access: UnixAccess,
    },
    /// Stop listening there. Not answered.
    Unlisten {
        /// An address a `Listen` succeeded for.
        addr: Addr,
    },
    /// Connect a socket. Answered by [`Machine::handle_connected`].
    Connect {
        /// The id of the connection to be.
        conn: ConnId,
        /// Where to.
        to: Addr,
        /// Our own address, if it matters.
        from: Option<IpAddr>,
    },
    /// Close a connection, sending nothing more. Not answered; the id is dead from here on.
    Close {
        /// Which one.
        conn: ConnId,
    },
    /// Turn on TCP keep-alive probes. Not answered.
    Keepalive {
        /// Which connection.
        conn: ConnId,
        /// Idle time before the first probe.
        idle: Duration,
    },
    /// Look a host name up. Answered by [`Done::Resolved`].
    Resolve {
        /// Answered with.
        ticket: Ticket,
        /// A host name or an address in text.
        host: Box<str>,
    },
    /// Do something to a file. Answered by [`Done::Disk`].
    Disk {
        /// Answered with.
        ticket: Ticket,
        /// What to do.
        op: DiskOp,
    },
    /// Run a program with the environment of this process and no file but the standard three.
    /// Once it runs, its process id is told by [`Machine::handle_spawned`]. Answered by
    /// [`Done::Script`] when it has ended, or did not start.
    Spawn {
        /// Answered with.
        ticket: Ticket,
        /// Names the process for `Kill`.
        script: ScriptId,
        /// The program.
        path: Box<str>,
        /// Its arguments, without the program's own name.
        args: Vec<Vec<u8>>,
    },
    /// Kill a running script with SIGKILL; its `Spawn` is still answered.
    Kill {
        /// Which one.
        script: ScriptId,
    },
    /// Do something to the addresses of this host. Answered by [`Done::Address`].
    Address {
        /// Answered with.
        ticket: Ticket,
        /// What to do.
        op: AddressOp,
    },
    /// Tell the service manager how we are (`READY=1`, `STATUS=...`). Not answered.
    Notify {
        /// One assignment per line, as sd_notify(3) has them.
        state: Box<str>,
    },
    /// Show this as the title of the process, where lists of processes have its command line. Not
    /// answered.
    Title {
        /// The title.
        text: Box<str>,
    },
    /// End the process. The last effect of a machine.
    Exit {
        /// The exit status.
        code: u8,
    },
}

/// Who may use a Unix socket; what is left open is as the system makes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UnixAccess {
    /// Its permissions.
    pub mode: Option<u32>,
    /// The name or number of its group.
    pub group: Option<Box<str>>,
}

/// One step on the addresses of this host's interfaces. They are carried out in the order given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AddressOp {
    /// Asks for all of them.
    List,
    /// Puts an address on an interface, or renews it there. The system takes it away when its
    /// time is over.
    Add {
        /// The address.
        ip: IpAddr,
        /// The length of its network's prefix.
        prefix: u8,
        /// The name of the interface.
        interface: Box<str>,
        /// How long it stays.
        seconds: u32,
    },
    /// Takes an address away.
    Remove {
        /// The address.
        ip: IpAddr,
        /// The length of its network's prefix.
        prefix: u8,
        /// The name of the interface.
        interface: Box<str>,
    },
    /// Tells the neighbours that an address is here: by a gratuitous ARP, or an unsolicited
    /// neighbour advertisement.
    Announce {
        /// The address.
        ip: IpAddr,
        /// The name of the interface.
        interface: Box<str>,
    },
}

/// One primitive step on a file. Their order is the machine's business; the driver carries them
/// out in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Opens a file under an id of the machine's choice.
    Open {
        /// Not in use.
        file: FileId,
        /// Relative paths start at the process's working directory.
        path: Box<str>,
        /// How.
        mode: OpenMode,
    },
    /// Writes at the end of a file. After a fault, a part of it may be there.
    Append {
        /// Opened for writing.
        file: FileId,
        /// What to write.
        data: Bytes,
    },
    /// Reads part of a file: as much as there is, at most `len`. Empty means the end.
    Read {
        /// Opened for reading.
        file: FileId,
        /// Offset of the first byte.
        at: u64,
        /// The most to read.
        len: u32,
    },
    /// Makes everything appended so far durable.
    Sync {
        /// Opened for writing.
        file: FileId,
    },
    /// Cuts a file off behind its first bytes.
    Truncate {
        /// Opened for writing.
        file: FileId,
        /// How many bytes stay.
        len: u64,
    },
    /// Closes a file; its id is free again.
    Close {
        /// Which one.
        file: FileId,
    },
    /// Renames a file, replacing what has the new name.
    Rename {
        /// The old path.
        from: Box<str>,
        /// The new path.
        to: Box<str>,
    },
    /// Removes a file. One that is not there counts as removed.
    Remove {
        /// Its path.
        path: Box<str>,
    },
    /// Asks how long a file is: answered with eight bytes, the lowest first.
    Length {
        /// Its path.
        path: Box<str>,
    },
    /// Asks whether a file is a program that may be run; a fault says no.
    CanRun {
        /// Its path.
        path: Box<str>,
    },
    /// Makes a directory. One that is there counts as made.
    MakeDir {
        /// Its path.
        path: Box<str>,
    },
    /// Makes renames, creations and removals in a directory durable.
    SyncDir {
        /// The directory.
        path: Box<str>,
    },
    /// Changes the process's working directory.
    ChangeDir {
        /// The directory.
        path: Box<str>,
    },
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenMode {
    /// For writing, empty, made if it is not there.
    Create,
    /// As [`Create`](Self::Create), for a file that is written once, from its start to its end,
    /// and not read soon: it goes around the page cache where the system lets it. What is appended
    /// may be lost with the process, and not be there for others to read, until it is synced or
    /// the file is closed; these are all the steps there are for it.
    CreateDirect,
    /// For writing at its end, made if it is not there.
    Append,
    /// For reading; it must be there.
    Read,
}

/// Why a step on a file failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiskFault {
    /// The file is not there.
    NotFound,
    /// The disk is full.
    NoSpace,
    /// Anything else.
    Failed {
        /// The system's error number; 0 if it gave none.
        errno: i32,
    },
}

impl fmt::Display for DiskFault {
    /// In the system's words where people know them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = match self {
            Self::NotFound => return f.write_str("No such file or directory"),
            Self::NoSpace => return f.write_str("No space left on device"),
            Self::Failed { errno } => *errno,
        };
        f.write_str(match errno {
            5 => "Input/output error",
            9 => "Bad file descriptor",
            13 => "Permission denied",
            20 => "Not a directory",
            21 => "Is a directory",
            27 => "File too large",
            30 => "Read-only file system",
            _ => return write!(f, "error number {errno}"),
        })
    }
}

/// How a script ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptExit {
    /// By itself.
    Exited {
        /// Its exit status.
        code: i32,
    },
    /// By a signal.
    Signaled {
        /// Its number.
        signal: i32,
    },
    /// It could not be started.
    NotStarted {
        /// The system's error number; 0 if it gave none.
        errno: i32,
    },
}

/// The answer to an effect with a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Of the effect.
    pub ticket: Ticket,
    /// What came of it.
    pub done: Done,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The address listened on (with the system's choice of port), or the error number.
    Listen(Result<Addr, i32>),
    /// The addresses of a name; empty if it has none.
    Resolved(Vec<IpAddr>),
    /// The bytes of a `Read`, the number of a `Length`, none for any other step.
    Disk(Result<Bytes, DiskFault>),
    /// The addresses of this host for a `List`, none for any other step; or the error number.
    Address(Result<Vec<IpAddr>, i32>),
    /// How a script ended.
    Script {
        /// The process id it had; 0 if it never started.
        pid: u32,
        /// How it ended.
        exit: ScriptExit,
    },
}

/// What a deadline is for; shown in traces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimerName(pub &'static str);

/// The kind of node a log line is stamped with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogRole {
    /// `M`
    Master,
    /// `S`
    Replica,
    /// `X`
    Sentinel,
}

/// How much is logged, in Redis's words. Each includes what follows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogLevel {
    /// `debug`: trace events.
    Debug,
    /// `verbose`: debug events.
    Verbose,
    /// `notice`: info events.
    Notice,
    /// `warning`: warn and error events.
    Warning,
    /// `nothing`.
    Nothing,
}

/// Scattered bytes to be written in order.
pub type Slices<'a> = SmallVec<[IoSlice<'a>; 16]>;

/// A deterministic state machine behind the seam.
///
/// A driver repeats: feed any number of inputs; call [`end_turn`](Self::end_turn); drain
/// [`poll_effect`](Self::poll_effect) and [`poll_writable`](Self::poll_writable); ask
/// [`has_backlog`](Self::has_backlog) and [`poll_timeout`](Self::poll_timeout) before it sleeps.
/// No input fails for a peer's mistake; a driver's mistake is an assertion.
pub trait Machine {
    /// Takes a new connection, or says what to tell the peer before turning it away.
    fn handle_accept(&mut self, now: Now, peer: Peer) -> Result<ConnId, Refusal>;
    /// Answers [`Effect::Connect`] with our side's address.
    fn handle_connected(&mut self, now: Now, conn: ConnId, local: Result<Addr, ConnectFault>);
    /// Takes `filled` bytes that were put at the start of the last
    /// [`read_space`](Self::read_space) lent for `conn`. What they ask for is done by the end of
    /// the turn, or by the next input that is not a read.
    fn handle_read(&mut self, now: Now, conn: ConnId, filled: usize);
    /// Takes the end of a connection; its id is dead from here on, and no `Close` follows.
    fn handle_hangup(&mut self, now: Now, conn: ConnId, cause: Hangup);
    /// Takes the answer to an effect.
    fn handle_done(&mut self, now: Now, done: Completion);
    /// Takes the process id of a script that was started.
    fn handle_spawned(&mut self, _: Now, _: ScriptId, _pid: u32) {}
    /// Takes the passing of time. Calls before the deadline do no harm.
    fn handle_timeout(&mut self, now: Now);
    /// Takes a signal.
    fn handle_signal(&mut self, now: Now, signal: Signal);
    /// Takes what the system says of the process.
    fn handle_facts(&mut self, now: Now, facts: Facts);
    /// Ends one turn. Afterwards no deadline at or before `now` remains.
    fn end_turn(&mut self, now: Now);

    /// The next effect to carry out.
    #[must_use]
    fn poll_effect(&mut self) -> Option<Effect>;
    /// A connection with bytes to write that was not writable when last asked, or has more now.
    #[must_use]
    fn poll_writable(&mut self) -> Option<ConnId>;
    /// The next deadline.
    #[must_use]
    fn poll_timeout(&self) -> Option<(Mono, TimerName)>;
    /// Whether input already read is waiting for its next share of a turn.
    #[must_use]
    fn has_backlog(&self) -> bool;
    /// Whether all of that backlog is work that nobody waits for, so that a driver may leave the
    /// processor to others between two turns.
    #[must_use]
    fn is_in_background(&self) -> bool {
        false
    }
    /// What log lines are stamped with.
    #[must_use]
    fn log_role(&self) -> LogRole;
    /// How much is to be logged; `None` leaves it as the driver was started.
    #[must_use]
    fn log_level(&self) -> Option<LogLevel> {
        None
    }

    /// Lends room for the next bytes of a connection; never empty. The loan ends with the next
    /// call of this method, for whichever connection.
    #[must_use]
    fn read_space(&mut self, conn: ConnId) -> &mut [u8];
    /// Whether the machine takes input from this connection at present. A driver that is told
    /// no leaves the bytes in the socket and asks again after the next turn. It asks before every
    /// read, so the answer for a connection the machine has closed, whose `Close` it may not have
    /// seen yet, is no.
    #[must_use]
    fn wants_read(&self, conn: ConnId) -> bool;
    /// Lends the bytes that may be written now.
    fn writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>);
    /// Takes back the first `written` of them.
    fn consume(&mut self, now: Now, conn: ConnId, written: usize);
}
