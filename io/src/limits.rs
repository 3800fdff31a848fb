//! Every bound of the driver, in one place.

use std::time::Duration;

/// Readiness reports taken from the system at once.
pub(crate) const EVENTS_PER_TURN: usize = 1024;
/// Connections accepted in one turn, as Redis has it; the rest waits for the next turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 1000;
/// Reads from one connection in one turn; the rest waits for the next turn.
pub(crate) const READS_PER_TURN: usize = 4;
/// Bytes written to one connection in one turn; the rest waits for the next turn.
pub(crate) const WRITE_BYTES_PER_TURN: usize = 512 * 1024;
/// Appends of up to so many bytes are not left to the disk thread while it has nothing to do.
pub(crate) const APPEND_AT_ONCE_BYTES: usize = 32 * 1024;
/// Bytes that are handed to a device at once, of a file that is written around the page cache.
pub(crate) const DIRECT_WRITE_BYTES: usize = 256 * 1024;
/// How long accepting rests when the process is out of files or the system out of memory.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// The least time between two reports of what the system says of the process.
pub(crate) const FACTS_INTERVAL: Duration = Duration::from_millis(100);
/// Names looked up at the same time.
pub(crate) const RESOLVER_THREADS_MAX: usize = 4;
/// Names waiting for a look-up; one more is answered with no address at once.
pub(crate) const RESOLVER_QUEUE_MAX: usize = 1024;
/// Scripts running at the same time; one more is not started.
pub(crate) const SCRIPTS_MAX: usize = 64;
/// Stack of a thread that does nothing deep.
pub(crate) const THREAD_STACK_BYTES: usize = 256 * 1024;
/// Files the process needs beside those of its clients, as Redis reckons.
pub(crate) const RESERVED_FILES: u64 = 32;

const _: () = assert!(READS_PER_TURN >= 1);
const _: () = assert!(ACCEPTS_PER_TURN >= 1);
