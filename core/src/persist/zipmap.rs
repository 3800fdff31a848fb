//! Redis's zipmap, in which hashes were kept before 2.6: read from files of that time.
//!
//! A block is its number of fields (1 byte, 254 if there are more than it can say); the fields,
//! each with its value; and an end byte of 255. In front of a field and of a value is its length
//! (1 byte, or 254 and 4 bytes, little endian). Behind the length of a value is the number of
//! unused bytes that follow the value (1 byte).

use crate::persist::listpack::{Entry, PackFault};

/// The number of fields when there are too many to say, and the announcement of a long length.
const BIG: u8 = 254;
const END: u8 = 255;

/// Walks the fields and values of a zipmap in turn, checking everything the format lets one check.
///
/// Yields an error once and nothing after it.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    block: &'a [u8],
    at: usize,
    /// Fields and values.
    seen: usize,
    done: bool,
}

impl<'a> Reader<'a> {
    /// Starts at the first field, after checking the ends.
    pub fn new(block: &'a [u8]) -> Result<Self, PackFault> {
        if block.len() < 2 || block[block.len() - 1] != END {
            let what = "Zipmap integrity check failed: no end byte";
            return Err(PackFault { at: 0, what });
        }
        Ok(Self {
            block,
            at: 1,
            seen: 0,
            done: false,
        })
    }

    fn read(&mut self) -> Result<Option<Entry<'a>>, PackFault> {
        let body = &self.block[self.at..self.block.len() - 1];
        let is_value = self.seen % 2 == 1;
        if body.is_empty() && !is_value {
            self.done = true;
            let count = self.block[0];
            if count < BIG && usize::from(count) != self.seen / 2 {
                return Err(
                    self.fault("Zipmap integrity check failed: not the fields its header says")
                );
            }
            return Ok(None);
        }
        let Some((item, len)) = decode(body, is_value) else {
            return Err(self.fault("Zipmap integrity check failed: field or value cut off"));
        };
        self.at += len;
        self.seen += 1;
        Ok(Some(Entry::Str(item)))
    }

    fn fault(&self, what: &'static str) -> PackFault {
        PackFault { at: self.at, what }
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

/// The field or value at the start of `body`, and how many bytes it takes in all.
fn decode(body: &[u8], is_value: bool) -> Option<(&[u8], usize)> {
    let (len, mut from) = match *body.first()? {
        BIG => {
            let len = u32::from_le_bytes(body.get(1..5)?.try_into().expect("four bytes"));
            // Nobody wrote so what one byte can say.
            let len = usize::try_from(len).ok().filter(|&len| len >= BIG.into())?;
            (len, 5)
        }
        END => return None,
        len => (usize::from(len), 1),
    };
    let mut unused = 0;
    if is_value {
        unused = usize::from(*body.get(from)?);
        from += 1;
    }
    let end = from.checked_add(len)?;
    let item = body.get(from..end)?;
    let end = end + unused;
    (end <= body.len()).then_some((item, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(block: &[u8]) -> Result<Vec<Vec<u8>>, PackFault> {
        Reader::new(block)?
            .map(|entry| Ok(entry?.with_bytes(<[u8]>::to_vec)))
            .collect()
    }

    #[test]
    fn fields_and_values_come_in_turn() {
        // A value with two unused bytes behind it.
        let block = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world--\xff";
        let items: [&[u8]; 4] = [b"foo", b"bar", b"hello", b"world"];
        assert_eq!(unpack(block).unwrap(), items);
        assert!(unpack(b"\x00\xff").unwrap().is_empty());
    }

    #[test]
    fn long_values_and_many_fields_are_read() {
        let mut block = vec![BIG];
        for _ in 0..300 {
            block.extend_from_slice(b"\x01f");
            block.extend_from_slice(&[BIG, 0x2c, 1, 0, 0, 0]);
            block.extend_from_slice(&[b'v'; 300]);
        }
        block.push(END);
        let items = unpack(&block).unwrap();
        assert_eq!(items.len(), 600);
        assert_eq!(items[599], [b'v'; 300]);
    }

    #[test]
    fn any_single_changed_byte_is_refused_or_read_without_panic() {
        let sound = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world--\xff";
        for at in 0..sound.len() {
            for byte in 0..=255 {
                let mut block = sound.to_vec();
                block[at] = byte;
                let _ = unpack(&block);
            }
        }
        for len in 0..sound.len() {
            assert!(unpack(&sound[..len]).is_err());
        }
        assert!(unpack(b"\x01\x03foo\x03\x00bar\x05hello\x05\x02world--\xff").is_err());
        assert!(unpack(b"\x01\x03foo\xff").is_err());
        // A length in five bytes that takes no more than one.
        assert!(unpack(b"\x01\xfe\x03\0\0\0foo\x03\0bar\xff").is_err());
        assert!(unpack(b"\x01\x03foo\xfe\x03\0\0\0\0bar\xff").is_err());
    }
}
