//! The Sentinel behind the seam: inputs in, buffers, effects and one deadline out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::{Config, SentinelConfig};
use crate::conn::{Conns, SlotId};
use crate::limits::{SENTINEL_DEFERRED_MAX, SENTINEL_LOOKUPS_MAX};
use crate::machine::{
    Addr, Completion, ConnId, ConnectFault, Done, Effect, Facts, Hangup, LogRole, Machine, Mono,
    Now, Peer, Refusal, Signal, Slices, Ticket, TimerName,
};
use crate::resp::{Argv, ReplyParser};
use crate::rng::Rng;
use crate::sentinel::LinkId;
use crate::sentinel::client::Client;
use crate::sentinel::file::StateFile;
use crate::sentinel::group::Options;
use crate::sentinel::link::Side;
use crate::sentinel::names::{HostAddr, RunId};
use crate::sentinel::pubsub::PubSub;
use crate::sentinel::saver::Version;
use crate::sentinel::scripts::Scripts;
use crate::sentinel::watch::Watch;

/// A Sentinel.
#[derive(Debug)]
pub struct Sentinel {
    pub(super) watch: Watch,
    pub(super) conns: Conns<Session>,
    pub(super) pubsub: PubSub,
    pub(super) scripts: Scripts,
    pub(super) file: StateFile,
    /// The directives a Sentinel shares with a server.
    pub(super) config: Config,
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
    listening: Listening,
    waiting: BTreeMap<Ticket, Waiting>,
    next_ticket: u64,
    later: Vec<Later>,
}

/// What only the driver knows of the process, for INFO.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its id.
    pub pid: u32,
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

/// The addresses to listen on.
#[derive(Debug, Default)]
struct Listening {
    /// To be asked for in the first turn.
    wanted: Vec<(Addr, bool)>,
    /// Answers to come.
    pending: usize,
    /// Addresses that are listened on.
    open: Vec<Addr>,
}

/// What a completion is the answer to.
#[derive(Debug)]
enum Waiting {
    Listen { addr: Addr, optional: bool },
    Resolve(Box<str>),
    Monitor(Option<(ConnId, SlotId)>, Monitor),
    Script,
    Save,
}

/// A master to be monitored.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) name: Box<str>,
    pub(super) addr: HostAddr,
    pub(super) quorum: u32,
}

