//! Sets as RDB data: intsets, listpacks and members one by one.

use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::{Input, Text};
use crate::persist::rdb::kind::{TYPE_SET, TYPE_SET_INTSET, TYPE_SET_LISTPACK};
use crate::persist::rdb::read::{Progress, block, each_listpack, with_text};
use crate::value::{IntText, Set, SetParts, SetRef, Shape, StrRef, Value};

/// The type that a small set is written as. A Redis 7.0 knows no listpack of a set.
pub(super) fn kind(set: SetRef<'_>) -> u8 {
    match set {
        SetRef::Ints(_) => TYPE_SET_INTSET,
        SetRef::Small(_) | SetRef::Big(_) => TYPE_SET,
    }
}

/// Writes a small set.
pub(super) fn write_small(out: &mut Encoder, set: SetRef<'_>) {
    if let SetRef::Ints(_) = set {
        return out.string(&intset(set));
    }
    out.len(set.len() as u64);
    let mut scratch = IntText::default();
    for member in set.iter() {
        out.string(member.text(&mut scratch));
    }
}

/// Redis's intset: the width of an integer (4 bytes), how many there are (4 bytes), and the
/// integers in ascending order, all little endian.
fn intset(set: SetRef<'_>) -> Vec<u8> {
    let numbers = || set.iter().filter_map(StrRef::as_int);
    let width = numbers().map(width_of).max().unwrap_or(2);
    let count = u32::try_from(set.len()).expect("a set of integers is small");
    let mut bytes = Vec::with_capacity(INTSET_HEAD + set.len() * width);
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    for number in numbers() {
        bytes.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    bytes
}

/// Bytes that Redis keeps an integer in.
fn width_of(number: i64) -> usize {
    match number {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        i64::MIN..=i64::MAX => 8,
    }
}

/// The type that a set in parts is written as.
pub(super) const PARTS_KIND: u8 = TYPE_SET;

/// Writes how many members follow.
pub(super) fn write_head(out: &mut Encoder, parts: &SetParts) {
    out.len(parts.members() as u64);
}

/// Writes the next part and returns what that cost in bytes; none if there is none left.
pub(super) fn write_part(out: &mut Encoder, parts: &mut SetParts) -> Option<usize> {
    let part = parts.take()?;
    let mut cost = 0;
    for member in part.iter() {
        out.string(member);
        cost += member.len();
    }
    Some(cost)
}

/// How far the reading of a set has come.
#[derive(Debug)]
pub(super) enum Reader {
    /// Members one by one, before their number.
    Plain,
    PlainLeft {
        left: u64,
        set: Set,
    },
    Intset,
    Listpack,
    Done,
}

impl Reader {
    /// Starts on a set of a type; none for a type of something else.
    pub(super) fn new(kind: u8) -> Option<Self> {
        match kind {
            TYPE_SET => Some(Self::Plain),
            TYPE_SET_INTSET => Some(Self::Intset),
            TYPE_SET_LISTPACK => Some(Self::Listpack),
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
                    let set = Set::for_members(left, shape);
                    *self = Self::PlainLeft { left, set };
                }
                Self::PlainLeft { left: 0, set } => {
                    let set = core::mem::take(set);
                    return Ok(self.finish(set));
                }
                Self::PlainLeft { left, set } => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    if !with_text(&text, input, |member| set.add(member, shape)) {
                        return Err(corrupt(TWIN, input));
                    }
                    *left -= 1;
                }
                Self::Intset => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    let set = read_intset(&text, input, shape)?;
                    return Ok(self.finish(set));
                }
                Self::Listpack => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    let set = read_listpack(&text, input, shape)?;
                    return Ok(self.finish(set));
                }
                Self::Done => unreachable!("a value that was read is not read again"),
            }
        }
    }

    fn finish(&mut self, set: Set) -> Progress {
        *self = Self::Done;
        if set.as_ref().is_empty() {
            Progress::Empty
        } else {
            Progress::Ready(Value::Set(set))
        }
    }
}

fn read_intset(text: &Text, input: &Input, shape: &Shape) -> Result<Set, RdbFault> {
    let bytes = block(text, input)?;
    let broken = || corrupt("Intset integrity check failed", input);
    let (head, body) = bytes.split_at_checked(INTSET_HEAD).ok_or_else(broken)?;
    let (width, count) = head.split_at(4);
    let field = |bytes: &[u8]| {
        let four = bytes.first_chunk().expect("it was split there");
        u32::from_le_bytes(*four) as usize
    };
    let (width, count) = (field(width), field(count));
    if ![2, 4, 8].contains(&width) || count == 0 || body.len() != width * count {
        return Err(broken());
    }
    let mut set = Set::new();
    let mut before = None;
    for number in body.chunks_exact(width).map(signed) {
        if before.is_some_and(|before| number <= before) {
            return Err(broken());
        }
        before = Some(number);
        set.add(itoa::Buffer::new().format(number).as_bytes(), shape);
    }
    Ok(set)
}

fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|&high| high >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}

/// One that was no set of integers stays none.
fn read_listpack(text: &Text, input: &Input, shape: &Shape) -> Result<Set, RdbFault> {
    let (mut set, mut sound) = (Set::new(), true);
    each_listpack(text, input, |member| sound &= set.append(member, shape))?;
    if sound && set.is_sound(&shape.hasher) {
        Ok(set)
    } else {
        Err(corrupt(TWIN, input))
    }
}

fn corrupt(what: &'static str, input: &Input) -> RdbFault {
    RdbFault::Corrupt {
        what,
        offset: input.text_offset(),
    }
}

const TWIN: &str = "Set integrity check failed: the same member twice";
const INTSET_HEAD: usize = 8;
