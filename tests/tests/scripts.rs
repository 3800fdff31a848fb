//! The scripts a Sentinel runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use holdfast_tests::{Flavour, Group, MASTER, PATIENCE, Shape, wait_until};

/// A script that appends its arguments to `out`, one line per run, and ends as `end` says.
fn script(dir: &Path, name: &str, end: &str) -> (PathBuf, PathBuf) {
    let (path, out) = (dir.join(name), dir.join(format!("{name}.out")));
    let text = format!("#!/bin/sh\necho \"$#: $*\" >> {}\n{end}\n", out.display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (path, out)
}

fn lines(out: &Path) -> Vec<String> {
    fs::read_to_string(out)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_failover_runs_both_scripts_with_their_arguments() {
    let dir = tempfile::tempdir().unwrap();
    let (notify, notified) = script(dir.path(), "notify", "exit 0");
    let (reconfig, reconfigured) = script(dir.path(), "reconfig", "exit 0");
    let config = format!(
        "sentinel notification-script {MASTER} {}\nsentinel client-reconfig-script {MASTER} {}\n",
        notify.display(),
        reconfig.display()
    );
    let mut shape = Shape::of(Flavour::Holdfast);
    shape.sentinel_config = &config;
    let mut group = Group::start(&shape);
    let failover = group.kill_master();
    let moved = |role: &str| {
        let (old, new) = (failover.old, failover.new);
        format!("7: {MASTER} {role} start 127.0.0.1 {old} 127.0.0.1 {new}")
    };
    wait_until(PATIENCE, "one leader and two observers are told", || {
        let lines = lines(&reconfigured);
        let told = |role: &str| lines.iter().filter(|line| **line == moved(role)).count();
        (told("leader") == 1 && told("observer") == 2).then_some(())
    });
    assert_eq!(lines(&reconfigured).len(), 3);
    wait_until(PATIENCE, "the events are told", || {
        let lines = lines(&notified);
        let (old, new) = (failover.old, failover.new);
        let down = format!("2: +sdown master {MASTER} 127.0.0.1 {old}");
        let switch = format!("2: +switch-master {MASTER} 127.0.0.1 {old} 127.0.0.1 {new}");
        let has = |wanted: &str| lines.iter().any(|line| line == wanted);
        (has(&down) && has(&switch)).then_some(())
    });
}

/// Redis's first retry comes after 30 seconds; so does ours.
#[test]
fn a_script_that_ends_with_status_1_is_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("failed-once");
    let end = format!("test -e {0} && exit 0\ntouch {0}\nexit 1", mark.display());
    let (again, ran) = script(dir.path(), "again", &end);
    let (never, ran_once) = script(dir.path(), "never", "exit 2");
    let config = format!(
        "sentinel notification-script {MASTER} {}\nsentinel client-reconfig-script {MASTER} {}\n",
        never.display(),
        again.display()
    );
    let mut shape = Shape::of(Flavour::Holdfast);
    shape.servers = &[Flavour::Holdfast; 2];
    shape.sentinels = &[Flavour::Holdfast; 1];
    shape.quorum = 1;
    shape.sentinel_config = &config;
    let mut group = Group::start(&shape);
    let failover = group.kill_master();
    wait_until(PATIENCE, "the script is run", || {
        (lines(&ran).len() == 1).then_some(())
    });
    let first = Instant::now();
    wait_until(2 * PATIENCE, "it is run again", || {
        (lines(&ran).len() == 2).then_some(())
    });
    assert!(
        first.elapsed() > Duration::from_secs(25),
        "{:?}",
        first.elapsed()
    );
    let told = lines(&ran);
    assert_eq!(told[0], told[1]);
    let (old, new) = (failover.old, failover.new);
    let wanted = format!("7: {MASTER} leader start 127.0.0.1 {old} 127.0.0.1 {new}");
    assert_eq!(told[0], wanted);
    // Another status than 1 says not to try again: every event was told once.
    let mut events = lines(&ran_once);
    let all = events.len();
    events.sort_unstable();
    events.dedup();
    assert_eq!(events.len(), all);
    group.sentinels[0].wait_for_log("-script-error");
}
