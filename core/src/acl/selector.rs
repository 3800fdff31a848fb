//! A set of permissions, of which a user has one or more: what one of them allows is allowed.

use super::commands::Commands;
use super::{Catalog, Fault, Ordinal};
use crate::glob;
use crate::resp::ArgvRef;
use core::ops::Range;

/// What is done to a key, as permissions tell it apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Needs(u8);

impl Needs {
    /// Nothing about its value.
    pub const NONE: Self = Self(0);
    /// Reads from it.
    pub const READ: Self = Self(1);
    /// Writes to it.
    pub const WRITE: Self = Self(1 << 1);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A key among the arguments of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Touched {
    /// Its place.
    pub index: usize,
    /// What is done to it.
    pub needs: Needs,
}

/// The channels among the arguments of a command.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Channels {
    /// Their places.
    pub args: Range<usize>,
    /// They are patterns, allowed only if the same pattern is.
    pub are_patterns: bool,
}

/// A command that is to be run.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Which one.
    pub command: Ordinal,
    /// Whether it needs no permission, as AUTH.
    pub is_open: bool,
    /// With all arguments.
    pub argv: ArgvRef<'a>,
    /// How many of them are its name.
    pub names: usize,
    /// Which of them are channels.
    pub channels: Channels,
}

/// Why a command may not be run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denied {
    /// The command itself.
    Command,
    /// The key at this place.
    Key(usize),
    /// The channel at this place.
    Channel(usize),
}

/// Permissions.
#[derive(Clone, Debug)]
pub struct Selector {
    commands: Commands,
    /// `None` for all keys.
    keys: Option<Vec<KeyPattern>>,
    /// `None` for all channels.
    channels: Option<Vec<Box<[u8]>>>,
}

#[derive(Clone, Debug)]
struct KeyPattern {
    pattern: Box<[u8]>,
    allows: Needs,
}

impl Selector {
    /// Allows nothing, but all channels if that is how it is to begin.
    pub(super) fn new(catalog: &Catalog, all_channels: bool) -> Self {
        Self {
            commands: Commands::none(catalog),
            keys: Some(Vec::new()),
            channels: (!all_channels).then(Vec::new),
        }
    }

    /// Whether it allows everything, so that nothing needs to be looked at.
    pub(super) fn is_unrestricted(&self) -> bool {
        self.commands.is_all() && self.keys.is_none() && self.channels.is_none()
    }

