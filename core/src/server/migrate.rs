//! Keys on their way to another server.
//!
//! Their client waits while a connection of its own is made to the target, and RESTORE commands
//! go over it. Until the answers are there writes are held back as by CLIENT PAUSE, so that what
//! is deleted here in the end is what arrived there; with COPY nothing is deleted, and nothing
//! held back.

use std::collections::{BTreeMap, VecDeque};

use super::Server;
use super::blocked::{PauseFor, PauseKind, Wait};
use super::client::{Client, ClientFlags};
use super::state::{Purpose, State};
use crate::command::cx::{Cx, code_of};
use crate::config::NotifyFlags;
use crate::limits::MIGRATE_REPLY_BYTES_MAX;
use crate::machine::{Addr, ConnId, ConnectFault, Done, Effect, Mono, Peer};
use crate::resp::{Reply, ReplyParser, encode_command};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

/// Where keys go, and how.
#[derive(Debug)]
pub struct Target {
    /// Its name or address.
    pub host: Box<str>,
    /// Its port, if it is one.
    pub port: Option<u16>,
    /// The database there.
    pub db: i64,
    /// The user to log in as; the default one without.
    pub user: Option<Box<[u8]>>,
    /// The password to log in with, if any.
    pub password: Option<Box<[u8]>>,
    /// Whether keys there are replaced.
    pub replace: bool,
    /// Whether keys stay here.
    pub copy: bool,
    /// How long the target may stand still.
    pub timeout: Duration,
}

/// One key on its way.
#[derive(Debug)]
pub struct Load {
    /// Its name.
    pub key: Box<[u8]>,
    /// Milliseconds it has to live; 0 is for ever.
    pub ttl: i64,
    /// What DUMP would return.
    pub payload: Vec<u8>,
}

/// All that is on its way.
#[derive(Debug, Default)]
pub(super) struct Migrations {
    running: BTreeMap<u64, Migration>,
    by_link: BTreeMap<ConnId, u64>,
    started: u64,
}

#[derive(Debug)]
struct Migration {
    /// The client that waits, unless it has gone.
    client: ConnId,
    stage: Stage,
    link: Option<ConnId>,
    port: u16,
    /// The database the keys are in.
    db: usize,
    copy: bool,
    from_replica: bool,
    request: Vec<u8>,
    /// What the next answers are to.
    awaited: VecDeque<Step>,
    parser: ReplyParser,
    /// Whether AUTH or SELECT was refused.
    is_shut_out: bool,
    /// Keys that have arrived.
    arrived: Vec<Box<[u8]>>,
    /// The first error of the target.
    refusal: Option<Vec<u8>>,
    timeout: Duration,
    deadline: Mono,
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Connecting,
    Talking,
}

/// Something the target is asked for.
#[derive(Debug)]
enum Step {
    /// To let us in, and select the database.
    Enter,
    Restore(Box<[u8]>),
}

impl Migrations {
    /// The next instant one is overdue.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let deadlines = self.running.values().map(|migration| migration.deadline);
        deadlines.min()
    }

    /// The target has taken or sent something.
    pub(super) fn progressed(&mut self, now: Mono, link: ConnId) {
        if self.by_link.is_empty() {
            return;
        }
        let id = self.by_link.get(&link);
        if let Some(migration) = id.and_then(|id| self.running.get_mut(id)) {
            migration.deadline = now + migration.timeout;
        }
    }

    fn by_link(&mut self, link: ConnId) -> Option<(u64, &mut Migration)> {
        let id = *self.by_link.get(&link)?;
        Some((id, self.running.get_mut(&id)?))
    }
}

impl Cx<'_> {
    /// Sends keys to another server; the client waits.
    pub fn migrate(&mut self, target: Target, loads: Vec<Load>) {
        let (conn, db) = (self.data.conn, self.data.db);
        let st = &mut *self.data.st;
        st.block(conn, Wait::Migrate);
        st.start_migration(conn, db, target, loads);
        // It changes something only when it is over.
        self.replace();
    }
}

