//! What must hold, each judge in a file of its own.

pub mod alone;
pub mod append;
pub mod durability;
pub mod election;
pub mod history;
pub mod liveness;
pub mod loss;
pub mod promotion;
pub mod quiet;
pub mod session;
pub mod suspects;
pub mod virtual_ip;
pub mod wire;

use std::fmt;

/// A property that does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which oracle says so.
    pub oracle: &'static str,
    /// What it saw.
    pub message: String,
}

impl Violation {
    /// A violation.
    pub const fn new(oracle: &'static str, message: String) -> Self {
        Self { oracle, message }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.oracle, self.message)
    }
}

/// The first digits of an id, for messages.
pub fn short(id: &[u8; 40]) -> &str {
    str::from_utf8(&id[..8]).unwrap_or("????????")
}
