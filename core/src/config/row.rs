//! The row of a directive: its names, type, default and rules.

use super::fault::Fault;
use super::value::{PERCENT_MAX, Value};

/// One directive that CONFIG GET can show.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Another name it answers to.
    pub alias: Option<&'static str>,
    /// What its values are, and which it starts with.
    pub kind: Kind,
    /// Who may change it, and when.
    pub rules: Rules,
}

/// What the values of a directive are, and its default.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Bool(bool),
    /// A whole number.
    Int {
        /// The default.
        default: i64,
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
    },
    /// A permission mask, written in octal.
    Octal {
        /// The default.
        default: u32,
        /// The largest allowed.
        max: u32,
    },
    /// An amount of memory.
    Memory {
        /// The default.
        default: u64,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// An amount of memory, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// One word of a list.
    Word {
        /// The default, as an index.
        default: u8,
        /// All words.
        words: &'static [&'static str],
        /// A word that means the same as an earlier one, which is kept for it: their indexes.
        twin: Option<(u8, u8)>,
    },
    /// Text in UTF-8.
    Text {
        /// The default.
        default: &'static str,
        /// What an empty value means.
        empty: Empty,
        /// What else a value must be.
        check: Option<Check>,
    },
    /// Any bytes, kept from view; empty means not set.
    Secret,
    /// Addresses to listen on.
    Bind,
    /// When to save the data set.
    Save,
    /// Bounds of the reply buffers, by kind of client.
    ClientLimits,
    /// Which keyspace events are published.
    NotifyFlags,
    /// The scores of master, replica and children for the kernel's out-of-memory killer.
    OomValues,
    /// The master to replicate from.
    ReplicaOf,
    /// Percentiles shown in INFO latencystats.
    Percentiles,
    /// How a signal shuts the server down.
    ShutdownOn,
    /// The working directory.
    Dir,
}

/// What a text must be beyond UTF-8.
pub type Check = fn(&[u8]) -> Result<(), Fault>;

/// What an empty text means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Empty {
    /// A value like any other.
    Value,
    /// The directive is not set; CONFIG REWRITE drops its line.
    Unset,
}

/// Who may change a directive, and when.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules(u8);

impl Rules {
    /// Only at start.
    pub const IMMUTABLE: Self = Self(1);
    /// Shown by CONFIG GET only when asked for by its full name.
    pub const HIDDEN: Self = Self(2);
    /// Its value is kept out of logs and the slow log.
    pub const SENSITIVE: Self = Self(4);
    /// Changed at run time only where `enable-protected-configs` allows it.
    pub const PROTECTED: Self = Self(8);
    /// Not changed while the data set is loaded.
    pub const DENY_LOADING: Self = Self(16);

    /// Whether all of `other` hold here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Row {
    /// Whether this is the row of `name`, of whatever case.
    pub fn answers_to(&self, name: &[u8]) -> bool {
        let is = |own: &str| own.as_bytes().eq_ignore_ascii_case(name);
        is(self.name) || self.alias.is_some_and(is)
    }

    /// Whether its value is made of several arguments. CONFIG SET gives them in one, separated
    /// by single spaces, and so may a file.
    pub const fn takes_many(&self) -> bool {
        match self.kind {
            Kind::Bind
            | Kind::Save
            | Kind::ClientLimits
            | Kind::OomValues
            | Kind::ReplicaOf
            | Kind::Percentiles
            | Kind::ShutdownOn => true,
            Kind::Bool(_)
            | Kind::Int { .. }
            | Kind::Octal { .. }
            | Kind::Memory { .. }
            | Kind::MemoryOrPercent
            | Kind::Word { .. }
            | Kind::Text { .. }
            | Kind::Secret
            | Kind::NotifyFlags
            | Kind::Dir => false,
        }
    }

