//! From the configuration file to the state, and back.

use core::time::Duration;

use crate::config::{Config, MasterConfig, SentinelConfig};
use crate::machine::{Mono, Now};
use crate::rng::Rng;
use crate::sentinel::GroupId;
use crate::sentinel::events;
use crate::sentinel::group::Options;
use crate::sentinel::names::{Epoch, HostAddr, RunId};
use crate::sentinel::settings::Settings;
use crate::sentinel::watch::Watch;

impl Watch {
    /// Takes up what the file holds. Without an identity in it one is chosen, and saved.
    pub(super) fn load(config: &SentinelConfig, seed: &Rng, now: Now) -> Self {
        let known = config
            .myid
            .as_ref()
            .and_then(|id| RunId::parse(id.as_bytes()));
        let id = known.unwrap_or_else(|| {
            RunId::parse(&seed.fork("myid").hex40()).expect("forty hexadecimal digits")
        });
        let mut watch = Self::new(id, settings(config), seed, now);
        watch.epoch = Epoch(config.current_epoch);
        watch.durable_epoch = watch.epoch;
        // What the operator's file still has of what was learnt goes when that is written.
        if known.is_none() || watch.settings.state_file.is_some() {
            watch.saver.touch();
        }
        for master in &config.masters {
            let group = watch.load_master(now.mono, master);
            watch.tell_monitored(group);
        }
        watch
    }

    fn load_master(&mut self, now: Mono, master: &MasterConfig) -> GroupId {
        let addr = HostAddr::new(&master.host, master.port);
        let group = self.add_group(now, &master.name, addr, options(master));
        let (config_epoch, leader_epoch) = (Epoch(master.config_epoch), Epoch(master.leader_epoch));
        // A file edited by hand may hold epochs nobody counted to; counting goes on from there.
        self.epoch = self.epoch.max(config_epoch).max(leader_epoch);
        let g = &mut self.groups[group];
        if let (Some(known), Some((host, port))) = (&mut g.configured, &master.configured) {
            *known = (host.as_str().into(), *port);
        }
        g.config_epoch = config_epoch;
        g.vote.epoch = leader_epoch;
        for (host, port) in &master.known_replicas {
            self.add_replica(now, group, HostAddr::new(host, *port));
        }
        for (host, port, id) in &master.known_sentinels {
            let id = RunId::parse(id.as_bytes()).filter(|&id| id != self.id);
            if let Some(id) = id {
                self.add_peer(now, group, id, HostAddr::new(host, *port));
            }
        }
        group
    }

    /// Says that a master is monitored from here on.
    pub(super) fn tell_monitored(&mut self, group: GroupId) {
        let g = &self.groups[group];
        let quorum = format!("quorum {}", g.options.quorum);
        self.tell_of(events::MONITOR, g.master, &quorum);
    }

    /// The state as the file has it.
    pub(super) fn image(&self, config: &Config) -> SentinelConfig {
        let settings = &self.settings;
        let text = |text: &Option<Box<str>>| text.as_ref().map(ToString::to_string);
        let mut image = SentinelConfig::new(config.clone());
        image.myid = Some(self.id.to_string());
        image.current_epoch = self.epoch.0;
        image.deny_scripts_reconfig = settings.deny_scripts_reconfig;
        image.resolve_hostnames = settings.resolve_hostnames;
        image.announce_hostnames = settings.announce_hostnames;
        image.announce_ip = text(&settings.announce_ip);
        image.announce_port = settings.announce_port.unwrap_or(0);
        image.sentinel_user = settings.sentinel_user.as_ref().map(|user| user.to_vec());
        image.sentinel_pass = settings.sentinel_pass.as_ref().map(|pass| pass.to_vec());
        image.state_file = text(&settings.state_file);
        image.masters = self
            .by_name
            .values()
            .map(|&group| self.master_image(group))
            .collect();
        image
    }

