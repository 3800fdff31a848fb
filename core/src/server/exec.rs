//! The one path every command takes.

use super::Server;
use super::blocked::PauseKind;
use super::client::{ClientFlags, Queued};
use super::state::State;
use crate::command::args::Args;
use crate::command::cx::{Cx, Data, Origin, code_of};
use crate::command::fail::Fail;
use crate::command::gates::Gate;
use crate::command::spec::Flags;
use crate::command::table::Found;
use crate::conn::OutBuf;
use crate::machine::ConnId;
use crate::resp::{ArgvRef, OwnedArgv, Reply};
use core::time::Duration;

/// What became of a command that a client sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It was answered, or waits with its client.
    Done,
    /// It is held back as long as there is a pause of this kind or a stricter one.
    Postponed(PauseKind),
    /// It was refused, as was answered.
    Refused,
    /// There is no such command, as was answered.
    Unknown,
}

impl Server {
    /// Runs what a client sent, and serves those who have waited for what it did.
    pub(super) fn execute(&mut self, conn: ConnId, argv: ArgvRef<'_>, out: &mut OutBuf) -> Outcome {
        let now = self.st.now.mono;
        let client = self.st.client_mut(conn);
        client.active = now;
        let skip = client.flags.has(ClientFlags::REPLY_SKIP_NEXT);
        client.flags.set(ClientFlags::REPLY_SKIP_NEXT, false);
        client.flags.set(ClientFlags::REPLY_SKIP, skip);
        let is_replica = client.flags.has(ClientFlags::REPLICA);
        let outcome = self.run(conn, argv, out);
        if is_replica && !out.is_empty() {
            let reply = core::mem::take(out).into_bytes();
            self.st.expel_replica(conn, outcome, &reply);
        }
        self.serve_waiting();
        outcome
    }

    /// Finds a command, checks it, and queues or executes it.
    pub(super) fn run(&mut self, conn: ConnId, argv: ArgvRef<'_>, out: &mut OutBuf) -> Outcome {
        let client = self.st.client(conn);
        let (flags, proto, db) = (client.flags, client.proto, client.db);
        // Nothing is evicted in the middle of a unit.
        if !self.is_within_script() {
            self.st.make_room(&mut self.keys);
        }
        let found = match admit(&self.st, conn, argv) {
            Ok(found) => found,
            Err((found, fail)) => {
                let unknown = found.is_none();
                if let Some(found) = &found {
                    self.st.client_mut(conn).last = Some(found.id);
                }
                if let (Fail::NoPerm(denied, _), Some(found)) = (&fail, &found) {
                    self.st.log_denial(conn, *denied, found, argv);
                }
                if unknown && is_http(argv.get(0)) {
                    self.st.abort_attack(conn);
                } else {
                    self.reject(conn, found, &fail, out);
                }
                return if unknown {
                    Outcome::Unknown
                } else {
                    Outcome::Refused
                };
            }
        };
        let effective = self.st.effective_flags(conn, &found, argv);
        if let Some(kind) = self.st.held_back_by(flags, effective) {
            return Outcome::Postponed(kind);
        }
        self.st.client_mut(conn).last = Some(found.id);
        let mut cx = Cx {
            out: Reply::new(out, proto).silenced(flags.is_silent()),
            data: Data {
                keys: &mut self.keys,
                st: &mut self.st,
                conn,
                db,
                origin: Origin::of(flags),
            },
            id: found.id,
        };
        if flags.has(ClientFlags::MULTI) && !found.spec.flags.has(Flags::IMMEDIATE) {
            queue(&mut cx, &found, argv);
        } else {
            let within = cx.data.st.scripts.is_running();
            call(&mut cx, &found, argv);
            // A script goes on in the next turn, and its unit with it.
            if !within && !self.is_within_script() {
                self.st.end_unit();
                let end = self.st.stream_end();
                self.st.client_mut(conn).wrote = end;
            }
        }
        Outcome::Done
    }

    /// Runs a command of the master's stream. It was decided there; it is never refused here.
    pub(super) fn execute_from_master(&mut self, conn: ConnId, argv: ArgvRef<'_>) {
        let mut unread = OutBuf::default();
        let errors = self.st.stats.errors;
        self.st.client_mut(conn).active = self.st.now.mono;
        self.run(conn, argv, &mut unread);
        if self.st.stats.errors != errors {
            tracing::warn!(
                "== CRITICAL == This replica is sending an error to its master: the command '{}' \
                 of the replication stream failed",
                String::from_utf8_lossy(argv.get(0))
            );
        }
        self.serve_waiting();
    }

    /// Runs a command of the append-only file; false if there is no such command.
    pub(super) fn execute_from_log(&mut self, conn: ConnId, argv: ArgvRef<'_>) -> bool {
        let mut unread = OutBuf::default();
        let errors = self.st.stats.errors;
        let known = self.run(conn, argv, &mut unread) != Outcome::Unknown;
        if known && self.st.stats.errors != errors {
            tracing::warn!(
                "== CRITICAL == The append-only file holds a command that fails: '{}'",
                String::from_utf8_lossy(argv.get(0))
            );
        }
        known
    }

