//! What several clients send in one turn.

use super::harness::{World, encoded};
use crate::limits;
use crate::machine::{ConnId, Hangup, Machine as _};

/// Keys from which on what is looked for is looked up ahead.
const MANY_KEYS: usize = limits::WARM_DB_KEYS_MIN + 100;

fn clients(world: &mut World, count: usize) -> Vec<ConnId> {
    (0..count).map(|_| world.client(0)).collect()
}

#[test]
fn what_clients_send_in_one_turn_is_done_in_the_order_it_came() {
    let mut world = World::single("");
    let clients = clients(&mut world, 2 * limits::HELD_READS_MAX + 3);
    for filled in [false, true] {
        if filled {
            let first = clients[0];
            for key in 0..MANY_KEYS {
                world.ask(first, &format!("set {key} x"));
            }
        }
        world.ask(clients[0], "del order");
        for (place, &client) in clients.iter().enumerate() {
            let command = match place % 3 {
                // One is too long to be left where it is, and one is not whole.
                1 => format!(
                    "rpush order {place} {}",
                    "x".repeat(limits::HELD_READ_BYTES_MAX)
                ),
                _ => format!("rpush order {place} y"),
            };
            let bytes = encoded(&command);
            let cut = if place % 3 == 2 {
                bytes.len() / 2
            } else {
                bytes.len()
            };
            world.feed(0, client, &bytes[..cut]);
            world.feed(0, client, &bytes[cut..]);
        }
        world.settle();
        for (place, &client) in clients.iter().enumerate() {
            assert_eq!(world.heard(client), format!(":{}|", 2 * (place + 1)));
        }
        for place in 0..clients.len() {
            let value = place.to_string();
            let asked = world.ask(clients[0], &format!("lindex order {}", 2 * place));
            assert_eq!(asked, format!("${}|{value}|", value.len()));
        }
    }
}

#[test]
fn what_is_looked_up_ahead_is_found_in_the_database_that_each_has_selected() {
    let mut world = World::single("");
    let clients = clients(&mut world, 6);
    for key in 0..MANY_KEYS {
        world.ask(clients[0], &format!("set {key} x"));
    }
    for number in 0..MANY_KEYS {
        world.ask(clients[1], &format!("hset wide {number} {number}"));
    }
    world.ask(clients[2], "select 1");
    world.ask(clients[2], "set 7 other");
    let commands = [
        ("get 5", "$1|x|"),
        ("hget wide 17", "$2|17|"),
        ("get 7", "$5|other|"),
        ("hget wide no", "$-1|"),
        (
            "get wide",
            "-WRONGTYPE Operation against a key holding the wrong kind of value|",
        ),
        ("ping", "+PONG|"),
    ];
    for turn in 0..commands.len() {
        // Each of them is once the first of its turn, but stays with its client.
        let order = (0..commands.len()).map(|place| (turn + place) % commands.len());
        for place in order {
            world.feed(0, clients[place], &encoded(commands[place].0));
        }
        world.settle();
        for (&client, (command, reply)) in clients.iter().zip(commands) {
            assert_eq!(world.heard(client), reply, "{command}");
        }
    }
}

#[test]
fn a_client_that_another_one_closes_does_nothing_more_even_if_it_was_read() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    let id = world.ask(b, "client id");
    let id = id.trim_start_matches(':').trim_end_matches('|').to_owned();
    world.feed(0, a, &encoded(&format!("client kill id {id}")));
    world.feed(0, b, &encoded("set k 1"));
    world.settle();
    assert_eq!(world.heard(a), ":1|");
    assert_eq!(world.ask(a, "exists k"), ":0|");
    assert!(world.nodes[0].server.state().conns.get(b).is_none());
}

#[test]
fn a_client_that_hangs_up_in_the_turn_it_is_read_in_has_been_heard() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    world.feed(0, a, &encoded("set k 1"));
    let now = world.now();
    world.nodes[0].server.handle_hangup(now, a, Hangup::Eof);
    world.settle();
    assert_eq!(world.ask(b, "get k"), "$1|1|");
}

#[test]
fn what_was_read_when_a_debug_sleep_began_is_done_when_it_is_over() {
    let mut world = World::single("enable-debug-command yes");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(b, "set k 1 px 100");
    world.feed(0, a, &encoded("debug sleep 0.2"));
    world.feed(0, b, &encoded("exists k"));
    world.settle();
    assert_eq!(
        (world.heard(a), world.heard(b)),
        (String::new(), String::new())
    );
    world.wait(199);
    assert_eq!(world.heard(b), "");
    world.wait(1);
    assert_eq!(
        (world.heard(a), world.heard(b)),
        ("+OK|".into(), ":0|".into())
    );
}

#[test]
fn a_connection_is_not_read_again_before_it_was_looked_at() {
    let mut world = World::single("");
    let a = world.client(0);
    world.feed(0, a, &encoded("ping"));
    assert!(!world.nodes[0].server.wants_read(a));
    world.settle();
    assert!(world.nodes[0].server.wants_read(a));
    assert_eq!(world.heard(a), "+PONG|");
}
