//! Strings.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "strings",
    links: 1,
    pipelined: true,
    rows: &[
        row(10, "SET key str"),
        row(
            6,
            "SET key str [NX|XX] [GET] [EX ttl|PX ms|EXAT at|PXAT atms|KEEPTTL]",
        ),
        row(
            3,
            "SET key str (NX|XX|GET|KEEPTTL|EX ttl|PX ms|EXAT at|PXAT atms)+",
        ),
        row(8, "GET key"),
        row(3, "GETSET key str"),
        row(3, "GETDEL key"),
        row(5, "GETEX key [EX ttl|PX ms|EXAT at|PXAT atms|PERSIST]"),
        row(1, "GETEX key (EX ttl|PX ms|EXAT at|PXAT atms|PERSIST)+"),
        row(3, "SETNX key str"),
        row(3, "SETEX key ttl str"),
        row(3, "PSETEX key ms str"),
        row(3, "MSET (key str)+"),
        row(3, "MSETNX (key str)+"),
        row(4, "MGET (key)+"),
        row(8, "APPEND key str"),
        row(5, "STRLEN key"),
        row(6, "SETRANGE key offset str"),
        row(6, "GETRANGE key index index"),
        row(2, "SUBSTR key index index"),
        row(6, "INCR key"),
        row(4, "DECR key"),
        row(6, "INCRBY key int"),
        row(5, "DECRBY key int"),
        row(2, "INCRBYFLOAT key float"),
        row(
            2,
            "LCS key key [LEN] [IDX] [MINMATCHLEN count] [WITHMATCHLEN]",
        ),
        row(4, "OBJECT ENCODING key"),
        row(2, "TTL key"),
        row(3, "DEL key"),
        row(4, "SET key int"),
        row(3, "SET key float"),
    ],
    samples: &[
        "SET payload hello",
        "SET payload 12345",
        "SET payload -9223372036854775808",
        "SET payload 3.0",
        "SET payload aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
};
