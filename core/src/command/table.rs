//! All commands, found by name.

use super::fail::{Fail, shown};
use super::spec::{Handler, Spec};
use crate::acl::Ordinal;
use crate::resp::ArgvRef;
use hashbrown::HashTable;

/// The longest command name looked for.
const NAME_BYTES_MAX: usize = 32;
/// How much of a name Redis repeats in an error.
const ECHO_BYTES_MAX: usize = 128;

/// The commands of one kind of server, indexed by name in any case.
#[derive(Debug)]
pub struct Table<H: 'static = Handler> {
    commands: Vec<Command<H>>,
    index: HashTable<u16>,
}

/// A command and its place in the table.
#[derive(Debug)]
pub struct Command<H: 'static = Handler> {
    /// Its row.
    pub spec: &'static Spec<H>,
    /// The container it belongs to, if it is a subcommand.
    pub container: Option<&'static Spec<H>>,
    /// The name it is called by, which `rename-command` may have changed; in lower case.
    pub called: Box<str>,
    /// Its place among all commands before any renaming, by which permissions know it.
    pub origin: Ordinal,
    /// Its subcommands: a range of command ids.
    children: core::ops::Range<u16>,
    /// Whether it can be called by its own word.
    top: bool,
}

/// The index of a command in the table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CommandId(u16);

impl CommandId {
    /// As an index into per-command statistics.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A command found for some arguments.
#[derive(Debug)]
pub struct Found<H: 'static = Handler> {
    /// Which one; of a container, the subcommand.
    pub id: CommandId,
    /// Its row.
    pub spec: &'static Spec<H>,
    /// How many arguments are its name: 2 for a subcommand.
    pub names: usize,
}

impl<H> Table<H> {
    /// Builds the table of some families. `renamed` lists `(old, new)`; an empty new name removes
    /// a command.
    pub fn new(families: &[&'static [Spec<H>]], renamed: &[(Box<str>, Box<str>)]) -> Self {
        let mut table = Self {
            commands: Vec::new(),
            index: HashTable::new(),
        };
        let mut origin = 0;
        for spec in families.iter().copied().flatten() {
            // One after the other: what was renamed can be renamed again.
            let called = renamed.iter().fold(spec.name, |called, (old, new)| {
                if old.eq_ignore_ascii_case(called) {
                    new
                } else {
                    called
                }
            });
            let called = called.to_ascii_lowercase();
            if !called.is_empty() {
                table.add(spec, called.into(), origin);
            }
            origin += 1 + u16::try_from(spec.divisions().len()).expect("subcommands are few");
        }
        table
    }

    fn add(&mut self, spec: &'static Spec<H>, called: Box<str>, origin: u16) {
        assert!(
            called.len() <= NAME_BYTES_MAX,
            "{called}: command names are short"
        );
        let id = u16::try_from(self.commands.len()).expect("commands are few");
        let children = u16::try_from(spec.subcommands.len()).expect("subcommands are few");
        let key = hash(called.as_bytes());
        let commands = &self.commands;
        let twin = self
            .index
            .find(key, |&at| commands[usize::from(at)].called == called);
        assert!(twin.is_none(), "{called}: two commands of the same name");
        self.commands.push(Command {
            spec,
            container: None,
            called,
            origin: Ordinal(origin),
            children: id + 1..id + 1 + children,
            top: true,
        });
        let divided = !spec.divisions().is_empty();
        for (sub, next) in spec.subcommands.iter().zip(origin + 1..) {
            self.commands.push(Command {
                spec: sub,
                container: Some(spec),
                called: sub.name.into(),
                origin: Ordinal(if divided { next } else { origin }),
                children: 0..0,
                top: false,
            });
        }
        let commands = &self.commands;
        self.index.insert_unique(key, id, |&at| {
            hash(commands[usize::from(at)].called.as_bytes())
        });
    }

    /// Finds the command some arguments call, which may well be the one that was called before.
    pub fn find(&self, argv: ArgvRef<'_>, before: Option<CommandId>) -> Result<Found<H>, Fail> {
        let name = argv.get(0);
        let again = before.filter(|&id| self.is_called(id, name));
        let id = again.or_else(|| self.by_name(name));
        let id = id.ok_or_else(|| unknown(argv))?;
        let command = self.command(id);
        if command.children.is_empty() || argv.len() < 2 {
            return Ok(Found {
                id,
                spec: command.spec,
                names: 1,
            });
        }
        let word = argv.get(1);
        let sub = command
            .children
            .clone()
            .map(CommandId)
            .find(|&sub| word.eq_ignore_ascii_case(self.command(sub).called.as_bytes()))
            .ok_or_else(|| Fail::UnknownSubcommand {
                name: echo(word).into(),
                container: command.called.to_ascii_uppercase().into(),
            })?;
        Ok(Found {
            id: sub,
            spec: self.command(sub).spec,
            names: 2,
        })
    }

    /// Whether a command is called by its own word, and this is the word.
    #[inline]
    fn is_called(&self, id: CommandId, name: &[u8]) -> bool {
        let command = self.command(id);
        command.top && command.called.as_bytes().eq_ignore_ascii_case(name)
    }

    /// Finds a command by its own word, in any case.
    pub fn by_name(&self, name: &[u8]) -> Option<CommandId> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let is_called = |&at: &u16| {
            let called = self.commands[usize::from(at)].called.as_bytes();
            called.eq_ignore_ascii_case(name)
        };
        self.index
            .find(hash(name), is_called)
            .map(|&at| CommandId(at))
    }

