//! Every user.

use super::selector::{Needs, has_blanks, listed};
use super::{Call, Catalog, Denied, Fault, SetFault, Touched, User};
use crate::limits::ACL_USERS_MAX;
use slab::Slab;
use std::collections::BTreeMap;

/// The users of a server or a Sentinel. The default user is always among them.
#[derive(Debug)]
pub struct Users {
    catalog: Catalog,
    users: Slab<Named>,
    by_name: BTreeMap<Box<[u8]>, UserId>,
    /// `acl-pubsub-default allchannels`
    all_channels: bool,
}

#[derive(Debug)]
struct Named {
    name: Box<[u8]>,
    user: User,
}

/// Names a user, as long as it is there.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct UserId(u32);

impl UserId {
    /// The user everybody begins as.
    pub const DEFAULT: Self = Self(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// The name of the user everybody begins as.
pub(super) const DEFAULT_NAME: &[u8] = b"default";

/// The channels a user may still listen to after some were taken away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Narrowed(Vec<Box<[u8]>>);

impl Narrowed {
    /// Whether a subscription may stay.
    pub fn allows(&self, name: &[u8], is_pattern: bool) -> bool {
        listed(&self.0, name, is_pattern)
    }
}

/// What loading users anew means for their clients.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Users that are gone.
    pub removed: Vec<UserId>,
    /// Users that have lost channels.
    pub narrowed: BTreeMap<UserId, Narrowed>,
}

impl Users {
    /// Nobody but the default user, who may do everything.
    pub fn new(catalog: Catalog, all_channels: bool) -> Self {
        let mut users = Self {
            users: Slab::new(),
            by_name: BTreeMap::new(),
            catalog,
            all_channels,
        };
        let default = User::unrestricted(&users.catalog);
        let id = users.insert(DEFAULT_NAME, default);
        assert_eq!(id, UserId::DEFAULT, "the default user comes first");
        users
    }

    /// The commands that rules name.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Follows `acl-pubsub-default`, which counts for users and selectors made from here on.
    pub fn set_all_channels(&mut self, all_channels: bool) {
        self.all_channels = all_channels;
    }

    /// Follows `requirepass`.
    pub fn require_password(&mut self, password: &[u8]) {
        self.get_mut(UserId::DEFAULT).require(password);
    }

    fn insert(&mut self, name: &[u8], user: User) -> UserId {
        let at = self.users.insert(Named {
            name: name.into(),
            user,
        });
        let id = UserId(u32::try_from(at).expect("users are bounded"));
        let before = self.by_name.insert(name.into(), id);
        assert_eq!(before, None, "a name is that of one user");
        id
    }

    fn remove(&mut self, id: UserId) {
        assert_ne!(id, UserId::DEFAULT, "the default user stays");
        let gone = self.users.remove(id.index());
        assert_eq!(self.by_name.remove(&gone.name), Some(id));
    }

    fn get_mut(&mut self, id: UserId) -> &mut User {
        &mut self.users[id.index()].user
    }

    /// Makes or changes a user by rules, or leaves everything as it was. Tells if a user that was
    /// there has lost channels.
    pub fn set(
        &mut self,
        name: &[u8],
        rules: &[&[u8]],
    ) -> Result<Option<(UserId, Narrowed)>, SetFault> {
        let rules = merge(rules).map_err(|start| SetFault::Unmatched(start.into()))?;
        let known = self.find(name);
        if known.is_none() && self.users.len() >= ACL_USERS_MAX {
            return Err(SetFault::TooMany);
        }
        let mut user = match known {
            Some(id) => self.get(id).clone(),
            None => User::new(&self.catalog, self.all_channels),
        };
        for rule in rules {
            user.apply(&self.catalog, self.all_channels, &rule)
                .map_err(|fault| SetFault::Rule(rule.into(), fault))?;
        }
        let Some(id) = known else {
            self.insert(name, user);
            return Ok(None);
        };
        let before = core::mem::replace(self.get_mut(id), user);
        Ok(narrowed(&before, self.get(id)).map(|channels| (id, channels)))
    }

