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
/// The longest string that is read from RDB data. Memory for it grows with what has arrived.
pub const RDB_STRING_BYTES_MAX: u64 = 4 << 30;
/// A piece of RDB data that is written to a file or a replica at once.
pub const RDB_CHUNK_BYTES: usize = 64 * 1024;
/// The longest string that is compressed in RDB data; a longer one would hold up its turn.
pub const RDB_COMPRESS_BYTES_MAX: usize = 128 * 1024;
/// Bytes that are read at once from a file being loaded, and decoded in one turn.
pub const LOAD_READ_BYTES: u32 = 128 * 1024;
/// Pieces of a file being loaded that are read ahead.
pub const LOAD_READS_IN_FLIGHT: usize = 3;
/// Chunks of a file being saved that are on their way to the disk.
pub const SAVE_APPENDS_IN_FLIGHT_MAX: usize = 8;
/// Bytes after which a file being saved is synced by and by, as Redis has it.
pub const SAVE_SYNC_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of keys and values that a snapshot encodes in one turn, which takes some tens of
/// microseconds.
pub const SNAPSHOT_TURN_BYTES: usize = 16 * 1024;
/// Encoded bytes beyond which a snapshot waits until some are taken.
pub const SNAPSHOT_AHEAD_BYTES: usize = 4 * RDB_CHUNK_BYTES;
/// Bytes that a snapshot holds for values that were about to change, beyond which writes wait
/// until some are encoded and taken; a share of the dataset is added.
pub const SNAPSHOT_HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The part of the dataset's memory that is added.
pub const SNAPSHOT_HELD_SHARE: usize = 16;
/// Chunks of a long list that a snapshot encodes at a time.
pub const SNAPSHOT_LIST_CHUNKS: usize = 4;
/// A list item at least this long is a node of its own in RDB data, outside any listpack.
pub const RDB_PLAIN_NODE_BYTES: usize = 64 * 1024;

const _: () = assert!(READ_GROW_BYTES <= READ_SCRATCH_BYTES);
const _: () = assert!(SHARED_REPLY_BYTES <= BIG_BULK_BYTES);
/// The most bytes of one chunk of a list, unless a single item is longer.
pub const LIST_CHUNK_BYTES: usize = 8 * 1024;
/// The most entries of one segment of a table; a full one splits.
pub const SEGMENT_ENTRIES_MAX: usize = 448;
/// The most bits of a hash that choose a segment.
pub const SEGMENT_DEPTH_MAX: u8 = 32;
/// Values of more allocations than this are freed by and by.
pub const LAZY_FREE_ALLOCATIONS: usize = 64;
