//! What the driver is asked to do and answers: listening, names, files, scripts; and the replies
//! that wait for it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use crate::config::{self, Config};
use crate::conn::SlotId;
use crate::limits::{SENTINEL_DEFERRED_MAX, SENTINEL_LOOKUPS_MAX};
use crate::machine::{
    Addr, AddressOp, Completion, ConnId, DiskFault, DiskOp, Done, Effect, Mono, Now, ScriptExit,
    Ticket, UnixAccess,
};
use crate::resp::Proto;
use crate::sentinel::commands::{self, SetRequest};
use crate::sentinel::events;
use crate::sentinel::file::{Next, SaveFault, StateFile, Which};
use crate::sentinel::group::Options;
use crate::sentinel::machine::Sentinel;
use crate::sentinel::names::HostAddr;
use crate::sentinel::saver::{Saver, Version};
use crate::sentinel::scripts::Outcome;
use crate::sentinel::virtual_ip::HolderId;

/// The addresses to listen on.
#[derive(Debug, Default)]
pub(super) struct Listening {
    announced: bool,
    /// To be asked for in the first turn.
    wanted: Vec<(Addr, bool)>,
    /// Answers to come.
    pending: usize,
    /// Addresses that are listened on.
    open: Vec<Addr>,
}

/// What a completion is the answer to.
#[derive(Debug)]
pub(super) enum Waiting {
    Listen { addr: Addr, optional: bool },
    Resolve(Box<str>),
    Monitor(Option<(ConnId, SlotId)>, Monitor),
    Script,
    Save(Which),
    CanRun(Box<SetRequest>),
    Address(HolderId),
    AclFile,
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
pub(super) struct Later {
    conn: ConnId,
    slot: SlotId,
    which: Which,
    version: Version,
    saved: Vec<u8>,
    failed: Vec<u8>,
}

impl Listening {
    /// What the configuration says.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            wanted: addresses(config),
            ..Self::default()
        }
    }
}

