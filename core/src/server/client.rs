//! What the server knows of one connection.

use crate::acl::UserId;
use crate::command::table::CommandId;
use crate::machine::Mono;
use crate::repl::Offset;
use crate::resp::{OwnedArgv, Proto};

/// A client's session. Small, since ten thousand may be idle; what few need is boxed.
#[derive(Debug)]
pub struct Client {
    /// The number people see; never used twice.
    pub id: u64,
    /// The selected database.
    pub db: usize,
    /// The protocol of its replies.
    pub proto: Proto,
    /// What it is and what state it is in.
    pub flags: ClientFlags,
    /// When it connected.
    pub created: Mono,
    /// When it last sent something.
    pub active: Mono,
    /// Who it is.
    pub user: UserId,
    /// The command it last ran.
    pub last: Option<CommandId>,
    /// The end of the replication stream behind its last command, for WAIT.
    pub wrote: Offset,
    /// Its memory, as it was counted last.
    pub counted: usize,
    /// The rest.
    pub rare: Option<Box<Rare>>,
}

/// What only some clients have.
#[derive(Debug, Default)]
pub struct Rare {
    /// By CLIENT SETNAME or HELLO.
    pub name: Box<[u8]>,
    /// By CLIENT SETINFO.
    pub lib_name: Box<[u8]>,
    /// By CLIENT SETINFO.
    pub lib_ver: Box<[u8]>,
    /// Commands queued since MULTI.
    pub queue: Vec<Queued>,
    /// How many commands EXEC runs.
    pub executing: usize,
    /// Bytes of the queued arguments.
    pub queue_bytes: usize,
    /// A command that waits for the end of a pause.
    pub held: Option<OwnedArgv>,
}

/// A command that waits for EXEC.
#[derive(Debug)]
pub struct Queued {
    /// Which one.
    pub id: CommandId,
    /// How many of the arguments are its name.
    pub names: usize,
    /// Its arguments.
    pub argv: OwnedArgv,
}

impl Client {
    /// A fresh session.
    pub fn new(id: u64, now: Mono, flags: ClientFlags) -> Self {
        Self {
            id,
            db: 0,
            proto: Proto::Resp2,
            flags,
            created: now,
            active: now,
            user: UserId::DEFAULT,
            last: None,
            wrote: Offset::START,
            counted: 0,
            rare: None,
        }
    }

    /// What few clients have, made on first use.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(Box::default)
    }

    /// Its name, empty if it has none.
    pub fn name(&self) -> &[u8] {
        self.rare.as_ref().map_or(b"", |rare| &rare.name)
    }

    /// How CLIENT KILL TYPE and the output buffer limits class it.
    pub fn class(&self) -> Class {
        if self.flags.has(ClientFlags::MASTER) {
            Class::Master
        } else if self.flags.has(ClientFlags::REPLICA) {
            Class::Replica
        } else if self.flags.has(ClientFlags::SUBSCRIBER) {
            Class::PubSub
        } else {
            Class::Normal
        }
    }
}

/// The classes of CLIENT KILL TYPE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Anyone.
    Normal,
    /// A replica of ours.
    Replica,
    /// Subscribed to something.
    PubSub,
    /// Our master.
    Master,
}

impl Class {
    /// By the word of CLIENT KILL TYPE and CLIENT LIST TYPE.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("normal") {
            Some(Self::Normal)
        } else if is("slave") || is("replica") {
            Some(Self::Replica)
        } else if is("pubsub") {
            Some(Self::PubSub)
        } else if is("master") {
            Some(Self::Master)
        } else {
            None
        }
    }
}

/// A set of facts about a client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientFlags(u32);

impl ClientFlags {
    /// None.
    pub const NONE: Self = Self(0);
    /// May run commands that need authentication.
    pub const AUTHENTICATED: Self = Self(1);
    /// Between MULTI and EXEC.
    pub const MULTI: Self = Self(1 << 1);
    /// A watched key was changed: EXEC will fail.
    pub const DIRTY_CAS: Self = Self(1 << 2);
    /// A command could not be queued: EXEC will fail.
    pub const DIRTY_EXEC: Self = Self(1 << 3);
    /// Asked for our stream with SYNC or PSYNC.
    pub const REPLICA: Self = Self(1 << 4);
    /// Our master.
    pub const MASTER: Self = Self(1 << 5);
    /// Has a subscription.
    pub const SUBSCRIBER: Self = Self(1 << 6);
    /// Waits for something and reads no further command until then.
    pub const BLOCKED: Self = Self(1 << 7);
    /// Its next command waits for the end of CLIENT PAUSE.
    pub const POSTPONED: Self = Self(1 << 8);
    /// Connected through a Unix socket.
    pub const UNIX: Self = Self(1 << 9);
    /// CLIENT REPLY OFF.
    pub const REPLY_OFF: Self = Self(1 << 10);
    /// CLIENT REPLY SKIP: nothing is replied to the next command.
    pub const REPLY_SKIP_NEXT: Self = Self(1 << 11);
    /// Nothing is replied to the command that runs.
    pub const REPLY_SKIP: Self = Self(1 << 12);
    /// CLIENT NO-EVICT ON.
    pub const NO_EVICT: Self = Self(1 << 13);
    /// Has keys under WATCH.
    pub const WATCHING: Self = Self(1 << 14);
    /// Is to be closed as soon as its replies are out; reads no further command.
    pub const CLOSING: Self = Self(1 << 15);
    /// CLIENT NO-TOUCH ON.
    pub const NO_TOUCH: Self = Self(1 << 16);
    /// The command it waits with runs again, and has not found that it has to wait on.
    pub const SERVED: Self = Self(1 << 17);
    /// Its memory was counted as that of a replica or the master.
    pub const COUNTED_AS_LINK: Self = Self(1 << 19);
    /// No connection: it runs what the append-only file holds.
    pub const LOADER: Self = Self(1 << 21);
    /// No client: a connection of ours to the target of MIGRATE.
    pub const OUTGOING: Self = Self(1 << 22);
    /// Its EXEC runs.
    pub const EXECUTING: Self = Self(1 << 18);
    /// Its user may not do everything: each command is looked at.
    pub const RESTRICTED: Self = Self(1 << 22);
    /// May run commands that need authentication, or could before a RESET.
    pub const KNOWN: Self = Self(1 << 20);

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

    /// Adds or takes away.
    pub const fn set(&mut self, other: Self, on: bool) {
        if on {
            self.0 |= other.0;
        } else {
            self.0 &= !other.0;
        }
    }

    /// Whether the command that runs is not answered.
    pub const fn is_silent(self) -> bool {
        self.has_any(SILENT)
    }
}

const SILENT: ClientFlags = ClientFlags::REPLY_OFF
    .and(ClientFlags::REPLY_SKIP)
    .and(ClientFlags::MASTER)
    .and(ClientFlags::LOADER);

const _: () = assert!(size_of::<Client>() <= 72, "idle clients are many");
