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

/// Gives each flag a bit of its own.
macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[allow(
            non_camel_case_types,
            clippy::upper_case_acronyms,
            reason = "they count the flags of the same names"
        )]
        enum Bit { $($name,)* }

        impl ClientFlags {
            $($(#[$doc])* pub const $name: Self = Self(1 << Bit::$name as u32);)*
        }
    };
}

flags! {
    /// May run commands that need authentication.
    AUTHENTICATED,
    /// Between MULTI and EXEC.
    MULTI,
    /// A watched key was changed: EXEC will fail.
    DIRTY_CAS,
    /// A command could not be queued: EXEC will fail.
    DIRTY_EXEC,
    /// Asked for our stream with SYNC or PSYNC.
    REPLICA,
    /// Our master.
    MASTER,
    /// Has a subscription.
    SUBSCRIBER,
    /// Waits for something and reads no further command until then.
    BLOCKED,
    /// Its next command waits for the end of CLIENT PAUSE.
    POSTPONED,
    /// Connected through a Unix socket.
    UNIX,
    /// CLIENT REPLY OFF.
    REPLY_OFF,
    /// CLIENT REPLY SKIP: nothing is replied to the next command.
    REPLY_SKIP_NEXT,
    /// Nothing is replied to the command that runs.
    REPLY_SKIP,
    /// CLIENT NO-EVICT ON.
    NO_EVICT,
    /// Has keys under WATCH.
    WATCHING,
    /// Is to be closed as soon as its replies are out; reads no further command.
    CLOSING,
    /// CLIENT NO-TOUCH ON.
    NO_TOUCH,
    /// The command it waits with runs again, and has not found that it has to wait on.
    SERVED,
    /// Its memory was counted as that of a replica or the master.
    COUNTED_AS_LINK,
    /// No connection: it runs what the append-only file holds.
    LOADER,
    /// No client: a connection of ours to the target of MIGRATE.
    OUTGOING,
    /// Its EXEC runs.
    EXECUTING,
    /// Its user may not do everything: each command is looked at.
    RESTRICTED,
    /// May run commands that need authentication, or could before a RESET.
    KNOWN,
    /// The script it has called goes on in the next turn.
    SCRIPTED,
    /// No connection: the commands of a script run in it.
    SCRIPT,
}

impl ClientFlags {
    /// None.
    pub const NONE: Self = Self(0);

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
