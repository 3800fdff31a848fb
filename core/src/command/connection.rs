//! Commands on the connection itself.

use super::args::Args;
use super::cx::Cx;
use super::fail::{Fail, shown};
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Spec};
use crate::resp::{self, Proto};
use crate::server::Credentials;
use crate::server::client::ClientFlags;

/// Flags of commands that any connection may use at any time.
const ALWAYS: F = F::NOSCRIPT.and(F::LOADING).and(F::STALE).and(F::FAST);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "auth",
        run: auth,
        arity: Arity::AtLeast(2),
        flags: ALWAYS.and(F::NO_AUTH).and(F::ALLOW_BUSY),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Proves to the server who the client is.",
            since: "1.0.0",
            group: Group::Connection,
            complexity: "O(N) in the number of passwords of the user",
            syntax: "[username] password",
        },
        subcommands: &[],
    },
    Spec {
        name: "echo",
        run: echo,
        arity: Arity::Exactly(2),
        flags: F::LOADING.and(F::STALE).and(F::FAST),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Sends its argument back.",
            since: "1.0.0",
            group: Group::Connection,
            complexity: "O(1)",
            syntax: "message",
        },
        subcommands: &[],
    },
    Spec {
        name: "hello",
        run: hello,
        arity: Arity::AtLeast(1),
        flags: ALWAYS.and(F::NO_AUTH).and(F::ALLOW_BUSY),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Agrees on the protocol version, and may authenticate and name the client.",
            since: "6.0.0",
            group: Group::Connection,
            complexity: "O(1)",
            syntax: "[protover [AUTH username password] [SETNAME clientname]]",
        },
        subcommands: &[],
    },
    Spec {
        name: "ping",
        run: ping,
        arity: Arity::AtLeast(1),
        flags: F::FAST.and(F::SUBSCRIBED).and(F::REPORTS_DISK),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        docs: Docs {
            summary: "Tells that the server is there.",
            since: "1.0.0",
            group: Group::Connection,
            complexity: "O(1)",
            syntax: "[message]",
        },
        subcommands: &[],
    },
    Spec {
        name: "quit",
        run: quit,
        arity: Arity::AtLeast(1),
        flags: ALWAYS
            .and(F::NO_AUTH)
            .and(F::ALLOW_BUSY)
            .and(F::IMMEDIATE)
            .and(F::SUBSCRIBED),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Closes the connection.",
            since: "1.0.0",
            group: Group::Connection,
            complexity: "O(1)",
            syntax: "",
        },
        subcommands: &[],
    },
    Spec {
        name: "reset",
        run: reset,
        arity: Arity::Exactly(1),
        flags: ALWAYS
            .and(F::NO_AUTH)
            .and(F::ALLOW_BUSY)
            .and(F::IMMEDIATE)
            .and(F::SUBSCRIBED),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Brings the connection back to the state of a new one.",
            since: "6.2.0",
            group: Group::Connection,
            complexity: "O(1)",
            syntax: "",
        },
        subcommands: &[],
    },
    Spec {
        name: "select",
        run: select,
        arity: Arity::Exactly(2),
        flags: F::LOADING.and(F::STALE).and(F::FAST),
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Chooses the database of the commands that follow.",
            since: "1.0.0",
            group: Group::Connection,
            complexity: "O(1)",
            syntax: "index",
        },
        subcommands: &[],
    },
];

fn auth(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let credentials = match args.left() {
        1 => {
            if cx.data.st.users.default_needs_no_password() {
                return Err(Fail::AuthUnneeded);
            }
            Credentials {
                user: b"default",
                password: args.bulk()?,
            }
        }
        2 => Credentials {
            user: args.bulk()?,
            password: args.bulk()?,
        },
        _ => return Err(Fail::Syntax),
    };
    cx.authenticate(args.argv().get(0), credentials)?;
    cx.out.ok();
    Ok(())
}

fn echo(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    cx.out.bulk(args.bulk()?);
    Ok(())
}

fn ping(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if args.left() > 1 {
        return Err(Fail::Arity("ping".into()));
    }
    let message = args.peek();
    let client = cx.client();
    if client.flags.has(ClientFlags::SUBSCRIBER) && client.proto == Proto::Resp2 {
        cx.out.array(2);
        cx.out.bulk(b"pong");
        cx.out.bulk(message.unwrap_or_default());
    } else if message.is_some() {
        cx.out.bulk(args.bulk()?);
    } else {
        cx.out.simple("PONG");
    }
    Ok(())
}

