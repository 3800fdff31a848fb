//! The commands of a Sentinel.

mod acl;
mod client;
mod config;
mod connection;
mod debug;
mod info;
mod meta;
mod monitor;
mod pubsub;
mod sentinel;
mod set;
mod simulate;
mod table;

pub(super) use client::client_line;
pub(super) use monitor::check_free;
pub(super) use set::SetRequest;
pub(super) use table::{COMMANDS, Found, Row, find};

use crate::conn::{OutBuf, SlotId};
use crate::machine::{ConnId, Now};
use crate::resp::{ArgvRef, Proto, Reply};
use crate::sentinel::GroupId;
use crate::sentinel::client::Client;
use crate::sentinel::file::Which;
use crate::sentinel::machine::Sentinel;
use crate::sentinel::saver::Version;

/// What a command works with.
pub(super) struct Cx<'a> {
    pub(super) sentinel: &'a mut Sentinel,
    pub(super) conn: ConnId,
    pub(super) now: Now,
    /// Whether the client gets no reply to this command.
    pub(super) silent: bool,
}

/// What a command answers an error with.
pub(super) type Fail = String;

/// Runs a command.
pub(super) type Handler = fn(&mut Cx<'_>, ArgvRef<'_>) -> Result<(), Fail>;

impl Cx<'_> {
    /// The reply of this command.
    pub(super) fn reply(&mut self) -> Reply<'_> {
        let silent = self.silent;
        let conn = self
            .sentinel
            .conns
            .get_mut(self.conn)
            .expect("a client runs its command");
        let proto = conn.state.client().expect("clients run commands").proto;
        Reply::new(&mut conn.out, proto).silenced(silent)
    }

    /// The client that runs this command.
    pub(super) fn client(&mut self) -> &mut Client {
        let conn = self
            .sentinel
            .conns
            .get_mut(self.conn)
            .expect("a client runs its command");
        conn.state.client_mut().expect("clients run commands")
    }

    /// Leaves a place for the reply; `None` if there is to be none.
    pub(super) fn defer(&mut self) -> Option<SlotId> {
        if self.silent {
            return None;
        }
        let conn = self
            .sentinel
            .conns
            .get_mut(self.conn)
            .expect("a client runs its command");
        Some(conn.out.defer())
    }

    /// Replies when `version` is durable, one way or the other.
    pub(super) fn reply_when_saved(
        &mut self,
        version: (Which, Version),
        saved: impl FnOnce(&mut Reply<'_>),
        failed: impl FnOnce(&mut Reply<'_>),
    ) {
        let proto = self.client().proto;
        let Some(slot) = self.defer() else {
            return;
        };
        let (saved, failed) = (encoded(proto, saved), encoded(proto, failed));
        self.sentinel
            .reply_later(self.conn, slot, version, saved, failed);
    }

    /// Saves what was learnt and answers OK when that is done.
    pub(super) fn save_and_ok(&mut self) {
        let version = (Which::State, self.sentinel.watch.saver.touch());
        self.reply_when_saved(version, |reply| reply.ok(), save_failed);
    }

    /// Saves what an operator changed and answers OK when that is done.
    pub(super) fn save_settings_and_ok(&mut self) {
        let version = self.sentinel.touch_settings();
        self.reply_when_saved(version, |reply| reply.ok(), save_failed);
    }

    /// The master of a name.
    pub(super) fn master(&self, name: &[u8]) -> Result<GroupId, Fail> {
        let name = str::from_utf8(name).ok();
        let found = name
            .and_then(|name| self.sentinel.watch.by_name.get(name))
            .copied();
        found.ok_or_else(|| NO_SUCH_MASTER.to_owned())
    }
}

const NO_SUCH_MASTER: &str = "ERR No such master with that name";

/// The reply that `write` writes.
pub(super) fn encoded(proto: Proto, write: impl FnOnce(&mut Reply<'_>)) -> Vec<u8> {
    let mut out = OutBuf::default();
    write(&mut Reply::new(&mut out, proto));
    out.into_bytes()
}

pub(super) fn save_failed(reply: &mut Reply<'_>) {
    reply.error("ERR Failed to save config file. Check server logs.");
}

/// Text of the peer's in an error message, cut where Redis cuts it.
pub(super) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(128)]).into_owned()
}

/// The lines of a HELP subcommand.
pub(super) fn help(reply: &mut Reply<'_>, command: &str, lines: &[&str]) {
    reply.array(lines.len() + 3);
    reply.simple(&format!(
        "{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for line in lines {
        reply.simple(line);
    }
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}
