//! Sorted sets as RDB data: listpacks and elements one by one, and the forms of older versions.

use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::{Input, Text};
use crate::persist::rdb::kind::{TYPE_ZSET, TYPE_ZSET_2, TYPE_ZSET_LISTPACK, TYPE_ZSET_ZIPLIST};
use crate::persist::rdb::read::{Progress, each_listpack, each_ziplist, with_text};
use crate::value::{
    PackLimits, Shape, Value, Zset, ZsetChange, ZsetParts, ZsetRef, parse_score, score_text,
};

/// The type that a small sorted set is written as.
pub(super) fn kind(_: ZsetRef<'_>) -> u8 {
    TYPE_ZSET_LISTPACK
}

/// Writes a small sorted set.
pub(super) fn write_small(out: &mut Encoder, zset: ZsetRef<'_>) {
    let elements = zset
        .iter()
        .map(|(member, score)| (member, score_text(score)));
    let elements: Vec<_> = elements.collect();
    let items = elements
        .iter()
        .flat_map(|(member, score)| [*member, score.as_bytes()]);
    out.listpack(items);
}

/// The type that a sorted set in parts is written as.
pub(super) const PARTS_KIND: u8 = TYPE_ZSET_2;

/// Writes how many elements follow.
pub(super) fn write_head(out: &mut Encoder, parts: &ZsetParts) {
    out.len(parts.len() as u64);
}

/// Writes the next part and returns what that cost in bytes; none if there is none left.
pub(super) fn write_part(out: &mut Encoder, parts: &mut ZsetParts) -> Option<usize> {
    parts.take(|member, score| {
        out.string(member);
        out.raw(&score.to_le_bytes());
    })
}

/// How far the reading of a sorted set has come.
#[derive(Debug)]
pub(super) enum Reader {
    /// Elements one by one, before their number.
    Plain(Scores),
    /// A member whose score has not come yet is kept.
    PlainLeft {
        scores: Scores,
        left: u64,
        member: Option<Vec<u8>>,
        zset: Zset,
    },
    /// All in a listpack.
    Listpack,
    /// All in a ziplist.
    Ziplist,
    Done,
}

/// How the scores of elements one by one are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scores {
    /// Decimal digits, as Redis wrote before 4.0.
    Text,
    /// As they are in memory.
    Binary,
}

impl Reader {
    /// Starts on a sorted set of a type; none for a type of something else.
    pub(super) fn new(kind: u8) -> Option<Self> {
        match kind {
            TYPE_ZSET => Some(Self::Plain(Scores::Text)),
            TYPE_ZSET_2 => Some(Self::Plain(Scores::Binary)),
            TYPE_ZSET_LISTPACK => Some(Self::Listpack),
            TYPE_ZSET_ZIPLIST => Some(Self::Ziplist),
            _ => None,
        }
    }

    /// Reads on as far as the input goes.
    pub(super) fn read(&mut self, input: &mut Input, shape: &Shape) -> Result<Progress, RdbFault> {
        loop {
            match self {
                Self::Plain(scores) => {
                    let Some(left) = input.len()? else {
                        return Ok(Progress::Wait);
                    };
                    let mut zset = Zset::new();
                    // What is announced decides the form, though nothing is made of it yet.
                    zset.will_grow(usize::try_from(left).unwrap_or(usize::MAX), 0, shape);
                    *self = Self::PlainLeft {
                        scores: *scores,
                        left,
                        member: None,
                        zset,
                    };
                }
                Self::PlainLeft { left: 0, zset, .. } => {
                    let zset = core::mem::take(zset);
                    return Ok(self.finish(zset));
                }
                Self::PlainLeft {
                    scores,
                    left,
                    member,
                    zset,
                } => {
                    let Some(name) = member
                        .take()
                        .map(Text::Owned)
                        .map_or_else(|| input.text(), |kept| Ok(Some(kept)))?
                    else {
                        return Ok(Progress::Wait);
                    };
                    let Some(score) = read_score(*scores, input)? else {
                        *member = Some(with_text(&name, input, <[u8]>::to_vec));
                        return Ok(Progress::Wait);
                    };
                    with_text(&name, input, |name| add(zset, name, score, input, shape))?;
                    *left -= 1;
                }
                Self::Listpack | Self::Ziplist => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    let zset = read_block(matches!(self, Self::Ziplist), &text, input, shape)?;
                    return Ok(self.finish(zset));
                }
                Self::Done => unreachable!("a value that was read is not read again"),
            }
        }
    }

    fn finish(&mut self, zset: Zset) -> Progress {
        *self = Self::Done;
        if zset.as_ref().is_empty() {
            Progress::Empty
        } else {
            Progress::Ready(Value::Zset(zset))
        }
    }
}

/// Reads a score once it is there.
fn read_score(scores: Scores, input: &mut Input) -> Result<Option<f64>, RdbFault> {
    let score = match scores {
        Scores::Binary => input.array().map(f64::from_le_bytes),
        Scores::Text => match input.rest().first() {
            None => None,
            Some(&TEXT_NAN) => Some(f64::NAN),
            Some(&TEXT_INFINITE) => input.array::<1>().map(|_| f64::INFINITY),
            Some(&TEXT_NEGATIVE) => input.array::<1>().map(|_| f64::NEG_INFINITY),
            Some(_) => input
                .short_text()
                .map(|text| parse_score(text).unwrap_or(f64::NAN)),
        },
    };
    if score.is_some_and(f64::is_nan) {
        return Err(corrupt(
            "Sorted set integrity check failed: a score that is no number",
            input,
        ));
    }
    Ok(score)
}

fn add(
    zset: &mut Zset,
    member: &[u8],
    score: f64,
    input: &Input,
    shape: &Shape,
) -> Result<(), RdbFault> {
    match zset.insert(score, member, shape) {
        ZsetChange::Inserted => Ok(()),
        ZsetChange::Updated | ZsetChange::Same => Err(twin(input)),
    }
}

fn read_block(ziplist: bool, text: &Text, input: &Input, shape: &Shape) -> Result<Zset, RdbFault> {
    // As in Redis, a block stays one with longer members than a small set takes today.
    let shape = Shape {
        zset: PackLimits {
            value: usize::MAX,
            ..shape.zset
        },
        ..*shape
    };
    let mut zset = Zset::new();
    let (mut member, mut pending) = (Vec::new(), false);
    let mut fault = None;
    let each = |item: &[u8]| {
        if !pending {
            member.clear();
            member.extend_from_slice(item);
        } else if fault.is_none() {
            let added = match parse_score(item) {
                Some(score) => add(&mut zset, &member, score, input, &shape),
                None => Err(corrupt(
                    "Sorted set integrity check failed: a score that is no number",
                    input,
                )),
            };
            fault = added.err();
        }
        pending = !pending;
    };
    if ziplist {
        each_ziplist(text, input, each)?;
    } else {
        each_listpack(text, input, each)?;
    }
    if pending {
        return Err(corrupt(
            "Sorted set integrity check failed: a member without a score",
            input,
        ));
    }
    fault.map_or(Ok(zset), Err)
}

fn twin(input: &Input) -> RdbFault {
    corrupt(
        "Sorted set integrity check failed: the same member twice",
        input,
    )
}

fn corrupt(what: &'static str, input: &Input) -> RdbFault {
    RdbFault::Corrupt {
        what,
        offset: input.text_offset(),
    }
}

/// In the place of the length of a score's text.
const TEXT_NAN: u8 = 253;
const TEXT_INFINITE: u8 = 254;
const TEXT_NEGATIVE: u8 = 255;

#[cfg(test)]
mod tests;
