//! Every bound of the core, in one place.

use core::time::Duration;

/// Room lent for reading when a connection has nothing pending: one buffer for all connections.
pub const READ_SCRATCH_BYTES: usize = 64 * 1024;
/// Room added to a connection's own read buffer when a command is incomplete.
pub const READ_GROW_BYTES: usize = 16 * 1024;
/// A bulk argument at least this long is read into a buffer of its own and never copied.
pub const BIG_BULK_BYTES: usize = 32 * 1024;
/// A big bulk up to this long gets its whole buffer at once; the buffer of a longer one grows as
/// its bytes arrive, so that an announcement alone costs little.
pub const BIG_BULK_TRUST_BYTES: usize = 1024 * 1024;
/// The longest inline command and the longest length line, as Redis has it.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// The most arguments of one command, as Redis has it since 7.0 (1M before). What an announced
/// count costs is bounded by the bytes that follow, never by the count.
pub const MULTIBULK_MAX: i64 = i32::MAX as i64;
/// The most arguments of one command before authentication, as Redis has it.
pub const MULTIBULK_UNAUTHENTICATED_MAX: i64 = 10;
/// The longest argument before authentication, as Redis has it.
pub const BULK_UNAUTHENTICATED_MAX: i64 = 16 * 1024;
/// Commands of one connection that one turn executes; the rest waits for the next turn.
pub const COMMANDS_PER_TURN_MAX: usize = 256;
/// The most ACL users.
pub const ACL_USERS_MAX: usize = 1 << 20;
/// The longest file of ACL users.
pub const ACL_FILE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// ACL LOAD and ACL SAVE that wait for those before them; with more, they are refused.
pub const ACL_FILE_JOBS_MAX: usize = 64;
/// Unread replies of a client that has not authenticated; with more, it is cut off.
pub const UNAUTHENTICATED_OUTPUT_BYTES_MAX: u64 = 16 * 1024 + 1024;
/// `*` of a pattern with something else behind them; a pattern with more matches nothing, as in
/// Redis.
pub const GLOB_STARS_MAX: usize = 1000;
/// Keys with a time to live of their own that a writable replica deletes itself.
pub const OWN_EXPIRY_KEYS_MAX: usize = 1 << 20;
/// How many of them it looks at in one turn.
pub const OWN_EXPIRY_PER_TURN_MAX: usize = 256;
/// A reply chunk at least this long is shared with the keyspace instead of copied.
pub const SHARED_REPLY_BYTES: usize = 16 * 1024;
/// Replies gather in chunks about this long; memory goes back chunk by chunk as they are sent.
pub const REPLY_CHUNK_BYTES: usize = 16 * 1024;
/// Drained reply buffers kept for the next connections that need one.
pub const REPLY_SPARES_MAX: usize = 64;
/// Argument positions kept allocated between commands.
pub const ARGV_KEEP: usize = 1024;
/// How deep a reply from another server may nest.
pub const VALUE_DEPTH_MAX: usize = 32;
/// The most bytes of one reply from another server, unless the reader says otherwise.
pub const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;
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
/// Bytes after which a file being saved is synced by and by. A sync keeps a processor busy for as
/// long as it has pages to hand on, and whoever else needs that processor waits.
pub const SAVE_SYNC_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of keys and values that a snapshot encodes in one turn, which takes some ten
/// microseconds: a command that comes meanwhile waits for as long as that.
pub const SNAPSHOT_TURN_BYTES: usize = 4 * 1024;
/// Encoded bytes beyond which a snapshot waits until some are taken.
pub const SNAPSHOT_AHEAD_BYTES: usize = 4 * RDB_CHUNK_BYTES;
/// Bytes that a snapshot holds for values that were about to change, beyond which writes wait
/// until some are encoded and taken; a share of the dataset is added.
pub const SNAPSHOT_HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The part of the dataset's memory that is added.
pub const SNAPSHOT_HELD_SHARE: usize = 16;
/// The longest line of a manifest of the append-only file, as Redis has it.
pub const AOF_MANIFEST_LINE_BYTES_MAX: usize = 1024;
/// The most lines of one. Failed rewrites leave a file each.
pub const AOF_MANIFEST_LINES_MAX: usize = 10_000;
/// Bytes that wait to be written to the append-only file, beyond which commands wait.
pub const AOF_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of the append-only file written at once.
pub const AOF_APPEND_BYTES_MAX: usize = 4 * 1024 * 1024;
/// For how long what the next sync under `appendfsync always` is to cover is gathered at most,
/// while more and more comes.
pub const AOF_GATHER_MAX: Duration = Duration::from_millis(1);
/// A list item at least this long is a node of its own in RDB data, outside any listpack.
pub const RDB_PLAIN_NODE_BYTES: usize = 64 * 1024;

