//! Slabs whose ids carry a generation, so that an id kept too long finds nothing instead of
//! something else.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Index, IndexMut};

use slab::Slab;

/// Names one `T` of an [`Arena`]; never used twice.
pub struct Id<T> {
    index: u32,
    generation: u64,
    of: PhantomData<fn() -> T>,
}

/// Things of one type, each under an id of its own.
#[derive(Debug)]
pub(super) struct Arena<T> {
    slots: Slab<(u64, T)>,
    generation: u64,
}

impl<T> Arena<T> {
    /// Takes in a thing made from the id it will have.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(Id<T>) -> T) -> Id<T> {
        self.generation += 1;
        let generation = self.generation;
        let entry = self.slots.vacant_entry();
        let index = u32::try_from(entry.key()).expect("limits keep arenas far below 2^32");
        let id = Id {
            index,
            generation,
            of: PhantomData,
        };
        entry.insert((generation, make(id)));
        id
    }

    /// Takes in a thing.
    pub(super) fn insert(&mut self, thing: T) -> Id<T> {
        self.insert_with(|_| thing)
    }

    /// Takes a thing out; its id is dead from here on.
    pub(super) fn remove(&mut self, id: Id<T>) -> Option<T> {
        self.get(id)?;
        Some(self.slots.remove(id.slot()).1)
    }

    /// The thing under an id, unless it was taken out.
    pub(super) fn get(&self, id: Id<T>) -> Option<&T> {
        match self.slots.get(id.slot()) {
            Some((generation, thing)) if *generation == id.generation => Some(thing),
            Some(_) | None => None,
        }
    }

    /// The thing under an id, unless it was taken out.
    pub(super) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        match self.slots.get_mut(id.slot()) {
            Some((generation, thing)) if *generation == id.generation => Some(thing),
            Some(_) | None => None,
        }
    }

    /// Everything in slot order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.slots.iter().map(|(index, (generation, thing))| {
            let index = u32::try_from(index).expect("limits keep arenas far below 2^32");
            let id = Id {
                index,
                generation: *generation,
                of: PhantomData,
            };
            (id, thing)
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            slots: Slab::new(),
            generation: 0,
        }
    }
}

impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;

    fn index(&self, id: Id<T>) -> &T {
        self.get(id)
            .expect("whoever holds an id lets go of it before the thing is taken out")
    }
}

impl<T> IndexMut<Id<T>> for Arena<T> {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        self.get_mut(id)
            .expect("whoever holds an id lets go of it before the thing is taken out")
    }
}

impl<T> Id<T> {
    /// An id of nothing.
    #[cfg(test)]
    pub(super) fn dangling(generation: u64) -> Self {
        Self {
            index: u32::MAX,
            generation,
            of: PhantomData,
        }
    }

    fn slot(self) -> usize {
        usize::try_from(self.index).expect("a u32 fits a usize")
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.generation == other.generation
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    /// By age.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.generation.cmp(&other.generation)
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_finds_nothing_after_its_slot_was_reused() {
        let mut arena = Arena::default();
        let old = arena.insert("old");
        assert_eq!(arena.remove(old), Some("old"));
        let new = arena.insert("new");
        assert_eq!(new.index, old.index);
        assert_eq!(arena.get(old), None);
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena[new], "new");
    }
}
