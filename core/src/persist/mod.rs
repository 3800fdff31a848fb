//! Files: RDB, snapshots and atomic replacement.
