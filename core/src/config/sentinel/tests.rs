use super::super::load::Source;
use super::*;
use proptest::prelude::*;

fn try_load(text: &[u8]) -> Result<SentinelConfig, String> {
    let mut none = |_: &str| Ok(Vec::new());
    let loaded = SentinelConfig::load(&[Source::new("sentinel.conf", text)], &mut none);
    let mut sentinel = loaded.map_err(|error| error.to_string())?;
    sentinel.config.set_dir("/tmp/rw");
    Ok(sentinel)
}

fn load(text: &str) -> SentinelConfig {
    try_load(text.as_bytes()).unwrap()
}

const ID: &str = "577aa68b903b45bb3c7aae4ba0b2e2c3c994eb9d";

fn users() -> Vec<Vec<u8>> {
    vec![b"default on nopass ~* &* +@all".to_vec()]
}

#[test]
fn the_defaults_are_those_of_a_sentinel() {
    let sentinel = load("sentinel monitor mymaster 127.0.0.1 6379 2\n");
    assert_eq!(sentinel.config.port(), 26_379);
    assert!(!sentinel.config.protected_mode());
    assert!(sentinel.deny_scripts_reconfig);
    let master = MasterConfig::new("mymaster", "127.0.0.1", 6379, 2);
    assert_eq!(sentinel.masters, [master]);
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let sentinel = load(
        "sentinel known-replica mm node-2 6380\nSENTINEL down-after-milliseconds mm 1000\n\
         sentinel monitor mm node-1 6379 2\nsentinel resolve-hostnames yes\nport 26380\n",
    );
    assert_eq!(sentinel.config.port(), 26_380);
    assert_eq!(sentinel.masters[0].down_after_ms, 1000);
    assert_eq!(
        sentinel.masters[0].known_replicas,
        [("node-2".to_owned(), 6380)]
    );
}

#[test]
fn every_option_is_read() {
    let sentinel = load(&format!(
        "sentinel monitor mm 127.0.0.1 6379 3\nsentinel parallel-syncs mm 4\n\
         sentinel failover-timeout mm 3000\nsentinel master-reboot-down-after-period mm 5\n\
         sentinel notification-script mm /bin/true\n\
         sentinel client-reconfig-script mm /bin/false\n\
         sentinel auth-pass mm \"p w\"\nsentinel auth-user mm u\n\
         sentinel config-epoch mm 18446744073709551615\nsentinel leader-epoch mm 7\n\
         sentinel known-slave mm 127.0.0.1 1\nsentinel known-sentinel mm 127.0.0.1 2\n\
         sentinel known-sentinel mm ::1 3 {ID}\nsentinel rename-command mm CONFIG c\n\
         sentinel current-epoch 8\nsentinel myid {ID}\nsentinel announce-ip 1.2.3.4\n\
         sentinel announce-port 7000\nsentinel sentinel-user su\nsentinel sentinel-pass sp\n\
         sentinel deny-scripts-reconfig no\nsentinel announce-hostnames yes\n"
    ));
    let master = &sentinel.masters[0];
    assert_eq!((master.quorum, master.parallel_syncs), (3, 4));
    assert_eq!(master.failover_timeout_ms, 3000);
    assert_eq!(master.master_reboot_down_after_ms, 5);
    assert_eq!(master.auth_pass.as_deref(), Some(b"p w".as_slice()));
    assert_eq!(master.auth_user.as_deref(), Some(b"u".as_slice()));
    assert_eq!((master.config_epoch, master.leader_epoch), (u64::MAX, 7));
    assert_eq!(master.known_replicas, [("127.0.0.1".to_owned(), 1)]);
    assert_eq!(
        master.known_sentinels,
        [("::1".to_owned(), 3, ID.to_owned())]
    );
    assert_eq!(
        master.renamed_commands,
        [("CONFIG".to_owned(), "c".to_owned())]
    );
    assert_eq!(sentinel.current_epoch, 8);
    assert_eq!(sentinel.myid.as_deref(), Some(ID));
    assert_eq!(sentinel.announce_ip.as_deref(), Some("1.2.3.4"));
    assert_eq!(sentinel.announce_port, 7000);
    assert_eq!(sentinel.sentinel_user.as_deref(), Some(b"su".as_slice()));
    assert!(!sentinel.deny_scripts_reconfig && sentinel.announce_hostnames);

    sentinel.check_scripts(|_| true).unwrap();
    let error = sentinel
        .check_scripts(|path| path == "/bin/true")
        .unwrap_err();
    assert_eq!(
        error.fault.to_string(),
        "Client reconfiguration script seems non existing or non executable."
    );
    assert_eq!(error.origin.line, 6);
}

