//! Places: sorted sets whose scores are positions on earth.

mod options;
pub mod searching;

use smallvec::SmallVec;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use super::zset::{self, Conditions};
use crate::resp::{Proto, Reply};
use crate::value::geo::Place;
use crate::value::{Zset, ZsetRef, parse_score};

const FAMILY: Family = Family {
    acl: Acl::GEO,
    group: Group::Geo,
};

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];

/// The rows of the commands that add places and tell where they are.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "geoadd",
        geoadd,
        Arity::AtLeast(5),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(1, K::RW.and(K::UPDATE))],
        (
            "Adds places to a geospatial index.",
            "3.2.0",
            "O(log(N)) per place",
            "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
        ),
    ),
    FAMILY.row(
        "geodist",
        geodist,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the distance between two places.",
            "3.2.0",
            "O(1)",
            "key member1 member2 [M | KM | FT | MI]",
        ),
    ),
    FAMILY.row(
        "geohash",
        geohash,
        Arity::AtLeast(2),
        F::READONLY,
        READS,
        (
            "Returns the geohashes of places.",
            "3.2.0",
            "O(1) per place",
            "key [member [member ...]]",
        ),
    ),
    FAMILY.row(
        "geopos",
        geopos,
        Arity::AtLeast(2),
        F::READONLY,
        READS,
        (
            "Returns the longitudes and latitudes of places.",
            "3.2.0",
            "O(1) per place",
            "key [member [member ...]]",
        ),
    ),
];

fn geoadd(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    // Replicas get it as the ZADD that it is.
    let mut zadd: SmallVec<[&[u8]; 16]> = SmallVec::from_slice(&[b"ZADD", key]);
    let mut how = Conditions::default();
    while let Some(word) = args.peek() {
        if args.keyword("nx") {
            how.nx = true;
        } else if args.keyword("xx") {
            how.xx = true;
        } else if args.keyword("ch") {
            how.ch = true;
        } else {
            break;
        }
        zadd.push(word);
    }
    if !args.left().is_multiple_of(3) || (how.nx && how.xx) {
        return Err(Fail::Syntax);
    }
    let mut pairs: SmallVec<[(f64, &[u8]); 4]> = SmallVec::new();
    while !args.is_done() {
        // 52 bits, which a double holds; and one more at the very corner.
        let score = place(&mut args)?.score() as f64;
        pairs.push((score, args.bulk()?));
    }
    if zset::put(cx, key, how, &pairs)? > 0 {
        let scores: SmallVec<[String; 4]> =
            pairs.iter().map(|(score, _)| score.to_string()).collect();
        let mut words: SmallVec<[&[u8]; 16]> = zadd;
        for (score, (_, member)) in scores.iter().zip(&pairs) {
            words.extend([score.as_bytes(), *member]);
        }
        cx.propagate_as(&words);
    }
    Ok(())
}

/// Takes a longitude and a latitude.
fn place(args: &mut Args<'_>) -> Result<Place, Fail> {
    let mut degrees = || parse_score(args.bulk()?).ok_or(Fail::NotFloat);
    let place = Place {
        lon: degrees()?,
        lat: degrees()?,
    };
    if place.is_valid() {
        return Ok(place);
    }
    Err(Fail::detail(format!(
        "invalid longitude,latitude pair {:.6},{:.6}",
        place.lon, place.lat
    )))
}

/// Takes a unit of length; how many metres it is.
fn unit(args: &mut Args<'_>) -> Result<f64, Fail> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = UNITS.iter().find(|(word, _)| args.keyword(word));
    found.map(|(_, metres)| *metres).ok_or(Fail::Plain(
        "unsupported unit provided. please use M, KM, FT, MI",
    ))
}

/// Where a member is.
fn place_of(zset: ZsetRef<'_>, member: &[u8]) -> Option<Place> {
    zset.score(member).map(Place::of_score)
}

fn geodist(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, one, two) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let metres = match args.left() {
        0 => 1.0,
        1 => unit(&mut args)?,
        _ => return Err(Fail::Syntax),
    };
    let found = cx.data.lend::<Zset>(key)?;
    let places = found.and_then(|zset| Some((place_of(zset, one)?, place_of(zset, two)?)));
    match places {
        Some((one, two)) => write_distance(&mut cx.out, one.distance(two) / metres),
        None => cx.out.null(),
    }
    Ok(())
}

fn geohash(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let found = cx.data.lend::<Zset>(args.bulk()?)?;
    let members = args.rest();
    cx.out.array(members.len());
    for member in members {
        match found.and_then(|zset| place_of(zset, member)) {
            Some(place) => cx.out.bulk(&place.geohash()),
            None => cx.out.null(),
        }
    }
    Ok(())
}

fn geopos(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let found = cx.data.lend::<Zset>(args.bulk()?)?;
    let members = args.rest();
    cx.out.array(members.len());
    for member in members {
        match found.and_then(|zset| place_of(zset, member)) {
            Some(place) => write_place(&mut cx.out, place),
            None => cx.out.null_array(),
        }
    }
    Ok(())
}

/// A distance with four decimals, half of the last rounded to the even one.
fn write_distance(out: &mut Reply<'_>, distance: f64) {
    out.bulk(format!("{:.4}", (distance * 10_000.0).round_ties_even() / 10_000.0).as_bytes());
}

/// A longitude and a latitude with up to 17 decimals.
fn write_place(out: &mut Reply<'_>, place: Place) {
    out.array(2);
    for degrees in [place.lon, place.lat] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        // A negative number that is next to nothing.
        let text = if text == "-0" { "0" } else { text };
        match out.proto() {
            Proto::Resp2 => out.bulk(text.as_bytes()),
            Proto::Resp3 => out.raw(format!(",{text}\r\n").as_bytes()),
        }
    }
}
