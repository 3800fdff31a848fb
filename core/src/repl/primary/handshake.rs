//! What a connection says of itself with REPLCONF before it becomes a replica.

use std::borrow::Cow;

use crate::limits::REPL_ANNOUNCED_IP_BYTES_MAX;
use crate::repl::history::Offset;
use crate::repl::lineage::RunId;

/// What a replica told about itself and wants.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Handshake {
    /// The port it serves clients on; 0 if it didn't say. Redis takes any number.
    pub listening_port: i64,
    /// The address it wants to be known by; empty if it didn't say.
    pub announced_ip: Box<str>,
    /// Takes a snapshot of unknown length (`capa eof`).
    pub eof: bool,
    /// Understands a change of id with `+CONTINUE` (`capa psync2`).
    pub psync2: bool,
    /// Wants the snapshot and nothing after it.
    pub rdb_only: bool,
    /// What of the snapshot it wants.
    pub contents: Contents,
    /// The masters above this node it was told of, if it asked.
    pub told: Option<Vec<RunId>>,
}

/// What a snapshot for replicas holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Contents {
    /// Everything.
    #[default]
    All,
    /// No keys (`rdb-filter-only functions`).
    Functions,
    /// Neither keys nor functions (`rdb-filter-only ""`).
    Nothing,
}

/// What came of a REPLCONF.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Replconf {
    /// Reply OK.
    Ok,
    /// Reply this (a simple string).
    Text(String),
    /// Reply nothing.
    Silent,
    /// Reply this error (its text, from the error code on).
    Error(Cow<'static, str>),
}

/// What one REPLCONF asks for beyond describing the replica.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::repl) enum Request {
    /// Nothing; the reply is due.
    Described(Replconf),
    /// An acknowledgement by a replica: applied, and durable in its append-only file.
    Ack(Option<Offset>, Option<Offset>),
    /// Our master wants an acknowledgement.
    GetAck,
    /// The connection wants to know who this node is, and whom it follows.
    Masters,
}

const NOT_AN_INTEGER: Replconf =
    Replconf::Error(Cow::Borrowed("ERR value is not an integer or out of range"));

impl Handshake {
    /// Takes the arguments of one REPLCONF, without the command's name.
    pub(in crate::repl) fn replconf(&mut self, args: &[&[u8]]) -> Request {
        if !args.len().is_multiple_of(2) {
            return Request::Described(Replconf::Error("ERR syntax error".into()));
        }
        for pair in args.chunks_exact(2) {
            let (option, value) = (pair[0], pair[1]);
            if option.eq_ignore_ascii_case(b"ack") {
                let fack = args.get(2).is_some_and(|a| a.eq_ignore_ascii_case(b"fack"));
                let durable = args.get(3).filter(|_| fack).copied();
                return Request::Ack(offset(value), durable.and_then(offset));
            }
            if option.eq_ignore_ascii_case(b"getack") {
                return Request::GetAck;
            }
            if option.eq_ignore_ascii_case(b"masters") {
                return Request::Masters;
            }
            if let Err(reply) = self.describe(option, value) {
                return Request::Described(reply);
            }
        }
        Request::Described(Replconf::Ok)
    }

    /// Whether it was told of these masters if it asked for them.
    pub(super) fn knows(&self, masters: &[RunId]) -> bool {
        self.told.as_ref().is_none_or(|told| told == masters)
    }

    fn describe(&mut self, option: &[u8], value: &[u8]) -> Result<(), Replconf> {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"listening-port") {
            self.listening_port = integer(value).ok_or(NOT_AN_INTEGER)?;
        } else if is(b"ip-address") {
            self.announced_ip = announced_ip(value)?;
        } else if is(b"capa") {
            self.eof |= value.eq_ignore_ascii_case(b"eof");
            self.psync2 |= value.eq_ignore_ascii_case(b"psync2");
        } else if is(b"rdb-only") {
            self.rdb_only = match integer(value).ok_or(NOT_AN_INTEGER)? {
                0 => false,
                1 => true,
                _ => {
                    let text = "ERR value is out of range, value must between 0 and 1";
                    return Err(Replconf::Error(text.into()));
                }
            };
        } else if is(b"rdb-filter-only") {
            self.contents = contents(value)?;
        } else {
            return Err(error("ERR Unrecognized REPLCONF option: ", option));
        }
        Ok(())
    }
}

