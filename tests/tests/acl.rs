//! Rules of ACL users mean to Holdfast what they mean to a real server.

use std::path::Path;
use std::process::Command;

use holdfast_core::rng::Rng;
use holdfast_tests::differential::{Peer, Reply, Server, peers};
use holdfast_tests::{Flavour, Kind, Node, peers_are_here, say};

/// Users that are made of rules drawn at random. They are the same in every run.
const USERS: u64 = 150;
/// Changes of each.
const CHANGES: u64 = 3;

/// What rules are drawn from; most of them make sense. `%` and `%~x` are not among them: a real
/// server takes them, and ends when it is to show them.
const RULES: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    "reset",
    "clearselectors",
    "sanitize-payload",
    "skip-sanitize-payload",
    ">secret",
    ">other",
    "<secret",
    "<nosuch",
    "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "#xyz",
    "!abc",
    "!2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "#2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B",
    "~*",
    "allkeys",
    "resetkeys",
    "ALLKEYS",
    "~a*",
    "~b",
    "%R~r*",
    "%W~w*",
    "%RW~x",
    "%wr~y*",
    "%RR~z",
    "%Q~z",
    "%R",
    "~",
    "%R~*",
    "%W~*",
    "~a b",
    "&*",
    "allchannels",
    "resetchannels",
    "&c*",
    "&news",
    "&a b",
    "&",
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+get",
    "-get",
    "+set",
    "-SET",
    "+mset",
    "+config",
    "-config",
    "+config|get",
    "-config|get",
    "+CONFIG|set",
    "+client",
    "-client|list",
    "+client|id",
    "+@read",
    "-@read",
    "+@write",
    "-@write",
    "+@string",
    "-@string",
    "+@fast",
    "-@fast",
    "+@slow",
    "-@slow",
    "+@dangerous",
    "-@dangerous",
    "+@admin",
    "-@admin",
    "+@keyspace",
    "+@connection",
    "-@connection",
    "+@pubsub",
    "-@pubsub",
    "+@list",
    "-@hash",
    "+@transaction",
    "-@blocking",
    "+@sortedset",
    "+@stream",
    "-@geo",
    "-@hyperloglog",
    "+@bitmap",
    "+select|0",
    "+select|1",
    "+SELECT|0",
    "+select",
    "-select",
    "-select|0",
    "+select|",
    "+config|nosuch",
    "+config|get|x",
    "-config|nosuch",
    "+nosuch",
    "-nosuch",
    "+@nosuch",
    "+",
    "-",
    "+@",
    "+debug|sleep",
    "+memory|usage",
    "+object|freq",
    "-object",
    "+sort",
    "+eval",
    "-eval",
    "+script|load",
    "-script",
    "+monitor",
    "nosuch",
    "",
    "on ",
];