#[test]
fn virtual_ips_differ_are_few_and_are_checked_where_they_stand() {
    let text = |count: usize, last: &str| {
        let mut text = String::new();
        for n in 0..count {
            text += &format!("sentinel monitor m{n} 127.0.0.1 {} 1\n", n + 1);
            text += &format!("sentinel virtual-ip m{n} 10.0.1.{n}/24 eth0\n");
        }
        text + "sentinel monitor last 127.0.0.1 7000 1\nsentinel virtual-ip last " + last + "\n"
    };
    let sentinel = load(&text(1, "10.0.0.1/24 eth1 keep"));
    let last = sentinel.masters[1].virtual_ip.clone().unwrap();
    assert_eq!(last.to_string(), "10.0.0.1/24 eth1 keep");
    sentinel.check_virtual_ips(|_| Ok(())).unwrap();
    let error = sentinel
        .check_virtual_ips(|ip| match &*ip.interface {
            "eth0" => Ok(()),
            other => Err(format!("no {other}")),
        })
        .unwrap_err();
    assert_eq!(
        (error.origin.line, error.fault.to_string()),
        (4, "no eth1".to_owned())
    );
    for (count, last, reason) in [
        (1, "10.0.1.0/32 eth1", "another master has this virtual IP."),
        (64, "10.0.0.1/24 eth0", "too many virtual IPs."),
        (
            1,
            "10.0.0.1/24",
            "Unrecognized sentinel configuration statement.",
        ),
        (1, "10.0.0.1 eth0", "virtual-ip takes <master-name>"),
    ] {
        let error = try_load(text(count, last).as_bytes()).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    load(&text(63, "10.0.0.1/24 eth0"));
}

const ERRORS: &[(&str, &str)] = &[
    ("monitor a 127.0.0.1 1 0", "Quorum must be 1 or greater."),
    ("monitor a 127.0.0.1 1 x", "Quorum must be 1 or greater."),
    ("monitor a 127.0.0.1 70000 1", "Invalid port number."),
    (
        "monitor a nohost.invalid 6379 1",
        "Can't resolve instance hostname.",
    ),
    (
        "monitor a 127.0.0.1 6379",
        "Unrecognized sentinel configuration statement.",
    ),
    ("monitor m1 127.0.0.2 1 1", "Duplicate master name."),
    (
        "down-after-milliseconds nom 5",
        "No such master with specified name.",
    ),
    (
        "down-after-milliseconds m1 0",
        "negative or zero time parameter.",
    ),
    ("failover-timeout m1 -5", "negative or zero time parameter."),
    (
        "parallel-syncs m1 x",
        "argument couldn't be parsed into an integer",
    ),
    (
        "parallel-syncs m1 0",
        "argument must be between 1 and 4294967295 inclusive",
    ),
    (
        "master-reboot-down-after-period m1 -1",
        "negative time parameter.",
    ),
    ("auth-pass nom x", "No such master with specified name."),
    ("myid abc", "Malformed Sentinel id in myid option."),
    ("known-replica m1 127.0.0.1 99999", "Invalid port number."),
    (
        "known-replica m1 127.0.0.1 17000",
        "Duplicate hostname and port for replica.",
    ),
    (
        "known-slave m1 127.0.0.1 17000",
        "Duplicate hostname and port for replica.",
    ),
    (
        "rename-command m1 a",
        "Unrecognized sentinel configuration statement.",
    ),
    (
        "rename-command m1 config b",
        "Same command renamed multiple times with rename-command.",
    ),
    (
        "deny-scripts-reconfig maybe",
        "Please specify yes or no for the deny-scripts-reconfig options.",
    ),
    (
        "resolve-hostnames maybe",
        "Please specify yes or no for the resolve-hostnames option.",
    ),
    (
        "bogus m1 1",
        "Unrecognized sentinel configuration statement.",
    ),
    ("bogus", "Unrecognized sentinel configuration statement."),
    ("monitor", "Unrecognized sentinel configuration statement."),
];

#[test]
fn errors_are_those_of_redis() {
    let other = "0123456789012345678901234567890123456789";
    for (line, reason) in ERRORS {
        let text = format!(
            "sentinel monitor m1 127.0.0.1 17999 2\n\
             sentinel known-replica m1 127.0.0.1 17000\n\
             sentinel known-sentinel m1 127.0.0.1 17001 {other}\n\
             sentinel rename-command m1 CONFIG x\nsentinel {line}\n"
        );
        let error = try_load(text.as_bytes()).unwrap_err();
        assert_eq!(
            error,
            format!(
                "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n\
                 Reading the configuration file, at line 5\n>>> 'sentinel {line}'\n{reason}\n\
                 (line 5 of sentinel.conf)"
            )
        );
    }
    let twice = format!(
        "sentinel monitor m1 127.0.0.1 1 2\nsentinel known-sentinel m1 127.0.0.1 2 {ID}\n\
         sentinel known-sentinel m1 127.0.0.1 3 {ID}\n"
    );
    assert!(
        try_load(twice.as_bytes())
            .unwrap_err()
            .contains("Duplicate runid for sentinel.")
    );
}

/// What redis-sentinel 7.0.15 writes, but for blank lines at the end.
#[test]
fn the_first_rewrite_adds_what_a_sentinel_remembers() {
    let old = "port 17006\nsentinel monitor mymaster 127.0.0.1 17999 2\n";
    let mut sentinel = load(old);
    sentinel.myid = Some(ID.to_owned());
    let text = rewrite_sentinel(old.as_bytes(), &sentinel, &users());
    assert_eq!(
        String::from_utf8(text).unwrap(),
        format!(
            "port 17006\nsentinel monitor mymaster 127.0.0.1 17999 2\n\n\
             # Generated by CONFIG REWRITE\nprotected-mode no\ndir \"/tmp/rw\"\n\
             latency-tracking-info-percentiles 50 99 99.9\nuser default on nopass ~* &* +@all\n\
             sentinel myid {ID}\nsentinel config-epoch mymaster 0\n\
             sentinel leader-epoch mymaster 0\nsentinel current-epoch 0\n"
        )
    );
}

#[test]
fn every_line_of_the_user_keeps_its_place() {
    let id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let old = format!(
        "# my sentinel\nport 17006\ndir /tmp/rw\n\nSENTINEL down-after-milliseconds mm 1000\n\
         # before\nsentinel monitor mm 127.0.0.1 17999 2\nsentinel parallel-syncs mm 1\n\
         sentinel failover-timeout mm 3000\nSENTINEL resolve-hostnames no\n\
         sentinel deny-scripts-reconfig yes\nsentinel known-slave mm 127.0.0.1 17998\n\
         sentinel known-sentinel mm 127.0.0.1 17996 {id}\n\
         sentinel known-sentinel mm 127.0.0.1 17995\nsentinel auth-pass mm \"p w\"\n\
         sentinel rename-command mm CONFIG FOO\nsentinel config-epoch mm 3\n\
         sentinel leader-epoch mm 4\nsentinel current-epoch 5\nsentinel myid {ID}\n\
         sentinel announce-ip 1.2.3.4\n# end\nprotected-mode no\n"
    );
    let mut sentinel = load(&old);
    sentinel.masters[0].port = 18_000;
    sentinel.masters[0]
        .known_replicas
        .push(("127.0.0.1".to_owned(), 17_999));
    sentinel.current_epoch = 6;
    let text = rewrite_sentinel(old.as_bytes(), &sentinel, &[]);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        format!(
            "# my sentinel\nport 17006\ndir \"/tmp/rw\"\n\n\
             sentinel down-after-milliseconds mm 1000\n\
             # before\nsentinel monitor mm 127.0.0.1 18000 2\nsentinel parallel-syncs mm 1\n\
             sentinel failover-timeout mm 3000\nsentinel resolve-hostnames no\n\
             sentinel deny-scripts-reconfig yes\nsentinel known-replica mm 127.0.0.1 17998\n\
             sentinel known-sentinel mm 127.0.0.1 17996 {id}\n\
             \nsentinel auth-pass mm \"p w\"\n\
             sentinel rename-command mm CONFIG FOO\nsentinel config-epoch mm 3\n\
             sentinel leader-epoch mm 4\nsentinel current-epoch 6\nsentinel myid {ID}\n\
             sentinel announce-ip \"1.2.3.4\"\n# end\nprotected-mode no\n\n\
             # Generated by CONFIG REWRITE\nlatency-tracking-info-percentiles 50 99 99.9\n\
             sentinel known-replica mm 127.0.0.1 17999\n"
        )
    );
}

