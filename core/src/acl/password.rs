//! Passwords, of which only hashes are kept.

use crate::rng::Rng;
use core::fmt;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a password.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// From its 64 digits, which are in lower case.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let digits = <&[u8; 64]>::try_from(text).ok()?;
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(Self(hash))
    }

    /// Compares in a time that tells nothing of where two hashes differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0);
        differing.fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

/// The most bits of a password that is made up.
pub const PASSWORD_BITS_MAX: i64 = 4096;

/// A password of so many random bits, rounded up to whole hexadecimal digits. `None` if that is
/// no number of bits for one.
pub fn new_password(bits: i64, rng: &mut Rng) -> Option<Vec<u8>> {
    let bits = usize::try_from(bits).ok()?;
    if bits == 0 || bits > PASSWORD_BITS_MAX as usize {
        return None;
    }
    let mut random = vec![0; bits.div_ceil(8)];
    rng.fill(&mut random);
    let mut digits: Vec<u8> = random
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| b"0123456789abcdef"[usize::from(digit)])
        .collect();
    digits.truncate(bits.div_ceil(4));
    Some(digits)
}
