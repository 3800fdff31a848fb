//! The checksum of RDB files and DUMP payloads: CRC-64 with the Jones polynomial.

use core::fmt;

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static JONES: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A running CRC-64 as Redis computes it.
#[derive(Clone)]
pub struct Crc64 {
    digest: Digest<'static, u64, Table<16>>,
}

impl Crc64 {
    /// The checksum of no bytes, which is 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            digest: JONES.digest(),
        }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The checksum of all bytes taken in so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.digest.clone().finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc64({:016x})", self.value())
    }
}

/// The checksum of one slice.
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    JONES.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_has_the_published_check_value() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn pieces_give_the_same_checksum_as_the_whole() {
        let bytes: Vec<u8> = (0..200u8).collect();
        for cut in 0..bytes.len() {
            let mut running = Crc64::new();
            running.update(&bytes[..cut]);
            running.update(&bytes[cut..]);
            assert_eq!(running.value(), crc64(&bytes));
        }
    }
}
