//! SORT.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "sort",
    links: 1,
    pipelined: true,
    rows: &[
        row(6, "RPUSH key (element)+"),
        row(5, "RPUSH key (member)+"),
        row(3, "SADD key (element)+"),
        row(3, "ZADD key (score member)+"),
        row(8, "SORT key [LIMIT index count] [ASC|DESC] [ALPHA]"),
        row(
            5,
            "SORT key BY (NOSORT|'k*|'w_*|'k*->f1|#) [LIMIT index count] [ASC|DESC] [ALPHA]",
        ),
        row(4, "SORT key (GET (#|'k*|'w_*|'k*->a)|ALPHA|DESC)+"),
        row(4, "SORT key [ALPHA] [DESC] STORE key"),
        row(5, "SORT_RO key [LIMIT index count] [ASC|DESC] [ALPHA]"),
        row(1, "SORT_RO key STORE key"),
        row(4, "SET key str"),
        row(2, "HSET key (member str)+"),
        row(1, "DEL key"),
    ],
    samples: &[],
};
