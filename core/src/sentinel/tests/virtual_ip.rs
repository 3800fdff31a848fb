//! The virtual IP as operators order it. All servers here are on the host of every Sentinel.

use core::net::IpAddr;

use super::world::{World, file_of};
use super::{ms, settled};
use crate::machine::{Machine as _, Signal};
use crate::resp::Value;

const VIP: &str = "10.0.0.100/24 eth0";

fn set(world: &mut World, value: &str) -> String {
    let reply = world.ask(0, &["sentinel", "set", "mymaster", "virtual-ip", value]);
    let text = reply.as_text().or_else(|| reply.as_error());
    String::from_utf8(text.unwrap().to_vec()).unwrap()
}

fn holds(world: &World) -> bool {
    let vip: IpAddr = "10.0.0.100".parse().unwrap();
    world.nodes[0].addresses.contains(&vip)
}

fn holding() -> World {
    let mut world = settled(1, 1, 1);
    assert_eq!(set(&mut world, VIP), "OK");
    world.run_for(ms(100));
    assert!(holds(&world));
    assert_eq!(world.count("+virtual-ip "), 1);
    world
}

fn file(world: &World) -> String {
    String::from_utf8(world.nodes[0].files[&file_of(0)].clone()).unwrap()
}

#[test]
fn it_is_set_saved_and_shown_and_taken_away() {
    let mut world = holding();
    assert!(file(&world).contains("\nsentinel virtual-ip mymaster 10.0.0.100/24 eth0\n"));
    let info = world.ask(0, &["info", "sentinel"]);
    let info = String::from_utf8(info.as_text().unwrap().to_vec()).unwrap();
    let line = "virtual_ip0:master=mymaster,address=10.0.0.100/24,interface=eth0,state=held\r\n";
    assert!(info.contains(line), "{info}");
    for bad in ["10.0.0.100", "10.0.0.100/24", "10.0.0.100/24 eth0 for ever"] {
        let error = set(&mut world, bad);
        assert_eq!(
            error,
            format!("ERR Invalid argument '{bad}' for SENTINEL SET 'virtual-ip'")
        );
    }
    assert_eq!(set(&mut world, ""), "OK");
    world.run_for(ms(100));
    assert!(!holds(&world));
    assert_eq!(world.count("-virtual-ip "), 1);
    assert!(!file(&world).contains("virtual-ip"));
}

#[test]
fn another_address_takes_the_place_of_the_first() {
    let mut world = holding();
    assert_eq!(set(&mut world, "10.0.0.101/24 eth0"), "OK");
    world.run_for(ms(100));
    assert!(!holds(&world));
    let second: IpAddr = "10.0.0.101".parse().unwrap();
    assert!(world.nodes[0].addresses.contains(&second));
}

#[test]
fn two_masters_can_not_have_one_address() {
    let mut world = holding();
    let monitor = ["sentinel", "monitor", "second", "127.0.0.1", "7000", "1"];
    world.ask(0, &monitor);
    let words = ["sentinel", "set", "second", "virtual-ip", VIP];
    let expected = b"ERR Can't set the virtual IP: another master has this virtual IP.";
    assert_eq!(world.ask(0, &words), Value::Error(expected.to_vec()));
}

#[test]
fn it_goes_with_its_master() {
    let mut world = holding();
    world.ask(0, &["sentinel", "remove", "mymaster"]);
    world.run_for(ms(100));
    assert!(!holds(&world));
    assert!(!file(&world).contains("virtual-ip"));
}

#[test]
fn a_shutdown_takes_it_away_first() {
    let mut world = holding();
    let now = world.time();
    world.nodes[0].machine.handle_signal(now, Signal::Terminate);
    world.send(0, &["ping"]);
    world.run_until(ms(3_000), |world| !world.exits.is_empty());
    assert_eq!(world.exits, [(0, 0)]);
    assert!(!holds(&world));
}

/// Three Sentinels of which the first has the address on its host.
fn holding_in_a_group() -> World {
    let mut world = settled(1, 3, 2);
    let down_after = [
        "sentinel",
        "set",
        "mymaster",
        "down-after-milliseconds",
        "5000",
    ];
    world.ask(0, &down_after);
    assert_eq!(set(&mut world, VIP), "OK");
    world.run_for(ms(3_000));
    assert!(holds(&world));
    world
}

#[test]
fn whoever_is_reset_and_hears_from_the_others_keeps_it() {
    let mut world = holding_in_a_group();
    world.ask(0, &["sentinel", "reset", "mymaster"]);
    world.run_for(ms(10_000));
    assert!(holds(&world));
    assert_eq!(world.count("-virtual-ip "), 0);
}

#[test]
fn whoever_is_reset_and_hears_from_nobody_gives_it_up() {
    let mut world = holding_in_a_group();
    world.ask(0, &["sentinel", "reset", "mymaster"]);
    world.kill_sentinel(1);
    world.kill_sentinel(2);
    world.run_for(ms(4_500));
    assert!(holds(&world));
    world.run_for(ms(600));
    assert!(!holds(&world));
}

#[test]
fn fewer_sentinels_than_the_quorum_are_no_group() {
    let mut world = settled(1, 1, 2);
    assert_eq!(set(&mut world, VIP), "OK");
    world.run_for(ms(10_000));
    assert!(!holds(&world));
}

#[test]
fn whoever_believes_otherwise_is_asked_again_a_second_later() {
    let mut world = settled(1, 3, 2);
    let monitor = |world: &mut World, port| {
        for n in [1, 2] {
            world.ask(n, &["sentinel", "remove", "mymaster"]);
            world.ask(
                n,
                &["sentinel", "monitor", "mymaster", "127.0.0.1", port, "2"],
            );
        }
    };
    monitor(&mut world, "6380");
    assert_eq!(set(&mut world, VIP), "OK");
    world.run_for(ms(4_500));
    assert!(!holds(&world), "they answer, and name another server");
    monitor(&mut world, "6379");
    world.run_for(ms(1_100));
    assert!(holds(&world));
}
