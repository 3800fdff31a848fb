//! Streams.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "streams",
    links: 1,
    pipelined: true,
    rows: &[
        row(12, "XADD key streamid (member str)+"),
        row(
            4,
            "XADD key [NOMKSTREAM] [MAXLEN [=] count|MINID [=] streamid] streamid member str",
        ),
        row(
            1,
            "XADD key MAXLEN (~|=) count LIMIT count streamid member str",
        ),
        row(4, "XLEN key"),
        row(6, "XRANGE key streamid streamid [COUNT count]"),
        row(4, "XREVRANGE key streamid streamid [COUNT count]"),
        row(3, "XRANGE key - +"),
        row(4, "XDEL key (streamid)+"),
        row(4, "XTRIM key (MAXLEN|MINID) [=] streamid"),
        row(2, "XTRIM key (MAXLEN|MINID) (~|=) count [LIMIT count]"),
        row(4, "XREAD [COUNT count] STREAMS key streamid"),
        row(2, "XREAD COUNT small STREAMS key key streamid streamid"),
        row(
            5,
            "XGROUP CREATE key group streamid [MKSTREAM] [ENTRIESREAD int]",
        ),
        row(2, "XGROUP SETID key group streamid [ENTRIESREAD int]"),
        row(1, "XGROUP DESTROY key group"),
        row(2, "XGROUP CREATECONSUMER key group consumer"),
        row(2, "XGROUP DELCONSUMER key group consumer"),
        row(1, "XGROUP HELP"),
        row(
            6,
            "XREADGROUP GROUP group consumer [COUNT count] [NOACK] STREAMS key (>|streamid)",
        ),
        row(4, "XACK key group (streamid)+"),
        row(4, "XPENDING key group"),
        row(3, "XPENDING key group [IDLE 0] - + small [consumer]"),
        row(
            4,
            "XCLAIM key group consumer 0 (streamid)+ [FORCE] [JUSTID] [RETRYCOUNT count]",
        ),
        row(
            3,
            "XAUTOCLAIM key group consumer 0 streamid [COUNT small] [JUSTID]",
        ),
        row(4, "XINFO STREAM key [FULL [COUNT count]]"),
        row(3, "XINFO GROUPS key"),
        row(3, "XINFO CONSUMERS key group"),
        row(1, "XINFO HELP"),
        row(
            2,
            "XSETID key streamid [ENTRIESADDED int] [MAXDELETEDID streamid]",
        ),
        row(2, "OBJECT ENCODING key"),
        row(1, "DEL key"),
    ],
    samples: &[
        "XADD payload 1-1 a 1",
        "XADD payload 5-0 field vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv",
    ],
};
