//! One Sentinel that watches many masters.

use std::fmt::Write as _;

use holdfast_tests::farm::Farm;
use holdfast_tests::{Flavour, Node, PATIENCE, wait_until};

#[test]
fn fifty_of_three_hundred_masters_that_die_at_once_are_replaced() {
    let farm = Farm::start(300);
    let mut config = String::new();
    for number in 0..farm.masters() {
        let at = farm.master(number);
        writeln!(
            config,
            "sentinel monitor m{number} {} {} 1\nsentinel down-after-milliseconds m{number} 1500",
            at.ip(),
            at.port()
        )
        .unwrap();
    }
    let sentinel = Node::sentinel(Flavour::Holdfast, &config);
    wait_until(PATIENCE, "every replica is known", || {
        let known = sentinel.try_info("sentinel")?;
        let masters = known.names().into_iter().filter(|name| is_master(name));
        let mut masters = masters.map(|name| known.get(name).to_owned());
        masters
            .all(|line| line.contains("status=ok") && line.contains("slaves=1"))
            .then_some(())
    });
    (0..50).for_each(|number| farm.kill(number));
    wait_until(PATIENCE, "all of them are switched", || {
        (sentinel.log().matches("+switch-master").count() == 50).then_some(())
    });
    assert_eq!(farm.promoted(), 50);
    let log = sentinel.log();
    assert!(!log.contains("+tilt"), "{log}");
    assert_eq!(log.matches("+sdown master").count(), 50, "{log}");
    let info = sentinel.info("sentinel");
    assert_eq!(info.get("sentinel_tilt"), "0");
}

fn is_master(name: &str) -> bool {
    let number = name.strip_prefix("master");
    number.is_some_and(|number| number.parse::<u16>().is_ok())
}