/// Command lines with keys and channels in all kinds of places.
const LINES: &[&str] = &[
    "get a1",
    "get b",
    "get r1",
    "get w1",
    "set a1 v",
    "set w1 v",
    "set r1 v",
    "set x v get",
    "set y1 v get",
    "set w1 v get",
    "getdel r1",
    "getdel x",
    "append w1 v",
    "strlen r1",
    "exists zz",
    "exists w1",
    "type w1",
    "mset a1 v b v",
    "mset a1 v zz v",
    "mget a1 r1",
    "mget a1 w1",
    "copy r1 w1",
    "copy w1 r1",
    "rename a1 b",
    "rename r1 a1",
    "lpush w1 v",
    "lpop w1",
    "lpop x",
    "blpop a1 b 0",
    "blpop a1 zz 0",
    "lmpop 2 a1 b left",
    "lmpop 2 a1 zz left",
    "lmpop 9 a1 left",
    "lmove r1 w1 left left",
    "lmove a1 w1 left left",
    "rpoplpush x w1",
    "bitop and w1 r1 r2",
    "bitop and w1 r1 zz",
    "bitfield r1 get u8 0",
    "bitfield r1 set u8 0 1",
    "bitfield w1 set u8 0 1",
    "bitfield_ro r1 get u8 0",
    "sort r1",
    "sort r1 store w1",
    "sort r1 store zz",
    "sort_ro r1",
    "hset w1 f v",
    "hget r1 f",
    "hgetall w1",
    "sadd w1 v",
    "smove a1 b v",
    "sinter r1 r2",
    "sinterstore w1 r1 r2",
    "sintercard 2 r1 r2",
    "sintercard 2 r1 w1",
    "zadd w1 1 v",
    "zunion 2 r1 r2",
    "zunionstore w1 2 r1 r2",
    "zunionstore w1 2 r1 w2",
    "zrangestore w1 r1 0 -1",
    "zpopmin x",
    "zmpop 1 x min",
    "geoadd w1 1 1 v",
    "geosearchstore w1 r1 frommember m byradius 1 m",
    "georadius r1 1 1 1 m store w1",
    "georadius_ro r1 1 1 1 m",
    "pfadd w1 v",
    "pfcount r1 r2",
    "pfmerge w1 r1",
    "xadd w1 * f v",
    "xread count 1 streams r1 r2 0 0",
    "xread streams r1 zz 0 0",
    "xreadgroup group g c streams r1 >",
    "xgroup create w1 g $",
    "xinfo stream r1",
    "object freq r1",
    "object encoding w1",
    "memory usage r1",
    "dump r1",
    "restore w1 0 x",
    "expire w1 1",
    "ttl r1",
    "persist w1",
    "touch r1",
    "unlink w1",
    "del r1",
    "watch r1",
    "watch zz",
    "unwatch",
    "multi",
    "exec",
    "select 0",
    "select 1",
    "swapdb 0 1",
    "flushall",
    "keys *",
    "scan 0",
    "randomkey",
    "dbsize",
    "ping",
    "echo x",
    "auth x",
    "hello 3",
    "reset",
    "quit",
    "config get x",
    "config set x y",
    "config rewrite",
    "config resetstat",
    "client list",
    "client id",
    "client kill x",
    "client setname x",
    "acl whoami",
    "acl list",
    "acl setuser x",
    "command",
    "command count",
    "command docs",
    "info",
    "debug sleep 0",
    "publish news x",
    "publish c1 x",
    "publish zz x",
    "subscribe news",
    "subscribe c1 zz",
    "psubscribe c*",
    "psubscribe c",
    "unsubscribe zz",
    "punsubscribe zz",
    "spublish news x",
    "ssubscribe c1",
    "sunsubscribe zz",
    "pubsub channels",
    "replicaof no one",
    "shutdown",
    "save",
    "bgsave",
    "role",
    "lastsave",
    "time",
    "object help",
    "getex r1",
    "getex x ex 1",
    "getset x v",
    "setrange w1 0 v",
    "substr r1 0 1",
    "lcs r1 r2",
];

#[test]
fn rules_mean_what_they_mean_to_a_real_server() {
    if !peers_are_here("rules_mean_what_they_mean_to_a_real_server") {
        return;
    }
    for peer in peers() {
        compare_with(&peer);
    }
}

/// Both servers.
struct Pair {
    ours: Server,
    theirs: Server,
}

impl Pair {
    fn ask(&mut self, words: &[&str]) -> (Reply, Reply) {
        let ours = self.ours.ask(words).expect("we answer");
        let theirs = self.theirs.ask(words).expect("the peer answers");
        (ours, theirs)
    }
}

fn compare_with(peer: &Path) {
    let mut pair = Pair {
        ours: Server::start(Flavour::Holdfast.server()),
        theirs: Server::start(Command::new(peer)),
    };
    for default in ["resetchannels", "allchannels"] {
        pair.ask(&["CONFIG", "SET", "acl-pubsub-default", default]);
        for seed in 0..USERS {
            let mut rng = Rng::new([7; 32]).fork(&format!("{default} {seed}"));
            let mut history = Vec::new();
            for _ in 0..CHANGES {
                change_and_compare(&mut pair, &mut rng, &mut history);
            }
            pair.ask(&["ACL", "DELUSER", "u"]);
        }
    }
    compare_categories(&mut pair);
    say(&format!("{}: {USERS} users alike", peer.display()));
}

