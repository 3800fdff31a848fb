//! The words of the directives that take one of a list.

/// How much is logged.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Much.
    Verbose,
    /// What matters in production.
    Notice,
    /// Only what needs attention.
    Warning,
    /// Nothing.
    Nothing,
}

/// When the append-only file is synced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AppendFsync {
    /// Once a second.
    Everysec,
    /// Before each reply.
    Always,
    /// When the system likes.
    No,
}

/// Which keys make room when `maxmemory` is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MaxmemoryPolicy {
    /// The least recently used of those that expire.
    VolatileLru,
    /// The least frequently used of those that expire.
    VolatileLfu,
    /// Any of those that expire.
    VolatileRandom,
    /// Those that expire first.
    VolatileTtl,
    /// The least recently used.
    AllkeysLru,
    /// The least frequently used.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// None: writes are refused.
    Noeviction,
}

/// How a replica loads a data set sent without a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DisklessLoad {
    /// By way of a file.
    Disabled,
    /// From the socket if it holds no data.
    OnEmptyDb,
    /// From the socket, beside the old data set.
    Swapdb,
}

/// Who watches over the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Supervised {
    /// Upstart.
    Upstart,
    /// systemd.
    Systemd,
    /// Whoever the environment says.
    Auto,
    /// Nobody.
    No,
}

/// From where a guarded feature may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// From nowhere.
    No,
    /// From everywhere.
    Yes,
    /// From loopback addresses and Unix sockets.
    Local,
}

/// What is wrong with a data set sent by RESTORE or a master is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SanitizeDump {
    /// Never.
    No,
    /// Always.
    Yes,
    /// In what clients send.
    Clients,
}

/// What a replica does that can't execute a command of its master.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PropagationError {
    /// Logs it.
    Ignore,
    /// Exits.
    Panic,
    /// Exits if it is a replica.
    PanicOnReplicas,
}

/// Channels a new ACL user may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AclPubsubDefault {
    /// All.
    AllChannels,
    /// None.
    ResetChannels,
}

/// An amount of memory for all clients together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientsMemory {
    /// No bound.
    Unbounded,
    /// So many bytes.
    Bytes(u64),
    /// So much of `maxmemory`.
    PercentOfMaxmemory(u8),
}

impl LogLevel {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 5] = [
        Self::Debug,
        Self::Verbose,
        Self::Notice,
        Self::Warning,
        Self::Nothing,
    ];
}

impl AppendFsync {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 3] = [Self::Everysec, Self::Always, Self::No];
}

impl MaxmemoryPolicy {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 8] = [
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::Noeviction,
    ];
}

impl DisklessLoad {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 3] = [Self::Disabled, Self::OnEmptyDb, Self::Swapdb];
}

impl Supervised {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 4] = [Self::Upstart, Self::Systemd, Self::Auto, Self::No];
}

impl Access {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 3] = [Self::No, Self::Yes, Self::Local];
}

impl SanitizeDump {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 3] = [Self::No, Self::Yes, Self::Clients];
}

impl PropagationError {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 3] = [Self::Ignore, Self::Panic, Self::PanicOnReplicas];
}

impl AclPubsubDefault {
    /// In the order of the words in the table.
    pub(super) const ALL: [Self; 2] = [Self::AllChannels, Self::ResetChannels];
}
