//! The scripts that are known, and the one that runs.
//!
//! A script is one unit: nothing else reads or changes the dataset before it is over, however many
//! turns that takes. What comes meanwhile waits, but for clients' commands: after
//! `busy-reply-threshold` those are refused, except the few that may end the script.

use super::Server;
use super::client::{Client, ClientFlags, Queued};
use super::exec;
use super::state::{Purpose as For, State};
use crate::command::cx::{Cx, Data, Origin, code_of};
use crate::command::fail::Fail;
use crate::command::gates::{Conditions, Gate};
use crate::command::spec::{Acl, Flags};
use crate::command::table::Found;
use crate::command::transactions;
use crate::conn::OutBuf;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::machine::{Addr, Completion, ConnId, ConnectFault, Hangup, Machine, Now, Signal};
use crate::resp::{ArgvRef, Proto, Reply};
use crate::script::{Call, End, Engine, Purpose, Request, Sha, Step};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// All about scripts.
#[derive(Debug, Default)]
pub struct Scripts {
    /// Made for the first script: most servers never need one.
    engine: Option<Engine>,
    known: BTreeMap<Sha, Script>,
    /// Counts uses of EVAL.
    uses: u64,
    running: Option<Box<Running>>,
    /// Effects of the command that runs go nowhere.
    muted: bool,
    /// What came while a script ran, in the order in which it came.
    deferred: Vec<Deferred>,
    /// Connections whose commands wait for the end of a script that is not slow yet.
    held: BTreeSet<ConnId>,
    /// Memory of the texts.
    text_bytes: usize,
}

#[derive(Debug)]
struct Script {
    flags: Option<ScriptFlags>,
    bytes: usize,
    /// When it was last run; nothing if SCRIPT LOAD made it known, whose scripts stay.
    evaluated: Option<u64>,
}

/// How a script came to be known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// By EVAL: it may be forgotten for others.
    Eval,
    /// By SCRIPT LOAD: it is there until SCRIPT FLUSH.
    Load,
}

/// What a script declares in its first line, `#!lua flags=...`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// It changes nothing.
    pub const NO_WRITES: Self = Self(1);
    /// It may run above `maxmemory`.
    pub const ALLOW_OOM: Self = Self(1 << 1);
    /// It may run on a replica that serves no stale data and has lost its master.
    pub const ALLOW_STALE: Self = Self(1 << 2);

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads the first line of a script, if that declares anything (eval.c,
    /// `evalExtractShebangFlags`).
    pub fn of(text: &[u8]) -> Result<Option<Self>, Fail> {
        /// Those that mean something in a cluster only do nothing here.
        const NAMES: [(&[u8], u8); 5] = [
            (b"no-writes", ScriptFlags::NO_WRITES.0),
            (b"allow-oom", ScriptFlags::ALLOW_OOM.0),
            (b"allow-stale", ScriptFlags::ALLOW_STALE.0),
            (b"no-cluster", 0),
            (b"allow-cross-slot-keys", 0),
        ];
        if !text.starts_with(b"#!") {
            return Ok(None);
        }
        let complaint = |text: &[u8], word: &[u8]| Fail::Detail([text, word].concat().into());
        let end = memchr::memchr(b'\n', text).ok_or(Fail::Plain("Invalid script shebang"))?;
        let mut words = text[..end]
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let engine = words.next().unwrap_or_default();
        if engine != b"#!lua" {
            return Err(complaint(b"Unexpected engine in script shebang: ", engine));
        }
        let mut flags = Self::default();
        for word in words {
            let Some(list) = word.strip_prefix(b"flags=") else {
                return Err(complaint(b"Unknown lua shebang option: ", word));
            };
            for name in list
                .split(|&byte| byte == b',')
                .filter(|name| !name.is_empty())
            {
                let known = NAMES.iter().find(|(known, _)| *known == name);
                let (_, bit) =
                    known.ok_or_else(|| complaint(b"Unexpected flag in script shebang: ", name))?;
                flags.0 |= bit;
            }
        }
        Ok(Some(flags))
    }

    /// The flags of a command that runs a script which declares these (script.c,
    /// `scriptFlagsToCmdFlags`).
    const fn judge(self, command: Flags) -> Flags {
        let said = Flags::STALE.and(Flags::DENYOOM).and(Flags::WRITE);
        let mut flags = command.without(said.and(Flags::MAY_REPLICATE));
        if !self.has(Self::NO_WRITES) {
            flags = flags.and(Flags::WRITE);
            if !self.has(Self::ALLOW_OOM) {
                flags = flags.and(Flags::DENYOOM);
            }
        }
        if self.has(Self::ALLOW_STALE) {
            flags = flags.and(Flags::STALE);
        }
        flags
    }
}

