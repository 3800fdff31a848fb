//! Puts changed parameters into effect.

use super::state::{Purpose, State};
use crate::command::cx::Cx;
use crate::config::{Access, AclPubsubDefault, Changes, Config, SetError};
use crate::machine::{Addr, ConnId, DiskOp};
use crate::value::{Fill, KeyHasher, NodeLimits, PackLimits, Shape};

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
        if changes.has("proc-title-template") {
            st.show_title();
        }
        if changes.has("requirepass") {
            st.users.require_password(st.config.requirepass());
            st.users_changed();
        }
        if changes.has("acl-pubsub-default") {
            let default = st.config.acl_pubsub_default();
            st.users
                .set_all_channels(default == AclPubsubDefault::AllChannels);
        }
        st.refresh_replication_settings();
        st.shape = shape(&st.config, st.shape.hasher);
        let usage = ["maxmemory-policy", "lfu-log-factor", "lfu-decay-time"];
        if usage.iter().any(|name| changes.has(name)) {
            self.data.keys.set_usage(st.usage());
        }
        if changes.has("aof-disable-auto-gc") {
            st.aof.want_cleaning();
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

/// In which form the configuration wants collections kept.
pub(super) fn shape(config: &Config, hasher: KeyHasher) -> Shape {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let fill = config.list_max_listpack_size();
    let extreme = if fill < 0 { i32::MIN } else { i32::MAX };
    Shape {
        hasher,
        list: Fill(i32::try_from(fill).unwrap_or(extreme)),
        hash: PackLimits {
            entries: count(config.hash_max_listpack_entries()),
            value: count(config.hash_max_listpack_value()),
        },
        set_ints: count(config.set_max_intset_entries()),
        set: PackLimits {
            entries: count(config.set_max_listpack_entries()),
            value: count(config.set_max_listpack_value()),
        },
        zset: PackLimits {
            entries: count(config.zset_max_listpack_entries()),
            value: count(config.zset_max_listpack_value()),
        },
        stream: NodeLimits {
            bytes: count(config.stream_node_max_bytes()),
            entries: count(config.stream_node_max_entries()),
        },
    }
}
