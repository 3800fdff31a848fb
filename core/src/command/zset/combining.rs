//! Unions, intersections and differences of sorted sets and sets.

use super::{FAMILY, store, write_elements};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::keyspace::Keyspace;
use crate::value::{IntText, KeyHasher, SetRef, Shape, ValueRef, Zset, ZsetRef, parse_score};
use hashbrown::HashTable;
use smallvec::SmallVec;

const READ: F = F::READONLY.and(F::MOVABLE_KEYS);
const STORE: F = F::WRITE.and(F::DENYOOM).and(F::MOVABLE_KEYS);
const READS: &[KeySpec] = &[KeySpec::counted(1, K::RO.and(K::ACCESS))];
const STORES: &[KeySpec] = &[
    KeySpec::at(1, K::OW.and(K::UPDATE)),
    KeySpec::counted(2, K::RO.and(K::ACCESS)),
];
const UNITED: &str = "O(N+M*log(M)): the sizes of all sets and of the result";
const SHARED: &str = "O(N*K+M*log(M)): the size of the smallest set, the number of sets and the \
                      size of the result";
const LEFT: &str = "O(N*K+M*log(M)): the size of the first set, the number of sets and the size \
                    of the result";

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "zdiff",
        zdiff,
        Arity::AtLeast(3),
        READ,
        READS,
        (
            "Returns the members of the first of some sorted sets that no other one has.",
            "6.2.0",
            LEFT,
            "numkeys key [key ...] [WITHSCORES]",
        ),
    ),
    FAMILY.row(
        "zdiffstore",
        zdiffstore,
        Arity::AtLeast(4),
        STORE,
        STORES,
        (
            "Stores the members of the first of some sorted sets that no other one has.",
            "6.2.0",
            LEFT,
            "destination numkeys key [key ...]",
        ),
    ),
    FAMILY.row(
        "zinter",
        zinter,
        Arity::AtLeast(3),
        READ,
        READS,
        (
            "Returns the members that all of some sorted sets have.",
            "6.2.0",
            SHARED,
            "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] \
             [WITHSCORES]",
        ),
    ),
    FAMILY.row(
        "zintercard",
        zintercard,
        Arity::AtLeast(3),
        READ,
        READS,
        (
            "Returns how many members all of some sorted sets have.",
            "7.0.0",
            "O(N*K): the size of the smallest set and the number of sets",
            "numkeys key [key ...] [LIMIT limit]",
        ),
    ),
    FAMILY.row(
        "zinterstore",
        zinterstore,
        Arity::AtLeast(4),
        STORE,
        STORES,
        (
            "Stores the members that all of some sorted sets have.",
            "2.0.0",
            SHARED,
            "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
             [AGGREGATE <SUM | MIN | MAX>]",
        ),
    ),
    FAMILY.row(
        "zunion",
        zunion,
        Arity::AtLeast(3),
        READ,
        READS,
        (
            "Returns the members that any of some sorted sets has.",
            "6.2.0",
            UNITED,
            "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] \
             [WITHSCORES]",
        ),
    ),
    FAMILY.row(
        "zunionstore",
        zunionstore,
        Arity::AtLeast(4),
        STORE,
        STORES,
        (
            "Stores the members that any of some sorted sets has.",
            "2.0.0",
            UNITED,
            "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
             [AGGREGATE <SUM | MIN | MAX>]",
        ),
    ),
];

/// Which members make up the result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Use {
    Reply,
    Store,
    Count,
}

/// What score a member gets that several sets have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        if args.keyword("sum") {
            Ok(Self::Sum)
        } else if args.keyword("min") {
            Ok(Self::Min)
        } else if args.keyword("max") {
            Ok(Self::Max)
        } else {
            Err(Fail::Syntax)
        }
    }

    fn apply(self, one: f64, other: f64) -> f64 {
        match self {
            // Of opposite infinities.
            Self::Sum => number(one + other),
            Self::Min => {
                if other < one {
                    other
                } else {
                    one
                }
            }
            Self::Max => {
                if other > one {
                    other
                } else {
                    one
                }
            }
        }
    }
}

/// Redis takes 0 for what is no number.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A set that takes part.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Zset(ZsetRef<'a>),
    /// All scores are 1.
    Set(SetRef<'a>),
}

