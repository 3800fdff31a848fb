//! How replies are compared: by default they are the same, byte for byte. Everything else is in
//! the tables here, with its reason.

use super::reply::Reply;
use super::sequence::Words;

/// How two replies to a command are compared.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// The elements are the same in some order.
    Unordered,
    /// Pairs of elements are the same in some order.
    UnorderedPairs,
    /// Both are of one kind, and lists of one length.
    Shape,
    /// Both are of one kind.
    Kind,
    /// Integers differ by at most so much.
    Near(i64),
    /// Full iterations are the same in some order, others are of one shape.
    Scan,
    /// These fields of lines `name=value` are the same.
    LineFields(&'static [&'static str]),
    /// The same but for these fields.
    Except(&'static [&'static str]),
    /// These fields of each command are the same.
    Docs(&'static [&'static str]),
}

/// What replies are not compared byte for byte: the commands, by their first words; how; and why.
#[rustfmt::skip]
pub const RULES: &[(&[&str], Rule, &str)] = &[
    (&["KEYS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS", "PUBSUB CHANNELS",
       "PUBSUB SHARDCHANNELS", "SORT", "SORT_RO", "SPOP"],
     Rule::Unordered, "the order is that of a hash table"),
    (&["HGETALL", "CONFIG GET"], Rule::UnorderedPairs, "the order is that of a hash table"),
    (&["SCAN", "SSCAN", "HSCAN", "ZSCAN"], Rule::Scan, "cursors are what a server makes of them"),
    (&["RANDOMKEY", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"], Rule::Shape, "the answer is random"),
    (&["TTL", "EXPIRETIME"], Rule::Near(2), "two clocks are read, in seconds"),
    (&["OBJECT IDLETIME"], Rule::Kind, "Redis has one object for a small integer, whichever keys have it"),
    (&["PTTL", "PEXPIRETIME"], Rule::Near(2_000), "two clocks are read, in milliseconds"),
    (&["TIME", "LASTSAVE", "CLIENT ID", "CLIENT GETREDIR", "MEMORY USAGE", "DEBUG OBJECT", "DEBUG DIGEST",
       "DEBUG DIGEST-VALUE", "OBJECT REFCOUNT", "INFO", "DUMP", "COMMAND COUNT", "COMMAND LIST", "COMMAND"],
     Rule::Kind, "it tells of the server, not of the data"),
    (&["CLIENT LIST", "CLIENT INFO"],
     Rule::LineFields(CLIENT_FIELDS),
     "the other fields are addresses, numbers and sizes"),
    (&["HELLO"], Rule::Except(&["server", "version", "id"]), "it tells of the server"),
    (&["XINFO"], Rule::Except(STREAM_FIELDS),
     "times depend on the clock, and the tree on how it is built"),
    (&["COMMAND DOCS"], Rule::Docs(&["since", "group"]), "the other texts are our own"),
];

/// Fields of CLIENT LIST that are compared.
const CLIENT_FIELDS: &[&str] = &[
    "name", "db", "sub", "psub", "ssub", "multi", "cmd", "user", "resp", "flags", "lib-name",
    "lib-ver",
];

/// Fields of XINFO that are not compared.
pub(super) const STREAM_FIELDS: &[&str] = &[
    "idle",
    "inactive",
    "seen-time",
    "active-time",
    "radix-tree-keys",
    "radix-tree-nodes",
];

/// The rule for a command. The texts of HELP are our own, and no server has all commands.
pub(super) fn rule(words: &Words) -> Option<Rule> {
    let upper: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_ascii_uppercase())
        .collect();
    let first = upper.first()?;
    let both = upper.get(1).map(|second| format!("{first} {second}"));
    let matches = |name: &&str| both.as_deref() == Some(*name) || *name == first.as_str();
    let longest = RULES
        .iter()
        .filter_map(|(names, rule, _)| {
            let names = names.iter().filter(|name| matches(name));
            Some((names.map(|name| name.len()).max()?, *rule))
        })
        .max_by_key(|(len, _)| *len);
    if upper.get(1).is_some_and(|word| word == "HELP") {
        return Some(Rule::Kind);
    }
    if upper.len() == 2 && matches!(both.as_deref(), Some("COMMAND INFO" | "COMMAND DOCS")) {
        return Some(Rule::Kind);
    }
    let rule = longest.map(|(_, rule)| rule)?;
    let has = |word: &str| upper.iter().any(|other| other == word);
    let ordered = match first.as_str() {
        "SCAN" if upper.get(1).is_some_and(|cursor| cursor != "0") => return Some(Rule::Kind),
        "SSCAN" | "HSCAN" | "ZSCAN" if upper.get(2).is_some_and(|cursor| cursor != "0") => {
            return Some(Rule::Kind);
        }
        "COMMAND" => upper.len() > 1 && matches!(rule, Rule::Kind) && both_is_own(both.as_deref()),
        "SORT" | "SORT_RO" => !has("BY"),
        "GEOSEARCH" | "GEORADIUS" | "GEORADIUSBYMEMBER" => has("ASC") || has("DESC"),
        _ => false,
    };
    (!ordered).then_some(rule)
}

/// Whether what follows COMMAND has no row in the table, and is compared byte for byte.
fn both_is_own(both: Option<&str>) -> bool {
    !matches!(both, Some("COMMAND COUNT" | "COMMAND LIST"))
}

impl Rule {
    /// Whether two replies count as the same. Errors are compared to the letter before.
    pub fn accepts(self, ours: &Reply, theirs: &Reply) -> bool {
        if ours == theirs {
            return true;
        }
        if ours.is_error() || theirs.is_error() || ours.kind() != theirs.kind() {
            return false;
        }
        match self {
            Self::Unordered => sorted(ours) == sorted(theirs),
            Self::UnorderedPairs => sorted_pairs(ours) == sorted_pairs(theirs),
            Self::Shape => ours.items().len() == theirs.items().len(),
            Self::Kind => true,
            Self::Near(most) => match (ours.int(), theirs.int()) {
                (Some(ours), Some(theirs)) => ours.saturating_sub(theirs).saturating_abs() <= most,
                _ => false,
            },
            Self::Scan => same_scan(ours.items(), theirs.items()),
            Self::LineFields(names) => line_fields(ours, names) == line_fields(theirs, names),
            Self::Except(names) => without(ours, names) == without(theirs, names),
            Self::Docs(names) => docs(ours, names) == docs(theirs, names),
        }
    }
}

/// The elements in an order of their own.
pub(super) fn sorted(reply: &Reply) -> Vec<&Reply> {
    let mut items: Vec<&Reply> = reply.items().iter().collect();
    items.sort_unstable();
    items
}

/// The pairs in an order of their own.
pub(super) fn sorted_pairs(reply: &Reply) -> Vec<&[Reply]> {
    let mut pairs: Vec<&[Reply]> = reply.items().chunks(2).collect();
    pairs.sort_unstable();
    pairs
}

fn same_scan(ours: &[Reply], theirs: &[Reply]) -> bool {
    let ([our_cursor, ours], [their_cursor, theirs]) = (ours, theirs) else {
        return false;
    };
    let whole = our_cursor.text() == b"0" && their_cursor.text() == b"0";
    if !whole {
        return our_cursor.kind() == their_cursor.kind() && ours.kind() == theirs.kind();
    }
    // Pairs of HSCAN and ZSCAN fall apart on both sides alike.
    sorted(ours) == sorted(theirs)
}

fn line_fields(reply: &Reply, names: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(reply.text()).into_owned();
    let fields = text.split_whitespace().filter(|field| {
        let name = field.split('=').next().unwrap_or(field);
        names.contains(&name)
    });
    let mut fields: Vec<String> = fields.map(str::to_owned).collect();
    fields.sort_unstable();
    fields
}

/// A reply with these fields left out, at any depth.
pub(super) fn without(reply: &Reply, names: &[&str]) -> Reply {
    let Reply::List(kind, items) = reply else {
        return reply.clone();
    };
    let mut kept = Vec::new();
    let mut left = items.iter().enumerate();
    while let Some((at, item)) = left.next() {
        // A value may have the name of a field.
        let is_field = at.is_multiple_of(2);
        if is_field && names.iter().any(|name| item.text() == name.as_bytes()) {
            left.next();
        } else {
            kept.push(without(item, names));
        }
    }
    Reply::List(*kind, kept)
}

fn docs<'a>(reply: &'a Reply, names: &[&str]) -> Vec<Vec<&'a [u8]>> {
    let pairs = reply.items().chunks_exact(2);
    let mut all: Vec<Vec<&[u8]>> = pairs
        .map(|pair| {
            let field = |name: &&str| pair[1].field(name).map_or(&b""[..], Reply::text);
            let fields = names.iter().map(field);
            core::iter::once(pair[0].text()).chain(fields).collect()
        })
        .collect();
    all.sort_unstable();
    all
}