impl Target {
    /// What is sent, and what the answers are to.
    fn request(&self, loads: Vec<Load>) -> (Vec<u8>, VecDeque<Step>) {
        let (mut bytes, mut steps) = (Vec::new(), VecDeque::new());
        match (&self.user, &self.password) {
            (Some(user), Some(password)) => encode_command(&mut bytes, &[b"AUTH", user, password]),
            (None, Some(password)) => encode_command(&mut bytes, &[b"AUTH", password]),
            (_, None) => {}
        }
        if self.password.is_some() {
            steps.push_back(Step::Enter);
        }
        let mut digits = itoa::Buffer::new();
        encode_command(&mut bytes, &[b"SELECT", digits.format(self.db).as_bytes()]);
        steps.push_back(Step::Enter);
        for load in loads {
            let ttl = digits.format(load.ttl).as_bytes();
            let words: [&[u8]; 5] = [b"RESTORE", &load.key, ttl, &load.payload, b"REPLACE"];
            let words = if self.replace { &words } else { &words[..4] };
            encode_command(&mut bytes, words);
            steps.push_back(Step::Restore(load.key));
        }
        (bytes, steps)
    }
}

impl State {
    fn start_migration(&mut self, client: ConnId, db: usize, target: Target, loads: Vec<Load>) {
        let (request, awaited) = target.request(loads);
        if !target.copy {
            let end = Mono::default() + Duration::MAX;
            self.pause.start(PauseFor::Migrate, PauseKind::Write, end);
        }
        let id = self.migrations.started;
        self.migrations.started += 1;
        let migration = Migration {
            client,
            stage: Stage::Connecting,
            link: None,
            // Nobody listens there.
            port: target.port.unwrap_or(0),
            db,
            copy: target.copy,
            from_replica: self.is_replica(),
            request,
            awaited,
            parser: ReplyParser::new(MIGRATE_REPLY_BYTES_MAX),
            is_shut_out: false,
            arrived: Vec::new(),
            refusal: None,
            timeout: target.timeout,
            deadline: self.now.mono + target.timeout,
        };
        self.migrations.running.insert(id, migration);
        match target.host.parse() {
            Ok(ip) => self.dial_target(id, ip),
            Err(_) => {
                let host = target.host;
                self.effects
                    .ask(Purpose::ResolveTarget(id), |ticket| Effect::Resolve {
                        ticket,
                        host,
                    });
            }
        }
    }

    fn dial_target(&mut self, id: u64, ip: IpAddr) {
        let Some(port) = self.migrations.running.get(&id).map(|one| one.port) else {
            return;
        };
        let flags = ClientFlags::OUTGOING
            .and(ClientFlags::AUTHENTICATED)
            .and(ClientFlags::KNOWN);
        let to = Addr::Tcp(SocketAddr::new(ip, port));
        // Its own side is of no interest.
        let peer = Peer {
            remote: to.clone(),
            local: Addr::Tcp(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
        };
        let client = Client::new(self.next_client_id(), self.now.mono, flags);
        let link = self.conns.insert(Some(peer), client);
        let migration = self.migrations.running.get_mut(&id);
        migration.expect("it was looked at").link = Some(link);
        self.migrations.by_link.insert(link, id);
        let from = None;
        self.effects.push(Effect::Connect {
            conn: link,
            to,
            from,
        });
    }
}

impl Server {
    /// The target's name was looked up.
    pub(super) fn target_resolved(&mut self, id: u64, done: Done) {
        let Done::Resolved(ips) = done else {
            unreachable!("a Resolve is answered in kind")
        };
        match ips.first() {
            Some(&ip) => self.st.dial_target(id, ip),
            None => self.end_migration(id, Some(UNREACHABLE)),
        }
    }

    /// The connection to the target stands, or not.
    pub(super) fn target_connected(&mut self, link: ConnId, made: Result<Addr, ConnectFault>) {
        let now = self.st.now.mono;
        let Some((id, migration)) = self.st.migrations.by_link(link) else {
            return;
        };
        if made.is_err() {
            self.st.migrations.by_link.remove(&link);
            self.st.forget(link);
            self.end_migration(id, Some(WRITING));
            return;
        }
        migration.stage = Stage::Talking;
        migration.deadline = now + migration.timeout;
        let request = core::mem::take(&mut migration.request);
        self.st.conn_mut(link).out.push(&request);
        self.st.conns.mark_writable(link);
    }

    /// The target has answered.
    pub(super) fn target_sent(&mut self, link: ConnId, filled: usize) {
        let now = self.st.now.mono;
        self.st.migrations.progressed(now, link);
        let mut input = self.st.conns.take_input(link, filled);
        let Some((id, migration)) = self.st.migrations.by_link(link) else {
            input.skip(input.len());
            self.st.conns.put_back(link, input);
            return;
        };
        let mut bytes = input.bytes();
        let mut broken = false;
        while !migration.awaited.is_empty() && !broken {
            match migration.parser.next(&mut bytes) {
                Ok(Some(answer)) => migration.answered(answer.as_error()),
                Ok(None) => break,
                Err(_) => broken = true,
            }
        }
        let over = migration.awaited.is_empty();
        input.skip(input.len());
        self.st.conns.put_back(link, input);
        if over || broken {
            self.end_migration(id, broken.then_some(READING));
        }
    }

