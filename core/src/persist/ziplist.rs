//! Redis's ziplist, which listpacks replaced: read from files of Redis before 7.0.
//!
//! A block is its total length (4 bytes), the offset of its last entry (4 bytes) and its number of
//! entries (2 bytes, 65535 if there are more), all little endian; the entries; and an end byte of
//! 255. An entry is the length of the one before it (1 byte, or 254 and 4 bytes), an encoding
//! byte with what belongs to it, and the data.

use crate::persist::listpack::{Entry, PackFault, sign_extended};

const HEADER_LEN: usize = 10;
const END: u8 = 0xff;
const MANY: u16 = u16::MAX;
/// Announces a previous length of four bytes.
const BIG_PREVIOUS: u8 = 254;

/// Walks the entries of a ziplist, checking everything the format lets one check.
///
/// Yields an error once and nothing after it.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    block: &'a [u8],
    at: usize,
    previous: usize,
    seen: usize,
    done: bool,
}

impl<'a> Reader<'a> {
    /// Starts at the first entry, after checking the header.
    pub fn new(block: &'a [u8]) -> Result<Self, PackFault> {
        let fault = |what| Err(PackFault { at: 0, what });
        if block.len() <= HEADER_LEN {
            return fault("Ziplist integrity check failed: shorter than its header");
        }
        let total = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        if usize::try_from(total) != Ok(block.len()) {
            return fault("Ziplist integrity check failed: not the length its header says");
        }
        if block[block.len() - 1] != END {
            return fault("Ziplist integrity check failed: no end byte");
        }
        Ok(Self {
            block,
            at: HEADER_LEN,
            previous: 0,
            seen: 0,
            done: false,
        })
    }

    fn fault(&self, what: &'static str) -> PackFault {
        PackFault { at: self.at, what }
    }

    fn read(&mut self) -> Result<Option<Entry<'a>>, PackFault> {
        let body = &self.block[self.at..self.block.len() - 1];
        if body.is_empty() {
            self.done = true;
            self.check_end()?;
            return Ok(None);
        }
        let cut_off = "Ziplist integrity check failed: entry cut off or of no known encoding";
        let Some((previous, skip)) = decode_previous(body) else {
            return Err(self.fault(cut_off));
        };
        if previous != self.previous {
            return Err(
                self.fault("Ziplist integrity check failed: entry with a wrong previous length")
            );
        }
        let Some((entry, len)) = decode(&body[skip..]) else {
            return Err(self.fault(cut_off));
        };
        self.previous = skip + len;
        self.at += self.previous;
        self.seen += 1;
        Ok(Some(entry))
    }

    fn check_end(&self) -> Result<(), PackFault> {
        let count = u16::from_le_bytes([self.block[8], self.block[9]]);
        if count != MANY && usize::from(count) != self.seen {
            return Err(
                self.fault("Ziplist integrity check failed: not the entries its header says")
            );
        }
        let tail = [self.block[4], self.block[5], self.block[6], self.block[7]];
        if usize::try_from(u32::from_le_bytes(tail)) != Ok(self.at - self.previous) {
            return Err(
                self.fault("Ziplist integrity check failed: no last entry where its header says")
            );
        }
        Ok(())
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, PackFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let entry = self.read();
        self.done |= entry.is_err();
        entry.transpose()
    }
}

/// The length of the entry before, and the bytes that say it.
fn decode_previous(body: &[u8]) -> Option<(usize, usize)> {
    match *body.first()? {
        BIG_PREVIOUS => {
            let len = u32::from_le_bytes(body.get(1..5)?.try_into().expect("four bytes"));
            Some((usize::try_from(len).ok()?, 5))
        }
        END => None,
        len => Some((usize::from(len), 1)),
    }
}

