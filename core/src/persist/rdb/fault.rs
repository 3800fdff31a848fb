//! Why an RDB file, a full sync or a DUMP payload can't be read.

use core::fmt;

use crate::persist::rdb::kind::{VERSION_READ_MAX, type_name};

/// What is wrong with RDB data, and at which byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RdbFault {
    /// It does not start as an RDB file does.
    BadSignature,
    /// It was written by a newer server.
    UnsupportedVersion {
        /// The version it has.
        version: u16,
    },
    /// It holds a value of a type that can't be read.
    UnsupportedType {
        /// The type's byte.
        kind: u8,
        /// Where that byte is.
        offset: u64,
    },
    /// It makes no sense.
    Corrupt {
        /// A phrase for people.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// A length is announced that no sound data has.
    TooLong {
        /// Of what.
        what: &'static str,
        /// The length announced.
        len: u64,
        /// The most that is accepted.
        len_max: u64,
        /// Where.
        offset: u64,
    },
    /// Some of its bytes changed on the way.
    Checksum {
        /// What it says of itself.
        stored: u64,
        /// What its bytes give.
        computed: u64,
        /// Where the checksum is.
        offset: u64,
    },
    /// It ends too early.
    Truncated {
        /// Where it ends.
        offset: u64,
    },
    /// A DUMP payload of a newer server, or one whose checksum is wrong.
    BadFooter,
}

impl RdbFault {
    /// The byte at which reading stopped.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match *self {
            Self::BadSignature | Self::UnsupportedVersion { .. } | Self::BadFooter => 0,
            Self::UnsupportedType { offset, .. }
            | Self::Corrupt { offset, .. }
            | Self::TooLong { offset, .. }
            | Self::Checksum { offset, .. }
            | Self::Truncated { offset } => offset,
        }
    }
}

impl fmt::Display for RdbFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadSignature => f.write_str("Wrong signature: this is no RDB data"),
            Self::UnsupportedVersion { version } => write!(
                f,
                "Can't handle RDB format version {version}: versions 1 to {VERSION_READ_MAX} are \
                 read, so write the file with an older server"
            ),
            Self::UnsupportedType { kind, offset } => write!(
                f,
                "Value type {kind} ({}) at byte {offset} is not supported: remove keys of this \
                 type before the file is written",
                type_name(kind).unwrap_or("unknown")
            ),
            Self::Corrupt { what, offset } => write!(f, "{what} at byte {offset}"),
            Self::TooLong {
                what,
                len,
                len_max,
                offset,
            } => write!(
                f,
                "{what} at byte {offset} is announced with {len} bytes, more than the {len_max} \
                 that are accepted"
            ),
            Self::Checksum {
                stored,
                computed,
                offset,
            } => write!(
                f,
                "RDB CRC error: the checksum at byte {offset} is {stored:016x}, but the data \
                 gives {computed:016x}"
            ),
            Self::Truncated { offset } => write!(f, "Unexpected end of RDB data at byte {offset}"),
            Self::BadFooter => f.write_str("DUMP payload version or checksum are wrong"),
        }
    }
}
