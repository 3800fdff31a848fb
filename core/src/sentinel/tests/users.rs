//! Users of a Sentinel.

use super::operators::restart_with;
use super::world::{World, file_of};
use super::{ms, settled};
use crate::resp::Value;

const USERS: &str = "user default off\n\
                     user admin on >pw allchannels +@all\n\
                     user watcher on nopass +subscribe +psubscribe +sentinel|masters &+s*\n";

/// What a client gets for some commands, one after the other.
fn talk(world: &mut World, client: Option<u64>, lines: &[&str]) -> (u64, Vec<String>) {
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let (first, rest) = words.split_first().expect("something is said");
    let (client, rest) = match client {
        Some(client) => (client, &words[..]),
        None => (world.send(0, first), rest),
    };
    let rest: Vec<&[&str]> = rest.iter().map(Vec::as_slice).collect();
    world.send_all(client, &rest);
    world.run_for(ms(100));
    let shown = |value: &Value| {
        let text = value.as_text().map(String::from_utf8_lossy);
        match (value, text) {
            (Value::Error(text), _) => format!("-{}", String::from_utf8_lossy(text)),
            (_, Some(text)) => text.into_owned(),
            (other, None) => format!("{other:?}"),
        }
    };
    let replies = world.replies(client);
    (client, replies.iter().map(shown).collect())
}

fn with_users(lines: &str) -> World {
    let mut world = settled(1, 1, 1);
    begin_again(&mut world, lines);
    world
}

/// Starts the Sentinel again with these lines in the place of its users.
fn begin_again(world: &mut World, lines: &str) {
    world.ask(0, &["sentinel", "flushconfig"]);
    let file = world.nodes[0].files.get_mut(&file_of(0)).unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    let others = text.lines().filter(|line| !line.starts_with("user "));
    *file = others
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .into_bytes();
    restart_with(world, 0, lines);
}

#[test]
fn users_of_a_sentinel_may_do_what_their_rules_say() {
    let mut world = with_users(USERS);
    let (_, heard) = talk(
        &mut world,
        None,
        &[
            "sentinel myid",
            "auth admin wrong",
            "auth watcher x",
            "sentinel myid",
            "subscribe +odown",
            "psubscribe *",
            "auth admin pw",
            "acl whoami",
            "acl dryrun watcher subscribe +odown",
            "acl dryrun watcher sentinel nosuch",
            "acl cat nosuch",
        ],
    );
    assert_eq!(
        heard,
        [
            "-NOAUTH Authentication required.",
            "-WRONGPASS invalid username-password pair or user is disabled.",
            "OK",
            "-NOPERM User watcher has no permissions to run the 'sentinel|myid' command",
            "-NOPERM No permissions to access a channel",
            "-NOPERM No permissions to access a channel",
            "OK",
            "admin",
            "User watcher has no permissions to access the '+odown' channel",
            "-ERR Command 'sentinel' not found",
            "-ERR Unknown category 'nosuch'",
        ]
    );
    let (_, heard) = talk(
        &mut world,
        None,
        &["auth admin pw", "acl log", "client list"],
    );
    for part in [
        "\"auth\"",
        "\"command\"",
        "sentinel|myid",
        "\"channel\"",
        "+odown",
    ] {
        let part = part.trim_matches('"');
        let bytes: Vec<String> = part.bytes().map(|byte| byte.to_string()).collect();
        assert!(
            heard[1].contains(&bytes.join(", ")),
            "{part} in {}",
            heard[1]
        );
    }
    assert!(!heard[2].starts_with('-'), "{}", heard[2]);
}

#[test]
fn what_is_taken_away_ends_connections() {
    let mut world = with_users(USERS);
    let (listener, _) = talk(&mut world, None, &["auth watcher x", "subscribe +sdown"]);
    let (idle, _) = talk(&mut world, None, &["auth watcher x"]);
    let (admin, _) = talk(
        &mut world,
        None,
        &["auth admin pw", "acl setuser watcher resetchannels &+odown"],
    );
    assert!(!world.is_connected(listener));
    assert!(world.is_connected(idle) && world.is_connected(admin));
    let (_, heard) = talk(&mut world, Some(admin), &["acl deluser watcher nosuch"]);
    assert_eq!(heard.last().map(String::as_str), Some("Int(1)"));
    assert!(!world.is_connected(idle));
    let (_, heard) = talk(&mut world, Some(admin), &["acl deluser admin"]);
    assert_eq!(
        heard.last().map(String::as_str),
        Some("Int(1)"),
        "it is answered"
    );
    assert!(!world.is_connected(admin));
}

#[test]
fn users_are_kept_in_the_file_of_the_sentinel() {
    let mut world = with_users(USERS);
    talk(
        &mut world,
        None,
        &[
            "auth admin pw",
            "acl setuser late on nopass +ping",
            "acl deluser watcher",
            "sentinel flushconfig",
        ],
    );
    let text = String::from_utf8(world.nodes[0].files[&file_of(0)].clone()).unwrap();
    let users: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("user "))
        .collect();
    assert_eq!(users.len(), 3, "{text}");
    assert!(
        users[1].starts_with("user default off sanitize-payload"),
        "{text}"
    );
    assert_eq!(
        users[2],
        "user late on nopass sanitize-payload resetchannels -@all +ping"
    );
    world.kill_sentinel(0);
    world.restart_sentinel(0);
    let (_, heard) = talk(&mut world, None, &["auth late x", "ping", "acl whoami"]);
    assert_eq!(heard[..2], ["OK", "PONG"]);
    assert!(heard[2].starts_with("-NOPERM"), "{heard:?}");
}

#[test]
fn a_file_of_users_is_read_and_written_on_demand() {
    let mut world = settled(1, 1, 1);
    let path = "/etc/users.acl".to_owned();
    world.nodes[0]
        .files
        .insert(path.clone(), b"user a on >x +@all".to_vec());
    begin_again(&mut world, &format!("aclfile {path}\n"));
    let (a, heard) = talk(
        &mut world,
        None,
        &["auth a x", "acl setuser b on nopass", "acl save"],
    );
    assert_eq!(heard, ["OK", "OK", "OK"]);
    let text = String::from_utf8(world.nodes[0].files[&path].clone()).unwrap();
    assert!(
        text.contains("user b on nopass sanitize-payload resetchannels -@all\n"),
        "{text}"
    );

    world.nodes[0]
        .files
        .insert(path.clone(), b"user c on nopass +@all\nbogus".to_vec());
    // What follows waits for it.
    let (_, heard) = talk(&mut world, Some(a), &["acl load", "acl users"]);
    assert!(
        heard[3].starts_with("-ERR /etc/users.acl:2 should start with user"),
        "{heard:?}"
    );
    assert!(heard[4].contains("Bulk"), "{heard:?}");
    world.nodes[0]
        .files
        .insert(path, b"user a on >y +@all\nuser c on nopass +@all".to_vec());
    let (_, heard) = talk(&mut world, Some(a), &["acl load", "auth a x", "auth a y"]);
    assert_eq!(heard[5], "OK");
    assert!(heard[6].starts_with("-WRONGPASS"), "{heard:?}");
    assert_eq!(heard[7], "OK");
    assert!(world.is_connected(a));
}