    /// Begins the definition of a user by a `user` line: what was known of it is void.
    pub(super) fn reset(&mut self, name: &[u8]) {
        if let Some(id) = self.find(name) {
            *self.get_mut(id) = User::new(&self.catalog, self.all_channels);
        }
    }

    /// Removes a user other than the default one.
    pub fn delete(&mut self, name: &[u8]) -> Option<UserId> {
        let id = self.find(name)?;
        self.remove(id);
        Some(id)
    }

    /// Takes up the users of a file in the place of those there are, or says everything that is
    /// wrong with it and changes nothing. `path` is for that.
    pub fn load(&mut self, text: &[u8], path: &str) -> Result<Loaded, Vec<u8>> {
        let fresh = self.parse(text, path)?;
        let mut loaded = Loaded::default();
        let gone = |name: &[u8]| !fresh.contains_key(name) && *name != *DEFAULT_NAME;
        for (name, &id) in &self.by_name {
            if gone(name) {
                loaded.removed.push(id);
            }
        }
        for &id in &loaded.removed {
            self.remove(id);
        }
        if !fresh.contains_key(DEFAULT_NAME) {
            *self.get_mut(UserId::DEFAULT) = User::unrestricted(&self.catalog);
        }
        for (name, user) in fresh {
            let Some(id) = self.find(&name) else {
                self.insert(&name, user);
                continue;
            };
            if let Some(channels) = narrowed(self.get(id), &user) {
                loaded.narrowed.insert(id, channels);
            }
            *self.get_mut(id) = user;
        }
        Ok(loaded)
    }

    fn parse(&self, text: &[u8], path: &str) -> Result<BTreeMap<Box<[u8]>, User>, Vec<u8>> {
        let mut users = BTreeMap::new();
        let mut errors: Vec<u8> = Vec::new();
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let number = at + 1;
            let line = trim(line, b" \t\r");
            if line.is_empty() {
                continue;
            }
            let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
            let [b"user", name, rules @ ..] = &words[..] else {
                errors.extend(
                    format!(
                        "{path}:{number} should start with user keyword followed by the username. "
                    )
                    .bytes(),
                );
                continue;
            };
            if has_blanks(name) {
                let name = String::from_utf8_lossy(name);
                errors.extend(
                    format!("'{path}:{number}: username '{name}' contains invalid characters. ")
                        .bytes(),
                );
            } else if users.contains_key(*name) {
                errors.extend_from_slice(b"WARNING: Duplicate user '");
                errors.extend_from_slice(name);
                errors.extend(format!("' found on line {number}. ").bytes());
            } else if users.len() >= ACL_USERS_MAX {
                errors.extend(format!("{path}:{number}: there are too many users. ").bytes());
                break;
            } else {
                let user = self.parse_user(rules, path, number, &mut errors);
                users.insert((*name).into(), user);
            }
        }
        if errors.is_empty() {
            return Ok(users);
        }
        errors.extend_from_slice(
            b"WARNING: ACL errors detected, no change to the previously active ACL rules was \
              performed",
        );
        Err(errors)
    }

    fn parse_user(&self, rules: &[&[u8]], path: &str, number: usize, errors: &mut Vec<u8>) -> User {
        let mut user = User::new(&self.catalog, self.all_channels);
        let Ok(rules) = merge(rules) else {
            errors.extend(
                format!("{path}:{number}: Unmatched parenthesis in selector definition. ").bytes(),
            );
            return user;
        };
        // What follows a rule that makes no sense may make none for that reason alone.
        let mut told = false;
        for rule in rules {
            let rule = trim(&rule, b"\t\r");
            match user.apply(&self.catalog, self.all_channels, rule) {
                Ok(()) => {}
                // It holds no secret, and is shown.
                Err(fault @ Fault::Unknown) => {
                    let at = format!("{path}:{number}: Error in applying operation '");
                    errors.extend(at.bytes());
                    errors.extend_from_slice(rule);
                    errors.extend(format!("': {fault}. ").bytes());
                }
                Err(fault) if !told => {
                    errors.extend(format!("{path}:{number}: {fault}. ").bytes());
                    told = true;
                }
                Err(_) => {}
            }
        }
        user
    }

