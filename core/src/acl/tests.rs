//! Rules, users and the log, against what they are made of.

use super::log;
use super::*;
use crate::machine::Wall;
use crate::resp::OwnedArgv;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A name and categories.
type Named = (&'static str, &'static [&'static str]);

/// Name, categories and subcommands of each command.
const COMMANDS: &[(&str, &[&str], &[Named])] = &[
    ("get", &["read", "string", "fast"], &[]),
    ("set", &["write", "string", "slow"], &[]),
    ("lpush", &["write", "list", "fast"], &[]),
    ("select", &["connection", "fast"], &[]),
    (
        "config",
        &["slow"],
        &[
            ("get", &["admin", "slow", "dangerous"]),
            ("set", &["admin", "slow", "dangerous"]),
        ],
    ),
    (
        "client",
        &["slow"],
        &[
            ("id", &["connection", "slow"]),
            ("list", &["connection", "admin", "slow"]),
        ],
    ),
];

fn categories(names: &[&str]) -> Acl {
    names.iter().fold(Acl::NONE, |all, name| {
        all.and(Acl::by_name(name.as_bytes()).unwrap())
    })
}

fn catalog() -> Catalog {
    let rows = COMMANDS.iter().map(|(name, of, subcommands)| Row {
        name,
        categories: categories(of),
        subcommands: subcommands
            .iter()
            .map(|(sub, of)| (*sub, categories(of)))
            .collect(),
    });
    let absent = [
        "eval",
        "script",
        "script|kill",
        "client|caching",
        "get",
        "config",
        "config|get",
    ];
    Catalog::new(rows, &absent)
}

fn users() -> Users {
    Users::new(catalog(), false)
}

fn set(users: &mut Users, name: &str, rules: &str) -> Result<Option<(UserId, Narrowed)>, String> {
    let rules: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    users
        .set(name.as_bytes(), &rules)
        .map_err(|fault| String::from_utf8(fault.text()).unwrap())
}

fn describe(users: &Users, name: &str) -> String {
    let id = users.find(name.as_bytes()).unwrap();
    String::from_utf8(users.get(id).describe()).unwrap()
}

/// Whether a user may run a command line: `get KEY` reads, `set KEY VALUE` writes, of `lpush` it
/// does both, and everything else has no keys.
fn check(users: &Users, name: &str, line: &str) -> Result<(), Denied> {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let argv = OwnedArgv::from_slices(&words);
    let argv = argv.as_ref();
    let sub = (words.len() > 1).then(|| [words[0], b"|", words[1]].concat());
    let sub = sub.and_then(|full| users.catalog().find(&full));
    let command = sub.or_else(|| users.catalog().find(words[0])).unwrap();
    let needs = match words[0] {
        b"get" => Some(Needs::READ),
        b"set" => Some(Needs::WRITE),
        b"lpush" => Some(Needs::READ.and(Needs::WRITE)),
        _ => None,
    };
    let call = Call {
        command,
        is_open: false,
        argv,
        names: if sub.is_some() { 2 } else { 1 },
        channels: Channels::default(),
    };
    let id = users.find(name.as_bytes()).unwrap();
    let keys = || {
        needs
            .map(|needs| Touched { index: 1, needs })
            .into_iter()
            .collect()
    };
    users.check(id, &call, keys)
}

#[test]
fn a_fresh_user_may_do_nothing_and_the_default_one_everything() {
    let mut users = users();
    set(&mut users, "u", "").unwrap();
    assert_eq!(
        describe(&users, "u"),
        "off sanitize-payload resetchannels -@all"
    );
    assert_eq!(
        describe(&users, "default"),
        "on nopass sanitize-payload ~* &* +@all"
    );
    assert_eq!(check(&users, "u", "get k"), Err(Denied::Command));
    assert!(users.is_unrestricted(UserId::DEFAULT));
    assert!(users.is_open());
    assert_eq!(users.authenticate(b"u", b""), None, "it is off");
    assert_eq!(users.authenticate(b"nobody", b""), None);
    assert_eq!(
        users.authenticate(b"default", b"anything"),
        Some(UserId::DEFAULT)
    );
}

#[test]
fn passwords_are_kept_as_hashes_and_can_be_taken_away() {
    let mut users = users();
    set(&mut users, "u", "on >one >two >one").unwrap();
    let (one, two) = (
        "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
        "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
    );
    let rules = "resetchannels -@all";
    assert_eq!(
        describe(&users, "u"),
        format!("on sanitize-payload #{one} #{two} {rules}")
    );
    assert!(users.authenticate(b"u", b"one").is_some());
    assert!(users.authenticate(b"u", b"On").is_none());
    set(&mut users, "u", &format!("<one !{two}")).unwrap();
    assert!(users.authenticate(b"u", b"one").is_none());
    assert!(users.authenticate(b"u", b"two").is_none());
    assert_eq!(
        set(&mut users, "u", "<one"),
        Err(
            "Error in ACL SETUSER modifier '<one': The password you are trying to remove from \
             the user does not exist"
                .into()
        )
    );
    let upper = one.to_ascii_uppercase();
    for bad in [&one[1..], &upper, "", "zz"] {
        let error = set(&mut users, "u", &format!("#{bad}")).unwrap_err();
        assert!(error.contains("exactly 64 characters"), "{error}");
    }
    set(&mut users, "u", "nopass").unwrap();
    assert!(users.authenticate(b"u", b"whatever").is_some());
    set(&mut users, "u", "off").unwrap();
    assert!(users.authenticate(b"u", b"whatever").is_none());
}

#[test]
fn keys_are_allowed_by_pattern_and_by_what_is_done_to_them() {
    let mut users = users();
    set(&mut users, "u", "+@all %R~r* %W~w* ~b* %rw~c*").unwrap();
    for (line, right) in [
        ("get r1", Ok(())),
        ("set r1 x", Err(Denied::Key(1))),
        ("get w1", Err(Denied::Key(1))),
        ("set w1 x", Ok(())),
        ("lpush r1 x", Err(Denied::Key(1))),
        ("lpush b1 x", Ok(())),
        ("lpush c1 x", Ok(())),
        ("get x", Err(Denied::Key(1))),
    ] {
        assert_eq!(check(&users, "u", line), right, "{line}");
    }
    set(&mut users, "u", "%W~r*").unwrap();
    assert!(describe(&users, "u").contains(" ~r* %W~w* ~b* ~c* "));
    for (rule, error) in [
        ("%~x", "Syntax error"),
        ("%RR~x", "Syntax error"),
        ("%X~x", "Syntax error"),
        ("~a\tb", "Syntax error"),
        ("bogus", "Syntax error"),
        ("+bogus", "Unknown command or category name in ACL"),
        ("+@bogus", "Unknown command or category name in ACL"),
        ("-select|1", "Unknown command or category name in ACL"),
        ("+config|bogus", "Unknown command or category name in ACL"),
        ("+select|", "Syntax error"),
        (
            "+config|get|x",
            "Allowing first-arg of a subcommand is not supported",
        ),
    ] {
        let before = describe(&users, "u");
        let told = set(&mut users, "u", &format!("off {rule}")).unwrap_err();
        assert_eq!(
            told,
            format!("Error in ACL SETUSER modifier '{rule}': {error}")
        );
        assert_eq!(describe(&users, "u"), before, "nothing has changed");
    }
    let told = set(&mut users, "u", "allkeys ~x").unwrap_err();
    assert!(told.contains("Try 'resetkeys'"), "{told}");
    let told = set(&mut users, "u", "allchannels &x").unwrap_err();
    assert!(told.contains("Try 'resetchannels'"), "{told}");
}

#[test]
fn one_selector_has_to_allow_all_of_a_command() {
    let mut users = users();
    set(&mut users, "u", "+get ~a (+set ~b) (+get %R~c").unwrap_err();
    set(&mut users, "u", "+get ~a (+set ~b) (+get").unwrap_err();
    set(&mut users, "u", "+get ~a (+set ~b) (+get %R~c)").unwrap();
    assert_eq!(check(&users, "u", "get a"), Ok(()));
    assert_eq!(check(&users, "u", "get c"), Ok(()));
    assert_eq!(check(&users, "u", "set b x"), Ok(()));
    assert_eq!(check(&users, "u", "set a x"), Err(Denied::Key(1)));
    assert_eq!(check(&users, "u", "get b"), Err(Denied::Key(1)));
    assert_eq!(check(&users, "u", "lpush a x"), Err(Denied::Command));
    assert_eq!(
        describe(&users, "u"),
        "off sanitize-payload ~a resetchannels -@all +get (~b resetchannels -@all +set) \
         (%R~c resetchannels -@all +get)"
    );
    set(&mut users, "u", "clearselectors").unwrap();
    assert_eq!(check(&users, "u", "set b x"), Err(Denied::Command));
    let told = set(&mut users, "u", "on (+get ~x").unwrap_err();
    assert_eq!(
        told,
        "Unmatched parenthesis in acl selector starting at '(+get'."
    );
}

#[test]
fn rules_for_what_is_not_there_yet_are_kept() {
    let mut users = users();
    set(&mut users, "u", "+@all -eval -script|kill -client|caching").unwrap();
    assert!(describe(&users, "u").ends_with("+@all -eval -script|kill -client|caching"));
    set(&mut users, "u", "-script").unwrap();
    assert!(describe(&users, "u").ends_with("+@all -eval -client|caching -script"));
    let shown: Vec<_> = users.catalog().in_category(Acl::STRING).collect();
    assert_eq!(shown.len(), 2);
}

#[test]
fn who_loses_a_channel_is_named_with_what_is_left() {
    let mut users = users();
    assert_eq!(set(&mut users, "u", "&a &b (&c)"), Ok(None));
    assert_eq!(set(&mut users, "u", "&d"), Ok(None), "more than before");
    let (_, left) = set(&mut users, "u", "resetchannels &a &n*")
        .unwrap()
        .unwrap();
    assert!(left.allows(b"a", false) && left.allows(b"c", false) && left.allows(b"news", false));
    assert!(!left.allows(b"b", false));
    assert!(left.allows(b"n*", true) && !left.allows(b"news*", true));
    set(&mut users, "u", "allchannels").unwrap();
    assert!(set(&mut users, "u", "resetchannels").unwrap().is_some());
}

#[test]
fn a_file_is_taken_up_as_a_whole_or_not_at_all() {
    let mut users = users();
    set(&mut users, "old", "on &a").unwrap();
    set(&mut users, "kept", "on &a +get").unwrap();
    let kept = users.find(b"kept");
    let before = users.image();
    for (text, errors) in [
        (
            "user a on\nbogus b\n",
            "f:2 should start with user keyword followed by the username. ",
        ),
        (
            "user\n",
            "f:1 should start with user keyword followed by the username. ",
        ),
        (
            "# no\n",
            "f:1 should start with user keyword followed by the username. ",
        ),
        (
            "user a on\n\n user a off",
            "WARNING: Duplicate user 'a' found on line 3. ",
        ),
        (
            "user a +nosuch on bogus ~x allkeys ~y",
            "f:1: Error in applying operation '+nosuch': \
          Unknown command or category name in ACL. f:1: Syntax error. ",
        ),
        (
            "user a (+get",
            "f:1: Unmatched parenthesis in selector definition. ",
        ),
        (
            "user a\tb on",
            "'f:1: username 'a\tb' contains invalid characters. ",
        ),
    ] {
        let told = String::from_utf8(users.load(text.as_bytes(), "f").unwrap_err()).unwrap();
        assert_eq!(
            told,
            format!(
                "{errors}WARNING: ACL errors detected, no change to the previously active ACL \
                 rules was performed"
            )
        );
        assert_eq!(users.image(), before);
    }
    let text = b"user kept on (+get ~k)\r\n\nuser new on >x\n";
    let loaded = users.load(text, "f").unwrap();
    assert_eq!(loaded.removed.len(), 1);
    assert_eq!(users.find(b"old"), None);
    assert_eq!(users.find(b"kept"), kept, "its clients go on");
    assert!(loaded.narrowed.contains_key(&kept.unwrap()));
    assert!(users.authenticate(b"new", b"x").is_some());
    assert!(
        users.is_open(),
        "without a line, the default user is what it is at first"
    );
    let image = users.image();
    users.load(&image, "f").unwrap();
    assert_eq!(users.image(), image);
    users.load(b"user default on >pw +@all", "f").unwrap();
    assert!(!users.is_open() && !users.is_unrestricted(UserId::DEFAULT));
}

#[test]
fn there_are_no_more_users_than_there_can_be() {
    use crate::limits::ACL_USERS_MAX;
    let mut users = Users::new(Catalog::new(core::iter::empty(), &[]), false);
    for n in 1..ACL_USERS_MAX {
        users.set(n.to_string().as_bytes(), &[]).unwrap();
    }
    assert_eq!(users.set(b"more", &[]), Err(SetFault::TooMany));
    assert_eq!(
        users.set(b"5", &[b"on"]),
        Ok(None),
        "those that are there can be changed"
    );
    users.delete(b"7").unwrap();
    assert_eq!(users.set(b"more", &[]), Ok(None));
}

#[test]
fn denials_that_are_alike_and_not_far_apart_count_as_one() {
    let incident = |object: &str, client: &str| Incident {
        reason: Reason::Key,
        context: Context::TopLevel,
        object: object.as_bytes().into(),
        user: (*b"u").into(),
        client: client.into(),
    };
    let mut log = Log::default();
    let at = Wall::from_millis;
    log.add(at(1_000), incident("a", "1"), 3);
    log.add(at(2_000), incident("b", "2"), 3);
    log.add(at(61_000), incident("a", "3"), 3);
    let shown = |log: &Log| -> Vec<(i64, i64, String)> {
        let entries = log.iter();
        let object =
            |entry: &log::Entry| String::from_utf8(entry.incident.object.to_vec()).unwrap();
        entries.map(|e| (e.count, e.id, object(e))).collect()
    };
    assert_eq!(shown(&log), [(2, 0, "a".into()), (1, 1, "b".into())]);
    let first = log.iter().next().unwrap();
    assert_eq!((first.created, first.updated), (at(1_000), at(61_000)));
    assert_eq!(&*first.incident.client, "3");
    log.add(at(62_001), incident("b", "4"), 3);
    log.add(at(62_002), incident("c", "5"), 3);
    assert_eq!(
        shown(&log),
        [(1, 3, "c".into()), (1, 2, "b".into()), (2, 0, "a".into())]
    );
    log.add(at(62_003), incident("d", "6"), 0);
    assert_eq!(log.iter().len(), 0, "nothing is kept");
    log.add(at(62_004), incident("e", "7"), 2);
    assert_eq!(shown(&log), [(1, 4, "e".into())]);
}

#[test]
fn made_up_passwords_have_as_many_digits_as_their_bits_need() {
    let mut rng = crate::rng::Rng::new([7; 32]);
    for (bits, digits) in [(1, 1), (4, 1), (5, 2), (256, 64), (4096, 1024)] {
        let password = new_password(bits, &mut rng).unwrap();
        assert_eq!(password.len(), digits);
        assert!(password.iter().all(u8::is_ascii_hexdigit));
    }
    for bits in [i64::MIN, -1, 0, 4097, i64::MAX] {
        assert_eq!(new_password(bits, &mut rng), None);
    }
}

const COMMAND_RULES: &[&str] = &[
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+get",
    "-get",
    "+GET",
    "+set",
    "-set",
    "+config",
    "-config",
    "+config|get",
    "-config|get",
    "+CONFIG|SET",
    "-config|set",
    "+client",
    "-client|list",
    "+client|list",
    "+@read",
    "-@read",
    "+@write",
    "-@write",
    "+@slow",
    "-@slow",
    "+@admin",
    "-@admin",
    "+@connection",
    "-@connection",
    "+@fast",
    "-@fast",
    "+select",
    "-select",
    "+select|0",
    "+select|1",
    "+SELECT|1",
    "-lpush",
    "+lpush",
    "-eval",
    "+script|kill",
];
const KEY_RULES: &[&str] = &[
    "~a*",
    "%R~b*",
    "%W~b*",
    "%RW~c",
    "resetkeys",
    "allkeys",
    "~*",
    "%R~*",
];
const LINES: &[&str] = &[
    "get a1",
    "get b1",
    "get c",
    "set a1 x",
    "set b1 x",
    "set c x",
    "lpush b1 x",
    "select 0",
    "select 1",
    "select 2",
    "config get x",
    "config set x y",
    "config x",
    "client id",
    "client list",
];

/// Whether rules allow a command, by the last one that says something about it.
fn model_allows_command(rules: &[&str], line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let (name, of, subs) = COMMANDS
        .iter()
        .find(|(name, _, _)| *name == words[0])
        .unwrap();
    let sub = subs.iter().find(|(sub, _)| *sub == words[1]);
    for rule in rules.iter().rev() {
        let rule = rule.to_lowercase();
        let (allow, what) = match rule.as_str() {
            "allcommands" => (true, "@all"),
            "nocommands" => (false, "@all"),
            rule if rule.starts_with(['+', '-']) => (rule.starts_with('+'), &rule[1..]),
            _ => continue,
        };
        let speaks_of_it = match what.strip_prefix('@') {
            Some("all") => true,
            Some(category) => {
                of.contains(&category) || sub.is_some_and(|(_, of)| of.contains(&category))
            }
            None => what == *name || sub.is_some_and(|(s, _)| what == format!("{name}|{s}")),
        };
        if speaks_of_it {
            return allow;
        }
        // A first argument only ever allows.
        if sub.is_none() && what == format!("{name}|{}", words[1]) {
            return true;
        }
    }
    false
}

/// Whether rules allow what a line does to its key.
fn model_allows_key(rules: &[&str], line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let needs = match words[0] {
        "get" => "R",
        "set" => "W",
        "lpush" => "RW",
        _ => return true,
    };
    let mut allowed: Vec<(&str, String)> = Vec::new();
    let mut all = false;
    for rule in rules {
        match *rule {
            "allkeys" | "~*" => (all, _) = (true, allowed.clear()),
            "resetkeys" => (all, _) = (false, allowed.clear()),
            rule => {
                let (letters, pattern) = match rule.strip_prefix('%') {
                    Some(rest) => rest.split_once('~').unwrap(),
                    None => match rule.strip_prefix('~') {
                        Some(pattern) => ("RW", pattern),
                        None => continue,
                    },
                };
                match allowed.iter_mut().find(|(known, _)| *known == pattern) {
                    Some((_, known)) => known.push_str(letters),
                    None => allowed.push((pattern, letters.into())),
                }
            }
        }
    }
    all || allowed.iter().any(|(pattern, letters)| {
        needs.chars().all(|need| letters.contains(need))
            && crate::glob::matches(pattern.as_bytes(), words[1].as_bytes())
    })
}

/// Leaves out the patterns that would be refused.
fn without_late_patterns<'a>(rules: &[&'a str]) -> Vec<&'a str> {
    let mut all = false;
    let mut kept = Vec::new();
    for &rule in rules {
        match rule {
            "allkeys" | "~*" => all = true,
            "resetkeys" => all = false,
            rule if all && rule.starts_with(['~', '%']) => continue,
            _ => {}
        }
        kept.push(rule);
    }
    kept
}

