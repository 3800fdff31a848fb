//! Redis's listpack: a compact list of strings and integers in one block of bytes.
//!
//! A block is a header of its total length (4 bytes) and its number of entries (2 bytes, 65535 if
//! there are more), both little endian; the entries; and an end byte of 255. An entry is an
//! encoding byte with what belongs to it, the data, and the length of both once more so that the
//! block can be walked backwards.

use crate::value::parse_int;

const HEADER_LEN: usize = 6;
const END: u8 = 0xff;
/// The header's entry count when there are too many to say.
const MANY: u16 = u16::MAX;

/// One entry of a packed list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry<'a> {
    /// Bytes as they are.
    Str(&'a [u8]),
    /// A number, which stands for its decimal text.
    Int(i64),
}

impl Entry<'_> {
    /// Calls `with` with the entry's text.
    pub fn with_bytes<R>(self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Str(bytes) => with(bytes),
            Self::Int(number) => with(itoa::Buffer::new().format(number).as_bytes()),
        }
    }
}

/// What is wrong with a packed list, and at which byte of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PackFault {
    /// Offset within the block.
    pub at: usize,
    /// A phrase for people.
    pub what: &'static str,
}

/// Walks the entries of a listpack, checking everything the format lets one check.
///
/// Yields an error once and nothing after it.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    block: &'a [u8],
    at: usize,
    seen: usize,
    done: bool,
}

impl<'a> Reader<'a> {
    /// Starts at the first entry, after checking the header.
    pub fn new(block: &'a [u8]) -> Result<Self, PackFault> {
        let fault = |what| Err(PackFault { at: 0, what });
        if block.len() <= HEADER_LEN {
            return fault("Listpack integrity check failed: shorter than its header");
        }
        let total = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        if usize::try_from(total) != Ok(block.len()) {
            return fault("Listpack integrity check failed: not the length its header says");
        }
        if block[block.len() - 1] != END {
            return fault("Listpack integrity check failed: no end byte");
        }
        Ok(Self {
            block,
            at: HEADER_LEN,
            seen: 0,
            done: false,
        })
    }

    fn fault(&self, what: &'static str) -> PackFault {
        PackFault { at: self.at, what }
    }

