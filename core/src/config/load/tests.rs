use super::*;
use proptest::prelude::*;

fn try_load(text: &str) -> Result<Config, ConfigError> {
    let mut none = |_: &str| Ok(Vec::new());
    Config::load(&[Source::new("redis.conf", text)], &mut none)
}

fn load(text: &str) -> Config {
    try_load(text).unwrap_or_else(|error| panic!("{error}"))
}

fn reason(text: &str) -> String {
    try_load(text).unwrap_err().fault.to_string()
}

fn shown(config: &Config, name: &str) -> String {
    String::from_utf8(config.show(name).unwrap()).unwrap()
}

/// Directives that Redis does not have.
const OWN: [&str; 1] = ["replica-keep-data-timeout"];
/// Every directive of 7.2 with a value that is not its default.
const ALL_7_2: &str = include_str!("all_7_2.conf");

#[test]
fn every_directive_of_7_2_is_read_from_a_file() {
    let config = load(ALL_7_2);
    let of_redis = |row: &crate::config::row::Row| !OWN.contains(&row.name);
    for (id, row) in table::ROWS.iter().enumerate() {
        assert!(
            !of_redis(row) || config.origins.contains_key(&id),
            "{} is not in the list",
            row.name
        );
        let changed = config.values[id] != row.default_value();
        assert!(
            !of_redis(row) || changed,
            "{} has its default in the list",
            row.name
        );
    }
}

#[test]
fn every_directive_of_7_2_survives_a_rewrite() {
    let config = load(ALL_7_2);
    let users: Vec<_> = config
        .users()
        .iter()
        .map(|user| user.args.join(&b' '))
        .collect();
    let text = super::super::rewrite(ALL_7_2.as_bytes(), &config, &users);
    let again = load(core::str::from_utf8(&text).unwrap());
    assert_eq!(again.values, config.values);
    assert_eq!(again.users().len(), config.users().len());
    assert_eq!(
        again.renamed_commands().len(),
        config.renamed_commands().len()
    );
}

#[test]
fn names_are_read_in_any_case_and_the_last_line_wins() {
    let config = load("PORT 1\nport 2\nslave-priority 1\nREPLICA-PRIORITY 5\n  # x\n\n");
    assert_eq!(config.port(), 2);
    assert_eq!(config.replica_priority(), 5);
    assert_eq!(config.origin("slave-priority").unwrap().line, 4);
}

#[test]
fn the_first_save_replaces_the_defaults_and_later_ones_add_up() {
    let points = |text: &str| shown(&load(text), "save");
    assert_eq!(points(""), "3600 1 300 100 60 10000");
    assert_eq!(points("save 900 1\nsave 300 10\n"), "900 1 300 10");
    assert_eq!(points("save 900 1\nsave \"\"\nsave 5 6\n"), "5 6");
    assert_eq!(points("save \"900 1\"\n"), "900 1");
    assert_eq!(points("save 1 2 3 4\n"), "1 2 3 4");
    assert_eq!(points("save\n"), "");

    let sources = [
        Source::new("redis.conf", "save 900 1\n"),
        Source::new("cli", "save 100 100"),
    ];
    let config = Config::load(&sources, &mut |_| Ok(Vec::new())).unwrap();
    assert_eq!(shown(&config, "save"), "900 1 100 100");
}

const REASONS: &[(&str, &str)] = &[
    ("bogus 1", "Bad directive or wrong number of arguments"),
    (
        "vm-enabled no",
        "Bad directive or wrong number of arguments",
    ),
    ("port", "wrong number of arguments"),
    ("tcp-keepalive 5 5", "wrong number of arguments"),
    (
        "port \"--bla\"",
        "argument couldn't be parsed into an integer",
    ),
    ("port \"abc", "Unbalanced quotes in configuration line"),
    ("port 'abc'x", "Unbalanced quotes in configuration line"),
    (
        "port 99999",
        "argument must be between 0 and 65535 inclusive",
    ),
    (
        "loglevel \"--bla\"",
        "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
    ),
    ("save 1", "Invalid save parameters"),
    ("save 0 1", "Invalid save parameters"),
    ("save 900 -1", "Invalid save parameters"),
    ("replicaof 127.0.0.1 abc", "Invalid master port"),
    ("replicaof a 65536", "Invalid master port"),
    ("replicaof 127.0.0.1", "wrong number of arguments"),
    (
        "unixsocketperm 778",
        "argument couldn't be parsed as an octal number",
    ),
    (
        "unixsocketperm 1000",
        "argument must be between 0 and 777 inclusive",
    ),
    (
        "unixsocketperm -7",
        "argument must be between 0 and 777 inclusive",
    ),
    ("maxmemory 1.5g", "argument must be a memory value"),
    (
        "client-query-buffer-limit 1",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    ),
    ("appendonly maybe", "argument must be 'yes' or 'no'"),
    (
        "dbfilename a/b",
        "dbfilename can't be a path, just a filename",
    ),
    ("appendfilename ''", "appendfilename can't be empty"),
    (
        "appenddirname a/b",
        "appenddirname can't be a path, just a dirname",
    ),
    ("dir ''", "No such file or directory"),
    (
        "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "Too many bind addresses specified.",
    ),
    (
        "oom-score-adj-values 1 2 a",
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ),
    (
        "client-output-buffer-limit foo 1 2 3",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit normal 1x 2 3",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    (
        "cluster-announce-hostname a_b",
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    ),
    (
        "sentinel monitor a 127.0.0.1 1 1",
        "sentinel directive while not in sentinel mode",
    ),
    (
        "user foo on\nuser foo on",
        "Error in user declaration 'foo': Duplicate user found. \
         A user can only be defined once in config files",
    ),
    ("user", "Bad directive or wrong number of arguments"),
    (
        "rename-command a",
        "Bad directive or wrong number of arguments",
    ),
    ("include", "Bad directive or wrong number of arguments"),
    (
        "list-max-ziplist-entries",
        "Bad directive or wrong number of arguments",
    ),
];