#[test]
fn a_removed_master_takes_its_lines_with_it_and_no_others() {
    let old = "sentinel monitor m1 127.0.0.1 1 2\nsentinel monitor m2 127.0.0.1 2 2\n\
               sentinel auth-pass m2 x\nsentinel down-after-milliseconds m1 5\n";
    let mut sentinel = load(old);
    sentinel.masters.remove(1);
    let text = rewrite_sentinel(old.as_bytes(), &sentinel, &[]);
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("m2"), "{text}");
    assert!(
        text.starts_with(
            "sentinel monitor m1 127.0.0.1 1 2\n\nsentinel down-after-milliseconds m1 5\n"
        ),
        "{text}"
    );
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}", "[ -~]{1,6}", Just("é\n\"' \\".to_owned())]
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("127.0.0.1".to_owned()),
        Just("::1".to_owned()),
        "[a-z]{1,8}\\.local",
    ]
}

fn id() -> impl Strategy<Value = String> {
    "[0-9a-f]{40}"
}

prop_compose! {
    fn virtual_ip()(
        last in any::<u32>(),
        prefix in 1..=32u8,
        interface in "[a-z]{1,8}[0-9]{0,3}",
        keep in any::<bool>(),
    ) -> VirtualIp {
        // All kinds of addresses but those of many hosts and of this one.
        let address = core::net::Ipv4Addr::from_bits(0x0a00_0000 | last >> 8).into();
        VirtualIp { address, prefix, interface, keep }
    }
}

