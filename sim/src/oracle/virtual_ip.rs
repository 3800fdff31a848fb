//! The virtual IP: a host that is alone does not keep it, two hosts that see each other do not both
//! have it for long, and no host takes it by a configuration that the others have long left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Violation;
use crate::ids::NodeId;
use crate::options::Options;
use crate::time::{Time, ms};

const ORACLE: &str = "virtual-ip";

/// Who had the virtual IP, and who was alone, for how long by now.
#[derive(Default)]
pub struct VirtualIp {
    bounds: Option<Bounds>,
    /// A group is no smaller, whoever a Sentinel has forgotten.
    quorum: usize,
    /// Processes, by the number of their start.
    alone: BTreeMap<(NodeId, u32), Time>,
    /// Hosts on which there is no process but such.
    apart: BTreeMap<NodeId, Time>,
    both: BTreeMap<(NodeId, NodeId), Time>,
    /// Sentinels whose configuration a majority has left behind.
    outdated: BTreeMap<NodeId, Time>,
    holding: BTreeSet<NodeId>,
}

/// How long what must not last may last.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// A Sentinel without a majority; `None` where answers may be on their way for any time.
    alone: Option<Duration>,
    /// A host without a Sentinel that has one. A process that starts does not know for how long
    /// that has been so, but the system does not keep the address for it.
    apart: Option<Duration>,
    /// Two hosts on the same side.
    both: Duration,
    /// A configuration left behind by a majority that is in reach, before word of the newer one has
    /// come.
    outdated: Option<Duration>,
}

/// One Sentinel's host.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The Sentinel.
    pub node: NodeId,
    /// Whether the address is there.
    pub holds: bool,
    /// Whether the Sentinel runs.
    pub runs: bool,
    /// How often it was started.
    pub incarnation: u32,
    /// How many Sentinels it knows, with itself; `None` if it does not run.
    pub voters: Option<usize>,
    /// The epoch of the configuration it goes by; `None` if it does not run.
    pub config_epoch: Option<u64>,
}

impl VirtualIp {
    /// An oracle for a run; without a virtual IP it sees nothing.
    pub fn new(options: &Options) -> Self {
        let down_after = ms(options.knobs.down_after_ms);
        // An address outlives its Sentinel by that time in whole seconds and two more, and the
        // system may be one second late.
        let lifetime = ms(options.knobs.down_after_ms.div_ceil(1_000) * 1_000 + 3_000);
        let prompt = options.families.slow.is_none() && options.network.loss_ppm == 0;
        // Clocks may be slow by a fifth.
        let patience = down_after + down_after / 3;
        // Word of a new configuration goes round every two seconds, on connections that may have
        // to be made first.
        let word = ms(8_000) + if prompt { ms(0) } else { ms(20_000) };
        let bounds = Bounds {
            alone: prompt.then_some(patience + ms(1_500)),
            // What is left of the patience is rounded up to whole seconds and has two more, and the
            // system may be one second late.
            apart: prompt.then_some(patience + ms(4_000)),
            both: lifetime + 2 * down_after + word,
            outdated: prompt.then_some(patience + ms(3_000)),
        };
        Self {
            bounds: options.virtual_ip.then_some(bounds),
            quorum: usize::from(options.topology.quorum),
            ..Self::default()
        }
    }

    /// Takes in how things are. `reaches` tells whether packets pass both ways.
    pub fn observe(
        &mut self,
        now: Time,
        hosts: &[Host],
        reaches: impl Fn(NodeId, NodeId) -> bool,
    ) -> Result<(), Violation> {
        let Some(bounds) = self.bounds else {
            return Ok(());
        };
        for host in hosts {
            let others = hosts.iter().filter(|other| other.node != host.node);
            let answering = others
                .clone()
                .filter(|other| other.runs && reaches(host.node, other.node))
                .count();
            let voters = host.voters.map(|voters| voters.max(self.quorum));
            let alone = voters.is_some_and(|voters| answering + 1 < voters / 2 + 1);
            let process = (host.node, host.incarnation);
            let lasted = lasts(&mut self.alone, process, alone && host.runs, now);
            if host.holds && bounds.alone.is_some_and(|most| lasted > most) {
                let message = format!(
                    "{} has the address and has been without a majority for {lasted:?}",
                    host.node
                );
                return Err(Violation::new(ORACLE, message));
            }
            let apart = !host.runs || voters.is_none() || alone;
            let lasted = lasts(&mut self.apart, host.node, apart, now);
            if host.holds && bounds.apart.is_some_and(|most| lasted > most) {
                let message = format!(
                    "{} has the address, and no process on it has had a majority for {lasted:?}",
                    host.node
                );
                return Err(Violation::new(ORACLE, message));
            }
            self.taken(now, host, others.clone())?;
            for other in others.filter(|other| host.node < other.node) {
                let both = host.holds && other.holds && reaches(host.node, other.node);
                let pair = (host.node, other.node);
                let lasted = lasts(&mut self.both, pair, both, now);
                if lasted > bounds.both {
                    let (one, two) = pair;
                    let message =
                        format!("{one} and {two} both have the address, for {lasted:?} by now");
                    return Err(Violation::new(ORACLE, message));
                }
            }
        }
        Ok(())
    }

