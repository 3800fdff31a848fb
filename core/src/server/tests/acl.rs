//! Users, and what clients may do as one of them.

use super::harness::{World, dialogue};
use crate::server::acl;
use std::collections::BTreeMap;

const USERS: &str = "user reader on nopass %R~k* +@read +multi +exec +auth\n\
                     user writer on >pw ~k* resetchannels &c* +@all -config\n\
                     user nobody off nopass";

#[test]
fn rules_name_commands_that_are_there_or_that_are_listed_as_absent() {
    let catalog = acl::catalog();
    for name in ["get", "config|set", "acl|setuser", "eval", "script|kill"] {
        assert!(catalog.find(name.as_bytes()).is_some(), "{name}");
    }
    assert!(catalog.find(b"nosuch").is_none());
}

#[test]
fn rules_name_commands_by_the_names_they_have_before_any_renaming() {
    let mut world = World::single(
        "rename-command PING first\nrename-command FIRST vping\nrename-command FLUSHALL \"\"\n\
         user u on nopass +@all -ping -flushall",
    );
    dialogue(
        &mut world,
        &[
            ("vping", "+PONG|"),
            ("auth u x", "+OK|"),
            (
                "VPING",
                "-NOPERM User u has no permissions to run the 'ping' command|",
            ),
            ("acl setuser v +debug|sleep +debug|nosuch +select|0", "+OK|"),
        ],
    );
}

#[test]
fn a_user_may_do_what_its_rules_say() {
    let mut world = World::single(USERS);
    dialogue(
        &mut world,
        &[
            ("set k1 v", "+OK|"),
            ("acl whoami", "$7|default|"),
            ("auth nobody x", WRONG),
            ("auth writer nope", WRONG),
            ("auth reader anything", "+OK|"),
            ("get k1", "$1|v|"),
            ("get x", "-NOPERM No permissions to access a key|"),
            (
                "set k1 w",
                "-NOPERM User reader has no permissions to run the 'set' command|",
            ),
            (
                "acl whoami",
                "-NOPERM User reader has no permissions to run the 'acl|whoami' command|",
            ),
            ("auth writer pw", "+OK|"),
            ("set k1 w", "+OK|"),
            (
                "config get port",
                "-NOPERM User writer has no permissions to run the 'config|get' command|",
            ),
            ("publish cd x", ":0|"),
            ("publish d x", "-NOPERM No permissions to access a channel|"),
            (
                "subscribe cd d",
                "-NOPERM No permissions to access a channel|",
            ),
            (
                "psubscribe c",
                "-NOPERM No permissions to access a channel|",
            ),
            ("psubscribe c*", "*3|$10|psubscribe|$2|c*|:1|"),
            ("reset", "+RESET|"),
            ("acl whoami", "$7|default|"),
        ],
    );
    assert_eq!(world.info(0, "acl_access_denied_auth"), "2");
    assert_eq!(world.info(0, "acl_access_denied_cmd"), "3");
    assert_eq!(world.info(0, "acl_access_denied_key"), "1");
    assert_eq!(world.info(0, "acl_access_denied_channel"), "3");
}

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.|";

#[test]
fn a_transaction_is_looked_at_when_it_is_queued_and_again_when_it_runs() {
    let mut world = World::single(USERS);
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "auth reader x");
    world.ask(a, "multi");
    let denied = "-NOPERM User reader has no permissions to run the 'set' command|";
    assert_eq!(world.ask(a, "set k v"), denied);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.|";
    assert_eq!(world.ask(a, "exec"), aborted);

    world.ask(a, "multi");
    for key in ["k1", "k2"] {
        assert_eq!(world.ask(a, &format!("get {key}")), "+QUEUED|");
    }
    world.ask(b, "acl setuser reader resetkeys ~k2");
    let changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated \
                   and the EXEC call. This command is no longer allowed for the following reason: \
                   no permission to touch the specified keys|";
    assert_eq!(world.ask(a, "exec"), format!("*2|{changed}$-1|"));
    let log = world.ask(b, "acl log");
    assert!(
        log.contains("$7|context|$5|multi|$6|object|$2|k1|"),
        "{log}"
    );

    world.ask(a, "multi");
    world.ask(a, "auth writer pw");
    world.ask(a, "get k2");
    assert_eq!(world.ask(a, "exec"), "*2|+OK|$-1|");
}