    fn reject(&mut self, conn: ConnId, found: Option<Found>, fail: &Fail, out: &mut OutBuf) {
        if let Some(found) = &found {
            self.st.stats.command_mut(found.id).rejected += 1;
        }
        let text = fail.text();
        self.st.stats.count_error(&code_of(&text));
        let is_exec = found
            .as_ref()
            .is_some_and(|found| found.spec.flags.has(Flags::EXECUTES_QUEUE));
        let client = self.st.client_mut(conn);
        let (flags, proto) = (client.flags, client.proto);
        let mut reply = Reply::new(out, proto).silenced(flags.is_silent());
        if is_exec {
            // A refused EXEC gives the whole transaction up (server.c, rejectCommand).
            self.st.discard(conn);
            reply.error_bytes(&Fail::ExecAbortFor(text.into()).text());
        } else {
            if flags.has(ClientFlags::MULTI) {
                client.flags.set(ClientFlags::DIRTY_EXEC, true);
            }
            reply.error_bytes(&text);
        }
    }
}

/// Whether a line is the start of an HTTP request, which a browser was made to send.
fn is_http(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:")
}

impl State {
    /// Closes the connection of a replica that has asked for more than the stream: in the middle
    /// of that, it would take the reply for a part of it.
    fn expel_replica(&mut self, conn: ConnId, outcome: Outcome, reply: &[u8]) {
        let last = self.client(conn).last;
        let known = last.filter(|_| outcome != Outcome::Unknown);
        let command = known.map_or_else(|| "<unknown>".into(), |id| self.table.full_name(id));
        tracing::warn!(
            "Replica generated a reply to command '{command}', disconnecting it: {}",
            self.describe_client(conn)
        );
        if let Some(error) = reply.strip_prefix(b"-") {
            let error = error.strip_prefix(b"ERR ").unwrap_or(error);
            tracing::warn!(
                "== CRITICAL == This master is sending an error to its replica: '{}' after \
                 processing the command '{command}'",
                String::from_utf8_lossy(error.trim_ascii_end())
            );
        }
        self.doom(conn);
    }

    /// Closes the connection of an HTTP client: what would follow is chosen by some web page.
    fn abort_attack(&mut self, conn: ConnId) {
        const PAUSE: Duration = Duration::from_secs(60);
        let now = self.now.mono;
        let told = self.attack_logged.is_some_and(|at| now.since(at) <= PAUSE);
        if !told {
            self.attack_logged = Some(now);
            tracing::warn!(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or \
                 Host: commands to Redis. This is likely due to an attacker attempting to use \
                 Cross Protocol Scripting to compromise your Redis instance. Connection aborted: \
                 {}",
                self.describe_client(conn)
            );
        }
        self.doom(conn);
    }

    /// Refuses commands that `enable-debug-command` and its kin guard.
    fn guard(&self, conn: ConnId, found: &Found) -> Result<(), Fail> {
        let guarded = found.spec.flags.has(Flags::PROTECTED);
        if guarded && !self.allows(conn, self.config.enable_debug_command()) {
            return Err(Fail::Plain(
                "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
                 you can run it from a local connection, otherwise you need to set this option in \
                 the configuration file, and then restart the server.",
            ));
        }
        Ok(())
    }
}

/// Finds the command and passes its gates.
fn admit(st: &State, conn: ConnId, argv: ArgvRef<'_>) -> Result<Found, (Option<Found>, Fail)> {
    let client = st.client(conn);
    let found = st
        .table
        .find(argv, client.last)
        .map_err(|fail| (None, fail))?;
    if !found.spec.arity.takes(argv.len()) {
        let name = st.table.full_name(found.id);
        return Err((Some(found), Fail::Arity(name)));
    }
    let gate = Gate {
        command: st.effective_flags(conn, &found, argv),
        client: client.flags,
        proto: client.proto,
        server: st.conditions,
        log_fault: st.aof.told(),
    };
    let refused = gate
        .pass(
            || st.table.full_name(found.id),
            || st.permit(conn, &found, argv),
        )
        .and_then(|()| st.guard(conn, &found));
    match refused {
        Ok(()) => Ok(found),
        Err(fail) => Err((Some(found), fail)),
    }
}

/// Runs a command whose gates have been passed, and propagates what it did.
pub(crate) fn call(cx: &mut Cx<'_>, found: &Found, argv: ArgvRef<'_>) {
    let before = cx.data.st.unit.command_starts();
    let outer = core::mem::replace(&mut cx.id, found.id);
    let result = (found.spec.run)(cx, Args::behind(argv, found.names));
    cx.id = outer;
    // One that waits is counted when its wait is over; what is loaded was counted before.
    let uncounted = ClientFlags::BLOCKED.and(ClientFlags::LOADER);
    let through = u64::from(!cx.client().flags.has_any(uncounted));
    let stats = cx.data.st.stats.command_mut(found.id);
    stats.calls += through;
    if result.is_err() {
        stats.failed += 1;
    }
    cx.data.st.stats.commands += through;
    if let Err(fail) = result {
        cx.fail(&fail);
    }
    if cx.data.st.unit.command_ended(before) {
        cx.data.st.feed(cx.data.db, argv.iter());
    }
}

/// Queues a command until EXEC.
fn queue(cx: &mut Cx<'_>, found: &Found, argv: ArgvRef<'_>) {
    let queued = Queued {
        id: found.id,
        names: found.names,
        argv: OwnedArgv::new(argv),
    };
    let rare = cx.client().rare_mut();
    rare.queue_bytes += queued.argv.memory();
    rare.queue.push(queued);
    cx.out.simple("QUEUED");
}
