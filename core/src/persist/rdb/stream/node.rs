//! A node of a stream out of its listpack.

use super::{DELETED, SAME_FIELDS, element_count, fault};
use crate::persist::listpack::{self, Entry};
use crate::persist::rdb::fault::RdbFault;
use crate::value::stream::{Node, StreamId};

/// The elements of a node's listpack.
struct Elements<'a> {
    reader: listpack::Reader<'a>,
    offset: u64,
}

impl<'a> Elements<'a> {
    fn next(&mut self) -> Result<Option<Entry<'a>>, RdbFault> {
        let element = self.reader.next().transpose();
        element.map_err(|broken| fault(broken.what, self.offset))
    }

    fn expect(&mut self) -> Result<Entry<'a>, RdbFault> {
        let element = self.next()?;
        element.ok_or_else(|| fault(BROKEN_NODE, self.offset))
    }

    fn number(&mut self) -> Result<i64, RdbFault> {
        match self.expect()? {
            Entry::Int(number) => Ok(number),
            Entry::Str(_) => Err(fault(BROKEN_NODE, self.offset)),
        }
    }

    fn count(&mut self) -> Result<usize, RdbFault> {
        let number = self.number()?;
        usize::try_from(number).map_err(|_| fault(BROKEN_NODE, self.offset))
    }
}

/// Texts in a row.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, element: Entry<'_>) {
        element.with_bytes(|text| self.bytes.extend_from_slice(text));
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn get(&self, at: usize) -> &[u8] {
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[from..self.ends[at]]
    }
}

/// Reads a node out of its listpack, of which the ID is known from which those in it are told.
pub(super) fn read(key: StreamId, block: &[u8], offset: u64) -> Result<Node, RdbFault> {
    let reader = listpack::Reader::new(block).map_err(|broken| fault(broken.what, offset))?;
    let mut elements = Elements { reader, offset };
    let (live, deleted) = (elements.count()?, elements.count()?);
    let mut names = Texts::default();
    for _ in 0..elements.count()? {
        names.push(elements.expect()?);
    }
    if elements.number()? != 0 {
        return Err(fault(BROKEN_NODE, offset));
    }
    let mut node = None;
    let mut texts = Texts::default();
    while let Some(flags) = elements.next()? {
        let Entry::Int(flags) = flags else {
            return Err(fault(BROKEN_NODE, offset));
        };
        let (ms, seq) = (elements.number()?, elements.number()?);
        let ms = key.ms.wrapping_add(ms.cast_unsigned());
        let id = StreamId::new(ms, key.seq.wrapping_add(seq.cast_unsigned()));
        let same = flags & SAME_FIELDS != 0;
        let fields = if same {
            names.ends.len()
        } else {
            elements.count()?
        };
        texts.clear();
        let wanted = if same {
            fields
        } else {
            fields.saturating_mul(2)
        };
        for _ in 0..wanted {
            texts.push(elements.expect()?);
        }
        if elements.count()? != element_count(fields, same) {
            return Err(fault(BROKEN_NODE, offset));
        }
        let master = (0..names.ends.len()).map(|at| names.get(at));
        let node = node.get_or_insert_with(|| Node::new(id, master));
        if node.live() + node.deleted() > 0 && node.last() >= id {
            return Err(fault("Stream entries are not in order", offset));
        }
        let pairs = (0..fields).map(|at| {
            if same {
                (names.get(at), texts.get(at))
            } else {
                (texts.get(2 * at), texts.get(2 * at + 1))
            }
        });
        node.push(id, pairs, flags & DELETED != 0);
    }
    let node = node.ok_or_else(|| fault("Empty listpack inside stream", offset))?;
    if node.live() != live || node.deleted() != deleted {
        return Err(fault(BROKEN_NODE, offset));
    }
    Ok(node)
}

const BROKEN_NODE: &str = "Stream listpack integrity check failed";
