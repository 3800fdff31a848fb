//! Access control lists: who may run which commands, on which keys and channels.
//!
//! [`Users`] holds every user and decides; it knows commands by their place in a [`Catalog`], so
//! that a server and a Sentinel share it. Names, rules, texts and the order of replies are
//! Redis's (acl.c).

mod catalog;
mod category;
mod commands;
mod fault;
mod file;
mod log;
mod password;
pub mod report;
mod selector;
mod start;
mod user;
mod users;

pub use catalog::{Catalog, Ordinal, Row};
pub use category::Acl;
pub use fault::{Fault, SetFault};
pub use file::{AclFile, Job, Next};
pub use log::{Context, Incident, Log, Reason};
pub use password::{PASSWORD_BITS_MAX, new_password};
pub use selector::{Call, Channels, Denied, Needs, Touched};
pub use start::start;
pub use user::User;
pub use users::{Loaded, Narrowed, UserId, Users, is_name};

#[cfg(test)]
mod tests;