/// Whom Holdfast is compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// A Redis that is older than the yardstick.
    Redis70,
    /// Redis 7.2.
    Redis72,
    /// A Valkey, which has changed a few things since Redis 7.2.
    Valkey,
}

/// What differs besides a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Also {
    /// Nothing.
    Nothing,
    /// The other replies to the same command.
    Replies,
    /// Everything that follows: the sequence is not compared any further.
    Everything,
}

/// A difference that is accepted.
pub struct Accepted {
    /// The peer that is alone with it, if it is one.
    pub only: Option<Peer>,
    /// Why it is accepted.
    pub why: &'static str,
    /// What else it makes different.
    pub also: Also,
    /// Whether this is it.
    pub is_it: fn(&Words, &Reply, &Reply) -> bool,
}

impl std::fmt::Debug for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.why)
    }
}

fn names(words: &Words, name: &str) -> bool {
    words
        .first()
        .is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether this is a message, in either protocol. Those are compared apart from replies and in no
/// order: Redis sends several patterns' messages in the order of a hash table, and what a
/// connection sends to itself comes behind everything it has sent at once here.
pub(super) fn is_message(reply: &Reply) -> bool {
    let kinds: [&[u8]; 3] = [b"message", b"pmessage", b"smessage"];
    let first = reply.items().first().map_or(&b""[..], Reply::text);
    matches!(reply.kind(), b'*' | b'>') && reply.items().len() > 2 && kinds.contains(&first)
}

/// Whether two lists of what UNSUBSCRIBE without arguments answers are the same but for the order
/// of the channels, which is that of a hash table.
pub(super) fn same_farewells(ours: &[Reply], theirs: &[Reply]) -> bool {
    let counts = |all: &[Reply]| -> Vec<Option<Reply>> {
        all.iter().map(|one| one.items().get(2).cloned()).collect()
    };
    let names = |all: &[Reply]| {
        let mut names: Vec<Vec<Reply>> = all
            .iter()
            .map(|one| one.items().iter().take(2).cloned().collect())
            .collect();
        names.sort_unstable();
        names
    };
    let all_tell = ours.iter().all(|one| one.items().len() == 3);
    all_tell && counts(ours) == counts(theirs) && names(ours) == names(theirs)
}

/// Whether this is the same of two unsubscriptions but for the channel.
pub(super) fn same_farewell(ours: &Reply, theirs: &Reply) -> bool {
    let ([what, _, left], [same, _, count]) = (ours.items(), theirs.items()) else {
        return false;
    };
    what.text().ends_with(b"unsubscribe") && what == same && left == count
}

/// The differences that are accepted, each with its reason.
pub const ACCEPTED: &[Accepted] = &[
    Accepted {
        only: Some(Peer::Valkey),
        why: "Redis 7.2 has no READONLY and READWRITE outside a cluster",
        also: Also::Everything,
        is_it: |words, _, _| names(words, "READONLY") || names(words, "READWRITE"),
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 takes the lowest integer for a count of LREM",
        also: Also::Everything,
        is_it: |words, ours, _| {
            names(words, "LREM") && ours.text().starts_with(b"ERR value is out of range, ")
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "LSET in a listpack takes the lowest integer for the first index",
        also: Also::Everything,
        is_it: |words, ours, theirs| {
            names(words, "LSET")
                && ours.text() == b"ERR index out of range"
                && theirs.text() == b"OK"
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "what was several nodes stays a quicklist there, however small, and what was one a \
              listpack",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let restored = words.last().is_some_and(|key| key.starts_with(b"~"));
            let lists = |text: &[u8]| matches!(text, b"listpack" | b"quicklist");
            names(words, "OBJECT") && restored && lists(ours.text()) && lists(theirs.text())
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 has no listpack encoding of lists and sets",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            names(words, "OBJECT")
                && ours.text() == b"listpack"
                && matches!(theirs.text(), b"quicklist" | b"hashtable")
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "a set that is a listpack is stored member by member, as Redis 7.0 can read it, and \
              its form is not kept",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let is_twin = words.get(2).is_some_and(|key| key.starts_with(b"~"));
            names(words, "OBJECT")
                && is_twin
                && ours.text() == b"listpack"
                && matches!(theirs.text(), b"intset" | b"hashtable")
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 does not count the members that are given before it adds them",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            names(words, "OBJECT") && ours.text() == b"skiplist" && theirs.text() == b"listpack"
        },
    },
    Accepted {
        only: None,
        why: "Redis 7.0 writes doubles with 17 digits, and later ones at times with one too many",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let name = words[0].to_ascii_uppercase();
            let kinds: [&[u8]; 4] = [b"Z", b"BZ", b"GEO", b"EXEC"];
            let scored = kinds.iter().any(|kind| name.starts_with(kind));
            scored && same_numbers(ours, theirs)
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 has no ranks with scores",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let of_rank = names(words, "ZRANK") || names(words, "ZREVRANK");
            of_rank && words.len() > 3 && ours.is_error() && theirs.is_error()
        },
    },
    Accepted {
        only: None,
        why: "where scores differ, which members a range has depends on the levels of a skip list",
        also: Also::Everything,
        is_it: |words, ours, theirs| {
            let lex = |word: &Vec<u8>| word.to_ascii_uppercase().ends_with(b"LEX");
            let count = names(words, "ZLEXCOUNT");
            (count || words.iter().any(lex)) && !ours.is_error() && !theirs.is_error()
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "Valkey 8 takes a negative offset into a skip list for none",
        also: Also::Everything,
        is_it: |words, ours, theirs| {
            let limit = words
                .iter()
                .position(|word| word.eq_ignore_ascii_case(b"LIMIT"));
            let offset = limit.and_then(|at| words.get(at + 1));
            let ranged = words[0].to_ascii_uppercase().starts_with(b"Z");
            let negative = offset.is_some_and(|offset| offset.starts_with(b"-"));
            ranged && negative && !ours.is_error() && !theirs.is_error()
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 does not count the fields that are given before it sets them in a hash",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            names(words, "OBJECT") && ours.text() == b"hashtable" && theirs.text() == b"listpack"
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 does not count the members that are given before it adds them to a set",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let grown: [&[u8]; 2] = [b"listpack", b"hashtable"];
            names(words, "OBJECT") && grown.contains(&ours.text()) && theirs.text() == b"intset"
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 looks for the key before it looks at what else BITCOUNT and BITPOS get",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let of_bits = names(words, "BITCOUNT") || names(words, "BITPOS");
            let found = matches!(theirs.int(), Some(0 | -1));
            of_bits && ours.is_error() && (found || theirs.text().starts_with(b"WRONGTYPE "))
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "Valkey 8 lets the end of BITCOUNT be left out, and reads it last",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let swapped = words.len() == 5 && theirs.text() == b"ERR syntax error";
            names(words, "BITCOUNT") && ours.is_error() && (words.len() == 3 || swapped)
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 sends what a transaction publishes to its own client amid the replies",
        also: Also::Everything,
        is_it: |words, _, theirs| names(words, "EXEC") && theirs.items().iter().any(is_message),
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 takes cursors that are negative, and none behind space",
        also: Also::Nothing,
        is_it: |_, ours, theirs| {
            let refused = |reply: &Reply| reply.text() == b"ERR invalid cursor";
            refused(ours) || refused(theirs)
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "Valkey 8 refuses MULTI and WATCH inside MULTI like any command, and aborts",
        also: Also::Everything,
        is_it: |_, _, theirs| theirs.text() == b"ERR Command not allowed inside a transaction",
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "Valkey 8 has no UNSUBSCRIBE without subscriptions",
        also: Also::Replies,
        is_it: |_, ours, theirs| theirs.text().starts_with(b"NOSUB ") && ours.text() != b"QUEUED",
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "and so it aborts a transaction that has one",
        also: Also::Everything,
        is_it: |_, _, theirs| theirs.text().starts_with(b"NOSUB "),
    },
    Accepted {
        only: None,
        why: "Redis adds with 64 bits of precision and reads hexadecimal floats",
        also: Also::Everything,
        is_it: |words, _, theirs| names(words, "INCRBYFLOAT") && !theirs.is_error(),
    },
    Accepted {
        only: None,
        why: "DEBUG is like other containers, and reads integers like other commands",
        also: Also::Nothing,
        is_it: |words, ours, _| names(words, "DEBUG") && ours.is_error(),
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 logs in before it looks at the other options of HELLO",
        also: Also::Everything,
        is_it: |words, _, _| names(words, "HELLO"),
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 has fewer settings",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let all = ours.items();
            let known = theirs.items().iter().all(|item| all.contains(item));
            names(words, "CONFIG") && !ours.is_error() && known
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 knows no names of libraries",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let fields = &CLIENT_FIELDS[..CLIENT_FIELDS.len() - 2];
            names(words, "CLIENT") && line_fields(ours, fields) == line_fields(theirs, fields)
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "RESET of Redis 7.0 leaves a client that is not to be evicted as it is",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let fields = &CLIENT_FIELDS[..CLIENT_FIELDS.len() - 3];
            let spared = |flags: &String| flags.starts_with("flags=") && flags.ends_with('e');
            let kept = line_fields(theirs, &["flags"]).iter().any(spared);
            let same = line_fields(ours, fields) == line_fields(theirs, fields);
            names(words, "CLIENT") && kept && same
        },
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "Redis 7.2 knows no + in XREAD",
        also: Also::Nothing,
        is_it: |words, ours, _| {
            let plus = words.iter().any(|word| word == b"+");
            names(words, "XREAD") && plus && ours.text().starts_with(b"ERR Invalid stream ID")
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 speaks of XREAD and $ whichever command it was",
        also: Also::Nothing,
        is_it: |_, _, theirs| {
            theirs
                .text()
                .starts_with(b"ERR Unbalanced XREAD list of streams")
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 makes a consumer only of one that gets something",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let all = |reply| without(reply, &["consumers"]);
            let counts = names(words, "XGROUP") && ours.text() == b"0" && theirs.text() == b"1";
            counts || names(words, "XINFO") && all(ours) == all(theirs)
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "and so it does not show it",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let consumers = words
                .get(1)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"consumers"));
            let more = ours.items().len() >= theirs.items().len();
            names(words, "XINFO") && consumers && more && !theirs.is_error()
        },
    },
    Accepted {
        only: Some(Peer::Redis70),
        why: "Redis 7.0 looks at the entries first",
        also: Also::Nothing,
        is_it: |words, ours, theirs| names(words, "XSETID") && ours.is_error() && theirs.is_error(),
    },
    Accepted {
        only: Some(Peer::Valkey),
        why: "Redis 7.2 takes any word for a type in SCAN",
        also: Also::Nothing,
        is_it: |words, _, theirs| {
            names(words, "SCAN") && theirs.text().starts_with(b"ERR unknown type name ")
        },
    },
    Accepted {
        only: None,
        why: "Redis leaves out what is behind the last register of a damaged HyperLogLog",
        also: Also::Everything,
        is_it: |words, ours, theirs| {
            let mut readers = ["PFADD", "PFCOUNT", "PFMERGE"].iter();
            let read = readers.any(|name| names(words, name));
            // What comes behind it may still be of another type.
            let passed = !theirs.is_error() || theirs.text().starts_with(b"WRONGTYPE ");
            read && ours.text().starts_with(b"INVALIDOBJ ") && passed
        },
    },
    Accepted {
        only: None,
        why: "SORT takes the errno of an earlier command's number, too large or small, for its own",
        also: Also::Everything,
        is_it: |words, ours, theirs| {
            let refused = b"ERR One or more scores can't be converted into double";
            let told = has(words, "BY") || has(words, "GET") || ours.kind() == b':';
            let sorts = names(words, "SORT") || names(words, "SORT_RO");
            let number = |reply: &Reply| core::str::from_utf8(reply.text()).ok()?.parse().ok();
            let all = ours
                .items()
                .iter()
                .all(|item| number(item).is_some_and(f64::is_finite));
            sorts && theirs.text() == refused && !ours.is_error() && (told || all)
        },
    },
    Accepted {
        only: None,
        why: "where SORT BY orders only what LIMIT wants, it does not keep the order of what ties",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let ties = ["BY", "LIMIT", "ALPHA"].iter().all(|word| has(words, word));
            let sorts = names(words, "SORT") || names(words, "SORT_RO");
            sorts && ties && ours.kind() == b'*' && ours.items().len() == theirs.items().len()
        },
    },
    Accepted {
        only: None,
        why: "a set is dumped member by member, as Redis 7.0 reads it, and later ones make a hash \
              table of more integers than an intset may have",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            // Only what was restored has such a name.
            let restored = words.last().is_some_and(|key| key.starts_with(b"~"));
            let forms = ours.text() == b"listpack" && theirs.text() == b"hashtable";
            names(words, "OBJECT") && restored && forms
        },
    },
    Accepted {
        only: None,
        why: "a set that SORT leaves as it is has the order of a hash table",
        also: Also::Nothing,
        is_it: |words, ours, theirs| {
            let sorts = names(words, "SORT") || names(words, "SORT_RO");
            let unsorted = has(words, "NOSORT") || has(words, "#");
            let whole = !has(words, "LIMIT") && sorted(ours) == sorted(theirs);
            let part = has(words, "LIMIT") && ours.items().len() == theirs.items().len();
            sorts && unsorted && ours.kind() == b'*' && (whole || part)
        },
    },
];

