//! The Sentinel behind the seam: inputs in, buffers, effects and one deadline out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::acl::{AclFile, Log, Users};
use crate::config::{Config, SentinelConfig};
use crate::conn::{Closing, Conns};
use crate::machine::{
    Addr, Completion, ConnId, ConnectFault, Effect, Facts, Hangup, LogRole, Machine, Mono, Now,
    Peer, Refusal, ScriptId, Signal, Slices, Ticket, TimerName,
};
use crate::resp::{Argv, ReplyParser};
use crate::rng::Rng;
use crate::sentinel::LinkId;
use crate::sentinel::client::Client;
use crate::sentinel::completions::{Later, Listening, Waiting};
use crate::sentinel::events;
use crate::sentinel::file::{StateFile, Which};
use crate::sentinel::link::Side;
use crate::sentinel::names::RunId;
use crate::sentinel::pubsub::PubSub;
use crate::sentinel::saver::Saver;
use crate::sentinel::scripts::Scripts;
use crate::sentinel::settings::Timing;
use crate::sentinel::users::{self, users};
use crate::sentinel::watch::Watch;

/// A Sentinel.
#[derive(Debug)]
pub struct Sentinel {
    pub(super) watch: Watch,
    pub(super) conns: Conns<Session>,
    pub(super) pubsub: PubSub,
    pub(super) scripts: Scripts,
    pub(super) file: StateFile,
    /// The operator's file, where what is learnt is kept in another one.
    pub(super) settings: Option<SettingsFile>,
    /// The directives a Sentinel shares with a server.
    pub(super) config: Config,
    pub(super) users: Users,
    pub(super) acl_log: Log,
    pub(super) acl_file: AclFile<users::Waiter>,
    /// Of passwords that are made up.
    pub(super) rng: Rng,
    pub(super) process: Process,
    pub(super) facts: Facts,
    pub(super) stats: Stats,
    /// Of this process, unlike the Sentinel's identity.
    pub(super) run_id: RunId,
    pub(super) started: Mono,
    pub(super) clients: u32,
    pub(super) clients_max: u32,
    pub(super) next_client: u64,
    pub(super) argv: Argv,
    /// The connections of the links.
    pub(super) dialed: BTreeMap<(LinkId, Side), ConnId>,
    /// Connections with commands left over from their turn.
    pub(super) backlog: BTreeSet<ConnId>,
    pub(super) effects: VecDeque<Effect>,
    pub(super) exit: Exit,
    /// When idle clients were looked for last.
    pub(super) idle_checked: Mono,
    pub(super) listening: Listening,
    pub(super) waiting: BTreeMap<Ticket, Waiting>,
    pub(super) next_ticket: u64,
    pub(super) later: Vec<Later>,
}

/// The operator's file.
#[derive(Debug)]
pub(super) struct SettingsFile {
    pub(super) file: StateFile,
    pub(super) saver: Saver,
}

/// What only the driver knows of the process, for INFO.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The name the program was started by.
    pub program: Box<str>,
    /// The path of the program.
    pub executable: Box<str>,
    /// Name, release and machine of the system.
    pub os: Box<str>,
    /// How the driver waits.
    pub multiplexing: Box<str>,
}

/// What INFO counts.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) connections: u64,
    pub(super) commands: u64,
    pub(super) errors: u64,
    pub(super) rejected: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Session {
    /// A client, or another Sentinel that asks.
    Client(Box<Client>),
    /// One of our own to an instance.
    Link {
        link: LinkId,
        side: Side,
        parser: ReplyParser,
    },
}

/// How far the process is from its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exit {
    /// It goes on.
    No,
    /// It ends as soon as the state is saved.
    WhenSaved,
    /// It has been told to end.
    Told,
}

impl Session {
    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            Self::Client(client) => Some(client),
            Self::Link { .. } => None,
        }
    }

    pub(super) fn client_mut(&mut self) -> Option<&mut Client> {
        match self {
            Self::Client(client) => Some(client),
            Self::Link { .. } => None,
        }
    }
}

