//! Every bound of the core, in one place.

/// Room lent for reading when a connection has nothing pending: one buffer for all connections.
pub const READ_SCRATCH_BYTES: usize = 64 * 1024;
/// Room added to a connection's own read buffer when a command is incomplete.
pub const READ_GROW_BYTES: usize = 16 * 1024;
/// A bulk argument at least this long is read into a buffer of its own and never copied.
pub const BIG_BULK_BYTES: usize = 32 * 1024;
/// The longest inline command, as Redis has it.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// The most arguments of one command, as Redis has it.
pub const MULTIBULK_MAX: i64 = 1024 * 1024;
/// The most arguments of one command before authentication, as Redis has it.
pub const MULTIBULK_UNAUTHENTICATED_MAX: i64 = 10;
/// The longest argument before authentication, as Redis has it.
pub const BULK_UNAUTHENTICATED_MAX: i64 = 16 * 1024;
/// Commands of one connection that one turn executes; the rest waits for the next turn.
pub const COMMANDS_PER_TURN_MAX: usize = 256;
/// A reply chunk at least this long is shared with the keyspace instead of copied.
pub const SHARED_REPLY_BYTES: usize = 16 * 1024;

const _: () = assert!(READ_GROW_BYTES <= READ_SCRATCH_BYTES);
const _: () = assert!(SHARED_REPLY_BYTES <= BIG_BULK_BYTES);

/// A chunk of the replication stream is at least this long.
pub const REPL_CHUNK_BYTES_MIN: usize = 1024;
/// A chunk of the replication stream is at most this long.
pub const REPL_CHUNK_BYTES_MAX: usize = 64 * 1024;
/// A buffer for the effects of one command longer than this is given back after use.
pub const REPL_UNIT_BYTES_KEPT: usize = 64 * 1024;
/// The longest address a replica may announce, as Redis has it.
pub const REPL_ANNOUNCED_IP_BYTES_MAX: usize = 255;
/// Unsent bytes of a snapshot with which a replica makes it pause.
pub const REPL_SNAPSHOT_WINDOW_BYTES: usize = 1024 * 1024;
/// The longest snapshot held in memory for replicas that must know its length before it; they
/// are dropped when it grows longer.
pub const REPL_COUNTED_SNAPSHOT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest line a master may send during the handshake; the link is dropped at a longer one.
pub const REPL_LINE_BYTES_MAX: usize = 1024;
/// Bytes of a received dataset handed to the disk and not written yet with which reading stops.
pub const REPL_RECEIVE_WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// The longest transaction from the master kept until its EXEC; a longer one ends the link and
/// the dataset is fetched anew.
pub const REPL_OPEN_MULTI_BYTES_MAX: usize = 1024 * 1024 * 1024;

const _: () = assert!(REPL_CHUNK_BYTES_MIN <= REPL_CHUNK_BYTES_MAX);
