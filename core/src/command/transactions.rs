//! MULTI, EXEC and WATCH.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, KeyFlags, KeySpec, Spec};
use super::table::Found;
use crate::acl::Denied;
use crate::resp::ArgvRef;
use crate::server::client::{ClientFlags, Queued};
use crate::server::exec;
use crate::server::watch::Watched;

const CONTROL: F = F::NOSCRIPT
    .and(F::LOADING)
    .and(F::STALE)
    .and(F::FAST)
    .and(F::ALLOW_BUSY)
    .and(F::IMMEDIATE);

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: super::spec::Handler,
    arity: Arity,
    flags: F,
    keys: &'static [KeySpec],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::TRANSACTION,
        keys,
        tips: &[],
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Transactions,
            complexity: "O(N) in the number of queued commands or watched keys",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "discard",
        discard,
        Arity::Exactly(1),
        CONTROL,
        &[],
        ("Gives the transaction up.", "2.0.0", ""),
    ),
    row(
        "exec",
        exec_,
        Arity::Exactly(1),
        F::NOSCRIPT
            .and(F::LOADING)
            .and(F::STALE)
            .and(F::SKIP_SLOWLOG)
            .and(F::IMMEDIATE)
            .and(F::EXECUTES_QUEUE),
        &[],
        ("Executes the commands of the transaction.", "1.2.0", ""),
    ),
    row(
        "multi",
        multi,
        Arity::Exactly(1),
        CONTROL,
        &[],
        (
            "Starts a transaction: commands are queued until EXEC.",
            "1.2.0",
            "",
        ),
    ),
    row(
        "unwatch",
        unwatch,
        Arity::Exactly(1),
        F::NOSCRIPT
            .and(F::LOADING)
            .and(F::STALE)
            .and(F::FAST)
            .and(F::ALLOW_BUSY),
        &[],
        ("Ends every WATCH of the connection.", "2.2.0", ""),
    ),
    row(
        "watch",
        watch,
        Arity::AtLeast(2),
        CONTROL,
        &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        (
            "Makes the next EXEC fail if one of the keys changes before it.",
            "2.2.0",
            "key [key ...]",
        ),
    ),
];

fn multi(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    if cx.client().flags.has(ClientFlags::MULTI) {
        return Err(Fail::NestedMulti);
    }
    cx.client().flags.set(ClientFlags::MULTI, true);
    cx.out.ok();
    Ok(())
}

fn discard(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    if !cx.client().flags.has(ClientFlags::MULTI) {
        return Err(Fail::DiscardWithoutMulti);
    }
    let conn = cx.data.conn;
    cx.data.st.discard(conn);
    cx.out.ok();
    Ok(())
}

fn exec_(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let conn = cx.data.conn;
    if !cx.client().flags.has(ClientFlags::MULTI) {
        return Err(Fail::ExecWithoutMulti);
    }
    if cx.data.watched_expired() {
        cx.client().flags.set(ClientFlags::DIRTY_CAS, true);
    }
    let flags = cx.client().flags;
    if flags.has_any(ClientFlags::DIRTY_CAS.and(ClientFlags::DIRTY_EXEC)) {
        cx.data.st.discard(conn);
        if flags.has(ClientFlags::DIRTY_EXEC) {
            return Err(Fail::ExecAbort);
        }
        cx.out.null_array();
        return Ok(());
    }
    let queue = core::mem::take(&mut cx.client().rare_mut().queue);
    // Before the commands run: a client kept watching would be told of its own writes.
    cx.data.st.discard(conn);
    // The queued commands go to replicas, EXEC itself does not: their unit is wrapped as one.
    cx.replace();
    cx.client().flags.set(ClientFlags::EXECUTING, true);
    cx.client().rare_mut().executing = queue.len();
    cx.out.array(queue.len());
    run_queue(cx, queue.into_iter());
    Ok(())
}

/// Runs what was queued, or is left of it, up to a script that goes on in the next turn.
pub fn run_queue(cx: &mut Cx<'_>, mut queue: std::vec::IntoIter<Queued>) {
    while let Some(queued) = queue.next() {
        let spec = cx.data.st.table.command(queued.id).spec;
        let found = Found {
            id: queued.id,
            spec,
            names: queued.names,
        };
        let argv = queued.argv.as_ref();
        match still_permitted(cx, &found, argv) {
            Ok(()) => exec::call(cx, &found, argv),
            Err(fail) => cx.fail(&fail),
        }
        if cx.data.st.scripts.is_running() {
            return cx.data.st.scripts.run_behind(queue);
        }
    }
    cx.client().flags.set(ClientFlags::EXECUTING, false);
}

/// A command was permitted when it was queued; the user, or what it may do, may have changed
/// since.
fn still_permitted(cx: &mut Cx<'_>, found: &Found, argv: ArgvRef<'_>) -> Result<(), Fail> {
    let conn = cx.data.conn;
    let client = cx.client();
    if !client.flags.has(ClientFlags::RESTRICTED) {
        return Ok(());
    }
    let user = client.user;
    let st = &mut *cx.data.st;
    let Err(denied) = st.check(user, found, argv) else {
        return Ok(());
    };
    st.log_denial(conn, denied, found, argv);
    let reason = match denied {
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => {
            "no permission to access one of the channels used as arguments to the command"
        }
    };
    let text = format!(
        "ACLs rules changed between the moment the transaction was accumulated and the EXEC call. \
         This command is no longer allowed for the following reason: {reason}"
    );
    Err(Fail::NoPerm(denied, text.into_bytes().into()))
}

fn watch(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if cx.client().flags.has(ClientFlags::MULTI) {
        return Err(Fail::WatchInMulti);
    }
    // One that is bound to fail need not watch more.
    if !cx.client().flags.has(ClientFlags::DIRTY_CAS) {
        let (conn, db) = (cx.data.conn, cx.data.db);
        for key in args.rest() {
            let was_expired = cx.data.has_expired(db, key);
            let watched = Watched {
                db,
                key: key.into(),
                was_expired,
            };
            cx.data.st.watch.add(conn, watched);
        }
        cx.client().flags.set(ClientFlags::WATCHING, true);
    }
    cx.out.ok();
    Ok(())
}

fn unwatch(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let conn = cx.data.conn;
    cx.data.st.unwatch(conn);
    cx.out.ok();
    Ok(())
}