    /// The text of a file with all users.
    pub fn image(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (name, user) in self.iter() {
            text.extend([b"user ", name, b" ", &user.describe()[..], b"\n"].concat());
        }
        text
    }

    /// The user of a name.
    pub fn find(&self, name: &[u8]) -> Option<UserId> {
        self.by_name.get(name).copied()
    }

    /// A user that is there.
    pub fn get(&self, id: UserId) -> &User {
        &self.users[id.index()].user
    }

    /// The name of a user that is there.
    pub fn name(&self, id: UserId) -> &[u8] {
        &self.users[id.index()].name
    }

    /// All users with their names, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &User)> {
        let users = self.by_name.iter();
        users.map(|(name, &id)| (&**name, self.get(id)))
    }

    /// The user whom a name and a password let in.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<UserId> {
        let id = self.find(name)?;
        self.get(id).lets_in(password).then_some(id)
    }

    /// Whether everybody is let in as the default user.
    pub fn is_open(&self) -> bool {
        let default = self.get(UserId::DEFAULT);
        default.is_enabled() && default.needs_no_password()
    }

    /// Whether the default user has no password, be it on or off.
    pub fn default_needs_no_password(&self) -> bool {
        self.get(UserId::DEFAULT).needs_no_password()
    }

    /// Whether a user may do everything, so that its commands need not be checked.
    pub fn is_unrestricted(&self, id: UserId) -> bool {
        self.get(id).is_unrestricted()
    }

    /// Whether a user may run a command. `keys` finds the keys of the command, if that matters.
    pub fn check(
        &self,
        id: UserId,
        call: &Call<'_>,
        keys: impl Fn() -> Vec<Touched>,
    ) -> Result<(), Denied> {
        self.get(id).check(call, keys)
    }

    /// Whether a user may run a command that reads keys which its arguments do not name.
    pub fn may_read_any_key(
        &self,
        id: UserId,
        call: &Call<'_>,
        keys: impl Fn() -> Vec<Touched>,
    ) -> bool {
        self.get(id).allows_with_any_key(call, keys, Needs::READ)
    }
}

/// The channels a user is left with, if it has lost one.
fn narrowed(before: &User, after: &User) -> Option<Narrowed> {
    let left = after.channels()?;
    let kept = before
        .channels()
        .is_some_and(|before| before.iter().all(|one| left.contains(one)));
    (!kept).then_some(Narrowed(left))
}

/// Rules, with a selector that was split at its blanks put together; the start of one without an
/// end is an error.
pub(super) fn merge<'a>(rules: &[&'a [u8]]) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open = None;
    for &rule in rules {
        let ends = rule.ends_with(b")");
        if open.is_some() {
            let selector = merged.last_mut().expect("its start was put there");
            selector.push(b' ');
            selector.extend_from_slice(rule);
            if ends {
                open = None;
            }
        } else {
            if rule.starts_with(b"(") && !ends {
                open = Some(rule);
            }
            merged.push(rule.to_vec());
        }
    }
    open.map_or(Ok(merged), Err)
}

fn trim<'a>(mut text: &'a [u8], of: &[u8]) -> &'a [u8] {
    while let [first, rest @ ..] = text
        && of.contains(first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && of.contains(last)
    {
        text = rest;
    }
    text
}

/// Whether a name can be that of a user.
pub fn is_name(name: &[u8]) -> bool {
    !has_blanks(name)
}