    /// Takes in whether a host has taken the address, and by what.
    fn taken<'a>(
        &mut self,
        now: Time,
        host: &Host,
        others: impl Iterator<Item = &'a Host>,
    ) -> Result<(), Violation> {
        let own = host.config_epoch;
        let newer = others.filter(|other| own.is_some() && other.config_epoch > own);
        let newer = newer.count();
        let left_behind = host.voters.is_some_and(|voters| newer > voters / 2);
        let lasted = lasts(&mut self.outdated, host.node, left_behind, now);
        let taken = if host.holds {
            self.holding.insert(host.node)
        } else {
            self.holding.remove(&host.node);
            false
        };
        let most = self.bounds.and_then(|bounds| bounds.outdated);
        if taken && most.is_some_and(|most| lasted > most) {
            let message = format!(
                "{} takes the address by a configuration left behind {lasted:?} ago",
                host.node
            );
            return Err(Violation::new(ORACLE, message));
        }
        Ok(())
    }
}

/// For how long something has been so, without a break.
fn lasts<K: Ord>(since: &mut BTreeMap<K, Time>, key: K, is_so: bool, now: Time) -> Duration {
    if is_so {
        now.since(*since.entry(key).or_insert(now))
    } else {
        since.remove(&key);
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Keys;

    const A: NodeId = NodeId(5);
    const B: NodeId = NodeId(6);
    const C: NodeId = NodeId(7);

    fn oracle() -> VirtualIp {
        let mut options = Options::draw(Keys::new(1));
        options.virtual_ip = true;
        options.knobs.down_after_ms = 1_000;
        options.topology.quorum = 2;
        options.families.slow = None;
        options.network.loss_ppm = 0;
        VirtualIp::new(&options)
    }

    fn hosts(holding: &[NodeId]) -> [Host; 3] {
        [A, B, C].map(|node| Host {
            node,
            holds: holding.contains(&node),
            runs: true,
            incarnation: 1,
            voters: Some(3),
            config_epoch: Some(1),
        })
    }

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn one_that_is_alone_has_to_let_go() {
        let reaches = |one: NodeId, two: NodeId| one != A && two != A;
        let mut oracle = oracle();
        oracle.observe(at(0), &hosts(&[A]), reaches).unwrap();
        oracle.observe(at(2_500), &hosts(&[A]), reaches).unwrap();
        assert!(oracle.observe(at(3_000), &hosts(&[A]), reaches).is_err());
        let mut oracle = self::oracle();
        oracle.observe(at(0), &hosts(&[A]), reaches).unwrap();
        oracle
            .observe(at(1_000), &hosts(&[A]), |_, _| true)
            .unwrap();
        oracle.observe(at(3_000), &hosts(&[A]), reaches).unwrap();
        oracle.observe(at(9_000), &hosts(&[]), reaches).unwrap();
    }

    #[test]
    fn one_that_starts_anew_has_no_longer_than_the_system_keeps_the_address() {
        let reaches = |one: NodeId, two: NodeId| one != A && two != A;
        let started = |incarnation| {
            let mut hosts = hosts(&[A]);
            hosts[0].incarnation = incarnation;
            hosts
        };
        let mut oracle = oracle();
        oracle.observe(at(0), &started(1), reaches).unwrap();
        oracle.observe(at(2_500), &started(1), reaches).unwrap();
        oracle.observe(at(2_600), &started(2), reaches).unwrap();
        oracle.observe(at(5_000), &started(2), reaches).unwrap();
        oracle.observe(at(5_100), &started(3), reaches).unwrap();
        assert!(oracle.observe(at(5_500), &started(3), reaches).is_err());
    }

    #[test]
    fn one_that_knows_fewer_than_the_quorum_is_no_majority() {
        let reaches = |one: NodeId, two: NodeId| one != A && two != A;
        let mut hosts = hosts(&[A]);
        hosts[0].voters = Some(1);
        let mut oracle = oracle();
        oracle.observe(at(0), &hosts, reaches).unwrap();
        assert!(oracle.observe(at(3_000), &hosts, reaches).is_err());
    }

    #[test]
    fn nobody_takes_it_by_a_configuration_long_left_behind() {
        let hosts = |holds: bool, newer: usize| {
            let mut hosts = hosts(if holds { &[A] } else { &[] });
            for host in &mut hosts[1..=newer] {
                host.config_epoch = Some(2);
            }
            hosts
        };
        for (newer, holds_before, wrong) in [(2, false, true), (1, false, false), (2, true, false)]
        {
            let mut oracle = oracle();
            let before = hosts(holds_before, newer);
            oracle.observe(at(0), &before, |_, _| true).unwrap();
            oracle.observe(at(5_000), &before, |_, _| true).unwrap();
            let after = hosts(true, newer);
            let result = oracle.observe(at(5_010), &after, |_, _| true);
            assert_eq!(result.is_err(), wrong, "{newer} {holds_before}");
        }
    }

    #[test]
    fn two_that_see_each_other_do_not_both_keep_it() {
        let mut oracle = oracle();
        oracle.observe(at(0), &hosts(&[A, B]), |_, _| true).unwrap();
        oracle
            .observe(at(10_000), &hosts(&[A, B]), |_, _| true)
            .unwrap();
        assert!(
            oracle
                .observe(at(20_000), &hosts(&[A, B]), |_, _| true)
                .is_err()
        );
        let mut oracle = self::oracle();
        oracle.observe(at(0), &hosts(&[A, B]), |_, _| true).unwrap();
        oracle
            .observe(at(10_000), &hosts(&[B]), |_, _| true)
            .unwrap();
        oracle
            .observe(at(20_000), &hosts(&[A, B]), |_, _| true)
            .unwrap();
    }
}
