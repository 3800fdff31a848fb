//! Values with a form of their own.

use core::fmt;

use super::fault::Fault;
use super::text::{parse_int, parse_memory};
use super::value::Value;
use crate::limits::{BIND_ADDRESSES_MAX, PERCENTILES_MAX, SAVE_POINTS_MAX};

/// Save when this many keys changed within so many seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SavePoint {
    /// The time span.
    pub seconds: u64,
    /// The changes within it.
    pub changes: u64,
}

impl SavePoint {
    pub(super) const DEFAULT: [Self; 3] = [
        Self::new(3600, 1),
        Self::new(300, 100),
        Self::new(60, 10_000),
    ];

    const fn new(seconds: u64, changes: u64) -> Self {
        Self { seconds, changes }
    }
}

impl fmt::Display for SavePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seconds, self.changes)
    }
}

/// `old` is the value before this line: a file's `save` lines add up. The caller empties it
/// before the first of them.
pub(super) fn parse_save(args: &[&[u8]], old: &Value) -> Result<Value, Fault> {
    const INVALID: Fault = Fault::Because("Invalid save parameters");
    if args.is_empty() || args == [b""] {
        return Ok(Value::Save(Vec::new()));
    }
    if !args.len().is_multiple_of(2) {
        return Err(INVALID);
    }
    let Value::Save(mut points) = old.clone() else {
        unreachable!("the row holds save points");
    };
    for pair in args.chunks_exact(2) {
        let number = |arg| parse_int(arg).and_then(|n| u64::try_from(n).ok());
        let (seconds, changes) = (number(pair[0]), number(pair[1]));
        let (Some(seconds @ 1..), Some(changes)) = (seconds, changes) else {
            return Err(INVALID);
        };
        points.push(SavePoint { seconds, changes });
    }
    if points.len() > SAVE_POINTS_MAX {
        return Err(Fault::Because("Too many save parameters"));
    }
    Ok(Value::Save(points))
}

/// When a client that does not read its replies is cut off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientLimit {
    /// Pending bytes that cut it off at once; 0 for no bound.
    pub hard_bytes: u64,
    /// Pending bytes that cut it off after `soft_seconds`; 0 for no bound.
    pub soft_bytes: u64,
    /// How long it may stay above `soft_bytes`.
    pub soft_seconds: u64,
}

impl ClientLimit {
    /// No bound at all.
    pub const NONE: Self = Self::new(0, 0, 0);

    pub(super) const DEFAULT: [Self; 3] = [
        Self::new(0, 0, 0),
        Self::new(256 << 20, 64 << 20, 60),
        Self::new(32 << 20, 8 << 20, 60),
    ];

    const fn new(hard_bytes: u64, soft_bytes: u64, soft_seconds: u64) -> Self {
        Self {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        }
    }
}

impl fmt::Display for ClientLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        } = self;
        write!(f, "{hard_bytes} {soft_bytes} {soft_seconds}")
    }
}

pub(super) fn parse_client_limits(args: &[&[u8]], old: &Value) -> Result<Value, Fault> {
    if !args.len().is_multiple_of(4) {
        return Err(Fault::Because(
            "Wrong number of arguments in buffer limit configuration.",
        ));
    }
    let Value::ClientLimits(mut limits) = *old else {
        unreachable!("the row holds limits");
    };
    for group in args.chunks_exact(4) {
        let index = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => {
                return Err(Fault::Because(
                    "Invalid client class specified in buffer limit configuration.",
                ));
            }
        };
        let seconds = parse_int(group[3]).and_then(|n| u64::try_from(n).ok());
        let limit = (parse_memory(group[1]), parse_memory(group[2]), seconds);
        let (Some(hard), Some(soft), Some(seconds)) = limit else {
            return Err(Fault::Because(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ));
        };
        limits[index] = ClientLimit::new(hard, soft, seconds);
    }
    Ok(Value::ClientLimits(limits))
}

/// Which keyspace events are published, and on which channels.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NotifyFlags(u16);

impl NotifyFlags {
    /// `K`: on `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1 << 0);
    /// `E`: on `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands of no type, as DEL and EXPIRE.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const ZSET: Self = Self(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: a key was read that is not there.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: module types.
    pub const MODULE: Self = Self(1 << 12);
    /// `n`: a key was created.
    pub const NEW: Self = Self(1 << 13);
    /// `A`: `g$lshzxetd`.
    pub const ALL: Self = Self(0b1_0111_1111_1100);

    /// Whether all of `other` are set here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is published at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The letters in the order in which they are shown, `A` apart.
    const LETTERS: [(u8, Self); 14] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::ZSET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];
}