fn has(words: &Words, word: &str) -> bool {
    let is = |other: &Vec<u8>| other.eq_ignore_ascii_case(word.as_bytes());
    words.iter().any(is)
}

/// Whether two replies differ only in how numbers in them are written.
fn same_numbers(ours: &Reply, theirs: &Reply) -> bool {
    if ours == theirs {
        return true;
    }
    if ours.kind() != theirs.kind() || ours.items().len() != theirs.items().len() {
        return false;
    }
    let number = |reply: &Reply| core::str::from_utf8(reply.text()).ok()?.parse::<f64>().ok();
    let mut pairs = ours.items().iter().zip(theirs.items());
    if ours.items().is_empty() {
        number(ours).is_some() && number(ours) == number(theirs)
    } else {
        pairs.all(|(ours, theirs)| same_numbers(ours, theirs))
    }
}

/// Which accepted difference this is, if it is one.
pub(super) fn accepted(
    words: &Words,
    ours: &Reply,
    theirs: &Reply,
    peer: Peer,
) -> Option<&'static Accepted> {
    ACCEPTED
        .iter()
        .find(|row| row.only.is_none_or(|only| only == peer) && (row.is_it)(words, ours, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Words {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    fn list(items: &[&str]) -> Reply {
        let item = |item: &&str| Reply::Text(b'$', item.as_bytes().to_vec());
        Reply::List(b'*', items.iter().map(item).collect())
    }

    #[test]
    fn the_longest_name_decides() {
        assert!(matches!(
            rule(&words("command docs get")),
            Some(Rule::Docs(_))
        ));
        assert!(matches!(rule(&words("COMMAND")), Some(Rule::Kind)));
        assert!(rule(&words("COMMAND INFO get")).is_none());
        assert!(rule(&words("GET k")).is_none());
    }

    #[test]
    fn a_value_is_not_taken_for_a_field_that_is_left_out() {
        let told = list(&["name", "idle", "idle", "5", "pending", "0"]);
        let wanted = list(&["name", "idle", "pending", "0"]);
        assert_eq!(without(&told, STREAM_FIELDS), wanted);
    }

    #[test]
    fn order_counts_only_where_there_is_one() {
        let (one, two) = (list(&["a", "b", "c", "d"]), list(&["c", "d", "a", "b"]));
        assert!(Rule::Unordered.accepts(&one, &two));
        assert!(Rule::UnorderedPairs.accepts(&one, &two));
        assert!(!Rule::UnorderedPairs.accepts(&one, &list(&["a", "d", "c", "b"])));
        assert!(!Rule::Unordered.accepts(&one, &list(&["a"])));
    }

    #[test]
    fn errors_are_the_same_to_the_letter() {
        let error = |text: &str| Reply::Line(b'-', text.as_bytes().to_vec());
        assert!(!Rule::Kind.accepts(&error("ERR a"), &error("ERR b")));
        assert!(!Rule::Kind.accepts(&error("ERR a"), &list(&[])));
    }

    #[test]
    fn a_refused_sort_is_accepted_only_of_numbers() {
        let text = "ERR One or more scores can't be converted into double";
        let refused = Reply::Line(b'-', text.as_bytes().to_vec());
        let is_accepted = |items: &[&str]| {
            accepted(&words("SORT k"), &list(items), &refused, Peer::Redis72).is_some()
        };
        assert!(is_accepted(&["1", "2.5"]));
        assert!(!is_accepted(&["1", "b"]));
        assert!(!is_accepted(&["1e400"]));
    }

    #[test]
    fn times_may_be_a_little_apart() {
        let int = |value: i64| Reply::Line(b':', value.to_string().into_bytes());
        assert!(Rule::Near(2).accepts(&int(100), &int(99)));
        assert!(!Rule::Near(2).accepts(&int(-1), &int(99)));
    }
}
