//! HyperLogLogs.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "hyperloglog",
    links: 1,
    pipelined: true,
    rows: &[
        row(10, "PFADD key (member)*"),
        row(3, "PFADD key (element)+"),
        row(2, "PFADD key (element)#"),
        row(6, "PFCOUNT (key)+"),
        row(5, "PFMERGE key (key)*"),
        row(4, "GET key"),
        row(2, "STRLEN key"),
        row(2, "PFDEBUG ENCODING key"),
        row(1, "PFDEBUG (GETREG|TODENSE|DECODE) key"),
        row(2, "SET key str"),
        row(2, "APPEND key str"),
        row(3, "OBJECT ENCODING key"),
        row(1, "DEL key"),
    ],
    samples: &["PFADD payload a b c"],
};