fn any_rules() -> impl Strategy<Value = Vec<&'static str>> {
    let rule = prop_oneof![3 => select(COMMAND_RULES), 2 => select(KEY_RULES)];
    vec(rule, 0..14).prop_map(|rules| without_late_patterns(&rules))
}

proptest! {
    #[test]
    fn the_last_rule_that_speaks_of_a_command_decides(
        own in any_rules(),
        others in vec(any_rules(), 0..3),
    ) {
        let mut users = users();
        let mut rules: Vec<String> = own.iter().map(ToString::to_string).collect();
        rules.extend(others.iter().map(|rules| format!("({})", rules.join(" "))));
        let bytes: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
        prop_assert!(users.set(b"u", &bytes).is_ok());
        for line in LINES {
            let allowed = core::iter::once(&own).chain(&others).any(|rules| {
                model_allows_command(rules, line) && model_allows_key(rules, line)
            });
            prop_assert_eq!(check(&users, "u", line).is_ok(), allowed, "{} {:?}", line, rules);
        }
        let id = users.find(b"u").unwrap();
        let everything = LINES.iter().all(|line| check(&users, "u", line).is_ok());
        prop_assert!(everything || !users.is_unrestricted(id));
    }

    #[test]
    fn a_description_makes_the_same_user(
        own in any_rules(),
        others in vec(any_rules(), 0..3),
        channels in vec(select(vec!["&a*", "&b", "allchannels", "resetchannels"]), 0..2),
        flags in vec(select(vec!["on", "off", "nopass", ">x", "resetpass", "reset",
            "skip-sanitize-payload", "sanitize-payload"]), 0..4),
    ) {
        let mut users = users();
        let mut rules: Vec<String> = flags.iter().chain(&own).map(ToString::to_string).collect();
        if channels.first() != Some(&"allchannels") {
            rules.extend(channels.iter().map(ToString::to_string));
        }
        rules.extend(others.iter().map(|rules| format!("({})", rules.join(" "))));
        let bytes: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
        prop_assert!(users.set(b"u", &bytes).is_ok(), "{:?}", rules);
        let image = users.image();
        let mut again = Users::new(catalog(), true);
        prop_assert!(again.load(&image, "f").is_ok());
        prop_assert_eq!(again.image(), image);
        for line in LINES {
            prop_assert_eq!(check(&again, "u", line), check(&users, "u", line), "{}", line);
        }
    }

    #[test]
    fn no_text_of_rules_or_of_a_file_does_harm(
        rules in vec("[-+~%&()<>!#@|a-c0-9RW* \\PC]{0,12}", 0..6),
        text in "(user [a-c]{1,3} [-+~%&()<>!#@|a-cRW* \t\r]{0,20}\n?){0,5}",
    ) {
        let mut users = users();
        let bytes: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
        let _ = users.set(b"u", &bytes);
        let _ = users.load(text.as_bytes(), "f");
        let image = users.image();
        prop_assert!(users.load(&image, "f").is_ok(), "{}", String::from_utf8_lossy(&image));
        prop_assert_eq!(users.image(), image);
    }
}
