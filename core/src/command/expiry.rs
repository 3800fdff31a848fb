//! When keys expire: EXPIRE and TTL with their kin, and the options other commands take.

use super::args::Args;
use super::cx::Cx;
use super::fail::{Fail, shown};
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::machine::Wall;
use crate::resp;
use crate::server::roles::deletion;

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    let reads = matches!(arity, Arity::Exactly(_));
    Spec {
        name,
        run,
        arity,
        flags: if reads {
            F::READONLY.and(F::FAST)
        } else {
            F::WRITE.and(F::FAST)
        },
        acl: Acl::KEYSPACE,
        keys: if reads {
            const { &[KeySpec::at(1, K::RO.and(K::ACCESS))] }
        } else {
            const { &[KeySpec::at(1, K::RW.and(K::UPDATE))] }
        },
        tips: &[],
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Generic,
            complexity: "O(1)",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "expire",
        expire,
        Arity::AtLeast(3),
        (
            "Sets the time to live of a key, in seconds.",
            "1.0.0",
            "key seconds [NX | XX | GT | LT]",
        ),
    ),
    row(
        "expireat",
        expireat,
        Arity::AtLeast(3),
        (
            "Sets the time at which a key expires, in Unix seconds.",
            "1.2.0",
            "key unix-time-seconds [NX | XX | GT | LT]",
        ),
    ),
    row(
        "expiretime",
        expiretime,
        Arity::Exactly(2),
        (
            "Returns the time at which a key expires, in Unix seconds.",
            "7.0.0",
            "key",
        ),
    ),
    Spec {
        name: "persist",
        run: persist,
        arity: Arity::Exactly(2),
        flags: F::WRITE.and(F::FAST),
        acl: Acl::KEYSPACE,
        keys: &[KeySpec::at(1, K::RW.and(K::UPDATE))],
        tips: &[],
        docs: Docs {
            summary: "Lets a key live for ever.",
            since: "2.2.0",
            group: Group::Generic,
            complexity: "O(1)",
            syntax: "key",
        },
        subcommands: &[],
    },
    row(
        "pexpire",
        pexpire,
        Arity::AtLeast(3),
        (
            "Sets the time to live of a key, in milliseconds.",
            "2.6.0",
            "key milliseconds [NX | XX | GT | LT]",
        ),
    ),
    row(
        "pexpireat",
        pexpireat,
        Arity::AtLeast(3),
        (
            "Sets the time at which a key expires, in Unix milliseconds.",
            "2.6.0",
            "key unix-time-milliseconds [NX | XX | GT | LT]",
        ),
    ),
    row(
        "pexpiretime",
        pexpiretime,
        Arity::Exactly(2),
        (
            "Returns the time at which a key expires, in Unix milliseconds.",
            "7.0.0",
            "key",
        ),
    ),
    Spec {
        tips: &["nondeterministic_output"],
        ..row(
            "pttl",
            pttl,
            Arity::Exactly(2),
            (
                "Returns the time to live of a key, in milliseconds.",
                "2.6.0",
                "key",
            ),
        )
    },
    Spec {
        tips: &["nondeterministic_output"],
        ..row(
            "ttl",
            ttl,
            Arity::Exactly(2),
            (
                "Returns the time to live of a key, in seconds.",
                "1.0.0",
                "key",
            ),
        )
    },
];

/// A time as it was given: in seconds or milliseconds, from now on or since the epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Given {
    /// EX
    Seconds(i64),
    /// PX
    Millis(i64),
    /// EXAT
    UnixSeconds(i64),
    /// PXAT
    UnixMillis(i64),
}

/// A time as it stands in the arguments: Redis reads the number only after all other arguments,
/// GETEX even after it has looked for the key.
#[derive(Clone, Copy)]
pub struct GivenText<'a> {
    word: &'static str,
    unit: fn(i64) -> Given,
    number: &'a [u8],
}

impl<'a> GivenText<'a> {
    /// Takes `EX n`, `PX n`, `EXAT n` or `PXAT n`.
    pub fn parse(args: &mut Args<'a>) -> Result<Self, Fail> {
        type Unit = fn(i64) -> Given;
        const WORDS: [(&str, Unit); 4] = [
            ("ex", Given::Seconds),
            ("px", Given::Millis),
            ("exat", Given::UnixSeconds),
            ("pxat", Given::UnixMillis),
        ];
        let (word, unit) = WORDS
            .iter()
            .find(|(word, _)| args.keyword(word))
            .ok_or(Fail::Syntax)?;
        Ok(Self {
            word,
            unit: *unit,
            number: args.bulk()?,
        })
    }

