//! The handshake with the master: what is sent, and what its replies mean.

use std::collections::VecDeque;

use tracing::{info, warn};

use super::keep::Report;
use super::state::Granted;
use crate::limits::REPL_LINE_BYTES_MAX;
use crate::machine::ConnId;
use crate::repl::action::Action;
use crate::repl::history::{History, Offset, ReplId};
use crate::repl::primary::integer;
use crate::repl::settings::Settings;
use crate::resp::encode_command;

/// The reply that is awaited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// To PING.
    Ping,
    /// To AUTH.
    Auth,
    /// To REPLCONF listening-port.
    Port,
    /// To REPLCONF ip-address.
    Ip,
    /// To REPLCONF masters, which tells whom the master follows.
    Masters,
    /// To REPLCONF capa.
    Capa,
    /// To INFO, which tells whether the master has what we hold.
    Info(Report),
    /// To PSYNC.
    Psync,
}

/// What a reply leads to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Reply {
    /// The next reply.
    Next,
    /// The end of the attempt.
    Fail,
    /// The stream, under this id if it is another.
    Continue(Option<ReplId>),
    /// A whole dataset.
    Full(Granted),
}

/// What PSYNC asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// The own history if the stream can be gone on with.
    pub(super) known: Option<&'a History>,
    /// Part of a coordinated failover: the master shall take over first.
    pub(super) takeover: bool,
    /// The master is asked for a report of itself first.
    pub(super) report: bool,
}

/// A line is longer than any reply to a handshake.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct TooLong;

/// The first line of `input` without its end, and its length with it.
pub(super) fn line(input: &[u8]) -> Result<Option<(&[u8], usize)>, TooLong> {
    let within = &input[..input.len().min(REPL_LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        let full = within.len() == REPL_LINE_BYTES_MAX;
        return if full { Err(TooLong) } else { Ok(None) };
    };
    let line = &within[..end];
    Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1)))
}

/// A command to the master.
pub(super) fn send(conn: ConnId, args: &[&[u8]]) -> Action {
    let mut bytes = Vec::new();
    encode_command(&mut bytes, args);
    Action::Send { conn, bytes }
}

impl Stage {
    /// Takes one line of reply.
    pub(super) fn reply(
        &mut self,
        conn: ConnId,
        line: &[u8],
        ask: Ask<'_>,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) -> Reply {
        if line.is_empty() {
            // The master's keep-alive.
            return Reply::Next;
        }
        let text = line.escape_ascii();
        let refused = line[0] == b'-';
        match self {
            Self::Ping => {
                if !answers_ping(line) {
                    warn!("Error reply to PING from master: '{text}'");
                    return Reply::Fail;
                }
                info!("Master replied to PING, replication can continue...");
                introduce(conn, settings, fx);
                *self = if settings.master_auth.is_some() {
                    Self::Auth
                } else {
                    Self::Port
                };
            }
            Self::Auth => {
                if refused {
                    warn!("Unable to AUTH to MASTER: {text}");
                    return Reply::Fail;
                }
                *self = Self::Port;
            }
            Self::Port => {
                optional(refused, "REPLCONF listening-port", line);
                *self = if settings.announce_ip.is_some() {
                    Self::Ip
                } else {
                    Self::Masters
                };
            }
            Self::Ip => {
                optional(refused, "REPLCONF ip-address", line);
                *self = Self::Masters;
            }
            Self::Masters => {
                optional(refused, "REPLCONF masters", line);
                *self = Self::Capa;
            }
            Self::Capa => {
                optional(refused, "REPLCONF capa", line);
                if ask.report {
                    fx.push_back(send(conn, &[b"INFO"]));
                    *self = Self::Info(Report::default());
                } else {
                    psync(conn, ask, fx);
                    *self = Self::Psync;
                }
            }
            Self::Info(_) => panic!("a report is read line by line"),
            Self::Psync => return psync_reply(conn, line, ask.known, fx),
        }
        Reply::Next
    }
}

