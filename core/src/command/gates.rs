//! The checks between a command and its execution, in Redis's order (server.c, processCommand).

use super::fail::Fail;
use super::spec::Flags;
use crate::machine::DiskFault;
use crate::resp::Proto;
use crate::server::client::ClientFlags;

/// What the checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// The command's flags; for EXEC, joined with those of the queued commands.
    pub command: Flags,
    /// The client's state.
    pub client: ClientFlags,
    /// The client's protocol.
    pub proto: Proto,
    /// The server's state.
    pub server: Conditions,
    /// Why the append-only file can't be written, if so.
    pub log_fault: DiskFault,
}

/// What about the server as a whole makes it refuse commands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Conditions(u16);

impl Conditions {
    /// Memory is above `maxmemory` and nothing can be evicted.
    pub const OUT_OF_MEMORY: Self = Self(1);
    /// The last snapshot failed and `stop-writes-on-bgsave-error` is set.
    pub const SAVE_FAILED: Self = Self(1 << 1);
    /// Fewer good replicas than `min-replicas-to-write`.
    pub const FEW_REPLICAS: Self = Self(1 << 2);
    /// A replica that takes no writes.
    pub const READ_ONLY: Self = Self(1 << 3);
    /// A replica without its master that serves no stale data.
    pub const STALE: Self = Self(1 << 4);
    /// The dataset is being loaded.
    pub const LOADING: Self = Self(1 << 5);
    /// The append-only file can't be written.
    pub const LOG_FAILED: Self = Self(1 << 6);
    /// Everybody is let in, without a password. The only one of them that refuses nothing.
    pub const OPEN: Self = Self(1 << 7);
    /// A new state of the dataset is being loaded beside the one that is served.
    pub const ASYNC_LOADING: Self = Self(1 << 8);
    /// A script runs for longer than `busy-reply-threshold`.
    pub const BUSY: Self = Self(1 << 9);

