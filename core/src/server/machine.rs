//! The server behind the seam.

use super::client::{Client, ClientFlags};
use super::scripts::Deferred;
use super::state::Purpose;
use super::{News, Server};
use crate::config;
use crate::conn::Closing;
use crate::limits;
use crate::machine::{
    Addr, Completion, ConnId, ConnectFault, Effect, Facts, Hangup, LogLevel, LogRole, Machine,
    Mono, Now, Peer, Refusal, Signal, Slices, TimerName,
};

impl Machine for Server {
    fn handle_accept(&mut self, now: Now, peer: Peer) -> Result<ConnId, Refusal> {
        self.at(now);
        self.st.admit(&peer)?;
        self.st.stats.connections += 1;
        let mut flags = ClientFlags::NONE;
        flags.set(ClientFlags::UNIX, matches!(peer.remote, Addr::Unix(_)));
        let id = self.st.next_client_id();
        let is_tcp = !flags.has(ClientFlags::UNIX);
        let conn = self
            .st
            .conns
            .insert(Some(peer), Client::new(id, now.mono, flags));
        self.st.by_client_id.insert(id, conn);
        self.st.log_out(conn);
        self.st.recount(conn);
        if let Some(idle) = self.st.config.tcp_keepalive().filter(|_| is_tcp) {
            self.st.effects.push(Effect::Keepalive { conn, idle });
        }
        Ok(conn)
    }

    fn handle_connected(&mut self, now: Now, conn: ConnId, local: Result<Addr, ConnectFault>) {
        self.at(now);
        let Some(entry) = self.st.conns.get(conn) else {
            return;
        };
        if self.is_within_script() {
            self.st.scripts.defer(Deferred::Connected(conn, local));
        } else if entry.state.flags.has(ClientFlags::OUTGOING) {
            self.target_connected(conn, local);
        } else {
            self.master_connected(conn, local);
        }
    }

    fn handle_read(&mut self, now: Now, conn: ConnId, filled: usize) {
        let Some(entry) = self.st.conns.get(conn) else {
            return;
        };
        let flags = entry.state.flags;
        self.st.stats.reads += 1;
        self.st.stats.net_input += filled as u64;
        if flags.has(ClientFlags::MASTER) {
            // What is held stays so: it may begin a script, in which this could not be taken.
            self.pass_time(now);
            self.st.stats.repl_input += filled as u64;
            self.master_sent(conn, filled);
        } else if flags.has(ClientFlags::OUTGOING) {
            self.pass_time(now);
            self.target_sent(conn, filled);
        } else {
            self.client_sent(now, conn, filled);
        }
    }

    fn handle_hangup(&mut self, now: Now, conn: ConnId, cause: Hangup) {
        self.at(now);
        if self.defers(conn) {
            return self.st.scripts.defer(Deferred::Hangup(conn, cause));
        }
        tracing::trace!("Connection {conn:?} hung up: {cause:?}");
        self.target_lost(conn);
        self.st.forget(conn);
    }