    /// Takes another one behind those before, of which the last counts: only the same word may be
    /// repeated.
    pub fn parse_again(before: Option<Self>, args: &mut Args<'a>) -> Result<Self, Fail> {
        let given = Self::parse(args)?;
        match before {
            Some(before) if before.word != given.word => Err(Fail::Syntax),
            Some(_) | None => Ok(given),
        }
    }

    /// Whether it says the same to whoever reads it later.
    pub fn is_lasting(self) -> bool {
        self.word == "pxat"
    }

    /// Reads the number.
    pub fn read(self) -> Result<Given, Fail> {
        let number = resp::parse_int(self.number).ok_or(Fail::NotInteger)?;
        Ok((self.unit)(number))
    }
}

impl Given {
    const fn number(self) -> i64 {
        match self {
            Self::Seconds(n) | Self::Millis(n) | Self::UnixSeconds(n) | Self::UnixMillis(n) => n,
        }
    }

    fn check_positive(self, command: &'static str) -> Result<(), Fail> {
        if self.number() > 0 {
            Ok(())
        } else {
            Err(Fail::InvalidExpire(command))
        }
    }

    /// The instant that is meant, which must lie after the epoch.
    pub fn deadline(self, now: Wall, command: &'static str) -> Result<Wall, Fail> {
        self.check_positive(command)?;
        self.instant(now, command)
    }

    /// The instant that is meant, in the past or not.
    fn instant(self, now: Wall, command: &'static str) -> Result<Wall, Fail> {
        let millis = match self {
            Self::Seconds(n) => n
                .checked_mul(1000)
                .and_then(|ms| ms.checked_add(now.as_millis())),
            Self::Millis(n) => n.checked_add(now.as_millis()),
            Self::UnixSeconds(n) => n.checked_mul(1000),
            Self::UnixMillis(n) => Some(n),
        };
        millis
            .map(Wall::from_millis)
            .ok_or(Fail::InvalidExpire(command))
    }
}

/// An instant in decimal milliseconds, as it goes to replicas.
pub fn text(at: Wall) -> Box<[u8]> {
    itoa::Buffer::new().format(at.as_millis()).as_bytes().into()
}

/// Sets when a key that is there expires, or deletes it if that has passed. Whatever was asked for
/// goes to replicas as PEXPIREAT, or as it came if it is that.
pub fn apply(cx: &mut Cx<'_>, key: &[u8], deadline: Wall, as_it_came: bool) {
    // A replica never deletes on its own: its master's DEL follows (expire.c).
    if deadline <= cx.wall() && cx.data.may_expire() {
        cx.data.remove(key);
        cx.data.changed(key, Class::GENERIC, "del");
        let word = deletion(cx.data.st.config.lazyfree_lazy_expire());
        cx.propagate_as(&[word, key]);
        return;
    }
    cx.data.set_expire(key, deadline);
    cx.data.changed(key, Class::GENERIC, "expire");
    if !as_it_came {
        cx.propagate_as(&[b"PEXPIREAT", key, &text(deadline)]);
    }
}

/// The conditions of EXPIRE.
#[derive(Clone, Copy, Default)]
struct When {
    missing: bool,
    there: bool,
    greater: bool,
    less: bool,
}

