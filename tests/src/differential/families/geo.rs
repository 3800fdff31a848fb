//! Places.

use crate::differential::family::{Family, row};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "geo",
    links: 1,
    pipelined: true,
    rows: &[
        row(10, "GEOADD key (lon lat member)+"),
        row(4, "GEOADD key [NX|XX] [CH] (lon lat member)+"),
        row(5, "GEODIST key member member [M|KM|FT|MI|garbage]"),
        row(5, "GEOPOS key (member)*"),
        row(5, "GEOHASH key (member)*"),
        row(
            6,
            "GEOSEARCH key (FROMMEMBER member|FROMLONLAT lon lat) (BYRADIUS radius (M|KM|MI)|BYBOX radius radius (M|KM|FT)) (ASC|DESC) [COUNT count] [WITHCOORD] [WITHDIST] [WITHHASH]",
        ),
        row(
            2,
            "GEOSEARCH key (FROMMEMBER member|FROMLONLAT lon lat|BYRADIUS radius KM|ASC|COUNT count ANY|WITHDIST)+",
        ),
        row(
            4,
            "GEOSEARCHSTORE key key (FROMMEMBER member|FROMLONLAT lon lat) BYRADIUS radius (KM|M) [STOREDIST]",
        ),
        row(
            3,
            "GEORADIUS key lon lat radius (M|KM) [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count] (ASC|DESC)",
        ),
        row(
            3,
            "GEORADIUSBYMEMBER key member radius (M|KM) [WITHDIST] [COUNT count] (ASC|DESC)",
        ),
        row(
            1,
            "GEORADIUS key lon lat radius KM (STORE key|STOREDIST key)",
        ),
        row(2, "ZRANGE key 0 -1 WITHSCORES"),
        row(1, "DEL key"),
    ],
    samples: &["GEOADD payload 13.361389 38.115556 a"],
};