    fn handle_done(&mut self, now: Now, done: Completion) {
        let news = self.news;
        self.at(now);
        if self.defers_answer(&done) {
            return self.st.scripts.defer(Deferred::Done(done));
        }
        let (purpose, done) = self.st.effects.answered(done);
        match purpose {
            Purpose::Listen(place) => self.listen_answered(place, done),
            Purpose::Load => self.load_answered(done),
            Purpose::Save(id) => self.save_answered(id, done),
            Purpose::AofFile => {
                let well = self.aof_answered(done);
                if well && news != News::Any {
                    self.news = News::LogGrew;
                }
            }
            Purpose::AofStep => self.aof_step_answered(done),
            Purpose::AofManifest => self.learn_answered(done),
            Purpose::AofCleaning => self.clean_answered(done),
            Purpose::Rewrite => self.rewrite_answered(done),
            Purpose::AclFile => self.acl_file_answered(done),
            Purpose::Receive(attempt) => self.receive_answered(attempt, done),
            Purpose::Resolve(attempt) => self.master_resolved(attempt, done),
            Purpose::ResolveTarget(id) => self.target_resolved(id, done),
            Purpose::Send => self.send_answered(done),
            Purpose::Ignore => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.at(now);
    }

    fn handle_signal(&mut self, now: Now, signal: Signal) {
        self.at(now);
        if self.is_within_script() {
            return self.st.scripts.defer(Deferred::Signal(signal));
        }
        self.signalled(signal);
    }

    fn handle_facts(&mut self, now: Now, facts: Facts) {
        self.at(now);
        self.st.facts = facts;
    }

    fn end_turn(&mut self, now: Now) {
        let news = core::mem::replace(&mut self.news, News::Any);
        self.at(now);
        if self.is_asleep() {
            return;
        }
        self.advance_script();
        if self.is_within_script() {
            return self.end_turn_within_script();
        }
        self.hand_in_deferred(now);
        // Most turns of a server that logs end twice: when what clients have asked for is done,
        // and when it is in the file, which concerns only those who wait for that.
        let waits = self.has_backlog() || self.st.persist.stalled || !self.master_input.is_empty();
        if news == News::LogGrew && !waits && self.end_turn_for_log() {
            self.news = News::None;
            return;
        }
        self.go_on();
        self.advance_aof();
        if !self.is_within_script() {
            self.advance_persistence();
        }
        if self.is_within_script() {
            return self.close_due();
        }
        // The link to the master may be among them, and is then to be made again.
        self.close_due();
        self.advance_replication();
        self.end_demoted();
        self.advance_shutdown();
        self.bound_outputs();
        self.close_due();
        self.refresh_conditions();
        self.news = News::None;
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.st.effects.poll()
    }

    fn poll_writable(&mut self) -> Option<ConnId> {
        // DEBUG SLEEP itself is answered when it is over.
        if self.is_asleep() {
            return None;
        }
        self.next_writable()
    }

    fn poll_timeout(&self) -> Option<(Mono, TimerName)> {
        self.next_timer()
    }

    fn has_backlog(&self) -> bool {
        let gathering = self.st.aof.is_gathering();
        !self.is_asleep() && (self.st.persist.busy || self.is_awaited() || gathering)
    }

    fn is_in_background(&self) -> bool {
        let snapshots = self.st.persist.busy && self.st.persist.loading.is_none();
        !self.is_asleep() && snapshots && !self.is_awaited()
    }

    fn log_role(&self) -> LogRole {
        if self.st.is_replica() {
            LogRole::Replica
        } else {
            LogRole::Master
        }
    }

    fn log_level(&self) -> Option<LogLevel> {
        Some(match self.st.config.loglevel() {
            config::LogLevel::Debug => LogLevel::Debug,
            config::LogLevel::Verbose => LogLevel::Verbose,
            config::LogLevel::Notice => LogLevel::Notice,
            config::LogLevel::Warning => LogLevel::Warning,
            config::LogLevel::Nothing => LogLevel::Nothing,
        })
    }

    fn read_space(&mut self, conn: ConnId) -> &mut [u8] {
        self.st.conns.read_space(conn)
    }

    fn wants_read(&self, conn: ConnId) -> bool {
        let Some(entry) = self.st.conns.get(conn) else {
            return false;
        };
        if self.is_asleep() || entry.closing() != Closing::No || self.st.conns.is_held(conn) {
            return false;
        }
        let links = ClientFlags::MASTER.and(ClientFlags::OUTGOING);
        if self.is_within_script() && entry.state.flags.has_any(links) {
            return false;
        }
        if entry.state.flags.has(ClientFlags::MASTER) {
            return self.st.repl.wants_read(conn) && !self.st.persist.is_held_back(conn);
        }
        let held = ClientFlags::BLOCKED
            .and(ClientFlags::POSTPONED)
            .and(ClientFlags::SCRIPTED)
            .and(ClientFlags::CLOSING);
        let within = self.st.scripts.holds();
        let waits = within || entry.state.flags.has_any(held) || self.st.backlog.contains(&conn);
        !waits || entry.input_len() < limits::HELD_INPUT_BYTES_MAX
    }

    fn writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>) {
        self.st.conns.writable(conn, slices);
        if slices.is_empty() {
            self.st.replica_writable(conn, slices);
        }
    }

    fn consume(&mut self, now: Now, conn: ConnId, written: usize) {
        self.at(now);
        self.st.stats.writes += 1;
        self.st.stats.net_output += written as u64;
        self.st.written(conn, written);
        self.st.migrations.progressed(now.mono, conn);
        self.close_due();
    }
}
