//! Sets.

mod ints;
mod members;
mod pick;
mod read;

use super::{
    Collection, Form, IntText, KeyHasher, Pack, PackLimits, Shape, StrRef, Tail, Value, ValueRef,
    alloc_size, parse_int,
};
use crate::limits::SET_INTS_MAX;
pub use members::{Members, SetParts};
pub use read::SetRef;

/// A set: integers in few bytes, a pack while it is small, a table once it was large.
#[derive(Clone, Debug)]
pub enum Set {
    /// Integers alone, in ascending order.
    Ints(Tail),
    /// Members in the order in which they were added.
    Small(Pack),
    /// Members in no order.
    Big(Box<Members>),
}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Self::Ints(Tail::default())
    }

    /// Gets ready for members that are to be added, of which `first` is the first: as in Redis,
    /// all of them count, also those that are there already.
    pub fn will_take(&mut self, first: &[u8], count: usize, shape: &Shape) {
        if self.as_ref().is_empty() {
            *self = if parse_int(first).is_some() && count <= shape.set_ints {
                Self::new()
            } else if count <= shape.set.entries {
                Self::Small(Pack::new())
            } else {
                Self::Big(Box::new(Members::new(shape.hasher)))
            };
            return;
        }
        let most = match self {
            Self::Ints(_) => shape.set_ints,
            Self::Small(_) => shape.set.entries,
            Self::Big(_) => return,
        };
        if count > most {
            self.grow(shape);
        }
    }

    /// Adds a member; whether it is new.
    pub fn add(&mut self, member: &[u8], shape: &Shape) -> bool {
        match self {
            Self::Ints(tail) => match parse_int(member) {
                Some(number) => {
                    let is_new = ints::insert(tail, number);
                    self.limit_ints(shape);
                    is_new
                }
                None => {
                    if ints_fit_pack(tail.bytes(), member, shape.set) {
                        self.pack();
                    } else {
                        self.grow(shape);
                    }
                    self.add(member, shape)
                }
            },
            Self::Small(pack) => {
                let read = pack.as_ref();
                if read.find(member, 1).is_some() {
                    return false;
                }
                let fits = read.len() < shape.set.entries
                    && member.len() <= shape.set.value
                    && read.has_room(1, member.len());
                if fits {
                    pack.push(member);
                } else {
                    self.grow(shape).add(member);
                }
                true
            }
            Self::Big(members) => members.add(member),
        }
    }

    /// Adds a member of another set; whether it is new.
    pub fn take(&mut self, member: StrRef<'_>, shape: &Shape) -> bool {
        if let (Self::Ints(tail), StrRef::Int(number)) = (&mut *self, member) {
            let is_new = ints::insert(tail, number);
            self.limit_ints(shape);
            return is_new;
        }
        self.add(member.text(&mut IntText::default()), shape)
    }

    /// Makes a set of integers large once it has too many.
    #[inline]
    fn limit_ints(&mut self, shape: &Shape) {
        if let Self::Ints(tail) = self
            && ints::len(tail.bytes()) > shape.set_ints.min(SET_INTS_MAX)
        {
            self.grow(shape);
        }
    }

    /// Removes a member; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Ints(tail) => parse_int(member).is_some_and(|number| ints::remove(tail, number)),
            Self::Small(pack) => match pack.as_ref().find(member, 1) {
                Some(at) => {
                    pack.remove(at, 1);
                    true
                }
                None => false,
            },
            Self::Big(members) => members.remove(member),
        }
    }

    /// A set that is to get so many members out of a file, in the form for as many.
    pub fn for_members(count: u64, shape: &Shape) -> Self {
        let most = shape.set_ints.max(shape.set.entries);
        if usize::try_from(count).is_ok_and(|count| count <= most) {
            Self::new()
        } else {
            Self::Big(Box::new(Members::new(shape.hasher)))
        }
    }

    /// Adds a member that should not be there to a set that is built whole out of a pack, which
    /// stays one however long its members are. False if it found that some member is there twice;
    /// [`is_sound`](Self::is_sound) knows in the end.
    pub fn append(&mut self, member: &[u8], shape: &Shape) -> bool {
        if self.as_ref().is_empty() {
            *self = Self::Small(Pack::new());
        }
        if let Self::Small(pack) = self
            && pack.as_ref().len() < shape.set.entries
            && pack.as_ref().has_room(1, member.len())
        {
            pack.push(member);
            return true;
        }
        let sound = self.is_sound(&shape.hasher);
        self.grow(shape).add(member) && sound
    }

    /// Whether no member is there twice, in a set that was built whole.
    pub fn is_sound(&self, hasher: &KeyHasher) -> bool {
        match self {
            Self::Small(pack) => !pack.as_ref().has_twins(1, hasher),
            Self::Ints(_) | Self::Big(_) => true,
        }
    }

    /// Keeps integers as such if it has nothing else and no more of them than may be, as Redis
    /// does with an intersection that it stores.
    pub fn settle(&mut self, shape: &Shape) {
        if matches!(self, Self::Ints(_)) || self.as_ref().len() > shape.set_ints.min(SET_INTS_MAX) {
            return;
        }
        let mut tail = Tail::default();
        for member in self.as_ref().iter() {
            let Some(number) = member.as_int() else {
                return;
            };
            ints::insert(&mut tail, number);
        }
        *self = Self::Ints(tail);
    }

    /// An empty set that is to take members of another one, which has no integers as such unless
    /// that one has.
    pub fn for_members_of(other: SetRef<'_>) -> Self {
        match other {
            SetRef::Ints(_) => Self::new(),
            SetRef::Small(_) | SetRef::Big(_) => Self::Small(Pack::new()),
        }
    }

    /// Bytes of its allocations.
    pub fn memory(&self) -> usize {
        self.as_ref().memory()
    }

    /// How many allocations freeing it takes.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Ints(_) | Self::Small(_) => 1,
            Self::Big(members) => members.len(),
        }
    }

    /// Frees members while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        match self {
            Self::Ints(_) | Self::Small(_) => true,
            Self::Big(members) => members.free_some(left),
        }
    }

    /// Panics if the set contradicts itself.
    pub fn check_invariants(&self) {
        match self {
            Self::Ints(tail) => {
                let numbers = ints::iter(tail.bytes());
                assert!(numbers.is_sorted_by(|one, other| one < other));
            }
            Self::Small(_) => (),
            Self::Big(members) => members.check_invariants(),
        }
    }

    /// Makes a pack of a set of integers.
    fn pack(&mut self) {
        let mut pack = Pack::new();
        let mut scratch = IntText::default();
        for member in self.as_ref().iter() {
            pack.push(member.text(&mut scratch));
        }
        *self = Self::Small(pack);
    }

    #[cold]
    fn grow(&mut self, shape: &Shape) -> &mut Members {
        if !matches!(self, Self::Big(_)) {
            let mut members = Box::new(Members::new(shape.hasher));
            let mut scratch = IntText::default();
            for member in self.as_ref().iter() {
                members.add(member.text(&mut scratch));
            }
            *self = Self::Big(members);
        }
        match self {
            Self::Big(members) => members,
            Self::Ints(_) | Self::Small(_) => unreachable!("it was just made large"),
        }
    }
}