/// The script that runs.
#[derive(Debug)]
struct Running {
    sha: Sha,
    /// Who called it.
    caller: ConnId,
    /// The session in which its commands run.
    session: ConnId,
    origin: Origin,
    /// The moment that it sees, however long it takes.
    started: Now,
    read_only: bool,
    allows_oom: bool,
    /// It has called a command that writes.
    wrote: bool,
    /// SCRIPT KILL was called.
    killed: bool,
    /// It runs for longer than `busy-reply-threshold`.
    slow: bool,
    /// Commands it has called in this turn.
    calls: usize,
    /// What it waits for.
    next: Next,
    /// What EXEC runs behind it.
    queue: std::vec::IntoIter<Queued>,
    /// Its caller was to be closed.
    closes: bool,
}

/// What a script waits for.
#[derive(Debug)]
enum Next {
    /// Its next share of a turn.
    Turn,
    /// The reply to a command, which is there.
    Reply(Vec<u8>),
}

/// What came from outside while a script ran.
#[derive(Debug)]
pub(super) enum Deferred {
    Connected(ConnId, Result<Addr, ConnectFault>),
    Hangup(ConnId, Hangup),
    Done(Completion),
    Signal(Signal),
}

impl Scripts {
    /// Takes note of a script, if it can be compiled.
    pub fn learn(&mut self, sha: Sha, text: &[u8], by: Use) -> Result<(), Fail> {
        self.uses += 1;
        let evaluated = (by == Use::Eval).then_some(self.uses);
        if let Some(script) = self.known.get_mut(&sha) {
            if by == Use::Load || script.evaluated.is_some() {
                script.evaluated = evaluated;
            }
            return Ok(());
        }
        let flags = ScriptFlags::of(text)?;
        // Lines keep their numbers: only the declaration's text goes.
        let code = match flags {
            Some(_) => &text[memchr::memchr(b'\n', text).unwrap_or(text.len())..],
            None => text,
        };
        self.engine().define(sha, code).map_err(|why| {
            let what: &[u8] = b"Error compiling script (new function): ";
            Fail::Detail([what, &why].concat().into())
        })?;
        if by == Use::Eval {
            self.make_room();
        }
        let bytes = text.len() + SCRIPT_OVERHEAD_BYTES;
        self.text_bytes += bytes;
        let script = Script {
            flags,
            bytes,
            evaluated,
        };
        self.known.insert(sha, script);
        Ok(())
    }

    /// Forgets the script that EVAL has not run for longest, if there are many.
    fn make_room(&mut self) {
        let evaluated = self.known.iter().filter_map(|(sha, script)| {
            let when = script.evaluated?;
            Some((when, *sha))
        });
        let (count, oldest) = evaluated.fold((0, None), |(count, oldest), next| {
            let oldest = oldest.map_or(next, |oldest| next.min(oldest));
            (count + 1, Some(oldest))
        });
        if let Some((_, sha)) = oldest.filter(|_| count >= limits::EVAL_SCRIPTS_MAX) {
            let script = self.known.remove(&sha).expect("it was found");
            self.text_bytes -= script.bytes;
            self.engine().forget(sha);
        }
    }

    /// Takes note that a script is used by its digest; false if it is not known.
    pub fn use_known(&mut self, sha: &Sha) -> bool {
        self.uses += 1;
        let Some(script) = self.known.get_mut(sha) else {
            return false;
        };
        script.evaluated = script.evaluated.map(|_| self.uses);
        true
    }

    fn engine(&mut self) -> &mut Engine {
        self.engine
            .get_or_insert_with(|| Engine::new(crate::config::REDIS_VERSION))
    }

