//! The promotion rule: the chosen replica is the best of those that could be chosen; no node
//! replicates itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Violation;
use crate::ids::NodeId;
use crate::program::{FailoverState, MasterView, ReplicaView, SentinelView, ServerView};

const ORACLE: &str = "promotion";

/// Which replicas Sentinels have chosen.
#[derive(Default)]
pub struct Promotion {
    chosen: BTreeMap<(NodeId, String), (u32, u64)>,
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
            }
        }
        Ok(())
    }

    /// Takes in what a data server claims of itself.
    pub fn replicates(node: NodeId, port: u16, view: &ServerView) -> Result<(), Violation> {
        if view.master == Some(node.at(port)) {
            return Err(Violation::new(ORACLE, format!("{node} replicates itself")));
        }
        Ok(())
    }
}

/// A `+convert-to-slave`: whom a Sentinel makes a replica, of which master.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Correction {
    /// The one that says it is a master.
    pub replica: SocketAddr,
}

impl Correction {
    /// Reads the text of an event, if it is that one.
    pub fn parse(event: &str) -> Option<Self> {
        let mut words = event.split(' ');
        if words.next() != Some("+convert-to-slave") {
            return None;
        }
        let (ip, port) = (words.nth(2)?, words.next()?);
        let replica = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
        Some(Self { replica })
    }
}

/// Checks that nobody is demoted whom a newer configuration has made the master.
pub fn undoes_none<'a>(
    by: NodeId,
    own: Option<&SentinelView>,
    Correction { replica }: Correction,
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
            followed: false,
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
    fn a_node_that_replicates_itself_is_a_violation() {
        let mut claim = ServerView {
            replid: [b'a'; 40],
            replid2: [b'0'; 40],
            second_offset: -1,
            offset: 0,
            master: Some(NodeId(1).at(6379)),
            link_up: false,
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        };
        Promotion::replicates(NodeId(0), 6379, &claim).unwrap();
        claim.master = Some(NodeId(0).at(6379));
        assert!(Promotion::replicates(NodeId(0), 6379, &claim).is_err());
    }
}