/// Changes a user by a few rules, some of them in parentheses.
fn change_and_compare(pair: &mut Pair, rng: &mut Rng, history: &mut Vec<Vec<String>>) {
    let draw = |rng: &mut Rng| {
        let at = rng.below(RULES.len() as u64);
        RULES[usize::try_from(at).expect("rules are few")]
    };
    let mut rules = Vec::new();
    for _ in 0..rng.below(7) {
        if rng.below(5) == 0 {
            let inside: Vec<_> = (0..rng.below(4)).map(|_| draw(rng)).collect();
            let text = format!("({})", inside.join(" "));
            match rng.below(4) {
                0 => rules.extend(text.split(' ').map(str::to_owned)),
                // Which start is told of two without an end depends on the version.
                1 => {
                    rules.push(text[..text.len() - 1].to_owned());
                    break;
                }
                _ => rules.push(text),
            }
        } else {
            rules.push(draw(rng).to_owned());
        }
    }
    history.push(rules.clone());
    let mut words = vec!["ACL", "SETUSER", "u"];
    words.extend(rules.iter().map(String::as_str));
    let (ours, theirs) = pair.ask(&words);
    assert_eq!(ours.show(), theirs.show(), "{history:?}");
    if ours.is_error() {
        // Most of it may be right by itself.
        for rule in &rules {
            let (ours, theirs) = pair.ask(&["ACL", "SETUSER", "u", rule]);
            assert_eq!(ours.show(), theirs.show(), "{rule:?} of {history:?}");
        }
    }
    compare_user(pair, history);
    let lines = LINES.iter().map(|line| {
        let words = ["ACL", "DRYRUN", "u"].into_iter().chain(line.split(' '));
        words.map(|word| word.as_bytes().to_vec()).collect()
    });
    let lines: Vec<Vec<Vec<u8>>> = lines.collect();
    let ours = pair.ours.ask_all(&lines).expect("we answer");
    let theirs = pair.theirs.ask_all(&lines).expect("the peer answers");
    for (line, (ours, theirs)) in LINES.iter().zip(ours.iter().zip(&theirs)) {
        let (ours, theirs) = (verdict(ours), verdict(theirs));
        assert_eq!(ours, theirs, "{line:?} after {history:?}");
    }
}

/// What a dry run says, without the words that depend on the version.
fn verdict(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(reply.text()).into_owned();
    match text.split_once(" has no permissions") {
        Some((_, rest)) => rest.to_owned(),
        None => reply.show(),
    }
}

fn compare_user(pair: &mut Pair, history: &[Vec<String>]) {
    let (ours, theirs) = pair.ask(&["ACL", "GETUSER", "u"]);
    if pair.theirs.peer() != Peer::Redis70 {
        assert_eq!(ours.show(), theirs.show(), "{history:?}");
        let (ours, theirs) = pair.ask(&["ACL", "LIST"]);
        assert_eq!(ours.show(), theirs.show(), "{history:?}");
        return;
    }
    // Redis 7.0 shows other rules with the same meaning for commands, which dry runs tell.
    let (ours, theirs) = (parts(&ours), parts(&theirs));
    assert_eq!(ours, theirs, "{history:?}");
}

/// The parts of ACL GETUSER that are the same in all versions.
fn parts(user: &Reply) -> Vec<String> {
    let items = user.items();
    let mut shown = Vec::new();
    for pair in items.chunks(2) {
        let [name, value] = pair else {
            panic!("fields come in pairs: {}", user.show());
        };
        match name.text() {
            b"commands" => {}
            b"flags" => {
                // Redis 7.0 does not show that payloads are looked at, which is the rule.
                let flags = value.items().iter().map(Reply::show);
                shown.extend(flags.filter(|flag| !flag.contains("\"sanitize")));
            }
            b"selectors" => shown.extend(value.items().iter().flat_map(parts)),
            _ => shown.push(value.show()),
        }
    }
    shown
}

/// Both have the same commands in each category, as far as both have them.
fn compare_categories(pair: &mut Pair) {
    let names = |reply: &Reply| -> Vec<String> {
        let texts = reply.items().iter();
        let mut names: Vec<_> = texts
            .map(|name| String::from_utf8_lossy(name.text()).into_owned())
            .collect();
        names.sort_unstable();
        names
    };
    let (ours, theirs) = pair.ask(&["ACL", "CAT"]);
    assert_eq!(ours.show(), theirs.show());
    let all = ["COMMAND", "LIST", "FILTERBY", "PATTERN", "*"];
    let (known, theirs) = pair.ask(&all);
    let both: Vec<_> = names(&known)
        .into_iter()
        .filter(|name| names(&theirs).contains(name))
        .collect();
    assert!(both.len() > 200, "most commands are there: {}", both.len());
    // WAIT has been blocking since 7.2.
    let changed = |name: &String| pair.theirs.peer() == Peer::Redis70 && name == "wait";
    let both: Vec<_> = both.into_iter().filter(|name| !changed(name)).collect();
    for category in names(&ours) {
        let (ours, theirs) = pair.ask(&["ACL", "CAT", &category]);
        let shared = |reply: &Reply| -> Vec<String> {
            let names = names(reply).into_iter();
            names.filter(|name| both.contains(name)).collect()
        };
        assert_eq!(shared(&ours), shared(&theirs), "@{category}");
    }
}

