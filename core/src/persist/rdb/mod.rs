//! The RDB format: what files, full syncs and DUMP payloads are made of.

mod decode;
mod dump;
mod encode;
mod fault;
mod hash;
mod input;
mod kind;
mod list;
mod read;
mod set;
mod stream;
mod zset;

pub use decode::{Decoder, Item, Options, Place};
pub use dump::{dump, restore, restore_unchecked};
pub use encode::{Encoder, KeyMeta, Preamble, ReplPoint};
pub use fault::RdbFault;
pub use kind::{VERSION_READ_MAX, VERSION_WRITTEN};

#[cfg(test)]
mod tests;
