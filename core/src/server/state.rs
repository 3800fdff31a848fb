//! What the server knows besides the dataset.

use super::Launch;
use super::acl::Waiter;
use super::aof::Aof;
use super::blocked::{Blocked, Pause, PauseKind};
use super::client::{Client, ClientFlags};
use super::client_memory::ClientMemory;
use super::effects::Effects;
use super::eviction::Eviction;
use super::lifecycle::Lifecycle;
use super::migrate::Migrations;
use super::output::Overfull;
use super::own_expiry::OwnExpiry;
use super::persist::Persist;
use super::rewrite::Rewriter;
use super::scripts::Scripts;
use super::shutdown::Shutdown;
use super::stats::Stats;
use super::unit::Unit;
use super::watch::Watch;
use crate::acl::{AclFile, Log, Users};
use crate::command::gates::Conditions;
use crate::command::spec::Flags;
use crate::command::table::{Found, Table};
use crate::config::Config;
use crate::conn::{Conn, Conns};
use crate::keyspace::Keyspace;
use crate::machine::{ConnId, Effect, Facts, Mono, Now};
use crate::pubsub::{Kind, PubSub};
use crate::repl::Replication;
use crate::repl::action::Attempt;
use crate::repl::lineage::RunId;
use crate::resp::ArgvRef;
use crate::rng::Rng;
use crate::value::{KeyHasher, Shape};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

/// Everything of the server but its keys, so that a command may borrow both.
pub struct State {
    /// The directives in force.
    pub config: Config,
    /// The commands there are.
    pub table: Table,
    /// Every connection.
    pub conns: Conns<Client>,
    /// Connections by the number people see.
    pub by_client_id: BTreeMap<u64, ConnId>,
    /// The time of the input being handled. Stands still while a unit runs.
    pub now: Now,
    /// What is known of the process.
    pub launch: Launch,
    /// `run_id`.
    pub run_id: RunId,
    /// When the process was started.
    pub started: Now,
    /// Used memory when it was.
    pub memory_startup: u64,
    /// The most memory that was used.
    pub memory_peak: u64,
    /// What connections take.
    pub client_memory: ClientMemory,
    /// How far eviction has come.
    pub eviction: Eviction,
    /// In which form collections are kept.
    pub shape: Shape,
    /// The randomness commands draw from.
    pub rng: Rng,
    /// What the system says of the process.
    pub facts: Facts,
    /// The users there are.
    pub users: Users,
    /// What was denied to them.
    pub acl_log: Log,
    /// The file of users.
    pub(super) acl_file: AclFile<Waiter>,
    /// Counters.
    pub stats: Stats,
    /// Why commands are refused at present.
    pub conditions: Conditions,
    /// Subscriptions.
    pub pubsub: PubSub,
    /// Watched keys.
    pub watch: Watch,
    /// What a writable replica expires itself.
    pub own_expiry: OwnExpiry,
    /// Clients that wait.
    pub blocked: Blocked,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// What runs at present, as it goes to replicas.
    pub unit: Unit,
    /// Lua scripts.
    pub scripts: Scripts,
    /// Both ends of replication.
    pub repl: Replication,
    /// The end of the process.
    pub shutdown: Shutdown,
    /// Keys on their way to other servers.
    pub(super) migrations: Migrations,
    /// CONFIG REWRITE.
    pub(super) rewriter: Rewriter,
    /// Clients whose WAIT a change of role has ended.
    pub(super) demoted: Vec<ConnId>,
    /// Snapshots and loading.
    pub persist: Persist,
    /// The append-only file.
    pub aof: Aof,
    /// Starting, serving or shutting down.
    pub lifecycle: Lifecycle,
    /// Requests to the driver.
    pub effects: Effects<Purpose>,
    /// Clients that read too slowly.
    pub(super) overfull: Overfull,
    /// Connections with input that waits for the next turn.
    pub backlog: VecDeque<ConnId>,
    /// What DEBUG has switched.
    pub debug: Debug,
    /// When an HTTP request in the place of commands was last logged.
    pub(super) attack_logged: Option<Mono>,
    next_client: u64,
}

/// Switches of the DEBUG command.
#[derive(Clone, Copy, Debug)]
pub struct Debug {
    /// Whether keys are expired without being touched.
    pub active_expire: bool,
    /// Whether nothing is done by the clock.
    pub cron_paused: bool,
    /// Whether checksums go unchecked.
    pub skip_checksum: bool,
    /// Whether who was never let in is cut off with the first reply it does not read.
    pub strangers_read: bool,
    /// How long what goes to the append-only file is held back first.
    pub flush_sleep: Duration,
    /// The server does nothing before this instant.
    pub asleep_until: Option<Mono>,
    /// Whether scripts may call every command.
    pub scripts_unbound: bool,
}

