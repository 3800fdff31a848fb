//! What clients see: transactions, messages, pauses, pipelines.

use super::harness::{World, encoded};
use crate::limits;
use crate::machine::{ConnId, Machine as _};

#[test]
fn a_transaction_answers_as_one_and_a_refused_command_dooms_it() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(world.ask(a, "multi"), "+OK|");
    assert_eq!(world.ask(a, "set k 1"), "+QUEUED|");
    assert_eq!(world.ask(a, "incr k"), "+QUEUED|");
    assert_eq!(world.ask(a, "lpush k x"), "+QUEUED|");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
    assert_eq!(world.ask(a, "exec"), format!("*3|+OK|:2|{wrong}"));
    world.ask(a, "multi");
    world.ask(a, "set k 5");
    world.ask(a, "nosuch");
    let aborted = "-EXECABORT Transaction discarded because of previous errors.|";
    assert_eq!(world.ask(a, "exec"), aborted);
    assert_eq!(world.ask(a, "get k"), "$1|2|");
    assert_eq!(world.ask(a, "exec"), "-ERR EXEC without MULTI|");
}

#[test]
fn errors_repeat_what_was_sent_byte_for_byte_with_line_ends_as_spaces() {
    let mut world = World::single("");
    let a = world.client(0);
    for (words, text) in [
        (
            &[&b"no\xff\r\n\0"[..], b"\x80\0", b"a\nb"][..],
            &b"ERR unknown command 'no\xff  ', with args beginning with: '\x80' 'a b' "[..],
        ),
        (
            &[b"client", b"\xff\n"],
            b"ERR unknown subcommand '\xff '. Try CLIENT HELP.",
        ),
        (
            &[b"config", b"set", b"\xff\n", b"x"],
            b"ERR Unknown option or number of arguments for CONFIG SET - '\xff '",
        ),
        (
            &[b"expire", b"k", b"1", b"\xff\0ended"],
            b"ERR Unsupported option \xff",
        ),
    ] {
        let mut bytes = Vec::new();
        crate::resp::encode_command(&mut bytes, words);
        world.feed(0, a, &bytes);
        world.settle();
        let answer = [b"-", text, b"\r\n"].concat();
        assert_eq!(world.heard_bytes(a), answer.escape_ascii().to_string());
    }
}

#[test]
fn a_transaction_can_subscribe_to_channels_but_not_to_shard_channels() {
    let mut world = World::single("");
    let a = world.client(0);
    for command in ["multi", "ssubscribe a", "subscribe b"] {
        world.ask(a, command);
    }
    let refused = "-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client|";
    let confirmed = "*3|$9|subscribe|$1|b|:1|";
    assert_eq!(world.ask(a, "exec"), format!("*2|{refused}{confirmed}"));
    let outside = "*3|$10|ssubscribe|$1|a|:1|";
    assert_eq!(world.ask(a, "ssubscribe a"), outside);
}

#[test]
fn subscriptions_are_confirmed_to_those_who_silenced_their_replies() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    assert_eq!(world.ask(a, "client reply off"), "");
    let confirmed = "*3|$9|subscribe|$1|c|:1|";
    assert_eq!(world.ask(a, "subscribe c"), confirmed);
    world.ask(b, "publish c hello");
    assert_eq!(world.heard(a), "*3|$7|message|$1|c|$5|hello|");
    assert_eq!(world.ask(a, "ping"), "");
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off() {
    let limits = "client-output-buffer-limit pubsub 100kb 50kb 2\n";
    let mut world = World::single(limits);
    let publisher = world.client(0);
    let message = format!("publish c {}", "m".repeat(20_000));
    let (fast, slow) = (world.client(0), world.client(0));
    for conn in [fast, slow] {
        world.ask(conn, "subscribe c");
    }
    world.stop_reading(slow);
    for _ in 0..3 {
        assert_eq!(world.ask(publisher, &message), ":2|");
    }
    // Above the soft bound for no longer than allowed.
    world.wait(1_500);
    assert!(!world.is_closed(slow));
    world.wait(700);
    assert!(world.is_closed(slow));

    let slow = world.client(0);
    world.ask(slow, "subscribe c");
    world.stop_reading(slow);
    for _ in 0..6 {
        world.ask(publisher, &message);
    }
    assert!(world.is_closed(slow));
    assert!(!world.is_closed(fast));
    let counted = world.info(0, "client_output_buffer_limit_disconnections");
    assert_eq!(counted, "2");
}

