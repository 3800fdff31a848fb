//! Random sequences of commands, sent to Holdfast and to a server it should be like: the replies
//! are the same, and so is what both hold in the end.
//!
//! A [`Family`] is a table of how commands are written (`families/`). A seed draws a [`Sequence`]
//! from it, which a [`Pair`] of servers answers. What is not compared byte for byte is listed in
//! [`RULES`] and [`ACCEPTED`], with reasons. A [`Finding`] has as few commands as show a
//! difference.

mod dataset;
mod draw;
mod families;
mod family;
mod pattern;
mod reply;
mod rules;
mod run;
mod sequence;
mod server;

use std::path::PathBuf;
use std::process::Command;

pub(crate) use dataset::contents;
pub use families::ALL as FAMILIES;
pub use family::{Family, Known, Row};
pub use reply::Reply;
pub use rules::{ACCEPTED, Accepted, Also, Peer, RULES, Rule};
pub use run::{Difference, Finding, Pair};
pub use sequence::{Sequence, Step};
pub(crate) use sequence::{Words, quoted};
pub(crate) use server::Link;
pub use server::Server;

/// The servers Holdfast can be compared with here: the one HOLDFAST_DIFF_PEER names, and
/// `redis-server` if it is installed.
pub fn peers() -> Vec<PathBuf> {
    let named = std::env::var_os("HOLDFAST_DIFF_PEER").map(PathBuf::from);
    let installed = PathBuf::from("redis-server");
    let starts = Command::new(&installed).arg("--version").output().is_ok();
    named
        .into_iter()
        .chain(starts.then_some(installed))
        .collect()
}