fn quit(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.out.ok();
    let conn = cx.data.conn;
    cx.data.st.close_after_reply(conn);
    Ok(())
}

fn select(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let db = args.int32()?;
    let db = usize::try_from(db)
        .ok()
        .filter(|&db| db < cx.data.keys.dbs().len());
    let db = db.ok_or(Fail::DbOutOfRange)?;
    cx.data.db = db;
    cx.client().db = db;
    cx.out.ok();
    Ok(())
}

fn reset(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let conn = cx.data.conn;
    if cx
        .client()
        .flags
        .has_any(ClientFlags::REPLICA.and(ClientFlags::MASTER))
    {
        return Err(Fail::Plain("can only reset normal client connections"));
    }
    cx.data.st.discard(conn);
    cx.data.st.pubsub.forget(conn);
    cx.data.st.log_out(conn);
    let client = cx.client();
    let ended = ClientFlags::SUBSCRIBER
        .and(ClientFlags::REPLY_OFF)
        .and(ClientFlags::REPLY_SKIP_NEXT)
        .and(ClientFlags::NO_EVICT)
        .and(ClientFlags::NO_TOUCH);
    client.flags.set(ended, false);
    client.db = 0;
    client.proto = Proto::Resp2;
    if let Some(rare) = &mut client.rare {
        rare.name = Box::default();
    }
    cx.data.db = 0;
    cx.out.set_proto(Proto::Resp2);
    cx.out.simple("RESET");
    Ok(())
}

/// What HELLO asks for, read before anything of it is done.
#[derive(Default)]
struct Hello<'a> {
    proto: Option<Proto>,
    credentials: Option<Credentials<'a>>,
    name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    fn parse(mut args: Args<'a>) -> Result<Self, Fail> {
        let mut hello = Self::default();
        if args.is_done() {
            return Ok(hello);
        }
        let version = resp::parse_int(args.bulk()?).ok_or(Fail::Plain(
            "Protocol version is not an integer or out of range",
        ))?;
        hello.proto = Some(match version {
            2 => Proto::Resp2,
            3 => Proto::Resp3,
            _ => return Err(Fail::NoProto),
        });
        while let Some(option) = args.peek() {
            if args.left() >= 3 && args.keyword("auth") {
                let credentials = Credentials {
                    user: args.bulk()?,
                    password: args.bulk()?,
                };
                hello.credentials = Some(credentials);
            } else if args.left() >= 2 && args.keyword("setname") {
                let name = args.bulk()?;
                super::client::check_name(name)?;
                hello.name = Some(name);
            } else {
                let text = [b"Syntax error in HELLO option '", shown(option), b"'"];
                return Err(Fail::detail(text.concat()));
            }
        }
        Ok(hello)
    }
}

fn hello(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    let hello = Hello::parse(args)?;
    if let Some(credentials) = hello.credentials {
        cx.authenticate(args.argv().get(0), credentials)?;
    }
    if !cx.client().flags.has(ClientFlags::AUTHENTICATED) {
        return Err(Fail::Coded(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = hello.name {
        cx.client().rare_mut().name = name.into();
    }
    if let Some(proto) = hello.proto {
        cx.client().proto = proto;
        cx.out.set_proto(proto);
    }
    let (id, proto) = (cx.client().id, cx.client().proto);
    let role = if cx.data.st.is_replica() {
        "replica"
    } else {
        "master"
    };
    let out = &mut cx.out;
    out.map(7);
    out.bulk(b"server");
    out.bulk(b"redis");
    out.bulk(b"version");
    out.bulk(crate::config::REDIS_VERSION.as_bytes());
    out.bulk(b"proto");
    out.int(proto.version());
    out.bulk(b"id");
    out.int(i64::try_from(id).expect("client numbers are counted up from 1"));
    out.bulk(b"mode");
    out.bulk(b"standalone");
    out.bulk(b"role");
    out.bulk(role.as_bytes());
    out.bulk(b"modules");
    out.array(0);
    Ok(())
}
