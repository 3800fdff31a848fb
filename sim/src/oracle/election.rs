//! Election safety, across restarts: one vote per Sentinel and epoch, a leader only by a quorum
//! and a majority of votes, one address per config epoch, epochs that never run backwards.
//!
//! What counts as a vote of another Sentinel is what it wrote on the wire; a Sentinel's own vote
//! counts once it wins by it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::{Violation, short};
use crate::ids::NodeId;
use crate::program::{FailoverState, Id, MasterView, SentinelView};

const ORACLE: &str = "election";

/// What all Sentinels of a run committed themselves to.
#[derive(Default)]
pub struct Election {
    votes: BTreeMap<(NodeId, u64), Id>,
    leaders: BTreeMap<(String, u64), Id>,
    configs: BTreeMap<(String, u64), (SocketAddr, NodeId)>,
    /// Who has ever found a master of that name down.
    accusers: BTreeMap<String, BTreeSet<NodeId>>,
    last: BTreeMap<NodeId, Last>,
}

struct Last {
    incarnation: u32,
    view: SentinelView,
}

impl Election {
    /// Takes in a vote that was put on the wire.
    pub fn voted(&mut self, voter: NodeId, epoch: u64, candidate: Id) -> Result<(), Violation> {
        match self.votes.entry((voter, epoch)) {
            Entry::Vacant(entry) => {
                entry.insert(candidate);
                Ok(())
            }
            Entry::Occupied(entry) if *entry.get() == candidate => Ok(()),
            Entry::Occupied(entry) => Err(violation(format!(
                "{voter} voted for {} and for {} in epoch {epoch}",
                short(entry.get()),
                short(&candidate)
            ))),
        }
    }

    /// Takes in the address a Sentinel gives for a config epoch.
    pub fn configured(
        &mut self,
        from: NodeId,
        name: &str,
        config_epoch: u64,
        addr: SocketAddr,
    ) -> Result<(), Violation> {
        let key = (name.to_owned(), config_epoch);
        let (known, by) = *self.configs.entry(key).or_insert((addr, from));
        if known == addr {
            return Ok(());
        }
        Err(violation(format!(
            "{from} says that {name} is at {addr} in config epoch {config_epoch}, {by} said {known}"
        )))
    }

    /// Takes in what a Sentinel thinks after a turn.
    pub fn observe(
        &mut self,
        node: NodeId,
        incarnation: u32,
        view: &SentinelView,
    ) -> Result<(), Violation> {
        let old = self.last.remove(&node);
        let same = old.as_ref().filter(|old| old.incarnation == incarnation);
        match (&old, same) {
            (_, Some(old)) => forwards(node, &old.view, view)?,
            (Some(_), None) => self.remembers(node, view)?,
            (None, None) => {}
        }
        for master in &view.masters {
            self.configured(node, &master.name, master.config_epoch, master.addr)?;
            self.accused(node, master)?;
            let before = same.and_then(|old| find(&old.view, &master.name));
            let was = before.map_or(FailoverState::None, |old| old.state);
            if was == FailoverState::None && master.state != FailoverState::None {
                may_start(node, view, master)?;
            }
            let standing = FailoverState::SelectSlave..=FailoverState::UpdateConfig;
            if standing.contains(&master.state) {
                votes_for_nobody_else(node, master)?;
            }
            let standing_epoch = before.map(|old| old.failover_epoch);
            let stood = standing.contains(&was) && standing_epoch == Some(master.failover_epoch);
            if standing.contains(&master.state) && !stood {
                self.elected(node, view, master)?;
            }
        }
        let view = view.clone();
        self.last.insert(node, Last { incarnation, view });
        Ok(())
    }

    /// A master is objectively down only once a quorum of Sentinels have found it down.
    fn accused(&mut self, node: NodeId, master: &MasterView) -> Result<(), Violation> {
        if !master.s_down {
            return Ok(());
        }
        let accusers = self.accusers.entry(master.name.clone()).or_default();
        accusers.insert(node);
        let count = accusers.len();
        let quorum = usize::try_from(master.quorum).expect("32 bits fit");
        if !master.o_down || count >= quorum {
            return Ok(());
        }
        Err(violation(format!(
            "{node} holds {} to be objectively down, but only {count} sentinels have ever found \
             it down; the quorum is {quorum}",
            master.name
        )))
    }

