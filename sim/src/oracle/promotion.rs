//! The promotion rule: the chosen replica is the best of those that could be chosen, and has data;
//! no node replicates itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::Violation;
use crate::ids::NodeId;
use crate::program::{FailoverState, Id, MasterView, ReplicaView, SentinelView, ServerView};
use crate::time::Time;

const ORACLE: &str = "promotion";

/// Which replicas Sentinels have chosen.
#[derive(Default)]
pub struct Promotion {
    chosen: BTreeMap<(NodeId, String), (u32, u64)>,
    /// Where each history was ever said to be.
    histories: BTreeMap<Id, BTreeSet<SocketAddr>>,
}

impl Promotion {
    /// Takes in what a Sentinel thinks after a turn.
    pub fn observe(
        &mut self,
        node: NodeId,
        incarnation: u32,
        view: &SentinelView,
    ) -> Result<(), Violation> {
        for master in &view.masters {
            let key = (node, master.name.clone());
            let Some(chosen) = master.replicas.iter().find(|replica| replica.promoted) else {
                self.chosen.remove(&key);
                continue;
            };
            let choice = (incarnation, master.failover_epoch);
            if self.chosen.insert(key, choice) != Some(choice) {
                best(node, master, chosen)?;
                self.has_data(node, chosen)?;
            }
        }
        Ok(())
    }

    /// Takes in what a data server claims of itself.
    pub fn claims(&mut self, node: NodeId, port: u16, view: &ServerView) -> Result<(), Violation> {
        let places = self.histories.entry(view.replid).or_default();
        places.insert(node.at(port));
        if view.master == Some(node.at(port)) {
            return Err(Violation::new(ORACLE, format!("{node} replicates itself")));
        }
        Ok(())
    }

    /// A server that never had a link to its master and is in a history of its own has nothing
    /// that anybody else ever had.
    fn has_data(&self, node: NodeId, chosen: &ReplicaView) -> Result<(), Violation> {
        let alone = |replid: Id| {
            let places = self.histories.get(&replid);
            places.is_some_and(|places| places.iter().all(|place| *place == chosen.addr))
        };
        if chosen.never_linked && chosen.replid.is_some_and(alone) {
            let message = format!("{node} promotes {}, which has no data", chosen.addr);
            return Err(Violation::new(ORACLE, message));
        }
        Ok(())
    }
}

/// How long every Sentinel leaves a replica that says it is a master alone, unless it knows that
/// nobody can have made it one.
const GRACE: Duration = Duration::from_secs(8);

/// Those that say they are masters and are not to be, and since when, as each Sentinel knows it.
#[derive(Default)]
pub struct Corrections {
    reported: BTreeMap<(NodeId, SocketAddr), Time>,
}

impl Corrections {
    /// Takes in an event of a Sentinel. Returns whom it makes a replica without the usual grace.
    pub fn hear(&mut self, at: Time, by: NodeId, event: &str) -> Option<SocketAddr> {
        let mut words = event.split(' ');
        let name = words.next()?;
        let (ip, port) = (words.nth(2)?, words.next()?);
        let addr = || Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?));
        match name {
            "-role-change" if event.ends_with("role is master") => {
                self.reported.insert((by, addr()?), at);
                None
            }
            "+convert-to-slave" => {
                let addr = addr()?;
                let since = self.reported.get(&(by, addr))?;
                (at.since(*since) < GRACE).then_some(addr)
            }
            _ => None,
        }
    }
}

/// Checks that nobody is demoted whom a newer configuration has made the master.
pub fn undoes_none<'a>(
    by: NodeId,
    own: Option<&SentinelView>,
    replica: SocketAddr,
    others: impl Iterator<Item = (NodeId, &'a SentinelView)>,
) -> Result<(), Violation> {
    let Some(own) = own.and_then(|view| view.masters.first()) else {
        return Ok(());
    };
    for (node, view) in others {
        for master in &view.masters {
            let told = matches!(
                master.state,
                FailoverState::WaitPromotion | FailoverState::ReconfSlaves
            );
            let promoted = master.replicas.iter().find(|replica| replica.promoted);
            let promotes = told
                && own.config_epoch < master.failover_epoch
                && promoted.is_some_and(|promoted| promoted.addr == replica);
            let has = own.config_epoch < master.config_epoch && master.addr == replica;
            if promotes || has {
                let message = format!(
                    "{by}, of config epoch {}, demotes {replica}, which {node} promotes or has \
                     promoted in epoch {} (config epoch {})",
                    own.config_epoch, master.failover_epoch, master.config_epoch
                );
                return Err(Violation::new(ORACLE, message));
            }
        }
    }
    Ok(())
}

fn best(node: NodeId, master: &MasterView, chosen: &ReplicaView) -> Result<(), Violation> {
    if chosen.priority == 0 {
        let message = format!("{node} promotes {}, whose priority is 0", chosen.addr);
        return Err(Violation::new(ORACLE, message));
    }
    if chosen.followed {
        // It is the master already, and the others follow it or can.
        return Ok(());
    }
    let better = (master.replicas.iter())
        .filter(|other| other.eligible && other.priority > 0)
        // Offsets of different histories say nothing about each other.
        .filter(|other| other.replid == chosen.replid)
        .find(|other| rank(other) < rank(chosen));
    match better {
        None => Ok(()),
        Some(other) => Err(Violation::new(
            ORACLE,
            format!(
                "{node} promotes {} (priority {}, offset {}), but {} (priority {}, offset {}) is \
                 better",
                chosen.addr,
                chosen.priority,
                chosen.offset,
                other.addr,
                other.priority,
                other.offset
            ),
        )),
    }
}

