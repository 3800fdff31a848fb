//! The file of `sentinel state-file`: what a Sentinel learns, kept out of the operator's file.

use super::rewrite::{address, learnt_of, word};
use super::{ConfigError, SentinelConfig};
use crate::config::Source;

/// The text of the state file.
pub fn state_text(image: &SentinelConfig) -> Vec<u8> {
    let mut text = HEADER.as_bytes().to_vec();
    let mut line = |option: &str, words: &[&[u8]]| {
        text.extend_from_slice(format!("sentinel {option}").as_bytes());
        for word in words {
            text.push(b' ');
            text.extend_from_slice(word);
        }
        text.push(b'\n');
    };
    if let Some(id) = &image.myid {
        line("myid", &[id.as_bytes()]);
    }
    let epoch = image.current_epoch.to_string();
    line("current-epoch", &[epoch.as_bytes()]);
    if image.resolve_hostnames {
        line("resolve-hostnames", &[b"yes"]);
    }
    for master in &image.masters {
        let name = word(master.name.as_bytes());
        let quorum = master.quorum.to_string();
        let at = address(&master.host, master.port);
        line("monitor", &[&name, &at, quorum.as_bytes()]);
        if let Some((host, port)) = &master.configured {
            line("configured", &[&name, &address(host, *port)]);
        }
        for (option, value) in learnt_of(master) {
            line(option, &[&name, &value]);
        }
    }
    text
}

impl SentinelConfig {
    /// Takes up what the state file holds.
    ///
    /// The operator's file says what is watched and how, the state file where it is meanwhile. A
    /// master whose address the operator has changed since is where the operator says. Epochs
    /// never go back, whichever file they are in.
    pub fn take_state(&mut self, path: &str, text: &[u8]) -> Result<(), ConfigError> {
        let source = Source::new(path, text);
        let state = Self::load(&[source], &mut |_| Err("nothing is included".to_owned()))?;
        self.current_epoch = self.current_epoch.max(state.current_epoch);
        self.myid = state.myid.or_else(|| self.myid.take());
        for master in &mut self.masters {
            let known = state.masters.iter().find(|one| one.name == master.name);
            let Some(known) = known else { continue };
            master.config_epoch = master.config_epoch.max(known.config_epoch);
            master.leader_epoch = master.leader_epoch.max(known.leader_epoch);
            // Those who vote are the same wherever the master is.
            master.known_sentinels.clone_from(&known.known_sentinels);
            let (host, port) = (&master.host, master.port);
            if known.configured.as_ref() == Some(&(host.clone(), port)) {
                (master.host, master.port) = (known.host.clone(), known.port);
                master.configured.clone_from(&known.configured);
                master.known_replicas.clone_from(&known.known_replicas);
            }
        }
        Ok(())
    }
}

const HEADER: &str = "# What this Sentinel has learnt; it writes this file by itself.\n";
