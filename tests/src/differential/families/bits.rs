//! Bitmaps.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "bits",
    links: 1,
    pipelined: true,
    rows: &[
        row(10, "SETBIT key offset bit"),
        row(6, "GETBIT key offset"),
        row(5, "BITCOUNT key"),
        row(5, "BITCOUNT key index index [BYTE|BIT|garbage]"),
        row(6, "BITPOS key bit [index [index [BYTE|BIT|garbage]]]"),
        row(5, "BITOP (AND|OR|XOR) key (key)+"),
        row(3, "BITOP NOT key key"),
        row(1, "BITOP garbage key key"),
        row(
            6,
            "BITFIELD key (GET bits bitoffset|SET bits bitoffset int|INCRBY bits bitoffset int|OVERFLOW (WRAP|SAT|FAIL|garbage))+",
        ),
        row(4, "BITFIELD_RO key (GET bits bitoffset)+"),
        row(1, "BITFIELD_RO key SET bits bitoffset int"),
        row(5, "SET key str"),
        row(3, "APPEND key str"),
        row(4, "GET key"),
        row(3, "OBJECT ENCODING key"),
        row(2, "STRLEN key"),
        row(1, "DEL key"),
    ],
    samples: &[],
};