impl Sentinel {
    /// A Sentinel with the configuration and memory of its file. The first turn listens.
    pub fn new(config: SentinelConfig, seed: [u8; 32], now: Now) -> Self {
        let rng = Rng::new(seed);
        let run_id = rng.fork("runid").hex40();
        let watch = Watch::load(&config, &rng, now);
        let path = config.config.file().unwrap_or(DEFAULT_FILE);
        let settings = config.state_file.as_ref().map(|_| SettingsFile {
            file: StateFile::new(Which::Settings, path),
            saver: Saver::once(),
        });
        let state_path = config.state_file.as_deref().unwrap_or(path);
        Self {
            conns: Conns::new(),
            pubsub: PubSub::default(),
            scripts: Scripts::new(
                watch.timing.script_max_runtime,
                watch.timing.script_retry_delay,
            ),
            file: StateFile::new(Which::State, state_path),
            settings,
            users: users(&config).expect("who starts a Sentinel has looked at its users"),
            acl_log: Log::default(),
            acl_file: AclFile::new(config.config.aclfile(), users::FILE),
            rng: rng.fork("commands"),
            process: Process::default(),
            facts: Facts::default(),
            stats: Stats::default(),
            run_id: RunId::parse(&run_id).expect("forty hexadecimal digits"),
            started: now.mono,
            clients: 0,
            clients_max: config.config.maxclients(),
            next_client: 1,
            argv: Argv::default(),
            dialed: BTreeMap::new(),
            backlog: BTreeSet::new(),
            effects: VecDeque::new(),
            exit: Exit::No,
            idle_checked: now.mono,
            listening: Listening::new(&config.config),
            waiting: BTreeMap::new(),
            next_ticket: 1,
            later: Vec::new(),
            config: config.config,
            watch,
        }
    }

    /// Takes what INFO is to tell of the process.
    pub fn set_process(&mut self, process: Process) {
        self.process = process;
    }

    /// The deciding half.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Finds what must never be wrong, at a cost that only tests and the simulator can pay.
    ///
    /// # Panics
    ///
    /// If it is wrong.
    pub fn check_invariants(&self) {
        self.watch.check_invariants();
        for (&(link, side), &conn) in &self.dialed {
            let session = &self
                .conns
                .get(conn)
                .expect("dialed connections exist")
                .state;
            let agrees = matches!(
                session,
                Session::Link { link: l, side: s, .. } if *l == link && *s == side
            );
            assert!(agrees, "connections know what they are for");
        }
        let clients = self
            .conns
            .iter()
            .filter(|conn| conn.state.client().is_some())
            .count();
        assert_eq!(
            u32::try_from(clients),
            Ok(self.clients),
            "clients are counted"
        );
    }

    /// Where the operator's file is.
    pub(super) fn config_path(&self) -> &str {
        let settings = self.settings.as_ref();
        settings
            .map_or(&self.file, |settings| &settings.file)
            .path()
    }

    /// Whether there is nothing to save, or it was tried and failed.
    fn is_saved(&self) -> bool {
        let settings = self.settings.as_ref();
        self.watch.saver.is_settled() && settings.is_none_or(|one| one.saver.is_settled())
    }

    /// Goes by other periods and limits from here on.
    pub(super) fn set_timing(&mut self, timing: Timing) {
        self.scripts.max_runtime = timing.script_max_runtime;
        self.scripts.retry_delay = timing.script_retry_delay;
        self.watch.set_timing(timing);
    }

    /// Ends the process as soon as the state is saved; asked again, at once.
    pub(super) fn shut_down(&mut self, now: Mono, reason: &str) {
        tracing::warn!("{reason}");
        match self.exit {
            Exit::No => {
                self.exit = Exit::WhenSaved;
                self.watch.leave_virtual_ips(now);
            }
            Exit::WhenSaved => self.exit_now(0),
            Exit::Told => {}
        }
    }

    pub(super) fn exit_now(&mut self, code: u8) {
        if self.exit != Exit::Told {
            self.exit = Exit::Told;
            self.effects.push_back(Effect::Exit { code });
        }
    }
}

