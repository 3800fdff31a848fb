//! Puts changed parameters into effect.

use super::state::{Purpose, State};
use crate::command::cx::Cx;
use crate::config::{Access, Changes, SetError};
use crate::machine::{Addr, ConnId, DiskOp};

impl Cx<'_> {
    /// Whether the client may use what `enable-debug-command` and its kin guard.
    pub fn may_use(&self, access: Access) -> bool {
        self.data.st.allows(self.data.conn, access)
    }

    /// Puts what CONFIG SET changed into effect, or says why it can't be.
    pub fn apply(&mut self, changes: &Changes) -> Result<(), SetError> {
        let st = &mut *self.data.st;
        // Sockets are opened once, at the start.
        for fixed in ["port", "bind", "unixsocket"] {
            if changes.has(fixed) {
                let reason = "can't be changed while the server runs; change the configuration \
                              file and restart";
                return Err(SetError::failed(fixed, reason));
            }
        }
        if changes.has("dir") {
            let path = st.config.dir().into();
            st.effects.disk(Purpose::Ignore, DiskOp::ChangeDir { path });
        }
        st.refresh_replication_settings();
        let usage = ["maxmemory-policy", "lfu-log-factor", "lfu-decay-time"];
        if usage.iter().any(|name| changes.has(name)) {
            self.data.keys.set_usage(st.usage());
        }
        if changes.has("maxmemory") {
            st.maxmemory_changed(self.data.keys);
        }
        Ok(())
    }
}

impl State {
    /// Whether a client may use what `enable-debug-command` and its kin guard.
    pub(super) fn allows(&self, conn: ConnId, access: Access) -> bool {
        match access {
            Access::Yes => true,
            Access::No => false,
            Access::Local => {
                let (remote, _) = self.addresses(conn);
                remote.is_some_and(|addr| match addr {
                    Addr::Tcp(addr) => addr.ip().is_loopback(),
                    Addr::Unix(_) => true,
                })
            }
        }
    }

    /// Hands replication what it needs of the configuration.
    pub fn refresh_replication_settings(&mut self) {
        let settings = super::replication::settings(&self.config);
        self.repl.configure(self.now, settings);
    }
}
