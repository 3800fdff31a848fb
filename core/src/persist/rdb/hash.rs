//! Hash: PLACEHOLDER.

use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::read::Progress;
use crate::value::{HashParts, HashRef, Shape};

/// The type that a value is written as.
pub(super) fn kind(_value: HashRef<'_>) -> u8 {
    16
}

/// Writes a small value, which has no parts.
pub(super) fn write_small(_out: &mut Encoder, _value: HashRef<'_>) {}

/// The type that a value in parts is written as.
pub(super) const PARTS_KIND: u8 = 4;

/// Writes what comes before the parts.
pub(super) fn write_head(_out: &mut Encoder, _parts: &HashParts) {}

/// Writes the next part and returns what that cost in bytes, about; none if there is none left.
pub(super) fn write_part(_out: &mut Encoder, _parts: &mut HashParts) -> Option<usize> {
    None
}

/// How far the reading of a value has come.
#[derive(Debug)]
pub(super) struct Reader {}

impl Reader {
    /// Starts on a value of a type; none for a type of something else.
    pub(super) fn new(_kind: u8) -> Option<Self> {
        None
    }

    /// Reads on as far as the input goes.
    pub(super) fn read(&mut self, _: &mut Input, _: &Shape) -> Result<Progress, RdbFault> {
        Ok(Progress::Empty)
    }
}
