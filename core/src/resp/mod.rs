//! RESP2, RESP3 and inline commands: bytes in, bytes out.

mod argv;
mod encode;
mod inline;
mod number;
mod parser;
mod peek;
mod reply;
mod value;

pub use argv::{Argv, ArgvRef, OwnedArgv};
pub(crate) use encode::{bulk, header};
pub use encode::{encode, encode_argv, encode_command};
pub use inline::{UnbalancedQuotes, split_args};
pub use number::{DoubleText, fmt_double, parse_int};
pub use parser::{ParseLimits, Parsed, Parser, ProtocolError, Sender};
pub use peek::{Glance, glances, peek};
pub use reply::{Later, Reply};
pub use value::{ReplyFault, ReplyParser, Value};

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Proto {
    /// What every connection starts with.
    #[default]
    Resp2,
    /// Asked for with HELLO 3.
    Resp3,
}

impl Proto {
    /// The version as HELLO and CLIENT LIST have it.
    pub const fn version(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}