/// Smaller is better: priority, then offset, then run id, an unknown one last.
fn rank(replica: &ReplicaView) -> (u32, std::cmp::Reverse<u64>, bool, Option<[u8; 40]>) {
    let runid = replica.runid.map(|id| id.map(|b| b.to_ascii_lowercase()));
    (
        replica.priority,
        std::cmp::Reverse(replica.offset),
        runid.is_none(),
        runid,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::election::tests::{ONE, master, view};

    fn replica(node: u16, priority: u32, offset: u64, runid: u8) -> ReplicaView {
        ReplicaView {
            addr: NodeId(node).at(6379),
            runid: Some([runid; 40]),
            replid: Some([b'h'; 40]),
            priority,
            offset,
            promoted: false,
            eligible: true,
            never_linked: false,
            followed: false,
        }
    }

    fn server(replid: u8) -> ServerView {
        ServerView {
            replid: [replid; 40],
            replid2: [b'0'; 40],
            second_offset: -1,
            offset: 0,
            master: Some(NodeId(1000).at(6379)),
            link_up: false,
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        }
    }

    fn promote(mut replicas: Vec<ReplicaView>, chosen: usize) -> Result<(), Violation> {
        replicas[chosen].promoted = true;
        let master = MasterView {
            replicas,
            ..master()
        };
        Promotion::default().observe(ONE, 1, &view(1, master))
    }

    #[test]
    fn priority_comes_before_offset_and_offset_before_run_id() {
        let group = || {
            vec![
                replica(1, 10, 5, b'c'),
                replica(2, 10, 9, b'b'),
                replica(3, 10, 9, b'a'),
                replica(4, 100, 50, b'0'),
            ]
        };
        promote(group(), 2).unwrap();
        assert!(promote(group(), 0).is_err());
        assert!(promote(group(), 1).is_err());
        assert!(promote(group(), 3).is_err());
    }

    #[test]
    fn those_that_cannot_be_chosen_do_not_count() {
        let mut group = vec![replica(1, 10, 5, b'a'), replica(2, 10, 9, b'b')];
        group[1].eligible = false;
        promote(group, 0).unwrap();
        assert!(promote(vec![replica(1, 0, 5, b'a')], 0).is_err());

        let mut group = vec![replica(1, 10, 5, b'a'), replica(2, 10, 9, b'b')];
        group[1].replid = Some([b'x'; 40]);
        promote(group, 0).unwrap();

        let mut group = vec![replica(1, 10, 5, b'a'), replica(2, 10, 9, b'b')];
        group[0].followed = true;
        promote(group, 0).unwrap();
    }

    #[test]
    fn a_promotion_that_is_not_known_yet_is_not_undone_before_its_time() {
        let mut heard = Corrections::default();
        let at = |ms| Time::from_millis(ms);
        let addr = NodeId(1).at(6379);
        let who = "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379";
        let told = format!("-role-change {who} new reported role is master");
        let corrected = format!("+convert-to-slave {who}");
        assert_eq!(heard.hear(at(0), ONE, &corrected), None);
        assert_eq!(heard.hear(at(1_000), ONE, &told), None);
        assert_eq!(heard.hear(at(1_500), ONE, &corrected), Some(addr));
        assert_eq!(heard.hear(at(9_000), ONE, &corrected), None);

        let own = view(1, master());
        let mut newer = master();
        newer.state = FailoverState::WaitPromotion;
        newer.failover_epoch = newer.config_epoch + 1;
        newer.replicas = vec![replica(1, 100, 1, b'a')];
        newer.replicas[0].promoted = true;
        let judge = |other: &MasterView| {
            let other = view(2, other.clone());
            undoes_none(ONE, Some(&own), addr, [(NodeId(9), &other)].into_iter())
        };
        assert!(judge(&newer).is_err());
        newer.failover_epoch = own.masters[0].config_epoch;
        judge(&newer).unwrap();
        newer.state = FailoverState::None;
        newer.config_epoch += 1;
        newer.addr = addr;
        assert!(judge(&newer).is_err());
    }

    #[test]
    fn a_node_that_replicates_itself_is_a_violation() {
        let mut claim = server(b'a');
        let mut promotion = Promotion::default();
        promotion.claims(NodeId(0), 6379, &claim).unwrap();
        claim.master = Some(NodeId(0).at(6379));
        assert!(promotion.claims(NodeId(0), 6379, &claim).is_err());
    }

    #[test]
    fn whoever_has_only_a_history_of_its_own_and_never_had_a_link_is_not_promoted() {
        let mut empty = replica(1, 100, 0, b'a');
        empty.never_linked = true;
        empty.promoted = true;
        let choice = MasterView {
            replicas: vec![empty],
            ..master()
        };
        let observe = |promotion: &mut Promotion, epoch| {
            let master = MasterView {
                failover_epoch: epoch,
                ..choice.clone()
            };
            promotion.observe(ONE, 1, &view(epoch, master))
        };
        let mut promotion = Promotion::default();
        let claim = server(b'h');
        promotion.claims(NodeId(1), 6379, &claim).unwrap();
        assert!(observe(&mut promotion, 1).is_err());
        promotion.claims(NodeId(0), 6379, &claim).unwrap();
        observe(&mut promotion, 2).unwrap();
    }
}