#[test]
fn who_has_not_authenticated_gets_little_to_keep() {
    let mut world = World::single("requirepass secret\n");
    let (stranger, friend) = (world.client(0), world.client(0));
    assert_eq!(world.ask(friend, "auth secret"), "+OK|");
    for conn in [stranger, friend] {
        world.stop_reading(conn);
        let refused = encoded("nosuch").repeat(1_000);
        world.feed(0, conn, &refused);
        world.settle();
    }
    assert!(world.is_closed(stranger));
    assert!(!world.is_closed(friend));
}

#[test]
fn an_exec_that_is_itself_refused_gives_the_transaction_up() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "multi");
    world.ask(a, "set k 1");
    assert_eq!(
        world.ask(a, "exec now"),
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' \
         command|"
    );
    assert_eq!(world.ask(a, "exec"), "-ERR EXEC without MULTI|");
    assert_eq!(world.ask(a, "exists k"), ":0|");
}

#[test]
fn a_transaction_that_is_executed_is_told_of_by_client_info() {
    let mut world = World::single("");
    let a = world.client(0);
    for command in ["multi", "set k 1", "client info"] {
        world.ask(a, command);
    }
    let told = world.ask(a, "exec");
    assert!(told.contains(" flags=x "), "{told}");
    assert!(told.contains(" multi=2 "), "{told}");
    let told = world.ask(a, "client info");
    assert!(told.contains(" flags=N "), "{told}");
    assert!(told.contains(" multi=-1 "), "{told}");
}

#[test]
fn every_way_to_change_a_watched_key_fails_the_exec() {
    let ways: &[&[&str]] = &[
        &["set k 2"],
        &["del k"],
        &["expire k 100"],
        &["rename other k"],
        &["copy other k replace"],
        &["flushall"],
        &["flushdb"],
        &["swapdb 0 1"],
        &["select 1", "move k 0"],
        &["pexpire k 1"],
    ];
    for way in ways {
        let mut world = World::single("");
        let (a, b) = (world.client(0), world.client(0));
        world.ask(b, "mset k 1 other 2");
        if way[0] == "select 1" {
            world.ask(b, "move k 1");
        }
        world.ask(a, "watch k");
        for command in *way {
            world.ask(b, command);
        }
        world.wait(5);
        world.ask(a, "multi");
        world.ask(a, "ping");
        assert_eq!(world.ask(a, "exec"), "*-1|", "{way:?}");
        world.ask(a, "multi");
        world.ask(a, "ping");
        assert_eq!(world.ask(a, "exec"), "*1|+PONG|", "{way:?}: once");
    }
}

#[test]
fn a_client_may_change_what_it_watches_inside_its_transaction() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "watch k");
    world.ask(a, "multi");
    world.ask(a, "set k 1");
    assert_eq!(world.ask(a, "exec"), "*1|+OK|");
    world.ask(a, "watch k");
    world.ask(a, "unwatch");
    world.ask(a, "set k 2");
    world.ask(a, "multi");
    assert_eq!(world.ask(a, "exec"), "*0|");
}

#[test]
fn a_key_that_had_expired_before_the_watch_fails_no_exec() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "debug set-active-expire 0");
    world.ask(a, "set k 1 px 10");
    world.wait(20);
    world.ask(a, "watch k");
    world.ask(a, "multi");
    world.ask(a, "ping");
    assert_eq!(world.ask(a, "exec"), "*1|+PONG|");
}

#[test]
fn own_messages_follow_the_reply_of_publish() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "hello 3");
    world.ask(a, "subscribe ch");
    assert_eq!(
        world.ask(a, "publish ch hi"),
        ":1|>3|$7|message|$2|ch|$2|hi|"
    );
    assert_eq!(world.ask(a, "get k"), "_|", "RESP3 subscribers may do all");
}

#[test]
fn a_resp2_subscriber_is_confined_until_it_unsubscribes() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    assert_eq!(world.ask(a, "subscribe ch"), "*3|$9|subscribe|$2|ch|:1|");
    assert!(
        world
            .ask(a, "get k")
            .starts_with("-ERR Can't execute 'get': only")
    );
    assert_eq!(world.ask(a, "ping"), "*2|$4|pong|$0||");
    assert_eq!(world.ask(b, "publish ch hi"), ":1|");
    assert_eq!(world.heard(a), "*3|$7|message|$2|ch|$2|hi|");
    world.ask(a, "unsubscribe");
    assert_eq!(world.ask(a, "get k"), "$-1|");
}

