//! Hashes as RDB data: listpacks and fields one by one, and the forms of older versions.

use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::{Input, Text};
use crate::persist::rdb::kind::{
    TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_HASH_ZIPLIST, TYPE_HASH_ZIPMAP,
};
use crate::persist::rdb::read::{Progress, each_listpack, each_ziplist, each_zipmap, with_text};
use crate::value::{Hash, HashParts, HashRef, Shape, Value};

/// The type that a small hash is written as.
pub(super) fn kind(_: HashRef<'_>) -> u8 {
    TYPE_HASH_LISTPACK
}

/// Writes a small hash.
pub(super) fn write_small(out: &mut Encoder, hash: HashRef<'_>) {
    let HashRef::Small(pack) = hash else {
        unreachable!("a large hash is written in parts");
    };
    out.listpack(pack.iter());
}

/// The type that a hash in parts is written as.
pub(super) const PARTS_KIND: u8 = TYPE_HASH;

/// Writes how many fields follow.
pub(super) fn write_head(out: &mut Encoder, parts: &HashParts) {
    out.len(parts.fields() as u64);
}

/// Writes the next part and returns what that cost in bytes; none if there is none left.
pub(super) fn write_part(out: &mut Encoder, parts: &mut HashParts) -> Option<usize> {
    let part = parts.take()?;
    let mut cost = 0;
    for (field, value) in part.iter() {
        out.string(field);
        out.string(value);
        cost += field.len() + value.len();
    }
    Some(cost)
}

/// How far the reading of a hash has come.
#[derive(Debug)]
pub(super) enum Reader {
    /// Fields one by one, before their number.
    Plain,
    /// A field whose value has not come yet is kept.
    PlainLeft {
        left: u64,
        field: Option<Vec<u8>>,
        hash: Hash,
    },
    /// All in one block.
    Block(Block),
    Done,
}

/// What a block with all fields is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Block {
    /// As Redis writes since 7.0.
    Listpack,
    /// As it wrote before.
    Ziplist,
    /// As it wrote before 2.6.
    Zipmap,
}

impl Reader {
    /// Starts on a hash of a type; none for a type of something else.
    pub(super) fn new(kind: u8) -> Option<Self> {
        match kind {
            TYPE_HASH => Some(Self::Plain),
            TYPE_HASH_LISTPACK => Some(Self::Block(Block::Listpack)),
            TYPE_HASH_ZIPLIST => Some(Self::Block(Block::Ziplist)),
            TYPE_HASH_ZIPMAP => Some(Self::Block(Block::Zipmap)),
            _ => None,
        }
    }

    /// Reads on as far as the input goes.
    pub(super) fn read(&mut self, input: &mut Input, shape: &Shape) -> Result<Progress, RdbFault> {
        loop {
            match self {
                Self::Plain => {
                    let Some(left) = input.len()? else {
                        return Ok(Progress::Wait);
                    };
                    *self = Self::PlainLeft {
                        left,
                        field: None,
                        hash: Hash::for_fields(left, shape),
                    };
                }
                Self::PlainLeft { left: 0, hash, .. } => {
                    let hash = core::mem::take(hash);
                    return self.finish(hash, input, shape);
                }
                Self::PlainLeft { left, field, hash } => {
                    let Some(name) = field
                        .take()
                        .map(Text::Owned)
                        .map_or_else(|| input.text(), |kept| Ok(Some(kept)))?
                    else {
                        return Ok(Progress::Wait);
                    };
                    let Some(value) = input.text()? else {
                        *field = Some(with_text(&name, input, <[u8]>::to_vec));
                        return Ok(Progress::Wait);
                    };
                    let added = with_text(&name, input, |field| {
                        with_text(&value, input, |value| {
                            hash.append(field, value, shape.hash.value, shape)
                        })
                    });
                    if !added {
                        return Err(twin(input));
                    }
                    *left -= 1;
                }
                Self::Block(form) => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    let hash = read_block(*form, &text, input, shape)?;
                    return self.finish(hash, input, shape);
                }
                Self::Done => unreachable!("a value that was read is not read again"),
            }
        }
    }

    fn finish(&mut self, hash: Hash, input: &Input, shape: &Shape) -> Result<Progress, RdbFault> {
        *self = Self::Done;
        if !hash.is_sound(&shape.hasher) {
            return Err(twin(input));
        }
        Ok(if hash.as_ref().is_empty() {
            Progress::Empty
        } else {
            Progress::Ready(Value::Hash(hash))
        })
    }
}

fn read_block(form: Block, text: &Text, input: &Input, shape: &Shape) -> Result<Hash, RdbFault> {
    let mut hash = Hash::new();
    let (mut field, mut pending, mut sound) = (Vec::new(), false, true);
    // As in Redis, a block stays one with longer values than a small hash takes today; but not
    // a zipmap, which had other limits.
    let longest = match form {
        Block::Listpack | Block::Ziplist => usize::MAX,
        Block::Zipmap => shape.hash.value,
    };
    let each = |item: &[u8]| {
        if pending {
            sound &= hash.append(&field, item, longest, shape);
        } else {
            field.clear();
            field.extend_from_slice(item);
        }
        pending = !pending;
    };
    match form {
        Block::Listpack => each_listpack(text, input, each),
        Block::Ziplist => each_ziplist(text, input, each),
        Block::Zipmap => each_zipmap(text, input, each),
    }?;
    if pending {
        return Err(corrupt(
            "Hash integrity check failed: field without a value",
            input,
        ));
    }
    if !sound {
        return Err(twin(input));
    }
    Ok(hash)
}

fn twin(input: &Input) -> RdbFault {
    corrupt("Hash integrity check failed: the same field twice", input)
}

fn corrupt(what: &'static str, input: &Input) -> RdbFault {
    RdbFault::Corrupt {
        what,
        offset: input.text_offset(),
    }
}

#[cfg(test)]
mod tests;