/// The entry at the start of `body`, and the length of its encoding and data.
fn decode(body: &[u8]) -> Option<(Entry<'_>, usize)> {
    let byte = *body.first()?;
    let int = |len: usize| Some((Entry::Int(sign_extended(body.get(1..1 + len)?)), 1 + len));
    match byte {
        0..=0x3f => string(body, 1, usize::from(byte)),
        0x40..=0x7f => {
            let len = u16::from_be_bytes([byte & 63, *body.get(1)?]);
            string(body, 2, usize::from(len))
        }
        0x80 => {
            let len = u32::from_be_bytes(body.get(1..5)?.try_into().expect("four bytes"));
            string(body, 5, usize::try_from(len).ok()?)
        }
        0xc0 => int(2),
        0xd0 => int(4),
        0xe0 => int(8),
        0xf0 => int(3),
        0xfe => int(1),
        0xf1..=0xfd => Some((Entry::Int(i64::from(byte) - 0xf1), 1)),
        0x81..=0xbf | 0xc1..=0xcf | 0xd1..=0xdf | 0xe1..=0xef | 0xff => None,
    }
}

fn string(body: &[u8], from: usize, len: usize) -> Option<(Entry<'_>, usize)> {
    let end = from.checked_add(len)?;
    Some((Entry::Str(body.get(from..end)?), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(block: &[u8]) -> Result<Vec<Vec<u8>>, PackFault> {
        Reader::new(block)?
            .map(|entry| Ok(entry?.with_bytes(<[u8]>::to_vec)))
            .collect()
    }

    /// Builds a ziplist of entries whose encoding is given.
    fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
        let mut block = vec![0; HEADER_LEN];
        let mut previous = 0;
        for entry in entries {
            let from = block.len();
            match u8::try_from(previous) {
                Ok(previous @ 0..BIG_PREVIOUS) => block.push(previous),
                Ok(BIG_PREVIOUS..) | Err(_) => {
                    block.push(BIG_PREVIOUS);
                    block.extend_from_slice(&u32::try_from(previous).unwrap().to_le_bytes());
                }
            }
            block.extend_from_slice(entry);
            previous = block.len() - from;
        }
        let tail = u32::try_from(block.len() - previous).unwrap();
        block.push(END);
        let total = u32::try_from(block.len()).unwrap();
        block[..4].copy_from_slice(&total.to_le_bytes());
        block[4..8].copy_from_slice(&tail.to_le_bytes());
        block[8] = u8::try_from(entries.len()).unwrap();
        block
    }

    #[test]
    fn every_encoding_is_read() {
        let mut long = vec![0x41, 0x2c];
        long.extend_from_slice(&[b'l'; 300]);
        let mut huge = vec![0x80, 0, 1, 0, 0];
        huge.extend_from_slice(&[b'h'; 65_536]);
        let block = ziplist(&[
            &[2, b'h', b'i'],
            &long,
            &huge,
            &[0xc0, 0xff, 0xff],
            &[0xd0, 0, 0, 0, 0x80],
            &[0xe0, 1, 0, 0, 0, 0, 0, 0, 0x80],
            &[0xf0, 0x00, 0x00, 0x80],
            &[0xfe, 0x80],
            &[0xf1],
            &[0xfd],
        ]);
        let numbers = [
            "-1",
            "-2147483648",
            "-9223372036854775807",
            "-8388608",
            "-128",
            "0",
            "12",
        ];
        let mut expected = vec![b"hi".to_vec(), vec![b'l'; 300], vec![b'h'; 65_536]];
        expected.extend(numbers.iter().map(|n| n.as_bytes().to_vec()));
        assert_eq!(unpack(&block).unwrap(), expected);
        assert!(unpack(&ziplist(&[])).unwrap().is_empty());
    }

    #[test]
    fn any_single_changed_byte_is_refused_or_read_without_panic() {
        let sound = ziplist(&[&[2, b'h', b'i'], &[0xc0, 1, 2], &[0xf3]]);
        for at in 0..sound.len() {
            for byte in 0..=255 {
                let mut block = sound.clone();
                block[at] = byte;
                let _ = unpack(&block);
            }
        }
        for len in 0..sound.len() {
            assert!(unpack(&sound[..len]).is_err());
        }
    }
}