#[test]
fn reasons_are_those_of_redis() {
    for (text, expected) in REASONS {
        assert_eq!(reason(text), *expected, "{text}");
    }
}

#[test]
fn an_error_names_file_line_and_text() {
    let error = try_load("# one\n\n  port\tabc \n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n\
         Reading the configuration file, at line 3\n>>> 'port\tabc'\n\
         argument couldn't be parsed into an integer\n(line 3 of redis.conf)"
    );
    let config = load("dir /nowhere\n");
    let error = config
        .error_at("dir", "No such file or directory")
        .to_string();
    assert!(
        error.contains("line 1\n>>> 'dir /nowhere'\nNo such file or directory\n"),
        "{error}"
    );
}

#[test]
fn lines_without_a_row_are_kept_in_order() {
    let config = load(
        "rename-command FLUSHDB \"\"\nuser alice on >pw ~*\nloadmodule /x.so a b\n\
         rename-command a b\nlist-max-ziplist-entries 5\nlua-replicate-commands yes\n",
    );
    let renamed: Vec<_> = config
        .renamed_commands()
        .iter()
        .map(|line| &line.args)
        .collect();
    assert_eq!(
        renamed,
        [
            &vec![b"FLUSHDB".to_vec(), Vec::new()],
            &vec![vec![b'a'], vec![b'b']]
        ]
    );
    assert_eq!(config.users()[0].args.len(), 4);
    assert_eq!(config.modules()[0].args[0], b"/x.so");
    assert_eq!(config.renamed_commands()[1].origin.line, 4);
}

#[test]
fn includes_are_read_where_they_stand() {
    let mut files = |pattern: &str| match pattern {
        "a.conf" => Ok(vec![Source::new(
            "a.conf",
            "timeout 5\ninclude 'b*.conf'\n",
        )]),
        "b*.conf" => Ok(vec![
            Source::new("b1.conf", "port 7\n"),
            Source::new("b2.conf", "port 8\ntimeout x\n"),
        ]),
        "none*" => Ok(Vec::new()),
        missing => Err(format!("Fatal error, can't open config file '{missing}'")),
    };
    let load = |text: &str, files: &mut Include<'_>| {
        Config::load(&[Source::new("redis.conf", text)], files)
    };
    let error = load("port 1\ninclude a.conf\n", &mut files).unwrap_err();
    assert_eq!((&*error.origin.file, error.origin.line), ("b2.conf", 2));
    let config = load("include none*\nport 1\n", &mut files).unwrap();
    assert_eq!(config.port(), 1);
    let error = load("include gone.conf\n", &mut files).unwrap_err();
    assert_eq!(
        error.fault.to_string(),
        "Fatal error, can't open config file 'gone.conf'"
    );
}

#[test]
fn files_that_include_each_other_are_refused() {
    let mut itself = |_: &str| Ok(vec![Source::new("a.conf", "include a.conf\n")]);
    let error = Config::load(&[Source::new("a.conf", "include a.conf\n")], &mut itself);
    let reason = error.unwrap_err().fault.to_string();
    assert_eq!(reason, "files include each other too deeply");
}

#[test]
fn a_start_is_refused_where_a_promise_could_not_be_kept() {
    let refused = |text: &str| {
        load(text)
            .start_check()
            .err()
            .map(|refusal| refusal.directive)
    };
    assert_eq!(refused(""), None);
    assert_eq!(refused("cluster-enabled yes"), Some("cluster-enabled"));
    assert_eq!(refused("tls-port 6380"), Some("tls-port"));
    assert_eq!(refused("loadmodule x"), Some("loadmodule"));
    assert_eq!(refused("port 0"), Some("port"));
    assert_eq!(refused("port 0\nunixsocket /tmp/s"), None);
}

#[test]
fn accessors_give_the_types_of_the_code() {
    let config = load(
        "timeout 5\ntcp-keepalive 0\nsave 900 1\nreplicaof example 6380\nloglevel warning\n\
         maxmemory-policy allkeys-lfu\nunixsocketperm 700\nmaxmemory-clients 5%\nhz 9999\n",
    );
    assert_eq!(config.timeout(), Some(core::time::Duration::from_secs(5)));
    assert_eq!(config.tcp_keepalive(), None);
    assert_eq!(config.save_points().len(), 1);
    assert_eq!(config.replicaof(), Some(("example", 6380)));
    assert_eq!(config.loglevel(), super::super::LogLevel::Warning);
    assert_eq!(
        config.maxmemory_policy(),
        super::super::MaxmemoryPolicy::AllkeysLfu
    );
    assert_eq!(config.unixsocketperm(), Some(0o700));
    assert_eq!(
        config.maxmemory_clients(),
        super::super::ClientsMemory::PercentOfMaxmemory(5)
    );
    assert_eq!(config.hz(), 500);
    assert_eq!(config.bind().join(" "), "* -::*");
    assert_eq!(config.list_max_listpack_size(), -2);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut none = |_: &str| Ok(Vec::new());
        let _ = Config::load(&[Source::new("x", text)], &mut none);
    }

    #[test]
    fn any_arguments_of_any_directive_are_read_or_refused(
        row in 0..table::ROWS.len(),
        args in "[ -~]{0,20}",
    ) {
        let _ = try_load(&format!("{} {args}", table::ROWS[row].name));
    }
}
