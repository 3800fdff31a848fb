//! The replies of ACL's subcommands.

use super::log::Log;
use super::selector::Selector;
use super::{Acl, Catalog, Denied, Users};
use crate::machine::Wall;
use crate::resp::{ArgvRef, Reply};

/// ACL LIST
pub fn list(out: &mut Reply<'_>, users: &Users) {
    let all = users.iter();
    out.array(all.len());
    for (name, user) in all {
        out.bulk(&[b"user ", name, b" ", &user.describe()[..]].concat());
    }
}

/// ACL USERS
pub fn names(out: &mut Reply<'_>, users: &Users) {
    let all = users.iter();
    out.array(all.len());
    for (name, _) in all {
        out.bulk(name);
    }
}

/// ACL GETUSER
pub fn user(out: &mut Reply<'_>, users: &Users, name: &[u8]) {
    let Some(id) = users.find(name) else {
        return out.null();
    };
    let user = users.get(id);
    let (own, others) = user.selectors();
    out.map(6);
    out.bulk(b"flags");
    let flags = user.flags();
    out.set(flags.len());
    for flag in flags {
        out.bulk(flag.as_bytes());
    }
    out.bulk(b"passwords");
    let passwords = user.passwords();
    out.array(passwords.len());
    for hash in passwords {
        out.bulk(hash.as_bytes());
    }
    selector(out, own);
    out.bulk(b"selectors");
    out.array(others.len());
    for other in others {
        out.map(3);
        selector(out, other);
    }
}

fn selector(out: &mut Reply<'_>, selector: &Selector) {
    out.bulk(b"commands");
    out.bulk(selector.describe_commands().as_bytes());
    out.bulk(b"keys");
    out.bulk(&selector.describe_keys());
    out.bulk(b"channels");
    out.bulk(&selector.describe_channels());
}

/// ACL CAT without a category.
pub fn categories(out: &mut Reply<'_>) {
    out.array(Acl::ALL.len());
    for (_, name) in Acl::ALL {
        out.bulk(name.as_bytes());
    }
}

/// ACL CAT of a category.
pub fn category(out: &mut Reply<'_>, catalog: &Catalog, category: Acl) {
    let commands: Vec<_> = catalog.in_category(category).collect();
    out.array(commands.len());
    for command in commands {
        out.bulk(catalog.name(command).as_bytes());
    }
}

/// ACL LOG
pub fn log(out: &mut Reply<'_>, log: &Log, now: Wall, count: usize) {
    let entries = log.iter();
    let count = count.min(entries.len());
    out.array(count);
    for entry in entries.take(count) {
        let incident = &entry.incident;
        let millis = now.as_millis().saturating_sub(entry.updated.as_millis());
        out.map(10);
        out.bulk(b"count");
        out.int(entry.count);
        out.bulk(b"reason");
        out.bulk(incident.reason.name().as_bytes());
        out.bulk(b"context");
        out.bulk(incident.context.name().as_bytes());
        out.bulk(b"object");
        out.bulk(&incident.object);
        out.bulk(b"username");
        out.bulk(&incident.user);
        out.bulk(b"age-seconds");
        out.double(millis as f64 / 1000.0);
        out.bulk(b"client-info");
        out.bulk(incident.client.as_bytes());
        out.bulk(b"entry-id");
        out.int(entry.id);
        out.bulk(b"timestamp-created");
        out.int(entry.created.as_millis());
        out.bulk(b"timestamp-last-updated");
        out.int(entry.updated.as_millis());
    }
}

/// What a client is told that may not run a command; a code goes before it.
pub fn denial(denied: Denied, user: &[u8], command: &str) -> Vec<u8> {
    match denied {
        Denied::Command => [
            b"User ",
            user,
            b" has no permissions to run the '",
            command.as_bytes(),
            b"' command",
        ]
        .concat(),
        Denied::Key(_) => b"No permissions to access a key".to_vec(),
        Denied::Channel(_) => b"No permissions to access a channel".to_vec(),
    }
}

/// As [`denial`], with the key or channel, for ACL DRYRUN.
pub fn full_denial(denied: Denied, user: &[u8], command: &str, argv: ArgvRef<'_>) -> Vec<u8> {
    let (index, what) = match denied {
        Denied::Command => return denial(denied, user, command),
        Denied::Key(index) => (index, b"key".as_slice()),
        Denied::Channel(index) => (index, b"channel".as_slice()),
    };
    [
        b"User ",
        user,
        b" has no permissions to access the '",
        argv.get(index),
        b"' ",
        what,
    ]
    .concat()
}