    /// The connection to the target is gone.
    pub(super) fn target_lost(&mut self, link: ConnId) {
        let Some((id, _)) = self.st.migrations.by_link(link) else {
            return;
        };
        let fault = self.fault_of(id);
        self.end_migration(id, Some(fault));
    }

    /// Ends what the target has kept waiting for too long.
    pub(super) fn end_overdue_migrations(&mut self) {
        let now = self.st.now.mono;
        let running = self.st.migrations.running.iter();
        let overdue: Vec<u64> = running
            .filter(|(_, one)| one.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in overdue {
            let fault = self.fault_of(id);
            self.end_migration(id, Some(fault));
        }
    }

    /// What a migration was at.
    fn fault_of(&self, id: u64) -> &'static str {
        let migration = &self.st.migrations.running[&id];
        let link = migration.link.and_then(|link| self.st.conns.get(link));
        match migration.stage {
            Stage::Connecting => UNREACHABLE,
            Stage::Talking if link.is_some_and(|link| !link.out.is_empty()) => WRITING,
            Stage::Talking => READING,
        }
    }

    fn end_migration(&mut self, id: u64, fault: Option<&'static str>) {
        let migration = self.st.migrations.running.remove(&id);
        let migration = migration.expect("what ends was running");
        if let Some(link) = migration.link
            && self.st.migrations.by_link.remove(&link).is_some()
        {
            self.st.conns.close(link);
        }
        let mut error = match (fault, migration.refusal) {
            (Some(fault), _) => Some(fault.as_bytes().to_vec()),
            (None, Some(text)) => {
                Some([b"ERR Target instance replied with error: ", &text[..]].concat())
            }
            (None, None) => None,
        };
        if !migration.copy {
            self.st.pause.stop(PauseFor::Migrate);
            if migration.from_replica == self.st.is_replica() {
                self.delete_arrived(migration.db, migration.arrived);
            } else {
                // What is here now is another's to delete.
                error = Some(CHANGED_ROLE.as_bytes().to_vec());
            }
        }
        self.answer_migration(migration.client, error.as_deref());
    }

    fn delete_arrived(&mut self, db: usize, arrived: Vec<Box<[u8]>>) {
        let mut del: Vec<&[u8]> = vec![b"DEL"];
        for key in &arrived {
            if self.keys.db_mut(db).delete(key) {
                self.st.unit.changed(1);
                self.st.touch_watched(db, key);
                self.st.notify(NotifyFlags::GENERIC, "del", db, key);
                del.push(key);
            }
        }
        if del.len() > 1 {
            self.st.feed(db, del.into_iter());
        }
        self.st.end_unit();
    }

    fn answer_migration(&mut self, client: ConnId, error: Option<&[u8]>) {
        if self.st.blocked.waits_for(client) != Some(Wait::Migrate) {
            return;
        }
        let end = self.st.stream_end();
        let (proto, flags) = {
            let session = self.st.client_mut(client);
            session.wrote = end;
            (session.proto, session.flags)
        };
        // What was deleted has to be in the append-only file first.
        let mut out = self.take_output(client);
        let mut reply = Reply::new(&mut out, proto).silenced(flags.is_silent());
        match error {
            None => reply.ok(),
            Some(text) => {
                self.st.stats.count_error(&code_of(text));
                reply.error_bytes(text);
            }
        }
        self.give_output_back(client, out);
        self.st.release(client);
    }
}

impl Migration {
    /// Takes the answer to the oldest request that has none.
    fn answered(&mut self, error: Option<&[u8]>) {
        let step = self.awaited.pop_front().expect("an answer is to a request");
        if let Some(text) = error {
            self.refusal.get_or_insert_with(|| text.to_vec());
        }
        match (step, error) {
            (Step::Enter, None) | (Step::Restore(_), Some(_)) => {}
            (Step::Enter, Some(_)) => self.is_shut_out = true,
            // Where we were not let in it may have arrived anywhere.
            (Step::Restore(_), None) if self.is_shut_out => {}
            (Step::Restore(key), None) => self.arrived.push(key),
        }
    }
}

const UNREACHABLE: &str = "IOERR error or timeout connecting to the client";
const WRITING: &str = "IOERR error or timeout writing to target instance";
const READING: &str = "IOERR error or timeout reading from target instance";
const CHANGED_ROLE: &str = "UNBLOCKED force unblock from blocking operation, instance state \
                            changed";
