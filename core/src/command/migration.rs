//! MIGRATE.

use super::args::Args;
use super::cx::{Cx, Origin};
use super::fail::Fail;
use super::spec::{Acl, Arity, Begin, Docs, Find, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::persist::rdb;
use crate::server::client::ClientFlags;
use crate::server::migrate::{Load, Target};
use core::time::Duration;

const MOVED: K = K::RW.and(K::ACCESS).and(K::DELETE);

/// The row of the command.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "migrate",
    run: migrate,
    arity: Arity::AtLeast(6),
    flags: F::WRITE.and(F::MOVABLE_KEYS),
    acl: Acl::KEYSPACE.and(Acl::DANGEROUS),
    keys: &[
        KeySpec::at(3, MOVED),
        KeySpec {
            begin: Begin::Keyword("KEYS", -2),
            find: Find::Range {
                last: -1,
                step: 1,
                limit: 0,
            },
            flags: MOVED.and(K::INCOMPLETE),
        },
    ],
    tips: &["nondeterministic_output"],
    docs: Docs {
        summary: "Moves keys to another server.",
        since: "2.6.0",
        group: Group::Generic,
        complexity: "That of DUMP and DEL here and of RESTORE there, and O(N) in the size of the \
                     values on the way",
        syntax: "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] \
                 [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
    },
    subcommands: &[],
}];

/// Where MIGRATE has a single key.
const KEY: usize = 3;

/// The options of MIGRATE.
struct Options<'a> {
    copy: bool,
    replace: bool,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    keys: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(mut args: Args<'a>, key: &'a [u8]) -> Result<Self, Fail> {
        let mut options = Self {
            copy: false,
            replace: false,
            user: None,
            password: None,
            keys: vec![key],
        };
        while !args.is_done() {
            if args.keyword("copy") {
                options.copy = true;
            } else if args.keyword("replace") {
                options.replace = true;
            } else if args.keyword("auth") {
                options.user = None;
                options.password = Some(args.bulk()?);
            } else if args.keyword("auth2") {
                options.user = Some(args.bulk()?);
                options.password = Some(args.bulk()?);
            } else if args.keyword("keys") {
                if !key.is_empty() {
                    return Err(Fail::Plain(
                        "When using MIGRATE KEYS option, the key argument must be set to the \
                         empty string",
                    ));
                }
                options.keys = args.rest().collect();
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(options)
    }
}

fn migrate(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (host, port) = (args.bulk()?, args.bulk()?);
    let key = args.bulk()?;
    assert_eq!(args.argv().get(KEY), key);
    let (db, timeout) = (args.bulk()?, args.bulk()?);
    let options = Options::parse(args, key)?;
    let timeout = crate::resp::parse_int(timeout).ok_or(Fail::NotInteger)?;
    let db = crate::resp::parse_int(db).ok_or(Fail::NotInteger)?;
    let mut loads = Vec::new();
    let compress = cx.data.st.config.rdbcompression();
    let now = cx.wall().as_millis();
    for key in &options.keys {
        let Some(entry) = cx.data.read(key) else {
            continue;
        };
        loads.push(Load {
            key: (*key).into(),
            ttl: entry.expire().map_or(0, |at| (at.as_millis() - now).max(1)),
            payload: rdb::dump(entry.value(), compress),
        });
    }
    if loads.is_empty() {
        cx.out.simple("NOKEY");
        return Ok(());
    }
    if cx.client().flags.has(ClientFlags::EXECUTING) || cx.data.origin != Origin::Client {
        return Err(Fail::Plain(
            "MIGRATE waits for another server, which a transaction can't",
        ));
    }
    let timeout = u64::try_from(timeout).ok().filter(|&millis| millis > 0);
    let target = Target {
        host: String::from_utf8_lossy(host).into(),
        port: crate::resp::parse_int(port).and_then(|port| u16::try_from(port).ok()),
        db,
        user: options.user.map(Into::into),
        password: options.password.map(Into::into),
        replace: options.replace,
        copy: options.copy,
        timeout: Duration::from_millis(timeout.unwrap_or(TIMEOUT_DEFAULT_MS)),
    };
    cx.migrate(target, loads);
    Ok(())
}

/// What a timeout that is none stands for.
const TIMEOUT_DEFAULT_MS: u64 = 1_000;