/// A whole number as Redis takes it: no sign but a minus, no blanks.
pub(in crate::repl) fn integer(text: &[u8]) -> Option<i64> {
    if text.first() == Some(&b'+') {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

fn offset(text: &[u8]) -> Option<Offset> {
    integer(text).and_then(Offset::new)
}

fn announced_ip(value: &[u8]) -> Result<Box<str>, Replconf> {
    if value.len() > REPL_ANNOUNCED_IP_BYTES_MAX {
        let text = format!(
            "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
            value.len()
        );
        return Err(Replconf::Error(text.into()));
    }
    // It goes into lines of INFO and of the log.
    let printable = value.iter().map(|&b| match b {
        b'!'..=b'~' => char::from(b),
        _ => '?',
    });
    Ok(printable.collect::<String>().into())
}

fn contents(value: &[u8]) -> Result<Contents, Replconf> {
    let mut contents = Contents::Nothing;
    let words = value.split(u8::is_ascii_whitespace);
    for word in words.filter(|word| !word.is_empty()) {
        let word = word.strip_prefix(b"\"").unwrap_or(word);
        let word = word.strip_suffix(b"\"").unwrap_or(word);
        if !word.eq_ignore_ascii_case(b"functions") {
            return Err(error("ERR Unsupported rdb-filter-only option: ", word));
        }
        contents = Contents::Functions;
    }
    Ok(contents)
}

fn error(text: &str, culprit: &[u8]) -> Replconf {
    // Errors are one line.
    let culprit = String::from_utf8_lossy(culprit).replace(['\r', '\n'], " ");
    Replconf::Error(format!("{text}{culprit}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replconf(handshake: &mut Handshake, line: &str) -> Request {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        handshake.replconf(&args)
    }

    fn error_of(line: &str) -> String {
        match replconf(&mut Handshake::default(), line) {
            Request::Described(Replconf::Error(text)) => text.into_owned(),
            other @ (Request::Described(_)
            | Request::Ack(..)
            | Request::GetAck
            | Request::Masters) => {
                panic!("{line}: {other:?}")
            }
        }
    }

    #[test]
    fn a_replica_describes_itself() {
        let mut h = Handshake::default();
        let ok = Request::Described(Replconf::Ok);
        assert_eq!(replconf(&mut h, "listening-port 6380"), ok);
        assert_eq!(replconf(&mut h, "IP-ADDRESS 10.0.0.7"), ok);
        assert_eq!(
            replconf(&mut h, "capa eof capa psync2 capa new-fangled"),
            ok
        );
        assert_eq!(
            h,
            Handshake {
                listening_port: 6380,
                announced_ip: "10.0.0.7".into(),
                eof: true,
                psync2: true,
                rdb_only: false,
                contents: Contents::All,
                told: None,
            }
        );
        assert_eq!(replconf(&mut h, "rdb-only 1"), ok);
        assert!(h.rdb_only);
        assert_eq!(replconf(&mut h, "rdb-filter-only \"functions\""), ok);
        assert_eq!(h.contents, Contents::Functions);
    }

    #[test]
    fn errors_are_those_of_redis() {
        assert_eq!(error_of("a"), "ERR syntax error");
        assert_eq!(error_of("foo bar"), "ERR Unrecognized REPLCONF option: foo");
        for line in ["listening-port abc", "listening-port +5", "rdb-only x"] {
            assert_eq!(
                error_of(line),
                "ERR value is not an integer or out of range"
            );
        }
        assert_eq!(
            error_of("rdb-only 2"),
            "ERR value is out of range, value must between 0 and 1"
        );
        assert_eq!(
            error_of("rdb-filter-only foo"),
            "ERR Unsupported rdb-filter-only option: foo"
        );
        let long = format!("ip-address {}", "x".repeat(256));
        assert_eq!(
            error_of(&long),
            "ERR REPLCONF ip-address provided by replica instance is too long: 256 bytes"
        );
    }

    #[test]
    fn acknowledgements_are_read_with_and_without_durability() {
        let mut h = Handshake::default();
        let at = |n| Offset::new(n);
        assert_eq!(replconf(&mut h, "ACK 17"), Request::Ack(at(17), None));
        assert_eq!(
            replconf(&mut h, "ACK 17 FACK 12"),
            Request::Ack(at(17), at(12))
        );
        assert_eq!(replconf(&mut h, "ACK x"), Request::Ack(None, None));
        assert_eq!(replconf(&mut h, "GETACK *"), Request::GetAck);
    }
}