prop_compose! {
    fn master()(
        (name, host, port, quorum) in (word(), host(), any::<u16>(), 1..9u32),
        times in (1..99_999u64, 1..999_999u64, 1..4u32, 0..9u64),
        scripts in (proptest::option::of(word()), proptest::option::of(word())),
        virtual_ip in proptest::option::of(virtual_ip()),
        auth in (
            proptest::option::of(proptest::collection::vec(any::<u8>(), 1..8)),
            proptest::option::of(proptest::collection::vec(any::<u8>(), 1..8)),
        ),
        epochs in (any::<u64>(), any::<u64>()),
        known_replicas in proptest::collection::btree_set((host(), any::<u16>()), 0..4),
        known_sentinels in proptest::collection::btree_map(id(), (host(), any::<u16>()), 0..4),
        renamed in proptest::collection::btree_map("[a-z]{1,4}", word(), 0..3),
    ) -> MasterConfig {
        MasterConfig {
            down_after_ms: times.0,
            failover_timeout_ms: times.1,
            parallel_syncs: times.2,
            master_reboot_down_after_ms: times.3,
            notification_script: scripts.0,
            client_reconfig_script: scripts.1,
            virtual_ip,
            auth_pass: auth.0,
            auth_user: auth.1,
            config_epoch: epochs.0,
            leader_epoch: epochs.1,
            known_replicas: known_replicas.into_iter().collect(),
            known_sentinels: known_sentinels
                .into_iter()
                .map(|(id, (host, port))| (host, port, id))
                .collect(),
            renamed_commands: renamed.into_iter().collect(),
            ..MasterConfig::new(&name, &host, port, quorum)
        }
    }
}