/// What an answered effect was for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// One of the listening sockets, by its place in the start-up list.
    Listen(usize),
    /// The dataset file being loaded.
    Load,
    /// The snapshot being saved.
    Save(u64),
    /// The file that the append-only log grows in.
    AofFile,
    /// A step of opening or rewriting the append-only file.
    AofStep,
    /// The manifest of the append-only file being read.
    AofManifest,
    /// A step of removing what is left of it.
    AofCleaning,
    /// The file of users being read or written.
    AclFile,
    /// The configuration file being rewritten.
    Rewrite,
    /// A full synchronisation being received into a file.
    Receive(Attempt),
    /// The master's name being looked up.
    Resolve(Attempt),
    /// The name of MIGRATE's target being looked up.
    ResolveTarget(u64),
    /// The file that replicas are sent.
    Send,
    /// Nothing depends on it.
    Ignore,
}

impl State {
    /// A server that has done nothing yet.
    pub(super) fn new(
        config: Config,
        table: Table,
        rng: &Rng,
        conns: Conns<Client>,
        launch: Launch,
        users: Users,
        now: Now,
    ) -> Self {
        Self {
            acl_file: super::acl::file(&config),
            acl_log: Log::default(),
            users,
            stats: Stats::new(table.len()),
            watch: Watch::new(usize::try_from(config.databases()).expect("databases are few")),
            repl: Replication::new(now, rng, super::replication::settings(&config)),
            persist: Persist::new(now),
            aof: Aof::default(),
            shutdown: Shutdown::No,
            migrations: Migrations::default(),
            rewriter: Rewriter::default(),
            demoted: Vec::new(),
            run_id: RunId::new(rng),
            started: now,
            memory_startup: 0,
            memory_peak: 0,
            client_memory: ClientMemory::default(),
            eviction: Eviction::default(),
            shape: super::reconfigure::shape(&config, KeyHasher::new(&mut rng.fork("elements"))),
            lifecycle: Lifecycle::default(),
            rng: rng.fork("commands"),
            by_client_id: BTreeMap::new(),
            facts: Facts::default(),
            conditions: Conditions::default(),
            pubsub: PubSub::default(),
            own_expiry: OwnExpiry::default(),
            blocked: Blocked::default(),
            pause: Pause::default(),
            unit: Unit::default(),
            scripts: Scripts::default(),
            effects: Effects::default(),
            overfull: Overfull::default(),
            backlog: VecDeque::new(),
            debug: Debug {
                active_expire: true,
                cron_paused: false,
                skip_checksum: false,
                strangers_read: false,
                flush_sleep: Duration::ZERO,
                asleep_until: None,
                scripts_unbound: false,
            },
            attack_logged: None,
            next_client: 1,
            config,
            table,
            conns,
            now,
            launch,
        }
    }

    /// The number of the next client.
    pub(super) fn next_client_id(&mut self) -> u64 {
        self.next_client += 1;
        self.next_client - 1
    }

    /// A connection that is known to be there.
    pub fn conn_mut(&mut self, conn: ConnId) -> &mut Conn<Client> {
        self.conns
            .get_mut(conn)
            .expect("a connection at work is in the table")
    }

    /// The session of a connection that is known to be there.
    pub fn client(&self, conn: ConnId) -> &Client {
        &self
            .conns
            .get(conn)
            .expect("a connection at work is in the table")
            .state
    }

    /// The session of a connection that is known to be there.
    pub fn client_mut(&mut self, conn: ConnId) -> &mut Client {
        &mut self.conn_mut(conn).state
    }

    /// The flags a command is judged by: EXEC is judged by what it would execute, EVAL by what its
    /// script declares.
    pub fn effective_flags(&self, conn: ConnId, found: &Found, argv: ArgvRef<'_>) -> Flags {
        let flags = found.spec.flags;
        if flags.has(Flags::RUNS_SCRIPT) {
            return self.flags_with_script(flags, argv);
        }
        if !flags.has(Flags::EXECUTES_QUEUE) {
            return flags;
        }
        let queued = self.client(conn).rare.iter().flat_map(|rare| &rare.queue);
        queued.fold(flags, |flags, queued| {
            let next = self.table.command(queued.id).spec.flags;
            flags.with_queued(if next.has(Flags::RUNS_SCRIPT) {
                self.flags_with_script(next, queued.argv.as_ref())
            } else {
                next
            })
        })
    }

    /// The mildest pause that would hold a command back, if one like that or a stricter one is
    /// in force.
    pub fn held_back_by(&self, client: ClientFlags, command: Flags) -> Option<PauseKind> {
        let kind = self.pause.kind()?;
        let spared = ClientFlags::MASTER
            .and(ClientFlags::REPLICA)
            .and(ClientFlags::LOADER);
        if client.has_any(spared) {
            return None;
        }
        let mildest = if command.has(Flags::WRITE) {
            PauseKind::Keys
        } else if command.has(Flags::MAY_REPLICATE) {
            PauseKind::Write
        } else {
            PauseKind::All
        };
        (mildest <= kind).then_some(mildest)
    }

