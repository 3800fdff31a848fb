//! What is known of a command besides its code: one [`Spec`] per command, read by everything
//! that treats commands alike (COMMAND, ACL, key extraction, gates, propagation, statistics).

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;

pub use crate::acl::Acl;

/// Executes a command whose gates have been passed.
///
/// A handler that fails has written nothing to the reply and changed nothing.
pub type Handler = for<'a> fn(&mut Cx<'_>, Args<'a>) -> Result<(), Fail>;

/// How many arguments a command takes, its own name included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arity {
    /// This many.
    Exactly(u8),
    /// This many or more.
    AtLeast(u8),
}

impl Arity {
    /// Whether a command with `count` arguments may run.
    pub const fn takes(self, count: usize) -> bool {
        match self {
            Self::Exactly(n) => count == n as usize,
            Self::AtLeast(n) => count >= n as usize,
        }
    }

    /// As COMMAND INFO shows it: negative for a minimum.
    pub const fn wire(self) -> i64 {
        match self {
            Self::Exactly(n) => n as i64,
            Self::AtLeast(n) => -(n as i64),
        }
    }
}

/// Properties of a command, under the names COMMAND INFO gives them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(u32);

impl Flags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// May change the dataset.
    pub const WRITE: Self = Self(1);
    /// Reads keys and changes none.
    pub const READONLY: Self = Self(1 << 1);
    /// May grow memory: refused above `maxmemory`.
    pub const DENYOOM: Self = Self(1 << 2);
    /// Administers the server.
    pub const ADMIN: Self = Self(1 << 3);
    /// Publishes or subscribes.
    pub const PUBSUB: Self = Self(1 << 4);
    /// Not from scripts.
    pub const NOSCRIPT: Self = Self(1 << 5);
    /// May block the client.
    pub const BLOCKING: Self = Self(1 << 6);
    /// Allowed while the dataset is loading.
    pub const LOADING: Self = Self(1 << 7);
    /// Allowed on a replica whose link is down and that serves no stale data.
    pub const STALE: Self = Self(1 << 8);
    /// Takes constant or logarithmic time.
    pub const FAST: Self = Self(1 << 10);
    /// Needs no authentication.
    pub const NO_AUTH: Self = Self(1 << 11);
    /// May be replicated although it changes no key.
    pub const MAY_REPLICATE: Self = Self(1 << 12);
    /// Not inside MULTI.
    pub const NO_MULTI: Self = Self(1 << 13);
    /// Not while a replica loads a new dataset beside the one it serves.
    pub const NO_ASYNC_LOADING: Self = Self(1 << 14);
    /// Its keys can only be told by looking at the arguments.
    pub const MOVABLE_KEYS: Self = Self(1 << 15);
    /// Allowed while a script is busy.
    pub const ALLOW_BUSY: Self = Self(1 << 16);
    /// May come without any key.
    pub const NO_MANDATORY_KEYS: Self = Self(1 << 17);
    /// Not shown in the slow log.
    pub const SKIP_SLOWLOG: Self = Self(1 << 18);

    /// Runs at once inside MULTI instead of being queued. Not shown.
    pub const IMMEDIATE: Self = Self(1 << 19);
    /// Allowed to a RESP2 client that has subscriptions. Not shown.
    pub const SUBSCRIBED: Self = Self(1 << 20);
    /// Refused like a write while saving to disk fails, to tell monitoring of it. Not shown.
    pub const REPORTS_DISK: Self = Self(1 << 21);
    /// Is judged by the commands that its client has queued. Not shown.
    pub const EXECUTES_QUEUE: Self = Self(1 << 22);

    /// Only where `enable-debug-command` and its kin allow it. Not shown.
    pub const PROTECTED: Self = Self(1 << 23);

    /// Permissions know it as one command, whose subcommands are words to them. Not shown.
    pub const UNDIVIDED: Self = Self(1 << 24);

    /// Is judged by the flags that its script declares. Not shown.
    pub const RUNS_SCRIPT: Self = Self(1 << 25);
    /// Not shown by MONITOR, or not before what it runs.
    pub const SKIP_MONITOR: Self = Self(1 << 26);

    /// What allows EXEC something only if all that it would execute is allowed it.
    const OF_ALL: Self = Self::LOADING.and(Self::STALE);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of EXEC with one more command in its queue.
    #[must_use]
    pub const fn with_queued(self, queued: Self) -> Self {
        let denied = Self::OF_ALL.0 & !queued.0;
        Self((self.0 | queued.0 & !Self::OF_ALL.0) & !denied)
    }

    /// This set without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in this set.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names in this set that COMMAND INFO shows, in Redis's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: &[(Flags, &str)] = &[
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENYOOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NOSCRIPT, "noscript"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::MAY_REPLICATE, "may_replicate"),
            (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::MOVABLE_KEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
        ];
        NAMES
            .iter()
            .filter(move |(flag, _)| self.has(*flag))
            .map(|(_, name)| *name)
    }
}