#[test]
fn a_pause_holds_commands_back_and_releases_them_in_order() {
    let mut world = World::single("");
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    assert_eq!(world.ask(a, "client pause 100 write"), "+OK|");
    assert_eq!(world.ask(b, "append k b"), "");
    assert_eq!(world.ask(c, "append k c"), "");
    assert_eq!(world.ask(a, "get k"), "$-1|", "reads go on");
    let lot = [encoded("append k d"), encoded("get k"), encoded("ping")].concat();
    world.feed(0, b, &lot);
    world.wait(99);
    assert_eq!(world.heard(b), "");
    world.wait(1);
    assert_eq!(world.heard(b), ":1|:2|$2|bd|+PONG|");
    assert_eq!(world.heard(c), ":3|");
}

#[test]
fn unpause_releases_at_once_and_a_client_that_left_is_forgotten() {
    let mut world = World::single("");
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    world.ask(a, "client pause 100000 write");
    world.ask(b, "incr k");
    world.ask(c, "incr k");
    world.leave(c);
    assert_eq!(world.ask(a, "client unpause"), "+OK|");
    assert_eq!(world.heard(b), ":1|");
    assert_eq!(world.ask(a, "get k"), "$1|1|");
}

#[test]
fn a_long_pipeline_takes_several_turns_and_leaves_room_for_others() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    let count = 3 * limits::COMMANDS_PER_TURN_MAX + 1;
    let lot = encoded("incr k").repeat(count);
    world.feed(0, a, &lot);
    assert!(world.nodes[0].server.has_backlog());
    world.feed(0, b, &encoded("get k"));
    world.turn(0);
    let seen: usize = world
        .heard(b)
        .split('|')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .expect("a number");
    assert!(seen < count, "the other client was served in between");
    world.settle();
    assert!(world.heard(a).ends_with(&format!(":{count}|")));
}

#[test]
fn the_reply_to_a_last_command_is_sent_before_the_end() {
    let mut world = World::single("");
    let a = world.client(0);
    world.feed(
        0,
        a,
        &[encoded("ping"), encoded("quit"), encoded("ping")].concat(),
    );
    world.settle();
    assert_eq!(world.heard(a), "+PONG|+OK|");
    assert!(world.is_closed(a));
    let b = world.client(0);
    world.feed(0, b, b"*x\r\n");
    world.settle();
    assert_eq!(
        world.heard(b),
        "-ERR Protocol error: invalid multibulk length|"
    );
    assert!(world.is_closed(b));
}

#[test]
fn an_http_request_is_cut_off_before_its_body_is_read() {
    let mut world = World::single("");
    let a = world.client(0);
    world.feed(0, a, b"POST / HTTP/1.1\r\nHost: x\r\n\r\nset k v\r\n");
    world.settle();
    assert_eq!(world.heard(a), "");
    assert!(world.is_closed(a));
    let b = world.client(0);
    assert_eq!(world.ask(b, "exists k"), ":0|");
}

#[test]
fn a_killed_client_hears_no_more_and_one_that_kills_itself_hears_the_count() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    assert_eq!(world.ask(a, "client id"), ":1|");
    assert_eq!(world.ask(a, "client kill id 2"), ":1|");
    assert!(world.is_closed(b));
    assert_eq!(world.ask(a, "client kill id 1 skipme no"), ":1|");
    assert!(world.is_closed(a));
}

#[test]
fn a_password_is_asked_of_everyone() {
    let mut world = World::single("requirepass secret");
    let a = world.client(0);
    let noauth = "-NOAUTH Authentication required.|";
    assert_eq!(world.ask(a, "get k"), noauth);
    assert!(
        world
            .ask(a, "hello 3")
            .starts_with("-NOAUTH HELLO must be called")
    );
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.|";
    assert_eq!(world.ask(a, "auth wrong"), wrong);
    assert_eq!(world.ask(a, "auth secret"), "+OK|");
    assert_eq!(world.ask(a, "get k"), "$-1|");
    assert_eq!(world.ask(a, "reset"), "+RESET|");
    assert_eq!(world.ask(a, "get k"), noauth);
}

#[test]
fn strangers_and_too_many_clients_are_turned_away() {
    let mut world = World::single("maxclients 2");
    let refusal = world.accept_from(0, "192.0.2.7").expect_err("protected");
    assert!(
        refusal
            .reply
            .starts_with("-DENIED Redis is running in protected mode")
    );
    let (_a, b) = (world.client(0), world.client(0));
    let refusal = world.accept_from(0, "127.0.0.1").expect_err("full");
    assert_eq!(refusal.reply, "-ERR max number of clients reached\r\n");
    world.leave(b);
    let c = world.client(0);
    let report = world.ask(c, "info stats");
    assert!(report.contains("|rejected_connections:2|"), "{report}");
}