impl<'a> Source<'a> {
    fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Zset(zset) => zset.len(),
            Self::Set(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Zset(zset) => zset.score(member),
            Self::Set(set) => set.has(member).then_some(1.0),
        }
    }

    /// Calls `each` with all members until it returns false.
    fn for_each(self, mut each: impl FnMut(&[u8], f64) -> bool) {
        match self {
            Self::Missing => {}
            Self::Zset(zset) => {
                let _ = zset.iter().all(|(member, score)| each(member, score));
            }
            Self::Set(set) => {
                let mut scratch = IntText::default();
                let _ = set
                    .iter()
                    .all(|member| each(member.text(&mut scratch), 1.0));
            }
        }
    }
}

/// The options behind the keys.
struct Options {
    weights: SmallVec<[f64; 8]>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Where counting ends.
    limit: usize,
}

impl Options {
    fn parse(
        mut args: Args<'_>,
        keys: usize,
        operation: Operation,
        usage: Use,
    ) -> Result<Self, Fail> {
        let mut all = Self {
            weights: SmallVec::from_elem(1.0, keys),
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: usize::MAX,
        };
        let weighs = operation != Operation::Diff && usage != Use::Count;
        while !args.is_done() {
            if weighs && args.left() > keys && args.keyword("weights") {
                for weight in &mut all.weights {
                    let read = parse_score(args.bulk()?);
                    *weight = read.ok_or(Fail::Plain("weight value is not a float"))?;
                }
            } else if weighs && args.left() >= 2 && args.keyword("aggregate") {
                all.aggregate = Aggregate::parse(&mut args)?;
            } else if usage == Use::Reply && args.keyword("withscores") {
                all.with_scores = true;
            } else if usage == Use::Count && args.left() >= 2 && args.keyword("limit") {
                let limit = args.int().ok().and_then(|it| usize::try_from(it).ok());
                let limit = limit.ok_or(Fail::Plain("LIMIT can't be negative"))?;
                all.limit = if limit == 0 { usize::MAX } else { limit };
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(all)
    }
}

/// Members with their scores, the members one behind the other.
struct Gathered {
    bytes: Vec<u8>,
    elements: Vec<Element>,
    /// Finds elements by their members.
    index: HashTable<u32>,
    hasher: KeyHasher,
}

struct Element {
    start: usize,
    end: usize,
    score: f64,
}

impl Gathered {
    fn new(hasher: KeyHasher) -> Self {
        Self {
            bytes: Vec::new(),
            elements: Vec::new(),
            index: HashTable::new(),
            hasher,
        }
    }

    /// Adds a member that is not there.
    fn push(&mut self, member: &[u8], score: f64) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(member);
        self.elements.push(Element {
            start,
            end: self.bytes.len(),
            score,
        });
    }

    /// Adds a member, or its score to that which the member has.
    fn merge(&mut self, member: &[u8], score: f64, aggregate: Aggregate) {
        let hash = self.hasher.hash(member);
        let (bytes, elements) = (&self.bytes, &mut self.elements);
        let text = |at: u32, elements: &[Element]| {
            let element = &elements[at as usize];
            &bytes[element.start..element.end]
        };
        let found = self.index.find(hash, |&at| text(at, elements) == member);
        if let Some(&at) = found {
            let element = &mut elements[at as usize];
            element.score = aggregate.apply(element.score, score);
            return;
        }
        let at = u32::try_from(elements.len()).expect("a command has fewer members than that");
        let hasher = self.hasher;
        self.index
            .insert_unique(hash, at, |&at| hasher.hash(text(at, elements)));
        self.push(member, score);
    }

    /// Puts the elements into their order.
    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.elements.sort_unstable_by(|one, other| {
            let order = one.score.partial_cmp(&other.score);
            order
                .expect("no score is NaN")
                .then_with(|| bytes[one.start..one.end].cmp(&bytes[other.start..other.end]))
        });
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], f64)> {
        let elements = self.elements.iter();
        elements.map(|element| (&self.bytes[element.start..element.end], element.score))
    }

    fn to_zset(&self, shape: &Shape) -> Zset {
        let mut zset = Zset::new();
        let longest = self.iter().map(|(member, _)| member.len()).max();
        zset.will_grow(self.elements.len(), longest.unwrap_or(0), shape);
        for (member, score) in self.iter() {
            zset.insert(score, member, shape);
        }
        zset
    }
}

