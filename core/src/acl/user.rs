//! One user.

use super::password::Hash;
use super::selector::{Needs, Selector};
use super::{Call, Catalog, Denied, Fault, Touched};
use core::cell::OnceCell;

/// A user: how it proves who it is, and what it may do.
#[derive(Clone, Debug)]
pub struct User {
    enabled: bool,
    sanitizes: bool,
    passwords: Passwords,
    /// The first is the user's own, made by rules outside parentheses.
    selectors: Vec<Selector>,
}

#[derive(Clone, Debug)]
enum Passwords {
    /// `nopass`
    Any,
    Only(Vec<Hash>),
}

impl User {
    /// One that can't log in and may do nothing.
    pub(super) fn new(catalog: &Catalog, all_channels: bool) -> Self {
        Self {
            enabled: false,
            sanitizes: true,
            passwords: Passwords::Only(Vec::new()),
            selectors: vec![Selector::new(catalog, all_channels)],
        }
    }

    /// The one everybody begins as: it needs no password and may do everything.
    pub(super) fn unrestricted(catalog: &Catalog) -> Self {
        let mut user = Self::new(catalog, true);
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            user.apply(catalog, true, rule.as_bytes())
                .expect("these are rules");
        }
        user
    }

    /// Follows a rule.
    pub(super) fn apply(
        &mut self,
        catalog: &Catalog,
        all_channels: bool,
        rule: &[u8],
    ) -> Result<(), Fault> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if is("on") {
            self.enabled = true;
        } else if is("off") {
            self.enabled = false;
        } else if is("sanitize-payload") {
            self.sanitizes = true;
        } else if is("skip-sanitize-payload") {
            self.sanitizes = false;
        } else if is("nopass") {
            self.passwords = Passwords::Any;
        } else if is("resetpass") {
            self.passwords = Passwords::Only(Vec::new());
        } else if is("clearselectors") {
            self.selectors.truncate(1);
        } else if is("reset") {
            *self = Self::new(catalog, all_channels);
        } else {
            return match rule {
                [] => Ok(()),
                [b'>', password @ ..] => {
                    self.add_password(Hash::of(password));
                    Ok(())
                }
                [b'#', hash @ ..] => {
                    self.add_password(Hash::parse(hash).ok_or(Fault::BadHash)?);
                    Ok(())
                }
                [b'<', password @ ..] => self.remove_password(Hash::of(password)),
                [b'!', hash @ ..] => self.remove_password(Hash::parse(hash).ok_or(Fault::BadHash)?),
                [b'(', rules @ .., b')'] => {
                    let selector = selector_of(catalog, all_channels, rules)?;
                    self.selectors.push(selector);
                    Ok(())
                }
                _ => self.selectors[0].apply(catalog, rule),
            };
        }
        Ok(())
    }

    fn add_password(&mut self, hash: Hash) {
        match &mut self.passwords {
            Passwords::Any => self.passwords = Passwords::Only(vec![hash]),
            Passwords::Only(known) if known.contains(&hash) => {}
            Passwords::Only(known) => known.push(hash),
        }
    }

    fn remove_password(&mut self, hash: Hash) -> Result<(), Fault> {
        let Passwords::Only(known) = &mut self.passwords else {
            return Err(Fault::NoSuchPassword);
        };
        let at = known.iter().position(|one| *one == hash);
        known.remove(at.ok_or(Fault::NoSuchPassword)?);
        Ok(())
    }

    /// `requirepass`: the only password, or none at all.
    pub(super) fn require(&mut self, password: &[u8]) {
        self.passwords = if password.is_empty() {
            Passwords::Any
        } else {
            Passwords::Only(vec![Hash::of(password)])
        };
    }

    /// Whether a password is right. Nobody can log in as a user that is off.
    pub(super) fn lets_in(&self, password: &[u8]) -> bool {
        let right = match &self.passwords {
            Passwords::Any => true,
            Passwords::Only(known) => {
                let hash = Hash::of(password);
                known
                    .iter()
                    .fold(false, |found, one| found | one.is_same(&hash))
            }
        };
        self.enabled && right
    }

    /// Whether every password is right.
    pub fn needs_no_password(&self) -> bool {
        matches!(self.passwords, Passwords::Any)
    }

    /// Whether one can log in as this user.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether it may do everything, so that nothing needs to be looked at.
    pub(super) fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::is_unrestricted)
    }

    /// Whether a command may run.
    ///
    /// Of the reasons of all selectors the one that came furthest is told: channels are looked at
    /// after keys, keys after the command, and arguments from left to right.
    pub(super) fn check(
        &self,
        call: &Call<'_>,
        keys: impl Fn() -> Vec<Touched>,
    ) -> Result<(), Denied> {
        let found = OnceCell::new();
        let mut keys = || found.get_or_init(&keys).clone();
        let mut told = Denied::Command;
        for selector in &self.selectors {
            match selector.check(call, &mut keys) {
                Ok(()) => return Ok(()),
                Err(denied) if denied.weight() > told.weight() => told = denied,
                Err(_) => {}
            }
        }
        Err(told)
    }

    /// Whether a command may run that touches keys which its arguments do not name.
    pub(super) fn allows_with_any_key(
        &self,
        call: &Call<'_>,
        keys: impl Fn() -> Vec<Touched>,
        needs: Needs,
    ) -> bool {
        self.selectors.iter().any(|selector| {
            selector.allows_all_keys(needs) && selector.check(call, &mut || keys()).is_ok()
        })
    }

    /// Every channel pattern of every selector, or `None` if one allows all channels.
    pub(super) fn channels(&self) -> Option<Vec<Box<[u8]>>> {
        let lists: Option<Vec<_>> = self.selectors.iter().map(Selector::channels).collect();
        Some(lists?.concat())
    }

    /// The user's own permissions, and those in parentheses.
    pub fn selectors(&self) -> (&Selector, &[Selector]) {
        self.selectors
            .split_first()
            .expect("a user has its own selector")
    }

    /// The flags as ACL GETUSER lists them.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.enabled { "on" } else { "off" }];
        if self.needs_no_password() {
            flags.push("nopass");
        }
        flags.push(if self.sanitizes {
            "sanitize-payload"
        } else {
            "skip-sanitize-payload"
        });
        flags
    }

    /// The hashes of its passwords.
    pub fn passwords(&self) -> Vec<String> {
        match &self.passwords {
            Passwords::Any => Vec::new(),
            Passwords::Only(known) => known.iter().map(ToString::to_string).collect(),
        }
    }

    /// The rules that make this user, as a `user` line has them behind the name.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = self.flags().join(" ").into_bytes();
        text.push(b' ');
        for hash in self.passwords() {
            text.extend(format!("#{hash} ").bytes());
        }
        let (own, others) = self.selectors();
        text.extend(own.describe());
        for selector in others {
            text.extend([b" (", &selector.describe()[..], b")"].concat());
        }
        text
    }
}

impl Denied {
    fn weight(self) -> (u8, usize) {
        match self {
            Self::Command => (0, 0),
            Self::Key(index) => (1, index),
            Self::Channel(index) => (2, index),
        }
    }
}

/// The selector of rules that stood in parentheses.
fn selector_of(catalog: &Catalog, all_channels: bool, rules: &[u8]) -> Result<Selector, Fault> {
    let mut selector = Selector::new(catalog, all_channels);
    for rule in crate::config::split_args(rules).ok_or(Fault::Syntax)? {
        selector.apply(catalog, &rule)?;
    }
    Ok(selector)
}
