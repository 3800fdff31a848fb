//! Replication, both ends.
