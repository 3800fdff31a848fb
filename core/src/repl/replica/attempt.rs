//! Attempts to reach the master: name, connection, handshake.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;
use std::collections::VecDeque;

use tracing::{info, warn};

use super::above::Fault;
use super::handshake::{self, Ask, Reply, Stage};
use super::keep::Verdict;
use super::state::{Granted, State, Step, Transfer};
use super::{Link, Takeover};
use crate::machine::{ConnId, ConnectFault, Mono};
use crate::repl::action::{Action, Attempt};
use crate::repl::history::History;
use crate::repl::settings::Settings;

impl Link {
    /// Learns the id of the connection that is being made.
    pub(in crate::repl) fn dialing(&mut self, attempt: Attempt, conn: ConnId) {
        match &mut self.state {
            State::Connecting {
                attempt: current,
                conn: unknown @ None,
                ..
            } if *current == attempt => *unknown = Some(conn),
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_)
            | State::Connected(_) => panic!("nobody asked for this connection"),
        }
    }

    /// Learns the addresses of the master's name.
    pub(in crate::repl) fn resolved(
        &mut self,
        now: Mono,
        attempt: Attempt,
        ips: &[IpAddr],
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let State::Resolving {
            attempt: current, ..
        } = self.state
        else {
            return;
        };
        if current != attempt {
            return;
        }
        match ips.first() {
            Some(&ip) => self.dial(now, attempt, ip, settings, fx),
            None => {
                warn!(
                    "Unable to connect to MASTER: the name {} has no address",
                    self.host
                );
                self.fail(now, fx);
            }
        }
    }

    /// Learns how an attempt to connect went.
    pub(in crate::repl) fn connected(
        &mut self,
        now: Mono,
        conn: ConnId,
        result: Result<(), ConnectFault>,
        fx: &mut VecDeque<Action>,
    ) {
        let State::Connecting {
            conn: Some(current),
            ..
        } = self.state
        else {
            return;
        };
        if current != conn {
            return;
        }
        if let Err(fault) = result {
            warn!(
                "Error condition on socket for SYNC: {}",
                os_error(fault.errno)
            );
            self.retry(now, true);
            return;
        }
        info!("Non blocking connect for SYNC fired the event.");
        self.state = State::Handshake {
            conn,
            stage: Stage::Ping,
            heard_at: now,
            partial_since: None,
        };
        fx.push_back(handshake::send(conn, &[b"PING"]));
    }

    pub(super) fn start_attempt(
        &mut self,
        now: Mono,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        self.attempts += 1;
        self.tried_at = Some(now);
        let attempt = Attempt(self.attempts);
        if let Ok(ip) = self.host.parse() {
            self.dial(now, attempt, ip, settings, fx);
            return;
        }
        let host = self.host.clone();
        fx.push_back(Action::Resolve { attempt, host });
        self.state = State::Resolving {
            attempt,
            since: now,
        };
    }

    pub(super) fn dial(
        &mut self,
        now: Mono,
        attempt: Attempt,
        ip: IpAddr,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let to = SocketAddr::new(ip, self.port);
        self.above.dialed(to);
        fx.push_back(Action::Dial {
            attempt,
            to,
            from: settings.bind_source,
        });
        info!("MASTER <-> REPLICA sync started");
        self.state = State::Connecting {
            attempt,
            conn: None,
            since: now,
        };
    }

    fn fail_step<'a>(&mut self, now: Mono, fx: &mut VecDeque<Action>) -> Step<'a> {
        self.fail(now, fx);
        Step::Failed
    }

    pub(super) fn receive_reply<'a>(
        &mut self,
        now: Mono,
        input: &'a [u8],
        history: &History,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) -> Step<'a> {
        let State::Handshake {
            conn,
            stage,
            heard_at,
            partial_since,
        } = &mut self.state
        else {
            panic!("replies are read during the handshake only");
        };
        if !input.is_empty() {
            *heard_at = now;
        }
        let (line, consumed) = match handshake::line(input) {
            Ok(Some(found)) => found,
            Ok(None) => {
                *partial_since = partial_since.or(Some(now)).filter(|_| !input.is_empty());
                return Step::Stuck;
            }
            Err(handshake::TooLong) => {
                warn!("The master sent a line that is longer than any reply to a handshake.");
                return self.fail_step(now, fx);
            }
        };
        *partial_since = None;
        let conn = *conn;
        let ask = Ask {
            known: self.cached.is_some().then_some(history),
            takeover: self.takeover == Takeover::Wanted,
            report: self.keep.is_wary(now, settings),
        };
        if let Stage::Info(report) = stage {
            let verdict = self
                .keep
                .read(now, report, (line, consumed), history, settings);
            if verdict == Verdict::Refuse {
                return self.fail_step(now, fx);
            }
            if verdict == Verdict::Follow {
                *stage = Stage::Psync;
                handshake::psync(conn, ask, fx);
            }
            return Step::Consumed(consumed);
        }
        if *stage == Stage::Masters
            && let Some(fault) = self.above.learn(line, ask.takeover)
        {
            return self.close_no_circle(now, fault, fx);
        }
        let asked = ask.takeover && *stage == Stage::Psync;
        let reply = stage.reply(conn, line, ask, settings, fx);
        if asked && let Some(answer) = takeover_answer(line, &reply) {
            self.takeover = answer;
        }
        match reply {
            Reply::Next => Step::Consumed(consumed),
            Reply::Fail => self.fail_step(now, fx),
            Reply::Continue(replid) => Step::Continue { consumed, replid },
            Reply::Full(granted) => self.begin_transfer(now, (conn, granted), consumed),
        }
    }

    /// The master is this server, or follows it.
    fn close_no_circle<'a>(
        &mut self,
        now: Mono,
        fault: Fault,
        fx: &mut VecDeque<Action>,
    ) -> Step<'a> {
        if self.takeover == Takeover::Wanted {
            self.takeover = Takeover::Refused;
        }
        let master = format_args!("{}:{}", self.host, self.port);
        self.above.refuse(now, fault, master);
        self.fail_step(now, fx)
    }

    /// A dataset begins behind so many bytes.
    fn begin_transfer<'a>(
        &mut self,
        now: Mono,
        (conn, granted): (ConnId, Granted),
        consumed: usize,
    ) -> Step<'a> {
        let attempt = Attempt(self.attempts);
        self.state = State::Transfer(Box::new(Transfer::new(now, attempt, conn, granted)));
        Step::Consumed(consumed)
    }
}

/// What a reply to PSYNC says to being asked to take over.
fn takeover_answer(line: &[u8], reply: &Reply) -> Option<Takeover> {
    match reply {
        Reply::Next => None,
        Reply::Continue(_) | Reply::Full(_) => Some(Takeover::Granted),
        // The link may have been lost behind an earlier request that was granted.
        Reply::Fail if line.starts_with(IS_MASTER) => Some(Takeover::Granted),
        Reply::Fail => Some(Takeover::Refused),
    }
}

/// How a master answers to being asked to take over.
const IS_MASTER: &[u8] = b"-ERR PSYNC FAILOVER can't be sent to a master";

fn os_error(errno: i32) -> Cow<'static, str> {
    match errno {
        101 => "Network is unreachable".into(),
        104 => "Connection reset by peer".into(),
        110 => "Connection timed out".into(),
        111 => "Connection refused".into(),
        113 => "No route to host".into(),
        _ => format!("error {errno}").into(),
    }
}
