//! The script that runs, turn by turn.

use super::{Deferred, ScriptFlags};
use crate::command::cx::{Cx, Data, Origin, code_of};
use crate::command::fail::Fail;
use crate::command::gates::{Conditions, Gate};
use crate::command::spec::{Acl, Flags};
use crate::command::table::Found;
use crate::command::transactions;
use crate::conn::OutBuf;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::machine::{Completion, ConnId, Machine, Now};
use crate::resp::{ArgvRef, Proto, Reply};
use crate::script::{Call, End, Purpose, Request, Sha, Step};
use crate::server::Server;
use crate::server::client::{Client, ClientFlags, Queued};
use crate::server::exec;
use crate::server::state::{Purpose as For, State};
use core::time::Duration;

/// The script that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) sha: Sha,
    /// Who called it.
    pub(super) caller: ConnId,
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
    pub(super) slow: bool,
    /// Commands it has called in this turn.
    calls: usize,
    /// What it waits for.
    next: Next,
    /// What EXEC runs behind it.
    pub(super) queue: std::vec::IntoIter<Queued>,
    /// Its caller was to be closed.
    pub(super) closes: bool,
}

/// What a script waits for.
#[derive(Debug)]
enum Next {
    /// Its next share of a turn.
    Turn,
    /// The reply to a command, which is there.
    Reply(Vec<u8>),
}

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
    pub(in crate::server) fn flags_with_script(&self, command: Flags, argv: ArgvRef<'_>) -> Flags {
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
    pub(in crate::server) fn is_within_script(&self) -> bool {
        self.st.scripts.is_running()
    }

    /// Gives the script that runs its share of the turn.
    pub(in crate::server) fn advance_script(&mut self) {
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
    pub(in crate::server) fn end_turn_within_script(&mut self) {
        self.run_backlog();
        self.keep_log();
        self.advance_shutdown();
        self.bound_outputs();
        self.close_due();
    }

    /// Hands in what came while a script ran.
    pub(in crate::server) fn hand_in_deferred(&mut self, now: Now) {
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
    pub(in crate::server) fn defers(&self, conn: ConnId) -> bool {
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
    pub(in crate::server) fn defers_answer(&self, done: &Completion) -> bool {
        self.is_within_script() && self.st.effects.purpose(done) != Some(For::AofFile)
    }
}