    fn read(&mut self) -> Result<Option<Entry<'a>>, PackFault> {
        // The last byte is the end byte, so an entry can't take it.
        let body = &self.block[self.at..self.block.len() - 1];
        if body.is_empty() {
            self.done = true;
            let count = u16::from_le_bytes([self.block[4], self.block[5]]);
            if count != MANY && usize::from(count) != self.seen {
                return Err(
                    self.fault("Listpack integrity check failed: not the entries its header says")
                );
            }
            return Ok(None);
        }
        let Some((entry, len)) = decode(body) else {
            return Err(self
                .fault("Listpack integrity check failed: entry cut off or of no known encoding"));
        };
        let mut backlen = [0; BACKLEN_MAX];
        let backlen = encode_backlen(len, &mut backlen);
        if !body[len..].starts_with(backlen) {
            return Err(
                self.fault("Listpack integrity check failed: entry with a wrong length at its end")
            );
        }
        self.at += len + backlen.len();
        self.seen += 1;
        Ok(Some(entry))
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

/// Builds a listpack.
#[derive(Debug)]
pub struct Builder {
    block: Vec<u8>,
    count: usize,
}

impl Builder {
    /// Starts an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            block: vec![0; HEADER_LEN],
            count: 0,
        }
    }

    /// Appends an entry, as an integer where Redis would.
    ///
    /// The whole block must stay below 4 GB, which [`len_with`](Self::len_with) tells.
    pub fn push(&mut self, bytes: &[u8]) {
        assert!(
            u32::try_from(self.len_with(bytes.len())).is_ok(),
            "a listpack has a 32-bit length"
        );
        if let Some(number) = parse_int(bytes) {
            return self.push_int(number);
        }
        let from = self.block.len();
        encode_str(bytes, &mut self.block);
        self.end_entry(from);
    }

    /// Appends an integer. The block must stay below 4 GB.
    pub fn push_int(&mut self, number: i64) {
        let from = self.block.len();
        encode_int(number, &mut self.block);
        self.end_entry(from);
    }

    fn end_entry(&mut self, from: usize) {
        let mut backlen = [0; BACKLEN_MAX];
        let backlen = encode_backlen(self.block.len() - from, &mut backlen);
        self.block.extend_from_slice(backlen);
        self.count += 1;
    }

    /// The most bytes the finished block has if an entry of `len` bytes is pushed next.
    #[must_use]
    pub fn len_with(&self, len: usize) -> usize {
        self.block
            .len()
            .saturating_add(len)
            .saturating_add(5 + BACKLEN_MAX + 1)
    }

    /// How many entries were pushed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Writes the header and end, lends the block, and starts an empty one.
    pub fn finish<R>(&mut self, with: impl FnOnce(&[u8]) -> R) -> R {
        self.block.push(END);
        let total = u32::try_from(self.block.len()).expect("checked at every push");
        self.block[..4].copy_from_slice(&total.to_le_bytes());
        let count = u16::try_from(self.count).unwrap_or(MANY);
        self.block[4..HEADER_LEN].copy_from_slice(&count.to_le_bytes());
        let result = with(&self.block);
        self.block.truncate(HEADER_LEN);
        self.count = 0;
        result
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

const BACKLEN_MAX: usize = 5;

/// Encodes the length of an entry so that it can be read from its end: seven bits a byte, the
/// lowest last, all but the first byte with their top bit set.
fn encode_backlen(len: usize, into: &mut [u8; BACKLEN_MAX]) -> &[u8] {
    // The bounds below 2^14 and so on are one short in Redis, and a reader depends on them.
    let width = match len {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    for (index, byte) in into[..width].iter_mut().enumerate() {
        let bits = u8::try_from(len >> (7 * (width - 1 - index)) & 127).expect("seven bits");
        *byte = if index == 0 { bits } else { bits | 128 };
    }
    &into[..width]
}

fn encode_str(bytes: &[u8], block: &mut Vec<u8>) {
    match bytes.len() {
        len @ 0..64 => block.push(0x80 | u8::try_from(len).expect("six bits")),
        len @ 64..4096 => {
            let [high, low] = u16::try_from(len).expect("twelve bits").to_be_bytes();
            block.extend_from_slice(&[0xe0 | high, low]);
        }
        len => {
            block.push(0xf0);
            let len = u32::try_from(len).expect("the block is below 4 GB");
            block.extend_from_slice(&len.to_le_bytes());
        }
    }
    block.extend_from_slice(bytes);
}

fn encode_int(number: i64, block: &mut Vec<u8>) {
    let le = number.to_le_bytes();
    match number {
        0..=127 => block.push(le[0]),
        -4096..=4095 => block.extend_from_slice(&[0xc0 | (le[1] & 31), le[0]]),
        -0x8000..=0x7fff => {
            block.push(0xf1);
            block.extend_from_slice(&le[..2]);
        }
        -0x80_0000..=0x7f_ffff => {
            block.push(0xf2);
            block.extend_from_slice(&le[..3]);
        }
        -0x8000_0000..=0x7fff_ffff => {
            block.push(0xf3);
            block.extend_from_slice(&le[..4]);
        }
        i64::MIN..=i64::MAX => {
            block.push(0xf4);
            block.extend_from_slice(&le);
        }
    }
}

/// The entry at the start of `body`, and the length of its encoding and data.
fn decode(body: &[u8]) -> Option<(Entry<'_>, usize)> {
    let byte = *body.first()?;
    let int = |len: usize| Some((Entry::Int(sign_extended(body.get(1..1 + len)?)), 1 + len));
    match byte {
        0..=0x7f => Some((Entry::Int(i64::from(byte)), 1)),
        0x80..=0xbf => string(body, 1, usize::from(byte & 63)),
        0xc0..=0xdf => {
            let bits = u16::from_be_bytes([byte & 31, *body.get(1)?]);
            // Thirteen bits, moved up to take their sign along.
            let number = i16::from_ne_bytes((bits << 3).to_ne_bytes()) >> 3;
            Some((Entry::Int(i64::from(number)), 2))
        }
        0xe0..=0xef => {
            let len = u16::from_be_bytes([byte & 15, *body.get(1)?]);
            string(body, 2, usize::from(len))
        }
        0xf0 => {
            let len = body.get(1..5)?.try_into().expect("four bytes");
            string(body, 5, usize::try_from(u32::from_le_bytes(len)).ok()?)
        }
        0xf1 => int(2),
        0xf2 => int(3),
        0xf3 => int(4),
        0xf4 => int(8),
        0xf5..=0xff => None,
    }
}

fn string(body: &[u8], from: usize, len: usize) -> Option<(Entry<'_>, usize)> {
    let end = from.checked_add(len)?;
    Some((Entry::Str(body.get(from..end)?), end))
}

/// A little-endian number of at most eight bytes.
pub(super) fn sign_extended(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(wide) >> (8 * (8 - bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(entries: &[&[u8]]) -> Vec<u8> {
        let mut builder = Builder::new();
        entries.iter().for_each(|entry| builder.push(entry));
        builder.finish(<[u8]>::to_vec)
    }

    fn unpack(block: &[u8]) -> Result<Vec<Vec<u8>>, PackFault> {
        Reader::new(block)?
            .map(|entry| Ok(entry?.with_bytes(<[u8]>::to_vec)))
            .collect()
    }

    #[test]
    fn entries_are_encoded_as_redis_does() {
        assert_eq!(pack(&[]), [7, 0, 0, 0, 0, 0, 0xff]);
        let block = pack(&[b"1", b"-1", b"hi", b"70000", b"01"]);
        assert_eq!(
            block[6..],
            [
                1, 1, // 1
                0xdf, 0xff, 2, // -1
                0x82, b'h', b'i', 3, // hi
                0xf2, 0x70, 0x11, 0x01, 4, // 70000
                0x82, b'0', b'1', 3, // no canonical number
                0xff,
            ]
        );
        assert_eq!(block[..6], [25, 0, 0, 0, 5, 0]);
    }

    #[test]
    fn every_width_of_number_and_string_survives() {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for bits in 0..63 {
            for delta in [-1, 0, 1] {
                let number = (1i64 << bits) + delta;
                texts.push(number.to_string().into_bytes());
                texts.push((-number).to_string().into_bytes());
            }
        }
        texts.push(i64::MIN.to_string().into_bytes());
        texts.push(i64::MAX.to_string().into_bytes());
        for len in [
            0, 1, 63, 64, 120, 126, 127, 128, 4095, 4096, 16_377, 16_378, 16_379, 70_000,
        ] {
            texts.push(vec![b'x'; len]);
        }
        texts.push(vec![b'y'; 2_097_151]);
        let entries: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        assert_eq!(unpack(&pack(&entries)).unwrap(), texts);
    }

    #[test]
    fn more_entries_than_the_header_counts_are_read() {
        let entries = vec![b"7".as_slice(); 70_000];
        let block = pack(&entries);
        assert_eq!(block[4..6], [0xff, 0xff]);
        assert_eq!(unpack(&block).unwrap().len(), 70_000);
    }

    #[test]
    fn lies_about_length_count_and_backlen_are_refused() {
        let sound = pack(&[b"1", b"hi"]);
        let refuse = |at: usize, byte: u8| {
            let mut block = sound.clone();
            block[at] = byte;
            unpack(&block).unwrap_err().what
        };
        assert!(refuse(0, 99).contains("the length its header says"));
        assert!(refuse(4, 3).contains("the entries its header says"));
        assert!(refuse(7, 2).contains("wrong length at its end"));
        assert!(refuse(8, 0xbf).contains("cut off"));
        assert!(refuse(8, 0xf7).contains("no known encoding"));
        assert!(refuse(sound.len() - 1, 0).contains("no end byte"));
        assert!(unpack(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_entries_survive_a_round_trip(
            entries in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..200),
                    any::<i64>().prop_map(|n| n.to_string().into_bytes()),
                ], 0..50),
        ) {
            let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(unpack(&pack(&slices)).unwrap(), entries);
        }

        #[test]
        fn a_flipped_byte_never_panics(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10),
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
            let mut block = pack(&slices);
            let at = at.index(block.len());
            block[at] = byte;
            let _ = unpack(&block);
        }
    }
}
