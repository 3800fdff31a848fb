//! Changes of users, and what they mean for their clients.

use super::Server;
use super::blocked::Wait;
use super::client::ClientFlags;
use super::state::{Purpose, State};
use crate::acl::{AclFile, Catalog, Job, Narrowed, Next, Row, UserId, Users};
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::{ABSENT, FAMILIES};
use crate::config::{Config, ConfigError};
use crate::conn::{OutBuf, SlotId};
use crate::limits::ACL_FILE_JOBS_MAX;
use crate::machine::{ConnId, Done, FileId};
use crate::pubsub::Kind;
use crate::resp::{Proto, Reply};

/// Who waits for ACL LOAD or ACL SAVE.
pub(super) type Waiter = (ConnId, Option<SlotId>);

/// The file id of the file of users; no other part uses it.
const FILE: FileId = FileId(5);

/// The users a server begins with. `file` is the text of its `aclfile`.
pub fn users(config: &Config, file: Option<&[u8]>) -> Result<Users, ConfigError> {
    crate::acl::start(config, catalog(), file)
}

/// The commands that rules can name.
pub fn catalog() -> Catalog {
    let rows = FAMILIES.iter().copied().flatten().map(|spec| Row {
        name: spec.name,
        categories: spec.categories(),
        subcommands: spec
            .divisions()
            .iter()
            .map(|sub| (sub.name, sub.categories()))
            .collect(),
    });
    Catalog::new(rows, ABSENT)
}

pub(super) fn file(config: &Config) -> AclFile<Waiter> {
    AclFile::new(config.aclfile(), FILE)
}

impl Cx<'_> {
    /// Closes the connections of a user that is gone.
    pub fn expel(&mut self, user: UserId) {
        self.data.st.expel(user, Some(self.data.conn));
    }

    /// Closes the connections of a user that listen to what it may listen to no more.
    pub fn silence(&mut self, user: UserId, channels: &Narrowed) {
        self.data.st.silence(user, channels, Some(self.data.conn));
    }

    /// ACL LOAD and ACL SAVE: replies when that is done; the client's next command waits for it.
    pub fn work_on_acl_file(&mut self, job: Job) -> Result<(), Fail> {
        let conn = self.data.conn;
        let st = &mut *self.data.st;
        if st.config.aclfile().is_empty() {
            return Err(Fail::Plain(NO_FILE));
        }
        if st.acl_file.len() >= ACL_FILE_JOBS_MAX {
            return Err(Fail::Plain("too many ACL LOAD and ACL SAVE are under way"));
        }
        let slot = (!self.out.is_silent()).then(|| self.out.out().defer());
        st.acl_file.ask(job, (conn, slot));
        // In a transaction there may be several.
        if st.blocked.waits_for(conn).is_none() {
            st.block(conn, Wait::AclFile);
        }
        st.begin_acl_job();
        Ok(())
    }
}

impl State {
    fn begin_acl_job(&mut self) {
        if let Some(op) = self.acl_file.begin(self.launch.pid, || self.users.image()) {
            self.effects.disk(Purpose::AclFile, op);
        }
    }

    /// Closes the connections of a user that is gone. `asking` is the one that has asked for it,
    /// and is still answered.
    fn expel(&mut self, user: UserId, asking: Option<ConnId>) {
        for conn in self.clients_of(user) {
            self.log_in(conn, UserId::DEFAULT, false);
            self.end_client(conn, asking);
        }
    }

    /// Closes the connections of a user that listen to what it may listen to no more.
    fn silence(&mut self, user: UserId, channels: &Narrowed, asking: Option<ConnId>) {
        for conn in self.clients_of(user) {
            let kinds = [Kind::Channel, Kind::Pattern, Kind::Shard];
            let lost = kinds.into_iter().any(|kind| {
                let names = self.pubsub.names_of(conn, kind);
                names
                    .iter()
                    .any(|name| !channels.allows(name, kind == Kind::Pattern))
            });
            if lost {
                self.end_client(conn, asking);
            }
        }
    }

    fn end_client(&mut self, conn: ConnId, asking: Option<ConnId>) {
        if asking == Some(conn) {
            self.close_after_reply(conn);
        } else {
            self.doom(conn);
        }
    }

    /// The connections that are a user's. The master of a replica and the append-only file are
    /// nobody's.
    fn clients_of(&self, user: UserId) -> Vec<ConnId> {
        let trusted = ClientFlags::MASTER.and(ClientFlags::LOADER);
        let clients = self.by_client_id.values().copied();
        clients
            .filter(|&conn| {
                let client = self.client(conn);
                client.user == user && !client.flags.has_any(trusted)
            })
            .collect()
    }

    /// Takes up the text of the file of users.
    fn load_users(&mut self, text: &[u8], asking: ConnId) -> Result<(), Vec<u8>> {
        let loaded = self.users.load(text, self.config.aclfile())?;
        for user in loaded.removed {
            self.expel(user, Some(asking));
        }
        for (user, channels) in &loaded.narrowed {
            self.silence(*user, channels, Some(asking));
        }
        self.users_changed();
        Ok(())
    }

    fn answer_acl_job(&mut self, (conn, slot): Waiter, result: Result<(), Vec<u8>>) {
        let mut reply = OutBuf::default();
        match result {
            Ok(()) => Reply::new(&mut reply, Proto::Resp2).ok(),
            Err(text) => {
                self.stats.count_error("ERR");
                let text = [b"ERR ", &text[..]].concat();
                Reply::new(&mut reply, Proto::Resp2).error_bytes(&text);
            }
        }
        if let Some(slot) = slot {
            self.conns.fill(conn, slot, &reply.into_bytes());
        }
        let waits_on = self.acl_file.waits(|&(other, _)| other == conn);
        if !waits_on && self.blocked.waits_for(conn) == Some(Wait::AclFile) {
            self.release(conn);
        }
    }
}

impl Server {
    /// A step on the file of users is done.
    pub(super) fn acl_file_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let st = &mut self.st;
        match st.acl_file.advance(result) {
            Next::Op(op) => {
                st.effects.disk(Purpose::AclFile, op);
                return;
            }
            Next::Loaded(waiter, text) => {
                let result = text.and_then(|text| st.load_users(&text, waiter.0));
                st.answer_acl_job(waiter, result);
            }
            Next::Saved(waiter, result) => st.answer_acl_job(waiter, result),
        }
        st.begin_acl_job();
    }
}

const NO_FILE: &str = "This Redis instance is not configured to use an ACL file. You may want to \
                       specify users via the ACL SETUSER command and then issue a CONFIG REWRITE \
                       (assuming you have a Redis configuration file set) in order to store users \
                       in the Redis configuration.";
