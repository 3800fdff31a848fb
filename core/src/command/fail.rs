//! Why a command is refused. [`Fail::text`] is what goes over the wire, without the dash.

use core::fmt;

use crate::acl::Denied;
use crate::machine::DiskFault;

/// A client's mistake, or a state of the server that forbids the command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fail {
    /// The arguments make no sense.
    Syntax,
    /// The key holds another type.
    WrongType,
    /// An argument should be a signed 64-bit integer.
    NotInteger,
    /// An argument should be a number.
    NotFloat,
    /// A float operation would give no number.
    NanOrInfinity,
    /// A counter would leave the 64-bit range.
    Overflow,
    /// The decrement of a counter would leave the 64-bit range.
    DecrementOverflow,
    /// There is no such key.
    NoSuchKey,
    /// An index is outside the value.
    IndexOutOfRange,
    /// An argument must be positive.
    NotPositive,
    /// An argument is outside its range.
    OutOfRange,
    /// A number of keys or elements must be at least 1.
    ZeroCount(&'static str),
    /// An offset is outside the allowed range.
    OffsetOutOfRange,
    /// A string would exceed `proto-max-bulk-len`.
    StringTooLong,
    /// An expiry time is not usable.
    InvalidExpire(&'static str),
    /// There is no such database.
    DbOutOfRange,
    /// A cursor is no number.
    InvalidCursor,
    /// A timeout is no number.
    TimeoutNotFloat,
    /// A timeout is no integer.
    TimeoutNotInteger,
    /// A timeout lies in the past.
    TimeoutNegative,
    /// A timeout is too far away.
    TimeoutTooLong,
    /// The command got the wrong number of arguments. Its full name.
    Arity(Box<str>),
    /// There is no such command. What was sent, shortened as Redis does.
    UnknownCommand {
        /// The command word, at most 128 bytes.
        name: Box<[u8]>,
        /// The first arguments, each quoted and followed by a blank.
        args: Box<[u8]>,
    },
    /// The container has no such subcommand.
    UnknownSubcommand {
        /// What was asked for, at most 128 bytes.
        name: Box<[u8]>,
        /// The container in upper case.
        container: Box<str>,
    },
    /// The subcommand takes other arguments, of which Redis only looks at their number late.
    SubcommandSyntax {
        /// The subcommand's own word, as it was sent.
        name: Box<[u8]>,
        /// The container in upper case.
        container: &'static str,
    },
    /// Authentication is needed first.
    NoAuth,
    /// The password or the user is wrong.
    WrongPass,
    /// AUTH without a password being set.
    AuthUnneeded,
    /// The user has no permission, in these words.
    NoPerm(Denied, Box<[u8]>),
    /// The command may not run here. The rest of the text.
    NotAllowed(&'static str),
    /// A write on a replica.
    ReadOnly,
    /// Too few replicas are good.
    NoReplicas,
    /// The last save failed.
    MisConf,
    /// The log can't be written.
    MisConfLog(DiskFault),
    /// Memory is used up.
    OutOfMemory,
    /// The dataset is loading.
    Loading,
    /// The master's link is down and stale data is not served.
    MasterDown,
    /// EXEC after a command that could not be queued.
    ExecAbort,
    /// EXEC that was itself refused, with this text.
    ExecAbortFor(Box<[u8]>),
    /// MULTI inside MULTI.
    NestedMulti,
    /// EXEC without MULTI.
    ExecWithoutMulti,
    /// DISCARD without MULTI.
    DiscardWithoutMulti,
    /// WATCH inside MULTI.
    WatchInMulti,
    /// Not inside MULTI.
    NoMulti,
    /// A subscriber of RESP2 may only (un)subscribe, ping and quit. The command's full name.
    SubscriberContext(Box<str>),
    /// A replica connection may not touch keys.
    ReplicaKeyspace,
    /// The target key exists.
    BusyKey,
    /// A serialised value can't be used.
    BadDump,
    /// HELLO asked for an unknown version.
    NoProto,
    /// Another text with the general code.
    Plain(&'static str),
    /// A text with a code of its own.
    Coded(&'static str),
    /// A text made of what the user sent, with the general code.
    Detail(Box<[u8]>),
    /// A whole text with its code.
    Whole(Box<[u8]>),
}

/// What Redis shows in an error of an argument: it ends at the first zero byte.
pub fn shown(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

impl Fail {
    /// A text with the general code, made on the spot.
    pub fn detail(text: impl Into<Vec<u8>>) -> Self {
        Self::Detail(text.into().into())
    }

    /// A whole text with its code, made on the spot.
    pub fn whole(text: impl Into<Vec<u8>>) -> Self {
        Self::Whole(text.into().into())
    }

    /// A script runs, and has for long.
    pub const BUSY: Self = Self::Coded(
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    );

    /// A subcommand that was sent with arguments it does not take.
    pub fn subcommand_syntax(name: &[u8], container: &'static str) -> Self {
        Self::SubcommandSyntax {
            name: shown(name).into(),
            container,
        }
    }

    /// The wire text. What a client sent stands in it byte for byte.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other texts are made of what the server knows"
    )]
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::UnknownCommand { name, args } => [
                b"ERR unknown command '",
                &name[..],
                b"', with args beginning with: ",
                args,
            ]
            .concat(),
            Self::UnknownSubcommand { name, container } => [
                b"ERR unknown subcommand '",
                &name[..],
                b"'. Try ",
                container.as_bytes(),
                b" HELP.",
            ]
            .concat(),
            Self::SubcommandSyntax { name, container } => [
                b"ERR unknown subcommand or wrong number of arguments for '",
                &name[..],
                b"'. Try ",
                container.as_bytes(),
                b" HELP.",
            ]
            .concat(),
            Self::ExecAbortFor(cause) => {
                let cause = cause.strip_prefix(b"ERR ").unwrap_or(cause);
                [b"EXECABORT Transaction discarded because of: ", cause].concat()
            }
            Self::Detail(text) => [b"ERR ", &text[..]].concat(),
            Self::NoPerm(_, text) => [b"NOPERM ", &text[..]].concat(),
            Self::Whole(text) => text.to_vec(),
            other => other.to_string().into_bytes(),
        }
    }

    /// The first word of the wire text, under which errors are counted.
    pub fn code(&self) -> Box<str> {
        let text = self.to_string();
        text.split(' ').next().unwrap_or("ERR").into()
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Syntax => "ERR syntax error",
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::NanOrInfinity => "ERR increment would produce NaN or Infinity",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::DecrementOverflow => "ERR decrement would overflow",
            Self::NoSuchKey => "ERR no such key",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::NotPositive => "ERR value is out of range, must be positive",
            Self::OutOfRange => "ERR value is out of range",
            Self::ZeroCount(what) => return write!(f, "ERR {what} should be greater than 0"),
            Self::OffsetOutOfRange => "ERR offset is out of range",
            Self::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::InvalidExpire(command) => {
                return write!(f, "ERR invalid expire time in '{command}' command");
            }
            Self::DbOutOfRange => "ERR DB index is out of range",
            Self::InvalidCursor => "ERR invalid cursor",
            Self::TimeoutNotFloat => "ERR timeout is not a float or out of range",
            Self::TimeoutNotInteger => "ERR timeout is not an integer or out of range",
            Self::TimeoutNegative => "ERR timeout is negative",
            Self::TimeoutTooLong => "ERR timeout is out of range",
            Self::Arity(name) => {
                return write!(f, "ERR wrong number of arguments for '{name}' command");
            }
            Self::UnknownCommand { .. }
            | Self::UnknownSubcommand { .. }
            | Self::SubcommandSyntax { .. }
            | Self::ExecAbortFor(_)
            | Self::NoPerm(..)
            | Self::Detail(_)
            | Self::Whole(_) => return f.write_str(&String::from_utf8_lossy(&self.text())),
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::WrongPass => "WRONGPASS invalid username-password pair or user is disabled.",
            Self::AuthUnneeded => AUTH_UNNEEDED,
            Self::NotAllowed(rest) => return write!(f, "ERR {rest}"),
            Self::ReadOnly => "READONLY You can't write against a read only replica.",
            Self::NoReplicas => "NOREPLICAS Not enough good replicas to write.",
            Self::MisConf => MISCONF,
            Self::MisConfLog(why) => {
                return write!(f, "MISCONF Errors writing to the AOF file: {why}");
            }
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::Loading => "LOADING Redis is loading the dataset in memory",
            Self::MasterDown => MASTERDOWN,
            Self::ExecAbort => "EXECABORT Transaction discarded because of previous errors.",
            Self::NestedMulti => "ERR MULTI calls can not be nested",
            Self::ExecWithoutMulti => "ERR EXEC without MULTI",
            Self::DiscardWithoutMulti => "ERR DISCARD without MULTI",
            Self::WatchInMulti => "ERR WATCH inside MULTI is not allowed",
            Self::NoMulti => "ERR Command not allowed inside a transaction",
            Self::SubscriberContext(name) => {
                return write!(
                    f,
                    "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / \
                     QUIT / RESET are allowed in this context"
                );
            }
            Self::ReplicaKeyspace => "ERR Replica can't interact with the keyspace",
            Self::BusyKey => "BUSYKEY Target key name already exists.",
            Self::BadDump => "ERR DUMP payload version or checksum are wrong",
            Self::NoProto => "NOPROTO unsupported protocol version",
            Self::Plain(text) => return write!(f, "ERR {text}"),
            Self::Coded(text) => text,
        };
        f.write_str(text)
    }
}

const AUTH_UNNEEDED: &str = "ERR AUTH <password> called without any password configured for the \
                             default user. Are you sure your configuration is correct?";

const MISCONF: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently \
                       unable to persist to disk. Commands that may modify the data set are \
                       disabled, because this instance is configured to report errors during \
                       writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
                       Please check the Redis logs for details about the RDB error.";

const MASTERDOWN: &str =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