/// Bytes of one read that may wait where they are until other connections are read.
pub const HELD_READ_BYTES_MAX: usize = 2 * 1024;
/// Connections whose input waits like that.
pub const HELD_READS_MAX: usize = WARM_KEYS_MAX;

const _: () = {
    // Behind what is held and what is pending there is room for as much as a read grows by.
    let held = HELD_READS_MAX * HELD_READ_BYTES_MAX;
    assert!(held + 2 * READ_GROW_BYTES <= READ_SCRATCH_BYTES);
};
const _: () = assert!(SHARED_REPLY_BYTES <= BIG_BULK_BYTES);
const _: () = assert!(BIG_BULK_BYTES <= BIG_BULK_TRUST_BYTES);
const _: () = assert!(BULK_UNAUTHENTICATED_MAX < BIG_BULK_BYTES as i64);

/// Replicas of one master that a Sentinel watches.
pub const REPLICAS_PER_MASTER_MAX: usize = 1_000;
/// Other Sentinels a Sentinel takes note of per master.
pub const PEERS_PER_MASTER_MAX: usize = 200;
/// Replication ids of past masters a Sentinel remembers per group.
pub const HISTORIES_MAX: usize = 32;
/// Replies a link may be waiting for before the periodic commands stop, per user of the link.
pub const LINK_PENDING_MAX: usize = 100;
/// Addresses of its own host that a Sentinel knows.
pub const SENTINEL_OWN_ADDRESSES_MAX: usize = 64;
/// Failovers of one master a Sentinel tells of.
pub const SENTINEL_FAILOVERS_KEPT: usize = 16;
/// Replicas, and Sentinels, of one master that were forgotten and are not taken in again yet.
pub const SENTINEL_FORGOTTEN_MAX: usize = 1_000;
/// Scripts waiting or running; of more, the oldest that waits is dropped.
pub const SCRIPTS_QUEUED_MAX: usize = 256;
/// Scripts running at the same time.
pub const SCRIPTS_RUNNING_MAX: usize = 16;

/// The most masters with a virtual IP: each is looked at in every turn.
pub const SENTINEL_VIRTUAL_IPS_MAX: usize = 64;
/// After one announcement of a virtual IP the milliseconds to the next, until there is none.
pub const VIRTUAL_IP_ANNOUNCEMENTS: [u64; 5] = [50, 200, 1_000, 3_000, 10_000];

const _: () = assert!(SCRIPTS_RUNNING_MAX < SCRIPTS_QUEUED_MAX);
/// The longest path of files that include each other.
pub const CONFIG_INCLUDE_DEPTH_MAX: usize = 16;
/// The most lines of all configuration files together.
pub const CONFIG_LINES_MAX: usize = 1_000_000;
/// The most addresses of one `bind`, as Redis has it.
pub const BIND_ADDRESSES_MAX: usize = 16;
/// The most save points.
pub const SAVE_POINTS_MAX: usize = 1024;
/// The most percentiles of `latency-tracking-info-percentiles`.
pub const PERCENTILES_MAX: usize = 128;
/// The most masters of one sentinel.conf.
pub const SENTINEL_MASTERS_MAX: usize = 16 * 1024;
/// The most replicas, sentinels or renamed commands of one master in sentinel.conf.
pub const SENTINEL_KNOWN_MAX: usize = 4 * 1024;
/// The longest configuration file a Sentinel reads back.
pub const SENTINEL_FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest argument of a command to a Sentinel.
pub const SENTINEL_BULK_MAX: i64 = 1024 * 1024;
/// Output of a Sentinel's client that does not read; with more, it is closed.
pub const SENTINEL_CLIENT_OUTPUT_MAX: usize = 32 * 1024 * 1024;
/// Channels and patterns one client of a Sentinel listens to.
pub const SENTINEL_SUBSCRIPTIONS_MAX: usize = 10_000;
/// Replies of a Sentinel that wait for the disk; of more, the later ones are refused.
pub const SENTINEL_DEFERRED_MAX: usize = 10_000;
/// Names a Sentinel has looked up at the same time for operators.
pub const SENTINEL_LOOKUPS_MAX: usize = 100;

