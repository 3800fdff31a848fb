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

#[test]
fn a_time_to_live_may_be_given_again_in_the_same_unit() {
    let mut world = World::single("");
    let a = world.client(0);
    for (command, answer) in [
        ("set k v ex 10 ex 20", "+OK|"),
        ("ttl k", ":20|"),
        ("set k v ex 10 px 20", "-ERR syntax error|"),
        ("set k v keepttl ex 20", "-ERR syntax error|"),
        ("set k v exat 9 ex 20", "-ERR syntax error|"),
        ("set k v ex x ex 20", "+OK|"),
        ("getex k pxat 5 pxat 4102444800000", "$1|v|"),
        ("pexpiretime k", ":4102444800000|"),
        ("getex k ex 10 persist", "-ERR syntax error|"),
        ("getex k persist persist", "$1|v|"),
        ("ttl k", ":-1|"),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
}

#[test]
fn floats_are_counted_in_more_digits_than_a_double_has() {
    let mut world = World::single("");
    let a = world.client(0);
    for (command, answer) in [
        ("incrbyfloat k 0.1", "$3|0.1|"),
        ("incrbyfloat k 0.2", "$3|0.3|"),
        ("incrbyfloat k 1e17", "$25|100000000000000000.296875|"),
        (
            "incrbyfloat k inf",
            "-ERR increment would produce NaN or Infinity|",
        ),
        ("incrbyfloat k x", "-ERR value is not a valid float|"),
        ("incrbyfloat n -0.0", "$1|0|"),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
}

#[test]
fn a_string_is_set_if_it_is_equal() {
    let mut world = World::single("");
    let a = world.client(0);
    let e = world.eavesdropper();
    world.ask(a, "mset k 1 n 12");
    world.ask(a, "rpush l x");
    world.overheard(e);
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
    for (command, reply, heard) in [
        ("set k 2 ifeq 0", "$-1|", ""),
        ("set k 2 ifeq 1", "+OK|", "SET k 2"),
        ("set k 3 get ifeq 2", "$1|2|", "SET k 3"),
        ("set k 4 ifeq 2 get", "$1|3|", ""),
        ("set n 13 IFEQ 12 keepttl", "+OK|", "SET n 13 KEEPTTL"),
        (
            "set n 14 ifeq 13 pxat 4102444800000",
            "+OK|",
            "SET n 14 PXAT 4102444800000",
        ),
        ("set no x ifeq x", "$-1|", ""),
        ("set no x ifeq x get", "$-1|", ""),
        ("set l x ifeq x", wrong_type, ""),
        ("set k x ifeq", "-ERR syntax error|", ""),
        ("set k x ifeq 3 xx", "-ERR syntax error|", ""),
        ("set k x nx ifeq 3", "-ERR syntax error|", ""),
        ("set k x ifeq 3 ifeq 3", "-ERR syntax error|", ""),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
        assert_eq!(world.overheard(e), heard, "{command}");
    }
}
