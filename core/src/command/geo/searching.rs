//! Places near others.

use super::options::{Form, Options, Order};
use super::{FAMILY, READS, write_distance, write_place};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Begin, Find, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::resp::Reply;
use crate::value::geo::{Area, Place};
use crate::value::{ScoreRange, Zset, ZsetRef};

const WRITE: F = F::WRITE.and(F::DENYOOM);
const NEAR: &str = "O(N+log(M)): the places in cells around the area and those of the key";
const RADIUS_KEYS: &[KeySpec] = &[
    KeySpec::at(1, K::RO.and(K::ACCESS)),
    stored("STORE", 6),
    stored("STOREDIST", 6),
];
const BY_MEMBER_KEYS: &[KeySpec] = &[
    KeySpec::at(1, K::RO.and(K::ACCESS)),
    stored("STORE", 5),
    stored("STOREDIST", 5),
];

const fn stored(word: &'static str, from: i8) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword(word, from),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        flags: K::OW.and(K::UPDATE),
    }
}

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "georadius",
        georadius,
        Arity::AtLeast(6),
        WRITE.and(F::MOVABLE_KEYS),
        RADIUS_KEYS,
        (
            "Returns or stores the places within a radius of a place.",
            "3.2.0",
            NEAR,
            "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
        ),
    ),
    FAMILY.row(
        "georadius_ro",
        georadius_ro,
        Arity::AtLeast(6),
        F::READONLY,
        READS,
        (
            "Returns the places within a radius of a place.",
            "3.2.10",
            NEAR,
            "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC]",
        ),
    ),
    FAMILY.row(
        "georadiusbymember",
        georadiusbymember,
        Arity::AtLeast(5),
        WRITE.and(F::MOVABLE_KEYS),
        BY_MEMBER_KEYS,
        (
            "Returns or stores the places within a radius of a member.",
            "3.2.0",
            NEAR,
            "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
        ),
    ),
    FAMILY.row(
        "georadiusbymember_ro",
        georadiusbymember_ro,
        Arity::AtLeast(5),
        F::READONLY,
        READS,
        (
            "Returns the places within a radius of a member.",
            "3.2.10",
            NEAR,
            "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC]",
        ),
    ),
    FAMILY.row(
        "geosearch",
        geosearch,
        Arity::AtLeast(7),
        F::READONLY,
        READS,
        (
            "Returns the places within a circle or a box.",
            "6.2.0",
            NEAR,
            "key <FROMMEMBER member | FROMLONLAT longitude latitude> \
             <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> \
             [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        ),
    ),
    FAMILY.row(
        "geosearchstore",
        geosearchstore,
        Arity::AtLeast(8),
        WRITE,
        &[
            KeySpec::at(1, K::OW.and(K::UPDATE)),
            KeySpec::at(2, K::RO.and(K::ACCESS)),
        ],
        (
            "Stores the places within a circle or a box.",
            "6.2.0",
            NEAR,
            "destination source <FROMMEMBER member | FROMLONLAT longitude latitude> \
             <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> \
             [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
        ),
    ),
];

fn georadius(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    search(cx, args, Form::Radius, true)
}

fn georadius_ro(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    search(cx, args, Form::Radius, false)
}

fn georadiusbymember(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    search(cx, args, Form::ByMember, true)
}

fn georadiusbymember_ro(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    search(cx, args, Form::ByMember, false)
}

fn geosearch(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    search(cx, args, Form::Search, false)
}

fn geosearchstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    search(cx, args, Form::SearchStore, true)
}

/// A place that was found.
struct Found<'a> {
    member: &'a [u8],
    score: f64,
    place: Place,
    /// Metres from the middle of the search.
    distance: f64,
}

fn search(cx: &mut Cx<'_>, mut args: Args<'_>, form: Form, may_store: bool) -> Result<(), Fail> {
    let target = match form {
        Form::SearchStore => Some(args.bulk()?),
        Form::Radius | Form::ByMember | Form::Search => None,
    };
    let key = args.bulk()?;
    let shape = cx.data.st.shape;
    let zset = cx.data.lend::<Zset>(key)?;
    let options = Options::parse(&mut args, form, may_store, zset)?;
    let target = target.or(options.store);
    let found = match (zset, options.area()) {
        (Some(zset), Some(area)) => find(zset, &area, &options),
        (_, _) => Vec::new(),
    };
    match target {
        Some(target) => {
            let mut result = Zset::new();
            for place in &found {
                let distance = place.distance / options.metres;
                let score = if options.distances {
                    distance
                } else {
                    place.score
                };
                result.insert(score, place.member, &shape);
            }
            let event = if form == Form::SearchStore {
                "geosearchstore"
            } else {
                "georadiusstore"
            };
            store(cx, target, result, event);
        }
        None => reply(&mut cx.out, &found, &options),
    }
    Ok(())
}

/// The wanted places in the wanted order.
fn find<'a>(zset: ZsetRef<'a>, area: &Area, options: &Options<'_>) -> Vec<Found<'a>> {
    let enough = if options.any {
        options.count
    } else {
        usize::MAX
    };
    let mut found = Vec::new();
    for cell in area.cells() {
        if found.len() >= enough {
            break;
        }
        let (min, max) = cell.scores();
        let ranks = zset.scores_within(ScoreRange {
            min,
            above_min: false,
            max,
            below_max: true,
        });
        let near = zset.range(ranks, false).filter_map(|(member, score)| {
            let place = Place::of_score(score);
            Some(Found {
                member,
                score,
                place,
                distance: area.distance(place)?,
            })
        });
        found.extend(near.take(enough - found.len()));
    }
    match options.order {
        None => {}
        Some(Order::Ascending) => {
            found.sort_by(|one, two| one.distance.total_cmp(&two.distance));
        }
        Some(Order::Descending) => {
            found.sort_by(|one, two| two.distance.total_cmp(&one.distance));
        }
    }
    if options.count > 0 {
        found.truncate(options.count);
    }
    found
}

fn reply(out: &mut Reply<'_>, found: &[Found<'_>], options: &Options<'_>) {
    let with = options.with;
    out.array(found.len());
    for place in found {
        if with.count() > 0 {
            out.array(1 + with.count());
        }
        out.bulk(place.member);
        if with.distance {
            write_distance(out, place.distance / options.metres);
        }
        if with.hash {
            out.int(place.score as i64);
        }
        if with.place {
            write_place(out, place.place);
        }
    }
}

fn store(cx: &mut Cx<'_>, target: &[u8], mut result: Zset, event: &'static str) {
    let len = result.as_ref().len();
    result.settle(&cx.data.st.shape);
    cx.data
        .store(target, result, len as u64, Class::ZSET, event);
    cx.out.int(len as i64);
}