impl Machine for Sentinel {
    fn handle_accept(&mut self, now: Now, peer: Peer) -> Result<ConnId, Refusal> {
        self.watch.observe(now);
        self.accept(now, peer)
    }

    fn handle_connected(&mut self, now: Now, conn: ConnId, local: Result<Addr, ConnectFault>) {
        self.watch.observe(now);
        self.connected(now.mono, conn, local);
    }

    fn handle_read(&mut self, now: Now, conn: ConnId, filled: usize) {
        self.watch.observe(now);
        self.stats.bytes_in += u64::try_from(filled).expect("a length fits");
        self.read(now, conn, filled);
    }

    fn handle_hangup(&mut self, now: Now, conn: ConnId, _: Hangup) {
        self.watch.observe(now);
        self.hung_up(now.mono, conn);
    }

    fn handle_done(&mut self, now: Now, done: Completion) {
        self.watch.observe(now);
        self.on_done(now, done);
    }

    fn handle_spawned(&mut self, now: Now, script: ScriptId, pid: u32) {
        self.watch.observe(now);
        if self.scripts.spawned(script, pid) {
            self.watch.tell(events::SCRIPT_CHILD, None, pid.to_string());
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.watch.observe(now);
    }

    fn handle_signal(&mut self, now: Now, signal: Signal) {
        self.watch.observe(now);
        let reason = match signal {
            Signal::Terminate => "Received SIGTERM scheduling shutdown...",
            Signal::Interrupt => "Received SIGINT scheduling shutdown...",
        };
        self.shut_down(now.mono, reason);
    }

    fn handle_facts(&mut self, now: Now, facts: Facts) {
        self.watch.observe(now);
        self.facts = facts;
    }

    fn end_turn(&mut self, now: Now) {
        self.watch.observe(now);
        if self.exit == Exit::Told {
            return self.watch.settle_nothing(now);
        }
        self.listen();
        self.serve_backlog(now);
        self.watch.settle(now);
        self.act(now);
        self.run_scripts(now.mono);
        self.close_idle(now.mono);
        self.close_due();
        self.save(now.mono);
        let done = self.is_saved() && self.watch.has_left_virtual_ips(now.mono);
        if self.exit == Exit::WhenSaved && done {
            tracing::warn!("Sentinel is now ready to exit, bye bye...");
            self.exit_now(0);
        }
        let next = self.poll_timeout();
        assert!(
            next.is_none_or(|(at, _)| now.mono < at),
            "{next:?} is due and was not done"
        );
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_writable(&mut self) -> Option<ConnId> {
        self.conns.poll_writable()
    }

    fn poll_timeout(&self) -> Option<(Mono, TimerName)> {
        if self.exit == Exit::Told {
            return None;
        }
        let scripts = self
            .scripts
            .deadline()
            .map(|at| (at, TimerName("sentinel-script")));
        let saver = self
            .watch
            .saver
            .deadline()
            .map(|at| (at, TimerName("sentinel-save-retry")));
        let watch = Some(self.watch.deadline());
        [watch, scripts, saver]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    fn log_role(&self) -> LogRole {
        LogRole::Sentinel
    }

    fn read_space(&mut self, conn: ConnId) -> &mut [u8] {
        self.conns.read_space(conn)
    }

    fn wants_read(&self, conn: ConnId) -> bool {
        let open = self.conns.get(conn).is_some_and(|one| {
            let held = one.state.client().is_some_and(|client| client.held);
            one.closing() == Closing::No && !held
        });
        open && self.exit == Exit::No && !self.backlog.contains(&conn)
    }

    fn writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>) {
        self.conns.writable(conn, slices);
    }

    fn consume(&mut self, _: Now, conn: ConnId, written: usize) {
        self.stats.bytes_out += u64::try_from(written).expect("a length fits");
        self.conns.consume(conn, written);
        self.close_due();
    }
}

/// A Sentinel without a file of its own; the driver refuses to start one.
const DEFAULT_FILE: &str = "sentinel.conf";