impl When {
    fn parse(mut args: Args<'_>) -> Result<Self, Fail> {
        let mut when = Self::default();
        while let Some(option) = args.peek() {
            if args.keyword("nx") {
                when.missing = true;
            } else if args.keyword("xx") {
                when.there = true;
            } else if args.keyword("gt") {
                when.greater = true;
            } else if args.keyword("lt") {
                when.less = true;
            } else {
                return Err(Fail::detail(
                    [b"Unsupported option ", shown(option)].concat(),
                ));
            }
        }
        if when.missing && (when.there || when.greater || when.less) {
            return Err(Fail::Plain(
                "NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if when.greater && when.less {
            return Err(Fail::Plain(
                "GT and LT options at the same time are not compatible",
            ));
        }
        Ok(when)
    }

    /// Whether to go ahead. A key without expiry counts as living for ever.
    fn allows(self, current: Option<Wall>, deadline: Wall) -> bool {
        let blocked = (self.missing && current.is_some())
            || (self.there && current.is_none())
            || (self.greater && current.is_none_or(|at| deadline <= at))
            || (self.less && current.is_some_and(|at| deadline >= at));
        !blocked
    }
}

fn expire_with(
    cx: &mut Cx<'_>,
    mut args: Args<'_>,
    command: &'static str,
    unit: fn(i64) -> Given,
) -> Result<(), Fail> {
    let key = args.bulk()?;
    let number = args.bulk()?;
    let when = When::parse(args)?;
    let given = unit(resp::parse_int(number).ok_or(Fail::NotInteger)?);
    let deadline = given.instant(cx.wall(), command)?;
    let Some(found) = cx.data.write(key) else {
        cx.out.int(0);
        return Ok(());
    };
    let current = found.expire();
    drop(found);
    if !when.allows(current, deadline) {
        cx.out.int(0);
        return Ok(());
    }
    apply(cx, key, deadline, command == "pexpireat");
    cx.out.int(1);
    Ok(())
}

fn expire(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expire_with(cx, args, "expire", Given::Seconds)
}

fn pexpire(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expire_with(cx, args, "pexpire", Given::Millis)
}

fn expireat(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expire_with(cx, args, "expireat", Given::UnixSeconds)
}

fn pexpireat(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expire_with(cx, args, "pexpireat", Given::UnixMillis)
}

/// Lets a key live for ever; false if it does already, or is not there.
pub fn persist_key(cx: &mut Cx<'_>, key: &[u8]) -> bool {
    let Some(mut entry) = cx.data.write(key) else {
        return false;
    };
    let expired = entry.expire().is_some();
    if expired {
        entry.set_expire(None);
    }
    expired
}

fn persist(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let ended = persist_key(cx, key);
    if ended {
        cx.data.changed(key, Class::GENERIC, "persist");
    }
    cx.out.int(i64::from(ended));
    Ok(())
}

/// The answers of TTL and its kin for a missing key and for one that lives for ever.
const MISSING: i64 = -2;
const FOR_EVER: i64 = -1;

fn show(
    cx: &mut Cx<'_>,
    mut args: Args<'_>,
    form: impl FnOnce(Wall, Wall) -> i64,
) -> Result<(), Fail> {
    let now = cx.wall();
    let shown = match cx.data.inspect(args.bulk()?) {
        None => MISSING,
        Some(found) => found.expire().map_or(FOR_EVER, |at| form(at, now)),
    };
    cx.out.int(shown);
    Ok(())
}

fn left(at: Wall, now: Wall) -> i64 {
    at.as_millis().saturating_sub(now.as_millis()).max(0)
}

fn ttl(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    show(cx, args, |at, now| left(at, now).saturating_add(500) / 1000)
}

fn pttl(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    show(cx, args, left)
}

fn expiretime(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    show(cx, args, |at, _| at.as_millis().saturating_add(500) / 1000)
}

fn pexpiretime(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    show(cx, args, |at, _| at.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_expiry_lives_longer_than_any_deadline() {
        let at = Wall::from_millis;
        let greater = When {
            greater: true,
            ..When::default()
        };
        let less = When {
            less: true,
            ..When::default()
        };
        assert!(!greater.allows(None, at(5)));
        assert!(less.allows(None, at(5)));
        assert!(greater.allows(Some(at(4)), at(5)));
        assert!(!greater.allows(Some(at(5)), at(5)));
        assert!(!less.allows(Some(at(5)), at(5)));
    }

    #[test]
    fn times_out_of_range_are_refused() {
        let now = Wall::from_millis(1_000);
        assert_eq!(
            Given::Seconds(2).deadline(now, "set"),
            Ok(Wall::from_millis(3_000))
        );
        for bad in [
            Given::Seconds(0),
            Given::Millis(-1),
            Given::Seconds(i64::MAX),
        ] {
            assert_eq!(bad.deadline(now, "set"), Err(Fail::InvalidExpire("set")));
        }
    }
}
