//! Strings.

use super::harness::World;

#[test]
fn what_two_strings_have_in_common_is_found() {
    let mut world = World::single("proto-max-bulk-len 1mb");
    let a = world.client(0);
    world.ask(a, "mset one ohmytext two mynewtext");
    world.ask(a, "rpush list x");
    world.ask(a, "setbit long 4800 1");
    for (command, answer) in [
        ("lcs one two", "$6|mytext|"),
        ("lcs one two len", ":6|"),
        (
            "lcs one two idx",
            "*4|$7|matches|*2|*2|*2|:4|:7|*2|:5|:8|*2|*2|:2|:3|*2|:0|:1|$3|len|:6|",
        ),
        (
            "lcs one two idx withmatchlen minmatchlen 3",
            "*4|$7|matches|*1|*3|*2|:4|:7|*2|:5|:8|:4|$3|len|:6|",
        ),
        ("lcs one missing", "$0||"),
        ("lcs one missing idx", "*4|$7|matches|*0|$3|len|:0|"),
        ("lcs one missing len", ":0|"),
        (
            "lcs one two idx len",
            "-ERR If you want both the length and indexes, please just use IDX.|",
        ),
        ("lcs one two foo", "-ERR syntax error|"),
        ("lcs one two minmatchlen", "-ERR syntax error|"),
        (
            "lcs one list foo",
            "-ERR The specified keys must contain string values|",
        ),
        (
            "lcs long long",
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len|",
        ),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
    world.ask(a, "hello 3");
    let answer = world.ask(a, "lcs one two idx minmatchlen 5");
    assert_eq!(answer, "%2|$7|matches|*0|$3|len|:6|");
}

#[test]
fn a_range_that_ends_before_a_string_has_its_first_byte() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k abc");
    assert_eq!(world.ask(a, "getrange k 0 -100"), "$1|a|");
    assert_eq!(world.ask(a, "substr k -9 -9"), "$1|a|");
    assert_eq!(world.ask(a, "getrange k -1 -100"), "$0||");
    assert_eq!(world.ask(a, "getrange k 1 -1"), "$2|bc|");
}
