//! SORT: the elements of a list, a set or a sorted set in order.

use core::cmp::Ordering;
use core::ops::Range;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::server::client::ClientFlags;
use crate::value::{IntText, List, ValueRef, Zset, parse_score};

const READ: KeySpec = KeySpec::at(1, K::RO.and(K::ACCESS));
const LOOKED_UP: KeySpec = KeySpec::unknown(
    K::RO.and(K::ACCESS),
    "BY and GET name keys by patterns: the elements of what is sorted tell which they are.",
);
const STORED: KeySpec = KeySpec::unknown(
    K::OW.and(K::UPDATE),
    "STORE and its key may stand anywhere behind the first key.",
);
const TYPES: Acl = Acl::SET
    .and(Acl::SORTEDSET)
    .and(Acl::LIST)
    .and(Acl::DANGEROUS);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "sort",
        run: sort,
        arity: Arity::AtLeast(2),
        flags: F::WRITE.and(F::DENYOOM).and(F::MOVABLE_KEYS),
        acl: TYPES,
        keys: &[READ, LOOKED_UP, STORED],
        tips: &[],
        docs: Docs {
            summary: "Sorts the elements of a list, a set or a sorted set, and may store them.",
            since: "1.0.0",
            group: Group::Generic,
            complexity: "O(N+M*log(M)): the number of elements and of those returned",
            syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] \
                     [ASC | DESC] [ALPHA] [STORE destination]",
        },
        subcommands: &[],
    },
    Spec {
        name: "sort_ro",
        run: sort_ro,
        arity: Arity::AtLeast(2),
        flags: F::READONLY.and(F::MOVABLE_KEYS),
        acl: TYPES,
        keys: &[READ, LOOKED_UP],
        tips: &[],
        docs: Docs {
            summary: "Returns the elements of a list, a set or a sorted set, sorted.",
            since: "7.0.0",
            group: Group::Generic,
            complexity: "O(N+M*log(M)): the number of elements and of those returned",
            syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] \
                     [ASC | DESC] [ALPHA]",
        },
        subcommands: &[],
    },
];

fn sort(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, true)
}

fn sort_ro(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    run(cx, args, false)
}

/// What is wanted.
struct Options<'a> {
    /// The pattern of the keys whose values decide the order; none if elements do themselves.
    by: Option<&'a [u8]>,
    /// Whether elements stay in the order in which they are.
    unsorted: bool,
    descending: bool,
    /// Whether texts are compared, not numbers.
    alpha: bool,
    start: i64,
    count: i64,
    /// The patterns of what is shown of each element; none if it is the element itself.
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>, may_store: bool, reads_any: bool) -> Result<Self, Fail> {
        let mut options = Self {
            by: None,
            unsorted: false,
            descending: false,
            alpha: false,
            start: 0,
            count: -1,
            get: Vec::new(),
            store: None,
        };
        while !args.is_done() {
            let behind = args.left() - 1;
            if args.keyword("asc") {
                options.descending = false;
            } else if args.keyword("desc") {
                options.descending = true;
            } else if args.keyword("alpha") {
                options.alpha = true;
            } else if behind >= 2 && args.keyword("limit") {
                options.start = args.int()?;
                options.count = args.int()?;
            } else if may_store && behind >= 1 && args.keyword("store") {
                options.store = Some(args.bulk()?);
            } else if behind >= 1 && args.keyword("by") {
                let pattern = args.bulk()?;
                // Without a place for the element, all would weigh the same. As in Redis, another
                // pattern behind it does not bring the order back.
                options.unsorted |= !pattern.contains(&b'*');
                if pattern.contains(&b'*') && !reads_any {
                    return Err(BY_DENIED);
                }
                options.by = Some(pattern);
            } else if behind >= 1 && args.keyword("get") {
                if !reads_any {
                    return Err(GET_DENIED);
                }
                options.get.push(args.bulk()?);
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(options)
    }

    /// Which of `len` elements in order are wanted.
    fn range(&self, len: usize) -> Range<usize> {
        let most = i64::try_from(len).unwrap_or(i64::MAX);
        let start = usize::try_from(self.start.clamp(0, most)).unwrap_or(len);
        let count = usize::try_from(self.count).unwrap_or(len);
        start..len.min(start.saturating_add(count))
    }

    fn compare(&self, texts: &[u8], one: &Item, two: &Item) -> Ordering {
        let text = |range: &Range<usize>| &texts[range.clone()];
        let order = match (&one.weight, &two.weight) {
            // Equal numbers fall back on the elements.
            (Weight::Number(left), Weight::Number(right)) => left
                .total_cmp(right)
                .then_with(|| text(&one.element).cmp(text(&two.element))),
            (Weight::Text(left), Weight::Text(right)) => {
                let shown = |range| self.collated(text(range));
                shown(left).cmp(shown(right))
            }
            (Weight::Missing, Weight::Missing) => Ordering::Equal,
            (Weight::Missing, _) => Ordering::Less,
            (_, Weight::Missing) => Ordering::Greater,
            (Weight::Number(_), Weight::Text(_)) | (Weight::Text(_), Weight::Number(_)) => {
                unreachable!("all are weighed in the same way")
            }
        };
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }

    /// What of a text decides. Redis compares texts by `strcoll`, which sees nothing behind a
    /// zero byte, but by all their bytes when it stores, so that replicas store the same.
    fn collated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let end = match self.store {
            None => memchr::memchr(0, text),
            Some(_) => None,
        };
        &text[..end.unwrap_or(text.len())]
    }
}

