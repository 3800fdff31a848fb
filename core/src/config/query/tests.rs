use super::super::{Config, SetError, Value};
use super::*;

const OPEN: SetRules = SetRules {
    protected_allowed: true,
    loading: false,
};

fn get(config: &Config, patterns: &[&str]) -> Vec<(String, String)> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|p| p.as_bytes()).collect();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let found = config.get(&patterns).into_iter();
    found
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn shown(config: &Config, name: &str) -> String {
    let found = get(config, &[name]);
    assert_eq!(found.len(), 1, "{name}");
    found[0].1.clone()
}

fn set(config: &mut Config, words: &[&str]) -> Result<Changes, String> {
    set_under(config, words, OPEN)
}

fn set_under(config: &mut Config, words: &[&str], rules: SetRules) -> Result<Changes, String> {
    let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let pairs: Vec<(&[u8], &[u8])> = bytes.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    config.set(&pairs, rules).map_err(|error| error.to_string())
}

/// What a `redis-server` 7.0.15 without a file answers to CONFIG GET *, but for `dir`.
const DEFAULTS_7_0: &str = include_str!("defaults_7_0.txt");
/// What 7.2 shows beyond it.
const NEW_IN_7_2: [(&str, &str); 4] = [
    ("locale-collate", ""),
    ("set-max-listpack-entries", "128"),
    ("set-max-listpack-value", "64"),
    ("cluster-announce-human-nodename", ""),
];

/// What Redis does not have.
const OWN: [(&str, &str); 1] = [("replica-keep-data-timeout", "180")];

