//! Hashes: fields with values.

mod fields;
mod parts;
mod pick;

use super::pack::{Pack, PackRef, Tail};
use super::{Collection, Form, KeyHasher, Shape, Value, ValueRef, alloc_size};
pub use fields::Fields;
pub use parts::HashParts;

/// A hash: a pack while it is small, a table once it was large.
///
/// As in Redis it never goes back, however small it becomes.
#[derive(Clone, Debug)]
pub enum Hash {
    /// A field, its value, the next field, in the order in which they were added.
    Small(Pack),
    /// In no order.
    Big(Box<Fields>),
}

/// A hash to read.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// See [`Hash::Small`].
    Small(PackRef<'a>),
    /// See [`Hash::Big`].
    Big(&'a Fields),
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Self::Small(Pack::new())
    }

    /// An empty hash that is to get so many fields, in the form for as many.
    pub fn for_fields(count: u64, shape: &Shape) -> Self {
        if usize::try_from(count).is_ok_and(|count| count <= shape.hash.entries) {
            Self::new()
        } else {
            Self::Big(Box::new(Fields::new(shape.hasher)))
        }
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> HashRef<'_> {
        match self {
            Self::Small(pack) => HashRef::Small(pack.as_ref()),
            Self::Big(fields) => HashRef::Big(fields),
        }
    }

    /// Gets ready for fields and values that are to be set. Commands call it before they set
    /// any: as in Redis, all of them count, also those of fields that are there already.
    pub fn will_take<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t [u8]>, shape: &Shape) {
        let Self::Small(pack) = self else {
            return;
        };
        let count = texts.len();
        let (mut longest, mut bytes) = (0, 0);
        for text in texts {
            longest = text.len().max(longest);
            bytes += text.len();
        }
        let stays = count / 2 <= shape.hash.entries
            && longest <= shape.hash.value
            && pack.as_ref().has_room(count, bytes);
        if !stays {
            self.grow(shape);
        }
    }

    /// Gives a field a value; whether the field is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], shape: &Shape) -> bool {
        match self {
            Self::Small(pack) if fits(pack.as_ref(), field, value, shape.hash.value) => {
                let is_new = set_small(pack, field, value);
                // Redis looks at it even where no field is new.
                if pack.as_ref().len() / 2 > shape.hash.entries {
                    self.grow(shape);
                }
                is_new
            }
            Self::Small(_) => {
                let (_, fields) = self.grow(shape);
                fields.set(field, value)
            }
            Self::Big(fields) => fields.set(field, value),
        }
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Self::Small(pack) => {
                let Some(at) = pack.as_ref().find(field, 2) else {
                    return false;
                };
                pack.remove(at, 2);
                true
            }
            Self::Big(fields) => fields.remove(field),
        }
    }

    /// Adds a field that should not be there to a hash that is built whole, which stays small if
    /// no field or value is longer than `longest`. False if it found that some field is there
    /// twice; [`is_sound`](Self::is_sound) knows in the end.
    pub fn append(&mut self, field: &[u8], value: &[u8], longest: usize, shape: &Shape) -> bool {
        match self {
            Self::Small(pack)
                if fits(pack.as_ref(), field, value, longest)
                    && pack.as_ref().len() / 2 < shape.hash.entries =>
            {
                pack.push(field);
                pack.push(value);
                true
            }
            Self::Small(_) => {
                let (sound, fields) = self.grow(shape);
                sound && fields.add(field, value)
            }
            Self::Big(fields) => fields.add(field, value),
        }
    }

    /// Whether no field is there twice, in a hash that was built whole.
    pub fn is_sound(&self, hasher: &KeyHasher) -> bool {
        match self {
            Self::Small(pack) => !pack.as_ref().has_twins(2, hasher),
            Self::Big(_) => true,
        }
    }

    /// Bytes of its allocations.
    pub fn memory(&self) -> usize {
        self.as_ref().memory()
    }

    /// How many allocations freeing it takes.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Small(_) => 1,
            Self::Big(fields) => fields.len(),
        }
    }

    /// Frees fields while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        match self {
            Self::Small(_) => true,
            Self::Big(fields) => fields.free_some(left),
        }
    }

    /// Panics if the hash contradicts itself.
    pub fn check_invariants(&self) {
        match self {
            Self::Small(pack) => assert!(pack.as_ref().len().is_multiple_of(2)),
            Self::Big(fields) => fields.check_invariants(),
        }
    }

    /// Makes it large; false if a field was there twice.
    #[cold]
    fn grow(&mut self, shape: &Shape) -> (bool, &mut Fields) {
        let mut sound = true;
        if let Self::Small(pack) = self {
            let mut fields = Box::new(Fields::new(shape.hasher));
            for (field, value) in HashRef::Small(pack.as_ref()).iter() {
                sound &= fields.add(field, value);
            }
            *self = Self::Big(fields);
        }
        let Self::Big(fields) = self else {
            unreachable!("a small one was just made large");
        };
        (sound, fields)
    }
}

