//! Commands: one row per command, its handler below it, in the file of its family.

pub mod args;
pub mod blocking;
pub mod cx;
pub mod fail;
pub mod gates;
pub mod harvest;
pub mod help;
pub mod introspection;
pub mod keys;
pub mod spec;
pub mod table;

pub mod acl;
pub mod admin;
pub mod bits;
pub mod client;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod debug;
pub mod expiry;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod memory;
pub mod migration;
pub mod pubsub;
pub mod range;
pub mod replication;
pub mod scan;
pub mod scripting;
pub mod set;
pub mod sort;
pub mod stream;
pub mod string;
pub mod transactions;
pub mod zset;

use spec::Spec;

/// Every command of a server, family by family.
pub static FAMILIES: &[&[Spec]] = &[
    acl::COMMANDS,
    admin::COMMANDS,
    bits::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    introspection::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    expiry::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    geo::searching::COMMANDS,
    hash::COMMANDS,
    hash::counting::COMMANDS,
    hash::picking::COMMANDS,
    hash::reading::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    list::elements::COMMANDS,
    list::moving::COMMANDS,
    list::popping::COMMANDS,
    memory::COMMANDS,
    migration::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    scripting::COMMANDS,
    set::COMMANDS,
    set::combining::COMMANDS,
    set::picking::COMMANDS,
    sort::COMMANDS,
    stream::COMMANDS,
    stream::claiming::COMMANDS,
    stream::groups::COMMANDS,
    stream::info::COMMANDS,
    stream::reading::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
    zset::COMMANDS,
    zset::combining::COMMANDS,
    zset::picking::COMMANDS,
    zset::popping::COMMANDS,
    zset::ranges::COMMANDS,
    zset::removing::COMMANDS,
];

/// Commands of Redis that a server may not have, by full names. Rules may name them all the same,
/// so that users can be taken over from Redis.
pub static ABSENT: &[&str] = &[
    "client|caching",
    "client|getredir",
    "client|tracking",
    "client|trackinginfo",
    "cluster|myshardid",
    "fcall",
    "fcall_ro",
    "function",
    "function|delete",
    "function|dump",
    "function|flush",
    "function|help",
    "function|kill",
    "function|list",
    "function|load",
    "function|restore",
    "function|stats",
    "latency",
    "latency|doctor",
    "latency|graph",
    "latency|help",
    "latency|histogram",
    "latency|history",
    "latency|latest",
    "latency|reset",
    "lolwut",
    "migrate",
    "module|load",
    "module|loadex",
    "module|unload",
    "monitor",
    "restore-asking",
    "slowlog",
    "slowlog|get",
    "slowlog|help",
    "slowlog|len",
    "slowlog|reset",
];

#[cfg(test)]
mod tests;
