//! Following a master and being followed.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};
use crate::repl::node::{Admission, HandoverRequest, ReplicaAddr, Role, Sync};
use crate::repl::primary::{Psync, Replconf};
use crate::resp;
use crate::server::client::ClientFlags;
use core::time::Duration;

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    (flags, acl): (F, Acl),
    group: Group,
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group,
            complexity: "O(1)",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

const FOLLOW: F = F::ADMIN
    .and(F::NOSCRIPT)
    .and(F::STALE)
    .and(F::NO_ASYNC_LOADING);
const SYNC: F = F::ADMIN
    .and(F::NOSCRIPT)
    .and(F::NO_MULTI)
    .and(F::NO_ASYNC_LOADING);
const REPLCONF: F = F::ADMIN
    .and(F::NOSCRIPT)
    .and(F::LOADING)
    .and(F::STALE)
    .and(F::ALLOW_BUSY);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "failover",
        failover,
        Arity::AtLeast(1),
        (F::ADMIN.and(F::NOSCRIPT).and(F::STALE), Acl::NONE),
        Group::Server,
        (
            "Hands over to a replica that has everything.",
            "6.2.0",
            "[TO <host port [FORCE]>] [ABORT] [TIMEOUT milliseconds]",
        ),
    ),
    row(
        "psync",
        psync,
        Arity::AtLeast(3),
        (SYNC, Acl::NONE),
        Group::Server,
        (
            "Asks for the replication stream from an offset on.",
            "2.8.0",
            "replicationid offset",
        ),
    ),
    row(
        "replconf",
        replconf,
        Arity::AtLeast(1),
        (REPLCONF, Acl::NONE),
        Group::Server,
        ("Tells a master about its replica.", "3.0.0", ""),
    ),
    row(
        "replicaof",
        replicaof,
        Arity::Exactly(3),
        (FOLLOW, Acl::NONE),
        Group::Server,
        (
            "Follows a master, or none.",
            "5.0.0",
            "<host port | NO ONE>",
        ),
    ),
    row(
        "role",
        role,
        Arity::Exactly(1),
        (
            F::NOSCRIPT.and(F::LOADING).and(F::STALE).and(F::FAST),
            Acl::ADMIN.and(Acl::DANGEROUS),
        ),
        Group::Server,
        ("Returns the role in replication.", "2.8.12", ""),
    ),
    row(
        "slaveof",
        replicaof,
        Arity::Exactly(3),
        (FOLLOW, Acl::NONE),
        Group::Server,
        (
            "Follows a master, or none; the old name of REPLICAOF.",
            "1.0.0",
            "<host port | NO ONE>",
        ),
    ),
    row(
        "sync",
        sync,
        Arity::Exactly(1),
        (SYNC, Acl::NONE),
        Group::Server,
        (
            "Asks for a snapshot and the replication stream behind it.",
            "1.0.0",
            "",
        ),
    ),
    Spec {
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..row(
            "waitaof",
            waitaof,
            Arity::Exactly(4),
            (F::BLOCKING, Acl::CONNECTION),
            Group::Generic,
            (
                "Waits until append-only files have the client's writes.",
                "7.2.0",
                "numlocal numreplicas timeout",
            ),
        )
    },
    Spec {
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..row(
            "wait",
            wait,
            Arity::Exactly(3),
            (F::BLOCKING, Acl::CONNECTION),
            Group::Generic,
            (
                "Waits until replicas have the client's writes.",
                "3.0.0",
                "numreplicas timeout",
            ),
        )
    },
];

fn replicaof(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let client = cx.client().flags;
    if client.has(ClientFlags::REPLICA) {
        return Err(Fail::Plain(
            "Command is not valid when client is a replica.",
        ));
    }
    if cx.data.st.repl.awaits_handover() {
        return Err(Fail::Plain("REPLICAOF not allowed while failing over."));
    }
    let (host, port) = (args.bulk()?, args.bulk()?);
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        cx.become_master();
        cx.out.ok();
        return Ok(());
    }
    let port = resp::parse_int(port).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Fail::Plain("Invalid master port"))?;
    let host = core::str::from_utf8(host).map_err(|_| Fail::Plain("Invalid master host"))?;
    if cx.become_replica(host, port) {
        cx.out.ok();
    } else {
        cx.out.simple("OK Already connected to specified master");
    }
    Ok(())
}

fn failover(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let mut request = HandoverRequest::default();
    let mut abort = false;
    while !args.is_done() {
        if request.timeout.is_none() && args.left() > 1 && args.keyword("timeout") {
            let timeout = u64::try_from(args.int()?).ok().filter(|&ms| ms > 0);
            let timeout = timeout.ok_or(Fail::Plain("FAILOVER timeout must be greater than 0"))?;
            request.timeout = Some(Duration::from_millis(timeout));
        } else if !abort && args.keyword("abort") {
            abort = true;
        } else if request.to.is_none() && args.left() > 2 && args.keyword("to") {
            let host = String::from_utf8_lossy(args.bulk()?).into();
            // No replica has another port.
            let port = u16::try_from(args.int()?).unwrap_or(0);
            request.to = Some(ReplicaAddr { host, port });
        } else if !request.force && args.keyword("force") {
            request.force = true;
        } else {
            return Err(Fail::Syntax);
        }
    }
    if abort && request != HandoverRequest::default() {
        return Err(Fail::Syntax);
    }
    if !abort {
        cx.start_failover(request)?;
    } else if !cx.abort_failover() {
        return Err(Fail::Plain("No failover in progress."));
    }
    cx.out.ok();
    Ok(())
}

