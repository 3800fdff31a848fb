//! Sets.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "sets",
    links: 1,
    pipelined: true,
    rows: &[
        row(10, "SADD key (member)+"),
        row(4, "SADD key (element)+"),
        row(1, "SADD key (element)#"),
        row(5, "SREM key (member)+"),
        row(3, "SCARD key"),
        row(4, "SISMEMBER key member"),
        row(3, "SMISMEMBER key (member)+"),
        row(5, "SMEMBERS key"),
        row(4, "SMOVE key key member"),
        row(3, "SINTER (key)+"),
        row(3, "SUNION (key)+"),
        row(3, "SDIFF (key)+"),
        row(3, "SINTERSTORE key (key)+"),
        row(3, "SUNIONSTORE key (key)+"),
        row(3, "SDIFFSTORE key (key)+"),
        row(4, "SINTERCARD small (key)+ [LIMIT count]"),
        row(3, "SRANDMEMBER key [draws]"),
        // Beside another command, so that no word is left out: one member alone is drawn by chance.
        row(2, "SPOP key big ; SCARD key"),
        row(1, "SPOP key (0|-1|garbage) ; SCARD key"),
        row(4, "SSCAN key cursor [MATCH pattern] [COUNT count]"),
        row(4, "SSCAN key 0 COUNT 10000 [MATCH pattern]"),
        row(5, "OBJECT ENCODING key"),
        row(1, "DEL key"),
    ],
    samples: &[
        "SADD payload 1 2 3",
        "SADD payload a b c 1",
        "SADD payload member0 member1 member2 member3 member4 member5 member6 member7 member8 member9 member10 member11 member12 member13 member14 member15 member16 member17 member18 member19 member20 member21 member22 member23 member24 member25 member26 member27 member28 member29 member30 member31 member32 member33 member34 member35 member36 member37 member38 member39 member40 member41 member42 member43 member44 member45 member46 member47 member48 member49 member50 member51 member52 member53 member54 member55 member56 member57 member58 member59 member60 member61 member62 member63 member64 member65 member66 member67 member68 member69 member70 member71 member72 member73 member74 member75 member76 member77 member78 member79 member80 member81 member82 member83 member84 member85 member86 member87 member88 member89 member90 member91 member92 member93 member94 member95 member96 member97 member98 member99 member100 member101 member102 member103 member104 member105 member106 member107 member108 member109 member110 member111 member112 member113 member114 member115 member116 member117 member118 member119 member120 member121 member122 member123 member124 member125 member126 member127 member128 member129 member130 member131 member132 member133 member134 member135 member136 member137 member138 member139 member140 member141 member142 member143 member144 member145 member146 member147 member148 member149 member150 member151 member152 member153 member154 member155 member156 member157 member158 member159 member160 member161 member162 member163 member164 member165 member166 member167 member168 member169 member170 member171 member172 member173 member174 member175 member176 member177 member178 member179 member180 member181 member182 member183 member184 member185 member186 member187 member188 member189 member190 member191 member192 member193 member194 member195 member196 member197 member198 member199",
        "SADD payload 1 70000 -9000000000",
    ],
};
