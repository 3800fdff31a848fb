//! From bytes to commands, a fair share of them per connection and turn.

use super::Server;
use super::client::ClientFlags;
use super::exec::Outcome;
use crate::conn::{Input, OutBuf};
use crate::limits;
use crate::machine::{ConnId, Now};
use crate::resp::{Argv, ArgvRef, OwnedArgv, ParseLimits, ProtocolError, Reply, Sender};

/// States in which a client's next command stays where it is.
const HELD: ClientFlags = ClientFlags::BLOCKED
    .and(ClientFlags::POSTPONED)
    .and(ClientFlags::SCRIPTED)
    .and(ClientFlags::CLOSING);

impl Server {
    /// Goes on with whatever waited for its turn, and begins what is due. A script that begins on
    /// the way leaves the rest for when it is over.
    pub(super) fn go_on(&mut self) {
        self.listen();
        self.run_timers();
        // Before the commands that a pause has held back: the keys changed before them.
        self.serve_waiting();
        self.run_released();
        self.run_backlog();
        if self.is_within_script() {
            return;
        }
        self.advance_receiving();
        for conn in core::mem::take(&mut self.master_input) {
            self.master_sent(conn, 0);
        }
        if self.is_within_script() {
            return;
        }
        self.st.evict_clients();
        self.go_on_evicting();
        self.abort_save_if_unwanted();
        self.save_if_wanted();
    }

    /// Runs the commands that a connection has sent, as many as its share of the turn allows.
    pub(super) fn run_input(&mut self, conn: ConnId, filled: usize) {
        let input = self.st.conns.take_input(conn, filled);
        self.run_taken(conn, input);
    }

    /// Takes what a client has sent. If it may be left for when the other connections are read,
    /// it is: what is worked on together is looked up together, by code that is close to the
    /// processor.
    pub(super) fn client_sent(&mut self, now: Now, conn: ConnId, filled: usize) {
        if now != self.st.now {
            self.run_held();
        }
        self.pass_time(now);
        if !self.st.conns.hold(conn, filled) {
            self.run_held();
            self.run_input(conn, filled);
        }
    }

    /// Runs what was left like that.
    pub(super) fn run_held(&mut self) {
        if self.st.conns.held().len() > 1 {
            self.warm_held();
        }
        while let Some((conn, input)) = self.st.conns.take_held() {
            self.run_taken(conn, input);
        }
    }

    fn run_taken(&mut self, conn: ConnId, mut input: Input) {
        self.st.evict_clients_after(conn);
        let mut out = self.take_output(conn);
        let mut argv = core::mem::take(&mut self.argv);
        self.run_commands(conn, &mut input, &mut argv, &mut out);
        self.argv = argv;
        self.give_output_back(conn, out);
        self.st.conns.put_back(conn, input);
        self.st.recount_unless_short(conn);
    }

    /// Takes the output of a connection to write replies to it, which wait for the append-only
    /// file if they have to.
    pub(super) fn take_output(&mut self, conn: ConnId) -> OutBuf {
        let mut out = core::mem::take(&mut self.st.conn_mut(conn).out);
        if let Some(mark) = self.st.fence() {
            out.fence(mark);
        }
        out
    }

    /// Gives a connection the output back that was taken from it to write replies.
    pub(super) fn give_output_back(&mut self, conn: ConnId, out: OutBuf) {
        // A connection's own messages, published while its replies were written, follow them.
        let entry = self.st.conn_mut(conn);
        let messages = core::mem::replace(&mut entry.out, out);
        if !messages.is_empty() {
            entry.out.push(&messages.into_bytes());
        }
    }

    fn run_commands(&mut self, conn: ConnId, input: &mut Input, argv: &mut Argv, out: &mut OutBuf) {
        if self.st.scripts.holds() {
            return self.st.scripts.hold(conn);
        }
        if let Some(held) = self.take_released(conn) {
            self.run_one(conn, held.as_ref(), out);
        }
        for count in 0..limits::COMMANDS_PER_TURN_MAX {
            let client = self.st.client(conn);
            if client.flags.has_any(HELD) {
                return;
            }
            let db = client.db;
            if self.st.persist.stalled {
                break;
            }
            if self.st.scripts.holds() {
                return self.st.scripts.hold(conn);
            }
            let limits = ParseLimits {
                bulk_max: i64::try_from(self.st.config.proto_max_bulk_len()).unwrap_or(i64::MAX),
                authenticated: self.st.is_let_in(client.flags),
                from: if client.flags.has(ClientFlags::REPLICA) {
                    Sender::Replica
                } else {
                    Sender::Client
                },
            };
            let next = input.next(argv, &limits);
            match next.map(|args| args.map(ArgvRef::is_empty)) {
                Ok(Some(true)) => {
                    self.st.repl.replica_newline(self.st.now, conn);
                }
                Ok(Some(false)) => {
                    let args = input.last_args(argv);
                    if count % limits::WARM_KEYS_MAX == 0 {
                        self.warm(db, args, input);
                    }
                    self.run_one(conn, args, out);
                    if input.is_empty() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return self.protocol_error(conn, error, out),
            }
        }
        if !input.is_empty() {
            self.st.backlog.push_back(conn);
        }
    }

    fn run_one(&mut self, conn: ConnId, args: ArgvRef<'_>, out: &mut OutBuf) {
        if let Outcome::Postponed(kind) = self.execute(conn, args, out) {
            let client = self.st.client_mut(conn);
            client.flags.set(ClientFlags::POSTPONED, true);
            client.rare_mut().held = Some(OwnedArgv::new(args));
            self.st.pause.postpone(conn, kind);
        }
    }

    /// The command that CLIENT PAUSE held back, once it holds it back no more.
    fn take_released(&mut self, conn: ConnId) -> Option<OwnedArgv> {
        let client = self.st.client_mut(conn);
        if client.flags.has_any(HELD) {
            return None;
        }
        client.rare.as_mut()?.held.take()
    }

    fn protocol_error(&mut self, conn: ConnId, error: ProtocolError, out: &mut OutBuf) {
        let client = self.st.client(conn);
        tracing::debug!(
            "Protocol error ({error}) from client: {}",
            self.st.describe_client(conn)
        );
        Reply::new(out, client.proto).protocol_error(error);
        self.st.stats.count_error("ERR");
        self.st.close_after_reply(conn);
    }

    /// Gives every connection with input left over its share of another turn.
    pub(super) fn run_backlog(&mut self) {
        for conn in core::mem::take(&mut self.st.backlog) {
            if self.st.conns.get(conn).is_some() {
                self.run_input(conn, 0);
            }
        }
    }

    /// Lets the clients go on whom no pause holds back any more.
    pub(super) fn run_released(&mut self) {
        for conn in self.st.pause.released() {
            if let Some(entry) = self.st.conns.get_mut(conn) {
                entry.state.flags.set(ClientFlags::POSTPONED, false);
                self.run_input(conn, 0);
            }
        }
    }
}
