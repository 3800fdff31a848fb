//! What a Sentinel watches: masters, their replicas, and the other Sentinels.

use core::time::Duration;
use std::collections::VecDeque;

use crate::limits::HISTORIES_MAX;
use crate::machine::Mono;
use crate::sentinel::info::{LinkDown, ReplId, Role};
use crate::sentinel::names::{Epoch, HostAddr, RunId};
use crate::sentinel::{GroupId, LinkId};

/// One process under watch, as seen under one master.
#[derive(Debug)]
pub struct Instance {
    /// The master it belongs to.
    pub group: GroupId,
    /// The master's name; a replica's `host:port`; a Sentinel's id.
    pub name: Box<str>,
    /// Where it is.
    pub addr: HostAddr,
    /// The run of the server, or the identity of the Sentinel.
    pub runid: Option<RunId>,
    /// The connections to it.
    pub link: LinkId,
    /// Subjectively down, and since when.
    pub s_down: Option<Mono>,
    /// When it last went down; outlives the going up again.
    pub down_onset: Option<Mono>,
    /// The hellos sent to it.
    pub hellos: Hellos,
    /// Whether a BUSY script was told to die since it went down.
    pub script_kill_sent: bool,
    /// What only its kind has.
    pub kind: Kind,
}

/// What kind of process an instance is.
#[derive(Debug)]
pub enum Kind {
    /// The master itself.
    Master(MasterFacts),
    /// A replica of the master.
    Replica(Box<ReplicaFacts>),
    /// Another Sentinel that watches the master.
    Peer(PeerFacts),
}

/// The pacing of the hellos to one instance.
#[derive(Clone, Copy, Debug)]
pub struct Hellos {
    /// When the last one was acknowledged.
    pub acked: Mono,
    /// Whether one is on its way.
    pub sent: bool,
    /// Whether the next one shall not wait.
    pub urgent: bool,
    /// After a refusal, when to try again.
    pub retry_at: Option<Mono>,
}

/// What a server reported of itself.
#[derive(Debug)]
pub struct Reported {
    /// The INFO last received, and when.
    pub info: Option<(Mono, Box<[u8]>)>,
    /// Whether an INFO is on its way.
    pub asked: bool,
    /// Whether the next INFO shall not wait.
    pub urgent: bool,
    /// After a refusal, when to ask again.
    pub retry_at: Option<Mono>,
    /// The role it reported last; at first the one it is configured to have.
    pub role: Role,
    /// Since when it reports that role.
    pub role_since: Mono,
    /// The history it writes or follows.
    pub replid: ReplId,
    /// The history before that.
    pub replid2: ReplId,
}

/// What is known of a master only.
#[derive(Debug)]
pub struct MasterFacts {
    /// From its INFO.
    pub reported: Reported,
    /// When it was seen to have restarted, until it answers PING with PONG.
    pub reboot: Option<Mono>,
    /// The master it says it has while it says that it is a replica.
    pub follows: Option<HostAddr>,
    /// How long it has been without that one.
    pub link_down: LinkDown,
}

/// What is known of a replica only.
#[derive(Debug)]
pub struct ReplicaFacts {
    /// From its INFO.
    pub reported: Reported,
    /// `slave_priority`
    pub priority: u32,
    /// `slave_repl_offset`
    pub offset: u64,
    /// Whether it wants to be shown to clients.
    pub announced: bool,
    /// How long it has been without its master.
    pub link_down: LinkDown,
    /// Whether it is connected to its master.
    pub link_up: bool,
    /// Since when it says that its master has lost its data.
    pub refuses: Option<Mono>,
    /// The master it says it has.
    pub master: Option<HostAddr>,
    /// When that changed last.
    pub conf_changed: Mono,
    /// How far it is with following the new master of a failover.
    pub reconf: Reconf,
    /// Set while this is the master that a failover replaced, and it has not shown as a replica.
    pub former: Option<FormerMaster>,
    /// When it was last told by itself to follow the master.
    pub corrected: Option<Mono>,
}

/// How far a replica is with following the new master of a failover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reconf {
    /// Not told.
    No,
    /// Told, at this instant.
    Sent(Mono),
    /// It knows its new master, and is connecting or loading.
    InProgress,
    /// It follows, or was given up on.
    Done,
}

/// What the replaced master was when it was replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FormerMaster {
    /// The run it was.
    pub runid: Option<RunId>,
    /// The history it was writing.
    pub replid: ReplId,
}