    /// A Sentinel acts as leader: it must have won.
    fn elected(
        &mut self,
        node: NodeId,
        view: &SentinelView,
        master: &MasterView,
    ) -> Result<(), Violation> {
        let epoch = master.failover_epoch;
        let name = &master.name;
        match self.leaders.entry((name.clone(), epoch)) {
            Entry::Occupied(entry) if *entry.get() != view.myid => {
                return Err(violation(format!(
                    "{} and {} both lead the failover of {name} in epoch {epoch}",
                    short(entry.get()),
                    short(&view.myid)
                )));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                entry.insert(view.myid);
            }
        }
        // The leader's own vote binds it as if it had been sent.
        self.voted(node, epoch, view.myid)?;
        let votes = (self.votes.iter())
            .filter(|((_, at), candidate)| *at == epoch && **candidate == view.myid)
            .count();
        let majority = master.others.div_ceil(2) + 1;
        // An operator may force a failover where the quorum can't be reached; its epoch still
        // needs the majority.
        let quorum = match master.forced {
            true => 0,
            false => usize::try_from(master.quorum).expect("32 bits fit"),
        };
        if votes >= majority.max(quorum) {
            return Ok(());
        }
        Err(violation(format!(
            "{node} leads the failover of {name} in epoch {epoch} with {votes} votes; the majority \
             of {} sentinels is {majority}, the quorum {quorum}",
            master.others + 1
        )))
    }

