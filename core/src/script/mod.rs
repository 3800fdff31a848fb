//! Lua scripts: an interpreter that stops wherever it needs the server.
//!
//! The interpreter has a stack of its own. A script that calls a command leaves that stack with
//! the command and comes back to it with the reply; one that runs for long leaves it in between,
//! so that its server goes on with everything else. Nothing in here knows the server: it is told
//! what to run, and answers with a [`Step`].

mod api;
mod engine;
mod library;
mod random;
mod values;

pub use engine::Engine;

use crate::resp::{OwnedArgv, Proto};
use core::fmt;
use sha1::{Digest as _, Sha1};

/// The name of a script: the SHA-1 of its text, in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sha([u8; 40]);

impl Sha {
    /// Of a script's text.
    pub fn of(text: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 40];
        for (byte, pair) in Sha1::digest(text).iter().zip(hex.chunks_exact_mut(2)) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(hex)
    }

    /// As a user wrote it, in any case; nothing if it can't be one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut hex: [u8; 40] = text.try_into().ok()?;
        hex.make_ascii_lowercase();
        Some(Self(hex))
    }

    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A run of a script.
#[derive(Debug)]
pub struct Call<'a> {
    /// Which one. It has been defined.
    pub sha: Sha,
    /// `KEYS`.
    pub keys: Vec<&'a [u8]>,
    /// `ARGV`.
    pub args: Vec<&'a [u8]>,
    /// The protocol of who gets its reply.
    pub proto: Proto,
}

/// A command that a script calls, or asks about.
#[derive(Debug)]
pub struct Request {
    /// The command.
    pub argv: OwnedArgv,
    /// The protocol in which the script wants the reply.
    pub proto: Proto,
    /// What is to be done with it.
    pub purpose: Purpose,
}

/// What a script wants of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// It is to be run. Whether its effects go to replicas and the append-only file is the
    /// script's to say (`redis.set_repl`).
    Run {
        /// They do.
        propagates: bool,
    },
    /// May the user call it? (`redis.acl_check_cmd`.) The reply is 1 or 0.
    Check,
}

/// How far a script has come.
#[derive(Debug)]
pub enum Step {
    /// It waits for the reply to this.
    Command(Request),
    /// It has run for a while and can go on.
    Slice,
    /// It is over.
    Over(End),
}

/// How a script has ended.
#[derive(Debug)]
pub struct End {
    /// What its client gets.
    pub reply: Vec<u8>,
    /// That is an error, raised or returned.
    pub failed: bool,
    /// The reply is an error that statistics do not have yet.
    pub counts: bool,
}

#[cfg(test)]
mod tests;