#[test]
fn every_parameter_and_default_of_redis_is_shown_and_no_other() {
    let config = Config::default();
    let mut expected: Vec<(String, String)> = DEFAULTS_7_0
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .chain(NEW_IN_7_2)
        .chain(OWN)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    expected.sort();
    let mut found = get(&config, &["*"]);
    found.retain(|(name, _)| name != "dir");
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn both_names_are_shown_when_both_match_and_each_name_once() {
    let config = Config::default();
    let names = |patterns: &[&str]| -> Vec<String> {
        get(&config, patterns)
            .into_iter()
            .map(|pair| pair.0)
            .collect()
    };
    assert_eq!(names(&["slave-read-only"]), ["slave-read-only"]);
    assert_eq!(
        names(&["*-read-only"]),
        ["replica-read-only", "slave-read-only"]
    );
    assert_eq!(names(&["timeout", "TIMEOUT", "timeou*"]), ["timeout"]);
    assert_eq!(names(&["TIMEOUT"]), ["TIMEOUT"]);
    assert_eq!(names(&["time[o]ut"]), ["timeout"]);
    assert!(names(&["nosuch", "user", "rename-command", "sentinel"]).is_empty());
}

#[test]
fn hidden_parameters_are_shown_only_by_their_full_name() {
    let config = Config::default();
    assert_eq!(shown(&config, "key-load-delay"), "0");
    assert!(get(&config, &["key-load-dela?"]).is_empty());
    assert!(
        !get(&config, &["*"])
            .iter()
            .any(|pair| pair.0 == "watchdog-period")
    );
}

#[test]
fn values_are_shown_in_the_form_of_redis() {
    let cases: &[(&str, &str, &str)] = &[
        ("maxmemory", "1gb", "1073741824"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "10mb", "10485760"),
        ("save", "900 1 300 10", "900 1 300 10"),
        ("save", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "KEl", "lKE"),
        ("notify-keyspace-events", "mn", "nm"),
        ("notify-keyspace-events", "KEAmn", "AKEm"),
        ("notify-keyspace-events", "KEg$lshzxetd", "AKE"),
        ("notify-keyspace-events", "Ex", "xE"),
        (
            "latency-tracking-info-percentiles",
            "0.0 50.0 100.0",
            "0 50 100",
        ),
        (
            "latency-tracking-info-percentiles",
            "12.3456789012 .5",
            "12.345679 0.5",
        ),
        ("latency-tracking-info-percentiles", "99.9999999999", "100"),
        ("latency-tracking-info-percentiles", "", ""),
        ("oom-score-adj-values", "-2000 0 2000", "-2000 0 2000"),
        ("oom-score-adj", "relative", "yes"),
        ("shutdown-on-sigint", "now save", "save now"),
        ("shutdown-on-sigint", "default", "default"),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("appendfsync", "ALWAYS", "always"),
        ("rdbcompression", "No", "no"),
        (
            "client-output-buffer-limit",
            "replica 1k 1k 0",
            "normal 0 0 0 slave 1000 1000 0 pubsub 33554432 8388608 60",
        ),
    ];
    for (name, value, expected) in cases {
        let mut config = Config::default();
        set(&mut config, &[name, value]).unwrap();
        assert_eq!(shown(&config, name), *expected, "{name} {value}");
    }
}

#[test]
fn a_failing_pair_leaves_every_parameter_as_it_was() {
    let mut config = Config::default();
    let before = config.clone();
    for words in [
        ["timeout", "5", "port", "x"],
        ["timeout", "5", "databases", "4"],
        ["timeout", "5", "nosuch", "1"],
        ["timeout", "5", "timeouT", "6"],
    ] {
        set(&mut config, &words).unwrap_err();
        assert_eq!(config, before);
    }
}

const ERRORS: &[(&[&str], &str)] = &[
    (
        &["nosuch", "1"],
        "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
    ),
    (
        &["TIMEOUT", "7", "databases", "1", "nosuch", "8"],
        "'databases') - can't set immutable config",
    ),
    (
        &["user", "x"],
        "ERR Unknown option or number of arguments for CONFIG SET - 'user'",
    ),
    (
        &["databases", "4"],
        "'databases') - can't set immutable config",
    ),
    (
        &["timeout", "5", "timeouT", "6"],
        "'timeouT') - duplicate parameter",
    ),
    (
        &["port", "zz"],
        "'port') - argument couldn't be parsed into an integer",
    ),
    (
        &["port", "80000"],
        "'port') - argument must be between 0 and 65535 inclusive",
    ),
    (
        &["port", "05"],
        "'port') - argument couldn't be parsed into an integer",
    ),
    (&["save", "1"], "'save') - Invalid save parameters"),
    (
        &["appendonly", "maybe"],
        "'appendonly') - argument must be 'yes' or 'no'",
    ),
    (
        &["repl-backlog-size", "-1"],
        "'repl-backlog-size') - argument must be a memory value",
    ),
    (
        &["repl-backlog-size", "0"],
        "'repl-backlog-size') - argument must be between 1 and 9223372036854775807 inclusive",
    ),
    (
        &["maxmemory-clients", "101%"],
        "'maxmemory-clients') - percentage argument must be less or equal to 100",
    ),
    (
        &["maxmemory-clients", "5 %"],
        "'maxmemory-clients') - argument must be a memory or percent value",
    ),
    (
        &["client-output-buffer-limit", "normal"],
        "'client-output-buffer-limit') - \
         Wrong number of arguments in buffer limit configuration.",
    ),
    (
        &["oom-score-adj-values", "1"],
        "'oom-score-adj-values') - wrong number of arguments",
    ),
    (
        &["notify-keyspace-events", "Q"],
        "'notify-keyspace-events') - \
         Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    ),
    (
        &["loglevel", "x"],
        "'loglevel') - argument(s) must be one of the following: \
         debug, verbose, notice, warning, nothing",
    ),
    (
        &["shutdown-on-sigint", "save nosave"],
        "'shutdown-on-sigint') - \
         shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
    (
        &["shutdown-on-sigint", ""],
        "'shutdown-on-sigint') - argument(s) must be one of the following: \
         default, save, nosave, now, force",
    ),
    (
        &["latency-tracking-info-percentiles", "10.0 101.0"],
        "'latency-tracking-info-percentiles') - \
         latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    (
        &["latency-tracking-info-percentiles", "10.0 a"],
        "'latency-tracking-info-percentiles') - \
         Invalid latency-tracking-info-percentiles parameters",
    ),
    (
        &["proc-title-template", "{invalid-var}"],
        "'proc-title-template') - template format is invalid or contains unknown variables",
    ),
];

#[test]
fn errors_are_those_of_redis() {
    let failed = "ERR CONFIG SET failed (possibly related to argument";
    for (words, expected) in ERRORS {
        let error = set(&mut Config::default(), words).unwrap_err();
        let expected = match expected.strip_prefix('\'') {
            Some(rest) => format!("{failed} '{rest}"),
            None => (*expected).to_owned(),
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn protected_and_loading_rules_are_kept() {
    let mut config = Config::default();
    let closed = SetRules {
        protected_allowed: false,
        loading: false,
    };
    let error = set_under(&mut config, &["dbfilename", "x"], closed).unwrap_err();
    assert_eq!(
        error,
        "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - \
         can't set protected config"
    );
    set(&mut config, &["dbfilename", "x"]).unwrap();

    let loading = SetRules {
        protected_allowed: true,
        loading: true,
    };
    let error = set_under(&mut config, &["repl-diskless-load", "swapdb"], loading).unwrap_err();
    assert_eq!(error, "LOADING Redis is loading the dataset in memory");
    set_under(&mut config, &["timeout", "1"], loading).unwrap();
}

#[test]
fn only_what_is_another_value_counts_as_changed_and_can_be_undone() {
    let mut config = Config::default();
    let before = config.clone();
    let words = ["timeout", "0", "maxclients", "5", "slave-priority", "7"];
    let changes = set(&mut config, &words).unwrap();
    let names: Vec<&str> = changes.iter().map(Change::name).collect();
    assert_eq!(names, ["maxclients", "replica-priority"]);
    assert!(changes.has("maxclients") && !changes.has("timeout"));
    assert_eq!(
        changes.iter().next().map(Change::old),
        Some(&Value::Int(10_000))
    );
    config.undo(changes);
    assert_eq!(config, before);
}

#[test]
fn two_names_of_one_row_in_one_command_undo_to_the_first_value() {
    let mut config = Config::default();
    let before = config.clone();
    let words = [
        "hash-max-listpack-entries",
        "5",
        "hash-max-ziplist-entries",
        "6",
    ];
    let changes = set(&mut config, &words).unwrap();
    assert_eq!(config.hash_max_listpack_entries(), 6);
    config.undo(changes);
    assert_eq!(config, before);
}

#[test]
fn a_parameter_takes_the_text_it_shows() {
    let mut config = Config::default();
    for (name, value) in get(&config, &["*"]) {
        let result = config.set(&[(name.as_bytes(), value.as_bytes())], OPEN);
        match result {
            Ok(changes) => assert!(changes.is_empty(), "{name}"),
            Err(SetError::Failed(_, fault)) => {
                assert_eq!(fault.to_string(), "can't set immutable config", "{name}");
            }
            Err(SetError::Unknown(_) | SetError::Loading) => panic!("{name} is not known"),
        }
    }
}

#[test]
fn the_immutable_parameters_are_those_of_redis() {
    let immutable: Vec<&str> = ROWS
        .iter()
        .filter(|row| row.rules.has(Rules::IMMUTABLE) && !row.rules.has(Rules::HIDDEN))
        .flat_map(|row| [Some(row.name), row.alias])
        .flatten()
        .collect();
    let mut immutable = immutable;
    immutable.sort_unstable();
    let expected = "aclfile always-show-logo aof_rewrite_cpulist appenddirname appendfilename \
         bgsave_cpulist bio_cpulist cluster-config-file cluster-enabled cluster-port daemonize \
         databases disable-thp enable-debug-command enable-module-command \
         enable-protected-configs io-threads io-threads-do-reads logfile pidfile rdbchecksum \
         replicaof server_cpulist set-proc-title slaveof socket-mark-id supervised \
         syslog-enabled syslog-facility syslog-ident tcp-backlog unixsocket unixsocketperm";
    assert_eq!(immutable, expected.split_whitespace().collect::<Vec<_>>());
}