    /// Whether writes are held back, and with them expiry and everything else that would change
    /// the dataset.
    pub fn is_paused(&self) -> bool {
        self.pause.kind().is_some()
    }

    /// Ends a transaction without executing it.
    pub fn discard(&mut self, conn: ConnId) {
        let client = self.client_mut(conn);
        let ended = ClientFlags::MULTI
            .and(ClientFlags::DIRTY_CAS)
            .and(ClientFlags::DIRTY_EXEC);
        client.flags.set(ended, false);
        if let Some(rare) = &mut client.rare {
            rare.queue.clear();
            rare.queue_bytes = 0;
        }
        self.unwatch(conn);
    }

    /// Ends every watch of a client.
    pub fn unwatch(&mut self, conn: ConnId) {
        let client = self.client_mut(conn);
        if client.flags.has(ClientFlags::WATCHING) {
            client.flags.set(ClientFlags::WATCHING, false);
            self.watch.forget(conn);
        }
        self.client_mut(conn)
            .flags
            .set(ClientFlags::DIRTY_CAS, false);
    }

    /// Tells those who watch a key that it has changed; those who wait for it are looked at when
    /// the unit has ended.
    pub fn touch_watched(&mut self, db: usize, key: &[u8]) {
        self.blocked.keys.note(db, key);
        if self.watch.is_idle() {
            return;
        }
        let watchers = self.watch.watchers(db, key).to_vec();
        self.dirty_watchers(&watchers);
    }

    /// As [`touch_watched`](Self::touch_watched), for a key that has expired and is gone: for
    /// those who began to watch it when it had expired, it has not changed.
    pub(super) fn touch_expired(&mut self, db: usize, key: &[u8]) {
        self.blocked.keys.note(db, key);
        if self.watch.is_idle() {
            return;
        }
        let watchers = self.watch.watchers(db, key).to_vec();
        let (stale, touched): (Vec<_>, Vec<_>) = watchers
            .into_iter()
            .partition(|&conn| self.watch.had_expired(conn, db, key));
        for conn in stale {
            self.watch.set_expired(conn, db, key, false);
        }
        self.dirty_watchers(&touched);
    }

    /// Lets the next EXEC of some clients fail.
    pub fn dirty_watchers(&mut self, conns: &[ConnId]) {
        for &conn in conns {
            self.client_mut(conn)
                .flags
                .set(ClientFlags::DIRTY_CAS, true);
        }
    }

    /// What the dataset and everything around it takes.
    pub fn used_memory(&self, keys: &Keyspace) -> u64 {
        let data = (keys.memory() + self.repl.backlog_memory()) as u64;
        let scripts = self.scripts.text_bytes() as u64;
        data + self.client_memory.total() + scripts + BASE_MEMORY_BYTES
    }

    /// Closes a connection at the end of the turn, without what it was still to be told.
    pub fn doom(&mut self, conn: ConnId) {
        self.client_mut(conn).flags.set(ClientFlags::CLOSING, true);
        self.conns.close(conn);
    }

    /// Closes a connection as soon as its replies are out.
    pub fn close_after_reply(&mut self, conn: ConnId) {
        self.client_mut(conn).flags.set(ClientFlags::CLOSING, true);
        self.conns.close_after_reply(conn);
    }

    /// Asks the driver to close a connection and forgets it.
    pub(super) fn close(&mut self, conn: ConnId) {
        self.effects.push(Effect::Close { conn });
        self.forget(conn);
    }

    /// Takes note of Sentinels that watch this node: they subscribe to the hellos of each other.
    pub(super) fn note_watchers(&mut self) {
        if self.pubsub.subscribers(Kind::Channel, SENTINEL_HELLO) > 0 {
            self.repl.note_watched(self.now);
        }
    }

    /// Forgets a connection that is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        let Some(gone) = self.conns.get(conn) else {
            return;
        };
        let id = gone.state.id;
        self.uncount(conn);
        self.by_client_id.remove(&id);
        // The last that is seen of Sentinels before a change of role may be that they leave.
        self.note_watchers();
        self.pubsub.forget(conn);
        self.watch.forget(conn);
        self.blocked.remove(conn);
        self.forget_output(conn);
        self.repl.hung_up(self.now, conn);
        self.conns.remove(conn);
    }
}

/// What a server takes before it holds anything: buffers and tables of its own.
const BASE_MEMORY_BYTES: u64 = 512 * 1024;

/// The channel on which Sentinels listen to each other, on every server they watch.
const SENTINEL_HELLO: &[u8] = b"__sentinel__:hello";