prop_compose! {
    fn image()(
        myid in proptest::option::of(id()),
        current_epoch in any::<u64>(),
        flags in any::<(bool, bool)>(),
        announce in (proptest::option::of(word()), any::<u16>()),
        auth in (
            proptest::option::of(proptest::collection::vec(any::<u8>(), 1..8)),
            proptest::option::of(proptest::collection::vec(any::<u8>(), 1..8)),
        ),
        masters in proptest::collection::vec(master(), 0..4),
    ) -> SentinelConfig {
        let mut config = Config::sentinel_default();
        config.set_dir("/tmp/rw");
        let mut image = SentinelConfig::new(config);
        image.myid = myid;
        image.current_epoch = current_epoch;
        image.deny_scripts_reconfig = flags.0;
        image.announce_hostnames = flags.1;
        // Hosts may be names.
        image.resolve_hostnames = true;
        (image.announce_ip, image.announce_port) = announce;
        (image.sentinel_user, image.sentinel_pass) = auth;
        for master in masters {
            let clashes = |other: &MasterConfig| {
                let addresses = [&master, other].map(|one| one.virtual_ip.as_ref());
                let [one, two] = addresses.map(|spec| spec.map(|spec| spec.address));
                other.name == master.name || (one.is_some() && one == two)
            };
            if !image.masters.iter().any(clashes) {
                image.masters.push(master);
            }
        }
        image
    }
}

/// Without where it was read from, and with the masters in the order of their names.
fn essence(mut sentinel: SentinelConfig) -> SentinelConfig {
    sentinel.config.origins.clear();
    sentinel.scripts.clear();
    sentinel.virtual_ips.clear();
    sentinel.masters.sort_by(|a, b| a.name.cmp(&b.name));
    sentinel
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same_and_is_stable(one in image(), two in image()) {
        // The file of one state is rewritten for another, as after a failover.
        let first = rewrite_sentinel(b"# mine\nport 26379\n", &one, &[]);
        let mut text = first.clone();
        for image in [&one, &two, &one] {
            text = rewrite_sentinel(&text, image, &[]);
            let again = rewrite_sentinel(&text, image, &[]);
            prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&text));
            let loaded = try_load(&text).expect("what was written can be read");
            prop_assert_eq!(essence(loaded), essence(image.clone()));
        }
        prop_assert!(text.starts_with(b"# mine\nport 26379\n"));
        prop_assert!(first.starts_with(b"# mine\nport 26379\n"));
    }

    #[test]
    fn any_lines_are_answered(lines in proptest::collection::vec(
        prop_oneof![
            "sentinel [a-z-]{0,20} m1 [ -~]{0,12}",
            Just("sentinel monitor m1 127.0.0.1 1 1".to_owned()),
            "[ -~]{0,30}",
        ], 0..6)
    ) {
        let _ = try_load(lines.join("\n").as_bytes());
    }
}

#[test]
fn a_state_file_takes_what_was_learnt_and_the_operators_file_keeps_the_settings() {
    let file = "# mine\nsentinel state-file /var/lib/s.state\n\
                sentinel monitor mm 127.0.0.1 6379 2\nsentinel auth-pass mm \"p w\"\n";
    let mut image = load(file);
    assert_eq!(image.state_file.as_deref(), Some("/var/lib/s.state"));
    image.myid = Some(ID.to_owned());
    image.current_epoch = 9;
    let master = &mut image.masters[0];
    master.configured = Some((master.host.clone(), master.port));
    master.port = 6380;
    (master.config_epoch, master.leader_epoch) = (8, 9);
    master.known_replicas = vec![("127.0.0.1".to_owned(), 6379)];
    master.known_sentinels = vec![("::1".to_owned(), 7, ID.to_owned())];
    let state = state_text(&image);
    let shown = String::from_utf8(state.clone()).unwrap();
    assert!(!shown.contains("auth-pass"), "{shown}");

    let settings = rewrite_settings(file.as_bytes(), &image, &[]);
    let settings = String::from_utf8(settings).unwrap();
    assert!(settings.starts_with(file), "{settings}");
    assert!(
        !settings.contains(ID) && !settings.contains("epoch"),
        "{settings}"
    );

    let mut again = load(file);
    again.take_state("s.state", &state).unwrap();
    assert_eq!(again.masters, image.masters);
    assert_eq!((&again.myid, again.current_epoch), (&image.myid, 9));

    // The operator has moved the master.
    let mut moved = load(&file.replace("6379", "7000"));
    moved.take_state("s.state", &state).unwrap();
    let master = &moved.masters[0];
    assert_eq!((master.port, master.config_epoch), (7000, 8));
    assert!(master.known_replicas.is_empty());

    let broken = load(file).take_state("s.state", b"sentinel nonsense\n");
    assert!(broken.is_err());
}