#[test]
fn replies_can_be_switched_off_for_one_command_or_for_all() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(world.ask(a, "client reply skip"), "");
    assert_eq!(world.ask(a, "ping"), "");
    assert_eq!(world.ask(a, "ping"), "+PONG|");
    assert_eq!(world.ask(a, "client reply off"), "");
    assert_eq!(world.ask(a, "set k 1"), "");
    assert_eq!(world.ask(a, "client reply on"), "+OK|");
    assert_eq!(world.ask(a, "get k"), "$1|1|");
}

#[test]
fn the_title_of_the_process_follows_its_template() {
    let mut world = World::single("");
    assert_eq!(world.nodes[0].title.as_deref(), Some("127.0.0.1:6379"));
    let a = world.client(0);
    let template = "{port}{config-file}";
    let set = format!("config set proc-title-template {template}");
    assert_eq!(world.ask(a, &set), "+OK|");
    assert_eq!(world.nodes[0].title.as_deref(), Some("6379redis.conf"));
    let wrong = world.ask(a, "config set proc-title-template {nothing}");
    assert!(wrong.contains("template format is invalid"), "{wrong}");
    assert_eq!(world.nodes[0].title.as_deref(), Some("6379redis.conf"));

    let world = World::single("set-proc-title no");
    assert_eq!(world.nodes[0].title, None);
}

#[test]
fn room_for_an_argument_that_does_not_come_is_taken_back() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "client setname slow");
    world.feed(0, a, b"*3\r\n$3\r\nset\r\n$1\r\na\r\n$1000000\r\n");
    world.settle();
    world.feed(0, a, b"x");
    world.settle();
    let held = |world: &mut World| {
        let list = world.ask(b, "client list");
        let line = list.lines().find(|line| line.contains("name=slow"));
        let line = line.expect("it is there").to_owned();
        let figure = |name: &str| -> usize {
            let at = line.find(name).expect("a figure") + name.len();
            let digits = line[at..].split(' ').next().unwrap();
            digits.parse().unwrap()
        };
        figure(" qbuf=") + figure(" qbuf-free=")
    };
    assert!(held(&mut world) >= 1_000_000);
    world.wait(1_500);
    assert!(held(&mut world) >= 1_000_000);
    world.wait(2_500);
    let left = held(&mut world);
    assert!((1..10_000).contains(&left), "{left}");
    // What comes in the end is taken as ever.
    world.feed(0, a, &vec![b'y'; 999_999]);
    world.feed(0, a, b"\r\n");
    world.settle();
    assert_eq!(world.heard_at(0, a), "+OK|");
    assert_eq!(world.ask(b, "strlen a"), ":1000000|");
}

/// Sends a command and lets the turn end before anything is written to the client.
fn unread_reply_cuts_off(world: &mut World, conn: ConnId) -> bool {
    world.feed(0, conn, &encoded("set x 5"));
    world.settle();
    world.is_closed(conn)
}

#[test]
fn who_was_never_let_in_must_read_what_it_is_told() {
    let mut world = World::single("requirepass secret\nenable-debug-command yes");
    let (a, b, admin) = (world.client(0), world.client(0), world.client(0));
    for conn in [b, admin] {
        assert_eq!(world.ask(conn, "auth secret"), "+OK|");
    }
    assert_eq!(world.ask(b, "reset"), "+RESET|");
    let noauth = "-NOAUTH Authentication required.|";
    assert_eq!(world.ask(a, "set x 5"), noauth);
    assert_eq!(world.ask(b, "set x 5"), noauth);
    assert_eq!(
        world.ask(admin, "debug client-enforce-reply-list 1"),
        "+OK|"
    );
    assert!(unread_reply_cuts_off(&mut world, a));
    assert!(!unread_reply_cuts_off(&mut world, b));
    assert_eq!(
        world.ask(admin, "debug client-enforce-reply-list 0"),
        "+OK|"
    );
    let c = world.client(0);
    assert!(!unread_reply_cuts_off(&mut world, c));
}

#[test]
fn every_command_with_subcommands_explains_them() {
    let mut world = World::single("enable-debug-command yes");
    let a = world.client(0);
    for name in [
        "client", "cluster", "command", "config", "debug", "memory", "module", "object", "pubsub",
        "xgroup", "xinfo",
    ] {
        let help = world.ask(a, &format!("{name} help"));
        let title = format!("{} <subcommand> ", name.to_uppercase());
        assert!(help.contains(&title), "{name}: {help}");
    }
}