/// An element: where its text lies, and what decides its place.
struct Item {
    element: Range<usize>,
    weight: Weight,
}

enum Weight {
    Number(f64),
    Text(Range<usize>),
    /// There is nothing to weigh it by. It comes before all texts.
    Missing,
}

fn run(cx: &mut Cx<'_>, mut args: Args<'_>, may_store: bool) -> Result<(), Fail> {
    let key = args.bulk()?;
    let reads_any = cx.may_read_any_key(args.argv());
    let mut options = Options::parse(&mut args, may_store, reads_any)?;
    let mut texts = Vec::new();
    let mut items = collect(cx, key, &mut options, &mut texts)?;
    if !options.unsorted {
        weigh(cx, &options, &mut texts, &mut items)?;
        // Stable: elements that weigh the same text stay in their order.
        items.sort_by(|one, two| options.compare(&texts, one, two));
    }
    let range = options.range(items.len());
    let elements = items[range].iter().map(|item| &texts[item.element.clone()]);
    match options.store {
        None => reply(cx, elements, &options.get),
        Some(target) => store(cx, elements, &options.get, target),
    }
    Ok(())
}

/// Copies the elements of a value into `texts`, in the order in which they lie.
fn collect(
    cx: &mut Cx<'_>,
    key: &[u8],
    options: &mut Options<'_>,
    texts: &mut Vec<u8>,
) -> Result<Vec<Item>, Fail> {
    let mut items = Vec::new();
    let mut add = |text: &[u8]| {
        let start = texts.len();
        texts.extend_from_slice(text);
        items.push(Item {
            element: start..texts.len(),
            weight: Weight::Missing,
        });
    };
    // A set has an order of its own on each server. What is stored is the same on all, and what a
    // script sees.
    let same_everywhere = options.store.is_some() || cx.client().flags.has(ClientFlags::SCRIPT);
    let Some(entry) = cx.data.read(key) else {
        return Ok(items);
    };
    let mut ordered = true;
    let mut is_zset = false;
    match entry.value() {
        ValueRef::List(list) => list.iter().for_each(&mut add),
        ValueRef::Zset(zset) => {
            is_zset = true;
            zset.iter().for_each(|(member, _)| add(member));
        }
        ValueRef::Set(set) => {
            ordered = false;
            let mut scratch = IntText::default();
            set.iter().for_each(|member| add(member.text(&mut scratch)));
            if same_everywhere && options.by.is_some() {
                // What weighs the same stays in the order in which it comes.
                let text = |item: &Item| &texts[item.element.clone()];
                items.sort_unstable_by(|one, two| text(one).cmp(text(two)));
            }
        }
        ValueRef::Str(_) | ValueRef::Hash(_) | ValueRef::Stream(_) => {
            return Err(Fail::WrongType);
        }
    }
    if is_zset {
        // Redis walks its skiplist, which OBJECT ENCODING shows from then on.
        cx.data.edit::<Zset, _>(key, false, |zset, shape| {
            zset.will_grow(usize::MAX, 0, shape);
        })?;
    }
    if options.unsorted && ordered && options.descending {
        items.reverse();
    } else if options.unsorted && !ordered && same_everywhere {
        options.unsorted = false;
        options.alpha = true;
        options.by = None;
    }
    Ok(items)
}