    /// Whether a script can be called by its digest.
    pub fn knows(&self, sha: &Sha) -> bool {
        self.known.contains_key(sha)
    }

    /// What a script declares, if anything.
    pub fn flags(&self, sha: &Sha) -> Option<ScriptFlags> {
        self.known.get(sha)?.flags
    }

    /// Forgets everything.
    pub fn flush(&mut self) {
        assert!(self.running.is_none(), "no script runs beside a command");
        self.engine = None;
        self.known.clear();
        self.text_bytes = 0;
    }

    /// How many scripts are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no script is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Memory of the scripts' texts, bytes.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Memory of Lua, bytes.
    pub fn engine_bytes(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::memory)
    }

    /// Whether a script is in the middle of its work. Between commands that is one that has had
    /// its share of a turn.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether effects go neither to replicas nor to the append-only file.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether a script runs for so long that others are refused.
    pub(super) fn is_slow(&self) -> bool {
        self.running.as_ref().is_some_and(|script| script.slow)
    }

    /// Whether a connection's commands have to wait for the end of a script.
    pub(super) fn holds(&self) -> bool {
        self.running.as_ref().is_some_and(|script| !script.slow)
    }

    /// Whether the script that runs was called by this connection.
    pub(super) fn is_called_by(&self, conn: ConnId) -> bool {
        self.running
            .as_ref()
            .is_some_and(|script| script.caller == conn)
    }

    /// Lets a connection's commands wait.
    pub(super) fn hold(&mut self, conn: ConnId) {
        self.held.insert(conn);
    }

    /// What EXEC runs when the script that has taken its turn is over.
    pub fn run_behind(&mut self, queue: std::vec::IntoIter<Queued>) {
        let running = self.running.as_mut().expect("a script has taken its turn");
        running.queue = queue;
    }

    /// Keeps what came for later: at most one thing of each effect and each connection. What
    /// links send is not read at all meanwhile.
    pub(super) fn defer(&mut self, what: Deferred) {
        self.deferred.push(what);
    }

    /// Whether a connection is not to be closed before the script is over that it has called.
    pub(super) fn keeps(&mut self, conn: ConnId) -> bool {
        let caller = self.running.as_mut().filter(|script| script.caller == conn);
        caller.is_some_and(|script| {
            script.closes = true;
            true
        })
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("a script runs")
    }
}

/// What a script takes beside its text.
const SCRIPT_OVERHEAD_BYTES: usize = size_of::<Sha>() + size_of::<Script>();

impl Cx<'_> {
    /// Runs a script, and replies unless that takes more than this turn.
    pub fn run_script(&mut self, call: &Call<'_>, read_only: bool) -> Result<(), Fail> {
        // What its commands do goes out, it does not.
        self.replace();
        let caller = self.data.conn;
        let st = &mut *self.data.st;
        let flags = st.scripts.flags(&call.sha);
        let session = st.open_session(caller, self.data.db);
        let running = Running {
            sha: call.sha,
            caller,
            session,
            origin: self.data.origin,
            started: st.now,
            read_only,
            allows_oom: flags.is_some_and(|flags| flags.has(ScriptFlags::ALLOW_OOM)),
            wrote: false,
            killed: false,
            slow: false,
            calls: 0,
            next: Next::Turn,
            queue: Vec::new().into_iter(),
            closes: false,
        };
        st.scripts.running = Some(Box::new(running));
        let step = st.scripts.engine().start(call);
        let mut end = drive(self.data.keys, self.data.st, step);
        // What the master sends is passed on as it came when it has been done. Only masters before
        // Redis 7.0 send scripts.
        while end.is_none() && self.data.origin == Origin::Master {
            end = resume(self.data.keys, self.data.st);
        }
        match end {
            Some(end) => {
                self.data.st.close_session();
                self.reply_with(&end);
            }
            None => self.client().flags.set(ClientFlags::SCRIPTED, true),
        }
        Ok(())
    }

    /// Replies as a script does that has ended.
    fn reply_with(&mut self, end: &End) {
        if end.failed {
            self.data.st.stats.command_mut(self.id).failed += 1;
        }
        if end.counts {
            let code = code_of(&end.reply[1..]);
            self.data.st.stats.count_error(code.trim_end());
        }
        self.out.raw(&end.reply);
    }
}