impl<'a> HashRef<'a> {
    /// A small one out of its bytes.
    #[inline]
    pub(super) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Small(_) => "listpack",
            Self::Big(_) => "hashtable",
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        match self {
            Self::Small(pack) => {
                let (_, at) = pack.item(pack.find(field, 2)?);
                Some(pack.item(at).0)
            }
            Self::Big(fields) => fields.get(field),
        }
    }

    /// How many fields there are.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Small(pack) => pack.len() / 2,
            Self::Big(fields) => fields.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// All fields with their values.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let (small, big) = match self {
            Self::Small(pack) => (Some(pairs(pack)), None),
            Self::Big(fields) => (None, Some(fields.iter())),
        };
        let small = small.into_iter().flatten();
        small.chain(big.into_iter().flatten())
    }

    /// Visits about `count` fields from a cursor on and returns the cursor that goes on behind
    /// them; 0 at the end. A small hash is visited whole.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(&'a [u8], &'a [u8])) -> u64 {
        match self {
            Self::Small(pack) => {
                pairs(pack).for_each(|(field, value)| visit(field, value));
                0
            }
            Self::Big(fields) => fields.scan(cursor, count, visit),
        }
    }

    /// Bytes of its allocations.
    pub fn memory(self) -> usize {
        match self {
            Self::Small(pack) => alloc_size(pack.bytes().len()),
            Self::Big(fields) => fields.memory(),
        }
    }

    /// A copy, which shares what is large.
    pub fn to_hash(self) -> Hash {
        match self {
            Self::Small(pack) => Hash::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Big(fields) => Hash::Big(Box::new(fields.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<HashParts> {
        match self {
            Self::Small(_) => None,
            Self::Big(fields) => Some(fields.parts()),
        }
    }
}

impl Collection for Hash {
    type Ref<'a> = HashRef<'a>;

    #[inline]
    fn lent(value: ValueRef<'_>) -> Option<HashRef<'_>> {
        match value {
            ValueRef::Hash(hash) => Some(hash),
            ValueRef::Str(_)
            | ValueRef::List(_)
            | ValueRef::Set(_)
            | ValueRef::Zset(_)
            | ValueRef::Stream(_) => None,
        }
    }

    #[inline]
    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Hash(hash) => Some(hash),
            Value::Str(_) | Value::List(_) | Value::Set(_) | Value::Zset(_) | Value::Stream(_) => {
                None
            }
        }
    }

    #[inline]
    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        (form == Form::Hash).then(|| Self::Small(Pack::from_tail(tail)))
    }

    #[inline]
    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Small(pack) => Ok((Form::Hash, pack.into_tail())),
            Self::Big(_) => Err(self),
        }
    }

    #[inline]
    fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Hash {
    /// Equal are those with the same fields and values, whatever their order.
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.as_ref(), other.as_ref());
        let same = |(field, value): (&[u8], &[u8])| other.get(field) == Some(value);
        one.len() == other.len() && one.iter().all(same)
    }
}

impl Eq for Hash {}

/// Whether a small hash can take a field and a value.
#[inline]
fn fits(pack: PackRef<'_>, field: &[u8], value: &[u8], longest: usize) -> bool {
    field.len() <= longest && value.len() <= longest && pack.has_room(2, field.len() + value.len())
}

fn set_small(pack: &mut Pack, field: &[u8], value: &[u8]) -> bool {
    if let Some(at) = pack.as_ref().find(field, 2) {
        let (_, at) = pack.as_ref().item(at);
        pack.replace(at, value);
        return false;
    }
    pack.push(field);
    pack.push(value);
    true
}

fn pairs<'a>(pack: PackRef<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let mut items = pack.iter();
    core::iter::from_fn(move || Some((items.next()?, items.next()?)))
}

#[cfg(test)]
mod tests;