/// What a command does to the keys a [`KeySpec`] finds, under COMMAND INFO's names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyFlags(u16);

impl KeyFlags {
    /// Reads the value.
    pub const RO: Self = Self(1);
    /// Changes the value, depending on what it was.
    pub const RW: Self = Self(1 << 1);
    /// Replaces the value whatever it was.
    pub const OW: Self = Self(1 << 2);
    /// Deletes the key.
    pub const RM: Self = Self(1 << 3);
    /// Returns, copies or uses the user's data.
    pub const ACCESS: Self = Self(1 << 4);
    /// Changes the user's data.
    pub const UPDATE: Self = Self(1 << 5);
    /// Adds to the user's data.
    pub const INSERT: Self = Self(1 << 6);
    /// Deletes some of the user's data.
    pub const DELETE: Self = Self(1 << 7);
    /// Not a key, though routed like one (a shard channel).
    pub const NOT_KEY: Self = Self(1 << 8);
    /// The spec may miss some keys.
    pub const INCOMPLETE: Self = Self(1 << 9);
    /// Other arguments change what is done to the key.
    pub const VARIABLE_FLAGS: Self = Self(1 << 10);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in this set.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names in this set, in Redis's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: &[(KeyFlags, &str)] = &[
            (KeyFlags::RO, "RO"),
            (KeyFlags::RW, "RW"),
            (KeyFlags::OW, "OW"),
            (KeyFlags::RM, "RM"),
            (KeyFlags::ACCESS, "access"),
            (KeyFlags::UPDATE, "update"),
            (KeyFlags::INSERT, "insert"),
            (KeyFlags::DELETE, "delete"),
            (KeyFlags::NOT_KEY, "not_key"),
            (KeyFlags::INCOMPLETE, "incomplete"),
            (KeyFlags::VARIABLE_FLAGS, "variable_flags"),
        ];
        NAMES
            .iter()
            .filter(move |(flag, _)| self.has(*flag))
            .map(|(_, name)| *name)
    }
}

/// Where the search for keys starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begin {
    /// At this argument.
    Index(u8),
    /// Behind this word, looked for from an argument on (from the end if negative).
    Keyword(&'static str, i8),
    /// Only the command itself can tell; why that is so.
    Unknown(&'static str),
}

/// Which arguments from there on are keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Find {
    /// Every `step`th up to `last`, relative to the first; negative counts from the end, where -1
    /// is the last argument. A `limit` above 1 divides what is left by it.
    Range {
        /// The last key.
        last: i8,
        /// Distance between keys.
        step: u8,
        /// Divisor of the remaining arguments, or 0.
        limit: u8,
    },
    /// As many as the argument at `count` says, from `first` on; both relative.
    Count {
        /// Where the number of keys stands.
        count: u8,
        /// The first key.
        first: u8,
        /// Distance between keys.
        step: u8,
    },
    /// Only the command itself can tell.
    Unknown,
}

/// Some keys of a command: where they stand and what is done to them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeySpec {
    /// Where the search starts.
    pub begin: Begin,
    /// Which arguments are keys.
    pub find: Find,
    /// What is done to them.
    pub flags: KeyFlags,
}

impl KeySpec {
    /// The single key at argument `index`.
    pub const fn at(index: u8, flags: KeyFlags) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            flags,
        }
    }

    /// Every `step`th argument from `index` up to `last`, which is relative to `index` or, if
    /// negative, counts from the end.
    pub const fn range(index: u8, last: i8, step: u8, flags: KeyFlags) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Range {
                last,
                step,
                limit: 0,
            },
            flags,
        }
    }

    /// Keys that no rule finds, and why.
    pub const fn unknown(flags: KeyFlags, why: &'static str) -> Self {
        Self {
            begin: Begin::Unknown(why),
            find: Find::Unknown,
            flags,
        }
    }

    /// As many keys as the argument at `index` says, behind it.
    pub const fn counted(index: u8, flags: KeyFlags) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Count {
                count: 0,
                first: 1,
                step: 1,
            },
            flags,
        }
    }
}