#[test]
fn a_client_that_waits_is_looked_at_again_when_it_is_served() {
    let mut world = World::single("user u on nopass ~* +@all");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "auth u x");
    assert_eq!(world.ask(a, "blpop q 0"), "");
    world.ask(b, "acl setuser u -blpop");
    world.ask(b, "rpush q v");
    let denied = "-NOPERM User u has no permissions to run the 'blpop' command|";
    assert_eq!(world.heard(a), denied);
    let stats = world.ask(b, "info commandstats");
    let blpop = "cmdstat_blpop:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0";
    assert!(stats.contains(blpop), "{stats}");
    assert_eq!(world.ask(b, "llen q"), ":1|");
    assert_eq!(world.ask(a, "get k"), "$-1|");
}

#[test]
fn connections_of_a_user_that_is_gone_are_closed() {
    let mut world = World::single(USERS);
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    world.ask(a, "auth reader x");
    world.ask(b, "auth writer pw");
    assert_eq!(
        world.ask(c, "acl deluser default reader"),
        "-ERR The 'default' user cannot be removed|"
    );
    assert_eq!(world.ask(c, "acl deluser reader nosuch"), ":1|");
    assert!(world.is_closed(a) && !world.is_closed(b));
    assert_eq!(world.ask(b, "acl deluser writer"), ":1|", "it is answered");
    assert!(world.is_closed(b));
    assert_eq!(world.ask(c, "acl users"), "*2|$7|default|$6|nobody|");
}

#[test]
fn who_listens_to_what_it_may_hear_no_more_is_closed() {
    let mut world = World::single("user u on nopass &a &b* +@all ~*");
    let admin = world.client(0);
    let listeners: Vec<_> = [
        "subscribe a",
        "subscribe b1",
        "psubscribe b*",
        "ssubscribe a",
        "ping",
    ]
    .iter()
    .map(|command| {
        let conn = world.client(0);
        world.ask(conn, "auth u x");
        world.ask(conn, command);
        conn
    })
    .collect();
    let closed = |world: &World| -> Vec<bool> {
        listeners
            .iter()
            .map(|&conn| world.is_closed(conn))
            .collect()
    };
    world.ask(admin, "acl setuser u &c");
    assert_eq!(closed(&world), [false; 5]);
    world.ask(admin, "acl setuser u resetchannels &a &b1");
    assert_eq!(closed(&world), [false, false, true, false, false]);
    world.ask(admin, "acl setuser u resetchannels");
    assert_eq!(closed(&world), [true, true, true, true, false]);
    // The default user has all channels, and loses them.
    world.ask(admin, "subscribe x");
    let other = world.client(0);
    assert_eq!(
        world.ask(other, "acl setuser default resetchannels"),
        "+OK|"
    );
    assert!(world.is_closed(admin) && !world.is_closed(other));
}

#[test]
fn the_password_of_the_default_user_is_requirepass() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    let unneeded = "-ERR AUTH <password> called without any password configured for the default \
                    user. Are you sure your configuration is correct?|";
    assert_eq!(world.ask(a, "auth x"), unneeded);
    world.ask(a, "config set requirepass one");
    let hash = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    let line = format!("user default on sanitize-payload #{hash} ~* &* +@all");
    let expected = format!("*1|${}|{line}|", line.len());
    assert_eq!(
        world.ask(a, "acl list"),
        expected,
        "who was let in stays in"
    );
    let c = world.client(0);
    assert_eq!(world.ask(c, "get k"), "-NOAUTH Authentication required.|");
    assert_eq!(world.ask(c, "auth one"), "+OK|");
    world.ask(b, "acl setuser default >two");
    let d = world.client(0);
    assert_eq!(world.ask(d, "auth two"), "+OK|");
    world.ask(b, "acl setuser default off");
    let e = world.client(0);
    assert_eq!(world.ask(e, "auth two"), WRONG);
    assert_eq!(world.ask(e, "get k"), "-NOAUTH Authentication required.|");
    assert_eq!(world.ask(d, "get k"), "$-1|", "who is in stays in");
    world.ask(b, "config set requirepass ");
    assert_eq!(world.ask(e, "get k"), "-NOAUTH Authentication required.|");
    world.ask(b, "acl setuser default on");
    assert_eq!(world.ask(e, "get k"), "$-1|", "the door is open");
}