    /// Follows a rule.
    pub(super) fn apply(&mut self, catalog: &Catalog, rule: &[u8]) -> Result<(), Fault> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if is("allkeys") || is("~*") {
            self.keys = None;
        } else if is("resetkeys") {
            self.keys = Some(Vec::new());
        } else if is("allchannels") || is("&*") {
            self.channels = None;
        } else if is("resetchannels") {
            self.channels = Some(Vec::new());
        } else if is("allcommands") || is("+@all") {
            self.commands.set_all(true);
        } else if is("nocommands") || is("-@all") {
            self.commands.set_all(false);
        } else {
            return match rule {
                [b'~', pattern @ ..] => self.add_keys(Needs::READ.and(Needs::WRITE), pattern),
                [b'%', ..] => {
                    if self.keys.is_none() {
                        return Err(Fault::KeyAfterAll);
                    }
                    let (allows, pattern) = split_needs(&rule[1..]).ok_or(Fault::Syntax)?;
                    self.add_keys(allows, pattern)
                }
                [b'&', pattern @ ..] => self.add_channels(pattern),
                [b'+', name @ ..] => self.commands.apply(catalog, true, name),
                [b'-', name @ ..] => self.commands.apply(catalog, false, name),
                _ => Err(Fault::Syntax),
            };
        }
        Ok(())
    }

    fn add_keys(&mut self, allows: Needs, pattern: &[u8]) -> Result<(), Fault> {
        let keys = self.keys.as_mut().ok_or(Fault::KeyAfterAll)?;
        if has_blanks(pattern) {
            return Err(Fault::Syntax);
        }
        match keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => known.allows = known.allows.and(allows),
            None => keys.push(KeyPattern {
                pattern: pattern.into(),
                allows,
            }),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), Fault> {
        let channels = self.channels.as_mut().ok_or(Fault::ChannelAfterAll)?;
        if has_blanks(pattern) {
            return Err(Fault::Syntax);
        }
        if !channels.iter().any(|known| **known == *pattern) {
            channels.push(pattern.into());
        }
        Ok(())
    }

    /// Whether a command may run; `keys` finds its keys, if that matters.
    pub(super) fn check(
        &self,
        call: &Call<'_>,
        keys: &mut dyn FnMut() -> Vec<Touched>,
    ) -> Result<(), Denied> {
        let first_arg = call.argv.try_get(call.names);
        if !call.is_open && !self.commands.allows(call.command, first_arg) {
            return Err(Denied::Command);
        }
        if self.keys.is_some() {
            for key in keys() {
                if !self.allows_key(call.argv.get(key.index), key.needs) {
                    return Err(Denied::Key(key.index));
                }
            }
        }
        if let Some(allowed) = &self.channels {
            let Channels { args, are_patterns } = &call.channels;
            for index in args.clone() {
                if !listed(allowed, call.argv.get(index), *are_patterns) {
                    return Err(Denied::Channel(index));
                }
            }
        }
        Ok(())
    }

    fn allows_key(&self, key: &[u8], needs: Needs) -> bool {
        self.keys.as_ref().is_none_or(|patterns| {
            patterns
                .iter()
                .any(|known| known.allows.has(needs) && glob::matches(&known.pattern, key))
        })
    }

    /// Whether every key there could be is allowed.
    pub(super) fn allows_all_keys(&self, needs: Needs) -> bool {
        self.keys.as_ref().is_none_or(|patterns| {
            patterns
                .iter()
                .any(|known| known.allows.has(needs) && *known.pattern == *b"*")
        })
    }

    /// The channel patterns, or `None` for all channels.
    pub(super) fn channels(&self) -> Option<&[Box<[u8]>]> {
        self.channels.as_deref()
    }

    /// The rules for commands.
    pub fn describe_commands(&self) -> String {
        self.commands.describe()
    }

    /// The rules for keys.
    pub fn describe_keys(&self) -> Vec<u8> {
        let Some(patterns) = &self.keys else {
            return b"~*".to_vec();
        };
        let shown = patterns.iter().map(|known| {
            let sign: &[u8] = match known.allows {
                Needs::READ => b"%R~",
                Needs::WRITE => b"%W~",
                _ => b"~",
            };
            [sign, &known.pattern].concat()
        });
        shown.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules for channels.
    pub fn describe_channels(&self) -> Vec<u8> {
        let Some(patterns) = &self.channels else {
            return b"&*".to_vec();
        };
        let shown = patterns.iter().map(|known| [b"&", &known[..]].concat());
        shown.collect::<Vec<_>>().join(&b' ')
    }

    /// All rules, as they make this selector when applied to an empty one.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut text = self.describe_keys();
        if !text.is_empty() {
            text.push(b' ');
        }
        if let Some(channels) = &self.channels {
            text.extend_from_slice(b"resetchannels ");
            if !channels.is_empty() {
                text.extend(self.describe_channels());
                text.push(b' ');
            }
        } else {
            text.extend_from_slice(b"&* ");
        }
        text.extend(self.commands.describe().bytes());
        text
    }
}

/// Whether a channel, or a pattern of channels, is among those allowed.
pub(super) fn listed(allowed: &[Box<[u8]>], name: &[u8], is_pattern: bool) -> bool {
    allowed.iter().any(|pattern| {
        if is_pattern {
            **pattern == *name
        } else {
            glob::matches(pattern, name)
        }
    })
}

/// What a rule such as `%RW~pattern` allows, without its `%`, and the pattern.
fn split_needs(rule: &[u8]) -> Option<(Needs, &[u8])> {
    let tilde = rule.iter().position(|&byte| byte == b'~');
    // Without a pattern, the empty one is meant.
    let (letters, pattern) = match tilde {
        Some(at) => (&rule[..at], &rule[at + 1..]),
        None => (rule, &rule[rule.len()..]),
    };
    let mut needs = Needs::NONE;
    for letter in letters {
        let one = match letter {
            b'R' | b'r' => Needs::READ,
            b'W' | b'w' => Needs::WRITE,
            _ => return None,
        };
        if needs.has(one) {
            return None;
        }
        needs = needs.and(one);
    }
    (needs != Needs::NONE).then_some((needs, pattern))
}

/// Rules and names end up in lines that are split at blanks.
pub(super) fn has_blanks(text: &[u8]) -> bool {
    text.iter()
        .any(|&byte| byte == 0 || byte.is_ascii_whitespace() || byte == 0x0b)
}
