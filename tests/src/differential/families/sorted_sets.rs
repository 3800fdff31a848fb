//! Sorted sets.

use crate::differential::family::{Family, row, row_7_2};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "zsets",
    links: 1,
    pipelined: true,
    rows: &[
        row(10, "ZADD key (score member)+"),
        row(6, "ZADD key [NX|XX] [GT|LT] [CH] [INCR] (score member)+"),
        row(1, "ZADD key (NX|XX|GT|LT|CH|INCR)+ score member"),
        row(1, "ZADD key (score element)#"),
        row(4, "ZINCRBY key score member"),
        row(5, "ZREM key (member)+"),
        row(2, "ZCARD key"),
        row(4, "ZSCORE key member"),
        row(3, "ZMSCORE key (member)+"),
        row(4, "ZRANK key member"),
        row(4, "ZREVRANK key member"),
        row_7_2(3, "ZRANK key member WITHSCORE"),
        row_7_2(3, "ZREVRANK key member WITHSCORE"),
        row(4, "ZRANGE key index index [WITHSCORES]"),
        row(
            4,
            "ZRANGE key range range BYSCORE [REV] [LIMIT index count] [WITHSCORES]",
        ),
        row(
            4,
            "ZRANGE key lexrange lexrange BYLEX [REV] [LIMIT index count]",
        ),
        row(
            1,
            "ZRANGE key index index (BYSCORE|BYLEX|REV|LIMIT index count|WITHSCORES)+",
        ),
        row(3, "ZRANGESTORE key key index index [REV]"),
        row(
            3,
            "ZRANGESTORE key key range range BYSCORE [REV] [LIMIT index count]",
        ),
        row(3, "ZREVRANGE key index index [WITHSCORES]"),
        row(
            3,
            "ZRANGEBYSCORE key range range [WITHSCORES] [LIMIT index count]",
        ),
        row(
            3,
            "ZREVRANGEBYSCORE key range range [WITHSCORES] [LIMIT index count]",
        ),
        row(3, "ZRANGEBYLEX key lexrange lexrange [LIMIT index count]"),
        row(
            3,
            "ZREVRANGEBYLEX key lexrange lexrange [LIMIT index count]",
        ),
        row(3, "ZCOUNT key range range"),
        row(3, "ZLEXCOUNT key lexrange lexrange"),
        row(3, "ZREMRANGEBYRANK key index index"),
        row(3, "ZREMRANGEBYSCORE key range range"),
        row(3, "ZREMRANGEBYLEX key lexrange lexrange"),
        row(4, "ZPOPMIN key [count]"),
        row(4, "ZPOPMAX key [count]"),
        row(2, "ZMPOP 1 key (MIN|MAX) [COUNT count]"),
        row(2, "ZMPOP small (key)+ (MIN|MAX) [COUNT count]"),
        row(1, "BZPOPMIN (key)+ wait"),
        row(1, "BZPOPMAX (key)+ wait"),
        row(1, "BZMPOP wait 2 key key (MIN|MAX) [COUNT count]"),
        row(
            2,
            "ZINTER 2 key key [WEIGHTS float float] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]",
        ),
        row(
            2,
            "ZUNION 2 key key [WEIGHTS float float] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]",
        ),
        row(2, "ZUNION small (key)+ [WITHSCORES]"),
        row(2, "ZDIFF 2 key key [WITHSCORES]"),
        row(
            2,
            "ZINTERSTORE key 2 key key [WEIGHTS float float] [AGGREGATE (SUM|MIN|MAX)]",
        ),
        row(
            2,
            "ZUNIONSTORE key 2 key key [WEIGHTS float float] [AGGREGATE (SUM|MIN|MAX)]",
        ),
        row(2, "ZDIFFSTORE key 2 key key"),
        row(2, "ZINTERCARD 2 key key [LIMIT count]"),
        row(3, "ZRANDMEMBER key [draws [WITHSCORES]]"),
        row(3, "ZSCAN key cursor [MATCH pattern] [COUNT count]"),
        row(3, "ZSCAN key 0 COUNT 10000 [MATCH pattern]"),
        row(5, "OBJECT ENCODING key"),
        row(1, "DEL key"),
    ],
    samples: &[
        "ZADD payload 1 a 2.5 b",
        "ZADD payload inf a -inf b 0 c",
        "ZADD payload 0.5 m0 1.5 m1 2.5 m2 3.5 m3 4.5 m4 5.5 m5 6.5 m6 7.5 m7 8.5 m8 9.5 m9 10.5 m10 11.5 m11 12.5 m12 13.5 m13 14.5 m14 15.5 m15 16.5 m16 17.5 m17 18.5 m18 19.5 m19 20.5 m20 21.5 m21 22.5 m22 23.5 m23 24.5 m24 25.5 m25 26.5 m26 27.5 m27 28.5 m28 29.5 m29 30.5 m30 31.5 m31 32.5 m32 33.5 m33 34.5 m34 35.5 m35 36.5 m36 37.5 m37 38.5 m38 39.5 m39 40.5 m40 41.5 m41 42.5 m42 43.5 m43 44.5 m44 45.5 m45 46.5 m46 47.5 m47 48.5 m48 49.5 m49 50.5 m50 51.5 m51 52.5 m52 53.5 m53 54.5 m54 55.5 m55 56.5 m56 57.5 m57 58.5 m58 59.5 m59 60.5 m60 61.5 m61 62.5 m62 63.5 m63 64.5 m64 65.5 m65 66.5 m66 67.5 m67 68.5 m68 69.5 m69 70.5 m70 71.5 m71 72.5 m72 73.5 m73 74.5 m74 75.5 m75 76.5 m76 77.5 m77 78.5 m78 79.5 m79 80.5 m80 81.5 m81 82.5 m82 83.5 m83 84.5 m84 85.5 m85 86.5 m86 87.5 m87 88.5 m88 89.5 m89 90.5 m90 91.5 m91 92.5 m92 93.5 m93 94.5 m94 95.5 m95 96.5 m96 97.5 m97 98.5 m98 99.5 m99 100.5 m100 101.5 m101 102.5 m102 103.5 m103 104.5 m104 105.5 m105 106.5 m106 107.5 m107 108.5 m108 109.5 m109 110.5 m110 111.5 m111 112.5 m112 113.5 m113 114.5 m114 115.5 m115 116.5 m116 117.5 m117 118.5 m118 119.5 m119 120.5 m120 121.5 m121 122.5 m122 123.5 m123 124.5 m124 125.5 m125 126.5 m126 127.5 m127 128.5 m128 129.5 m129 130.5 m130 131.5 m131 132.5 m132 133.5 m133 134.5 m134 135.5 m135 136.5 m136 137.5 m137 138.5 m138 139.5 m139 140.5 m140 141.5 m141 142.5 m142 143.5 m143 144.5 m144 145.5 m145 146.5 m146 147.5 m147 148.5 m148 149.5 m149",
    ],
};