#[test]
fn sort_looks_at_other_keys_only_for_who_may_read_them_all() {
    let mut world = World::single(
        "user some on nopass ~m* +sort +sort_ro\n\
         user all on nopass (%R~* +sort +@read)",
    );
    let a = world.client(0);
    world.ask(a, "rpush mylist 2 1");
    world.ask(a, "auth some x");
    let by = "-ERR BY option of SORT denied due to insufficient ACL permissions.|";
    let get = "-ERR GET option of SORT denied due to insufficient ACL permissions.|";
    assert_eq!(world.ask(a, "sort mylist by w_*"), by);
    assert_eq!(world.ask(a, "sort_ro mylist get #"), get);
    assert_eq!(world.ask(a, "sort mylist by nosort"), "*2|$1|2|$1|1|");
    assert_eq!(world.ask(a, "sort mylist store mydest"), ":2|");
    let denied = "-NOPERM No permissions to access a key|";
    assert_eq!(world.ask(a, "sort mylist store dest"), denied);
    world.ask(a, "auth all x");
    assert_eq!(world.ask(a, "sort mylist by w_* get #"), "*2|$1|1|$1|2|");
}

fn with_file(text: &str) -> World {
    let mut world = World::new(3);
    let files = BTreeMap::from([("users.acl".to_owned(), text.as_bytes().to_vec())]);
    world.start("aclfile users.acl", files);
    world
}

#[test]
fn the_file_of_users_is_read_and_written_on_demand() {
    let mut world = with_file("user alice on nopass ~* +@all\n");
    let (a, b) = (world.client(0), world.client(0));
    assert_eq!(world.ask(b, "auth alice x"), "+OK|");
    world.ask(a, "acl setuser bob on nopass +get ~b");
    assert_eq!(world.ask(a, "acl save"), "+OK|");
    let saved = world.nodes[0].disk.files["users.acl"].clone();
    assert_eq!(
        String::from_utf8(saved).unwrap(),
        "user alice on nopass sanitize-payload ~* resetchannels +@all\n".to_owned()
            + "user bob on nopass sanitize-payload ~b resetchannels -@all +get\n\
               user default on nopass sanitize-payload ~* &* +@all\n"
    );
    assert!(
        world.nodes[0]
            .disk
            .files
            .keys()
            .all(|path| !path.contains("tmp"))
    );

    let broken = b"user alice on nopass ~* +@all\nuser bob bogus\n";
    world.nodes[0]
        .disk
        .files
        .insert("users.acl".into(), broken.to_vec());
    assert_eq!(
        world.ask(a, "acl load"),
        "-ERR users.acl:2: Syntax error. WARNING: ACL errors detected, no change to the \
         previously active ACL rules was performed|"
    );
    assert_eq!(world.ask(b, "acl whoami"), "$5|alice|");

    world.nodes[0]
        .disk
        .files
        .insert("users.acl".into(), b"user carol on nopass".to_vec());
    assert_eq!(world.ask(a, "acl load"), "+OK|");
    assert!(world.is_closed(b), "its user is gone");
    assert_eq!(world.ask(a, "acl users"), "*2|$5|carol|$7|default|");

    world.nodes[0].disk.files.remove("users.acl");
    assert_eq!(
        world.ask(a, "acl load"),
        "-ERR Error loading ACLs, opening file 'users.acl': No such file or directory|"
    );
    world.nodes[0].disk.full = true;
    assert!(
        world
            .ask(a, "acl save")
            .starts_with("-ERR There was an error trying to save")
    );
    assert!(!world.nodes[0].disk.files.contains_key("users.acl"));
}

