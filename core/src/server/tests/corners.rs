//! Corners of commands in which a real server has been seen to behave like this.

use super::harness::World;
use crate::resp::encode_command;
use crate::value::{StrRef, ValueRef};

#[test]
fn a_range_that_ends_in_front_of_a_string_is_its_first_byte() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k hello");
    assert_eq!(world.ask(a, "getrange k 0 -9"), "$1|h|");
    assert_eq!(world.ask(a, "getrange k -9 -7"), "$1|h|");
    assert_eq!(world.ask(a, "substr k -7 -9"), "$0||");
    assert_eq!(world.ask(a, "getrange k 1 -9"), "$0||");
    assert_eq!(world.ask(a, "getrange none 0 -9"), "$0||");
}

#[test]
fn the_same_expiry_option_may_come_twice_and_the_last_counts() {
    let mut world = World::single("");
    let a = world.client(0);
    let set = "set k v pxat 4102444800000 pxat 4102444801000";
    assert_eq!(world.ask(a, set), "+OK|");
    assert_eq!(world.ask(a, "pexpiretime k"), ":4102444801000|");
    let getex = "getex k exat 4102444802 exat 4102444803";
    assert_eq!(world.ask(a, getex), "$1|v|");
    assert_eq!(world.ask(a, "expiretime k"), ":4102444803|");
    for other in [
        "set k v ex 10 px 10",
        "set k v keepttl ex 10",
        "getex k persist ex 10",
    ] {
        assert_eq!(world.ask(a, other), "-ERR syntax error|", "{other}");
    }
}

#[test]
fn append_makes_a_new_string_as_set_does() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(world.ask(a, "append n 12345"), ":5|");
    assert_eq!(world.ask(a, "object encoding n"), "$3|int|");
    world.ask(a, "append s text");
    assert_eq!(world.ask(a, "object encoding s"), "$6|embstr|");
    assert_eq!(world.ask(a, "append s more"), ":8|");
    assert_eq!(world.ask(a, "object encoding s"), "$3|raw|");
}

#[test]
fn a_sum_of_floats_stays_a_text_until_it_is_set_again() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set n 1.5");
    assert_eq!(world.ask(a, "incrbyfloat n 0.5"), "$1|2|");
    assert_eq!(world.ask(a, "object encoding n"), "$6|embstr|");
    world.ask(a, "set n 2");
    assert_eq!(world.ask(a, "incrbyfloat n 0"), "$1|2|");
    assert_eq!(world.ask(a, "object encoding n"), "$6|embstr|");
    assert_eq!(world.ask(a, "incr n"), ":3|");
    assert_eq!(world.ask(a, "object encoding n"), "$3|int|");
}

#[test]
fn options_of_expire_are_read_before_its_time() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(
        world.ask(a, "expire k x gt lt"),
        "-ERR GT and LT options at the same time are not compatible|"
    );
    assert_eq!(
        world.ask(a, "pexpireat k x huh"),
        "-ERR Unsupported option huh|"
    );
}

#[test]
fn indexes_of_databases_are_small_integers() {
    let mut world = World::single("");
    let a = world.client(0);
    let far = "-ERR value is out of range, value must between -2147483648 and 2147483647|";
    for command in [
        "select 99999999999",
        "move k 99999999999",
        "copy k l db 99999999999",
    ] {
        assert_eq!(world.ask(a, command), far, "{command}");
    }
    assert_eq!(world.ask(a, "select 16"), "-ERR DB index is out of range|");
    assert_eq!(
        world.ask(a, "swapdb 99999999999 0"),
        "-ERR invalid first DB index|"
    );
    assert_eq!(world.ask(a, "swapdb 0 x"), "-ERR invalid second DB index|");
}

#[test]
fn cursors_may_have_a_sign() {
    let mut world = World::single("");
    let a = world.client(0);
    for good in ["scan 0", "scan +0", "scan -9223372036854775809"] {
        assert_eq!(world.ask(a, good), "*2|$1|0|*0|", "{good}");
    }
    for bad in [
        "scan x",
        "scan -1",
        "scan -",
        "scan 1x",
        "scan 18446744073709551616",
    ] {
        assert_eq!(world.ask(a, bad), "-ERR invalid cursor|", "{bad}");
    }
}

#[test]
fn errors_name_what_was_sent() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(
        world.ask(a, "client setinfo LIB-Name a\tb"),
        "-ERR LIB-Name cannot contain spaces, newlines or special characters.|"
    );
    assert_eq!(
        world.ask(a, "client UnBlock x y"),
        "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR|"
    );
    assert_eq!(
        world.ask(a, "client UnBlock 1 error now"),
        "-ERR unknown subcommand or wrong number of arguments for 'UnBlock'. Try CLIENT HELP.|"
    );
    assert_eq!(
        world.ask(a, "pubsub ShardChannels a b"),
        "-ERR unknown subcommand or wrong number of arguments for 'ShardChannels'. Try PUBSUB \
         HELP.|"
    );
}

#[test]
fn config_set_tells_its_first_error() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(world.ask(a, "config set timeout 1 x"), "-ERR syntax error|");
    let failed = "-ERR CONFIG SET failed (possibly related to argument";
    assert_eq!(
        world.ask(a, "config set TimeOut x"),
        format!("{failed} 'timeout') - argument couldn't be parsed into an integer|")
    );
    assert_eq!(
        world.ask(a, "config set timeout 1 timeout 2 nosuch 3"),
        format!("{failed} 'timeout') - duplicate parameter|")
    );
}

