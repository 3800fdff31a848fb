//! What ends before anything runs: versions, help, errors of configuration.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn holdfast(dir: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    ended(
        command
            .args(args)
            .current_dir(dir)
            .output()
            .expect("the program can be run"),
    )
}

fn ended(output: Output) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Starts with a configuration file that must stop the start; what is told on standard error.
fn refused(program: &str, config: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    fs::write(dir.path().join("test.conf"), config).expect("a temporary file can be written");
    let ended = holdfast(dir.path(), &[program, "test.conf"]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert_eq!(ended.out, "");
    ended.err
}

#[test]
fn the_version_is_told_in_the_form_of_redis() {
    for args in [
        &["--version"][..],
        &["-v"],
        &["server", "--version"],
        &["sentinel", "-v"],
    ] {
        let ended = holdfast(Path::new("/"), args);
        assert_eq!(ended.code, Some(0));
        let wanted = "Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-";
        assert!(ended.out.starts_with(wanted), "{}", ended.out);
        assert!(ended.out.contains(" bits=64 build="), "{}", ended.out);
        assert_eq!(ended.err, "");
    }
}

#[test]
fn help_is_an_answer_and_no_arguments_are_an_error() {
    let help = holdfast(Path::new("/"), &["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("holdfast server"), "{}", help.out);
    assert!(help.out.contains("holdfast local"), "{}", help.out);
    let none = holdfast(Path::new("/"), &[]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("holdfast server"), "{}", none.err);
    let local = holdfast(Path::new("/"), &["local", "--help"]);
    assert_eq!(local.code, Some(0));
    for option in [
        "--port",
        "--sentinel-port",
        "--replicas",
        "--sentinels",
        "--dir",
        "--down-after",
    ] {
        assert!(local.out.contains(option), "{}", local.out);
    }
    // With Redis's programs, help is told on standard error, with status 1.
    let server = holdfast(Path::new("/"), &["server", "--help"]);
    assert_eq!(server.code, Some(1));
    assert!(server.err.contains("Usage:"), "{}", server.err);
}

#[test]
fn programs_that_are_not_there_say_so() {
    let ended = holdfast(Path::new("/"), &["cli", "x"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("holdfast cli: not in this release"));
}

#[test]
fn check_aof_takes_its_options_in_front_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("x"),
        "#TS:5\r\n*1\r\n$4\r\nPING\r\n#TS:9\r\n*",
    )
    .unwrap();
    let usage = holdfast(dir.path(), &["check-aof"]);
    assert_eq!(usage.code, Some(1));
    assert!(
        usage.out.starts_with("Usage: redis-check-aof"),
        "{}",
        usage.out
    );
    let bad = holdfast(
        dir.path(),
        &["check-aof", "--truncate-to-timestamp", "x", "x"],
    );
    assert_eq!(bad.code, Some(1));
    assert_eq!(bad.out, "Invalid timestamp, aborting...\n");
    assert_eq!(holdfast(dir.path(), &["check-aof", "x"]).code, Some(1));
    let cut = holdfast(
        dir.path(),
        &["check-aof", "--truncate-to-timestamp", "6", "x"],
    );
    assert_eq!(cut.code, Some(0));
    assert!(
        cut.out
            .ends_with("Successfully truncated AOF x to timestamp 6\n"),
        "{}",
        cut.out
    );
    assert_eq!(holdfast(dir.path(), &["check-aof", "x"]).code, Some(0));
    assert_eq!(fs::read(dir.path().join("x")).unwrap().len(), 21);
}

#[test]
fn an_error_names_its_file_its_line_and_its_reason() {
    let start = "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n\
                 Reading the configuration file, at line 2\n";
    for (line, reason) in [
        (
            "no-such-directive 3",
            "Bad directive or wrong number of arguments",
        ),
        ("port abc", "argument couldn't be parsed into an integer"),
        (
            "loglevel loud",
            "argument(s) must be one of the following: ",
        ),
        ("maxmemory 3 mb", "wrong number of arguments"),
        ("logfile \"a", "Unbalanced quotes in configuration line"),
        ("dir /nonexistent", "No such file or directory"),
        (
            "logfile /nonexistent/log",
            "Can't open the log file: No such file or directory",
        ),
        ("tls-port 7000", "TLS comes in a later release"),
        ("loadmodule x.so", "loadable modules are not supported"),
        (
            "include /nonexistent.conf",
            "can't open config file '/nonexistent.conf'",
        ),
    ] {
        let error = refused("server", &format!("# comment\n{line}\n"));
        let wanted = format!("{start}>>> '{line}'\n");
        assert!(error.starts_with(&wanted), "{error}");
        assert!(error.contains(reason), "{error}");
        assert!(error.ends_with("(line 2 of test.conf)\n"), "{error}");
    }
}

#[test]
fn options_of_the_command_line_are_read_like_a_file() {
    let error = |args: &[&str]| {
        let ended = holdfast(Path::new("/"), &[&["server"], args].concat());
        assert_eq!(ended.code, Some(1), "{}", ended.out);
        ended.err
    };
    let none = error(&["--port"]);
    assert!(
        none.contains("'port'") && none.contains("wrong number of arguments"),
        "{none}"
    );
    let level = error(&["--loglevel", "--bla"]);
    assert!(level.contains("'loglevel \"--bla\"'"), "{level}");
    let master = error(&["--replicaof", "127.0.0.1", "abc"]);
    assert!(
        master.contains("'replicaof \"127.0.0.1\" \"abc\"'"),
        "{master}"
    );
    assert!(master.contains("Invalid master port"), "{master}");
}

#[test]
fn a_file_that_is_not_there_is_told_in_the_log() {
    let ended = holdfast(Path::new("/"), &["server", "/nonexistent.conf"]);
    assert_eq!(ended.code, Some(1));
    let wanted = "# Fatal error, can't open config file '/nonexistent.conf': No such file";
    assert!(ended.out.contains(wanted), "{}", ended.out);
}

#[test]
fn a_sentinel_needs_a_file_it_can_write() {
    let none = holdfast(Path::new("/"), &["sentinel"]);
    assert_eq!(none.code, Some(1));
    assert!(
        none.out.contains("Sentinel needs config file on disk"),
        "{}",
        none.out
    );
    let error = refused(
        "sentinel",
        "port 26379\nsentinel monitor m 127.0.0.1 6379 0\n",
    );
    assert!(error.contains("Quorum must be 1 or greater."), "{error}");
    let script =
        "sentinel monitor m 127.0.0.1 6379 1\nsentinel notification-script m /etc/passwd\n";
    let error = refused("sentinel", script);
    assert!(
        error.contains("Notification script seems non existing or non executable."),
        "{error}"
    );
    let error = refused("server", "sentinel monitor m 127.0.0.1 6379 1\n");
    assert!(
        error.contains("sentinel directive while not in sentinel mode"),
        "{error}"
    );
}
