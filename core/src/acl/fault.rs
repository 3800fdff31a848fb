//! Why a rule is refused, in Redis's words.

use core::fmt;

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No such command or category.
    Unknown,
    /// No rule at all, or a pattern with blanks in it.
    Syntax,
    /// A key pattern where all keys are allowed.
    KeyAfterAll,
    /// A channel pattern where all channels are allowed.
    ChannelAfterAll,
    /// A password to be removed that the user does not have.
    NoSuchPassword,
    /// A hash that is none.
    BadHash,
    /// A first argument of a subcommand.
    FirstArgument,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::KeyAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and \
                 does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::ChannelAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid \
                 and does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Self::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::FirstArgument => "Allowing first-arg of a subcommand is not supported",
        })
    }
}

/// Why a user was left as it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetFault {
    /// A rule is wrong.
    Rule(Box<[u8]>, Fault),
    /// A selector that begins with this argument does not end.
    Unmatched(Box<[u8]>),
    /// There are as many users as there can be.
    TooMany,
}

impl SetFault {
    /// What ACL SETUSER answers, without the code.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Rule(rule, fault) => [
                b"Error in ACL SETUSER modifier '",
                &rule[..],
                b"': ",
                fault.to_string().as_bytes(),
            ]
            .concat(),
            Self::Unmatched(start) => [
                b"Unmatched parenthesis in acl selector starting at '",
                &start[..],
                b"'.",
            ]
            .concat(),
            Self::TooMany => b"There are too many ACL users".to_vec(),
        }
    }
}
