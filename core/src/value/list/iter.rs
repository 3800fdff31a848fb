//! Walking a list from either end.

use smallvec::SmallVec;

use super::quicklist::QuicklistIter;
use crate::value::PackRef;

/// Items of a list, from either end.
#[derive(Clone, Debug)]
pub enum ListIter<'a> {
    /// Of a small list.
    Small(SmallIter<'a>),
    /// Of a large one.
    Large(QuicklistIter<'a>),
}

/// Items of a small list, which lead forwards only.
#[derive(Clone, Debug)]
pub struct SmallIter<'a> {
    pack: PackRef<'a>,
    /// The next item from the front.
    at: usize,
    left: usize,
    /// Where the items lie that are left, once someone has asked for the last.
    places: Option<SmallVec<[u16; PLACES]>>,
}

impl<'a> ListIter<'a> {
    pub(super) fn small(pack: PackRef<'a>, from: usize, to: usize) -> Self {
        Self::Small(SmallIter {
            pack,
            at: pack.position(from).unwrap_or_else(|| pack.end()),
            left: to - from,
            places: None,
        })
    }
}

impl<'a> Iterator for SmallIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (item, next) = self.pack.item(self.at);
        self.at = next;
        Some(item)
    }
}

impl<'a> DoubleEndedIterator for SmallIter<'a> {
    fn next_back(&mut self) -> Option<&'a [u8]> {
        let last = self.left.checked_sub(1)?;
        let (pack, first, left) = (self.pack, self.at, self.left);
        let places = self.places.get_or_insert_with(|| {
            let mut at = first;
            let place = |_| {
                let here = u16::try_from(at).expect("a small list is short");
                (_, at) = pack.item(at);
                here
            };
            (0..left).map(place).collect()
        });
        self.left = last;
        // The last one may have been asked for before others were taken from the front.
        let place = places
            .pop()
            .expect("as many places as items are left, or more");
        Some(self.pack.item(usize::from(place)).0)
    }
}

impl<'a> Iterator for ListIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Small(iter) => iter.next(),
            Self::Large(iter) => iter.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self {
            Self::Small(iter) => iter.left,
            Self::Large(iter) => iter.len(),
        };
        (left, Some(left))
    }
}

impl DoubleEndedIterator for ListIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Small(iter) => iter.next_back(),
            Self::Large(iter) => iter.next_back(),
        }
    }
}

impl ExactSizeIterator for ListIter<'_> {}

/// Places on the stack; small lists of more items are rare.
const PLACES: usize = 64;
