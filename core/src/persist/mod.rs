//! Files: RDB, the append-only file, snapshots and atomic replacement.

pub mod aof;
pub mod crc;
pub mod listpack;
pub mod load;
pub mod lzf;
mod out;
pub mod pace;
pub mod rdb;
pub mod replace;
pub mod save;
pub mod snapshot;
pub mod ziplist;
pub mod zipmap;