    /// After a restart a Sentinel must know at least the epochs it voted in.
    fn remembers(&self, node: NodeId, view: &SentinelView) -> Result<(), Violation> {
        let newest = (self.votes.range((node, 0)..=(node, u64::MAX))).next_back();
        match newest {
            Some((&(_, epoch), _)) if epoch > view.current_epoch => Err(violation(format!(
                "{node} voted in epoch {epoch} and after a restart knows only epoch {}",
                view.current_epoch
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

fn may_start(node: NodeId, view: &SentinelView, master: &MasterView) -> Result<(), Violation> {
    // An operator's order is carried out even then.
    if view.tilt && !master.forced {
        let message = format!("{node} starts a failover of {} in TILT", master.name);
        return Err(violation(message));
    }
    if !master.o_down && !master.forced {
        let message = format!(
            "{node} starts a failover of {}, which is not objectively down",
            master.name
        );
        return Err(violation(message));
    }
    Ok(())
}

/// While a Sentinel carries out a failover, a vote of its own for another leader would make two
/// of them act at the same time.
fn votes_for_nobody_else(node: NodeId, master: &MasterView) -> Result<(), Violation> {
    if master.leader_epoch <= master.failover_epoch {
        return Ok(());
    }
    Err(violation(format!(
        "{node} leads the failover of {} in epoch {} and votes in epoch {}",
        master.name, master.failover_epoch, master.leader_epoch
    )))
}

/// Within one process no epoch falls.
fn forwards(node: NodeId, old: &SentinelView, new: &SentinelView) -> Result<(), Violation> {
    let fell = |what: &str, old: u64, new: u64| {
        if new < old {
            Err(violation(format!(
                "the {what} of {node} fell from {old} to {new}"
            )))
        } else {
            Ok(())
        }
    };
    fell("current epoch", old.current_epoch, new.current_epoch)?;
    for master in &new.masters {
        if let Some(before) = find(old, &master.name) {
            fell("config epoch", before.config_epoch, master.config_epoch)?;
            fell("leader epoch", before.leader_epoch, master.leader_epoch)?;
        }
    }
    Ok(())
}

fn find<'a>(view: &'a SentinelView, name: &str) -> Option<&'a MasterView> {
    view.masters.iter().find(|master| master.name == name)
}

const fn violation(message: String) -> Violation {
    Violation::new(ORACLE, message)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::oracle) const ONE: NodeId = NodeId(5);
    const TWO: NodeId = NodeId(6);
    const THREE: NodeId = NodeId(7);
    pub(in crate::oracle) const ME: Id = [b'1'; 40];
    const OTHER: Id = [b'2'; 40];

    pub(in crate::oracle) fn master() -> MasterView {
        MasterView {
            name: "mymaster".to_owned(),
            addr: NodeId(0).at(6379),
            quorum: 2,
            config_epoch: 0,
            leader: None,
            leader_epoch: 0,
            failover_epoch: 0,
            state: FailoverState::None,
            forced: false,
            s_down: true,
            o_down: true,
            others: 2,
            replicas: Vec::new(),
        }
    }

    pub(in crate::oracle) fn view(epoch: u64, master: MasterView) -> SentinelView {
        SentinelView {
            myid: ME,
            current_epoch: epoch,
            tilt: false,
            masters: vec![master],
        }
    }

    /// One to whom all have said that the master is down.
    fn suspecting() -> Election {
        let all = BTreeSet::from([ONE, TWO, THREE]);
        Election {
            accusers: BTreeMap::from([(master().name, all)]),
            ..Election::default()
        }
    }

    fn leading(epoch: u64) -> SentinelView {
        let master = MasterView {
            state: FailoverState::SelectSlave,
            failover_epoch: epoch,
            ..master()
        };
        view(epoch, master)
    }

    #[test]
    fn a_second_vote_in_an_epoch_is_a_violation() {
        let mut election = suspecting();
        election.voted(ONE, 3, ME).unwrap();
        election.voted(ONE, 3, ME).unwrap();
        election.voted(ONE, 4, OTHER).unwrap();
        assert!(election.voted(ONE, 3, OTHER).is_err());
    }

    #[test]
    fn a_leader_needs_a_majority_and_a_quorum() {
        let mut election = suspecting();
        assert!(election.observe(ONE, 1, &leading(1)).is_err());

        let mut election = suspecting();
        election.voted(TWO, 1, ME).unwrap();
        election.observe(ONE, 1, &leading(1)).unwrap();

        let mut election = suspecting();
        election.voted(TWO, 1, ME).unwrap();
        let mut picky = leading(1);
        picky.masters[0].quorum = 3;
        assert!(election.observe(ONE, 1, &picky).is_err());
        let mut election = suspecting();
        election.voted(TWO, 1, ME).unwrap();
        picky.masters[0].forced = true;
        election.observe(ONE, 1, &picky).unwrap();

        let mut election = suspecting();
        election.voted(TWO, 1, ME).unwrap();
        let mut even = leading(1);
        even.masters[0].others = 3;
        assert!(election.observe(ONE, 1, &even).is_err());
        election.voted(THREE, 1, ME).unwrap();
        election.observe(ONE, 1, &even).unwrap();
    }

    #[test]
    fn a_leader_votes_for_nobody_else() {
        let mut election = suspecting();
        election.voted(TWO, 1, ME).unwrap();
        let mut view = leading(1);
        view.masters[0].leader_epoch = 1;
        election.observe(ONE, 1, &view).unwrap();
        view.masters[0].leader_epoch = 2;
        assert!(election.observe(ONE, 1, &view).is_err());
    }

    #[test]
    fn a_master_is_down_only_where_a_quorum_has_found_it_so() {
        let found = |o_down| view(1, MasterView { o_down, ..master() });
        let mut election = Election::default();
        election.observe(ONE, 1, &found(false)).unwrap();
        assert!(election.observe(ONE, 1, &found(true)).is_err());
        let mut election = Election::default();
        election.observe(TWO, 1, &found(false)).unwrap();
        election.observe(ONE, 1, &found(true)).unwrap();
    }

    #[test]
    fn votes_of_another_epoch_do_not_count() {
        let mut election = suspecting();
        election.voted(TWO, 2, ME).unwrap();
        assert!(election.observe(ONE, 1, &leading(1)).is_err());
    }

    #[test]
    fn two_leaders_in_one_epoch_are_a_violation() {
        let mut election = suspecting();
        election.voted(TWO, 1, ME).unwrap();
        election.observe(ONE, 1, &leading(1)).unwrap();
        election.voted(THREE, 1, OTHER).unwrap();
        let rival = SentinelView {
            myid: OTHER,
            ..leading(1)
        };
        assert!(election.observe(NodeId(8), 1, &rival).is_err());
    }

    #[test]
    fn one_config_epoch_means_one_address() {
        let mut election = suspecting();
        let (here, there) = (NodeId(0).at(6379), NodeId(1).at(6379));
        election.configured(ONE, "mymaster", 3, here).unwrap();
        election.configured(TWO, "mymaster", 4, there).unwrap();
        assert!(election.configured(TWO, "mymaster", 3, there).is_err());
    }

    #[test]
    fn epochs_do_not_fall_and_votes_are_not_forgotten() {
        let mut election = suspecting();
        election.observe(ONE, 1, &view(5, master())).unwrap();
        assert!(election.observe(ONE, 1, &view(4, master())).is_err());

        let mut election = suspecting();
        election.observe(ONE, 1, &view(5, master())).unwrap();
        election.voted(ONE, 4, OTHER).unwrap();
        election.observe(ONE, 2, &view(4, master())).unwrap();
        assert!(election.observe(ONE, 3, &view(3, master())).is_err());
    }

    #[test]
    fn a_failover_starts_only_when_objectively_down_and_not_in_tilt() {
        let waiting = MasterView {
            state: FailoverState::WaitStart,
            failover_epoch: 1,
            ..master()
        };
        let mut election = suspecting();
        election.observe(ONE, 1, &view(1, waiting.clone())).unwrap();

        let tilted = SentinelView {
            tilt: true,
            ..view(1, waiting.clone())
        };
        assert!(suspecting().observe(ONE, 1, &tilted).is_err());
        let up = MasterView {
            o_down: false,
            ..waiting
        };
        assert!(suspecting().observe(ONE, 1, &view(1, up.clone())).is_err());
        let forced = MasterView { forced: true, ..up };
        suspecting().observe(ONE, 1, &view(1, forced)).unwrap();
    }
}