    /// The value before any file is read.
    pub fn default_value(&self) -> Value {
        Value::default_of(&self.kind)
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn immutable(self) -> Self {
        self.rule(Rules::IMMUTABLE)
    }

    pub(super) const fn hidden(self) -> Self {
        self.rule(Rules::HIDDEN)
    }

    pub(super) const fn protected(self) -> Self {
        self.rule(Rules::PROTECTED)
    }

    pub(super) const fn denied_while_loading(self) -> Self {
        self.rule(Rules::DENY_LOADING)
    }

    const fn rule(mut self, rule: Rules) -> Self {
        self.rules = self.rules.and(rule);
        self
    }
}

pub(super) const fn special(name: &'static str, kind: Kind) -> Row {
    Row {
        name,
        alias: None,
        kind,
        rules: Rules(0),
    }
}

pub(super) const fn bool(name: &'static str, default: bool) -> Row {
    special(name, Kind::Bool(default))
}

pub(super) const fn int(name: &'static str, default: i64, min: i64, max: i64) -> Row {
    assert!(min <= default && default <= max);
    special(name, Kind::Int { default, min, max })
}

pub(super) const fn port(name: &'static str, default: i64) -> Row {
    int(name, default, 0, u16::MAX as i64)
}

pub(super) const fn memory(name: &'static str, default: u64, min: u64, max: u64) -> Row {
    assert!(min <= default && default <= max);
    special(name, Kind::Memory { default, min, max })
}

pub(super) const fn word(name: &'static str, default: u8, words: &'static [&'static str]) -> Row {
    assert!((default as usize) < words.len());
    let twin = None;
    special(
        name,
        Kind::Word {
            default,
            words,
            twin,
        },
    )
}

/// A text for which empty is a value like any other.
pub(super) const fn text(name: &'static str, default: &'static str) -> Row {
    let (empty, check) = (Empty::Value, None);
    special(
        name,
        Kind::Text {
            default,
            empty,
            check,
        },
    )
}

pub(super) const fn secret(name: &'static str) -> Row {
    special(name, Kind::Secret).rule(Rules::SENSITIVE)
}

/// A text that starts unset.
pub(super) const fn unset(name: &'static str) -> Row {
    let (default, empty, check) = ("", Empty::Unset, None);
    special(
        name,
        Kind::Text {
            default,
            empty,
            check,
        },
    )
}

impl Kind {
    /// Reads the arguments after a directive's name.
    ///
    /// `old` is the value so far: some directives change only a part of it.
    pub(super) fn parse(&self, args: &[&[u8]], old: &Value) -> Result<Value, Fault> {
        use super::special;
        match *self {
            Self::Bind => special::parse_bind(args),
            Self::Save => special::parse_save(args, old),
            Self::ClientLimits => special::parse_client_limits(args, old),
            Self::OomValues => special::parse_oom_values(args),
            Self::ReplicaOf => special::parse_replicaof(args),
            Self::Percentiles => special::parse_percentiles(args),
            Self::ShutdownOn => special::parse_shutdown_on(args),
            Self::Bool(_)
            | Self::Int { .. }
            | Self::Octal { .. }
            | Self::Memory { .. }
            | Self::MemoryOrPercent
            | Self::Word { .. }
            | Self::Text { .. }
            | Self::Secret
            | Self::NotifyFlags
            | Self::Dir => match *args {
                [arg] => self.parse_one(arg),
                [] | [_, ..] => Err(Fault::Arity),
            },
        }
    }

    fn parse_one(&self, arg: &[u8]) -> Result<Value, Fault> {
        use super::text::{parse_int, parse_memory};
        match *self {
            Self::Bool(_) => parse_bool(arg).map(Value::Bool).ok_or(Fault::NotBool),
            Self::Int { min, max, .. } => {
                let value = parse_int(arg).ok_or(Fault::NotInt)?;
                in_range(value.into(), min.into(), max.into())?;
                Ok(Value::Int(value))
            }
            Self::Octal { max, .. } => parse_octal(arg, max).map(Value::Octal),
            Self::Memory { min, max, .. } => {
                let value = parse_memory(arg).ok_or(Fault::NotMemory)?;
                in_range(value.into(), min.into(), max.into())?;
                Ok(Value::Memory(value))
            }
            Self::MemoryOrPercent => parse_memory_or_percent(arg),
            Self::Word { words, twin, .. } => {
                let is = |word: &&str| word.as_bytes().eq_ignore_ascii_case(arg);
                let index = words.iter().position(is).ok_or(Fault::NotOneOf(words))?;
                let index = u8::try_from(index).expect("a few words");
                let first = twin.filter(|twin| twin.0 == index).map(|twin| twin.1);
                Ok(Value::Word(first.unwrap_or(index)))
            }
            Self::Text { check, .. } => {
                check.map_or(Ok(()), |check| check(arg))?;
                utf8(arg).map(|text| Value::Text(text.into()))
            }
            Self::Secret => Ok(Value::Secret(arg.into())),
            Self::NotifyFlags => super::special::parse_notify_flags(arg),
            Self::Dir => match arg {
                [] => Err(Fault::Because("No such file or directory")),
                path => utf8(path).map(|path| Value::Text(path.into())),
            },
            Self::Bind
            | Self::Save
            | Self::ClientLimits
            | Self::OomValues
            | Self::ReplicaOf
            | Self::Percentiles
            | Self::ShutdownOn => unreachable!("these take several arguments"),
        }
    }
}

/// `yes` or `no`, of either case.
pub(super) fn parse_bool(arg: &[u8]) -> Option<bool> {
    if arg.eq_ignore_ascii_case(b"yes") {
        Some(true)
    } else if arg.eq_ignore_ascii_case(b"no") {
        Some(false)
    } else {
        None
    }
}

fn utf8(arg: &[u8]) -> Result<&str, Fault> {
    core::str::from_utf8(arg).map_err(|_| Fault::Because("argument must be valid UTF-8"))
}

fn in_range(value: i128, min: i128, max: i128) -> Result<(), Fault> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(Fault::Range { min, max })
    }
}

fn parse_octal(arg: &[u8], max: u32) -> Result<u32, Fault> {
    let digits = core::str::from_utf8(arg).map_err(|_| Fault::NotOctal)?;
    if digits.is_empty() {
        return Ok(0);
    }
    let value = i64::from_str_radix(digits, 8).map_err(|_| Fault::NotOctal)?;
    u32::try_from(value)
        .ok()
        .filter(|&mask| mask <= max)
        .ok_or(Fault::OctalRange { max })
}

fn parse_memory_or_percent(arg: &[u8]) -> Result<Value, Fault> {
    let Some(number) = arg.strip_suffix(b"%") else {
        return super::text::parse_memory(arg)
            .map(Value::Memory)
            .ok_or(Fault::NotMemoryOrPercent);
    };
    let percent = super::text::parse_int(number).filter(|&percent| percent >= 0);
    match percent.ok_or(Fault::NotMemoryOrPercent)? {
        0 => Ok(Value::Memory(0)),
        percent => u8::try_from(percent)
            .ok()
            .filter(|&percent| percent <= PERCENT_MAX)
            .map(Value::Percent)
            .ok_or_else(|| Fault::PercentAbove(PERCENT_MAX.into())),
    }
}
