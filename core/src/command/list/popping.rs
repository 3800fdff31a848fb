//! Elements from the first of several lists that has some.

use super::{End, FAMILY, take};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::harvest;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::value::{List, ListRef};

const TAKE: K = K::RW.and(K::ACCESS).and(K::DELETE);

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "blmpop",
        blmpop,
        Arity::AtLeast(5),
        F::WRITE.and(F::BLOCKING).and(F::MOVABLE_KEYS),
        &[KeySpec::counted(2, TAKE)],
        (
            "Takes elements from the first of some lists that has any, and waits for one if \
             none has.",
            "7.0.0",
            "O(N+M) in the number of keys and of elements taken",
            "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        ),
    ),
    FAMILY.row(
        "blpop",
        blpop,
        Arity::AtLeast(3),
        F::WRITE.and(F::BLOCKING),
        &[KeySpec::range(1, -2, 1, TAKE)],
        (
            "Takes the first element of the first of some lists that has any, and waits for one \
             if none has.",
            "2.0.0",
            "O(N) in the number of keys",
            "key [key ...] timeout",
        ),
    ),
    FAMILY.row(
        "brpop",
        brpop,
        Arity::AtLeast(3),
        F::WRITE.and(F::BLOCKING),
        &[KeySpec::range(1, -2, 1, TAKE)],
        (
            "Takes the last element of the first of some lists that has any, and waits for one \
             if none has.",
            "2.0.0",
            "O(N) in the number of keys",
            "key [key ...] timeout",
        ),
    ),
    FAMILY.row(
        "lmpop",
        lmpop,
        Arity::AtLeast(4),
        F::WRITE.and(F::MOVABLE_KEYS),
        &[KeySpec::counted(1, TAKE)],
        (
            "Takes elements from the first of some lists that has any.",
            "7.0.0",
            "O(N+M) in the number of keys and of elements taken",
            "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        ),
    ),
];

impl harvest::End for End {
    type Kind = List;

    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        Self::parse(args)
    }

    fn len(list: ListRef<'_>) -> usize {
        list.len()
    }

    fn command(self) -> &'static [u8] {
        self.pop_command()
    }

    fn take_some(self, cx: &mut Cx<'_>, key: &[u8], count: usize) -> Result<(), Fail> {
        cx.out.array(count);
        take(cx, key, self, count)
    }

    fn take_one(self, cx: &mut Cx<'_>, key: &[u8]) -> Result<(), Fail> {
        cx.out.array(2);
        cx.out.bulk(key);
        take(cx, key, self, 1)
    }
}

fn lmpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_some::<End>(cx, args)
}

fn blmpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_some_or_wait::<End>(cx, args)
}

fn blpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_or_wait(cx, args, End::Head)
}

fn brpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_or_wait(cx, args, End::Tail)
}