/// Runs a script until it is over or has had its share of the turn.
fn drive(keys: &mut Keyspace, st: &mut State, mut step: Step) -> Option<End> {
    loop {
        match step {
            Step::Over(end) => return Some(end),
            Step::Slice => return None,
            Step::Command(request) => {
                let reply = answer(keys, st, &request);
                let running = st.scripts.running();
                running.calls += 1;
                if running.calls == limits::SCRIPT_CALLS_PER_TURN_MAX {
                    running.next = Next::Reply(reply);
                    return None;
                }
                step = st.scripts.engine().reply(reply);
            }
        }
    }
}

/// Gives the script that runs its share of another turn.
fn resume(keys: &mut Keyspace, st: &mut State) -> Option<End> {
    let running = st.scripts.running();
    running.calls = 0;
    let killed = running.killed;
    let next = core::mem::replace(&mut running.next, Next::Turn);
    let engine = st.scripts.engine();
    let step = match next {
        _ if killed => engine.kill(),
        Next::Turn => engine.go_on(),
        Next::Reply(reply) => engine.reply(reply),
    };
    drive(keys, st, step)
}

/// The reply to what a script asks for.
fn answer(keys: &mut Keyspace, st: &mut State, request: &Request) -> Vec<u8> {
    let mut out = OutBuf::default();
    let mut reply = Reply::new(&mut out, request.proto);
    let argv = request.argv.as_ref();
    match request.purpose {
        Purpose::Check => match st.may_call(argv) {
            Ok(may) => reply.int(i64::from(may)),
            Err(fail) => reply.error_bytes(&fail.text()),
        },
        Purpose::Run { propagates } => match st.admit_from_script(argv) {
            Ok(found) => {
                let running = st.scripts.running();
                running.wrote |= found.spec.flags.has(Flags::WRITE);
                let (conn, origin) = (running.session, running.origin);
                st.scripts.muted = !propagates;
                let db = st.client(conn).db;
                let mut cx = Cx {
                    out: reply,
                    data: Data {
                        keys,
                        st,
                        conn,
                        db,
                        origin,
                    },
                    id: found.id,
                };
                exec::call(&mut cx, &found, argv);
                st.scripts.muted = false;
                let waits = st.client(conn).flags.has(ClientFlags::BLOCKED);
                assert!(!waits, "nothing waits within a unit");
            }
            Err((found, fail)) => {
                if let Some(found) = found {
                    st.stats.command_mut(found.id).rejected += 1;
                }
                let text = fail.text();
                st.stats.count_error(&code_of(&text));
                reply.error_bytes(&text);
            }
        },
    }
    out.into_bytes()
}

impl State {
    /// The session in which a script's commands run: what the caller may do, nothing of its own
    /// state.
    fn open_session(&mut self, caller: ConnId, db: usize) -> ConnId {
        let client = self.client(caller);
        let mut flags = ClientFlags::SCRIPT
            .and(ClientFlags::EXECUTING)
            .and(ClientFlags::AUTHENTICATED);
        for kept in [
            ClientFlags::MASTER,
            ClientFlags::LOADER,
            ClientFlags::RESTRICTED,
            ClientFlags::NO_TOUCH,
        ] {
            flags.set(kept, client.flags.has(kept));
        }
        let (id, user) = (client.id, client.user);
        let mut session = Client::new(id, self.now.mono, flags);
        session.user = user;
        session.db = db;
        self.conns.insert(None, session)
    }

    fn close_session(&mut self) -> Box<Running> {
        let running = self.scripts.running.take().expect("a script runs");
        let session = self.conns.remove(running.session);
        let flags = session.map_or(ClientFlags::NONE, |session| session.flags);
        assert!(
            !flags.has_any(ClientFlags::SUBSCRIBER.and(ClientFlags::WATCHING)),
            "a session of a script leaves nothing behind"
        );
        running
    }

    /// Finds a command that a script calls, and looks whether it may (script.c, `scriptCall`).
    fn admit_from_script(&mut self, argv: ArgvRef<'_>) -> Result<Found, (Option<Found>, Fail)> {
        let unknown = |_| {
            (
                None,
                Fail::Plain("Unknown Redis command called from script"),
            )
        };
        let found = self.table.find(argv, None).map_err(unknown)?;
        match self.permit_script(&found, argv) {
            Ok(()) => Ok(found),
            Err(fail) => Err((Some(found), fail)),
        }
    }