/// What the commands of one type of value have in common.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Their categories beyond those that follow from their flags.
    pub acl: Acl,
    /// Their group in COMMAND DOCS.
    pub group: Group,
}

impl Family {
    /// A row of the family. `docs` are its summary, the version since which it is there, its
    /// complexity and its syntax.
    pub const fn row(
        self,
        name: &'static str,
        run: Handler,
        arity: Arity,
        flags: Flags,
        keys: &'static [KeySpec],
        docs: (&'static str, &'static str, &'static str, &'static str),
    ) -> Spec {
        Spec {
            name,
            run,
            arity,
            flags,
            acl: self.acl,
            keys,
            tips: &[],
            docs: Docs {
                summary: docs.0,
                since: docs.1,
                group: self.group,
                complexity: docs.2,
                syntax: docs.3,
            },
            subcommands: &[],
        }
    }
}

/// The family a command belongs to, as COMMAND DOCS names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// Expiry, renaming and the like.
    Generic,
    /// Strings.
    String,
    /// Bits of strings.
    Bitmap,
    /// Strings that estimate how many elements a set has.
    HyperLogLog,
    /// Lists.
    List,
    /// Hashes.
    Hash,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Streams.
    Stream,
    /// Places.
    Geo,
    /// Publish and subscribe.
    PubSub,
    /// MULTI and WATCH.
    Transactions,
    /// Lua scripts.
    Scripting,
    /// Connection management.
    Connection,
    /// Server management.
    Server,
    /// Redis Cluster.
    Cluster,
    /// Sentinel's own.
    Sentinel,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::Bitmap => "bitmap",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::Geo => "geo",
            Self::PubSub => "pubsub",
            Self::Transactions => "transactions",
            Self::Scripting => "scripting",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
        }
    }
}

/// What COMMAND DOCS tells of a command.
#[derive(Clone, Copy, Debug)]
pub struct Docs {
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The first Redis version that had it.
    pub since: &'static str,
    /// Its family.
    pub group: Group,
    /// What its running time depends on.
    pub complexity: &'static str,
    /// Its arguments behind the name, in the notation of Redis's manual.
    pub syntax: &'static str,
}

/// A command: its row in the table. Sentinel's commands have handlers of their own type.
#[derive(Debug)]
pub struct Spec<H: 'static = Handler> {
    /// In lower case. A subcommand's own word.
    pub name: &'static str,
    /// Runs it. A container's own handler runs only when no subcommand is named.
    pub run: H,
    /// How many arguments it takes.
    pub arity: Arity,
    /// Its properties.
    pub flags: Flags,
    /// Its ACL categories besides those the flags imply.
    pub acl: Acl,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Hints to clients and proxies, as COMMAND INFO lists them.
    pub tips: &'static [&'static str],
    /// For people.
    pub docs: Docs,
    /// The commands it contains.
    pub subcommands: &'static [Self],
}

impl<H> Spec<H> {
    /// The subcommands that permissions know.
    pub fn divisions(&self) -> &'static [Self] {
        if self.flags.has(Flags::UNDIVIDED) {
            &[]
        } else {
            self.subcommands
        }
    }

    /// Every ACL category of the command, with those that follow from its flags.
    pub fn categories(&self) -> Acl {
        let mut acl = self.acl;
        if self.flags.has(Flags::WRITE) {
            acl = acl.and(Acl::WRITE);
        }
        // Redis counts only commands on keys as reads (server.c, setImplicitACLCategories).
        if self.flags.has(Flags::READONLY) && !self.acl.has(Acl::SCRIPTING) {
            acl = acl.and(Acl::READ);
        }
        if self.flags.has(Flags::ADMIN) {
            acl = acl.and(Acl::ADMIN).and(Acl::DANGEROUS);
        }
        if self.flags.has(Flags::PUBSUB) {
            acl = acl.and(Acl::PUBSUB);
        }
        if self.flags.has(Flags::BLOCKING) {
            acl = acl.and(Acl::BLOCKING);
        }
        acl.and(if self.flags.has(Flags::FAST) {
            Acl::FAST
        } else {
            Acl::SLOW
        })
    }
}
