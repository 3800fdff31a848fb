//! Taking elements from the first of some keys that has any, and waiting until one has.

use core::ops::Range;
use core::time::Duration;

use super::args::Args;
use super::blocking;
use super::cx::Cx;
use super::fail::Fail;
use crate::resp::ArgvRef;
use crate::value::{Collection, ValueRef};

/// An end of a collection of some kind, from which elements are taken.
pub trait End: Copy {
    /// The collection.
    type Kind: Collection;

    /// Takes the word for an end.
    fn parse(args: &mut Args<'_>) -> Result<Self, Fail>;
    /// How many elements a collection has.
    fn len(collection: <Self::Kind as Collection>::Ref<'_>) -> usize;
    /// The command that takes elements from this end of one key.
    fn command(self) -> &'static [u8];
    /// Takes elements from a collection that has as many, and replies with an array of them.
    fn take_some(self, cx: &mut Cx<'_>, key: &[u8], count: usize) -> Result<(), Fail>;
    /// Takes an element, and replies with an array of the key and what the element is.
    fn take_one(self, cx: &mut Cx<'_>, key: &[u8]) -> Result<(), Fail>;
}

/// Which elements are wanted, from which keys.
struct Harvest<'a, E> {
    argv: ArgvRef<'a>,
    /// Which arguments are the keys.
    keys: Range<usize>,
    end: E,
    count: usize,
}

impl<'a, E: End> Harvest<'a, E> {
    /// Takes what LMPOP and ZMPOP take.
    fn parse(args: &mut Args<'a>) -> Result<Self, Fail> {
        let keys = args.at_least_one("numkeys")?;
        let first = args.position();
        for _ in 0..keys {
            args.bulk()?;
        }
        let keys = first..args.position();
        let end = E::parse(args)?;
        let mut count = None;
        while !args.is_done() {
            if count.is_none() && args.left() >= 2 && args.keyword("count") {
                count = Some(args.at_least_one("count")?);
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(Self {
            argv: args.argv(),
            keys,
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Looks for a key that has elements; it, and how many are to be taken.
    fn find(&self, cx: &mut Cx<'_>) -> Result<Option<(&'a [u8], usize)>, Fail> {
        for at in self.keys.clone() {
            let key = self.argv.get(at);
            if let Some(len) = cx.data.peek::<E::Kind>(key)?.map(E::len) {
                return Ok(Some((key, self.count.min(len))));
            }
        }
        Ok(None)
    }

    /// Takes elements and replies with the key and an array of them; false if there are none.
    fn take_some(&self, cx: &mut Cx<'_>) -> Result<bool, Fail> {
        let Some((key, count)) = self.find(cx)? else {
            return Ok(false);
        };
        cx.out.array(2);
        cx.out.bulk(key);
        self.end.take_some(cx, key, count)?;
        let mut digits = itoa::Buffer::new();
        let count = digits.format(count).as_bytes();
        cx.propagate_as(&[self.end.command(), key, count]);
        Ok(true)
    }

    /// Takes an element and replies with the key and it; false if there is none.
    fn take_one(&self, cx: &mut Cx<'_>) -> Result<bool, Fail> {
        let Some((key, _)) = self.find(cx)? else {
            return Ok(false);
        };
        self.end.take_one(cx, key)?;
        cx.propagate_as(&[self.end.command(), key]);
        Ok(true)
    }

    /// Waits until one of the keys may have elements.
    fn wait(self, cx: &mut Cx<'_>, timeout: Option<Duration>) {
        if !cx.wait_for_keys(self.argv, self.keys, is_of::<E::Kind>, timeout) {
            cx.out.null_array();
        }
    }
}

/// Whether a key holds what is waited for.
pub fn is_of<T: Collection>(value: Option<ValueRef<'_>>) -> bool {
    value.is_some_and(|value| value.as_collection::<T>().is_some())
}

/// LMPOP and ZMPOP.
pub fn pop_some<E: End>(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if !Harvest::<E>::parse(&mut args)?.take_some(cx)? {
        cx.out.null_array();
    }
    Ok(())
}

/// BLMPOP and BZMPOP.
pub fn pop_some_or_wait<E: End>(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let timeout = args.bulk()?;
    let harvest = Harvest::<E>::parse(&mut args)?;
    // Redis reads the timeout behind all else.
    let timeout = blocking::timeout(timeout, cx.wall())?;
    if !harvest.take_some(cx)? {
        harvest.wait(cx, timeout);
    }
    Ok(())
}

/// BLPOP, BZPOPMIN and their kin: keys, and a timeout behind them.
pub fn pop_or_wait<E: End>(cx: &mut Cx<'_>, args: Args<'_>, end: E) -> Result<(), Fail> {
    let argv = args.argv();
    let last = argv.len() - 1;
    let timeout = blocking::timeout(argv.get(last), cx.wall())?;
    let harvest = Harvest {
        argv,
        keys: args.position()..last,
        end,
        count: 1,
    };
    if !harvest.take_one(cx)? {
        harvest.wait(cx, timeout);
    }
    Ok(())
}