const _: () = assert!(REPLICAS_PER_MASTER_MAX <= SENTINEL_KNOWN_MAX);
const _: () = assert!(PEERS_PER_MASTER_MAX <= SENTINEL_KNOWN_MAX);
/// The most bytes of a list that lies beside its key.
pub const LIST_SMALL_BYTES: usize = 512;
/// The most bytes of one chunk of a list, unless a single item is longer.
pub const LIST_CHUNK_BYTES: usize = 8 * 1024;
/// Members of a set of integers at most, whatever the configuration allows: each change moves
/// what lies behind it.
pub const SET_INTS_MAX: usize = 8192;
/// Items of a packed collection at most; it is counted in 16 bits.
pub const PACK_ITEMS_MAX: usize = u16::MAX as usize;
/// Bytes of a packed collection at most, whatever the configuration allows: each change moves
/// what lies behind it.
pub const PACK_BYTES_MAX: usize = 128 * 1024;
/// Keys of commands that wait in a connection's input which are looked up ahead, together.
pub const WARM_KEYS_MAX: usize = 16;
/// Keys of a database from which on that is worth it: about those that a cache holds.
pub const WARM_DB_KEYS_MIN: usize = 4096;
/// Elements of a value from which on they are looked up ahead as well.
pub const WARM_ELEMENTS_MIN: usize = 4096;
/// The most entries of one segment of a table; a full one splits.
pub const SEGMENT_ENTRIES_MAX: usize = 448;
/// The most bits of a hash that choose a segment.
pub const SEGMENT_DEPTH_MAX: u8 = 32;
/// Values of more allocations than this are freed by and by.
pub const LAZY_FREE_ALLOCATIONS: usize = 64;

