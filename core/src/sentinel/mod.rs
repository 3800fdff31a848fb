//! Sentinel: watches masters, agrees with its peers on who is one, and makes a new one.
//!
//! [`Watch`] is all that decides: it is told of replies, hellos, requests and time, and says
//! what to do as a list of acts. [`Sentinel`] puts it behind the seam: connections, clients,
//! files, scripts and names.

mod arena;
mod ask;
mod boot;
mod client;
mod commands;
mod completions;
mod correct;
mod discover;
mod down;
mod drive;
pub mod election;
pub mod events;
pub mod failover;
mod file;
mod forget;
mod group;
pub mod hello;
pub mod info;
mod instance;
mod lead;
mod link;
mod machine;
pub mod names;
mod periodic;
pub mod pings;
mod pubsub;
mod reconf;
mod record;
mod report;
mod request;
pub mod saver;
pub mod scripts;
pub mod select;
mod settings;
mod switch;
pub mod tilt;
mod users;
pub mod view;
pub mod virtual_ip;
mod vote;
mod watch;

pub use machine::{Process, Sentinel};
pub use users::users;
pub use watch::Watch;

use arena::Id;

/// Names a monitored master.
type GroupId = Id<group::Group>;
/// Names a process under watch.
type InstanceId = Id<instance::Instance>;
/// Names the connections to a process.
type LinkId = Id<link::Link>;
/// Members of a group. Usual groups have no more than lie in place.
type Members = smallvec::SmallVec<[InstanceId; 8]>;

#[cfg(test)]
mod tests;