#[test]
fn scan_deletes_the_expired_keys_that_it_selects() {
    let mut world = World::single("enable-debug-command yes\n");
    let a = world.client(0);
    for (command, reply) in [
        ("debug set-active-expire 0", "+OK|"),
        ("set a 1 px 5", "+OK|"),
        ("set b 1 px 5", "+OK|"),
        ("set c 1", "+OK|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
    world.wait(50);
    for (command, reply) in [
        ("dbsize", ":3|"),
        ("scan 0 match a count 100", "*2|$1|0|*0|"),
        ("dbsize", ":2|"),
        ("scan 0 count 100 type string", "*2|$1|0|*1|$1|c|"),
        ("dbsize", ":1|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn a_watched_key_that_had_expired_does_not_change_when_its_database_is_emptied() {
    let config = "enable-debug-command yes\n";
    for (clear, reply) in [("flushdb", "+OK|"), ("swapdb 0 5", "+OK|")] {
        let mut world = World::single(config);
        let a = world.client(0);
        world.ask(a, "debug set-active-expire 0");
        world.ask(a, "set x foo px 5");
        world.wait(50);
        world.ask(a, "watch x");
        assert_eq!(world.ask(a, clear), reply);
        world.ask(a, "multi");
        world.ask(a, "ping");
        assert_eq!(world.ask(a, "exec"), "*1|+PONG|", "{clear}");
        world.ask(a, "watch y");
        world.ask(a, "set y 1");
        world.ask(a, clear);
        world.ask(a, "multi");
        assert_eq!(world.ask(a, "exec"), "*-1|", "{clear}");
    }
}

#[test]
fn a_watched_key_that_had_expired_does_not_change_by_going() {
    let mut world = World::single("enable-debug-command yes");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "debug set-active-expire 0");
    world.ask(a, "set k v px 1");
    world.wait(5);
    world.ask(a, "watch k");
    assert_eq!(world.ask(b, "exists k"), ":0|");
    world.ask(a, "multi");
    assert_eq!(world.ask(a, "exec"), "*0|");
    world.ask(a, "set k v px 1");
    world.wait(5);
    world.ask(a, "watch k");
    assert_eq!(world.ask(b, "exists k"), ":0|");
    world.ask(b, "set k w");
    world.ask(a, "multi");
    assert_eq!(world.ask(a, "exec"), "*-1|", "what comes after it is new");
    world.ask(a, "set k v px 20");
    world.ask(a, "watch k");
    world.wait(50);
    assert_eq!(world.ask(b, "exists k"), ":0|");
    world.ask(a, "multi");
    assert_eq!(world.ask(a, "exec"), "*-1|", "it expired later");
}

#[test]
fn what_is_deleted_for_its_time_goes_out_as_the_directives_say() {
    let mut world = World::single("");
    let a = world.client(0);
    let e = world.eavesdropper();
    for (directive, words) in [
        ("lazyfree-lazy-expire", ["UNLINK", "UNLINK", "DEL"]),
        ("lazyfree-lazy-server-del", ["DEL", "DEL", "UNLINK"]),
    ] {
        world.ask(a, &format!("config set {directive} yes"));
        let mut commands = [Vec::new(), Vec::new(), Vec::new()];
        let payload = crate::persist::rdb::dump(ValueRef::Str(StrRef::Int(1)), false);
        encode_command(&mut commands[0], &[b"expire", b"k", b"-1"]);
        encode_command(&mut commands[1], &[b"getex", b"k", b"pxat", b"1000"]);
        let restore: [&[u8]; 6] = [b"restore", b"k", b"1000", &payload, b"absttl", b"replace"];
        encode_command(&mut commands[2], &restore);
        for (command, word) in commands.iter().zip(words) {
            world.ask(a, "set k v");
            world.feed(0, a, command);
            world.settle();
            let heard = world.overheard(e);
            let deleted = heard.ends_with(&format!("set k v {word} k"));
            assert!(deleted, "{}: {heard}", command.escape_ascii());
        }
        world.ask(a, &format!("config set {directive} no"));
    }
}

#[test]
fn what_says_the_same_later_goes_out_as_it_came() {
    let mut world = World::single("");
    let a = world.client(0);
    let e = world.eavesdropper();
    world.ask(a, "set k v");
    world.overheard(e);
    for (command, heard) in [
        ("set k v pxat 4102444800000", "set k v pxat 4102444800000"),
        (
            "set k v get xx pxat 4102444800000",
            "set k v get xx pxat 4102444800000",
        ),
        ("set k v get exat 4102444800", "SET k v PXAT 4102444800000"),
        ("set k get get keepttl GET", "set k get keepttl"),
        ("set k v GET xx", "set k v xx"),
        (
            "pExpireAt k 4102444800000 nx",
            "pExpireAt k 4102444800000 nx",
        ),
        ("expireat k 4102444900 gt", "PEXPIREAT k 4102444900000"),
        ("getex k pxat 4102444800000", "PEXPIREAT k 4102444800000"),
    ] {
        world.ask(a, command);
        assert_eq!(world.overheard(e), heard, "{command}");
    }
}
