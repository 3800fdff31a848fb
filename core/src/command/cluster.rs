//! CLUSTER and its kin. There is no cluster: they tell so, in the words by which client libraries
//! notice that they talk to a single server.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    flags: F,
    tips: &'static [&'static str],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::NONE,
        keys: &[],
        tips,
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Cluster,
            complexity: "O(1)",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

const CHANGE: F = F::ADMIN.and(F::STALE).and(F::NO_ASYNC_LOADING);
const ADMIN_SHOW: F = F::ADMIN.and(F::STALE);
const ROUTING: F = F::LOADING.and(F::STALE).and(F::FAST);
const VARIES: &[&str] = &["nondeterministic_output"];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    Spec {
        acl: Acl::CONNECTION,
        ..row(
            "asking",
            disabled,
            Arity::Exactly(1),
            F::FAST,
            &[],
            (
                "Lets the next command use a slot that is being imported.",
                "3.0.0",
                "",
            ),
        )
    },
    Spec {
        subcommands: SUBCOMMANDS,
        ..row(
            "cluster",
            help::container,
            Arity::AtLeast(2),
            F::NONE,
            &[],
            ("Commands about the cluster.", "3.0.0", ""),
        )
    },
    Spec {
        acl: Acl::CONNECTION,
        ..row(
            "readonly",
            disabled,
            Arity::Exactly(1),
            ROUTING,
            &[],
            ("Lets the connection read from a replica.", "3.0.0", ""),
        )
    },
    Spec {
        acl: Acl::CONNECTION,
        ..row(
            "readwrite",
            disabled,
            Arity::Exactly(1),
            ROUTING,
            &[],
            ("Ends READONLY.", "3.0.0", ""),
        )
    },
];

const SUBCOMMANDS: &[Spec] = &[
    row(
        "addslots",
        disabled,
        Arity::AtLeast(3),
        CHANGE,
        &[],
        ("Assigns slots to the node.", "3.0.0", "slot [slot ...]"),
    ),
    row(
        "addslotsrange",
        disabled,
        Arity::AtLeast(4),
        CHANGE,
        &[],
        (
            "Assigns ranges of slots to the node.",
            "7.0.0",
            "start-slot end-slot [start-slot end-slot ...]",
        ),
    ),
    row(
        "bumpepoch",
        disabled,
        Arity::Exactly(2),
        CHANGE,
        VARIES,
        ("Advances the epoch of the configuration.", "3.0.0", ""),
    ),
    row(
        "count-failure-reports",
        disabled,
        Arity::Exactly(3),
        ADMIN_SHOW,
        VARIES,
        (
            "Counts the nodes that report another as failing.",
            "3.0.0",
            "node-id",
        ),
    ),
    row(
        "countkeysinslot",
        disabled,
        Arity::Exactly(3),
        F::STALE,
        &[],
        ("Counts the keys of a slot.", "3.0.0", "slot"),
    ),
    row(
        "delslots",
        disabled,
        Arity::AtLeast(3),
        CHANGE,
        &[],
        ("Takes slots from the node.", "3.0.0", "slot [slot ...]"),
    ),
    row(
        "delslotsrange",
        disabled,
        Arity::AtLeast(4),
        CHANGE,
        &[],
        (
            "Takes ranges of slots from the node.",
            "7.0.0",
            "start-slot end-slot [start-slot end-slot ...]",
        ),
    ),
    row(
        "failover",
        disabled,
        Arity::AtLeast(2),
        CHANGE,
        &[],
        (
            "Lets a replica take the place of its master.",
            "3.0.0",
            "[FORCE | TAKEOVER]",
        ),
    ),
    row(
        "flushslots",
        disabled,
        Arity::Exactly(2),
        CHANGE,
        &[],
        ("Takes every slot from the node.", "3.0.0", ""),
    ),
    row(
        "forget",
        disabled,
        Arity::Exactly(3),
        CHANGE,
        &[],
        ("Removes another node.", "3.0.0", "node-id"),
    ),
    row(
        "getkeysinslot",
        disabled,
        Arity::Exactly(4),
        F::STALE,
        VARIES,
        ("Lists keys of a slot.", "3.0.0", "slot count"),
    ),
    row(
        "help",
        cluster_help,
        Arity::Exactly(2),
        F::LOADING.and(F::STALE),
        &[],
        ("Lists the subcommands.", "5.0.0", ""),
    ),
    row(
        "info",
        disabled,
        Arity::Exactly(2),
        F::STALE,
        VARIES,
        ("Reports the state of the cluster.", "3.0.0", ""),
    ),
    row(
        "keyslot",
        disabled,
        Arity::Exactly(3),
        F::STALE,
        &[],
        ("Computes the slot of a key.", "3.0.0", "key"),
    ),
    row(
        "links",
        disabled,
        Arity::Exactly(2),
        F::STALE,
        VARIES,
        ("Lists the links to other nodes.", "7.0.0", ""),
    ),
    row(
        "meet",
        disabled,
        Arity::AtLeast(4),
        CHANGE,
        &[],
        ("Joins another node.", "3.0.0", "ip port [cluster-bus-port]"),
    ),
    row(
        "myid",
        disabled,
        Arity::Exactly(2),
        F::STALE,
        &[],
        ("Returns the id of the node.", "3.0.0", ""),
    ),
    row(
        "nodes",
        disabled,
        Arity::Exactly(2),
        F::STALE,
        VARIES,
        ("Describes every node.", "3.0.0", ""),
    ),
    row(
        "replicas",
        disabled,
        Arity::Exactly(3),
        ADMIN_SHOW,
        VARIES,
        ("Lists the replicas of a node.", "5.0.0", "node-id"),
    ),
    row(
        "replicate",
        disabled,
        Arity::Exactly(3),
        CHANGE,
        &[],
        ("Makes the node a replica of another.", "3.0.0", "node-id"),
    ),
    row(
        "reset",
        disabled,
        Arity::AtLeast(2),
        F::ADMIN.and(F::NOSCRIPT).and(F::STALE),
        &[],
        ("Forgets the cluster.", "3.0.0", "[HARD | SOFT]"),
    ),
    row(
        "saveconfig",
        disabled,
        Arity::Exactly(2),
        CHANGE,
        &[],
        ("Writes the configuration of the node.", "3.0.0", ""),
    ),
    row(
        "set-config-epoch",
        disabled,
        Arity::Exactly(3),
        CHANGE,
        &[],
        ("Sets the epoch of a new node.", "3.0.0", "config-epoch"),
    ),
    row(
        "setslot",
        disabled,
        Arity::AtLeast(4),
        CHANGE,
        &[],
        (
            "Assigns a slot, or moves it.",
            "3.0.0",
            "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
        ),
    ),
    row(
        "shards",
        disabled,
        Arity::Exactly(2),
        F::STALE,
        VARIES,
        ("Describes every shard.", "7.0.0", ""),
    ),
    row(
        "slaves",
        disabled,
        Arity::Exactly(3),
        ADMIN_SHOW,
        VARIES,
        (
            "Lists the replicas of a node; the old name of CLUSTER REPLICAS.",
            "3.0.0",
            "node-id",
        ),
    ),
    row(
        "slots",
        disabled,
        Arity::Exactly(2),
        F::STALE,
        VARIES,
        ("Lists which nodes have which slots.", "3.0.0", ""),
    ),
];

fn disabled(_: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    Err(Fail::Plain("This instance has cluster support disabled"))
}

fn cluster_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "CLUSTER", SUBCOMMANDS);
    Ok(())
}
