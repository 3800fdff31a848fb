//! Carries out what replication asks for, and lets it know what happened.

use super::Server;
use super::blocked::{PauseFor, PauseKind};
use super::client::{Client, ClientFlags};
use super::receive::Incoming;
use super::state::{Purpose, State};
use crate::config::{self, Config};
use crate::conn::Input;
use crate::machine::{Addr, ConnId, ConnectFault, DiskOp, Done, Effect, Peer, Slices};
use crate::repl::action::{Action, Attempt};
use crate::repl::node::Received;
use crate::repl::replica::Event;
use crate::repl::settings::{DisklessLoad, OutputLimit, Settings};
use crate::repl::stream::Unit;
use crate::resp::{ParseLimits, Sender};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

/// What replication needs of the configuration.
pub(super) fn settings(config: &Config) -> Settings {
    let limit = config.client_limits()[REPLICA_LIMIT];
    let text = |secret: &[u8]| (!secret.is_empty()).then(|| secret.into());
    let announced = config.replica_announce_port();
    Settings {
        backlog_bytes: usize::try_from(config.repl_backlog_size()).unwrap_or(usize::MAX),
        backlog_ttl: config.repl_backlog_ttl().unwrap_or_default(),
        ping_period: config.repl_ping_replica_period(),
        timeout: config.repl_timeout(),
        keep_data: config.replica_keep_data_timeout(),
        diskless_sync: config.repl_diskless_sync(),
        diskless_delay: config.repl_diskless_sync_delay(),
        diskless_max_replicas: config.repl_diskless_sync_max_replicas() as usize,
        diskless_load: match config.repl_diskless_load() {
            config::DisklessLoad::Disabled => DisklessLoad::Disabled,
            config::DisklessLoad::OnEmptyDb => DisklessLoad::OnEmptyDb,
            config::DisklessLoad::Swapdb => DisklessLoad::Swapdb,
        },
        min_replicas: config.min_replicas_to_write() as usize,
        min_replicas_lag: config.min_replicas_max_lag(),
        output_limit: OutputLimit {
            hard: limit.hard_bytes,
            soft: limit.soft_bytes,
            soft_for: Duration::from_secs(limit.soft_seconds),
        },
        priority: config.replica_priority(),
        read_only: config.replica_read_only(),
        announced: config.replica_announced(),
        announce_ip: config.replica_announce_ip().map(Into::into),
        announce_port: if announced == 0 {
            config.port()
        } else {
            announced
        },
        master_user: text(config.masteruser()),
        master_auth: text(config.masterauth()),
        bind_source: config.bind_source_addr().and_then(|text| text.parse().ok()),
    }
}

/// Where `client-output-buffer-limit` has the class of replicas.
const REPLICA_LIMIT: usize = 1;

impl State {
    /// Whether the node follows a master.
    pub fn is_replica(&self) -> bool {
        !self.repl.is_master()
    }

    /// Ends the unit of the outermost command: replicas see its effects together.
    pub(super) fn end_unit(&mut self) {
        self.repl.end_unit(Unit::Atomic);
    }

    /// Lends what may be written to a replica's connection.
    pub(super) fn replica_writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>) {
        if self.repl.is_replica(conn) {
            self.repl.writable(conn, slices);
        }
    }

    /// Takes back what was written to a connection. A replica's replies go out before its
    /// stream.
    pub(super) fn written(&mut self, conn: ConnId, written: usize) {
        let Some(entry) = self.conns.get(conn) else {
            return;
        };
        if self.repl.is_replica(conn) && entry.out.is_empty() {
            self.stats.repl_output += written as u64;
            self.repl.consume(self.now, conn, written);
        } else {
            self.conns.consume(conn, written);
            self.recount(conn);
        }
    }
}