    fn permit_script(&mut self, found: &Found, argv: ArgvRef<'_>) -> Result<(), Fail> {
        if !found.spec.arity.takes(argv.len()) {
            return Err(Fail::Plain(
                "Wrong number of args calling Redis command from script",
            ));
        }
        let flags = found.spec.flags;
        // Even where everything is allowed a script has no connection that could wait.
        let never = Flags::ADMIN.and(Flags::PUBSUB).and(Flags::IMMEDIATE);
        let never = flags.has_any(never) || found.spec.acl.has(Acl::SCRIPTING);
        let allowed = self.debug.scripts_unbound && !never;
        if flags.has(Flags::NOSCRIPT) && !allowed {
            return Err(Fail::Plain("This Redis command is not allowed from script"));
        }
        let Running {
            caller,
            origin,
            read_only,
            wrote,
            allows_oom,
            ..
        } = *self.scripts.running();
        let trusted = origin != Origin::Client;
        let stale = self.conditions.has(Conditions::STALE) && !trusted;
        if stale && !flags.has(Flags::STALE) {
            return Err(Fail::Plain(
                "Can not execute the command on a stale replica",
            ));
        }
        if let Err(Fail::NoPerm(denied, text)) = self.permit(caller, found, argv) {
            self.log_denial(caller, denied, found, argv);
            let text = [&b"ACL failure in script: "[..], &text].concat();
            return Err(Fail::NoPerm(denied, text.into()));
        }
        let changes = Flags::WRITE.and(Flags::MAY_REPLICATE);
        if read_only && flags.has_any(changes) {
            return Err(Fail::Plain(
                "Write commands are not allowed from read-only scripts.",
            ));
        }
        // One that has written can't be stopped in the middle.
        if trusted || wrote {
            return Ok(());
        }
        let gate = Gate {
            command: flags,
            client: ClientFlags::NONE,
            proto: Proto::Resp2,
            server: self.conditions,
            log_fault: self.aof.told(),
        };
        gate.pass_from_script(allows_oom)
    }

    /// Whether the user of the script that runs could call a command.
    fn may_call(&mut self, argv: ArgvRef<'_>) -> Result<bool, Fail> {
        let invalid = |_| Fail::Plain("Invalid command passed to redis.acl_check_cmd()");
        let found = self.table.find(argv, None).map_err(invalid)?;
        if !found.spec.arity.takes(argv.len()) {
            return Ok(false);
        }
        let caller = self.scripts.running().caller;
        let user = self.client(caller).user;
        Ok(self.check(user, &found, argv).is_ok())
    }