/// The end of a start that is refused, by what it says.
fn refusal(config: &str, files: &[(&str, &str)]) -> String {
    let node = Node::new(Flavour::Holdfast, Kind::Server, config);
    for (name, text) in files {
        std::fs::write(node.dir().join(name), text).expect("a temporary file can be written");
    }
    let output = node.command().output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1), "{config}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_start_with_rules_that_make_no_sense_is_refused_with_their_place() {
    let text = refusal("user alice on +get\nuser bob on bogus\n", &[]);
    assert!(text.contains(">>> 'user bob on bogus'"), "{text}");
    assert!(
        text.contains("Error in user declaration 'bogus': Syntax error"),
        "{text}"
    );
    let text = refusal("user a on\nuser a off\n", &[]);
    assert!(
        text.contains("Duplicate user found. A user can only be defined once"),
        "{text}"
    );
    let text = refusal("aclfile nosuch.acl\n", &[]);
    assert!(
        text.contains("opening file 'nosuch.acl': No such file or directory"),
        "{text}"
    );
    let broken = [("users.acl", "user a on +nosuch\nuser b (\n")];
    let text = refusal("aclfile users.acl\n", &broken);
    for part in [
        ">>> 'aclfile users.acl'",
        "users.acl:1: Error in applying operation '+nosuch': Unknown command or category name",
        "users.acl:2: Unmatched parenthesis",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let text = refusal("user a on\naclfile users.acl\n", &[("users.acl", "")]);
    assert!(
        text.contains("define either an ACL file or declare users"),
        "{text}"
    );
}

#[test]
fn users_of_a_file_are_there_after_a_start_and_after_a_save() {
    let mut node = Node::new(Flavour::Holdfast, Kind::Server, "aclfile users.acl\n");
    let path = node.dir().join("users.acl");
    std::fs::write(&path, "user default off\nuser admin on >pw ~* &* +@all\n").expect("written");
    node.launch();
    node.wait_until_ready();
    let mut client = node.client();
    assert!(client.text(&["ACL", "WHOAMI"]).starts_with("-NOAUTH"));
    assert_eq!(client.text(&["AUTH", "admin", "pw"]), "OK");
    assert_eq!(
        client.text(&["ACL", "SETUSER", "app", "on", ">x", "~app:*", "+@all"]),
        "OK"
    );
    assert_eq!(client.text(&["ACL", "SAVE"]), "OK");
    node.kill();
    node.launch();
    node.wait_until_ready();
    let mut client = node.client();
    assert_eq!(client.text(&["AUTH", "app", "x"]), "OK");
    assert_eq!(client.text(&["SET", "app:1", "v"]), "OK");
    assert_eq!(
        client.text(&["SET", "other", "v"]),
        "-NOPERM No permissions to access a key"
    );
}

#[test]
fn a_sentinel_has_users_of_its_own() {
    let config = "user default off\nuser admin on >pw allchannels +@all\n\
                  user watcher on >w +subscribe +sentinel|masters &+switch-master\n";
    let mut node = Node::new(Flavour::Holdfast, Kind::Sentinel, config);
    node.launch();
    node.wait_until_ready();
    let mut client = node.client();
    assert!(client.text(&["SENTINEL", "MASTERS"]).starts_with("-NOAUTH"));
    assert_eq!(client.text(&["AUTH", "watcher", "w"]), "OK");
    assert_eq!(client.text(&["SENTINEL", "MASTERS"]), "");
    assert_eq!(
        client.text(&["SENTINEL", "FLUSHCONFIG"]),
        "-NOPERM User watcher has no permissions to run the 'sentinel|flushconfig' command"
    );
    assert_eq!(
        client.text(&["SUBSCRIBE", "+sdown"]),
        "-NOPERM No permissions to access a channel"
    );
    assert_eq!(client.text(&["AUTH", "admin", "pw"]), "OK");
    assert!(client.text(&["ACL", "LOG"]).contains("channel"));
    assert_eq!(
        client.text(&["ACL", "SETUSER", "late", "on", "nopass", "+ping"]),
        "OK"
    );
    assert_eq!(client.text(&["SENTINEL", "FLUSHCONFIG"]), "OK");
    node.kill();
    node.launch();
    node.wait_until_ready();
    let mut client = node.client();
    assert_eq!(client.text(&["AUTH", "late", "any"]), "OK");
    assert_eq!(client.text(&["PING"]), "PONG");
}
