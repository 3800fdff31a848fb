//! Files: RDB, snapshots and atomic replacement.

pub mod crc;
pub mod listpack;
pub mod lzf;
pub mod rdb;
pub mod ziplist;