/// A master that wants a password still answers; one that loads does not serve replicas. One whose
/// disk fails needs its replicas more than ever.
fn answers_ping(line: &[u8]) -> bool {
    line.starts_with(b"+")
        || line.starts_with(b"-NOAUTH")
        || line.starts_with(b"-NOPERM")
        || line.starts_with(b"-MISCONF")
        || line.starts_with(b"-ERR operation not permitted")
}

fn optional(refused: bool, command: &str, line: &[u8]) {
    if refused {
        let text = line.escape_ascii();
        info!("(Non critical) Master does not understand {command}: {text}");
    }
}

/// Says who we are, in one go.
fn introduce(conn: ConnId, settings: &Settings, fx: &mut VecDeque<Action>) {
    let mut bytes = Vec::new();
    let mut add = |args: &[&[u8]]| encode_command(&mut bytes, args);
    match (&settings.master_user, &settings.master_auth) {
        (Some(user), Some(password)) => add(&[b"AUTH", user, password]),
        (None, Some(password)) => add(&[b"AUTH", password]),
        (_, None) => {}
    }
    let mut digits = itoa::Buffer::new();
    let port = digits.format(settings.announce_port).as_bytes();
    add(&[b"REPLCONF", b"listening-port", port]);
    if let Some(ip) = &settings.announce_ip {
        add(&[b"REPLCONF", b"ip-address", ip.as_bytes()]);
    }
    add(&[b"REPLCONF", b"masters", b"*"]);
    add(&[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]);
    fx.push_back(Action::Send { conn, bytes });
}

pub(super) fn psync(conn: ConnId, ask: Ask<'_>, fx: &mut VecDeque<Action>) {
    let Some(history) = ask.known else {
        info!("Partial resynchronization not possible (no cached master)");
        fx.push_back(send(conn, &[b"PSYNC", b"?", b"-1"]));
        return;
    };
    let (replid, byte) = (history.replid(), history.offset().next_byte());
    info!("Trying a partial resynchronization (request {replid}:{byte}).");
    let mut digits = itoa::Buffer::new();
    let byte = digits.format(byte).as_bytes();
    let words: [&[u8]; 4] = [b"PSYNC", replid.as_bytes(), byte, b"FAILOVER"];
    let words = if ask.takeover { &words } else { &words[..3] };
    fx.push_back(send(conn, words));
}

fn psync_reply(
    conn: ConnId,
    line: &[u8],
    known: Option<&History>,
    fx: &mut VecDeque<Action>,
) -> Reply {
    let text = line.escape_ascii();
    if let Some(rest) = line.strip_prefix(b"+FULLRESYNC") {
        let Some(granted) = full_resync(rest) else {
            warn!("Master replied with wrong +FULLRESYNC syntax: {text}");
            return Reply::Fail;
        };
        if let Granted::Full(replid, offset) = granted {
            info!("Full resync from master: {replid}:{offset}");
        }
        return Reply::Full(granted);
    }
    if let Some(rest) = line.strip_prefix(b"+CONTINUE") {
        if known.is_none() {
            warn!("The master wants to go on where we never were: {text}");
            return Reply::Fail;
        }
        return Reply::Continue(ReplId::parse(rest.trim_ascii()));
    }
    if line.starts_with(b"-NOMASTERLINK") || line.starts_with(b"-LOADING") {
        info!("Master is currently unable to PSYNC but should be in the future: {text}");
        return Reply::Fail;
    }
    if line.starts_with(b"-ERR unknown command") {
        info!("Master does not support PSYNC or is in error state (reply: {text})");
        info!("Retrying with SYNC...");
        let bytes = b"SYNC\r\n".to_vec();
        fx.push_back(Action::Send { conn, bytes });
        return Reply::Full(Granted::Sync);
    }
    // Anything else may pass. A dataset is not thrown away for it.
    warn!("Unexpected reply to PSYNC from master: {text}");
    Reply::Fail
}

fn full_resync(rest: &[u8]) -> Option<Granted> {
    let mut words = rest.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let replid = ReplId::parse(words.next()?)?;
    let offset = integer(words.next()?).and_then(Offset::new)?;
    Some(Granted::Full(replid, offset))
}
