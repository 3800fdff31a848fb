//! Users of this Sentinel, and what changes of them mean for clients.

use crate::acl::{
    Acl, Call, Catalog, Channels, Context, Denied, Incident, Job, Narrowed, Next, Reason, Row,
    UserId, Users, report,
};
use crate::config::{ConfigError, SentinelConfig};
use crate::conn::{OutBuf, SlotId};
use crate::limits::ACL_FILE_JOBS_MAX;
use crate::machine::{ConnId, DiskFault, Effect, FileId, Now};
use crate::resp::{ArgvRef, Proto, Reply};
use crate::sentinel::commands::{self, COMMANDS};
use crate::sentinel::completions::Waiting;
use crate::sentinel::machine::Sentinel;
use crate::sentinel::pubsub::Kind;
use bytes::Bytes;

/// Who waits for ACL LOAD or ACL SAVE.
pub(super) type Waiter = (ConnId, Option<SlotId>);

/// The file id of the file of users; no other part uses it.
pub(super) const FILE: FileId = FileId(2);

/// The users a Sentinel begins with.
pub fn users(config: &SentinelConfig) -> Result<Users, ConfigError> {
    crate::acl::start(&config.config, catalog(), config.acl_file.as_deref())
}

fn catalog() -> Catalog {
    let categories = |names: &[&str]| {
        names.iter().fold(Acl::NONE, |all, name| {
            let one = name.strip_prefix('@').map(str::as_bytes);
            all.and(one.and_then(Acl::by_name).expect("rows name categories"))
        })
    };
    let rows = COMMANDS.iter().map(|row| Row {
        name: row.name,
        categories: categories(row.acl),
        subcommands: row
            .subcommands()
            .iter()
            .map(|sub| (sub.word(), categories(sub.acl)))
            .collect(),
    });
    Catalog::new(rows, &[])
}

impl Sentinel {
    /// Whether a user may run a command.
    pub(super) fn check(
        &self,
        user: UserId,
        row: &commands::Row,
        argv: ArgvRef<'_>,
    ) -> Result<(), Denied> {
        let catalog = self.users.catalog();
        let call = Call {
            command: catalog
                .find(row.name.as_bytes())
                .expect("every command is in the catalog"),
            is_open: row.flags.contains(&"no_auth"),
            argv,
            names: if row.name.contains('|') { 2 } else { 1 },
            channels: channels(row.name, argv),
        };
        self.users.check(user, &call, Vec::new)
    }

    /// As [`check`](Self::check) for a client, which is told and noted if it may not.
    pub(super) fn permit(
        &mut self,
        now: Now,
        conn: ConnId,
        row: &commands::Row,
        argv: ArgvRef<'_>,
    ) -> Result<(), String> {
        let user = self.user_of(conn);
        let Err(denied) = self.check(user, row, argv) else {
            return Ok(());
        };
        let (reason, object) = match denied {
            Denied::Command => (Reason::Command, row.name.as_bytes()),
            Denied::Key(index) => (Reason::Key, argv.get(index)),
            Denied::Channel(index) => (Reason::Channel, argv.get(index)),
        };
        self.log_incident(now, conn, reason, object, None);
        let text = report::denial(denied, self.users.name(user), row.name);
        Err(format!("NOPERM {}", String::from_utf8_lossy(&text)))
    }

    /// Notes a denial, to a user by its name or else to the client's.
    pub(super) fn log_incident(
        &mut self,
        now: Now,
        conn: ConnId,
        reason: Reason,
        object: &[u8],
        user: Option<&[u8]>,
    ) {
        let own = self.users.name(self.user_of(conn));
        let incident = Incident {
            reason,
            context: Context::TopLevel,
            object: object.into(),
            user: user.unwrap_or(own).into(),
            client: commands::client_line(self, now.mono, conn)
                .unwrap_or_default()
                .into(),
        };
        let most = self.config.acllog_max_len();
        self.acl_log.add(now.wall, incident, most);
    }

    pub(super) fn user_of(&self, conn: ConnId) -> UserId {
        let client = self.conns.get(conn).and_then(|one| one.state.client());
        client.expect("clients have users").user
    }

    /// Closes the connections of a user that is gone. `asking` is the one that has asked for it,
    /// and is still answered.
    pub(super) fn expel(&mut self, user: UserId, asking: ConnId) {
        for conn in self.clients_of(user) {
            let one = self.conns.get_mut(conn).expect("it was found there");
            let client = one.state.client_mut().expect("it was found to be one");
            client.user = UserId::DEFAULT;
            client.authenticated = false;
            self.end_client(conn, asking);
        }
    }