    /// One master. Once its replacement is one, the file has that as the master already, and
    /// the old master among the replicas: a crash must not undo the promotion.
    fn master_image(&self, id: GroupId) -> MasterConfig {
        let g = &self.groups[id];
        let quorum = g.options.quorum;
        let addr = self.master_addr(id);
        let mut image = MasterConfig::new(&g.name, addr.host(), addr.port(), quorum);
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let text = |text: &Option<Box<str>>| text.as_ref().map(ToString::to_string);
        let secret = |secret: &Option<Box<[u8]>>| secret.as_ref().map(|bytes| bytes.to_vec());
        let configured = g.configured.as_ref();
        image.configured = configured.map(|(host, port)| (host.to_string(), *port));
        image.down_after_ms = ms(g.options.down_after);
        image.failover_timeout_ms = ms(g.options.failover_timeout);
        image.parallel_syncs = g.options.parallel_syncs;
        image.master_reboot_down_after_ms = ms(g.options.reboot_down_after);
        image.notification_script = text(&g.options.notification_script);
        image.client_reconfig_script = text(&g.options.client_reconfig_script);
        image.virtual_ip = self.settings.virtual_ips.get(&g.name).cloned();
        image.auth_pass = secret(&g.options.auth_pass);
        image.auth_user = secret(&g.options.auth_user);
        image.auto_failover = g.options.auto_failover;
        image.config_epoch = g.config_epoch.0;
        image.leader_epoch = g.vote.epoch.0;
        image.renamed_commands = g.options.renamed.clone().into_iter().collect();
        let servers = g.servers().map(|id| &self.instances[id].addr);
        image.known_replicas = servers
            .filter(|one| !one.is_same(addr))
            .map(|one| (one.host().to_owned(), one.port()))
            .collect();
        let peers = g.peers.iter().map(|&id| &self.instances[id]);
        image.known_sentinels = peers
            .filter_map(|peer| {
                let host = peer.addr.host().to_owned();
                Some((host, peer.addr.port(), peer.runid?.to_string()))
            })
            .collect();
        image
    }
}

fn settings(config: &SentinelConfig) -> Settings {
    let bytes = |secret: &Option<Vec<u8>>| secret.as_ref().map(|bytes| bytes.as_slice().into());
    let pass = config.config.requirepass();
    Settings {
        port: config.config.port(),
        announce_ip: config.announce_ip.as_deref().map(Into::into),
        announce_port: Some(config.announce_port).filter(|&port| port != 0),
        resolve_hostnames: config.resolve_hostnames,
        announce_hostnames: config.announce_hostnames,
        deny_scripts_reconfig: config.deny_scripts_reconfig,
        sentinel_user: bytes(&config.sentinel_user),
        sentinel_pass: bytes(&config.sentinel_pass),
        state_file: config.state_file.as_deref().map(Into::into),
        virtual_ips: config
            .masters
            .iter()
            .filter_map(|master| Some((master.name.as_str().into(), master.virtual_ip.clone()?)))
            .collect(),
        requirepass: (!pass.is_empty()).then(|| pass.into()),
    }
}

fn options(master: &MasterConfig) -> Options {
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    let secret = |secret: &Option<Vec<u8>>| secret.as_ref().map(|bytes| bytes.as_slice().into());
    let renamed = master.renamed_commands.iter();
    Options {
        quorum: master.quorum,
        down_after: Duration::from_millis(master.down_after_ms),
        failover_timeout: Duration::from_millis(master.failover_timeout_ms),
        parallel_syncs: master.parallel_syncs,
        reboot_down_after: Duration::from_millis(master.master_reboot_down_after_ms),
        notification_script: text(&master.notification_script),
        client_reconfig_script: text(&master.client_reconfig_script),
        auth_user: secret(&master.auth_user),
        auth_pass: secret(&master.auth_pass),
        auto_failover: master.auto_failover,
        renamed: renamed
            .map(|(old, new)| (old.to_ascii_lowercase(), new.clone()))
            .collect(),
    }
}