impl fmt::Display for NotifyFlags {
    /// As Redis shows them: `A` swallows the letters it stands for, and `n` too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.has(Self::ALL);
        if all {
            f.write_str("A")?;
        }
        let in_all = |flag: Self| flag == Self::NEW || Self::ALL.has(flag);
        for (letter, flag) in Self::LETTERS {
            if self.has(flag) && !(all && in_all(flag)) {
                write!(f, "{}", char::from(letter))?;
            }
        }
        Ok(())
    }
}

pub(super) fn parse_notify_flags(arg: &[u8]) -> Result<Value, Fault> {
    let mut flags = 0;
    for &letter in arg {
        let known = NotifyFlags::LETTERS.iter().find(|known| known.0 == letter);
        flags |= match (letter, known) {
            (b'A', _) => NotifyFlags::ALL.0,
            (_, Some(&(_, flag))) => flag.0,
            (_, None) => {
                return Err(Fault::Because(
                    "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
                ));
            }
        };
    }
    Ok(Value::Notify(NotifyFlags(flags)))
}

/// How a signal shuts the server down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ShutdownOn {
    /// Save the data set, or not; `None` saves if there are save points.
    pub save: Option<bool>,
    /// Do not wait for replicas.
    pub now: bool,
    /// Exit even if the save fails.
    pub force: bool,
}

impl fmt::Display for ShutdownOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("default");
        }
        let words = [
            (self.save == Some(true), "save"),
            (self.save == Some(false), "nosave"),
            (self.now, "now"),
            (self.force, "force"),
        ];
        let set = words.iter().filter(|word| word.0).map(|word| word.1);
        f.write_str(&set.collect::<Vec<_>>().join(" "))
    }
}

pub(super) fn parse_shutdown_on(args: &[&[u8]]) -> Result<Value, Fault> {
    const WORDS: &[&str] = &["default", "save", "nosave", "now", "force"];
    if args.is_empty() {
        return Err(Fault::NotOneOf(WORDS));
    }
    let mut how = ShutdownOn::default();
    let (mut save, mut nosave) = (false, false);
    for arg in args {
        match arg.to_ascii_lowercase().as_slice() {
            b"default" => {}
            b"save" => save = true,
            b"nosave" => nosave = true,
            b"now" => how.now = true,
            b"force" => how.force = true,
            _ => return Err(Fault::NotOneOf(WORDS)),
        }
    }
    how.save = match (save, nosave) {
        (true, true) => {
            return Err(Fault::Because(
                "shutdown options SAVE and NOSAVE can't be used simultaneously",
            ));
        }
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    Ok(Value::ShutdownOn(how))
}

pub(super) fn parse_bind(args: &[&[u8]]) -> Result<Value, Fault> {
    if args.len() > BIND_ADDRESSES_MAX {
        return Err(Fault::Because("Too many bind addresses specified."));
    }
    if args == [b""] {
        return Ok(Value::Bind(Vec::new()));
    }
    let address = |arg: &&[u8]| core::str::from_utf8(arg).ok().map(Box::from);
    let addresses: Option<Vec<Box<str>>> = args.iter().map(address).collect();
    addresses
        .map(Value::Bind)
        .ok_or(Fault::Because("Failed to bind to specified addresses."))
}

pub(super) fn parse_oom_values(args: &[&[u8]]) -> Result<Value, Fault> {
    let [master, replica, child] = *args else {
        return Err(Fault::Arity);
    };
    let mut values = [0; 3];
    for (value, arg) in values.iter_mut().zip([master, replica, child]) {
        *value = parse_int(arg)
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| (-2000..=2000).contains(n))
            .ok_or(Fault::Because(
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
            ))?;
    }
    Ok(Value::Oom(values))
}

pub(super) fn parse_replicaof(args: &[&[u8]]) -> Result<Value, Fault> {
    let [host, port] = *args else {
        return Err(Fault::Arity);
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::ReplicaOf(None));
    }
    let port = parse_int(port).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Fault::Because("Invalid master port"))?;
    let host = core::str::from_utf8(host).map_err(|_| Fault::Because("Invalid master host"))?;
    Ok(Value::ReplicaOf(Some((host.into(), port))))
}

pub(super) fn parse_percentiles(args: &[&[u8]]) -> Result<Value, Fault> {
    if args.is_empty() || args == [b""] {
        return Ok(Value::Percentiles(Vec::new()));
    }
    if args.len() > PERCENTILES_MAX {
        return Err(Fault::Because("Too many percentiles"));
    }
    let parse = |arg: &&[u8]| {
        let number = core::str::from_utf8(arg).ok()?.parse::<f64>().ok()?;
        (!number.is_nan()).then_some(number)
    };
    let values: Option<Vec<f64>> = args.iter().map(parse).collect();
    let values = values.ok_or(Fault::Because(
        "Invalid latency-tracking-info-percentiles parameters",
    ))?;
    if values.iter().all(|value| (0.0..=100.0).contains(value)) {
        Ok(Value::Percentiles(values))
    } else {
        Err(Fault::Because(
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ))
    }
}
