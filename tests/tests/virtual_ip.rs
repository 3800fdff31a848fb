//! The virtual IP on a real network of three hosts, made of network namespaces. Without the right
//! to make them, these tests are skipped.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use holdfast_tests::lab::{DOWN_AFTER, LIFETIME, Lab, can_have_one};
use holdfast_tests::{PATIENCE, Process, executable, say, wait_until};

const V4: &str = "10.77.0.100";
const V6: &str = "fd77::100";
/// On a machine that does something else as well.
const SLACK: Duration = Duration::from_millis(1_500);
/// For how long two hosts may have the address while one hands it to the other.
const HANDOVER: Duration = Duration::from_millis(500);

/// The host that has the address, other than the one that is gone.
fn heir(lab: &Lab, gone: usize) -> usize {
    wait_until(PATIENCE, "another host has the address", || {
        lab.holders().into_iter().find(|&host| host != gone)
    })
}

#[test]
fn the_address_moves_when_the_host_of_the_master_dies_and_the_client_goes_on() {
    if !can_have_one("the virtual IP") {
        return;
    }
    for address in [V4, V6] {
        let mut lab = Lab::start(address);
        let killed = Instant::now();
        lab.kill_host(0);
        let took = lab.write_until_taken(killed);
        say(&format!(
            "{address} takes writes {} ms later",
            took.as_millis()
        ));
        assert!(took < DOWN_AFTER + SLACK, "{took:?}");
        assert!(lab.reads_back());
        let new = heir(&lab, 0);
        lab.wait_for_holder(new);

        // The address is not on the old host when that is back, and stays where it is.
        lab.mend(0);
        lab.start_server(0);
        lab.start_sentinel(0);
        wait_until(PATIENCE, "the old master is a replica", || {
            let info = lab.server_says(0, &["INFO", "replication"])?;
            info.contains("master_link_status:up").then_some(())
        });
        lab.wait_for_holder(new);
        assert!(lab.reads_back());
        assert_eq!(lab.longest_overlap(), Duration::ZERO);
    }
}

#[test]
fn a_host_that_is_cut_off_gives_the_address_up_and_never_takes_it_again() {
    if !can_have_one("the virtual IP in a partition") {
        return;
    }
    let mut lab = Lab::start(V4);
    let cut = Instant::now();
    lab.cut_off(0);
    let took = lab.write_until_taken(cut);
    say(&format!(
        "writes are taken {} ms after the cut",
        took.as_millis()
    ));
    assert!(took < DOWN_AFTER + SLACK, "{took:?}");
    let new = heir(&lab, 0);
    wait_until(PATIENCE, "the old host has given the address up", || {
        (!lab.holders().contains(&0)).then_some(())
    });
    let released = cut.elapsed();
    assert!(released < DOWN_AFTER + SLACK, "{released:?}");
    lab.mend(0);
    wait_until(PATIENCE, "the old master is a replica", || {
        let info = lab.server_says(0, &["INFO", "replication"])?;
        info.contains("master_link_status:up").then_some(())
    });
    assert_eq!(lab.holders(), [new]);
    assert!(lab.reads_back());
    assert_eq!(lab.longest_overlap(), Duration::ZERO);
}

#[test]
fn an_operator_moves_it_and_a_shutdown_removes_it() {
    if !can_have_one("the virtual IP in a planned failover") {
        return;
    }
    let mut lab = Lab::start(V4);
    wait_until(PATIENCE, "the sentinel shows the address", || {
        let fields = lab.sentinel_says(0, &["SENTINEL", "MASTER", "mymaster"])?;
        let shown = "virtual-ip 10.77.0.100/24 eth0 virtual-ip-state held";
        fields.contains(shown).then_some(())
    });
    let started = Instant::now();
    let reply = lab.sentinel_says(1, &["SENTINEL", "FAILOVER", "mymaster"]);
    assert_eq!(reply.as_deref(), Some("OK"));
    let new = heir(&lab, 0);
    lab.wait_for_holder(new);
    lab.write_until_taken(started);
    let overlap = lab.longest_overlap();
    assert!(overlap < HANDOVER, "{overlap:?}");

    lab.sentinel(new).signal(libc::SIGTERM);
    assert!(lab.sentinel(new).wait().success());
    assert_eq!(lab.holders(), []);
    lab.start_sentinel(new);
    lab.wait_for_holder(new);
    assert!(lab.reads_back());
}

#[test]
fn the_system_drops_the_address_of_a_sentinel_that_was_killed() {
    if !can_have_one("the virtual IP without a Sentinel") {
        return;
    }
    let mut lab = Lab::start(V4);
    let killed = Instant::now();
    lab.kill_processes(0);
    let took = lab.write_until_taken(killed);
    say(&format!(
        "writes are taken {} ms after the kill",
        took.as_millis()
    ));
    lab.wait_for_holder(heir(&lab, 0));
    let gone = killed.elapsed();
    assert!(gone < LIFETIME + SLACK, "{gone:?}");
    assert!(lab.longest_overlap() < LIFETIME);
}

#[test]
fn it_takes_two_capabilities_and_nothing_else() {
    if !can_have_one("the rights for a virtual IP") {
        return;
    }
    let lab = Lab::bare(V4);
    // Everybody may read and run what is here.
    let here = lab.dir().join("here");
    fs::create_dir(&here).expect("a directory can be made");
    for dir in [lab.dir(), here.as_path()] {
        fs::set_permissions(dir, Permissions::from_mode(0o777)).expect("it can be opened to all");
    }
    let (program, conf) = (here.join("holdfast"), here.join("sentinel.conf"));
    fs::copy(executable(), &program).expect("the program can be copied");
    let text = "port 26379\nprotected-mode no\ndir .\nsentinel monitor mymaster 10.77.0.1 6379 1\n\
                sentinel virtual-ip mymaster 10.77.0.100/24 eth0\n";
    fs::write(&conf, text).expect("a file can be written");
    fs::set_permissions(&conf, Permissions::from_mode(0o666)).expect("it can be opened to all");
    let run = |rights: &str| {
        let (program, conf, dir) = (program.display(), conf.display(), here.display());
        format!(
            "cd {dir} && exec setpriv --reuid 65534 --regid 65534 --clear-groups {rights} {program} \
             sentinel {conf}"
        )
    };
    let output = lab.shell(0, &run("--bounding-set=-all")).output();
    let output = output.expect("a shell can be run");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    for part in [
        ">>> 'sentinel virtual-ip mymaster 10.77.0.100/24 eth0'",
        "this process lacks CAP_NET_ADMIN and CAP_NET_RAW",
        &format!("(line 5 of {})", conf.display()),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let mut server = lab.shell(0, "exec holdfast server --protected-mode no --save ''");
    let _server = Process::start(server.stdout(Stdio::null()));
    let two = "+net_admin,+net_raw";
    let rights = format!("--bounding-set=-all,{two} --inh-caps=-all,{two} --ambient-caps={two}");
    let mut sentinel = lab.shell(0, &run(&rights));
    let _sentinel = Process::start(sentinel.stdout(Stdio::null()));
    lab.wait_for_holder(0);
    wait_until(PATIENCE, "the sentinel says so", || {
        let fields = lab.sentinel_says(0, &["SENTINEL", "MASTER", "mymaster"])?;
        fields.contains("virtual-ip-state held").then_some(())
    });
}