/// Whether a set of integers may become a pack with one more member.
fn ints_fit_pack(bytes: &[u8], member: &[u8], limits: PackLimits) -> bool {
    let count = ints::len(bytes);
    let digits = |index: usize| StrRef::Int(ints::get(bytes, index)).len();
    let longest = count
        .checked_sub(1)
        .map_or(0, |last| digits(0).max(digits(last)));
    count < limits.entries && longest.max(member.len()) <= limits.value
}

impl Collection for Set {
    type Ref<'a> = SetRef<'a>;

    #[inline]
    fn lent(value: ValueRef<'_>) -> Option<SetRef<'_>> {
        match value {
            ValueRef::Set(set) => Some(set),
            ValueRef::Str(_)
            | ValueRef::List(_)
            | ValueRef::Hash(_)
            | ValueRef::Zset(_)
            | ValueRef::Stream(_) => None,
        }
    }

    #[inline]
    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Set(set) => Some(set),
            Value::Str(_) | Value::List(_) | Value::Hash(_) | Value::Zset(_) | Value::Stream(_) => {
                None
            }
        }
    }

    #[inline]
    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        match form {
            Form::Ints => Some(Self::Ints(tail)),
            Form::Set => Some(Self::Small(Pack::from_tail(tail))),
            Form::List | Form::Hash | Form::Zset => None,
        }
    }

    #[inline]
    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Ints(tail) => Ok((Form::Ints, tail)),
            Self::Small(pack) => Ok((Form::Set, pack.into_tail())),
            Self::Big(_) => Err(self),
        }
    }

    #[inline]
    fn is_small(&self) -> bool {
        matches!(self, Self::Ints(_) | Self::Small(_))
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Set {
    /// Equal are those with the same members, whatever their form.
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.as_ref(), other.as_ref());
        let mut scratch = IntText::default();
        one.len() == other.len()
            && one
                .iter()
                .all(|member| other.has(member.text(&mut scratch)))
    }
}

impl Eq for Set {}

#[cfg(test)]
mod tests;