/// What is known of another Sentinel only.
#[derive(Debug)]
pub struct PeerFacts {
    /// When a hello from it was last heard.
    pub heard: Mono,
    /// Its latest answer on whether the master is down.
    pub answered: Option<Mono>,
    /// Whether that answer was yes.
    pub says_down: bool,
    /// When the question was put last.
    pub asked: Option<Mono>,
    /// Questions on their way.
    pub in_flight: u32,
    /// Whether the next question shall not wait.
    pub urgent: bool,
    /// The vote it told of last.
    pub leader: Option<RunId>,
    /// The epoch of that vote.
    pub leader_epoch: Epoch,
    /// The newest election it was asked to vote in.
    pub vote_asked: Epoch,
    /// The newest election in which it answered to that.
    pub vote_answered: Epoch,
    /// Where it believes the master to be.
    pub belief: Belief,
}

/// Where another Sentinel believes the master to be, as far as it was asked.
#[derive(Debug, Default)]
pub struct Belief {
    /// When it was asked last.
    pub asked: Option<Mono>,
    /// Whether the answer to that is on its way.
    pub in_flight: bool,
    /// The last answer, and when the question was put.
    pub told: Option<(Mono, HostAddr)>,
}

impl Instance {
    /// `master`, `slave` or `sentinel`
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Master(_) => "master",
            Kind::Replica(_) => "slave",
            Kind::Peer(_) => "sentinel",
        }
    }

    /// The facts of a master.
    pub fn master_mut(&mut self) -> Option<&mut MasterFacts> {
        match &mut self.kind {
            Kind::Master(facts) => Some(facts),
            Kind::Replica(_) | Kind::Peer(_) => None,
        }
    }

    /// What the server reported of itself; a Sentinel isn't asked.
    pub fn reported(&self) -> Option<&Reported> {
        match &self.kind {
            Kind::Master(facts) => Some(&facts.reported),
            Kind::Replica(facts) => Some(&facts.reported),
            Kind::Peer(_) => None,
        }
    }

    /// What the server reported of itself; a Sentinel isn't asked.
    pub fn reported_mut(&mut self) -> Option<&mut Reported> {
        match &mut self.kind {
            Kind::Master(facts) => Some(&mut facts.reported),
            Kind::Replica(facts) => Some(&mut facts.reported),
            Kind::Peer(_) => None,
        }
    }

    /// The facts of a replica.
    pub fn replica(&self) -> Option<&ReplicaFacts> {
        match &self.kind {
            Kind::Replica(facts) => Some(facts),
            Kind::Master(_) | Kind::Peer(_) => None,
        }
    }

    /// The facts of a replica.
    pub fn replica_mut(&mut self) -> Option<&mut ReplicaFacts> {
        match &mut self.kind {
            Kind::Replica(facts) => Some(facts),
            Kind::Master(_) | Kind::Peer(_) => None,
        }
    }

    /// The facts of a Sentinel.
    pub fn peer(&self) -> Option<&PeerFacts> {
        match &self.kind {
            Kind::Peer(facts) => Some(facts),
            Kind::Master(_) | Kind::Replica(_) => None,
        }
    }

    /// The facts of a Sentinel.
    pub fn peer_mut(&mut self) -> Option<&mut PeerFacts> {
        match &mut self.kind {
            Kind::Peer(facts) => Some(facts),
            Kind::Master(_) | Kind::Replica(_) => None,
        }
    }

    /// Whether it did not go down within the last `span`.
    pub fn had_no_down_for(&self, now: Mono, span: Duration) -> bool {
        self.down_onset.is_none_or(|onset| now.since(onset) > span)
    }

    /// Age of the last INFO.
    pub fn info_age(&self, now: Mono) -> Option<Duration> {
        let (at, _) = self.reported()?.info.as_ref()?;
        Some(now.since(*at))
    }
}

impl Reported {
    /// Nothing yet, under the assumption that it is what it is configured to be.
    pub fn new(role: Role, now: Mono) -> Self {
        Self {
            info: None,
            asked: false,
            urgent: false,
            retry_at: None,
            role,
            role_since: now,
            replid: None,
            replid2: None,
        }
    }
}

impl Hellos {
    /// None sent yet.
    pub fn new(now: Mono) -> Self {
        Self {
            acked: now,
            sent: false,
            urgent: false,
            retry_at: None,
        }
    }
}

impl MasterFacts {
    /// A master that did not report yet.
    pub fn new(now: Mono) -> Self {
        Self {
            reported: Reported::new(Role::Master, now),
            reboot: None,
            follows: None,
            link_down: LinkDown::No,
        }
    }
}