/// A chunk of the replication stream is at least this long.
pub const REPL_CHUNK_BYTES_MIN: usize = 1024;
/// A chunk of the replication stream is at most this long.
pub const REPL_CHUNK_BYTES_MAX: usize = 64 * 1024;
/// A buffer for the effects of commands longer than this is given back after use.
pub const REPL_UNIT_BYTES_KEPT: usize = 64 * 1024;
/// The longest address a replica may announce, as Redis has it.
pub const REPL_ANNOUNCED_IP_BYTES_MAX: usize = 255;
/// Unsent bytes of a snapshot with which a replica makes it pause.
pub const REPL_SNAPSHOT_WINDOW_BYTES: usize = 1024 * 1024;
/// The longest line a master may send during the handshake; the link is dropped at a longer one.
pub const REPL_LINE_BYTES_MAX: usize = 1024;
/// Masters above a server that it knows of; a circle of more servers is not noticed by their names.
pub const REPL_MASTERS_MAX: usize = 16;
/// Bytes of a received dataset handed to the disk and not written yet with which reading stops.
pub const REPL_RECEIVE_WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// The longest transaction from the master kept until its EXEC; a longer one ends the link and
/// the dataset is fetched anew.
pub const REPL_OPEN_MULTI_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Memory a reply of MIGRATE's target may take; none of them is longer than a line.
pub const MIGRATE_REPLY_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(REPL_CHUNK_BYTES_MIN <= REPL_CHUNK_BYTES_MAX);
/// Input a waiting or closing connection may have in memory; the rest stays in its socket.
pub const HELD_INPUT_BYTES_MAX: usize = 64 * 1024;
/// Keys whose waiting clients are looked at when one unit has ended; those of further keys are
/// looked at behind the next.
pub const SERVED_KEYS_PER_UNIT_MAX: usize = 64 * 1024;
/// How often replication may ask for something and be asked again within one turn.
pub const REPL_ROUNDS_PER_TURN_MAX: usize = 64;
/// Segments and entries that active expiry looks at in one turn.
pub const EXPIRE_EFFORT_PER_TURN: usize = 400;
/// How long a pass of active expiry goes on, turn by turn, in milliseconds: a quarter of the time
/// from one to the next, as Redis has it.
pub const EXPIRE_PASS_MS: u64 = 25;
/// Steps of eviction that stand for a microsecond of the time Redis would take: entries or
/// segments looked at, allocations freed.
pub const EVICTION_STEPS_PER_MICRO: u64 = 6;
/// Steps that removing an evicted key counts as.
pub const EVICTION_KEY_STEPS: usize = 6;
/// Steps that each command may take at least, some keys' worth, so that memory can't outgrow them.
pub const EVICTION_STEPS_MIN: usize = 256;
/// Steps that each command may take at most, however tenacious eviction shall be.
pub const EVICTION_STEPS_MAX: usize = 120_000;
/// How many commands may take their full share of steps in one turn.
pub const EVICTION_SHARES_PER_TURN: usize = 4;
/// Allocations freed at a time before it is looked whether that is enough.
pub const EVICTION_FREED_STEP: usize = 64;
/// The least memory that `maxmemory-clients` leaves clients, as Redis has it.
pub const CLIENTS_MEMORY_MIN: u64 = 128 * 1024;
/// What a subscription or a watched key counts as in its client's memory, bytes.
pub const CLIENT_ITEM_BYTES: usize = 128;
/// Allocations of flushed or deleted values freed in one turn.
pub const FREED_PER_TURN_MAX: usize = 2_000;
/// Bytes asked of a file at a time.
pub const FILE_READ_BYTES: u32 = 256 * 1024;

/// Bytes of a page of a large sorted set's elements.
pub const ZSET_PAGE_BYTES: usize = 16 * 1024;
/// A member longer than this lies in an allocation of its own.
pub const ZSET_INLINE_BYTES_MAX: usize = 1000;
/// Elements of a large sorted set per segment of its index, about.
pub const ZSET_SEGMENT_ENTRIES: usize = 104;
/// Sets whose members are looked for in each other for a union; of more, it is collected.
pub const SETS_COMPARED_MAX: usize = 4;
/// Members in one SREM that goes to replicas for an SPOP of many.
pub const SPOP_OPERATION_MEMBERS: usize = 1024;
/// The most bytes of elements drawn again and again for one reply; more are refused.
pub const DRAWN_BYTES_MAX: usize = 1 << 30;
/// Bytes of a node of a stream whatever `stream-node-max-bytes` says, and of the fields and values
/// of one entry, as Redis has it.
pub const STREAM_NODE_BYTES_MAX: usize = 1 << 30;
/// Unacknowledged entries of a consumer group that lie in one allocation.
pub const STREAM_PENDING_PER_CHUNK: usize = 64;
/// Address space of the stack that scripts run on: what a process has by default, which Lua's own
/// bounds of recursion were made for. Memory is taken as it is used.
pub const SCRIPT_STACK_BYTES: usize = 8 * 1024 * 1024;
/// Instructions of Lua that a script runs in one turn, some hundred microseconds.
pub const SCRIPT_SLICE_INSTRUCTIONS: u32 = 100_000;
/// Steps in which a script that is killed ends; it can't catch what ends it.
pub const SCRIPT_KILL_STEPS_MAX: usize = 1000;
/// How deep the tables may nest that a script returns.
pub const SCRIPT_REPLY_DEPTH_MAX: usize = 256;
/// Commands that a script calls in one turn.
pub const SCRIPT_CALLS_PER_TURN_MAX: usize = 1000;
/// Scripts that EVAL has made known; with more, the one that was not run for longest is forgotten.
pub const EVAL_SCRIPTS_MAX: usize = 500;