    /// Adds or takes away.
    pub const fn set(&mut self, other: Self, on: bool) {
        if on {
            self.0 |= other.0;
        } else {
            self.0 &= !other.0;
        }
    }

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `other` holds.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` hold.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Gate {
    /// Passes every check or fails at the first. `permit` looks at what the user may do, which
    /// only matters if that is not everything.
    pub fn pass(
        &self,
        full_name: impl FnOnce() -> Box<str>,
        permit: impl FnOnce() -> Result<(), Fail>,
    ) -> Result<(), Fail> {
        // What the append-only file holds has passed before.
        if self.client.has(ClientFlags::LOADER) {
            return Ok(());
        }
        self.authentication()?;
        self.transaction()?;
        if self.client.has(ClientFlags::RESTRICTED) {
            permit()?;
        }
        // What a replica's master sends is never refused: the datasets would part.
        if !self.client.has(ClientFlags::MASTER) {
            self.memory()?;
            self.disk()?;
            self.replicas()?;
            self.read_only()?;
        }
        self.subscriber(full_name)?;
        if !self.client.has(ClientFlags::MASTER) {
            self.stale()?;
            self.loading()?;
            self.busy()?;
        }
        self.replica_client()
    }

    /// Passes the checks of a command that a script calls, which are about what it would change.
    pub fn pass_from_script(&self, allows_oom: bool) -> Result<(), Fail> {
        if self.writes() {
            self.read_only()?;
            self.disk()?;
            self.replicas()?;
        }
        if allows_oom { Ok(()) } else { self.memory() }
    }

    fn authentication(&self) -> Result<(), Fail> {
        let let_in =
            self.client.has(ClientFlags::AUTHENTICATED) || self.server.has(Conditions::OPEN);
        if !let_in && !self.command.has(Flags::NO_AUTH) {
            Err(Fail::NoAuth)
        } else {
            Ok(())
        }
    }

    fn transaction(&self) -> Result<(), Fail> {
        let inside = self.client.has(ClientFlags::MULTI);
        if inside && self.command.has(Flags::NO_MULTI) {
            Err(Fail::NoMulti)
        } else {
            Ok(())
        }
    }

    fn memory(&self) -> Result<(), Fail> {
        let full = self.server.has(Conditions::OUT_OF_MEMORY);
        if !full || self.server.has(Conditions::BUSY) {
            return Ok(());
        }
        let queued = self.client.has(ClientFlags::MULTI) && !self.command.has(Flags::IMMEDIATE);
        if self.command.has(Flags::DENYOOM) || queued {
            Err(Fail::OutOfMemory)
        } else {
            Ok(())
        }
    }

    fn disk(&self) -> Result<(), Fail> {
        let failed = Conditions::SAVE_FAILED.or(Conditions::LOG_FAILED);
        let told = || self.writes() || self.command.has(Flags::REPORTS_DISK);
        if !self.server.has_any(failed) || !told() {
            Ok(())
        } else if self.server.has(Conditions::SAVE_FAILED) {
            Err(Fail::MisConf)
        } else {
            Err(Fail::MisConfLog(self.log_fault))
        }
    }

    fn replicas(&self) -> Result<(), Fail> {
        let few = self.server.has(Conditions::FEW_REPLICAS);
        if few && self.writes() {
            Err(Fail::NoReplicas)
        } else {
            Ok(())
        }
    }

    fn read_only(&self) -> Result<(), Fail> {
        let refused = self.server.has(Conditions::READ_ONLY);
        if refused && self.writes() {
            Err(Fail::ReadOnly)
        } else {
            Ok(())
        }
    }

    fn subscriber(&self, full_name: impl FnOnce() -> Box<str>) -> Result<(), Fail> {
        let confined = self.client.has(ClientFlags::SUBSCRIBER) && self.proto == Proto::Resp2;
        if confined && !self.command.has(Flags::SUBSCRIBED) {
            return Err(Fail::SubscriberContext(full_name()));
        }
        Ok(())
    }

    fn stale(&self) -> Result<(), Fail> {
        let stale = self.server.has(Conditions::STALE);
        if stale && !self.command.has(Flags::STALE) {
            Err(Fail::MasterDown)
        } else {
            Ok(())
        }
    }

    fn loading(&self) -> Result<(), Fail> {
        let blind = self.server.has(Conditions::LOADING) && !self.command.has(Flags::LOADING);
        let beside =
            self.server.has(Conditions::ASYNC_LOADING) && self.command.has(Flags::NO_ASYNC_LOADING);
        if blind || beside {
            Err(Fail::Loading)
        } else {
            Ok(())
        }
    }

    fn busy(&self) -> Result<(), Fail> {
        let busy = self.server.has(Conditions::BUSY);
        if busy && !self.command.has(Flags::ALLOW_BUSY) {
            Err(Fail::BUSY)
        } else {
            Ok(())
        }
    }

    fn replica_client(&self) -> Result<(), Fail> {
        let touches = self.writes()
            || self.command.has(Flags::READONLY)
            || self.command.has(Flags::MAY_REPLICATE);
        if self.client.has(ClientFlags::REPLICA) && touches {
            return Err(Fail::ReplicaKeyspace);
        }
        Ok(())
    }

    /// PUBLISH is no write here, although it goes to replicas: Sentinels meet through it on
    /// read-only replicas and on masters that refuse writes.
    fn writes(&self) -> bool {
        self.command.has(Flags::WRITE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Denied;

    fn gate(command: Flags, client: ClientFlags, server: &[Conditions]) -> Gate {
        let mut all = Conditions::default();
        for &condition in server {
            all.set(condition, true);
        }
        Gate {
            command,
            client,
            proto: Proto::Resp2,
            server: all,
            log_fault: DiskFault::NoSpace,
        }
    }

    fn refusal(gate: Gate) -> Option<Fail> {
        let denied = || Err(Fail::NoPerm(Denied::Command, (*b"no").into()));
        gate.pass(|| "set".into(), denied).err()
    }

    #[test]
    fn messages_can_be_published_where_writes_are_refused() {
        let refusing = [
            Conditions::FEW_REPLICAS,
            Conditions::READ_ONLY,
            Conditions::SAVE_FAILED,
        ];
        let client = ClientFlags::AUTHENTICATED;
        assert_eq!(refusal(gate(Flags::MAY_REPLICATE, client, &refusing)), None);
        let replica = client.and(ClientFlags::REPLICA);
        let refused = refusal(gate(Flags::MAY_REPLICATE, replica, &[]));
        assert_eq!(refused, Some(Fail::ReplicaKeyspace));
    }

    #[test]
    fn the_checks_come_in_the_order_of_redis() {
        let write = Flags::WRITE.and(Flags::DENYOOM).and(Flags::NO_MULTI);
        let mut client = ClientFlags::MULTI
            .and(ClientFlags::SUBSCRIBER)
            .and(ClientFlags::REPLICA);
        let mut server = vec![
            Conditions::OUT_OF_MEMORY,
            Conditions::SAVE_FAILED,
            Conditions::LOG_FAILED,
            Conditions::FEW_REPLICAS,
            Conditions::READ_ONLY,
        ];
        let mut seen = Vec::new();
        let mut note = |command, client, server: &[Conditions]| {
            seen.push(refusal(gate(command, client, server)).map(|f| f.code()));
        };
        note(write, client, &server);
        client.set(ClientFlags::AUTHENTICATED, true);
        note(write, client, &server);
        let write = Flags::WRITE.and(Flags::DENYOOM);
        client.set(ClientFlags::RESTRICTED, true);
        note(write, client, &server);
        client.set(ClientFlags::RESTRICTED, false);
        while !server.is_empty() {
            note(write, client, &server);
            server.remove(0);
        }
        let behind = [Conditions::STALE, Conditions::LOADING];
        note(write, client, &behind);
        client.set(ClientFlags::SUBSCRIBER, false);
        note(write, client, &behind);
        note(write, client, &behind[1..]);
        note(write, client, &[]);
        client.set(ClientFlags::REPLICA, false);
        note(write, client, &[]);

        let seen: Vec<_> = seen
            .iter()
            .map(|code| code.as_deref().unwrap_or("-"))
            .collect();
        let expected = [
            "NOAUTH",
            "ERR",
            "NOPERM",
            "OOM",
            "MISCONF",
            "MISCONF",
            "NOREPLICAS",
            "READONLY",
            "ERR",
            "MASTERDOWN",
            "LOADING",
            "ERR",
            "-",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_open_door_needs_no_key() {
        let none = ClientFlags::NONE;
        assert_eq!(refusal(gate(Flags::WRITE, none, &[])), Some(Fail::NoAuth));
        assert_eq!(refusal(gate(Flags::NO_AUTH, none, &[])), None);
        assert_eq!(refusal(gate(Flags::WRITE, none, &[Conditions::OPEN])), None);
    }

    #[test]
    fn the_master_is_never_refused_for_our_own_state() {
        let client = ClientFlags::MASTER.and(ClientFlags::AUTHENTICATED);
        let server = [
            Conditions::OUT_OF_MEMORY,
            Conditions::SAVE_FAILED,
            Conditions::FEW_REPLICAS,
            Conditions::READ_ONLY,
            // These may be over since the last turn: the stream can follow in the same one.
            Conditions::STALE,
            Conditions::LOADING,
            Conditions::ASYNC_LOADING,
        ];
        assert_eq!(
            refusal(gate(Flags::WRITE.and(Flags::DENYOOM), client, &server)),
            None
        );
    }
}
