//! Sentinel: watches masters, agrees with its peers on who is one, and makes a new one.
//!
//! [`Watch`](watch::Watch) is all that decides: it is told of replies, hellos, requests and
//! time, and says what to do as a list of [`Act`](watch::Act)s. [`Sentinel`] puts it behind the
//! seam: connections, clients, files, scripts and names.

mod arena;
mod ask;
mod correct;
mod discover;
mod down;
pub mod election;
pub mod events;
pub mod failover;
mod group;
pub mod hello;
pub mod info;
mod instance;
mod lead;
mod link;
pub mod names;
mod periodic;
pub mod pings;
mod reconf;
mod report;
mod request;
pub mod saver;
pub mod scripts;
pub mod select;
mod settings;
mod switch;
pub mod tilt;
mod vote;
mod watch;

use arena::Id;

/// Names a monitored master.
type GroupId = Id<group::Group>;
/// Names a process under watch.
type InstanceId = Id<instance::Instance>;
/// Names the connections to a process.
type LinkId = Id<link::Link>;
