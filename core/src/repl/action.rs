//! What replication asks the server to do.

use core::net::{IpAddr, SocketAddr};

use super::node::ReplicaAddr;
use super::primary::Contents;
use crate::machine::{ConnId, DiskOp};

/// One attempt to reach the master; what belongs to an earlier one is ignored.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Attempt(pub u64);

/// One snapshot taken for replicas.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SnapshotId(pub u64);

/// Something for the server to carry out, in order.
#[derive(Debug, Eq, PartialEq)]
pub enum Action {
    /// Look the master's name up; answered by
    /// [`resolved`](super::Replication::resolved).
    Resolve {
        /// Of the lookup.
        attempt: Attempt,
        /// The name.
        host: Box<str>,
    },
    /// Connect to the master. Tell [`dialing`](super::Replication::dialing) the connection's id
    /// at once, and [`connected`](super::Replication::connected) how it went.
    Dial {
        /// Of the connection.
        attempt: Attempt,
        /// The master.
        to: SocketAddr,
        /// Our own address, if it matters.
        from: Option<IpAddr>,
    },
    /// Write to the master.
    Send {
        /// The link.
        conn: ConnId,
        /// What to write.
        bytes: Vec<u8>,
    },
    /// Close a connection, of a replica or to the master. Replication has forgotten it already:
    /// [`hung_up`](super::Replication::hung_up) need not be called, and does no harm.
    Close {
        /// Which one.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Close a replica's connection as soon as its reply is written.
    CloseAfterReply {
        /// Which one.
        conn: ConnId,
        /// The error to write first, as it goes over the wire.
        reply: Vec<u8>,
    },
    /// Take a snapshot of the dataset as it is and answer with
    /// [`snapshot_started`](super::Replication::snapshot_started) before anything else runs.
    StartSnapshot {
        /// Names it from here on.
        id: SnapshotId,
        /// What it shall hold.
        contents: Contents,
        /// Whether it goes to the dataset's file, which is passed on from there after
        /// [`snapshot_saved`](super::Replication::snapshot_saved).
        to_file: bool,
    },
    /// Nobody wants that snapshot any more.
    StopSnapshot {
        /// Which one.
        id: SnapshotId,
    },
    /// Do something to the file a dataset is received into; answered by
    /// [`disk_done`](super::Replication::disk_done), in order.
    Disk {
        /// Of the transfer.
        attempt: Attempt,
        /// What to do.
        op: DiskOp,
    },
    /// The dataset received is complete, checked, durable and under its final name: end any
    /// snapshot being taken, drop the old dataset, load the file, and answer with
    /// [`loaded`](super::Replication::loaded). If the load fails keep nothing of it.
    LoadFile {
        /// Of the transfer.
        attempt: Attempt,
        /// Where it is.
        path: Box<str>,
    },
    /// Follow this replica from here on, as REPLICAOF would have it: call
    /// [`replica_of`](super::Replication::replica_of).
    Follow {
        /// The master to be.
        master: ReplicaAddr,
    },
    /// Be a master again, as REPLICAOF NO ONE would have it: call
    /// [`promote`](super::Replication::promote).
    Promote,
    /// Drop what was decoded from a transfer that will not be completed; the old dataset stays.
    AbandonLoad {
        /// Of the transfer.
        attempt: Attempt,
    },
}

/// Why replication closes a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// The link to the master is given up.
    Link,
    /// The replica shall come back and learn the new state of things.
    Resync,
    /// The replica was silent for too long.
    Timeout,
    /// The replica reads too slowly (`client-output-buffer-limit replica`).
    OutputLimit,
    /// The replica got the snapshot and wants nothing else.
    Delivered,
    /// The snapshot the replica waited for failed.
    SnapshotFailed,
}