impl Sentinel {
    /// Takes the answer to an effect.
    pub(super) fn on_done(&mut self, now: Now, done: Completion) {
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
            (Waiting::Save(which), Done::Disk(result)) => self.on_disk(now.mono, which, result),
            (Waiting::CanRun(request), Done::Disk(result)) => {
                self.on_can_run(now.mono, request, result.is_ok());
            }
            (Waiting::Address(holder), Done::Address(result)) => {
                self.watch.on_address(now.mono, holder, result);
            }
            (Waiting::AclFile, Done::Disk(result)) => self.on_acl_file(result),
            (waiting, done) => panic!("{done:?} does not answer {waiting:?}"),
        }
    }

    /// Has a reply filled in when `version` is durable, or can't be made so.
    pub(super) fn reply_later(
        &mut self,
        conn: ConnId,
        slot: SlotId,
        (which, version): (Which, Version),
        saved: Vec<u8>,
        failed: Vec<u8>,
    ) {
        let saver = self.saver(which);
        if saver.is_durable(version) {
            return self.conns.fill(conn, slot, &saved);
        }
        if saver.has_failed(version) || self.later.len() >= SENTINEL_DEFERRED_MAX {
            return self.conns.fill(conn, slot, &failed);
        }
        self.later.push(Later {
            conn,
            slot,
            which,
            version,
            saved,
            failed,
        });
    }

    fn saver(&self, which: Which) -> &Saver {
        match (&self.settings, which) {
            (Some(settings), Which::Settings) => &settings.saver,
            (Some(_) | None, _) => &self.watch.saver,
        }
    }

    /// Notes that an operator changed something; the state of the file that will hold it.
    pub(super) fn touch_settings(&mut self) -> (Which, Version) {
        let learnt = self.watch.saver.touch();
        match &mut self.settings {
            Some(settings) => (Which::Settings, settings.saver.touch()),
            None => (Which::State, learnt),
        }
    }

    /// Fills in the replies whose outcome is known.
    fn settle_replies(&mut self) {
        for later in core::mem::take(&mut self.later) {
            let saver = self.saver(later.which);
            if saver.is_durable(later.version) {
                self.conns.fill(later.conn, later.slot, &later.saved);
            } else if saver.has_failed(later.version) {
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

    pub(super) fn change_address(&mut self, holder: HolderId, op: AddressOp) {
        let ticket = self.ticket();
        self.waiting.insert(ticket, Waiting::Address(holder));
        self.effects.push_back(Effect::Address { ticket, op });
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
            down_after: self.watch.timing.default_down_after,
            failover_timeout: self.watch.timing.default_failover_timeout,
            ..Options::default()
        };
        let group = self
            .watch
            .add_group(now, &request.name, request.addr, options);
        self.watch.tell_monitored(group);
    }

    pub(super) fn on_monitor_resolved(
        &mut self,
        now: Mono,
        reply: Option<(ConnId, SlotId)>,
        mut request: Monitor,
        ip: Option<IpAddr>,
    ) {
        let Some(ip) = ip else {
            return self.refuse_monitor(reply, "ERR Invalid IP address or hostname specified");
        };
        if let Err(error) = commands::check_free(self, &request.name) {
            return self.refuse_monitor(reply, &error);
        }
        request.addr.resolved(ip);
        self.start_monitoring(now, request);
        let version = self.touch_settings();
        if let Some((conn, slot)) = reply {
            let failed = commands::encoded(Proto::Resp2, commands::save_failed);
            self.reply_later(conn, slot, version, b"+OK\r\n".to_vec(), failed);
        }
    }

    /// In the first turn, says who this is and asks to listen.
    pub(super) fn listen(&mut self) {
        if self.listening.announced {
            return;
        }
        self.listening.announced = true;
        let title = self
            .config
            .process_title(&self.process.program, "[sentinel]");
        if let Some(text) = title {
            self.effects.push_back(Effect::Title { text });
        }
        tracing::warn!("Running mode=sentinel, port={}.", self.watch.settings.port);
        tracing::warn!("Sentinel ID is {}", self.watch.id());
        for (addr, optional) in core::mem::take(&mut self.listening.wanted) {
            let ticket = self.ticket();
            self.listening.pending += 1;
            let access = match addr {
                Addr::Unix(_) => UnixAccess {
                    mode: self.config.unixsocketperm(),
                    group: self.config.unixsocketgroup().map(Into::into),
                },
                Addr::Tcp(_) => UnixAccess::default(),
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
                access,
            });
        }
    }

    pub(super) fn on_listening(&mut self, addr: &Addr, optional: bool, result: Result<Addr, i32>) {
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

    /// Begins the next saves, if they are due.
    pub(super) fn save(&mut self, now: Mono) {
        if self.watch.saver.begin(now) {
            let op = self.file.begin();
            self.ask_disk(op, Waiting::Save(Which::State));
        }
        if let Some(settings) = &mut self.settings
            && self.file.was_written()
            && settings.saver.begin(now)
        {
            let op = settings.file.begin();
            self.ask_disk(op, Waiting::Save(Which::Settings));
        }
    }

    pub(super) fn ask_disk(&mut self, op: DiskOp, waiting: Waiting) {
        let ticket = self.ticket();
        self.waiting.insert(ticket, waiting);
        self.effects.push_back(Effect::Disk { ticket, op });
    }

    /// Takes the end of a step on a file.
    fn on_disk(&mut self, now: Mono, which: Which, result: Result<Bytes, DiskFault>) {
        match self.file_mut(which).advance(result) {
            Next::Op(op) => self.ask_disk(op, Waiting::Save(which)),
            Next::Image(old) => {
                let text = self.text_to_save(which, &old);
                let file = self.file_mut(which);
                if file.is_saved(&old, &text) {
                    return self.on_saved(now, which, Ok(()));
                }
                let op = file.write(text);
                self.ask_disk(op, Waiting::Save(which));
            }
            Next::Done(result) => self.on_saved(now, which, result),
        }
    }

    fn file_mut(&mut self, which: Which) -> &mut StateFile {
        match (&mut self.settings, which) {
            (Some(settings), Which::Settings) => &mut settings.file,
            (Some(_) | None, _) => &mut self.file,
        }
    }

    /// What a file has to hold, which is fixed from here on.
    fn text_to_save(&mut self, which: Which, old: &[u8]) -> Vec<u8> {
        let image = self.watch.image(&self.config);
        let users = self.user_lines();
        match (&mut self.settings, which) {
            (Some(settings), Which::Settings) => {
                settings.saver.seal();
                config::rewrite_settings(old, &image, &users)
            }
            (Some(_), Which::State) => {
                self.watch.seal();
                config::state_text(&image)
            }
            (None, _) => {
                self.watch.seal();
                config::rewrite_sentinel(old, &image, &users)
            }
        }
    }

    fn on_saved(&mut self, now: Mono, which: Which, result: Result<(), SaveFault>) {
        if let Err(reason) = &result {
            tracing::warn!(
                "WARNING: Sentinel was not able to save the new configuration on disk!!!: {}: \
                 {reason}",
                self.file_mut(which).path()
            );
        }
        match (&mut self.settings, which) {
            (Some(settings), Which::Settings) => settings.saver.finish(now, result.is_ok()),
            (Some(_) | None, _) => self.watch.on_saved(now, result.is_ok()),
        }
        self.settle_replies();
    }

    pub(super) fn run_scripts(&mut self, now: Mono) {
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

    pub(super) fn on_script(&mut self, now: Mono, ticket: Ticket, pid: u32, exit: ScriptExit) {
        if pid != 0 {
            let (code, signal) = match exit {
                ScriptExit::Exited { code } => (code, 0),
                ScriptExit::Signaled { signal } => (0, signal),
                ScriptExit::NotStarted { .. } => (-1, 0),
            };
            let text = format!("{pid} {code} {signal}");
            self.watch.tell(events::SCRIPT_CHILD_OVER, None, text);
        }
        let outcome = self.scripts.finish(now, ticket, pid, exit);
        let (kind, text) = match outcome.expect("a script's completion is one of a script") {
            Outcome::Silent => return,
            Outcome::Error(path, signal, code) => {
                (events::SCRIPT_ERROR, format!("{path} {signal} {code}"))
            }
            Outcome::TimedOut(path, pid) => (events::SCRIPT_TIMEOUT, format!("{path} {pid}")),
        };
        self.watch.tell(kind, None, text);
    }
}

/// Where to listen, and whether it is no error if that can't be.
fn addresses(config: &Config) -> Vec<(Addr, bool)> {
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
