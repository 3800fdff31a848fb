//! The families: a file each, with a table of how its commands are written.

use super::family::{Family, Row, row};

mod bits;
mod connection;
mod generic;
mod geo;
mod hashes;
mod hyperloglog;
mod lists;
mod pubsub;
mod server;
mod sets;
mod sort;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;

/// Every family, in the order they are tested in.
pub const ALL: &[Family] = &[
    strings::FAMILY,
    lists::FAMILY,
    generic::FAMILY,
    transactions::FAMILY,
    connection::FAMILY,
    pubsub::FAMILY,
    server::FAMILY,
    hashes::FAMILY,
    sets::FAMILY,
    sorted_sets::FAMILY,
    streams::FAMILY,
    bits::FAMILY,
    hyperloglog::FAMILY,
    geo::FAMILY,
    sort::FAMILY,
];

/// Commands of all types, strewn into every family so that keys have the wrong type at times.
pub(super) const SPICE: &[Row] = &[
    row(4, "SET key str"),
    row(4, "RPUSH key (str)+"),
    row(4, "HSET key (member str)+"),
    row(4, "SADD key (member)+"),
    row(4, "ZADD key (score member)+"),
    row(3, "XADD key streamid member str"),
    row(1, "SETBIT key offset bit"),
    row(1, "PFADD key (member)+"),
    row(3, "DEL (key)+"),
    row(3, "EXPIRE key ttl"),
    row(2, "TYPE key"),
];

/// More of that, where every command is answered by exactly one reply.
pub(super) const COMMON: &[Row] = &[
    row(2, "OBJECT ENCODING key"),
    row(1, "PERSIST key"),
    row(2, "RENAME key key"),
    row(2, "COPY key key REPLACE"),
    row(2, "RESTORE key 0 payload REPLACE"),
    row(2, "TTL key"),
    row(1, "KEYS pattern"),
    row(1, "DBSIZE"),
];

/// Settings that make values change their encoding early; each is made for a part of the
/// sequences.
pub(super) const SETTINGS: &[Row] = &[
    row(1, "CONFIG SET LIST-MAX-LISTPACK-SIZE (1|4|-1|-2|128)"),
    row(1, "CONFIG SET LIST-COMPRESS-DEPTH (1|2)"),
    row(1, "CONFIG SET HASH-MAX-LISTPACK-ENTRIES (2|8)"),
    row(1, "CONFIG SET HASH-MAX-LISTPACK-VALUE (4|20)"),
    row(1, "CONFIG SET SET-MAX-INTSET-ENTRIES (2|8)"),
    row(1, "CONFIG SET SET-MAX-LISTPACK-ENTRIES (2|8)"),
    row(1, "CONFIG SET SET-MAX-LISTPACK-VALUE (4|20)"),
    row(1, "CONFIG SET ZSET-MAX-LISTPACK-ENTRIES (2|8)"),
    row(1, "CONFIG SET ZSET-MAX-LISTPACK-VALUE (4|20)"),
    row(1, "CONFIG SET STREAM-NODE-MAX-ENTRIES (1|4)"),
    row(1, "CONFIG SET LAZYFREE-LAZY-USER-DEL YES"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::draw::Draw;
    use crate::differential::pattern::Pattern;

    #[test]
    fn every_row_can_be_written() {
        let mut draw = Draw::new(1, &[]);
        let rows = ALL.iter().flat_map(|family| family.rows);
        for row in rows.chain(SPICE).chain(COMMON).chain(SETTINGS) {
            assert!(row.weight > 0, "{}", row.text);
            let pattern = Pattern::parse(row.text);
            assert!(!pattern.name().is_empty(), "{}", row.text);
            for _ in 0..100 {
                let mut words = Vec::new();
                pattern.draw(&mut draw, &mut words);
                assert!(!words.is_empty());
            }
        }
    }

    #[test]
    fn families_have_names_of_their_own() {
        for (at, family) in ALL.iter().enumerate() {
            let same = |other: &Family| other.name == family.name;
            assert_eq!(ALL.iter().position(same), Some(at));
        }
    }
}
