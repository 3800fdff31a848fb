//! ACL LOG: who was denied what.

use crate::machine::Wall;
use std::collections::VecDeque;

/// What was denied, the newest first.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next_id: i64,
}

/// One or more denials that are alike.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How many.
    pub count: i64,
    /// The first of them.
    pub created: Wall,
    /// The last of them.
    pub updated: Wall,
    /// Counts up.
    pub id: i64,
    /// The last of them, described.
    pub incident: Incident,
}

/// A denial.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Incident {
    /// What was not allowed.
    pub reason: Reason,
    /// Where the command came from.
    pub context: Context,
    /// The command, key or channel.
    pub object: Box<[u8]>,
    /// The user.
    pub user: Box<[u8]>,
    /// A line as CLIENT LIST has it.
    pub client: Box<str>,
}

/// What was not allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The command.
    Command,
    /// A key.
    Key,
    /// To log in.
    Auth,
    /// A channel.
    Channel,
}

impl Reason {
    /// As ACL LOG names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Auth => "auth",
            Self::Channel => "channel",
        }
    }
}

/// Where a command came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Context {
    /// From a client.
    TopLevel,
    /// From a transaction.
    Multi,
    /// From a script.
    Lua,
}

impl Context {
    /// As ACL LOG names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// Denials further apart are not counted as one.
const GROUPING_MS: i64 = 60_000;
/// How many entries are looked at for one that is alike.
const GROUPING_ENTRIES: usize = 10;

impl Log {
    /// Notes a denial. At most so many entries are kept.
    pub fn add(&mut self, now: Wall, incident: Incident, most: u64) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let alike = self.entries.iter().take(GROUPING_ENTRIES).position(|old| {
            let apart = now.as_millis().abs_diff(old.updated.as_millis());
            let same = (old.incident.reason, old.incident.context)
                == (incident.reason, incident.context)
                && old.incident.object == incident.object
                && old.incident.user == incident.user;
            same && apart <= GROUPING_MS.unsigned_abs()
        });
        if let Some(mut entry) = alike.and_then(|at| self.entries.remove(at)) {
            entry.count += 1;
            entry.updated = now;
            entry.incident.client = incident.client;
            self.entries.push_front(entry);
        } else if most > 0 {
            self.entries.push_front(Entry {
                count: 1,
                created: now,
                updated: now,
                id: self.next_id,
                incident,
            });
            self.next_id += 1;
        }
        self.entries.truncate(most);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries, the newest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }
}
