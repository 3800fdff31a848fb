//! One row per command: name, arity and what COMMAND tells of it.

use super::{
    Handler, acl, client, config, connection, debug, info, meta, monitor, pubsub, sentinel, set,
    simulate,
};

/// A command or subcommand.
#[derive(Debug)]
pub(in super::super) struct Row {
    /// The full name, `container|subcommand` for a subcommand.
    pub(in super::super) name: &'static str,
    /// Number of words; negative is the least.
    pub(in super::super) arity: i32,
    pub(in super::super) flags: &'static [&'static str],
    pub(in super::super) acl: &'static [&'static str],
    pub(in super::super) since: &'static str,
    pub(in super::super) group: &'static str,
    pub(in super::super) summary: &'static str,
    pub(in super::super) run: Run,
}

/// What a command does.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Run {
    /// This.
    Handler(Handler),
    /// What its subcommand does.
    Container(&'static [Row]),
}

/// What a command line names.
pub(in super::super) enum Found {
    /// A command with a fitting number of words.
    Row(&'static Row, Handler),
    /// No command.
    Unknown,
    /// No subcommand of this command.
    UnknownSubcommand(&'static Row),
    /// A command that takes another number of words.
    WrongArity(&'static Row),
}

/// Finds what to run.
pub(in super::super) fn find(args: crate::resp::ArgvRef<'_>) -> Found {
    let Some(row) = COMMANDS.iter().find(|row| row.is_named(args.get(0))) else {
        return Found::Unknown;
    };
    let (row, handler) = match (row.run, args.try_get(1)) {
        (Run::Handler(handler), _) => (row, Some(handler)),
        (Run::Container(_), None) => (row, row.bare()),
        (Run::Container(rows), Some(word)) => match rows.iter().find(|row| row.is_named(word)) {
            Some(sub) => match sub.run {
                Run::Handler(handler) => (sub, Some(handler)),
                Run::Container(_) => unreachable!("containers are one level deep"),
            },
            None => return Found::UnknownSubcommand(row),
        },
    };
    match handler {
        Some(handler) if row.takes(args.len()) => Found::Row(row, handler),
        Some(_) | None => Found::WrongArity(row),
    }
}

impl Row {
    /// The last part of its name.
    pub(in super::super) fn word(&self) -> &'static str {
        self.name
            .rsplit('|')
            .next()
            .expect("a split has a last part")
    }

    /// Its subcommands.
    pub(in super::super) fn subcommands(&self) -> &'static [Self] {
        match self.run {
            Run::Handler(_) => &[],
            Run::Container(rows) => rows,
        }
    }

    fn is_named(&self, word: &[u8]) -> bool {
        word.eq_ignore_ascii_case(self.word().as_bytes())
    }

    fn takes(&self, words: usize) -> bool {
        let wanted = usize::try_from(self.arity.unsigned_abs()).expect("a small number");
        if self.arity < 0 {
            words >= wanted
        } else {
            words == wanted
        }
    }

    /// What a container does without a subcommand.
    fn bare(&self) -> Option<Handler> {
        (self.name == "command").then_some(meta::command)
    }
}

const ADMIN: &[&str] = &["admin", "noscript", "loading", "stale"];
const ADMIN_ACL: &[&str] = &["@admin", "@slow", "@dangerous"];
const ADMIN_CLIENT_ACL: &[&str] = &["@admin", "@slow", "@dangerous", "@connection"];
const CLIENT: &[&str] = &["noscript", "loading", "stale"];
const FAST_CONNECTION: &[&str] = &[
    "noscript",
    "loading",
    "stale",
    "fast",
    "no_auth",
    "allow_busy",
];
const LOADING: &[&str] = &["loading", "stale"];
const PUBSUB: &[&str] = &["pubsub", "noscript", "loading", "stale"];
const PUBSUB_ACL: &[&str] = &["@pubsub", "@slow"];
const SENTINEL: &[&str] = &["admin", "only_sentinel"];
const SLOW_CONNECTION: &[&str] = &["@slow", "@connection"];

/// A row of a handler; the other columns are those of the family.
macro_rules! row {
    ($name:literal, $arity:literal, $run:expr, $flags:expr, $acl:expr, $since:literal,
     $group:literal, $summary:literal) => {
        Row {
            name: $name,
            arity: $arity,
            flags: $flags,
            acl: $acl,
            since: $since,
            group: $group,
            summary: $summary,
            run: $run,
        }
    };
    ($name:literal, $arity:literal, $run:path, $since:literal, $summary:literal) => {
        row!(
            $name,
            $arity,
            Run::Handler($run),
            SENTINEL,
            ADMIN_ACL,
            $since,
            "sentinel",
            $summary
        )
    };
}

/// Every command there is.
pub(in super::super) static COMMANDS: &[Row] = &[
    row! { "acl", -2, Run::Container(ACL_ROWS), &[], &["@slow"], "6.0.0", "server",
    "A container for commands about users." },
    row! { "auth", -2, Run::Handler(connection::auth), FAST_CONNECTION,
    &["@fast", "@connection"], "1.0.0", "connection", "Authenticates the connection." },
    row! { "client", -2, Run::Container(CLIENT_ROWS), &[], &["@slow"], "2.4.0", "connection",
    "A container for client connection commands." },
    row! { "command", -1, Run::Container(COMMAND_ROWS), LOADING, SLOW_CONNECTION, "2.8.13",
    "server", "Describes the commands." },
    row! { "hello", -1, Run::Handler(connection::hello), FAST_CONNECTION,
    &["@fast", "@connection"], "6.0.0", "connection",
    "Negotiates the protocol of the connection." },
    row! { "info", -1, Run::Handler(info::info), LOADING, &["@slow", "@dangerous"], "1.0.0",
    "server", "Tells about the process and what it watches." },
    row! { "ping", -1, Run::Handler(connection::ping), &["fast"], &["@fast", "@connection"],
    "1.0.0", "connection", "Answers, so that the client knows somebody is there." },
    row! { "psubscribe", -2, Run::Handler(pubsub::psubscribe), PUBSUB, PUBSUB_ACL, "2.0.0",
    "pubsub", "Listens to all channels that match a pattern." },
    row! { "publish", 3, Run::Handler(pubsub::publish), &["pubsub", "loading", "stale", "fast"],
    &["@pubsub", "@fast"], "2.0.0", "pubsub", "Takes a hello from another Sentinel." },
    row! { "punsubscribe", -1, Run::Handler(pubsub::punsubscribe), PUBSUB, PUBSUB_ACL, "2.0.0",
    "pubsub", "Stops listening to channels that match a pattern." },
    row! { "role", 1, Run::Handler(info::role), &["noscript", "loading", "stale", "fast"],
    &["@admin", "@fast", "@dangerous"], "2.8.12", "server",
    "Tells the role and the masters monitored." },
    row! { "sentinel", -2, Run::Container(SENTINEL_ROWS), SENTINEL, ADMIN_ACL, "2.8.4",
    "sentinel", "A container for Sentinel commands." },
    row! { "shutdown", -1, Run::Handler(connection::shutdown),
    &["admin", "noscript", "loading", "stale", "no_multi", "allow_busy" ], ADMIN_ACL,
    "1.0.0", "server", "Ends the process." },
    row! { "subscribe", -2, Run::Handler(pubsub::subscribe), PUBSUB, PUBSUB_ACL, "2.0.0",
    "pubsub", "Listens to channels." },
    row! { "unsubscribe", -1, Run::Handler(pubsub::unsubscribe), PUBSUB, PUBSUB_ACL, "2.0.0",
    "pubsub", "Stops listening to channels." },
];

static ACL_ROWS: &[Row] = &[
    row! { "acl|cat", -2, Run::Handler(acl::cat), CLIENT, &["@slow"], "6.0.0",
    "server", "Lists the categories of commands, or the commands of one." },
    row! { "acl|deluser", -3, Run::Handler(acl::deluser), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Removes users." },
    row! { "acl|dryrun", -4, Run::Handler(acl::dryrun), ADMIN, ADMIN_ACL, "7.0.0",
    "server", "Tells whether a user may run a command." },
    row! { "acl|genpass", -2, Run::Handler(acl::genpass), CLIENT, &["@slow"], "6.0.0",
    "server", "Makes up a password." },
    row! { "acl|getuser", 3, Run::Handler(acl::getuser), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Describes a user." },
    row! { "acl|help", 2, Run::Handler(acl::help), LOADING, &["@slow"], "6.0.0",
    "server", "Explains the subcommands." },
    row! { "acl|list", 2, Run::Handler(acl::list), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Lists the users." },
    row! { "acl|load", 2, Run::Handler(acl::load), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Reads the users from their file." },
    row! { "acl|log", -2, Run::Handler(acl::log), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Shows what was denied to users." },
    row! { "acl|save", 2, Run::Handler(acl::save), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Writes the users to their file." },
    row! { "acl|setuser", -3, Run::Handler(acl::setuser), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Makes or changes a user." },
    row! { "acl|users", 2, Run::Handler(acl::users), ADMIN, ADMIN_ACL, "6.0.0",
    "server", "Lists the names of the users." },
    row! { "acl|whoami", 2, Run::Handler(acl::whoami), CLIENT, &["@slow"], "6.0.0",
    "server", "Tells which user the connection is." },
];

static CLIENT_ROWS: &[Row] = &[
    row! { "client|getname", 2, Run::Handler(client::getname), CLIENT, SLOW_CONNECTION, "2.6.9",
    "connection", "Tells the name of the connection." },
    row! { "client|getredir", 2, Run::Handler(client::getredir), CLIENT, SLOW_CONNECTION, "6.0.0",
    "connection", "Tells to which client tracking is redirected." },
    row! { "client|help", 2, Run::Handler(client::help), LOADING, SLOW_CONNECTION, "5.0.0",
    "connection", "Explains the subcommands." },
    row! { "client|id", 2, Run::Handler(client::id), CLIENT, SLOW_CONNECTION, "5.0.0",
    "connection", "Tells the id of the connection." },
    row! { "client|info", 2, Run::Handler(client::info), CLIENT, SLOW_CONNECTION, "6.2.0",
    "connection", "Describes the connection." },
    row! { "client|kill", -3, Run::Handler(client::kill), ADMIN, ADMIN_CLIENT_ACL, "2.4.0",
    "connection", "Closes connections." },
    row! { "client|list", -2, Run::Handler(client::list), ADMIN, ADMIN_CLIENT_ACL, "2.4.0",
    "connection", "Lists connections." },
    row! { "client|no-evict", 3, Run::Handler(client::no_evict), ADMIN, ADMIN_CLIENT_ACL,
    "7.0.0", "connection", "Protects the connection from eviction." },
    row! { "client|no-touch", 3, Run::Handler(client::no_touch), CLIENT, SLOW_CONNECTION,
    "7.2.0", "connection", "Keeps the connection's reads from counting as uses." },
    row! { "client|reply", 3, Run::Handler(client::reply), CLIENT, SLOW_CONNECTION, "3.2.0",
    "connection", "Turns replies off and on." },
    row! { "client|setinfo", 4, Run::Handler(client::setinfo), CLIENT, SLOW_CONNECTION, "7.2.0",
    "connection", "Describes the client's library." },
    row! { "client|setname", 3, Run::Handler(client::setname), CLIENT, SLOW_CONNECTION, "2.6.9",
    "connection", "Names the connection." },
    row! { "client|unblock", -3, Run::Handler(client::unblock), ADMIN, ADMIN_CLIENT_ACL, "5.0.0",
    "connection", "Sets a blocked client free." },
];

static COMMAND_ROWS: &[Row] = &[
    row! { "command|count", 2, Run::Handler(meta::count), LOADING, SLOW_CONNECTION, "2.8.13",
    "server", "Counts the commands." },
    row! { "command|docs", -2, Run::Handler(meta::docs), LOADING, SLOW_CONNECTION, "7.0.0",
    "server", "Documents commands." },
    row! { "command|getkeys", -3, Run::Handler(meta::getkeys), LOADING, SLOW_CONNECTION,
    "2.8.13", "server", "Finds the keys in a command line." },
    row! { "command|getkeysandflags", -3, Run::Handler(meta::getkeys), LOADING, SLOW_CONNECTION,
    "7.0.0", "server", "Finds the keys in a command line, and how they are used." },
    row! { "command|help", 2, Run::Handler(meta::help), LOADING, SLOW_CONNECTION, "5.0.0",
    "server", "Explains the subcommands." },
    row! { "command|info", -2, Run::Handler(meta::info), LOADING, SLOW_CONNECTION, "2.8.13",
    "server", "Describes some commands." },
    row! { "command|list", -2, Run::Handler(meta::list), LOADING, SLOW_CONNECTION, "7.0.0",
    "server", "Lists the commands." },
];

static SENTINEL_ROWS: &[Row] = &[
    row! { "sentinel|ckquorum", 3, sentinel::ckquorum, "2.8.4",
    "Tells whether a failover could be agreed on." },
    row! { "sentinel|config", -3, config::config, "6.2.0",
    "Reads and changes settings that concern all masters." },
    row! { "sentinel|debug", -2, debug::debug, "7.0.0",
    "Shows and changes periods and time limits." },
    row! { "sentinel|failover", 3, monitor::failover, "2.8.4", "Fails a master over that is up." },
    row! { "sentinel|failovers", 3, sentinel::failovers, "7.2.0",
    "Tells what became of the latest failovers." },
    row! { "sentinel|flushconfig", 2, monitor::flushconfig, "2.8.4",
    "Writes the configuration file." },
    row! { "sentinel|forget-replica", 5, monitor::forget_replica, "7.2.0",
    "Forgets a replica of a master." },
    row! { "sentinel|forget-sentinel", 4, monitor::forget_sentinel, "7.2.0",
    "Forgets another Sentinel of a master." },
    row! { "sentinel|get-master-addr-by-name", 3, sentinel::master_addr, "2.8.4",
    "Tells the address of a master." },
    row! { "sentinel|help", 2, sentinel::help, "6.2.0", "Explains the subcommands." },
    row! { "sentinel|info-cache", -3, sentinel::info_cache, "3.2.0",
    "Shows the INFO last received." },
    row! { "sentinel|is-master-down-by-addr", 6, sentinel::is_master_down, "2.8.4",
    "Answers another Sentinel, and votes." },
    row! { "sentinel|master", 3, sentinel::master, "2.8.4", "Shows a master." },
    row! { "sentinel|masters", 2, sentinel::masters, "2.8.4", "Shows all masters." },
    row! { "sentinel|monitor", 6, monitor::monitor, "2.8.4", "Starts to monitor a master." },
    row! { "sentinel|myid", 2, sentinel::myid, "6.2.0", "Tells the id of this Sentinel." },
    row! { "sentinel|pending-scripts", 2, sentinel::pending_scripts, "2.8.4",
    "Shows the scripts queued and running." },
    row! { "sentinel|remove", 3, monitor::remove, "2.8.4", "Stops monitoring a master." },
    row! { "sentinel|replicas", 3, sentinel::replicas, "5.0.0",
    "Shows the replicas of a master." },
    row! { "sentinel|reset", 3, monitor::reset, "2.8.4", "Forgets what belongs to a master." },
    row! { "sentinel|sentinels", 3, sentinel::sentinels, "2.8.4",
    "Shows the other Sentinels of a master." },
    row! { "sentinel|set", -5, set::set, "2.8.4", "Changes the settings of a master." },
    row! { "sentinel|simulate-failure", -3, simulate::simulate_failure, "3.2.0",
    "Has this Sentinel crash when it matters." },
    row! { "sentinel|slaves", 3, sentinel::replicas, "2.8.0", "Shows the replicas of a master." },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgv;

    fn found(words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        match find(OwnedArgv::from_slices(&words).as_ref()) {
            Found::Row(row, _) => row.name.to_owned(),
            Found::Unknown => "unknown".to_owned(),
            Found::UnknownSubcommand(row) => format!("unknown of {}", row.name),
            Found::WrongArity(row) => format!("arity of {}", row.name),
        }
    }

    #[test]
    fn commands_and_subcommands_are_found_in_any_case() {
        assert_eq!(found(&["PiNg"]), "ping");
        assert_eq!(found(&["SENTINEL", "MASTERS"]), "sentinel|masters");
        assert_eq!(found(&["command"]), "command");
        assert_eq!(found(&["sentinel"]), "arity of sentinel");
        assert_eq!(found(&["sentinel", "set", "m"]), "arity of sentinel|set");
        assert_eq!(found(&["sentinel", "nope"]), "unknown of sentinel");
        assert_eq!(found(&["get", "a"]), "unknown");
    }

    #[test]
    fn names_are_unique_and_lower_case() {
        let rows = COMMANDS
            .iter()
            .flat_map(|row| core::iter::once(row).chain(row.subcommands()));
        let mut names: Vec<_> = rows.map(|row| row.name).collect();
        assert!(names.iter().all(|name| *name == name.to_lowercase()));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