impl Server {
    /// The next connection with something to write: one with replies, or a replica.
    pub(super) fn next_writable(&mut self) -> Option<ConnId> {
        let conn = self.st.conns.poll_writable();
        if let Some(conn) = conn {
            self.st.recount_unless_short(conn);
        }
        conn.or_else(|| self.writable_replicas.pop())
    }

    /// Lets replication do what is due and carries out what it asks for.
    pub(super) fn advance_replication(&mut self) {
        let now = self.st.now;
        // Every round ends one chain of cause and effect; replication asks for nothing twice.
        for _ in 0..crate::limits::REPL_ROUNDS_PER_TURN_MAX {
            self.st.repl.end_turn(now);
            let mut idle = true;
            while let Some(action) = self.st.repl.poll_action() {
                idle = false;
                self.carry_out(action);
            }
            while let Some((conn, count)) = self.st.repl.poll_waited() {
                idle = false;
                self.waited(conn, count);
            }
            if idle {
                break;
            }
        }
        if !self.st.repl.is_failing_over() {
            self.st.pause.stop(PauseFor::Failover);
        } else if !self.st.repl.awaits_handover() {
            // It follows whom it chose, and what is published here goes into no stream. Were it
            // held back, no Sentinel could say a word behind its hello, and nobody but Sentinel
            // can help if the chosen one is gone.
            self.st.pause.ease(PauseFor::Failover, PauseKind::Keys);
        }
        self.writable_replicas.clear();
        self.writable_replicas.extend(self.st.repl.writable_conns());
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Resolve { attempt, host } => {
                self.st
                    .effects
                    .ask(Purpose::Resolve(attempt), |ticket| Effect::Resolve {
                        ticket,
                        host,
                    });
            }
            Action::Dial { attempt, to, from } => self.dial(attempt, Addr::Tcp(to), from),
            Action::Send { conn, bytes } => {
                if let Some(entry) = self.st.conns.get_mut(conn) {
                    entry.out.push(&bytes);
                    self.st.conns.mark_writable(conn);
                }
            }
            Action::Close { conn, reason } => {
                tracing::debug!("Closing a replication connection: {reason:?}");
                self.st.conns.close(conn);
            }
            Action::CloseAfterReply { conn, reply } => {
                if let Some(entry) = self.st.conns.get_mut(conn) {
                    entry.out.push(&reply);
                    self.st.conns.mark_writable(conn);
                    self.st.close_after_reply(conn);
                }
            }
            Action::StartSnapshot {
                id,
                contents,
                to_file,
            } => self.start_replica_snapshot(id, contents, to_file),
            Action::StopSnapshot { id } => self.stop_replica_snapshot(id),
            Action::Disk { attempt, op } => {
                if let DiskOp::Rename { .. } = op {
                    // A save that ends behind this would put the old dataset in its place. One
                    // that begins now can't come to its end before this one is loaded.
                    self.drop_snapshot();
                }
                self.st.effects.disk(Purpose::Receive(attempt), op);
            }
            Action::LoadFile { attempt, path } => self.load_received(attempt, path),
            Action::Follow { master } => {
                self.st.follow(&master.host, master.port);
            }
            Action::Promote => {
                self.st.lead();
            }
            Action::AbandonLoad { attempt } => {
                self.st.persist.receiving = None;
                self.incoming.abandon(attempt);
            }
        }
    }

    fn dial(&mut self, attempt: Attempt, to: Addr, from: Option<core::net::IpAddr>) {
        let id = self.st.next_client_id();
        let flags = ClientFlags::MASTER
            .and(ClientFlags::AUTHENTICATED)
            .and(ClientFlags::KNOWN);
        // Its own side is known when it is made.
        let peer = Peer {
            remote: to.clone(),
            local: Addr::Tcp(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
        };
        let client = Client::new(id, self.st.now.mono, flags);
        let conn = self.st.conns.insert(Some(peer), client);
        self.st.by_client_id.insert(id, conn);
        self.st.repl.dialing(attempt, conn);
        self.st.effects.push(Effect::Connect { conn, to, from });
    }

    /// The connection to the master stands, or not.
    pub(super) fn master_connected(&mut self, conn: ConnId, local: Result<Addr, ConnectFault>) {
        let failed = local.is_err();
        let entry = self.st.conns.get_mut(conn);
        if let Some(peer) = entry.and_then(|entry| entry.peer.as_mut())
            && let Ok(local) = &local
        {
            peer.local = local.clone();
        }
        self.st.repl.connected(self.st.now, conn, local.map(|_| ()));
        if failed {
            self.st.forget(conn);
        }
    }

    /// The master's name was looked up.
    pub(super) fn master_resolved(&mut self, attempt: Attempt, done: Done) {
        let Done::Resolved(ips) = done else {
            unreachable!("a Resolve is answered in kind")
        };
        self.st.repl.resolved(self.st.now, attempt, &ips);
    }

    /// A step on the file a dataset is received into is done.
    pub(super) fn receive_answered(&mut self, attempt: Attempt, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        self.st
            .repl
            .disk_done(self.st.now, attempt, result.map(|_| ()));
    }

    /// The master has sent bytes: a handshake, a dataset or its stream.
    pub(super) fn master_sent(&mut self, conn: ConnId, filled: usize) {
        if self.st.conns.get(conn).is_none() {
            return;
        }
        let mut input = self.st.conns.take_input(conn, filled);
        let now = self.st.now;
        self.st.note_watchers();
        self.st.repl.note_holdings(!self.keys.is_empty());
        if self.st.repl.is_streaming(conn) {
            self.st.repl.stream_received(now, conn, filled);
        }
        while !self.st.persist.is_held_back(conn) {
            if self.st.repl.is_streaming(conn) {
                self.apply_stream(conn, &mut input);
                break;
            }
            let Received { consumed, event } = self.st.repl.receive(now, conn, input.bytes());
            let event = event.map(Incoming::own);
            input.skip(consumed);
            let Some(event) = event else { break };
            self.master_event(conn, event, &input);
        }
        self.st.conns.put_back(conn, input);
    }

    fn master_event(&mut self, conn: ConnId, event: Event<'static>, input: &Input) {
        match event {
            Event::Begin => self.begin_receiving(conn),
            Event::Payload(bytes) => self.receive_payload(&bytes),
            Event::End => self.install_received(input.len()),
            Event::Streaming { db } => self.stream_starts(conn, db, input.len()),
        }
    }

    /// The stream starts with the bytes that came behind what preceded it.
    pub(super) fn stream_starts(&mut self, conn: ConnId, db: u32, already_read: usize) {
        self.st.client_mut(conn).db = db as usize;
        self.st
            .repl
            .stream_received(self.st.now, conn, already_read);
    }

    /// Executes the commands of the master's stream, and passes them on as they came.
    fn apply_stream(&mut self, conn: ConnId, input: &mut Input) {
        let limits = ParseLimits {
            bulk_max: i64::MAX,
            authenticated: true,
            from: Sender::Master,
        };
        let mut argv = core::mem::take(&mut self.argv);
        let mut raw = Vec::new();
        loop {
            match input.next(&mut argv, &limits) {
                Ok(Some(args)) => {
                    if !args.is_empty() {
                        self.execute_from_master(conn, args);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!("Protocol error from master: {error}");
                    self.st.repl.master_protocol_error(self.st.now, conn);
                    break;
                }
            }
            // The command itself may have ended the link.
            if !self.st.repl.is_streaming(conn) {
                break;
            }
            raw.clear();
            raw.extend(input.last_raw(&argv).flatten());
            let client = self.st.client(conn);
            let (db, in_multi) = (client.db, client.flags.has(ClientFlags::MULTI));
            let db = u32::try_from(db).expect("databases are few");
            self.st.repl.applied(self.st.now, conn, &raw, db, in_multi);
        }
        self.argv = argv;
    }
}