/// The sets that take part, as Redis goes through them: the smallest first, but for a difference.
fn sources<'a>(
    keys: &'a Keyspace,
    db: usize,
    wanted: &[(&[u8], bool)],
    weights: &[f64],
    operation: Operation,
) -> Vec<(Source<'a>, f64)> {
    let all = wanted.iter().zip(weights).map(|(&(key, shown), &weight)| {
        let entry = keys.db(db).get(key).filter(|_| shown);
        let source = match entry.map(|entry| entry.value()) {
            Some(ValueRef::Zset(zset)) => Source::Zset(zset),
            Some(ValueRef::Set(set)) => Source::Set(set),
            Some(
                ValueRef::Str(_) | ValueRef::List(_) | ValueRef::Hash(_) | ValueRef::Stream(_),
            )
            | None => Source::Missing,
        };
        (source, weight)
    });
    let mut all: Vec<_> = all.collect();
    if operation != Operation::Diff {
        all.sort_by_key(|(source, _)| source.len());
    }
    all
}

fn combine(
    sources: &[(Source<'_>, f64)],
    operation: Operation,
    options: &Options,
    shape: &Shape,
) -> Gathered {
    let mut result = Gathered::new(shape.hasher);
    let aggregate = options.aggregate;
    let ((first, weight), others) = sources.split_first().expect("there is a key at least");
    match operation {
        Operation::Union => {
            for (source, weight) in sources {
                source.for_each(|member, score| {
                    result.merge(member, number(weight * score), aggregate);
                    true
                });
            }
        }
        Operation::Inter => first.for_each(|member, score| {
            let others = others
                .iter()
                .try_fold(number(weight * score), |sum, other| {
                    let (source, weight) = other;
                    let score = source.score(member)?;
                    Some(aggregate.apply(sum, weight * score))
                });
            if let Some(score) = others {
                result.push(member, score);
            }
            result.elements.len() < options.limit
        }),
        Operation::Diff => first.for_each(|member, score| {
            let elsewhere = |(source, _): &(Source<'_>, f64)| source.score(member).is_some();
            if !others.iter().any(elsewhere) {
                result.push(member, score);
            }
            true
        }),
    }
    result
}

fn zunion(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Union, Use::Reply)
}

fn zunionstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Union, Use::Store)
}

fn zinter(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Inter, Use::Reply)
}

fn zinterstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Inter, Use::Store)
}

fn zintercard(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Inter, Use::Count)
}

fn zdiff(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Diff, Use::Reply)
}

fn zdiffstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, Operation::Diff, Use::Store)
}

/// The keys behind their number.
fn keys<'a>(args: &mut Args<'a>, command: &str) -> Result<SmallVec<[&'a [u8]; 8]>, Fail> {
    let count = args.int()?;
    if count < 1 {
        return Err(Fail::detail(format!(
            "at least 1 input key is needed for '{command}' command"
        )));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > args.left() {
        return Err(Fail::Syntax);
    }
    (0..count).map(|_| args.bulk()).collect()
}

fn run(cx: &mut Cx<'_>, mut args: Args<'_>, operation: Operation, usage: Use) -> Result<(), Fail> {
    let target = match usage {
        Use::Store => Some(args.bulk()?),
        Use::Reply | Use::Count => None,
    };
    let keys = keys(&mut args, command_name(operation, usage))?;
    // Redis looks at the keys before it looks at the options.
    let mut wanted: SmallVec<[(&[u8], bool); 8]> = SmallVec::new();
    for key in keys {
        let found = cx.data.read(key);
        let kind = found.map(|entry| matches!(entry.value(), ValueRef::Zset(_) | ValueRef::Set(_)));
        if kind == Some(false) {
            return Err(Fail::WrongType);
        }
        wanted.push((key, kind.is_some()));
    }
    let options = Options::parse(args, wanted.len(), operation, usage)?;
    let (shape, db) = (cx.data.st.shape, cx.data.db);
    let sources = sources(cx.data.keys, db, &wanted, &options.weights, operation);
    let mut result = combine(&sources, operation, &options, &shape);
    if usage == Use::Count {
        cx.out.int(result.elements.len() as i64);
        return Ok(());
    }
    result.sort();
    match target {
        Some(target) => {
            let zset = result.to_zset(&shape);
            store(cx, target, zset, command_name(operation, usage));
        }
        None => write_elements(&mut cx.out, result.iter(), options.with_scores),
    }
    Ok(())
}

/// The command's name, which is that of its event as well.
const fn command_name(operation: Operation, usage: Use) -> &'static str {
    match (operation, usage) {
        (Operation::Union, Use::Store) => "zunionstore",
        (Operation::Union, Use::Reply | Use::Count) => "zunion",
        (Operation::Inter, Use::Reply) => "zinter",
        (Operation::Inter, Use::Store) => "zinterstore",
        (Operation::Inter, Use::Count) => "zintercard",
        (Operation::Diff, Use::Store) => "zdiffstore",
        (Operation::Diff, Use::Reply | Use::Count) => "zdiff",
    }
}
