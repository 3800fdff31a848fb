//! Replication, both ends.
//!
//! [`Replication`] is the whole of it as one machine without I/O: the server tells it facts (a
//! line was received, a replica acknowledged, a link was lost), and carries out the [`Action`]s
//! it asks for. It is put together from parts that know nothing of each other: [`history`] holds
//! the ids and the offset, [`backlog`] the bytes of the stream, [`stream`] turns commands into
//! them, [`primary`] serves replicas, [`replica`] follows a master, and [`lineage`] says who is
//! above whom.

pub mod action;
pub mod backlog;
pub mod history;
pub mod lineage;
pub mod node;
pub mod primary;
pub mod receive;
pub mod replica;
pub mod settings;
pub mod stream;
pub mod wait;

pub use action::{Action, CloseReason};
pub use history::{Offset, ReplId};
pub use node::{Replication, Role};
pub use settings::Settings;

#[cfg(test)]
mod world;