    /// Finds a command by its full name, `container|subcommand` for a subcommand.
    pub fn by_full_name(&self, name: &[u8]) -> Option<CommandId> {
        let Some(bar) = memchr::memchr(b'|', name) else {
            return self.by_name(name);
        };
        let container = self.by_name(&name[..bar])?;
        self.subcommands(container)
            .find(|&sub| name[bar + 1..].eq_ignore_ascii_case(self.command(sub).called.as_bytes()))
    }

    /// A command by its id.
    pub fn command(&self, id: CommandId) -> &Command<H> {
        &self.commands[id.index()]
    }

    /// A command as if it had just been found.
    pub fn found(&self, id: CommandId) -> Found<H> {
        let command = self.command(id);
        Found {
            id,
            spec: command.spec,
            names: if command.container.is_some() { 2 } else { 1 },
        }
    }

    /// The name errors and statistics give a command: `config|get` for a subcommand.
    pub fn full_name(&self, id: CommandId) -> Box<str> {
        let command = self.command(id);
        match command.container {
            Some(container) => format!("{}|{}", container.name, command.spec.name).into(),
            None => command.called.clone(),
        }
    }

    /// Every command that can be called by its own word.
    pub fn top(&self) -> impl Iterator<Item = CommandId> {
        self.all().filter(|&id| self.command(id).top)
    }

    /// Every command and subcommand.
    pub fn all(&self) -> impl Iterator<Item = CommandId> + use<H> {
        (0..u16::try_from(self.commands.len()).expect("commands are few")).map(CommandId)
    }

    /// The subcommands of a container.
    pub fn subcommands(&self, id: CommandId) -> impl Iterator<Item = CommandId> + use<H> {
        self.command(id).children.clone().map(CommandId)
    }

    /// How many commands and subcommands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is no command at all.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

/// Of a name in any case. Command names are no secret and no attack: there is no key.
fn hash(name: &[u8]) -> u64 {
    // FNV-1a: the quickest for so few bytes.
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const FACTOR: u64 = 0x0100_0000_01b3;
    name.iter().fold(START, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(FACTOR)
    })
}

/// Redis repeats up to 128 bytes of the name, and of the arguments until they make up 128.
fn unknown(argv: ArgvRef<'_>) -> Fail {
    let mut args = Vec::new();
    for arg in argv.iter().skip(1) {
        if args.len() >= ECHO_BYTES_MAX {
            break;
        }
        let room = ECHO_BYTES_MAX - args.len();
        args.push(b'\'');
        let arg = shown(arg);
        args.extend_from_slice(&arg[..arg.len().min(room)]);
        args.extend_from_slice(b"' ");
    }
    Fail::UnknownCommand {
        name: echo(argv.get(0)).into(),
        args: args.into(),
    }
}

/// As much of what a user sent as an error repeats.
fn echo(text: &[u8]) -> &[u8] {
    let text = shown(text);
    &text[..text.len().min(ECHO_BYTES_MAX)]
}
