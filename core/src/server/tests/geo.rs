//! Places as clients see them.

use super::harness::{World, dialogue};
use super::replication::{assert_same, pair};

const SICILY: (&str, &str) = (
    "geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    ":2|",
);

#[test]
fn places_are_added_and_told() {
    let lines = [
        SICILY,
        ("geoadd g nx ch 13.4 38 Palermo 14 37 new", ":1|"),
        ("geoadd g xx ch 14.5 37 new 1 1 other", ":1|"),
        ("zscore g Palermo", "$16|3479099956230698|"),
        ("geodist g Palermo Catania", "$11|166274.1516|"),
        ("geodist g Palermo Catania KM", "$8|166.2742|"),
        ("geodist g Palermo nope", "$-1|"),
        ("geodist no a b", "$-1|"),
        ("geohash g Palermo nope", "*2|$11|sqc8b49rny0|$-1|"),
        (
            "geopos g Palermo nope",
            "*2|*2|$20|13.36138933897018433|$20|38.11555639549629859|*-1|",
        ),
        ("geopos no a", "*1|*-1|"),
        ("geohash g", "*0|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn places_are_found_in_circles_and_boxes() {
    let lines = [
        SICILY,
        (
            "geoadd g 12.758489 38.788135 edge1 17.241510 38.788135 edge2",
            ":2|",
        ),
        ("georadius g 15 37 200 km asc", "*2|$7|Catania|$7|Palermo|"),
        (
            "georadius g 15 37 200 km withdist withhash desc",
            "*2|*3|$7|Palermo|$8|190.4424|:3479099956230698|\
             *3|$7|Catania|$7|56.4413|:3479447370796909|",
        ),
        (
            "geosearch g fromlonlat 15 37 bybox 400 400 km asc withdist",
            "*4|*2|$7|Catania|$7|56.4413|*2|$7|Palermo|$8|190.4424|\
             *2|$5|edge2|$8|279.7403|*2|$5|edge1|$8|279.7405|",
        ),
        (
            "geosearch g frommember Palermo byradius 200 km count 1",
            "*1|$7|Palermo|",
        ),
        (
            "georadiusbymember g Catania 1 m withcoord",
            "*1|*2|$7|Catania|*2|\
          $20|15.08726745843887329|$20|37.50266842333162032|",
        ),
        (
            "geosearchstore d g fromlonlat 15 37 byradius 200 km storedist",
            ":2|",
        ),
        ("zrange d 0 -1", "*2|$7|Catania|$7|Palermo|"),
        ("geosearchstore d g fromlonlat 100 7 byradius 1 m", ":0|"),
        ("exists d", ":0|"),
        ("georadius g 15 37 200 km store d", ":2|"),
        ("zscore d Palermo", "$16|3479099956230698|"),
        ("georadius_ro no 15 37 200 km", "*0|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn what_is_wrong_is_refused() {
    let lines = [
        SICILY,
        ("set s x", "+OK|"),
        (
            "geoadd g 181 1 a",
            "-ERR invalid longitude,latitude pair 181.000000,1.000000|",
        ),
        ("geoadd g a 1 a", "-ERR value is not a valid float|"),
        (
            "geoadd g 1 1",
            "-ERR wrong number of arguments for 'geoadd' command|",
        ),
        ("geoadd g ch 1 1 a b", "-ERR syntax error|"),
        (
            "geodist g a b yd",
            "-ERR unsupported unit provided. please use M, KM, FT, MI|",
        ),
        (
            "geodist s a b",
            "-WRONGTYPE Operation against a key holding the wrong kind of value|",
        ),
        ("georadius g 1 1 -1 m", "-ERR radius cannot be negative|"),
        ("georadius g 1 1 x m", "-ERR need numeric radius|"),
        ("georadius g 1 1 1 m count 0", "-ERR COUNT must be > 0|"),
        (
            "georadius g 1 1 1 m any",
            "-ERR the ANY argument requires COUNT argument|",
        ),
        ("georadius_ro g 1 1 1 m store d", "-ERR syntax error|"),
        (
            "georadius g 1 1 1 m store d withdist",
            "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and \
             WITHCOORD options|",
        ),
        (
            "georadiusbymember g nope 1 m",
            "-ERR could not decode requested zset member|",
        ),
        (
            "geosearch g byradius 1 m asc desc any count 1",
            "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch|",
        ),
        (
            "geosearch g fromlonlat 1 1 asc count 1",
            "-ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch|",
        ),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn places_are_the_same_on_a_replica() {
    let mut world = pair(1, "");
    let a = world.client(0);
    for (command, reply) in [
        SICILY,
        ("geoadd g ch 180 85.05112878 corner 2 2 Palermo", ":2|"),
        (
            "geosearchstore d g fromlonlat 15 37 byradius 200 km storedist",
            ":1|",
        ),
        ("georadius g 15 37 9999 km storedist e", ":2|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
    assert_same(&mut world);
}

#[test]
fn the_way_to_search_may_be_told_again_but_in_the_same_way() {
    let lines = [
        ("geoadd k 1 1 a 2 2 b", ":2|"),
        (
            "geosearch k frommember a frommember b byradius 10 km",
            "*1|$1|b|",
        ),
        (
            "geosearch k frommember a bybox 9 9 km bybox 900 900 km",
            "*2|$1|a|$1|b|",
        ),
        (
            "geosearch k frommember a fromlonlat 2 2 byradius 10 km",
            "-ERR syntax error|",
        ),
        (
            "geosearch k frommember a byradius 10 km bybox 9 9 km",
            "-ERR syntax error|",
        ),
        ("georadiusbymember no a x y asc", "*0|"),
        (
            "georadiusbymember no a x y count 0",
            "-ERR COUNT must be > 0|",
        ),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn a_place_on_the_date_line_is_found_from_itself() {
    let lines = [
        ("geoadd k 180 48.8 a 1 1 b", ":2|"),
        ("georadiusbymember k a 1 km", "*1|$1|a|"),
    ];
    dialogue(&mut World::single(""), &lines);
}