/// A reply that waits for a version to be durable.
#[derive(Debug)]
struct Later {
    conn: ConnId,
    slot: SlotId,
    version: Version,
    saved: Vec<u8>,
    failed: Vec<u8>,
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
        tracing::warn!("Running mode=sentinel, port={}.", config.config.port());
        tracing::warn!("Sentinel ID is {}", watch.id());
        Self {
            conns: Conns::new(),
            pubsub: PubSub::default(),
            scripts: Scripts::default(),
            file: StateFile::new(config.config.file().unwrap_or(DEFAULT_FILE)),
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
            listening: Listening {
                wanted: addresses(&config.config),
                ..Listening::default()
            },
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

    /// Ends the process as soon as the state is saved; asked again, at once.
    pub(super) fn shut_down(&mut self, reason: &str) {
        tracing::warn!("{reason}");
        match self.exit {
            Exit::No => self.exit = Exit::WhenSaved,
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

    /// Has a reply filled in when `version` is durable, or can't be made so.
    pub(super) fn reply_later(
        &mut self,
        conn: ConnId,
        slot: SlotId,
        version: Version,
        saved: Vec<u8>,
        failed: Vec<u8>,
    ) {
        if self.watch.saver.is_durable(version) {
            return self.conns.fill(conn, slot, &saved);
        }
        if self.watch.saver.has_failed(version) || self.later.len() >= SENTINEL_DEFERRED_MAX {
            return self.conns.fill(conn, slot, &failed);
        }
        self.later.push(Later {
            conn,
            slot,
            version,
            saved,
            failed,
        });
    }

    /// Fills in the replies whose outcome is known.
    fn settle_replies(&mut self) {
        for later in core::mem::take(&mut self.later) {
            if self.watch.saver.is_durable(later.version) {
                self.conns.fill(later.conn, later.slot, &later.saved);
            } else if self.watch.saver.has_failed(later.version) {
                self.conns.fill(later.conn, later.slot, &later.failed);
            } else {
                self.later.push(later);
            }
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }

    pub(super) fn resolve(&mut self, host: Box<str>) {
        let ticket = self.ticket();
        self.waiting.insert(ticket, Waiting::Resolve(host.clone()));
        self.effects.push_back(Effect::Resolve { ticket, host });
    }

    /// Monitors a master given by name once the name is known to mean anything.
    pub(super) fn monitor_when_resolved(
        &mut self,
        conn: ConnId,
        slot: Option<SlotId>,
        request: Monitor,
    ) {
        let reply = slot.map(|slot| (conn, slot));
        let asked = |waiting: &&Waiting| matches!(waiting, Waiting::Monitor(..));
        if self.waiting.values().filter(asked).count() >= SENTINEL_LOOKUPS_MAX {
            return self.refuse_monitor(reply, "ERR Too many names are being looked up");
        }
        let ticket = self.ticket();
        let host = request.addr.host().into();
        self.waiting
            .insert(ticket, Waiting::Monitor(reply, request));
        self.effects.push_back(Effect::Resolve { ticket, host });
    }

    fn refuse_monitor(&mut self, reply: Option<(ConnId, SlotId)>, error: &str) {
        if let Some((conn, slot)) = reply {
            self.conns
                .fill(conn, slot, format!("-{error}\r\n").as_bytes());
        }
    }

    pub(super) fn start_monitoring(&mut self, now: Mono, request: Monitor) {
        let options = Options {
            quorum: request.quorum,
            ..Options::default()
        };
        let group = self
            .watch
            .add_group(now, &request.name, request.addr, options);
        self.watch.tell_monitored(group);
    }

    fn on_monitor_resolved(
        &mut self,
        now: Mono,
        reply: Option<(ConnId, SlotId)>,
        mut request: Monitor,
        ip: Option<core::net::IpAddr>,
    ) {
        let Some(ip) = ip else {
            return self.refuse_monitor(reply, "ERR Invalid IP address or hostname specified");
        };
        if let Err(error) = super::commands::check_free(self, &request.name) {
            return self.refuse_monitor(reply, &error);
        }
        request.addr.resolved(ip);
        self.start_monitoring(now, request);
        let version = self.watch.saver.touch();
        if let Some((conn, slot)) = reply {
            let failed =
                super::commands::encoded(crate::resp::Proto::Resp2, super::commands::save_failed);
            self.reply_later(conn, slot, version, b"+OK\r\n".to_vec(), failed);
        }
    }

    fn listen(&mut self) {
        for (addr, optional) in core::mem::take(&mut self.listening.wanted) {
            let ticket = self.ticket();
            self.listening.pending += 1;
            let mode = match addr {
                Addr::Unix(_) => self.config.unixsocketperm(),
                Addr::Tcp(_) => None,
            };
            self.waiting.insert(
                ticket,
                Waiting::Listen {
                    addr: addr.clone(),
                    optional,
                },
            );
            self.effects.push_back(Effect::Listen {
                ticket,
                addr,
                backlog: self.config.tcp_backlog(),
                mode,
            });
        }
    }

    fn on_listening(&mut self, addr: &Addr, optional: bool, result: Result<Addr, i32>) {
        self.listening.pending -= 1;
        match result {
            Ok(open) => {
                if let Addr::Tcp(at) = open
                    && self.watch.settings.port == 0
                {
                    self.watch.settings.port = at.port();
                }
                self.listening.open.push(open);
            }
            Err(errno) if optional => {
                tracing::debug!("Not listening on {addr}: error {errno}");
            }
            Err(errno) => {
                let reason = std::io::Error::from_raw_os_error(errno);
                tracing::warn!("Could not create server TCP listening socket {addr}: {reason}");
                tracing::warn!("Failed listening on {addr}, aborting.");
                return self.exit_now(1);
            }
        }
        if self.listening.pending > 0 {
            return;
        }
        if self.listening.open.is_empty() {
            tracing::warn!("Configured to not listen anywhere, exiting.");
            return self.exit_now(1);
        }
        self.effects.push_back(Effect::Notify {
            state: "STATUS=Ready to accept connections\nREADY=1".into(),
        });
    }

    /// Begins the next save, if one is due.
    fn save(&mut self, now: Mono) {
        if self.watch.saver.begin(now) {
            let op = self.file.begin();
            self.disk(op);
        }
    }

    pub(super) fn disk(&mut self, op: crate::machine::DiskOp) {
        let ticket = self.ticket();
        self.waiting.insert(ticket, Waiting::Save);
        self.effects.push_back(Effect::Disk { ticket, op });
    }

    /// Takes the end of a step on the file.
    fn on_disk(&mut self, now: Mono, result: Result<bytes::Bytes, crate::machine::DiskFault>) {
        use crate::sentinel::file::Next;

        match self.file.advance(result) {
            Next::Op(op) => self.disk(op),
            Next::Image(old) => {
                self.watch.saver.seal();
                let image = self.watch.image(&self.config);
                let text = crate::config::rewrite_sentinel(&old, &image, None);
                let op = self.file.write(text);
                self.disk(op);
            }
            Next::Done(result) => {
                if let Err(fault) = result {
                    tracing::warn!(
                        "WARNING: Sentinel was not able to save the new configuration on disk!!!: \
                         {}: {fault:?}",
                        self.file.path()
                    );
                }
                self.watch.on_saved(now, result.is_ok());
                self.settle_replies();
            }
        }
    }

    fn run_scripts(&mut self, now: Mono) {
        while let Some(script) = self.scripts.poll_kill(now) {
            self.effects.push_back(Effect::Kill { script });
        }
        loop {
            let ticket = Ticket(self.next_ticket);
            let Some((id, script)) = self.scripts.poll_start(now, ticket) else {
                return;
            };
            assert_eq!(self.ticket(), ticket, "tickets ascend one by one");
            self.waiting.insert(ticket, Waiting::Script);
            self.effects.push_back(Effect::Spawn {
                ticket,
                script: id,
                path: script.path,
                args: script.args.into_iter().map(String::into_bytes).collect(),
            });
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
        let waiting = self
            .waiting
            .remove(&done.ticket)
            .expect("a completion answers an effect");
        match (waiting, done.done) {
            (Waiting::Listen { addr, optional }, Done::Listen(result)) => {
                self.on_listening(&addr, optional, result);
            }
            (Waiting::Resolve(host), Done::Resolved(ips)) => {
                self.watch
                    .on_resolved(now.mono, &host, ips.first().copied());
            }
            (Waiting::Monitor(reply, request), Done::Resolved(ips)) => {
                self.on_monitor_resolved(now.mono, reply, request, ips.first().copied());
            }
            (Waiting::Script, Done::Script { pid, exit }) => {
                self.on_script(now.mono, done.ticket, pid, exit);
            }
            (Waiting::Save, Done::Disk(result)) => self.on_disk(now.mono, result),
            (waiting, done) => panic!("{done:?} does not answer {waiting:?}"),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.watch.observe(now);
    }

    fn handle_signal(&mut self, now: Now, signal: Signal) {
        self.watch.observe(now);
        match signal {
            Signal::Terminate => self.shut_down("Received SIGTERM scheduling shutdown..."),
            Signal::Interrupt => self.shut_down("Received SIGINT scheduling shutdown..."),
        }
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
        self.close_due();
        self.save(now.mono);
        if self.exit == Exit::WhenSaved && self.watch.saver.is_settled() {
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
        let open = self
            .conns
            .get(conn)
            .is_some_and(|one| one.closing() == crate::conn::Closing::No);
        open && self.exit == Exit::No && !self.backlog.contains(&conn)
    }

    fn writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>) {
        self.conns.writable(conn, slices);
    }

    fn consume(&mut self, _: Now, conn: ConnId, written: usize) {
        self.stats.bytes_out += u64::try_from(written).expect("a length fits");
        self.conns.consume(conn, written);
    }
}

/// Where to listen, and whether it is no error if that can't be.
fn addresses(config: &Config) -> Vec<(Addr, bool)> {
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    let port = config.port();
    let mut all = Vec::new();
    for bind in config.bind() {
        let (text, optional) = match bind.strip_prefix('-') {
            Some(text) => (text, true),
            None => (&**bind, false),
        };
        let ip = match text {
            "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            "::*" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            text => text.parse().ok(),
        };
        match ip {
            Some(ip) if port != 0 => all.push((Addr::Tcp(SocketAddr::new(ip, port)), optional)),
            Some(_) => {}
            None => tracing::warn!("Not listening on {text}: bind takes addresses, not names"),
        }
    }
    if let Some(path) = config.unixsocket() {
        all.push((Addr::Unix(path.into()), false));
    }
    all
}

/// A Sentinel without a file of its own; the driver refuses to start one.
const DEFAULT_FILE: &str = "sentinel.conf";