fn role(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let signed = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
    match cx.data.st.repl.role(cx.data.st.now) {
        Role::Master { offset, replicas } => {
            cx.out.array(3);
            cx.out.bulk(b"master");
            cx.out.int(signed(offset.get()));
            cx.out.array(replicas.len());
            for (host, port, acked) in replicas {
                cx.out.array(3);
                cx.out.bulk(host.as_bytes());
                cx.out.bulk_int(port);
                cx.out.bulk_int(signed(acked.get()));
            }
        }
        Role::Replica {
            host,
            port,
            state,
            offset,
        } => {
            cx.out.array(5);
            cx.out.bulk(b"slave");
            cx.out.bulk(host.as_bytes());
            cx.out.int(i64::from(port));
            cx.out.bulk(state.as_bytes());
            cx.out.int(offset);
        }
    }
    Ok(())
}

fn wait(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if cx.data.st.is_replica() {
        return Err(Fail::Plain(
            "WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if \
             a replica is configured to be writable (which is not the default) writes to replicas \
             are just local and are not propagated.",
        ));
    }
    let replicas = args.int()?;
    let timeout = timeout(args.bulk()?)?;
    // A negative number of replicas is reached at once.
    let replicas = usize::try_from(replicas.max(0)).unwrap_or(usize::MAX);
    cx.wait_for_replicas(replicas, timeout);
    Ok(())
}

fn waitaof(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let range = Fail::Plain("value is out of range, value must between 0 and 1");
    let here = args.int_within(0, 1, range)? == 1;
    let replicas = args.int_within(0, i64::MAX, Fail::NotPositive)?;
    let timeout = timeout(args.bulk()?)?;
    if cx.data.st.is_replica() {
        return Err(Fail::Plain(
            "WAITAOF cannot be used with replica instances. Please also note that writes to \
             replicas are just local and are not propagated.",
        ));
    }
    if here && !cx.data.st.config.appendonly() {
        return Err(Fail::Plain(
            "WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    cx.wait_for_files(here, replicas, timeout);
    Ok(())
}

/// A timeout in milliseconds; none for 0.
fn timeout(text: &[u8]) -> Result<Option<Duration>, Fail> {
    let timeout = resp::parse_int(text).ok_or(Fail::TimeoutNotInteger)?;
    let timeout = u64::try_from(timeout).map_err(|_| Fail::TimeoutNegative)?;
    Ok((timeout > 0).then(|| Duration::from_millis(timeout)))
}

fn replconf(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (now, conn) = (cx.data.st.now, cx.data.conn);
    let words: Vec<_> = args.rest().collect();
    match cx.data.st.repl.replconf(now, conn, &words) {
        Replconf::Ok => cx.out.ok(),
        Replconf::Text(text) => cx.out.simple(&text),
        Replconf::Silent => {}
        Replconf::Error(text) => return Err(Fail::whole(&*text)),
    }
    Ok(())
}

fn sync(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    admit(cx, None)
}

fn psync(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let words: Vec<_> = args.rest().collect();
    let psync = Psync::parse(&words).ok_or(Fail::Syntax)?;
    admit(cx, Some(psync))
}

fn admit(cx: &mut Cx<'_>, psync: Option<Psync<'_>>) -> Result<(), Fail> {
    let (now, conn) = (cx.data.st.now, cx.data.conn);
    let Some(remote) = cx.data.st.addresses(conn).0 else {
        return Err(Fail::Plain("Command is not valid on this connection"));
    };
    let pending_output = !cx.out.out().is_empty();
    let request = Sync {
        conn,
        remote: &remote,
        pending_output,
        psync,
    };
    let mut admission = cx.data.st.repl.sync(now, request);
    if admission == Admission::TakeOver {
        cx.become_master();
        let psync = psync.map(|psync| Psync {
            failover: false,
            ..psync
        });
        admission = cx.data.st.repl.sync(now, Sync { psync, ..request });
    }
    match admission {
        Admission::Accepted => {
            cx.client().flags.set(ClientFlags::REPLICA, true);
            // It hears nothing but the stream from here on.
            let conn = cx.data.conn;
            cx.data.st.pubsub.forget(conn);
            Ok(())
        }
        Admission::Ignored => Ok(()),
        Admission::Refused(text) => Err(Fail::whole(&*text)),
        Admission::TakeOver => Err(Fail::Plain("PSYNC FAILOVER could not be carried out")),
    }
}