    /// Closes the connections of a user that listen to what it may listen to no more.
    pub(super) fn silence(&mut self, user: UserId, channels: &Narrowed, asking: ConnId) {
        for conn in self.clients_of(user) {
            let lost = [Kind::Channel, Kind::Pattern].into_iter().any(|kind| {
                let names = self.pubsub.of(conn, kind);
                names
                    .iter()
                    .any(|name| !channels.allows(name, kind == Kind::Pattern))
            });
            if lost {
                self.end_client(conn, asking);
            }
        }
    }

    fn end_client(&mut self, conn: ConnId, asking: ConnId) {
        if asking == conn {
            self.conns.close_after_reply(conn);
        } else {
            self.conns.close(conn);
        }
    }

    fn clients_of(&self, user: UserId) -> Vec<ConnId> {
        let clients = self.conns.iter().filter(|one| {
            let client = one.state.client();
            client.is_some_and(|client| client.user == user)
        });
        clients.map(|one| one.id()).collect()
    }

    /// What `user` lines say. With a file of users there are none.
    pub(super) fn user_lines(&self) -> Vec<Vec<u8>> {
        if !self.config.aclfile().is_empty() {
            return Vec::new();
        }
        let users = self.users.iter();
        users
            .map(|(name, user)| [name, b" ", &user.describe()[..]].concat())
            .collect()
    }

    /// Takes a job on the file of users; the client's next command waits for it.
    pub(super) fn work_on_acl_file(&mut self, job: Job, waiter: Waiter) {
        assert!(self.acl_file.len() < ACL_FILE_JOBS_MAX, "jobs are bounded");
        self.acl_file.ask(job, waiter);
        self.hold(waiter.0, true);
        self.begin_acl_job();
    }

    fn hold(&mut self, conn: ConnId, held: bool) {
        let one = self.conns.get_mut(conn);
        if let Some(client) = one.and_then(|one| one.state.client_mut()) {
            client.held = held;
        }
    }

    fn begin_acl_job(&mut self) {
        let pid = self.process.pid;
        if let Some(op) = self.acl_file.begin(pid, || self.users.image()) {
            let ticket = self.ticket();
            self.waiting.insert(ticket, Waiting::AclFile);
            self.effects.push_back(Effect::Disk { ticket, op });
        }
    }

    /// A step on the file of users is done.
    pub(super) fn on_acl_file(&mut self, result: Result<Bytes, DiskFault>) {
        match self.acl_file.advance(result) {
            Next::Op(op) => {
                let ticket = self.ticket();
                self.waiting.insert(ticket, Waiting::AclFile);
                self.effects.push_back(Effect::Disk { ticket, op });
                return;
            }
            Next::Loaded(waiter, text) => {
                let result = text.and_then(|text| self.load_users(&text, waiter.0));
                self.answer_acl_job(waiter, result);
            }
            Next::Saved(waiter, result) => self.answer_acl_job(waiter, result),
        }
        self.begin_acl_job();
    }

    fn load_users(&mut self, text: &[u8], asking: ConnId) -> Result<(), Vec<u8>> {
        let loaded = self.users.load(text, self.config.aclfile())?;
        for user in loaded.removed {
            self.expel(user, asking);
        }
        for (user, channels) in &loaded.narrowed {
            self.silence(*user, channels, asking);
        }
        Ok(())
    }

    fn answer_acl_job(&mut self, (conn, slot): Waiter, result: Result<(), Vec<u8>>) {
        let mut reply = OutBuf::default();
        match result {
            Ok(()) => Reply::new(&mut reply, Proto::Resp2).ok(),
            Err(text) => {
                self.stats.errors += 1;
                let text = [b"ERR ", &text[..]].concat();
                Reply::new(&mut reply, Proto::Resp2).error_bytes(&text);
            }
        }
        if let Some(slot) = slot {
            self.conns.fill(conn, slot, &reply.into_bytes());
        }
        self.hold(conn, false);
        if self.conns.get(conn).is_some() {
            self.backlog.insert(conn);
        }
    }
}

/// The channels a command publishes on or subscribes to.
fn channels(command: &str, argv: ArgvRef<'_>) -> Channels {
    let args = match command {
        "publish" => 1..2,
        "subscribe" | "psubscribe" => 1..argv.len(),
        _ => 0..0,
    };
    let are_patterns = command == "psubscribe";
    Channels { args, are_patterns }
}