impl ReplicaFacts {
    /// A replica that did not report yet.
    pub fn new(now: Mono) -> Self {
        Self {
            reported: Reported::new(Role::Slave, now),
            priority: DEFAULT_PRIORITY,
            offset: 0,
            announced: true,
            link_down: LinkDown::No,
            link_up: false,
            refuses: None,
            master: None,
            conf_changed: now,
            reconf: Reconf::No,
            former: None,
            corrected: None,
        }
    }
}

impl PeerFacts {
    /// A Sentinel that was not asked yet.
    pub fn new(now: Mono) -> Self {
        Self {
            heard: now,
            answered: None,
            says_down: false,
            asked: None,
            in_flight: 0,
            urgent: false,
            leader: None,
            leader_epoch: Epoch(0),
            vote_asked: Epoch(0),
            vote_answered: Epoch(0),
            belief: Belief::default(),
        }
    }
}

impl FormerMaster {
    /// Whether what the server reports shows that it has followed nobody since.
    ///
    /// A promotion ends a history: the promoted server's second id is then the one of the master
    /// it followed. The run that was replaced still writes the history it wrote. A new run
    /// has a second id only if it loaded one with its data, which then is one of those that
    /// masters of earlier configurations wrote, and not the `present` one.
    pub fn is_still(
        &self,
        runid: Option<RunId>,
        reported: &Reported,
        histories: &Histories,
        (config_epoch, present): (Epoch, ReplId),
    ) -> bool {
        if runid.is_some() && runid == self.runid {
            return reported.replid.is_some() && reported.replid == self.replid;
        }
        match reported.replid2 {
            None => true,
            Some(loaded) => {
                let noted = histories.noted(loaded);
                let is_past = noted.is_some_and(|epoch| epoch < config_epoch);
                is_past && present.is_some_and(|now| now != loaded)
            }
        }
    }
}

/// The histories the masters of one group have written, as far as they reported, each with the
/// epoch of the configuration in which it was first seen. A master that restarts goes on under
/// another id, so what is written in one configuration can have several.
#[derive(Clone, Debug, Default)]
pub struct Histories(VecDeque<(RunId, Epoch)>);

impl Histories {
    /// Takes note of a history; of too many the one noted first is forgotten.
    pub fn note(&mut self, id: ReplId, config_epoch: Epoch) {
        if let Some(id) = id
            && self.noted(id).is_none()
        {
            if self.0.len() >= HISTORIES_MAX {
                self.0.pop_front();
            }
            self.0.push_back((id, config_epoch));
        }
    }

    /// In which configuration a history was first seen.
    pub fn noted(&self, id: RunId) -> Option<Epoch> {
        let found = self.0.iter().find(|(noted, _)| *noted == id);
        found.map(|(_, epoch)| *epoch)
    }
}

const DEFAULT_PRIORITY: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: u8) -> ReplId {
        RunId::parse(&[letter; 40])
    }

    #[test]
    fn a_replaced_master_that_was_promoted_again_is_told_apart() {
        let former = FormerMaster {
            runid: id(b'r'),
            replid: id(b'h'),
        };
        let mut past = Histories::default();
        let earlier = [id(b'g'), id(b'h')].map(|history| (history, Epoch(2)));
        // The present master has restarted: it wrote one history before the one it writes.
        let present = [id(b'm'), id(b'n')].map(|history| (history, Epoch(3)));
        for (history, epoch) in earlier.into_iter().chain(present) {
            past.note(history, epoch);
            past.note(history, Epoch(4));
        }
        let mut reported = Reported::new(Role::Master, Mono::default());
        let still = |runid, reported: &Reported| {
            former.is_still(runid, reported, &past, (Epoch(3), id(b'n')))
        };
        reported.replid = id(b'h');
        assert!(still(id(b'r'), &reported));
        reported.replid = id(b'x');
        for (replid2, expected) in [
            (None, true),
            (id(b'g'), true),
            (id(b'h'), true),
            (id(b'm'), false),
            (id(b'n'), false),
            (id(b'y'), false),
        ] {
            reported.replid2 = replid2;
            assert_eq!(still(id(b's'), &reported), expected, "{replid2:?}");
            assert!(!still(id(b'r'), &reported));
        }
    }

    #[test]
    fn only_so_many_histories_are_kept() {
        let mut past = Histories::default();
        let nth = |n: usize| RunId::parse(format!("{n:0>40}").as_bytes());
        for n in 0..=HISTORIES_MAX {
            past.note(nth(n), Epoch(0));
            past.note(nth(n), Epoch(0));
        }
        assert_eq!(past.noted(nth(0).unwrap()), None);
        assert_eq!(past.noted(nth(1).unwrap()), Some(Epoch(0)));
    }
}
