use super::*;

fn parse_words(name: &str, words: &[&str]) -> Invocation {
    let args: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    parse(name, &args)
}

fn run(words: &[&str]) -> Run {
    match parse_words("/usr/bin/redis-server", words) {
        Invocation::Run(run) => run,
        other @ (Invocation::Version | Invocation::Print { .. } | Invocation::Tool { .. }) => {
            panic!("{words:?} runs no server: {other:?}")
        }
    }
}

fn options(words: &[&str]) -> String {
    String::from_utf8(run(words).options).unwrap()
}

/// The lines a redis-server 7.0.15 echoes in its errors for these arguments.
#[test]
fn options_become_the_lines_redis_makes_of_them() {
    let cases: &[(&[&str], &str)] = &[
        (&["--port"], "port"),
        (&["--port", "--bla"], "port \"--bla\""),
        (&["--port", "--", "--loglevel"], "port \"--\"\nloglevel"),
        (
            &["--replicaof", "127.0.0.1", "abc"],
            "replicaof \"127.0.0.1\" \"abc\"",
        ),
        (&["--port 17009 17010"], "port 17009 17010"),
        (&["--port 1", "--bla"], "port 1\nbla"),
        (&["--save"], "save \"\""),
        (&["--save", ""], "save \"\""),
        (&["--save", "--bogus", "x"], "save \"\"\nbogus \"x\""),
        (
            &["--save", "100", "100", "--bogus"],
            "save \"100\" \"100\"\nbogus",
        ),
        (&["--save 100 100", "--bogus"], "save 100 100\nbogus"),
        (&["--bogus", "--sentinel"], "bogus \"--sentinel\""),
        (&["--sentinel", "--bogus"], "sentinel\nbogus"),
        (&["--port=5"], "port=5"),
        (&["-x"], "\"-x\""),
        (&["--port", ""], "port \"\""),
        (
            &["--requirepass", "--x", "--bogus"],
            "requirepass \"--x\"\nbogus",
        ),
        (&["--requirepass", "--x", "y"], "requirepass \"--x\" \"y\""),
        (
            &["--shutdown-on-sigint", "nosave", "force", "now", "--bogus"],
            "shutdown-on-sigint \"nosave\" \"force\" \"now\"\nbogus",
        ),
        (
            &["--shutdown-on-sigint", "nosave force now"],
            "shutdown-on-sigint \"nosave force now\"",
        ),
        (&["--port", "1", "--port", "2"], "port \"1\"\nport \"2\""),
        (
            &["--user", "default", "--user", "default"],
            "user \"default\"\nuser \"default\"",
        ),
    ];
    for (words, lines) in cases {
        assert_eq!(options(words), *lines, "{words:?}");
    }
}

#[test]
fn a_first_argument_without_dash_is_the_file() {
    let with_file = run(&["ok.conf", "--port", "1"]);
    assert_eq!(with_file.file.as_deref(), Some("ok.conf"));
    assert_eq!(with_file.options, b"port \"1\"");
    assert_eq!(run(&["port", "99999"]).file.as_deref(), Some("port"));
    assert_eq!(run(&["ok.conf", "port", "4"]).options, b"\"port\" \"4\"");
    assert_eq!(run(&["ok.conf", "bogus"]).options, b"\"bogus\"");
    assert_eq!(run(&["ok.conf", "--"]).options, b"");
    assert_eq!(
        run(&["ok.conf", "--", "port", "4"]).options,
        b"\"port\" \"4\""
    );
    assert!(run(&[]).is_bare());
    assert!(!with_file.is_bare());
}

#[test]
fn a_last_dash_is_standard_input() {
    assert!(run(&["-"]).stdin);
    let both = run(&["ok.conf", "--port", "17008", "-"]);
    assert!(both.stdin);
    assert_eq!(both.options, b"port \"17008\"");
    let sources = both.sources(Some(b"a".to_vec()), Some(b"b".to_vec()));
    let names: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
    assert_eq!(names, ["ok.conf", "standard input", "the command line"]);
}

#[test]
fn a_sentinel_is_named_or_asked_for_anywhere() {
    assert!(run(&["s.conf", "--sentinel"]).sentinel);
    assert!(run(&["s.conf", "--port", "1", "--sentinel"]).sentinel);
    assert!(!run(&["s.conf"]).sentinel);
    for (name, words) in [
        ("redis-sentinel", ["s.conf"].as_slice()),
        ("/x/holdfast-sentinel", &["s.conf"]),
        ("/x/valkey-sentinel", &["s.conf"]),
        ("valkey-server", &["s.conf", "--sentinel"]),
        ("holdfast", &["sentinel", "s.conf"]),
        ("holdfast", &["server", "s.conf", "--sentinel"]),
    ] {
        match parse_words(name, words) {
            Invocation::Run(run) => {
                assert!(run.sentinel, "{name}");
                assert_eq!(run.file.as_deref(), Some("s.conf"));
            }
            other @ (Invocation::Version | Invocation::Print { .. } | Invocation::Tool { .. }) => {
                panic!("{name} runs no Sentinel: {other:?}")
            }
        }
    }
}

#[test]
fn each_tool_is_reached_by_its_name_and_its_word() {
    for (name, words, expected) in [
        ("redis-cli", ["-p", "1"].as_slice(), Tool::Cli),
        ("./redis-check-rdb", &["-p", "1"], Tool::CheckRdb),
        ("redis-check-aof", &["-p", "1"], Tool::CheckAof),
        ("valkey-cli", &["-p", "1"], Tool::Cli),
        ("valkey-check-rdb", &["-p", "1"], Tool::CheckRdb),
        ("/x/valkey-check-aof", &["-p", "1"], Tool::CheckAof),
        ("holdfast-local", &["-p", "1"], Tool::Local),
        ("holdfast", &["cli", "-p", "1"], Tool::Cli),
        (
            "target/release/holdfast",
            &["local", "-p", "1"],
            Tool::Local,
        ),
    ] {
        let args = vec!["-p".to_owned(), "1".to_owned()];
        let tool = expected;
        assert_eq!(
            parse_words(name, words),
            Invocation::Tool { tool, args },
            "{name}"
        );
    }
}

#[test]
fn version_and_help_count_only_as_the_first_argument() {
    for name in ["redis-server", "redis-sentinel", "holdfast"] {
        assert_eq!(parse_words(name, &["-v"]), Invocation::Version);
        assert_eq!(parse_words(name, &["--version", "x"]), Invocation::Version);
    }
    assert_eq!(
        parse_words("holdfast", &["server", "-v"]),
        Invocation::Version
    );
    assert_eq!(options(&["--port", "1", "-v"]), "port \"1\" \"-v\"");
    let code_of = |name, words: &[&str]| match parse_words(name, words) {
        Invocation::Print { code, .. } => Some(code),
        Invocation::Run(_) | Invocation::Version | Invocation::Tool { .. } => None,
    };
    assert_eq!(code_of("redis-server", &["--help"]), Some(1));
    assert_eq!(code_of("redis-server", &["--check-system"]), Some(1));
    assert_eq!(code_of("redis-server", &["--test-memory", "1"]), Some(1));
    assert_eq!(code_of("holdfast", &["--help"]), Some(0));
    assert_eq!(code_of("holdfast", &["nosuch"]), Some(1));
    assert_eq!(code_of("holdfast", &[]), Some(1));
    assert_eq!(
        version_line("jemalloc-5.3.0", 0x0ae4_d7c9_71a9_48f0),
        "Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0"
    );
}