fn weigh(
    cx: &mut Cx<'_>,
    options: &Options<'_>,
    texts: &mut Vec<u8>,
    items: &mut [Item],
) -> Result<(), Fail> {
    for item in items {
        let range = match options.by {
            None => item.element.clone(),
            Some(pattern) => {
                let element = texts[item.element.clone()].to_vec();
                let start = texts.len();
                let found = look_up(cx, pattern, &element, |text| texts.extend_from_slice(text));
                if !found {
                    if !options.alpha {
                        item.weight = Weight::Number(0.0);
                    }
                    continue;
                }
                start..texts.len()
            }
        };
        item.weight = if options.alpha {
            Weight::Text(range)
        } else {
            Weight::Number(number(&texts[range]).ok_or(NOT_NUMBERS)?)
        };
    }
    Ok(())
}

/// A number as strtod of C reads it: space in front is skipped, a zero byte ends it, and nothing
/// at all is 0.
fn number(text: &[u8]) -> Option<f64> {
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    let text = &text[..end];
    if text.is_empty() {
        return Some(0.0);
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == VERTICAL_TAB;
    let blanks = text.iter().take_while(|byte| is_space(byte)).count();
    let number = parse_score(&text[blanks..])?;
    // -0 is 0, which total_cmp would tell apart.
    (!number.is_nan()).then_some(number + 0.0)
}

/// Finds what a pattern stands for with an element in the place of its first `*`: the element
/// itself for `#`, the string under a key, or with `->` the value in a field of a hash. False if
/// there is no such value.
fn look_up(cx: &mut Cx<'_>, pattern: &[u8], element: &[u8], with: impl FnOnce(&[u8])) -> bool {
    if pattern == b"#" {
        with(element);
        return true;
    }
    let Some(star) = memchr::memchr(b'*', pattern) else {
        return false;
    };
    let behind = &pattern[star + 1..];
    let arrow = behind.windows(2).position(|two| two == b"->");
    let (behind, field) = match arrow.filter(|at| at + 2 < behind.len()) {
        Some(at) => (&behind[..at], Some(&behind[at + 2..])),
        None => (behind, None),
    };
    let key = [&pattern[..star], element, behind].concat();
    let Some(entry) = cx.data.read(&key) else {
        return false;
    };
    let found = match (entry.value(), field) {
        (ValueRef::Str(text), None) => {
            with(text.text(&mut IntText::default()));
            return true;
        }
        (ValueRef::Hash(hash), Some(field)) => hash.get(field),
        (_, _) => None,
    };
    found.map(with).is_some()
}

fn reply<'t>(cx: &mut Cx<'_>, elements: impl ExactSizeIterator<Item = &'t [u8]>, get: &[&[u8]]) {
    cx.out.array(elements.len() * get.len().max(1));
    for element in elements {
        if get.is_empty() {
            cx.out.bulk(element);
        }
        for pattern in get {
            let mut text = None;
            look_up(cx, pattern, element, |found| text = Some(found.to_vec()));
            match text {
                Some(text) => cx.out.bulk(&text),
                None => cx.out.null(),
            }
        }
    }
}

/// Stores a list; what is not there is an empty text in it.
fn store<'t>(
    cx: &mut Cx<'_>,
    elements: impl Iterator<Item = &'t [u8]>,
    get: &[&[u8]],
    target: &[u8],
) {
    let mut list = List::new();
    for element in elements {
        if get.is_empty() {
            list.push_back(element);
        }
        for pattern in get {
            let mut text = Vec::new();
            look_up(cx, pattern, element, |found| text.extend_from_slice(found));
            list.push_back(&text);
        }
    }
    let len = list.as_ref().len();
    list.settle(cx.data.st.shape.list);
    cx.data
        .store(target, list, len as u64, Class::LIST, "sortstore");
    cx.out.int(len as i64);
}

/// Space to C, but not to Rust.
const VERTICAL_TAB: u8 = 0x0b;

const BY_DENIED: Fail =
    Fail::Plain("BY option of SORT denied due to insufficient ACL permissions.");
const GET_DENIED: Fail =
    Fail::Plain("GET option of SORT denied due to insufficient ACL permissions.");
const NOT_NUMBERS: Fail = Fail::Plain("One or more scores can't be converted into double");
