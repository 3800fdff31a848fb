//! Who may use the server, and for what.

use super::client::ClientFlags;
use super::state::State;
use crate::acl::{Call, Context, Denied, Incident, Reason, UserId, report};
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::gates::Conditions;
use crate::command::keys;
use crate::command::spec::Flags;
use crate::command::table::Found;
use crate::machine::ConnId;
use crate::resp::ArgvRef;

/// What a client says to prove who it is.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user's name.
    pub user: &'a [u8],
    /// Its password.
    pub password: &'a [u8],
}

impl Cx<'_> {
    /// Authenticates the client or fails without a change. `word` is the command that asks.
    pub fn authenticate(&mut self, word: &[u8], credentials: Credentials<'_>) -> Result<(), Fail> {
        let conn = self.data.conn;
        let Credentials { user, password } = credentials;
        let Some(user) = self.data.st.users.authenticate(user, password) else {
            let st = &mut *self.data.st;
            st.log_incident(conn, Reason::Auth, word, Some(credentials.user));
            return Err(Fail::WrongPass);
        };
        self.data.st.log_in(conn, user, true);
        Ok(())
    }

    /// Whether the command may look at keys which its arguments do not name.
    pub fn may_read_any_key(&mut self, argv: ArgvRef<'_>) -> bool {
        let client = self.client();
        let user = client.user;
        if !client.flags.has(ClientFlags::RESTRICTED) {
            return true;
        }
        let st = &*self.data.st;
        let found = st.table.found(self.id);
        let keys = || keys::touched(found.spec, argv);
        st.users
            .may_read_any_key(user, &st.call_of(&found, argv), keys)
    }
}

impl State {
    /// Lets a client be a user, whom it has proved to be or not.
    pub(super) fn log_in(&mut self, conn: ConnId, user: UserId, proved: bool) {
        let restricted = !self.users.is_unrestricted(user);
        let client = self.client_mut(conn);
        client.user = user;
        client.flags.set(ClientFlags::AUTHENTICATED, proved);
        client.flags.set(ClientFlags::RESTRICTED, restricted);
        if proved {
            client.flags.set(ClientFlags::KNOWN, true);
        }
    }

    /// Lets a client be what a fresh one is.
    pub fn log_out(&mut self, conn: ConnId) {
        let open = self.users.is_open();
        self.log_in(conn, UserId::DEFAULT, open);
    }

    /// Whether a client may send commands at all.
    pub(super) fn is_let_in(&self, flags: ClientFlags) -> bool {
        flags.has(ClientFlags::AUTHENTICATED) || self.conditions.has(Conditions::OPEN)
    }

    /// Takes note of changed users: what each client may do follows from its user.
    pub fn users_changed(&mut self) {
        self.conditions.set(Conditions::OPEN, self.users.is_open());
        for entry in self.conns.iter_mut() {
            let client = &mut entry.state;
            let trusted = ClientFlags::MASTER.and(ClientFlags::LOADER);
            let restricted =
                !client.flags.has_any(trusted) && !self.users.is_unrestricted(client.user);
            client.flags.set(ClientFlags::RESTRICTED, restricted);
        }
    }

    /// Whether a user may run a command.
    pub fn check(&self, user: UserId, found: &Found, argv: ArgvRef<'_>) -> Result<(), Denied> {
        let keys = || keys::touched(found.spec, argv);
        self.users.check(user, &self.call_of(found, argv), keys)
    }

    fn call_of<'a>(&self, found: &Found, argv: ArgvRef<'a>) -> Call<'a> {
        let flags = found.spec.flags;
        Call {
            command: self.table.command(found.id).origin,
            is_open: flags.has(Flags::NO_AUTH),
            argv,
            names: if flags.has(Flags::UNDIVIDED) {
                1
            } else {
                found.names
            },
            channels: keys::channels(found.spec, argv),
        }
    }

    /// The gate of a client that may not do everything.
    pub(super) fn permit(
        &self,
        conn: ConnId,
        found: &Found,
        argv: ArgvRef<'_>,
    ) -> Result<(), Fail> {
        let user = self.client(conn).user;
        self.check(user, found, argv).map_err(|denied| {
            let text = report::denial(denied, self.users.name(user), self.name_of(found));
            Fail::NoPerm(denied, text.into())
        })
    }

    /// Notes that a client was not allowed to run a command.
    pub(crate) fn log_denial(
        &mut self,
        conn: ConnId,
        denied: Denied,
        found: &Found,
        argv: ArgvRef<'_>,
    ) {
        let (reason, object) = match denied {
            Denied::Command => (Reason::Command, self.name_of(found).as_bytes()),
            Denied::Key(index) => (Reason::Key, argv.get(index)),
            Denied::Channel(index) => (Reason::Channel, argv.get(index)),
        };
        self.log_incident(conn, reason, &Box::from(object), None);
    }

    /// The full name by which rules know a command.
    pub fn name_of(&self, found: &Found) -> &str {
        let origin = self.table.command(found.id).origin;
        self.users.catalog().name(origin)
    }

    /// Notes a denial, to a user by its name or else to the client's.
    fn log_incident(&mut self, conn: ConnId, reason: Reason, object: &[u8], user: Option<&[u8]>) {
        self.stats.count_denial(reason);
        let client = self.client(conn);
        let inside = ClientFlags::MULTI.and(ClientFlags::EXECUTING);
        let context = if self.scripts.is_called_by(conn) {
            Context::Lua
        } else if client.flags.has_any(inside) {
            Context::Multi
        } else {
            Context::TopLevel
        };
        let incident = Incident {
            reason,
            context,
            object: object.into(),
            user: user.unwrap_or_else(|| self.users.name(client.user)).into(),
            client: self.describe_client(conn).into(),
        };
        let most = self.config.acllog_max_len();
        self.acl_log.add(self.now.wall, incident, most);
    }
}