    /// SCRIPT KILL: ends the script that runs, if that is no harm.
    pub fn kill_script(&mut self) -> Result<(), Fail> {
        let Some(running) = &mut self.scripts.running else {
            return Err(Fail::Coded("NOTBUSY No scripts in execution right now."));
        };
        if running.origin != Origin::Client {
            return Err(Fail::Coded(
                "UNKILLABLE The busy script was sent by a master instance in the context of \
                 replication and cannot be killed.",
            ));
        }
        if running.wrote {
            return Err(Fail::Coded(
                "UNKILLABLE Sorry the script already executed write commands against the \
                 dataset. You can either wait the script termination or kill the server in a \
                 hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        running.killed = true;
        Ok(())
    }

    /// The flags of a command that runs a script, by what that declares.
    pub(super) fn flags_with_script(&self, command: Flags, argv: ArgvRef<'_>) -> Flags {
        let text = argv.try_get(1).unwrap_or_default();
        let declared = match Sha::parse(text).and_then(|sha| self.scripts.known.get(&sha)) {
            Some(script) => script.flags,
            None => ScriptFlags::of(text).ok().flatten(),
        };
        declared.map_or(command, |declared| declared.judge(command))
    }
}

impl Server {
    /// Whether a script is in the middle of its work.
    pub(super) fn is_within_script(&self) -> bool {
        self.st.scripts.is_running()
    }

    /// Gives the script that runs its share of the turn.
    pub(super) fn advance_script(&mut self) {
        let Some(running) = &mut self.st.scripts.running else {
            return;
        };
        // Time stands still while a unit runs.
        let now = core::mem::replace(&mut self.st.now, running.started);
        if let Some(end) = resume(&mut self.keys, &mut self.st) {
            self.end_script(&end);
        }
        self.st.now = now;
        self.note_slow_script();
    }

    /// Has others answered BUSY once a script has run for long.
    fn note_slow_script(&mut self) {
        let bound = self.st.config.busy_reply_threshold();
        let now = self.st.now.mono;
        let Some(running) = &mut self.st.scripts.running else {
            return;
        };
        let took = now.since(running.started.mono);
        if running.slow || bound == Duration::ZERO || took < bound {
            return;
        }
        running.slow = true;
        tracing::warn!(
            "Slow script detected: still in execution after {} milliseconds. You can try killing \
             the script using the SCRIPT KILL command. Script name is: {}.",
            took.as_millis(),
            running.sha
        );
        self.st.conditions.set(Conditions::BUSY, true);
        let held = core::mem::take(&mut self.st.scripts.held);
        self.st.backlog.extend(held);
    }

    /// Ends the unit of a script that took more than the turn it began in.
    fn end_script(&mut self, end: &End) {
        let running = self.st.close_session();
        let caller = running.caller;
        self.st.conditions.set(Conditions::BUSY, false);
        let mut out = self.take_output(caller);
        let client = self.st.client_mut(caller);
        client.flags.set(ClientFlags::SCRIPTED, false);
        let (flags, proto, db) = (client.flags, client.proto, client.db);
        let id = client.last.expect("it has called the script");
        let mut cx = Cx {
            out: Reply::new(&mut out, proto).silenced(flags.is_silent()),
            data: Data {
                keys: &mut self.keys,
                st: &mut self.st,
                conn: caller,
                db,
                origin: running.origin,
            },
            id,
        };
        cx.reply_with(end);
        if flags.has(ClientFlags::EXECUTING) {
            transactions::run_queue(&mut cx, running.queue);
        }
        self.give_output_back(caller, out);
        if self.is_within_script() {
            // The next one of the same transaction.
            self.st.scripts.running().closes = running.closes;
            return;
        }
        self.st.end_unit();
        let stream_end = self.st.stream_end();
        self.st.client_mut(caller).wrote = stream_end;
        if running.closes {
            self.st.doom(caller);
        } else if running.origin == Origin::Client {
            self.st.backlog.push_back(caller);
        }
        let held = core::mem::take(&mut self.st.scripts.held);
        self.st.backlog.extend(held);
        self.serve_waiting();
    }

    /// What a turn does beside a script: others are refused, and can end it.
    pub(super) fn end_turn_within_script(&mut self) {
        self.run_backlog();
        self.keep_log();
        self.advance_shutdown();
        self.bound_outputs();
        self.close_due();
    }

    /// Hands in what came while a script ran.
    pub(super) fn hand_in_deferred(&mut self, now: Now) {
        for what in core::mem::take(&mut self.st.scripts.deferred) {
            match what {
                Deferred::Connected(conn, local) => self.handle_connected(now, conn, local),
                Deferred::Hangup(conn, cause) => self.handle_hangup(now, conn, cause),
                Deferred::Done(done) => self.handle_done(now, done),
                Deferred::Signal(signal) => self.handle_signal(now, signal),
            }
        }
    }

    /// Whether the end of a connection has to wait for that of a script.
    pub(super) fn defers(&self, conn: ConnId) -> bool {
        if !self.is_within_script() {
            return false;
        }
        let links = ClientFlags::MASTER.and(ClientFlags::OUTGOING);
        let entry = self.st.conns.get(conn);
        self.st.scripts.is_called_by(conn)
            || entry.is_some_and(|entry| entry.state.flags.has_any(links))
    }

    /// Whether an answer has to wait for the end of a script: all do but those of the append-only
    /// file, which others' replies wait for.
    pub(super) fn defers_answer(&self, done: &Completion) -> bool {
        self.is_within_script() && self.st.effects.purpose(done) != Some(For::AofFile)
    }
}