#[test]
fn what_follows_acl_load_counts_with_what_it_has_loaded() {
    let mut world = with_file("");
    let a = world.client(0);
    world.nodes[0]
        .disk
        .files
        .insert("users.acl".into(), b"user u on >p".to_vec());
    let bytes: Vec<u8> = ["acl load", "auth u p", "multi", "acl load"]
        .iter()
        .flat_map(|command| super::harness::encoded(command))
        .collect();
    world.feed(0, a, &bytes);
    world.settle();
    assert_eq!(
        world.heard(a),
        "+OK|+OK|-NOPERM User u has no permissions to run the 'multi' command|\
         -NOPERM User u has no permissions to run the 'acl|load' command|"
    );
    let b = world.client(0);
    world.ask(b, "multi");
    for command in ["acl load", "acl save", "acl load", "acl whoami"] {
        assert_eq!(world.ask(b, command), "+QUEUED|");
    }
    assert_eq!(world.ask(b, "exec"), "*4|+OK|+OK|+OK|$7|default|");
    assert_eq!(world.ask(b, "ping"), "+PONG|");
}

#[test]
fn no_more_work_on_the_file_is_taken_than_can_be() {
    use crate::limits::ACL_FILE_JOBS_MAX;
    let mut world = with_file("");
    let a = world.client(0);
    world.nodes[0].disk.stuck = true;
    world.ask(a, "multi");
    for _ in 0..=ACL_FILE_JOBS_MAX {
        world.ask(a, "acl load");
    }
    world.ask(a, "exec");
    world.nodes[0].disk.stuck = false;
    world.settle();
    let heard = world.heard(a);
    assert_eq!(heard.matches("+OK|").count(), ACL_FILE_JOBS_MAX);
    assert!(heard.ends_with("-ERR too many ACL LOAD and ACL SAVE are under way|"));
}

#[test]
fn users_are_written_to_the_configuration_file() {
    let mut world = World::single("user alice on nopass +get");
    let a = world.client(0);
    let none = world.ask(a, "acl save");
    assert!(none.starts_with("-ERR This Redis instance is not configured to use an ACL file."));
    world.ask(a, "acl setuser bob on >p ~b");
    world.ask(a, "acl deluser alice");
    assert_eq!(world.ask(a, "config rewrite"), "+OK|");
    let text = String::from_utf8(world.nodes[0].disk.files["redis.conf"].clone()).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("user "))
        .collect();
    let hash = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";
    assert_eq!(
        lines,
        [
            &format!("user bob on sanitize-payload #{hash} ~b resetchannels -@all"),
            "user default on nopass sanitize-payload ~* &* +@all"
        ]
    );
}

#[test]
fn clients_are_listed_and_killed_by_their_users() {
    let mut world = World::single(USERS);
    let (a, b) = (world.client(0), world.client(0));
    world.ask(b, "auth writer pw");
    let list = world.ask(a, "client list");
    assert!(
        list.contains(" user=default ") && list.contains(" user=writer "),
        "{list}"
    );
    assert_eq!(
        world.ask(a, "client kill user nosuch"),
        "-ERR No such user 'nosuch'|"
    );
    assert_eq!(world.ask(a, "client kill user writer"), ":1|");
    assert!(world.is_closed(b) && !world.is_closed(a));
}

#[test]
fn dry_runs_tell_what_would_be_denied() {
    let mut world = World::single(USERS);
    dialogue(
        &mut world,
        &[
            ("acl dryrun nosuch get k", "-ERR User 'nosuch' not found|"),
            (
                "acl dryrun reader nosuch k",
                "-ERR Command 'nosuch' not found|",
            ),
            (
                "acl dryrun reader get",
                "-ERR wrong number of arguments for 'get' command|",
            ),
            ("acl dryrun reader get k", "+OK|"),
            (
                "acl dryrun reader get x",
                "$52|User reader has no permissions to access the 'x' key|",
            ),
            (
                "acl dryrun writer publish d x",
                "$56|User writer has no permissions to access the 'd' channel|",
            ),
            (
                "acl dryrun reader set k v",
                "$55|User reader has no permissions to run the 'set' command|",
            ),
            ("acl dryrun writer copy k1 k2", "+OK|"),
            (
                "acl dryrun writer zunionstore k 2 k1 x",
                "$52|User writer has no permissions to access the 'x' key|",
            ),
        ],
    );
}
